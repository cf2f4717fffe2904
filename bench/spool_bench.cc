// What it costs to keep a result on disk until it is acknowledged: our log beside SQLite.
//
// Each contestant writes, reads back in batches of 1,000 and acknowledges the same results in a
// process of its own, below $FIREBREAK_BENCH_DIR or /var/tmp: a flush is one commit, made durable.
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "agent/spool/log.h"
#include "agent/spool/posix_files.h"
#include "bench/measure.h"

namespace firebreak::bench {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t kProbes = 100;

spool::Entry a_result(std::uint64_t seq) {
  static const auto keys = [] {
    std::vector<std::shared_ptr<const ProbeKey>> all;
    for (std::uint64_t i = 0; i < kProbes; ++i)
      all.push_back(std::make_shared<const ProbeKey>(
          ProbeKey{ServiceName("emergency-api"), ProbeName("probe-" + std::to_string(i))}));
    return all;
  }();
  spool::Entry entry;
  entry.seq = seq;
  entry.ref = static_cast<std::uint32_t>(seq % kProbes);
  entry.key = keys[entry.ref];
  entry.started = std::chrono::milliseconds(50 * seq);
  entry.observation.status = Status::ok;
  entry.observation.latency = Duration{1800 + static_cast<std::int64_t>(seq % 900)};
  entry.observation.values = {{"status", 200}};
  return entry;
}

class Store {
 public:
  virtual ~Store() = default;
  virtual void write(const std::vector<spool::Entry>& entries) = 0;
  virtual std::size_t read(std::uint64_t from, std::size_t count) = 0;
  virtual void ack(std::uint64_t seq) = 0;
};

void require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

class OurLog final : public Store {
 public:
  explicit OurLog(const std::string& folder)
      : files_(*spool::PosixFiles::open(folder)),
        log_(*spool::Log::open(files_, {limits::kSpoolBytesMax, limits::kSpoolAgeMax}, {}, 1)) {}
  void write(const std::vector<spool::Entry>& entries) override {
    require(static_cast<bool>(log_.append(entries, {})), "cannot write");
  }
  std::size_t read(std::uint64_t from, std::size_t count) override {
    return log_.read(from, count)->entries.size();
  }
  void ack(std::uint64_t seq) override { log_.ack(seq); }

 private:
  spool::PosixFiles files_;
  spool::Log log_;
};

class Sqlite final : public Store {
 public:
  explicit Sqlite(const std::string& folder) {
    fs::create_directories(folder);
    require(sqlite3_open((folder + "/spool.db").c_str(), &db_) == SQLITE_OK, "cannot open");
    run("PRAGMA journal_mode=WAL");
    run("PRAGMA synchronous=FULL");
    run("CREATE TABLE results (seq INTEGER PRIMARY KEY, lane INTEGER, record BLOB)");
    insert_ = prepare("INSERT INTO results VALUES (?, ?, ?)");
    select_ = prepare("SELECT seq, record FROM results WHERE seq >= ? ORDER BY seq LIMIT ?");
    remove_ = prepare("DELETE FROM results WHERE seq <= ?");
  }
  ~Sqlite() override {
    for (sqlite3_stmt* statement : {insert_, select_, remove_}) sqlite3_finalize(statement);
    sqlite3_close(db_);
  }
  Sqlite(const Sqlite&) = delete;
  Sqlite& operator=(const Sqlite&) = delete;

  void write(const std::vector<spool::Entry>& entries) override {
    run("BEGIN");
    for (const spool::Entry& entry : entries) {
      std::string record;
      encoder_.add(entry, record);
      sqlite3_bind_int64(insert_, 1, static_cast<sqlite3_int64>(entry.seq));
      sqlite3_bind_int(insert_, 2, static_cast<int>(entry.lane));
      sqlite3_bind_blob(insert_, 3, record.data(), static_cast<int>(record.size()),
                        SQLITE_TRANSIENT);
      require(sqlite3_step(insert_) == SQLITE_DONE, "cannot insert");
      sqlite3_reset(insert_);
    }
    run("COMMIT");
  }
  std::size_t read(std::uint64_t from, std::size_t count) override {
    sqlite3_bind_int64(select_, 1, static_cast<sqlite3_int64>(from));
    sqlite3_bind_int64(select_, 2, static_cast<sqlite3_int64>(count));
    std::size_t found = 0;
    while (sqlite3_step(select_) == SQLITE_ROW) {
      const std::string_view record(static_cast<const char*>(sqlite3_column_blob(select_, 1)),
                                    static_cast<std::size_t>(sqlite3_column_bytes(select_, 1)));
      if (decoder_.decode(record)) ++found;
    }
    sqlite3_reset(select_);
    return found;
  }
  void ack(std::uint64_t seq) override {
    sqlite3_bind_int64(remove_, 1, static_cast<sqlite3_int64>(seq));
    require(sqlite3_step(remove_) == SQLITE_DONE, "cannot delete");
    sqlite3_reset(remove_);
  }

