// The one folder that a spool lives in, as the spool needs it: plain files that are appended to,
// flushed, cut and removed. PosixFiles is the real one; tests and the simulator have a folder that
// loses what was not flushed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace firebreak::spool {

// Not thread-safe. Errors: not_found (no such file), resource_exhausted (the disk is full),
// unavailable (anything else that the disk says).
class Files {
 public:
  virtual ~Files() = default;

  // Names, sorted.
  virtual Result<std::vector<std::string>> list() = 0;
  virtual Result<std::uint64_t> size(const std::string& name) = 0;
  // Fewer than `bytes` only where the file ends.
  virtual Result<std::string> read(const std::string& name, std::uint64_t offset,
                                   std::size_t bytes) = 0;
  // Makes the file when there is none. Not durable; after an error a part may have been written.
  virtual Result<> append(const std::string& name, std::string_view bytes) = 0;
  // What was appended to this file or cut off it is durable, and so is which files there are. After
  // an error nothing is known about any byte since the last success, and calling it again proves
  // nothing.
  virtual Result<> sync(const std::string& name) = 0;
  // Neither is durable before a sync(): after a crash the file may be as it was.
  virtual Result<> truncate(const std::string& name, std::uint64_t size) = 0;
  virtual Result<> remove(const std::string& name) = 0;
};

}  // namespace firebreak::spool
