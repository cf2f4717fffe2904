// Snapshots and journal of one folder, read in portions.
#include "coordinator/store/recording.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "coordinator/store/journal_rows.h"
#include "coordinator/store/read_only.h"
#include "coordinator/store/snapshot_file.h"

namespace firebreak::store {
namespace {

constexpr const char* kDatabaseName = "coordinator.db";
// In one look at the database: a longer one would keep a running coordinator's log from being
// emptied.
constexpr std::int64_t kRowsAtOnce = 500;

}  // namespace

class Recording::Files {
 public:
  Files(std::string folder, std::string database, PolicyCompiler compile, ReadOnly db)
      : folder_(std::move(folder)),
        database_(std::move(database)),
        compile_(std::move(compile)),
        db_(std::move(db)) {}

  Result<Snapshot> start_before(Instant at) {
    const auto trimmed = query_number(db_.get(), database_, "SELECT position FROM trimmed");
    if (!trimmed) return trimmed.error();
    std::optional<Instant> earliest;
    for (const std::string& path : snapshots()) {
      const auto header = read_snapshot_header(path);
      // One of the past may be gone by now, or lead to where the journal is no more.
      if (!header || header->position < *trimmed) continue;
      earliest = header->at;
      if (header->at <= at) return load_snapshot(path, compile_);
    }
    if (*trimmed == 0) {
      // On the heap: of one on the stack g++ 12 says wrongly that it may be uninitialized.
      const auto nothing = std::make_unique<Snapshot>();
      return std::move(*nothing);
    }
    return make_error(Errc::failed_precondition,
                      folder_ + ": the past is kept whole only " +
                          (earliest ? "from " + format_utc(*earliest) + " UTC on" : "from now on") +
                          "; ask for a later time");
  }

  Result<> replay(std::uint64_t after, const std::function<Result<bool>(JournalEntry)>& visit) {
    bool enough = false;
    const auto watch = [&](JournalEntry entry) {
      auto more = visit(std::move(entry));
      enough = more && !*more;
      return more;
    };
    for (;;) {
      const auto read = replay_rows(db_.get(), database_, compile_, after, kRowsAtOnce, watch);
      if (!read) return read.error();
      if (enough || *read == after) return {};
      after = *read;
    }
  }

 private:
  // The newest first.
  [[nodiscard]] std::vector<std::string> snapshots() const {
    std::vector<std::string> paths;
    for (const std::uint64_t position : list_snapshots(folder_))
      paths.push_back(folder_ + "/" + snapshot_name(position));
    for (const std::uint64_t position : list_past_snapshots(folder_))
      paths.push_back(folder_ + "/" + past_snapshot_name(position));
    return paths;
  }

  const std::string folder_;
  const std::string database_;
  const PolicyCompiler compile_;
  ReadOnly db_;
};

Recording::Recording(std::unique_ptr<Files> files) : files_(std::move(files)) {}
Recording::Recording(Recording&&) noexcept = default;
Recording::~Recording() = default;

Result<Recording> Recording::open(const std::string& path, PolicyCompiler compile) {
  namespace fs = std::filesystem;
  std::error_code failed;
  std::string folder = path, database = path;
  if (fs::is_directory(path, failed)) {
    database = path + "/" + kDatabaseName;
  } else {
    folder = fs::path(path).parent_path().string();
    if (folder.empty()) folder = ".";
  }
  if (!fs::exists(database, failed))
    return make_error(Errc::not_found, database + ": there is no such file");
  auto db = ReadOnly::open(database);
  if (!db) return db.error();
  const auto application = query_text(db->get(), database, "PRAGMA application_id");
  const auto version = query_text(db->get(), database, "PRAGMA user_version");
  if (!application || !version) return (application ? version : application).error();
  if (*application != std::to_string(kApplicationId) || *version != std::to_string(kSchemaVersion))
    return make_error(Errc::failed_precondition,
                      database + ": not a store of this version; see `firebreak doctor`");
  return Recording(std::make_unique<Files>(std::move(folder), std::move(database),
                                           std::move(compile), std::move(*db)));
}

Result<Snapshot> Recording::start_before(Instant at) {
  return files_->start_before(at);
}

Result<> Recording::replay(std::uint64_t after,
                           const std::function<Result<bool>(JournalEntry)>& visit) {
  return files_->replay(after, visit);
}

}  // namespace firebreak::store