 private:
  void run(const char* statement) {
    require(sqlite3_exec(db_, statement, nullptr, nullptr, nullptr) == SQLITE_OK, statement);
  }
  sqlite3_stmt* prepare(const char* text) {
    sqlite3_stmt* statement = nullptr;
    require(sqlite3_prepare_v2(db_, text, -1, &statement, nullptr) == SQLITE_OK, text);
    return statement;
  }
  sqlite3* db_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
  sqlite3_stmt* select_ = nullptr;
  sqlite3_stmt* remove_ = nullptr;
  spool::SegmentEncoder encoder_{spool::Header{}};
  spool::SegmentDecoder decoder_{spool::Header{}};
};

double bytes_in(const std::string& folder) {
  double bytes = 0;
  for (const auto& file : fs::directory_iterator(folder))
    bytes += static_cast<double>(file.file_size());
  return bytes;
}

double seconds_of(Nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

// One contestant, one process. Prints one line of the table.
void compete(const std::string& who, std::uint64_t flush, std::uint64_t results) {
  const char* given = std::getenv("FIREBREAK_BENCH_DIR");
  const std::string folder = std::string(given != nullptr ? given : "/var/tmp") +
                             "/firebreak-spool-bench-" + std::to_string(::getpid());
  fs::create_directories(folder);
  std::unique_ptr<Store> store;
  if (who == "log") store = std::make_unique<OurLog>(folder);
  if (who == "sqlite") store = std::make_unique<Sqlite>(folder);
  require(store != nullptr, "the contestants are log and sqlite");
  const double rss_before = rss_kib(::getpid());
  const Nanoseconds begin = own_cpu();
  const auto wall_begin = std::chrono::steady_clock::now();
  for (std::uint64_t seq = 1; seq <= results;) {
    std::vector<spool::Entry> entries;
    for (std::uint64_t i = 0; i < flush; ++i) entries.push_back(a_result(seq++));
    store->write(entries);
  }
  const Nanoseconds written = own_cpu();
  const auto wall_written = std::chrono::steady_clock::now();
  const double bytes = bytes_in(folder);
  for (std::uint64_t from = 1; from <= results; from += 1000) {
    require(store->read(from, 1000) == 1000, "results are missing");
    store->ack(from + 999);
  }
  const Nanoseconds drained = own_cpu();
  const double rss = rss_kib(::getpid()) - rss_before;
  const auto count = static_cast<double>(results);
  const double flushes = count / static_cast<double>(flush);
  std::printf("%-7s %6llu %10.0f %9.1f %9.0f %10.0f %8.1f %8.0f\n", who.c_str(),
              static_cast<unsigned long long>(flush), count / seconds_of(written - begin),
              1e6 * seconds_of(written - begin) / flushes,
              1e6 * std::chrono::duration<double>(wall_written - wall_begin).count() / flushes,
              count / seconds_of(drained - written), bytes / count, rss);
  store.reset();
  fs::remove_all(folder);
}

int contest(const std::string& self, std::uint64_t results) {
  std::printf(
      "contestant flush  writes/cpu-s  us cpu/flush  us wall/flush  drains/cpu-s  bytes  KiB\n");
  std::fflush(stdout);
  for (const std::uint64_t flush : {20U, 1000U})
    for (int round = 0; round < 3; ++round)
      for (const char* who : {"log", "sqlite"})
        std::fputs(run({self, who, std::to_string(flush),
                        std::to_string(flush == 20 ? results / 10 : results)})
                       .output.c_str(),
                   stdout);
  return 0;
}

}  // namespace
}  // namespace firebreak::bench

int main(int argc, char** argv) {
  try {
    if (argc == 4) {
      firebreak::bench::compete(argv[1], std::stoull(argv[2]), std::stoull(argv[3]));
      return 0;
    }
    const bool is_smoke = argc == 2 && std::string(argv[1]) == "smoke";
    return firebreak::bench::contest(argv[0], is_smoke ? 10'000 : 1'000'000);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "spool_bench: %s\n", error.what());
    return 1;
  }
}
