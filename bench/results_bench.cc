// What a result costs the coordinator from the bytes of its batch to the disk, part by part, beside
// SQLite alone with the same bytes.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <firebreak/v1/agent.pb.h>
#include <sqlite3.h>

#include "bench/contest.h"
#include "bench/measure.h"
#include "bench/synthetic_policy.h"
#include "coordinator/core/step.h"
#include "coordinator/policy/loader.h"
#include "coordinator/store/journal_codec.h"
#include "coordinator/store/store.h"
#include "proto/wire.h"
#include "tests/support/temp_dir.h"

namespace firebreak::bench {
namespace {

using firebreak::testing::TempDir;

constexpr int kAgents = 64;
constexpr int kRows = 1000;
constexpr auto kInterval = std::chrono::seconds(10);
constexpr Instant kBegin = instant_from_unix_us(1'795'000'000'000'000);

// `probes` per agent over services of ten probes. `windowed`: a rule reads a window of each probe.
struct Fleet {
  int probes = 1000;
  bool windowed = false;
};

v1::ResultBatch first_batch(const Fleet& fleet) {
  wire::Batch batch;
  for (int i = 0; i < fleet.probes; ++i) {
    const auto ref = static_cast<std::uint32_t>(i);
    const ProbeKey key{ServiceName("s" + std::to_string(i / 10)),
                       ProbeName("p" + std::to_string(i % 10))};
    batch.series.push_back({ref, key});
  }
  batch.sent = std::chrono::hours(1);
  for (int row = 0; row < kRows; ++row) {
    wire::BatchedResult result;
    result.ref = static_cast<std::uint32_t>(row % fleet.probes);
    // Spread over the last interval, as a schedule spreads them.
    result.started = batch.sent - kInterval + kInterval * row / kRows;
    result.observation.status = Status::ok;
    result.observation.latency = std::chrono::microseconds(800 + row);
    batch.results.push_back(std::move(result));
  }
  return wire::to_proto(batch);
}

// Where the time goes, nanoseconds of CPU.
struct Parts {
  Nanoseconds parse{}, convert{}, decide{}, commit{};
};

class Meter {
 public:
  void take(Nanoseconds& into) {
    const Nanoseconds now = own_cpu();
    into += now - last_;
    last_ = now;
  }

 private:
  Nanoseconds last_ = own_cpu();
};

Result<std::shared_ptr<const policy::Policy>> no_policies(const std::vector<policy::SourceFile>&) {
  return make_error(Errc::internal, "nothing is read back here");
}

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}
void must(const Result<>& result) {
  if (!result) throw std::runtime_error(result.error().message);
}

// A coordinator without a network: batches as bytes in, journal rows out.
class Coordinator {
 public:
  explicit Coordinator(const Fleet& fleet)
      : store_(must(store::open_sqlite(folder_ / "coordinator.db", no_policies))),
        epoch_(must(store_->take_leadership())) {
    auto loaded =
        policy::load_policy({{"policy.yaml", synthetic_policy(fleet.probes, fleet.windowed)}});
    if (!loaded.policy) throw std::runtime_error(loaded.problems);
    core::step(state_, core::PolicyChanged{loaded.policy, "bench"}, now_);
    v1::ResultBatch batch = first_batch(fleet);
    for (int i = 0; i < kAgents; ++i) {
      core::AgentAttached attached;
      attached.agent = name_of(i);
      attached.incarnation = 1;
      core::step(state_, attached, now_);
      tables_.emplace_back();
    }
    first_ = batch.SerializeAsString();
    batch.clear_series();
    later_ = batch;
    // Twice: the series are there, and each has its verdict.
    round(1, false);
    first_decisions_ = parts_.decide;
    round(1, false);
    parts_ = {};
  }

