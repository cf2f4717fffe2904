// Asks file systems how full they are on threads, because one whose server is gone answers never.
//
// A hung call holds its thread until the kernel gives up; who asks the same path waits for it, too.
// All members belong to the io_context's thread; answers arrive there.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "common/result.h"
#include "probes/host_files.h"

namespace firebreak::probes {

class DiskReader {
 public:
  using Done = std::function<void(const Result<DiskSpace>&)>;
  // What it asks, on a thread of its own; may block.
  using Ask = std::function<Result<DiskSpace>(const std::string& path)>;

  DiskReader(boost::asio::io_context& io, Ask ask);
  // Does not wait for hung calls.
  ~DiskReader();
  DiskReader(const DiskReader&) = delete;
  DiskReader& operator=(const DiskReader&) = delete;

  // `done` is called later, never from in here, if it still exists then. An error: too many hang.
  Result<> ask(const std::string& path, const std::shared_ptr<Done>& done);

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

// statvfs(3).
Result<DiskSpace> ask_disk(const std::string& path);

}  // namespace firebreak::probes
