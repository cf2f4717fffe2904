// One thread, one slot for work, and the log lines about what the disk said.
#include "agent/spool_thread.h"

#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "agent/spool/posix_files.h"
#include "agent/time_line.h"
#include "common/file.h"
#include "common/log.h"

namespace firebreak::agent {
namespace {

spool::Now now_of(const Clock& clock, const std::string& boot_id) {
  return {boot_id, kBooted, time_line(clock).time_since_epoch(), clock.wall()};
}

void tell(const std::vector<spool::Notice>& notices) {
  for (const spool::Notice& notice : notices)
    log::write(
        notice.weight == spool::Notice::Weight::trouble ? log::Level::error : log::Level::info,
        "spool", {{"what", notice.what}, {"file", notice.file}, {"offset", notice.offset}});
}

}  // namespace

// A hardened unit cannot see the kernel's file and is given the id by systemd instead.
std::string read_boot_id() {
  auto text = read_small_file("/proc/sys/kernel/random/boot_id", 64);
  std::string id;
  if (text) {
    id = *std::move(text);
  } else if (const char* given = std::getenv("FIREBREAK_BOOT_ID")) {
    id = given;
  }
  std::erase_if(id, [](char c) { return c == '-' || c == '\n'; });
  return id.substr(0, spool::kBootIdBytes);
}

std::uint64_t random_incarnation() {
  std::random_device entropy;
  std::uint64_t incarnation = 0;
  while (incarnation == 0) incarnation = std::uint64_t{entropy()} << 32 | entropy();
  return incarnation;
}

Result<OpenedSpool> open_spool(const std::string& folder, spool::LogLimits limits,
                               const Clock& clock) {
  auto files = spool::PosixFiles::open(folder + "/spool");
  if (!files) return files.error();
  OpenedSpool opened;
  opened.files = std::make_unique<spool::PosixFiles>(*std::move(files));
  auto log =
      spool::Log::open(*opened.files, limits, now_of(clock, read_boot_id()), random_incarnation());
  if (!log) return log.error();
  opened.log = std::make_unique<spool::Log>(*std::move(log));
  opened.start = start_of(*opened.log);
  tell(opened.log->take_notices());
  return opened;
}

class SpoolThread::Impl {
 public:
  Impl(boost::asio::io_context& io, const Clock& clock, OpenedSpool spool,
       std::function<void(SpoolDone)> done)
      : io_(io),
        clock_(clock),
        boot_id_(read_boot_id()),
        spool_(std::move(spool)),
        done_(std::make_shared<std::function<void(SpoolDone)>>(std::move(done))),
        thread_([this] { run(); }) {}

  ~Impl() {
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void begin(SpoolWork work) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(work));
    }
    changed_.notify_one();
  }

 private:
  std::optional<SpoolWork> take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return std::nullopt;
    SpoolWork work = std::move(waiting_.front());
    waiting_.pop_front();
    return work;
  }

  void run() {
    while (auto work = take()) {
      SpoolDone done =
          perform(*spool_.log, *std::move(work), now_of(clock_, boot_id_), random_incarnation());
      tell(done.notices);
      tell_trouble(done.trouble);
      boost::asio::post(io_, [weak = std::weak_ptr(done_), done = std::move(done)]() mutable {
        if (const auto handler = weak.lock()) (*handler)(std::move(done));
      });
    }
  }

  // Once per trouble, not once per second.
  void tell_trouble(const std::string& trouble) {
    if (trouble == told_) return;
    if (trouble.empty()) {
      log::info("the spool is written again");
    } else {
      log::error("the spool refuses; results wait in memory, and are sent once it takes them",
                 {{"error", trouble}});
    }
    told_ = trouble;
  }

  boost::asio::io_context& io_;
  const Clock& clock_;
  const std::string boot_id_;
  OpenedSpool spool_;
  std::shared_ptr<std::function<void(SpoolDone)>> done_;  // gone: nobody listens any more
  std::string told_;                                      // the thread's own
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<SpoolWork> waiting_;
  bool is_stopping_ = false;
  std::thread thread_;
};

SpoolThread::SpoolThread(boost::asio::io_context& io, const Clock& clock, OpenedSpool spool,
                         std::function<void(SpoolDone)> done)
    : impl_(std::make_unique<Impl>(io, clock, std::move(spool), std::move(done))) {}

SpoolThread::~SpoolThread() = default;

void SpoolThread::begin(SpoolWork work) {
  impl_->begin(std::move(work));
}

}  // namespace firebreak::agent
