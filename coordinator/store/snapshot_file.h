// One snapshot as a file: header, records, trailer; docs/journal-format.md has every byte.
//
// A file has its final name only when it is whole and on stable storage. Reading trusts nothing: a
// file that is cut, changed, or made of parts of others is refused.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "coordinator/store/store.h"

namespace firebreak::store {

struct SnapshotHeader {
  std::uint64_t position = 0;  // of the last journal entry that is in it
  std::uint64_t epoch = 0;     // of who wrote it
  Instant at{};                // of that entry
  std::uint32_t anchor = 0;  // checksum of the journal's row that ends there: it is this journal's
  std::string directory_digest;  // Snapshot::directory_digest
};

// "snapshot-" and the position in twenty digits, so that names sort as positions do.
[[nodiscard]] std::string snapshot_name(std::uint64_t position);
// The positions of the files of that name in the folder, newest first. Empty, too, when the folder
// cannot be read.
[[nodiscard]] std::vector<std::uint64_t> list_snapshots(const std::string& folder);

// Snapshots that no start needs any more, kept so that the past can be played again
// (recording.h): "past-" and the position. One for each day of the recording, two in all: what was
// a day ago can then be reached by playing two days at most.
inline constexpr std::size_t kPastSnapshotsMax = 2;  // each is as large as the state
inline constexpr auto kPastSnapshotEvery = std::chrono::hours(24);
[[nodiscard]] std::string past_snapshot_name(std::uint64_t position);
// As list_snapshots().
[[nodiscard]] std::vector<std::uint64_t> list_past_snapshots(const std::string& folder);

// Writes and syncs under another name, renames, syncs the folder. Leaves nothing behind when it
// fails.
Result<> write_snapshot(const std::string& folder, const SnapshotHeader& header,
                        const std::vector<std::string>& records);
// The header alone.
Result<SnapshotHeader> read_snapshot_header(const std::string& path);
// Header, then every record to `visit`, which may stop it; then the trailer.
Result<SnapshotHeader> read_snapshot(const std::string& path,
                                     const std::function<Result<>(std::string_view)>& visit);
// All of it, decoded.
Result<Snapshot> load_snapshot(const std::string& path, const PolicyCompiler& compile);

}  // namespace firebreak::store
