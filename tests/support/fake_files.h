// A folder in memory that forgets at a crash what was not flushed, and fails when it is told to.
//
// Every call is one operation; its number is operations() + 1. Operations of list(), size() and
// read() count, too, so that a loop over all numbers meets every step of a recovery.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/spool/files.h"
#include "common/rng.h"

namespace firebreak::testing {

class FakeFiles final : public spool::Files {
 public:
  // What a disk may do at operation `at`, and for `lasts` operations from there on.
  enum class Fault {
    refuse,  // EIO and no effect
    full,    // ENOSPC: append() writes a part, the others work
    crash,   // the power goes: this and every later call fails until crash() is called
  };
  struct Plan {
    Fault fault = Fault::refuse;
    std::uint64_t at = 0;
    std::uint64_t lasts = 1;
  };

  // What of the unflushed bytes outlives a crash.
  enum class Survives {
    nothing,    // and files whose name was not flushed are gone, removed ones are back
    all,        // as after a kill: the kernel lives on
    torn,       // a part of each unflushed append, cut at a random byte
    scrambled,  // all of them, some bytes zero: blocks that were never written
  };

  explicit FakeFiles(std::uint64_t seed = 1) : rng_(seed) {}

  void plan(Plan plan) { plan_ = plan; }
  void forget_plan() { plan_.reset(); }
  // Bytes of all files together that the disk holds; more is ENOSPC.
  void set_capacity(std::optional<std::uint64_t> bytes) { capacity_ = bytes; }
  // The next `count` calls of sync() fail with EIO. What they would have flushed is lost at the
  // next crash, whatever later calls say: the kernel has marked the pages clean.
  void fail_syncs(int count) { failing_syncs_ = count; }
  // The power goes, or the process is killed; the folder is then as the next life finds it.
  void crash(Survives survives);

  [[nodiscard]] std::uint64_t operations() const { return operations_; }
  [[nodiscard]] std::uint64_t syncs() const { return syncs_; }
  [[nodiscard]] bool has_crashed() const { return crashed_; }
  // As the process sees it; also to damage it.
  std::string& bytes(const std::string& name) { return files_.at(name).seen; }
  [[nodiscard]] std::uint64_t bytes_used() const;
  // Every file as it is now is durable.
  void flush_all();

  Result<std::vector<std::string>> list() override;
  Result<std::uint64_t> size(const std::string& name) override;
  Result<std::string> read(const std::string& name, std::uint64_t offset,
                           std::size_t bytes) override;
  Result<> append(const std::string& name, std::string_view bytes) override;
  Result<> sync(const std::string& name) override;
  Result<> truncate(const std::string& name, std::uint64_t size) override;
  Result<> remove(const std::string& name) override;

 private:
  struct File {
    std::string seen;
    std::string durable;
    bool is_name_durable = false;
    bool is_poisoned = false;  // a flush failed: nothing more of it becomes durable
  };

  // nullopt: go on. An error is this operation's.
  std::optional<Error> begin(bool is_append);
  [[nodiscard]] std::string survivor(const File& file, Survives survives);

  std::map<std::string, File> files_;
  std::map<std::string, File> removed_;  // and this is not durable yet
  std::optional<Plan> plan_;
  std::optional<std::uint64_t> capacity_;
  Rng rng_;
  std::uint64_t operations_ = 0;
  std::uint64_t syncs_ = 0;
  int failing_syncs_ = 0;
  bool crashed_ = false;
  bool is_full_ = false;  // for the append() that is under way
};

}  // namespace firebreak::testing
