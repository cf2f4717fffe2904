// What a coordinator's store remembers of the past, for whoever plays it again. Never written; a
// running coordinator may go on meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/result.h"
#include "coordinator/store/store.h"

namespace firebreak::store {

class Recording {
 public:
  // A coordinator's folder, or its database.
  static Result<Recording> open(const std::string& path, PolicyCompiler compile);
  Recording(Recording&&) noexcept;
  Recording& operator=(Recording&&) = delete;
  ~Recording();

  // The newest state that can be had from before `at`: of a snapshot, or, while the journal has its
  // first entry, the empty one. failed_precondition when the past is kept only from later on.
  Result<Snapshot> start_before(Instant at);
  // Every entry after that position, a bounded number of them in memory at once, until the end of
  // the journal as it is by then, until `visit` says false, or until its first error.
  Result<> replay(std::uint64_t after, const std::function<Result<bool>(JournalEntry)>& visit);

 private:
  class Files;
  explicit Recording(std::unique_ptr<Files> files);
  std::unique_ptr<Files> files_;
};

}  // namespace firebreak::store
