// Runs seeds, several processes at a time; the exit code is 0 only when every promise was kept.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <google/protobuf/stubs/logging.h>

#include "common/broken.h"
#include "tests/sim/simulation.h"

namespace {

using firebreak::Duration;
using firebreak::sim::Options;
using firebreak::sim::Tally;
using firebreak::sim::Verdict;

struct Arguments {
  std::uint64_t seeds = 200;
  std::uint64_t first = 1;
  std::uint64_t jobs = 1;
  Options options;
  bool compares = true;
  bool is_quiet = false;
};

[[noreturn]] void usage() {
  std::fputs(
      "usage: simulator [--seeds N] [--first SEED] [--seed SEED] [--minutes M] [--jobs J]\n"
      "                 [--calm] [--no-twin] [--trace] [--quiet]\n",
      stderr);
  std::exit(2);
}

std::uint64_t number(const char* text) {
  char* end = nullptr;
  const unsigned long long value = std::strtoull(text, &end, 10);
  if (end == text || *end != '\0') usage();
  return value;
}

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    const auto value = [&] { return i + 1 < argc ? number(argv[++i]) : (usage(), 0); };
    if (flag == "--seeds") {
      arguments.seeds = value();
    } else if (flag == "--first") {
      arguments.first = value();
    } else if (flag == "--seed") {
      arguments.first = value();
      arguments.seeds = 1;
    } else if (flag == "--minutes") {
      arguments.options.faulty = std::chrono::minutes(value());
    } else if (flag == "--jobs") {
      arguments.jobs = std::clamp<std::uint64_t>(value(), 1, 256);
    } else if (flag == "--calm") {
      arguments.options.with_faults = false;
    } else if (flag == "--no-twin") {
      arguments.compares = false;
    } else if (flag == "--trace") {
      arguments.options.trace = true;
#ifdef FIREBREAK_BREAKABLE
    } else if (flag == "--break" && i + 1 < argc) {
      const std::string_view name = argv[++i];
      for (const auto& [known, which] : firebreak::kBreaks)
        if (known == name) firebreak::broken = which;
      if (firebreak::broken == firebreak::Break::none) usage();
    } else if (flag == "--breaks") {
      for (const auto& [known, which] : firebreak::kBreaks) std::printf("%s\n", known.data());
      std::exit(0);
#endif
    } else if (flag == "--quiet") {
      arguments.is_quiet = true;
    } else {
      usage();
    }
  }
  return arguments;
}

// What a worker says of one seed; plain bytes through a pipe.
struct Report {
  std::uint64_t seed = 0;
  Tally tally;
  std::array<char, 1024> broken{};
};

Verdict run_seed(const Arguments& arguments, std::uint64_t seed) {
  Options options = arguments.options;
  options.seed = seed;
  const bool compares = arguments.compares && options.with_faults && !options.trace;
  return compares ? firebreak::sim::compare(options) : firebreak::sim::simulate(options);
}

void work(const Arguments& arguments, std::uint64_t job, int out) {
  for (std::uint64_t i = job; i < arguments.seeds; i += arguments.jobs) {
    Report report;
    report.seed = arguments.first + i;
    // Said first: whoever dies in the middle of a seed has named it.
    if (::write(out, &report, sizeof report) != sizeof report) ::_exit(3);
    const Verdict verdict = run_seed(arguments, report.seed);
    report.tally = verdict.tally;
    std::strncpy(report.broken.data(), verdict.broken.c_str(), report.broken.size() - 1);
    if (::write(out, &report, sizeof report) != sizeof report) ::_exit(3);
  }
  ::_exit(0);
}

bool read_report(int in, Report& report) {
  std::size_t got = 0;
  while (got < sizeof report) {
    const ssize_t size = ::read(in, reinterpret_cast<char*>(&report) + got, sizeof report - got);
    if (size <= 0) return false;
    got += static_cast<std::size_t>(size);
  }
  return true;
}

class Summary {
 public:
  explicit Summary(const Arguments& arguments) : arguments_(arguments) {}
  void take(const Report& report) {
    total_.add(report.tally);
    ++done_;
    if (report.broken[0] != '\0') fail(report.seed, report.broken.data());
    if (!arguments_.is_quiet && ::isatty(STDERR_FILENO) != 0)
      std::fprintf(stderr, "\r%llu of %llu seeds, %.0f simulated hours, %zu failed ",
                   static_cast<unsigned long long>(done_),
                   static_cast<unsigned long long>(arguments_.seeds), hours(), failed_.size());
  }
  void fail(std::uint64_t seed, const std::string& why) {
    failed_.push_back(seed);
    std::printf("seed %llu: %s\n  again: scripts/sim --seed %llu --trace\n",
                static_cast<unsigned long long>(seed), why.c_str(),
                static_cast<unsigned long long>(seed));
  }
  [[nodiscard]] bool is_clean() const { return failed_.empty() && done_ == arguments_.seeds; }
  [[nodiscard]] double hours() const { return static_cast<double>(total_.simulated_us) / 3.6e9; }
  void print(double cpu_seconds) const;

