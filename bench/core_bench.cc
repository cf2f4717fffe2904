// What the decision is made of, piece by piece: expressions, windows, step(). Google Benchmark;
// after "smoke" or "full" its own options, such as --benchmark_filter=Step.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "bench/contest.h"
#include "bench/synthetic_policy.h"
#include "common/cel/program.h"
#include "coordinator/core/step.h"
#include "coordinator/core/window.h"
#include "coordinator/policy/loader.h"
#include "coordinator/policy/signals.h"

namespace firebreak::bench {
namespace {

constexpr Instant kBegin = instant_from_unix_us(1'795'000'000'000'000);

// --- Expressions ---

// The world of a rule whose signals cost nothing: what is measured is the evaluation.
class Ready final : public cel::Activation {
 public:
  cel::Value variable(std::string_view path) const override {
    return path == "facts.customers" ? cel::Value(150) : cel::Value(false);
  }
  cel::Value call(int id, std::span<const cel::Value> /*arguments*/) const override {
    const auto signal = static_cast<policy::Signal>(id);
    if (signal == policy::Signal::available) return true;
    if (signal == policy::Signal::value) return 7.5;
    return cel::Value(std::chrono::milliseconds(120));
  }
};

void evaluate(benchmark::State& state, const char* text) {
  const auto declarations = policy::rule_declarations(
      {{"customers", cel::Type::Kind::integer}, {"breach", cel::Type::Kind::boolean}});
  const auto compiled = cel::compile(text, declarations, cel::Type::Kind::boolean);
  const auto* program = std::get_if<cel::Program>(&compiled);
  if (program == nullptr) return state.SkipWithError("does not compile");
  const Ready world;
  if (program->evaluate(world).is(cel::Value::Kind::error))
    return state.SkipWithError("is an error");
  for (auto _ : state) benchmark::DoNotOptimize(program->evaluate(world));
}
BENCHMARK_CAPTURE(evaluate, one_signal, "!available('health')");
BENCHMARK_CAPTURE(
    evaluate, a_rule,
    "!available('health') || p95('health', 1m) > 500ms || value('queue', 'length') > 10.0");
BENCHMARK_CAPTURE(evaluate, facts,
                  "facts.customers > 1000 || facts.customers > 100 && facts.breach");
BENCHMARK_CAPTURE(evaluate, a_list,
                  "[1, 2, 3, 4, 5, 6, 7, 8].exists(n, n == facts.customers) || facts.breach");

void compile(benchmark::State& state) {
  const auto declarations = policy::rule_declarations({{"customers", cel::Type::Kind::integer}});
  for (auto _ : state)
    benchmark::DoNotOptimize(
        cel::compile("!available('health') || p95('health', 1m) > 500ms || facts.customers > 100",
                     declarations, cel::Type::Kind::boolean));
}
BENCHMARK(compile);

// --- Windows ---

// A thousand results over the whole span, so that every bucket has some.
core::Window full_window(const std::set<Duration>& lengths, Instant& now) {
  core::Window window;
  window.configure(lengths);
  const Duration span = window.span();
  for (std::int64_t i = 0; i < 1000; ++i)
    window.add(now += span / 1000, {i % 50 == 0, std::chrono::microseconds(800 + i), 7.5});
  return window;
}

void window_add(benchmark::State& state) {
  Instant now = kBegin;
  core::Window window = full_window({std::chrono::seconds(state.range(0))}, now);
  for (auto _ : state)
    window.add(now += std::chrono::milliseconds(1), {false, std::chrono::microseconds(850), 7.5});
}
BENCHMARK(window_add)->Arg(60)->Arg(86400);

// A result a second, as long as the longest window, into one window or several of other lengths.
void window_add_lengths(benchmark::State& state, const std::set<Duration>& lengths) {
  Instant now = kBegin;
  core::Window window;
  window.configure(lengths);
  const auto add = [&] {
    const std::int64_t number = (now - kBegin) / std::chrono::seconds(1);
    window.add(now += std::chrono::seconds(1),
               {false, std::chrono::microseconds(800 + number * 7919 % 400), 7.5});
  };
  while (now - kBegin < window.span()) add();
  for (auto _ : state) add();
  std::size_t bytes = sizeof(window);
  for (const core::Window::Ring& ring : window.rings()) {
    bytes += sizeof(ring) + ring.buckets.capacity() * sizeof(ring.buckets[0]);
    for (const auto& bucket : ring.buckets)
      bytes += bucket.latencies.capacity() * sizeof(bucket.latencies[0]);
  }
  state.counters["bytes"] = static_cast<double>(bytes);
}
using std::chrono::hours, std::chrono::minutes;
BENCHMARK_CAPTURE(window_add_lengths, of_6h, {hours(6)});
BENCHMARK_CAPTURE(window_add_lengths, of_5m_and_6h, {minutes(5), hours(6)});
BENCHMARK_CAPTURE(window_add_lengths, of_burn_rates,
                  {minutes(5), minutes(30), hours(1), hours(2), hours(6), hours(24)});

void window_over(benchmark::State& state) {
  Instant now = kBegin;
  const core::Window window = full_window({std::chrono::seconds(state.range(0))}, now);
  for (auto _ : state) {
    const auto summary = window.over(std::chrono::seconds(state.range(0)), now);
    benchmark::DoNotOptimize(summary.quantile(0.95));
  }
}
BENCHMARK(window_over)->Arg(60)->Arg(86400);

// --- step() ---

constexpr std::uint32_t kRows = 1000;

// One agent whose batches are about the first 100 services of a policy.
class Decision {
 public:
  Decision(int services, bool windowed) {
    const auto loaded =
        policy::load_policy({{"policy.yaml", synthetic_policy(services * 10, windowed)}});
    if (!loaded.policy) throw std::runtime_error(loaded.problems);
    core::step(state_, core::PolicyChanged{loaded.policy, "bench"}, now_);
    core::AgentAttached attached;
    attached.agent = AgentName("edge");
    attached.incarnation = 1;
    core::step(state_, attached, now_);
    batch_.agent = attached.agent;
    batch_.incarnation = 1;
    batch_.rows.resize(kRows);
    for (std::uint32_t i = 0; i < kRows; ++i) {
      batch_.series.push_back(
          {i,
           {ServiceName("s" + std::to_string(i / 10)), ProbeName("p" + std::to_string(i % 10))}});
      batch_.rows[i].ref = i;
      batch_.rows[i].confirmed = true;
      batch_.rows[i].observation.status = Status::ok;
      batch_.rows[i].observation.latency = std::chrono::microseconds(800 + i);
    }
    take();
    batch_.series.clear();
  }

  void take() {
    now_ += std::chrono::seconds(10);
    batch_.first_seq = seq_;
    seq_ += kRows;
    for (auto& row : batch_.rows) row.observed = now_ - std::chrono::milliseconds(20);
    benchmark::DoNotOptimize(core::step(state_, batch_, now_));
  }

  [[nodiscard]] bool sound() const {
    return state_.counters.late + state_.counters.duplicates + state_.counters.unknown_probe == 0;
  }

 private:
  core::State state_;
  Instant now_ = kBegin;
  core::ResultsReceived batch_;
  std::uint64_t seq_ = 1;
};

// 1,000 results each; what grows with the argument is the number of rules that do not look at them.
void step_results(benchmark::State& state, bool windowed) {
  Decision decision(static_cast<int>(state.range(0)), windowed);
  for (auto _ : state) decision.take();
  if (!decision.sound()) state.SkipWithError("results were late, doubled or unknown");
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK_CAPTURE(step_results, of_verdicts, false)
    ->Arg(100)
    ->Arg(1000)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(step_results, of_windows, true)
    ->Arg(100)
    ->Arg(1000)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace firebreak::bench

int main(int argc, char** argv) {
  try {
    const firebreak::bench::Effort effort = firebreak::bench::effort_of(argc, argv);
    std::vector<char*> arguments{argv[0]};
    std::string least = "--benchmark_min_time=0.001";
    if (effort.smoke) arguments.push_back(least.data());
    for (int i = 2; i < argc; ++i) arguments.push_back(argv[i]);
    int count = static_cast<int>(arguments.size());
    benchmark::Initialize(&count, arguments.data());
    if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "core_bench: %s\n", error.what());
    return 1;
  }
}
