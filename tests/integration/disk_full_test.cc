// A coordinator's engine on a file system of a few megabytes that is really full.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <future>
#include <mutex>
#include <set>

#include "common/clock.h"
#include "coordinator/engine/engine.h"
#include "coordinator/store/doctor.h"
#include "tests/support/fault_policy.h"
#include "tests/support/temp_dir.h"

namespace firebreak::engine {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 60s;  // only so that a broken test ends

Result<std::shared_ptr<const policy::Policy>> compile(std::vector<policy::SourceFile> files) {
  return testing::compiled(std::move(files));
}

class Nobody final : public AgentSink, public Sender, public WatchSink {
 public:
  void assign(const AgentName&, std::vector<std::pair<ProbeKey, ProbeSpec>>) override {}
  void probe_now(core::SendProbeNow) override {}
  void order(core::OrderHostAction) override {}
  void order_ended(const ActionId&) override {}
  void confirm(core::ConfirmOutcome) override {}
  void send(core::SendNotification) override {}
  void run(core::RunHttpAction) override {}
  void publish(const core::PublishEntry&) override {}
  void publish(const core::PublishValidation&, const core::State&) override {}
};

// Takes all the room that is left.
void fill(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  const std::string block(4096, 'x');
  for (std::size_t size = block.size(); size > 0; size /= 2)
    while (::write(fd, block.data(), size) > 0) {
    }
  ::close(fd);
}

class DiskFull : public ::testing::Test {
 protected:
  // In a mount namespace of this process's own: nobody else sees it, and nothing is left of it.
  void SetUp() override {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", dir_.path().c_str(), "tmpfs", 0, "size=4m") != 0)
      GTEST_SKIP() << "this user may not mount a small file system here: " << std::strerror(errno);
    is_mounted_ = true;
  }
  void TearDown() override {
    if (is_mounted_) ::umount2(dir_.path().c_str(), MNT_DETACH);
  }
  std::unique_ptr<store::Store> open() {
    auto store = store::open_sqlite(dir_ / "coordinator.db", compile);
    if (!store) throw std::runtime_error(store.error().message);
    return std::move(*store);
  }

  testing::TempDir dir_;
  bool is_mounted_ = false;
  const SystemClock clock_;
  Nobody nobody_;
};

core::ResultsReceived large_batch(std::uint64_t seq, Instant at) {
  core::ResultsReceived batch = testing::result_of("a", seq, Status::ok, at);
  batch.rows.front().observation.evidence = std::string(1000, 'e');
  return batch;
}

TEST_F(DiskFull, HoldsBackAndRecoversByItself) {
  std::atomic<int> fatal = 0;
  std::promise<void> is_full, has_room;
  std::mutex mutex;
  std::set<std::uint64_t> acknowledged;
  {
    Engine engine(clock_, [&](const Error&) { ++fatal; });
    engine.on_full(
        [&](const Error* why) { why != nullptr ? is_full.set_value() : has_room.set_value(); });
    ASSERT_TRUE(engine.start(open(), {&nobody_, &nobody_, &nobody_}));
    engine.submit(core::PolicyChanged{testing::fault_policy(), kPolicyDirectory});
    std::promise<void> attached;
    engine.submit(testing::attached("a"), [&](const View&) { attached.set_value(); });
    ASSERT_EQ(attached.get_future().wait_for(kPatience), std::future_status::ready);
    fill(dir_ / "filler");
    auto full = is_full.get_future();
    std::uint64_t seq = 0;
    while (seq < 3000 && full.wait_for(1ms) != std::future_status::ready) {
      ++seq;
      engine.submit(large_batch(seq, engine.now()), [&, sent = seq](const View&) {
        const std::lock_guard lock(mutex);
        acknowledged.insert(sent);
      });
    }
    ASSERT_EQ(full.wait_for(kPatience), std::future_status::ready);
    {
      const std::lock_guard lock(mutex);
      EXPECT_FALSE(acknowledged.contains(seq));
    }
    std::promise<bool> read;
    ASSERT_TRUE(
        engine.inspect([&](const View& view) { read.set_value(view.unstored != nullptr); }));
    EXPECT_TRUE(read.get_future().get());

    ::unlink((dir_ / "filler").c_str());

    ASSERT_EQ(has_room.get_future().wait_for(kPatience), std::future_status::ready);
    std::promise<void> last;
    engine.submit(core::Tick{}, [&](const View&) { last.set_value(); });
    ASSERT_EQ(last.get_future().wait_for(kPatience), std::future_status::ready);
    const std::lock_guard lock(mutex);
    EXPECT_EQ(acknowledged.size(), seq);
  }
  EXPECT_EQ(fatal, 0);

  std::uint64_t kept = 0;
  ASSERT_TRUE(open()->replay(0, [&](const store::JournalEntry& entry) -> Result<> {
    if (const auto* results = std::get_if<core::ResultsReceived>(&entry.event))
      kept = results->first_seq;
    return {};
  }));
  EXPECT_EQ(kept, *acknowledged.rbegin());
  EXPECT_EQ(store::examine(dir_.path(), compile).verdict(), store::Health::sound);
}

TEST_F(DiskFull, SaysSoWhenItCannotStart) {
  { const auto store = open(); }
  fill(dir_ / "filler");

  Engine engine(clock_, [](const Error&) {});
  auto store = store::open_sqlite(dir_ / "coordinator.db", compile);
  const Error error = store
                          ? engine.start(std::move(*store), {&nobody_, &nobody_, &nobody_}).error()
                          : store.error();

  EXPECT_EQ(error.code, Errc::resource_exhausted) << error.message;
  EXPECT_THAT(error.message, ::testing::HasSubstr("make room"));
}

}  // namespace
}  // namespace firebreak::engine
