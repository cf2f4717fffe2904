// A folder on a disk.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/spool/files.h"
#include "common/fd.h"

namespace firebreak::spool {

class PosixFiles final : public Files {
 public:
  // Makes the folder, mode 0700, unless it is there, and locks it: failed_precondition when another
  // process has it.
  static Result<PosixFiles> open(const std::string& folder);
  // For reading only, without making or keeping a lock, so that an agent may start meanwhile;
  // not_found when there is no such folder. What is not list(), size() or read() may not be called.
  static Result<PosixFiles> look(const std::string& folder);
  // Whether somebody has it locked. Asks by locking it for a moment.
  [[nodiscard]] bool is_in_use() const;

  Result<std::vector<std::string>> list() override;
  Result<std::uint64_t> size(const std::string& name) override;
  Result<std::string> read(const std::string& name, std::uint64_t offset,
                           std::size_t bytes) override;
  Result<> append(const std::string& name, std::string_view bytes) override;
  Result<> sync(const std::string& name) override;
  Result<> truncate(const std::string& name, std::uint64_t size) override;
  Result<> remove(const std::string& name) override;

 private:
  PosixFiles(Fd folder, std::string path, bool may_write)
      : folder_(std::move(folder)), path_(std::move(path)), may_write_(may_write) {}

  // Open from here on; `may_create` makes one.
  Result<int> find(const std::string& name, bool may_create);
  [[nodiscard]] Error error(const char* what, const std::string& name) const;

  Fd folder_;
  std::string path_;
  bool may_write_;
  std::map<std::string, Fd> open_;  // at most kOpenFilesMax
  bool are_names_durable_ = false;  // an earlier life may have ended before its flush
};

}  // namespace firebreak::spool
