// What a start costs with a million series: from a snapshot and what came after it, through the
// ledger that the coordinator uses; how long a snapshot holds the owner thread up; what a series
// takes in memory and on disk. Beside it: reading the snapshot's bytes alone.
#include <malloc.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "bench/contest.h"
#include "bench/measure.h"
#include "bench/synthetic_policy.h"
#include "coordinator/engine/ledger.h"
#include "coordinator/policy/loader.h"
#include "coordinator/store/snapshot_file.h"
#include "coordinator/store/store.h"
#include "tests/support/temp_dir.h"

namespace firebreak::bench {
namespace {

using firebreak::testing::TempDir;
using SteadyClock = std::chrono::steady_clock;

constexpr int kRows = 1000;  // of a batch
constexpr int kBatchesTogether = 16;
constexpr auto kInterval = std::chrono::seconds(10);
constexpr Instant kBegin = instant_from_unix_us(1'795'000'000'000'000);

struct Fleet {
  std::string name;
  int agents = 0;
  int probes = 0;  // of each agent
  bool windowed = false;
};

Result<std::shared_ptr<const policy::Policy>> compile(std::vector<policy::SourceFile> files) {
  auto loaded = policy::load_policy(std::move(files));
  if (!loaded.policy) return make_error(Errc::failed_precondition, loaded.problems);
  return std::move(loaded.policy);
}

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

double seconds_of(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

class Coordinator {
 public:
  Coordinator(const TempDir& folder, const Fleet& fleet)
      : fleet_(fleet),
        ledger_(must(store::open_sqlite(folder / "coordinator.db", compile))),
        recovery_(must(ledger_.recover())),
        now_(std::max(kBegin, recovery_.last + Duration{1})) {
    must(ledger_.begin(now_));
  }

  void attach() {
    add(core::PolicyChanged{
        must(compile({{"policy.yaml", synthetic_policy(fleet_.probes, fleet_.windowed)}})),
        "bench"});
    for (int i = 0; i < fleet_.agents; ++i) {
      core::AgentAttached attached;
      attached.agent = name_of(i);
      attached.incarnation = recovery_.epoch;
      add(std::move(attached));
    }
    commit();
  }
  // One result of every series.
  void round() {
    now_ += kInterval;
    int batches = 0;
    for (int agent = 0; agent < fleet_.agents; ++agent)
      for (int first = 0; first < fleet_.probes; first += kRows) {
        add(batch_of(agent, first));
        if (++batches % kBatchesTogether == 0) commit();
      }
    commit();
    ++rounds_;
  }
  double snapshot() {
    const auto begin = SteadyClock::now();
    ledger_.snapshot(now_, true);
    return seconds_of(begin);
  }
  [[nodiscard]] const engine::Ledger::Recovery& recovery() const { return recovery_; }
  [[nodiscard]] std::size_t series() const {
    std::size_t count = 0;
    for (const auto& [name, agent] : ledger_.state().agents) count += agent.series.size();
    return count;
  }

 private:
  static AgentName name_of(int agent) { return AgentName("edge-" + std::to_string(agent)); }

  core::ResultsReceived batch_of(int agent, int first) const {
    core::ResultsReceived event;
    event.agent = name_of(agent);
    event.incarnation = recovery_.epoch;
    event.first_seq = static_cast<std::uint64_t>(rounds_ * fleet_.probes + first + 1);
    const int last = std::min(first + kRows, fleet_.probes);
    for (int probe = first; probe < last; ++probe) {
      const auto ref = static_cast<std::uint32_t>(probe);
      if (rounds_ == 0)
        event.series.push_back({ref,
                                {ServiceName("s" + std::to_string(probe / 10)),
                                 ProbeName("p" + std::to_string(probe % 10))}});
      core::ResultRow row;
      row.ref = ref;
      row.observed = now_ - kInterval * (probe - first) / kRows;
      row.observation.status = Status::ok;
      row.observation.latency = std::chrono::microseconds(800 + probe);
      event.rows.push_back(std::move(row));
    }
    return event;
  }
  void add(core::Event event) { ledger_.add(std::move(event), now_); }
  void commit() {
    if (!ledger_.is_empty()) must(ledger_.commit());
  }

  const Fleet fleet_;
  engine::Ledger ledger_;
  const engine::Ledger::Recovery recovery_;
  Instant now_;
  int rounds_ = 0;
};

struct Start {
  double seconds = 0;
  std::size_t series = 0;
};

Start start(const TempDir& folder, const Fleet& fleet) {
  const auto begin = SteadyClock::now();
  const Coordinator coordinator(folder, fleet);
  return {seconds_of(begin), coordinator.series()};
}

// The limit: the same bytes from the page cache, checked.
double read_alone(const std::string& path) {
  const auto begin = SteadyClock::now();
  must(store::read_snapshot(path, [](std::string_view) { return Result<>(); }));
  return seconds_of(begin);
}

void measure(const Fleet& fleet) {
  const TempDir folder;
  double held_up = 0, kib = 0;
  ::malloc_trim(0);
  {
    const double before = rss_kib(::getpid());
    Coordinator coordinator(folder, fleet);
    coordinator.attach();
    coordinator.round();
    coordinator.round();
    kib = rss_kib(::getpid()) - before;
    held_up = coordinator.snapshot();
    coordinator.round();
  }
  const Start with_quiet_tail = start(folder, fleet);
  {
    Coordinator coordinator(folder, fleet);
    coordinator.snapshot();
  }
  const auto snapshots = store::list_snapshots(folder.path());
  if (snapshots.empty()) throw std::runtime_error("no snapshot was written");
  const std::string path = folder / store::snapshot_name(snapshots.front());
  const auto size = static_cast<double>(std::filesystem::file_size(path));
  const double limit = read_alone(path);
  const Start from_snapshot = start(folder, fleet);
  {
    Coordinator coordinator(folder, fleet);
    coordinator.attach();
    coordinator.round();
  }
  const Start with_tail = start(folder, fleet);
  const auto series = static_cast<double>(from_snapshot.series);
  std::printf("\n%s: %.0f series\n", fleet.name.c_str(), series);
  std::printf("  a snapshot holds the owner thread up  %7.3f s\n", held_up);
  std::printf("  its file                              %7.1f MiB, %.0f bytes per series\n",
              size / (1 << 20), size / series);
  std::printf("  limit: read and check the file        %7.3f s\n", limit);
  std::printf("  start from the snapshot               %7.3f s\n", from_snapshot.seconds);
  std::printf("  and a healthy result of each after it %7.3f s\n", with_quiet_tail.seconds);
  std::printf("  or all agents anew, and one of each   %7.3f s\n", with_tail.seconds);
  std::printf("  memory                                %7.0f bytes per series\n",
              kib * 1024 / series);
}

}  // namespace
}  // namespace firebreak::bench

int main(int argc, char** argv) {
  using namespace firebreak::bench;
  try {
    const bool smoke = effort_of(argc, argv).smoke;
    const int less = smoke ? 10 : 1;
    measure({"1,000 agents x 1,000 probes, rules on the verdict", 1000 / less, 1000 / less, false});
    measure({"100 agents x 10,000 probes, rules on the verdict", 100 / less, 10000 / less, false});
    measure({"100 agents x 1,000 probes, a p95 over one minute of each", 100 / less, 1000 / less,
             true});
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "recovery_bench: %s\n", error.what());
    return 1;
  }
}
