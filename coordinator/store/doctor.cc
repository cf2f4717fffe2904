// Reads everything once, row by row, and remembers what could not be read.
#include "coordinator/store/doctor.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "coordinator/store/journal_codec.h"
#include "coordinator/store/read_only.h"
#include "coordinator/store/snapshot_codec.h"
#include "coordinator/store/snapshot_file.h"
#include "coordinator/store/sqlite_parts.h"

namespace firebreak::store {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDatabase = "coordinator.db";
constexpr std::size_t kFaultsShownMax = 20;  // of one kind

std::string positions(std::uint64_t first, std::uint64_t last) {
  return first == last ? "position " + std::to_string(first)
                       : "positions " + std::to_string(first) + " to " + std::to_string(last);
}

struct GoodSnapshot {
  std::uint64_t position = 0;
  std::string path;
  bool is_anchored = false;  // the journal has the row that it ends with
};

// Everything that one look found.
class Patient {
 public:
  Patient(std::string folder, std::string database, const PolicyCompiler& compile)
      : folder_(std::move(folder)), database_(std::move(database)), compile_(compile) {}

  void examine() {
    auto opened = ReadOnly::open(database_);
    if (!opened) {
      found(Health::lost, database_, opened.error().message);
    } else {
      look_at_database(opened->get());
    }
    look_at_snapshots();
    judge();
  }
  [[nodiscard]] Examination take() { return std::move(examination_); }
  Result<Salvage> salvage(const std::string& into);

 private:
  struct Start {
    std::uint64_t position = 0;
    std::uint64_t reaches = 0;  // without a gap
    const GoodSnapshot* snapshot = nullptr;
  };
  struct Gap {
    std::uint64_t first = 0, last = 0;
  };

  void found(Health health, const std::string& file, std::string what) {
    examination_.findings.push_back({health, file, std::move(what)});
  }
  void look_at_database(sqlite3* db);
  bool look_at_schema(sqlite3* db);
  void look_at_pages(sqlite3* db);
  void look_at_journal(sqlite3* db);
  void look_at_row(std::uint64_t position, std::uint64_t count, Statement& rows);
  void look_at_documents(sqlite3* db, const char* sql, const std::string& table,
                         const std::function<Result<>(std::string_view)>& decode,
                         std::set<std::string>& lost);
  void look_at_snapshots();
  void judge();
  [[nodiscard]] std::optional<Start> best_start() const;
  [[nodiscard]] std::uint64_t reach_from(std::uint64_t position) const;
  Result<> copy(sqlite3* from, sqlite3* to, const Start* start, Salvage& saved);