 private:
  const Arguments& arguments_;
  Tally total_;
  std::uint64_t done_ = 0;
  std::vector<std::uint64_t> failed_;
};

void Summary::print(double cpu_seconds) const {
  if (::isatty(STDERR_FILENO) != 0) std::fputs("\r", stderr);
  const auto row = [](const char* name, std::uint64_t value) {
    std::printf("  %-34s %12llu\n", name, static_cast<unsigned long long>(value));
  };
  const Tally& t = total_;
  std::printf(
      "%llu seeds, %zu failed; %.1f simulated hours in %.1f CPU seconds: %.0f hours per CPU "
      "minute\n",
      static_cast<unsigned long long>(done_), failed_.size(), hours(), cpu_seconds,
      hours() / std::max(cpu_seconds, 0.001) * 60);
  row("steps", t.steps);
  row("results made", t.results_made);
  row("results taken by a spool", t.results_spooled);
  row("results acknowledged", t.results_acked);
  row("results sent again", t.results_repeated);
  row("results dropped at the bound", t.results_dropped);
  row("incidents", t.incidents);
  row("validations", t.validations);
  row("notifications", t.notifications);
  row("snapshots", t.snapshots);
  row("orders", t.actions_ordered);
  row("actions run on hosts", t.actions_run);
  row("orders refused by hosts", t.orders_refused);
  row("actions whose outcome is unknown", t.actions_unknown);
  row("http actions", t.http_actions);
  std::printf(" faults\n");
  row("coordinator ended", t.coordinator_crashes);
  row("agent killed", t.agent_crashes);
  row("actuator killed", t.actuator_crashes);
  row("power cuts among these", t.power_cuts);
  row("takeovers", t.takeovers);
  row("stale coordinators refused", t.stale_refused);
  row("partitions", t.partitions);
  row("connection resets", t.resets);
  row("slow networks", t.slow_networks);
  row("disk full", t.disk_full);
  row("sync errors", t.sync_errors);
  row("slow syncs", t.slow_syncs);
  row("clock steps", t.clock_steps);
  row("processes stopped", t.stops);
  row("hosts suspended", t.suspends);
  row("blind spells", t.blind_spells);
  row("messages of a later version", t.foreign_fields);
  row("hostile messages", t.hostile_messages);
  row("policy changes", t.policy_changes);
}

double children_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_CHILDREN, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  google::protobuf::SetLogHandler(nullptr);  // it has an opinion of hostile bytes
  if (arguments.options.trace) {
    for (std::uint64_t i = 0; i < arguments.seeds; ++i) {
      const Verdict verdict = run_seed(arguments, arguments.first + i);
      if (!verdict.broken.empty()) return 1;
    }
    return 0;
  }
  struct Worker {
    int in = -1;
    pid_t pid = -1;
  };
  std::vector<Worker> workers;
  for (std::uint64_t job = 0; job < arguments.jobs; ++job) {
    int ends[2];
    if (::pipe(ends) != 0) return 3;
    std::fflush(nullptr);
    const pid_t pid = ::fork();
    if (pid < 0) return 3;
    if (pid == 0) {
      ::close(ends[0]);
      work(arguments, job, ends[1]);
    }
    ::close(ends[1]);
    workers.push_back({ends[0], pid});
  }
  Summary summary(arguments);
  // In turn: each worker's pipe holds what it says meanwhile.
  std::vector<bool> is_open(workers.size(), true);
  for (bool any = true; any;) {
    any = false;
    for (std::size_t i = 0; i < workers.size(); ++i) {
      if (!is_open[i]) continue;
      Report begun, ended;
      is_open[i] = read_report(workers[i].in, begun);
      if (!is_open[i]) continue;
      if (read_report(workers[i].in, ended)) {
        summary.take(ended);
        any = true;
      } else {
        summary.fail(begun.seed, "the simulator died in this seed");
        is_open[i] = false;
      }
    }
  }
  for (const Worker& worker : workers) {
    int status = 0;
    ::waitpid(worker.pid, &status, 0);
  }
  summary.print(children_seconds());
  return summary.is_clean() ? 0 : 1;
}
