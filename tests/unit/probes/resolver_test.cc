// The pool that looks names up, with a name server that hangs when told.
#include "probes/resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include <array>
#include <cstring>
#include <fstream>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/udp.hpp>

#include "common/fd.h"
#include "common/limits.h"
#include "tests/support/temp_dir.h"

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

// --- The system's own look-up, and a name server that answers for one name only ------------------

bool write_file(const char* path, const char* text) {
  std::ofstream file(path);
  file << text;
  return file.good();
}

bool bring_loopback_up() {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", sizeof request.ifr_name - 1);
  request.ifr_flags = IFF_UP;
  return ::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0;
}

// This thread, and those it starts, get a network and a resolv.conf of their own; false where that
// is not allowed.
bool move_to_own_names(const testing::TempDir& folder) {
  const std::string names = folder / "resolv.conf";
  const std::string hosts = folder / "hosts";
  return ::unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 && bring_loopback_up() &&
         write_file(names.c_str(), "nameserver 127.0.0.1\noptions timeout:30 attempts:1\n") &&
         write_file(hosts.c_str(), "127.0.0.1 localhost\n") &&
         ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount(names.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) == 0 &&
         ::mount(hosts.c_str(), "/etc/hosts", nullptr, MS_BIND, nullptr) == 0;
}

// RFC 1035, 4.1: the question with an answer behind it; empty for names that get none.
std::string answer_to(std::string query) {
  if (query.find("\4good") == std::string::npos) return {};
  const bool is_ipv4 = query[query.size() - 3] == 1;  // the type; then the class
  query[2] = static_cast<char>(0x81);
  query[3] = static_cast<char>(0x80);
  if (!is_ipv4) return query;  // no such record
  query[7] = 1;
  return query +
         std::string("\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x01", 16);
}

void serve_names(boost::asio::ip::udp::socket& socket, std::size_t& unanswered) {
  std::array<char, 512> buffer;
  boost::asio::ip::udp::endpoint sender;
  boost::system::error_code failed;
  while (socket.available(failed) > 0) {
    const std::size_t size = socket.receive_from(boost::asio::buffer(buffer), sender, 0, failed);
    const std::string answer = answer_to(std::string(buffer.data(), size));
    if (answer.empty())
      ++unanswered;
    else
      socket.send_to(boost::asio::buffer(answer), sender, 0, failed);
  }
}

TEST(SystemNames, FiftyThatHangDelayNoOther) {
  constexpr int kHung = 50;
  const testing::TempDir folder;
  bool is_allowed = false;
  Result<Addresses> found = make_error(Errc::internal, "no answer");
  int hung_answers = 0;
  std::thread([&] {
    is_allowed = move_to_own_names(folder);
    if (!is_allowed) return;
    boost::asio::io_context io;
    boost::asio::ip::udp::socket server(
        io, boost::asio::ip::udp::endpoint(boost::asio::ip::address_v4::loopback(), 53));
    std::size_t unanswered = 0;
    Resolver resolver(io, ProberOptions{});
    for (int i = 0; i < kHung; ++i)
      (void)resolver.look_up("hung" + std::to_string(i) + ".example",
                             [&](const Result<Addresses>&) { ++hung_answers; });
    while (unanswered < kHung) serve_names(server, unanswered);  // all of them hang by now
    bool is_done = false;
    (void)resolver.look_up("good.example", [&](Result<Addresses> answer) {
      found = std::move(answer);
      is_done = true;
    });
    while (!is_done) {
      serve_names(server, unanswered);
      io.poll();
    }
  }).join();
  if (!is_allowed) GTEST_SKIP() << "no namespaces here";
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->front().to_string(), "127.0.0.1");
  EXPECT_EQ(hung_answers, 0);
}

TEST_F(ResolverTest, NumericAddressesAreNoNames) {
  EXPECT_TRUE(numeric_address("127.0.0.1"));
  EXPECT_TRUE(numeric_address("fe80::1%lo"));
  EXPECT_FALSE(numeric_address("localhost"));
  EXPECT_FALSE(numeric_address("127.1"));
}

}  // namespace
}  // namespace firebreak::probes