  // One batch of each agent; `together` of them share a transaction. Nothing is stored unless
  // `durable`.
  void round(int together, bool durable = true) {
    now_ += kInterval;
    std::vector<std::string> batches;
    later_.set_first_seq(seq_);
    later_.SerializeToString(&bytes_);
    const std::string& bytes = seq_ == 1 ? first_ : bytes_;
    seq_ += kRows;
    for (int agent = 0; agent < kAgents; ++agent) {
      take(agent, bytes);
      if (!durable) pending_ = {};
      if ((agent + 1) % together == 0 && durable) commit();
    }
    if (state_.counters.late + state_.counters.duplicates + state_.counters.unknown_probe > 0)
      throw std::runtime_error("results were late, doubled or unknown: this measures nothing");
  }

  [[nodiscard]] const Parts& parts() const { return parts_; }
  // What step() took for the first batch of each agent, when every verdict is news.
  [[nodiscard]] Nanoseconds first_decisions() const { return first_decisions_; }
  // What the store is given for a batch.
  [[nodiscard]] std::string journal_row() {
    take(0, bytes_);
    state_.counters = {};  // these results came before
    return store::encode_batch(std::exchange(pending_, {}).journal);
  }

 private:
  static AgentName name_of(int agent) { return AgentName("edge-" + std::to_string(agent)); }

  void take(int agent, const std::string& bytes) {
    Meter meter;
    message_.ParseFromString(bytes);
    meter.take(parts_.parse);
    auto batch = must(wire::from_proto(message_));
    must(tables_[static_cast<std::size_t>(agent)].apply(batch));
    core::ResultsReceived event;
    event.agent = name_of(agent);
    event.incarnation = 1;
    event.first_seq = batch.first_seq;
    for (wire::SeriesDefinition& series : batch.series)
      event.series.push_back({series.ref, std::move(series.key)});
    event.rows.reserve(batch.results.size());
    for (wire::BatchedResult& result : batch.results)
      event.rows.push_back({result.ref, now_ - (batch.sent - result.started), result.confirmed,
                            std::move(result.observation)});
    pending_.journal.push_back({++position_, now_, std::move(event)});
    meter.take(parts_.convert);
    core::step(state_, pending_.journal.back().event, now_);
    meter.take(parts_.decide);
  }

  void commit() {
    Meter meter;
    pending_.epoch = epoch_;
    // Positions follow what was stored; rounds without a store took some.
    for (auto& entry : pending_.journal) entry.position = ++stored_;
    must(store_->commit(pending_));
    pending_ = {};
    meter.take(parts_.commit);
  }

  TempDir folder_;
  std::unique_ptr<store::Store> store_;
  std::uint64_t epoch_;
  core::State state_;
  Instant now_ = kBegin;
  std::vector<wire::SeriesTable> tables_;
  std::string first_;
  v1::ResultBatch later_;
  std::string bytes_;
  v1::ResultBatch message_;
  std::uint64_t seq_ = 1;
  std::uint64_t position_ = 0;
  std::uint64_t stored_ = 0;
  store::Transaction pending_;
  Parts parts_;
  Nanoseconds first_decisions_{};
};

// The limit: the same rows into a table of one SQLite file, nothing else.
class BareSqlite {
 public:
  explicit BareSqlite(std::string row) : row_(std::move(row)) {
    check(sqlite3_open((folder_ / "bare.db").c_str(), &db_));
    execute("PRAGMA journal_mode=WAL");
    execute("PRAGMA synchronous=FULL");
    execute("CREATE TABLE journal(position INTEGER PRIMARY KEY, batch BLOB NOT NULL) STRICT");
    check(sqlite3_prepare_v2(db_, "INSERT INTO journal(batch) VALUES(?)", -1, &insert_, nullptr));
  }
  ~BareSqlite() {
    sqlite3_finalize(insert_);
    sqlite3_close(db_);
  }
  BareSqlite(const BareSqlite&) = delete;
  BareSqlite& operator=(const BareSqlite&) = delete;

  void round(int together) {
    for (int i = 0; i < kAgents; i += together) {
      execute("BEGIN IMMEDIATE");
      for (int k = 0; k < together; ++k) {
        sqlite3_bind_blob64(insert_, 1, row_.data(), row_.size(), SQLITE_STATIC);
        sqlite3_step(insert_);
        check(sqlite3_reset(insert_));
      }
      execute("COMMIT");
    }
  }

