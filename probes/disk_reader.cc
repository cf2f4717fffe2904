// One thread for each path that is being asked; the threads share their state with the DiskReader
// by reference count, so that one that hangs may outlive it.
#include "probes/disk_reader.h"

#include <sys/statvfs.h>

#include <cerrno>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>

#include "common/limits.h"

namespace firebreak::probes {

struct DiskReader::Shared : std::enable_shared_from_this<DiskReader::Shared> {
  using Waiting = std::vector<std::weak_ptr<Done>>;

  Shared(boost::asio::io_context& context, Ask question) : io(context), ask(std::move(question)) {}

  // On a thread of its own.
  void work(const std::string& path) {
    auto answer = ask(path);
    const std::lock_guard lock(mutex);
    if (stopped) return;
    boost::asio::post(io, [self = shared_from_this(), path, found = std::move(answer)] {
      self->deliver(path, found);
    });
  }

  // On the io_context's thread.
  void deliver(const std::string& path, const Result<DiskSpace>& answer) {
    Waiting waiting;
    {
      const std::lock_guard lock(mutex);
      if (stopped) return;
      waiting = std::move(asked[path]);
      asked.erase(path);
    }
    for (const auto& each : waiting)
      if (const auto done = each.lock()) (*done)(answer);
  }

  boost::asio::io_context& io;
  const Ask ask;
  std::mutex mutex;
  bool stopped = false;
  std::map<std::string, Waiting> asked;  // each by one thread
};

DiskReader::DiskReader(boost::asio::io_context& io, Ask ask)
    : shared_(std::make_shared<Shared>(io, std::move(ask))) {}

DiskReader::~DiskReader() {
  const std::lock_guard lock(shared_->mutex);
  shared_->stopped = true;
}

Result<> DiskReader::ask(const std::string& path, const std::shared_ptr<Done>& done) {
  const std::lock_guard lock(shared_->mutex);
  const auto already = shared_->asked.find(path);
  if (already != shared_->asked.end()) {
    std::erase_if(already->second, [](const std::weak_ptr<Done>& each) { return each.expired(); });
    already->second.push_back(done);
    return {};
  }
  if (shared_->asked.size() >= limits::kDisksAskedMax)
    return make_error(Errc::resource_exhausted,
                      std::to_string(shared_->asked.size()) + " file systems do not answer");
  try {
    std::thread([shared = shared_, path] { shared->work(path); }).detach();
  } catch (const std::system_error&) {
    return make_error(Errc::resource_exhausted, "no thread could be started for " + path);
  }
  shared_->asked[path].push_back(done);
  return {};
}

Result<DiskSpace> ask_disk(const std::string& path) {
  struct statvfs found {};
  if (::statvfs(path.c_str(), &found) != 0) {
    const int error = errno;
    return make_error(error == ENOENT ? Errc::not_found : Errc::unavailable,
                      path + ": " + std::generic_category().message(error));
  }
  return DiskSpace{path,           found.f_frsize, found.f_blocks, found.f_bfree,
                   found.f_bavail, found.f_files,  found.f_ffree};
}

}  // namespace firebreak::probes