  const std::string folder_;
  const std::string database_;
  const PolicyCompiler& compile_;
  Examination examination_;
  bool is_readable_ = false;  // the schema, at least
  std::uint64_t trimmed_ = 0;
  std::uint64_t last_ = 0;                       // the journal's end, as far as it can be read
  std::uint64_t epoch_ = 0;                      // the highest that anything speaks of
  std::map<std::uint64_t, std::uint32_t> ends_;  // good rows: last position -> checksum
  std::vector<Gap> gaps_;                        // in order
  std::vector<GoodSnapshot> snapshots_;          // newest first
  std::set<std::string> lost_incidents_, lost_effects_;
};

void Patient::look_at_database(sqlite3* db) {
  if (!look_at_schema(db)) return;
  is_readable_ = true;
  look_at_pages(db);
  look_at_journal(db);
  look_at_documents(
      db, "SELECT id, crc, doc FROM incidents ORDER BY id", "incident",
      [](std::string_view bytes) -> Result<> {
        const auto incident = decode_incident(bytes);
        if (!incident) return incident.error();
        return {};
      },
      lost_incidents_);
  look_at_documents(
      db, "SELECT id, crc, effect FROM outbox ORDER BY id", "effect of the outbox",
      [](std::string_view bytes) -> Result<> {
        const auto effect = decode_effect(bytes);
        if (!effect) return effect.error();
        return {};
      },
      lost_effects_);
}

bool Patient::look_at_schema(sqlite3* db) {
  const auto application = query_text(db, database_, "PRAGMA application_id");
  const auto version = query_text(db, database_, "PRAGMA user_version");
  if (!application || !version) {
    found(Health::lost, database_, (application ? version.error() : application.error()).message);
    return false;
  }
  if (*application != std::to_string(kApplicationId)) {
    found(Health::lost, database_, "not a store of firebreak");
    return false;
  }
  if (*version != std::to_string(kSchemaVersion)) {
    found(Health::damaged, database_,
          "schema version " + *version + "; this program reads version " +
              std::to_string(kSchemaVersion) + " (a coordinator brings an older one to it)");
    return false;
  }
  const auto trimmed = query_number(db, database_, "SELECT position FROM trimmed");
  const auto epoch = query_number(db, database_, "SELECT epoch FROM lease");
  if (!trimmed || !epoch) {
    found(Health::lost, database_, (trimmed ? epoch.error() : trimmed.error()).message);
    return false;
  }
  trimmed_ = *trimmed;
  epoch_ = *epoch;
  found(Health::sound, database_,
        "schema version " + *version + ", epoch " + std::to_string(*epoch));
  return true;
}

void Patient::look_at_pages(sqlite3* db) {
  Statement rows(db, "PRAGMA integrity_check(20)");
  if (!rows.is_valid()) return found(Health::damaged, database_, sqlite3_errmsg(db));
  int code = rows.step();
  for (; code == SQLITE_ROW; code = rows.step()) {
    const std::string said(rows.blob(0));
    found(said == "ok" ? Health::sound : Health::damaged, database_, "pages: " + said);
  }
  if (code != SQLITE_DONE)
    found(Health::damaged, database_, std::string("pages: ") + sqlite3_errmsg(db));
}

void Patient::look_at_row(std::uint64_t position, std::uint64_t count, Statement& rows) {
  const std::uint64_t end = position + std::max<std::uint64_t>(count, 1) - 1;
  const auto crc = checksum(position, count, rows.integer(2), rows.blob(4));
  std::string fault;
  if (crc != rows.integer(3)) {
    fault = "does not match its checksum";
  } else {
    const auto entries = decode_batch(rows.blob(4), position, compile_);
    if (!entries)
      fault = entries.error().message;
    else if (entries->size() != count)
      fault = "holds " + std::to_string(entries->size()) + " events";
    else
      for (const JournalEntry& entry : *entries)
        if (const auto* started = std::get_if<core::Started>(&entry.event))
          epoch_ = std::max(epoch_, started->epoch);
  }
  if (fault.empty()) {
    ends_.emplace(end, crc);
    return;
  }
  gaps_.push_back({position, end});
  if (gaps_.size() <= kFaultsShownMax)
    found(Health::damaged, database_, "journal, " + positions(position, end) + ": " + fault);
}

void Patient::look_at_journal(sqlite3* db) {
  Statement rows(db, "SELECT position, count, at_us, crc, batch FROM journal ORDER BY position");
  if (!rows.is_valid()) return found(Health::damaged, database_, sqlite3_errmsg(db));
  std::uint64_t next = trimmed_ + 1;
  int code = rows.step();
  for (; code == SQLITE_ROW; code = rows.step()) {
    const auto position = static_cast<std::uint64_t>(rows.integer(0));
    const auto count = static_cast<std::uint64_t>(rows.integer(1));
    if (position > next) {
      gaps_.push_back({next, position - 1});
      found(Health::damaged, database_, "journal, " + positions(next, position - 1) + ": missing");
    }
    look_at_row(position, count, rows);
    next = position + count;
  }
  last_ = next - 1;
  if (code != SQLITE_DONE) {
    gaps_.push_back({next, UINT64_MAX});
    found(Health::damaged, database_,
          "journal, from position " + std::to_string(next) + ": " + sqlite3_errmsg(db));
  }
  found(Health::sound, database_,
        "journal: " + std::to_string(ends_.size()) + " good rows, " +
            (last_ > trimmed_ ? positions(trimmed_ + 1, last_) : std::string("no position")));
}

void Patient::look_at_documents(sqlite3* db, const char* sql, const std::string& table,
                                const std::function<Result<>(std::string_view)>& decode,
                                std::set<std::string>& lost) {
  Statement rows(db, sql);
  std::size_t good = 0;
  int code = rows.is_valid() ? rows.step() : SQLITE_ERROR;
  for (; code == SQLITE_ROW; code = rows.step()) {
    const std::string id(rows.text(0));
    std::string fault;
    if (checksum(rows.blob(2)) != rows.integer(1))
      fault = "does not match its checksum";
    else if (const auto decoded = decode(rows.blob(2)); !decoded)
      fault = decoded.error().message;
    if (fault.empty()) {
      ++good;
      continue;
    }
    lost.insert(id);
    std::string what = table + " ";
    what += id;
    what += ": ";
    what += fault;
    found(Health::lost, database_, std::move(what));
  }
  if (code != SQLITE_DONE) {
    lost.insert("(those that cannot be read)");
    found(Health::lost, database_, table + "s: " + sqlite3_errmsg(db));
  }
  found(Health::sound, database_, table + "s: " + std::to_string(good) + " good");
}

void Patient::look_at_snapshots() {
  for (const std::uint64_t position : list_snapshots(folder_)) {
    const std::string path = folder_ + "/" + snapshot_name(position);
    const auto header = read_snapshot_header(path);
    const auto loaded = load_snapshot(path, compile_);
    if (!header || !loaded || loaded->position != position) {
      found(Health::damaged, path,
            !header   ? header.error().message
            : !loaded ? loaded.error().message
                      : "its name says another position than its header");
      continue;
    }
    const auto end = ends_.find(position);
    const bool is_anchored = (end != ends_.end() && end->second == header->anchor) ||
                             (header->anchor == 0 && trimmed_ == position);
    if (is_readable_ && position > last_) {
      found(Health::lost, path,
            "whole, but ahead of the journal, which ends at position " + std::to_string(last_) +
                ": what was committed is missing");
      snapshots_.push_back({position, path, false});
      continue;
    }
    const bool is_foreign = is_readable_ && end != ends_.end() && !is_anchored;
    if (is_foreign) {
      found(Health::damaged, path, "it belongs to another journal than this one");
      continue;
    }
    epoch_ = std::max(epoch_, header->epoch);
    snapshots_.push_back({position, path, is_anchored});
    found(is_anchored ? Health::sound : Health::damaged, path,
          is_anchored ? "whole, position " + std::to_string(position)
                      : "whole, but the journal does not have the row that it ends with");
  }
}

std::uint64_t Patient::reach_from(std::uint64_t position) const {
  for (const Gap& gap : gaps_)
    if (gap.last > position) return std::max(position, gap.first - 1);
  return std::max(position, last_);
}

std::optional<Patient::Start> Patient::best_start() const {
  std::optional<Start> best;
  const auto offer = [&](const Start& start) {
    if (!best || start.reaches > best->reaches) best = start;
  };
  for (const GoodSnapshot& snapshot : snapshots_)
    offer({snapshot.position, reach_from(snapshot.position), &snapshot});
  if (is_readable_ && trimmed_ == 0) offer({0, reach_from(0), nullptr});
  return best;
}

void Patient::judge() {
  if (!is_readable_) return;
  const auto start = best_start();
  if (!start)
    return found(Health::lost, folder_,
                 "the state cannot be had: no snapshot can be read, and the journal begins after "
                 "position " +
                     std::to_string(trimmed_));
  const bool is_usable = start->snapshot == nullptr || start->snapshot->is_anchored;
  const std::string from = start->snapshot == nullptr
                               ? "the journal's beginning"
                               : "the snapshot at position " + std::to_string(start->position);
  const bool is_whole = start->reaches >= last_ && (gaps_.empty() || gaps_.back().last <= last_);
  if (is_whole && is_usable)
    found(Health::sound, folder_, "a coordinator can start, from " + from);
  else
    found(Health::lost, folder_,
          "a start is refused; from " + from + ", position " + std::to_string(start->reaches) +
              " can be reached: see --salvage");
}

// The rows as they are: what is right stays right.
Result<> Patient::copy(sqlite3* from, sqlite3* to, const Start* start, Salvage& saved) {
  const std::string into = "the new store";
  if (auto begun = execute(to, into, "BEGIN IMMEDIATE", "write"); !begun) return begun;
  const auto rows_of = [&](const char* read, const char* write, int columns,
                           const std::function<bool(Statement&)>& wanted,
                           std::uint64_t& count) -> Result<> {
    Statement source(from, read);
    Statement target(to, write);
    if (!source.is_valid()) return {};
    if (!target.is_valid()) return sqlite_error(to, into, "write");
    while (source.step() == SQLITE_ROW) {
      if (!wanted(source)) continue;
      for (int column = 0; column < columns; ++column) target.bind_value(source.value(column));
      if (!target.run()) return sqlite_error(to, into, "write");
      ++count;
    }
    return {};
  };
  const std::uint64_t first = start == nullptr ? 0 : start->position;
  const std::uint64_t last = start == nullptr ? 0 : start->reaches;
  std::uint64_t journal_rows = 0;
  for (const auto& done :
       {rows_of(
            "SELECT position, count, at_us, crc, batch FROM journal ORDER BY position",
            "INSERT INTO journal VALUES(?, ?, ?, ?, ?)", 5,
            [&](Statement& row) {
              const auto position = static_cast<std::uint64_t>(row.integer(0));
              return position > first && position <= last;
            },
            journal_rows),
        rows_of(
            "SELECT id, opened_us, resolved_us, crc, doc FROM incidents",
            "INSERT INTO incidents VALUES(?, ?, ?, ?, ?)", 5,
            [&](Statement& row) { return !lost_incidents_.contains(std::string(row.text(0))); },
            saved.incidents),
        rows_of(
            "SELECT id, kind, key, crc, effect FROM outbox ORDER BY id",
            "INSERT INTO outbox VALUES(?, ?, ?, ?, ?)", 5,
            [&](Statement& row) { return !lost_effects_.contains(std::string(row.text(0))); },
            saved.effects)})
    if (!done) return done;
  const std::string rest = "UPDATE lease SET epoch = " + std::to_string(epoch_) +
                           "; UPDATE trimmed SET position = " + std::to_string(first) + "; COMMIT";
  return execute(to, into, rest.c_str(), "write");
}

Result<Salvage> Patient::salvage(const std::string& into) {
  if (!is_readable_)
    return make_error(Errc::corrupt, database_ + ": nothing in it can be read; restore a backup");
  std::error_code failed;
  if (fs::exists(into, failed) && !fs::is_empty(into, failed))
    return make_error(Errc::already_exists, into + " is not empty; name a new folder");
  fs::create_directories(into, failed);
  if (failed) return make_error(Errc::permission_denied, into + ": " + failed.message());
  fs::permissions(into, fs::perms::owner_all, failed);
  Salvage saved;
  const auto start = best_start();
  if (start) {
    saved.last = start->reaches;
    saved.snapshot = start->snapshot == nullptr ? 0 : start->position;
  }
  auto source = ReadOnly::open(database_);
  if (!source) return source.error();
  const std::string path = into + "/" + kDatabase;
  auto target = open_database(path, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  if (!target) return target.error();
  if (const auto made = check_or_create_schema(target->get(), path); !made) return made.error();
  if (const auto copied = copy(source->get(), target->get(), start ? &*start : nullptr, saved);
      !copied)
    return copied.error();
  if (start && start->snapshot != nullptr) {
    std::vector<std::string> records;
    auto header = read_snapshot(start->snapshot->path, [&](std::string_view record) {
      records.emplace_back(record);
      return Result<>();
    });
    if (!header) return header.error();
    header->anchor = 0;
    if (const auto written = write_snapshot(into, *header, records); !written)
      return written.error();
  }
  if (!start)
    saved.lost.push_back("the whole state: no snapshot can be read");
  else if (last_ > start->reaches)
    saved.lost.push_back("of the journal, " + positions(start->reaches + 1, last_));
  else if (!gaps_.empty() && gaps_.back().last > last_)
    saved.lost.push_back("of the journal, what follows position " + std::to_string(last_));
  for (const std::string& id : lost_incidents_) saved.lost.push_back("incident " + id);
  for (const std::string& id : lost_effects_) saved.lost.push_back("effect " + id);
  return saved;
}

Examination examine_snapshot(const std::string& path, const PolicyCompiler& compile) {
  const auto loaded = load_snapshot(path, compile);
  Finding finding{Health::sound, path, ""};
  if (loaded)
    finding.what = "whole, position " + std::to_string(loaded->position);
  else
    finding = {Health::damaged, path, loaded.error().message};
  return {{std::move(finding)}};
}

struct Place {
  std::string folder, database;
};
Place place_of(const std::string& path) {
  std::error_code failed;
  if (fs::is_directory(path, failed)) return {path, path + "/" + kDatabase};
  const std::string folder = fs::path(path).parent_path().string();
  return {folder.empty() ? "." : folder, path};
}

}  // namespace

Examination examine(const std::string& path, const PolicyCompiler& compile) {
  std::error_code failed;
  if (!fs::exists(path, failed))
    return {{{Health::lost, path, failed ? failed.message() : "there is no such file"}}};
  if (fs::path(path).filename().string().starts_with("snapshot-"))
    return examine_snapshot(path, compile);
  const Place place = place_of(path);
  Patient patient(place.folder, place.database, compile);
  patient.examine();
  return patient.take();
}

Result<Salvage> salvage(const std::string& path, const std::string& into,
                        const PolicyCompiler& compile) {
  const Place place = place_of(path);
  Patient patient(place.folder, place.database, compile);
  patient.examine();
  return patient.salvage(into);
}

}  // namespace firebreak::store