 private:
  void execute(const char* sql) { check(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr)); }
  void check(int code) const {
    if (code != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(db_));
  }

  TempDir folder_;
  std::string row_;
  sqlite3* db_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
};

constexpr int kRowsOfRound = kAgents * kRows;

double ns_each(Nanoseconds cpu, int rounds) {
  return static_cast<double>(cpu.count()) / (static_cast<double>(kRowsOfRound) * rounds);
}

template <class Work>
double cost_of(int rounds, const Work& work) {
  const Nanoseconds before = own_cpu();
  for (int i = 0; i < rounds; ++i) work();
  return ns_each(own_cpu() - before, rounds);
}

void to_the_disk(const Effort& effort) {
  Coordinator one({});
  Coordinator many({});
  const std::string row = one.journal_row();
  std::printf("\nA batch of %d results is %zu bytes in the journal.\n", kRows, row.size());
  std::printf("The first batch of each of %d agents, all news: %.1f us in step() per result.\n",
              kAgents,
              static_cast<double>(one.first_decisions().count()) / 1e3 / (kAgents * kRows));
  BareSqlite bare_one(row);
  BareSqlite bare_many(row);
  const int rounds = effort.count(4);
  compete(
      "Results from bytes to disk: 64 agents x 1,000 probes, batches of 1,000",
      "ns of CPU per result",
      {{"firebreak, a commit per batch", [&] { return cost_of(rounds, [&] { one.round(1); }); }},
       {"limit: SQLite alone, a commit per batch",
        [&] { return cost_of(rounds, [&] { bare_one.round(1); }); }},
       {"firebreak, a commit per 16 batches",
        [&] { return cost_of(rounds, [&] { many.round(16); }); }},
       {"limit: SQLite alone, a commit per 16 batches",
        [&] { return cost_of(rounds, [&] { bare_many.round(16); }); }}},
      effort.rounds);
}

// One round of a fleet and where its time went.
class Breakdown {
 public:
  explicit Breakdown(const Fleet& fleet) : coordinator_(fleet) {}

  double part(Nanoseconds Parts::*which, bool runs, int rounds) {
    if (runs) {
      const Parts before = coordinator_.parts();
      for (int i = 0; i < rounds; ++i) coordinator_.round(16);
      const Parts after = coordinator_.parts();
      last_ = {after.parse - before.parse, after.convert - before.convert,
               after.decide - before.decide, after.commit - before.commit};
    }
    return ns_each(last_.*which, rounds);
  }

 private:
  Coordinator coordinator_;
  Parts last_;
};

void where_it_goes(const std::string& title, const Fleet& fleet, const Effort& effort) {
  Breakdown breakdown(fleet);
  const int rounds = effort.count(4);
  compete(title, "ns of CPU per result",
          {{"step(): decide", [&] { return breakdown.part(&Parts::decide, true, rounds); }},
           {"parse the message", [&] { return breakdown.part(&Parts::parse, false, rounds); }},
           {"check and convert it", [&] { return breakdown.part(&Parts::convert, false, rounds); }},
           {"encode and commit, 16 batches at once",
            [&] { return breakdown.part(&Parts::commit, false, rounds); }}},
          effort.rounds);
}

}  // namespace
}  // namespace firebreak::bench

int main(int argc, char** argv) {
  using namespace firebreak::bench;
  try {
    const Effort effort = effort_of(argc, argv);
    to_the_disk(effort);
    where_it_goes("Parts: 64 agents x 1,000 healthy probes, rules on the verdict", {1000, false},
                  effort);
    where_it_goes("Parts: 64 agents x 100 healthy probes, ten runs of each per batch", {100, false},
                  effort);
    where_it_goes("Parts: 64 agents x 100 healthy probes, a p95 over one minute of each",
                  {100, true}, effort);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "results_bench: %s\n", error.what());
    return 1;
  }
}
