// One slot: the next snapshot is only taken when the one before is on the disk.
#include "coordinator/store/snapshot_writer.h"

#include <unistd.h>

#include <cstdio>

#include "common/assert.h"

namespace firebreak::store {

SnapshotWriter::SnapshotWriter(std::string folder, std::function<void(const Error&)> failed)
    : folder_(std::move(folder)), failed_(std::move(failed)) {
  keep_newest();
  thread_ = std::thread([this] { run(); });
}

SnapshotWriter::~SnapshotWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

bool SnapshotWriter::is_busy() const {
  const std::lock_guard lock(mutex_);
  return is_busy_;
}

std::optional<std::uint64_t> SnapshotWriter::older() const {
  const std::lock_guard lock(mutex_);
  return older_;
}

void SnapshotWriter::write(SnapshotHeader header, std::vector<std::string> records) {
  {
    const std::lock_guard lock(mutex_);
    FB_ASSERT(!is_busy_);
    is_busy_ = true;
    job_ = Job{std::move(header), std::move(records)};
  }
  wake_.notify_one();
}

void SnapshotWriter::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || job_; });
    if (!job_) return;
    const Job job = *std::exchange(job_, std::nullopt);
    lock.unlock();
    const auto written = write_snapshot(folder_, job.header, job.records);
    if (written)
      keep_newest();
    else
      failed_(written.error());
    lock.lock();
    is_busy_ = false;
  }
}

void SnapshotWriter::keep_newest() {
  const auto positions = list_snapshots(folder_);
  for (std::size_t i = 2; i < positions.size(); ++i) retire(positions[i]);
  const std::lock_guard lock(mutex_);
  older_ = positions.size() < 2 ? std::nullopt : std::optional(positions[1]);
}

// Nothing depends on what is kept here: what cannot be read or renamed goes.
void SnapshotWriter::retire(std::uint64_t position) const {
  const std::string path = folder_ + "/" + snapshot_name(position);
  const auto past = list_past_snapshots(folder_);
  const auto mine = read_snapshot_header(path);
  bool wanted = mine.has_value();
  if (wanted && !past.empty()) {
    const auto newest = read_snapshot_header(folder_ + "/" + past_snapshot_name(past.front()));
    wanted = !newest || mine->at - newest->at >= kPastSnapshotEvery;
  }
  if (!wanted ||
      ::rename(path.c_str(), (folder_ + "/" + past_snapshot_name(position)).c_str()) != 0) {
    ::unlink(path.c_str());
    return;
  }
  for (std::size_t i = kPastSnapshotsMax - 1; i < past.size(); ++i)
    ::unlink((folder_ + "/" + past_snapshot_name(past[i])).c_str());
}

}  // namespace firebreak::store
