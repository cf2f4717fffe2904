// A folder as it would be after what is done to it here, while the disk is only read: what a start
// would make of a spool can be seen before there is one.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/spool/files.h"

namespace firebreak::spool {

// What is written is kept in memory, up to a bound (then it says that the disk is full).
class Rehearsal final : public Files {
 public:
  // `disk` must outlive this, and is asked for names, sizes and bytes only.
  explicit Rehearsal(Files& disk) : disk_(disk) {}

  Result<std::vector<std::string>> list() override;
  Result<std::uint64_t> size(const std::string& name) override;
  Result<std::string> read(const std::string& name, std::uint64_t offset,
                           std::size_t bytes) override;
  Result<> append(const std::string& name, std::string_view bytes) override;
  Result<> sync(const std::string& name) override;
  Result<> truncate(const std::string& name, std::uint64_t size) override;
  Result<> remove(const std::string& name) override;

 private:
  struct Change {
    bool is_removed = false;
    std::uint64_t kept = 0;  // bytes of the disk's file, from its front
    std::string added;       // behind them
  };
  // As it is now; made when the file is first changed.
  Result<Change*> change(const std::string& name, bool may_create);

  Files& disk_;
  std::map<std::string, Change> changes_;
  std::uint64_t added_ = 0;  // bytes, in all
};

}  // namespace firebreak::spool
