// Writes snapshots on a thread of its own, so that the owner thread only encodes.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "coordinator/store/snapshot_file.h"

namespace firebreak::store {

// Keeps the newest two in the folder. Used by one thread.
class SnapshotWriter {
 public:
  // `failed` is told on the writer's thread why a snapshot could not be written; the one before
  // stays.
  SnapshotWriter(std::string folder, std::function<void(const Error&)> failed);
  ~SnapshotWriter();  // writes what was accepted
  SnapshotWriter(const SnapshotWriter&) = delete;
  SnapshotWriter& operator=(const SnapshotWriter&) = delete;

  [[nodiscard]] bool is_busy() const;
  // Only while it is not busy.
  void write(SnapshotHeader header, std::vector<std::string> records);
  // Of the two that are kept, the older one's position: the journal from there on is needed. Empty
  // until there are two.
  [[nodiscard]] std::optional<std::uint64_t> older() const;
  // Looks at the folder again and removes what is more than two, but for what is kept of the past.
  void keep_newest();

 private:
  struct Job {
    SnapshotHeader header;
    std::vector<std::string> records;
  };
  void run();
  void retire(std::uint64_t position) const;

  const std::string folder_;
  const std::function<void(const Error&)> failed_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::optional<Job> job_;
  bool is_busy_ = false;
  bool stopping_ = false;
  std::optional<std::uint64_t> older_;
  std::thread thread_;
};

}  // namespace firebreak::store
