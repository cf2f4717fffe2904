// The pool that looks names up, with a name server that hangs when told.
#include "probes/resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <map>
#include <mutex>
#include <thread>

namespace firebreak::probes {
namespace {

// Names that start with "hung" get no answer before release().
class NameServer {
 public:
  ~NameServer() { release(); }

  LookUp look_up() {
    return [log = log_, released = released_.get_future().share()](
               const std::string& host) -> Result<std::vector<std::string>> {
      {
        const std::lock_guard lock(log->mutex);
        ++log->asked[host];
      }
      if (host.starts_with("hung")) released.wait();
      if (host.starts_with("none")) return make_error(Errc::not_found, "no such name");
      return std::vector<std::string>{"10.0.0.1", "fe80::1%lo", "nonsense"};
    };
  }
  void release() {
    if (!std::exchange(is_released_, true)) released_.set_value();
  }
  int asked(const std::string& host) {
    const std::lock_guard lock(log_->mutex);
    return log_->asked[host];
  }

 private:
  struct Log {
    std::mutex mutex;
    std::map<std::string, int> asked;
  };
  std::shared_ptr<Log> log_ = std::make_shared<Log>();  // a hung thread outlives the test
  std::promise<void> released_;
  bool is_released_ = false;
};

class ResolverTest : public ::testing::Test {
 protected:
  ProberOptions options(std::size_t threads, std::size_t queue = 10) {
    ProberOptions all;
    all.look_up = names_.look_up();
    all.resolver_threads_max = threads;
    all.resolver_queue_max = queue;
    return all;
  }
  Resolver::Done collect() {
    return [this](Result<Addresses> answer) { answers_.push_back(std::move(answer)); };
  }
  void run_until(std::size_t count) {
    while (answers_.size() < count && io_.run_one() > 0) {
    }
    ASSERT_EQ(answers_.size(), count);
  }

  boost::asio::io_context io_;
  NameServer names_;
  std::vector<Result<Addresses>> answers_;
};

TEST_F(ResolverTest, GivesAllNumericAddressesInOrder) {
  Resolver resolver(io_, options(1));
  ASSERT_TRUE(resolver.look_up("host", collect()));

  run_until(1);

  ASSERT_TRUE(answers_[0]);
  ASSERT_EQ(answers_[0]->size(), 2u);
  EXPECT_EQ(answers_[0]->at(0).to_string(), "10.0.0.1");
}

TEST_F(ResolverTest, GivesTheReasonWhenThereIsNone) {
  Resolver resolver(io_, options(1));
  ASSERT_TRUE(resolver.look_up("none", collect()));

  run_until(1);

  ASSERT_FALSE(answers_[0]);
  EXPECT_EQ(answers_[0].error().message, "no such name");
}

TEST_F(ResolverTest, HungNameHoldsOneThreadHoweverOftenItIsAsked) {
  Resolver resolver(io_, options(2));
  ASSERT_TRUE(resolver.look_up("hung", collect()));
  ASSERT_TRUE(resolver.look_up("hung", collect()));
  ASSERT_TRUE(resolver.look_up("host", collect()));

  run_until(1);
  names_.release();
  run_until(3);

  EXPECT_EQ(names_.asked("hung"), 1);
}

TEST_F(ResolverTest, FullQueueIsSaid) {
  Resolver resolver(io_, options(1, 1));
  ASSERT_TRUE(resolver.look_up("hung", collect()));
  while (names_.asked("hung") == 0) std::this_thread::yield();
  ASSERT_TRUE(resolver.look_up("second", collect()));

  const auto third = resolver.look_up("third", collect());

  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Errc::resource_exhausted);
}

TEST_F(ResolverTest, ForgettingTellsWhetherItHadBegun) {
  Resolver resolver(io_, options(1));
  const auto first = resolver.look_up("hung", collect());
  while (names_.asked("hung") == 0) std::this_thread::yield();
  const auto second = resolver.look_up("host", collect());
  ASSERT_TRUE(first && second);

  EXPECT_FALSE(resolver.forget(*first));
  EXPECT_TRUE(resolver.forget(*second));

  names_.release();
  io_.run();
  EXPECT_TRUE(answers_.empty());
  EXPECT_EQ(names_.asked("host"), 0);
}

TEST_F(ResolverTest, EndDoesNotWaitForHungNames) {
  {
    Resolver resolver(io_, options(1));
    ASSERT_TRUE(resolver.look_up("hung", collect()));
    while (names_.asked("hung") == 0) std::this_thread::yield();
  }

  io_.poll();

  EXPECT_TRUE(answers_.empty());
}

TEST_F(ResolverTest, KeepsAddressesForAShortWhile) {
  Resolver resolver(io_, options(1));
  const Resolver::TimePoint now{std::chrono::hours(1)};
  EXPECT_EQ(resolver.kept("host", now), nullptr);

  resolver.keep("host", {boost::asio::ip::address_v4::loopback()}, now);

  ASSERT_NE(resolver.kept("host", now), nullptr);
  EXPECT_EQ(resolver.kept("host", now)->size(), 1u);
  EXPECT_NE(resolver.kept("host", now + limits::kNameKeptFor - std::chrono::milliseconds(1)),
            nullptr);
  EXPECT_EQ(resolver.kept("host", now + limits::kNameKeptFor), nullptr);
  resolver.drop("host");
  EXPECT_EQ(resolver.kept("host", now), nullptr);
}

TEST_F(ResolverTest, KeepsABoundedNumberOfNames) {
  Resolver resolver(io_, options(1));
  const Resolver::TimePoint now{std::chrono::hours(1)};
  for (std::size_t i = 0; i < limits::kNamesKeptMax; ++i)
    resolver.keep("host" + std::to_string(i), {}, now);

  resolver.keep("one more", {}, now);
  EXPECT_EQ(resolver.kept("one more", now), nullptr);

  const auto later = now + limits::kNameKeptFor;
  resolver.keep("one more", {}, later);
  EXPECT_NE(resolver.kept("one more", later), nullptr);
}

TEST_F(ResolverTest, NumericAddressesAreNoNames) {
  EXPECT_TRUE(numeric_address("127.0.0.1"));
  EXPECT_TRUE(numeric_address("fe80::1%lo"));
  EXPECT_FALSE(numeric_address("localhost"));
  EXPECT_FALSE(numeric_address("127.1"));
}

}  // namespace
}  // namespace firebreak::probes
