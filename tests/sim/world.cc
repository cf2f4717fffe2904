// Policies, targets and the bookkeeping of the checks.
#include "tests/sim/world.h"

#include <cstdio>
#include <stdexcept>

namespace firebreak::sim {
namespace {

// 2026-11-21 03:00:00 UTC
constexpr Instant kStart = instant_from_unix_us(1'795'230'000'000'000);
constexpr std::size_t kWordsKept = 60;

std::uint64_t stream_of(std::uint64_t seed, std::uint64_t stream) {
  return Rng(seed * 0x9e3779b97f4a7c15ULL + stream).next();
}

std::string policy_text(PolicyKind kind) {
  const bool usual = kind == PolicyKind::usual;
  std::string text = R"yaml(
severities:
  P1: {acknowledge: 5m, update: 15m, resolve: 2h, notify: [ops, audit], escalation: urgent}
  P2: {acknowledge: 15m, notify: ops}
facts: {customers: 0}
receivers:
  ops: {slack: {url: "http://127.0.0.1:1/hook"}}
  audit: {webhook: {url: "http://127.0.0.1:1/audit"}}
  boss: {webhook: {url: "http://127.0.0.1:1/boss"}}
escalations:
  urgent: {tiers: [{notify: ops}, {after: 3m, notify: boss}, {after: 10m, notify: [ops, boss], unless: never}], repeat: 7m}
manual_steps:
  - {severity: P1, text: open the war room}
  - {at: 4m, text: call the provider}
recommendations:
  - {service: shop, when: "facts.customers > 200 && failing_for('health') > 2m", say: fail over}
services:
  shop:
    agents: name.startsWith('web-')
    probes:
      health: {http: "http://localhost/health", every: EVERY, timeout: 4s, need: 1, confirm: {attempts: 2, every: 500ms}}
  db:
    agents: name.startsWith('web-') || name.startsWith('edge-')
    probes:
      ready: {postgres: "db:5432", every: 30s, timeout: 4s}
  pit:
    agents: name.startsWith('mallory')
    probes:
      health: {http: "http://pit/health", every: 10s, need: 1}
rules:
  - service: shop
    severity: {P1: "!available('health')", P2: "SHOP"}
    keep_for: 45s
  - service: db
    severity: {P1: "!available('ready')"}
    for: 20s
  - service: pit
    severity: {P2: "!available('health')"}
actions:
  restart-shop: {host: restart-web, timeout: 30s, verify: health, cooldown: 2m}
  fail-over: {http: {post: "http://dns/fail-over"}, timeout: 20s, cooldown: 5m}
playbooks:
  - on: {service: shop, severity: P1}
    mode: enforce
    stages: [{at: 0s, do: restart-shop}, {at: 5m, do: [restart-shop, fail-over]}]
  - on: {service: db, severity: P1}
    mode: enforce
    stages: [{at: 1m, do: fail-over}]
  - on: {service: pit, severity: P2}
    mode: enforce
    stages: [{at: 0s, do: restart-shop}]
checklists:
  shop: [{probe: health, attempts: 6, passes: 3, every: 5s}]
  db: [{probe: ready, attempts: 6, passes: 2, every: 5s}]
  pit: [{probe: health, attempts: 3, passes: 1, every: 5s}]
flapping: {changes: 4, within: 30m, calm: 3m}
)yaml";
  const auto replace = [&](const std::string& what, const std::string& by) {
    text.replace(text.find(what), what.size(), by);
  };
  replace("EVERY", usual ? "20s" : "10s");
  // A policy change adds a short window beside a long one, or drops it.
  replace("SHOP", usual ? "facts.customers > 100 || error_rate('health', 30m) > 0.9"
                        : "facts.customers > 100 || "
                          "(error_rate('health', 5m) > 0.5 && error_rate('health', 30m) > 0.1)");
  return text;
}

}  // namespace

void Tally::add(const Tally& other) {
  auto* mine = reinterpret_cast<std::uint64_t*>(this);
  const auto* theirs = reinterpret_cast<const std::uint64_t*>(&other);
  static_assert(sizeof(Tally) % sizeof(std::uint64_t) == 0);
  for (std::size_t i = 0; i < sizeof(Tally) / sizeof(std::uint64_t); ++i) mine[i] += theirs[i];
}

Result<std::shared_ptr<const policy::Policy>> compile(std::vector<policy::SourceFile> files) {
  // A policy is compiled at every restart; these are few, and always the same.
  static std::map<std::string, std::shared_ptr<const policy::Policy>> known;
  std::string key;
  for (const policy::SourceFile& file : files) key += file.text;
  auto& compiled = known[key];
  if (compiled) return compiled;
  auto loaded = policy::load_policy(std::move(files));
  if (!loaded.policy) return make_error(Errc::invalid_argument, loaded.problems);
  compiled = loaded.policy;
  return compiled;
}

std::shared_ptr<const policy::Policy> policy_of(PolicyKind kind) {
  auto compiled = compile({{"policy.yaml", policy_text(kind)}});
  if (!compiled) throw std::runtime_error(compiled.error().message);
  return *compiled;
}

std::string target_of(const AgentName& agent, const ProbeSpec& spec) {
  const std::string target = describe_target(spec.kind);
  return target.find("localhost") == std::string::npos ? target : agent.str();
}

World::World(const Options& given)
    : options(given),
      timeline(kStart),
      rng(stream_of(given.seed, 1)),
      nemesis(stream_of(given.seed, 2)),
      network(timeline, Rng(stream_of(given.seed, 3))) {}

void World::results_forgotten(const AgentName& agent, const std::vector<std::uint64_t>& ids) {
  for (const std::uint64_t id : ids)
    promise(disk.has_result(id), kAcked, [&] {
      return "result " + std::to_string(id) + " of " + agent.str() +
             " was acknowledged and is not on the coordinator's disk";
    });
  tally.results_acked += ids.size();
}

void World::ran(Host& host, const ActionId& action, std::uint64_t epoch) {
  ++tally.actions_run;
  promise(++runs_[action] == 1, kAtMostOnce, [&] { return action.str() + " runs a second time"; });
  promise(disk.has_ordered(action), kIntent,
          [&] { return action.str() + " runs, and the coordinator's disk does not know it"; });
  host.epoch_obeyed = std::max(host.epoch_obeyed, epoch);
}

void World::ran_http(const ActionId& action) {
  ++tally.http_actions;
  promise(++runs_[action] == 1, kAtMostOnce, [&] { return action.str() + " runs a second time"; });
  promise(disk.has_ordered(action), kIntent,
          [&] { return action.str() + " runs, and the coordinator's disk does not know it"; });
}

int World::runs(const ActionId& action) const {
  const auto found = runs_.find(action);
  return found == runs_.end() ? 0 : found->second;
}

bool World::is_recent(const Sightings& sightings, const std::string& target,
                      Duration within) const {
  const auto found = sightings.find(target);
  return found != sightings.end() && timeline.now() - found->second <= within;
}

std::string World::as_sent(std::string bytes) {
  if (!speaks_foreign) return bytes;
  ++tally.foreign_fields;
  // Field 2047 as a text, and field 2046 as a number.
  bytes.append("\xfa\x7f\x05later\xf0\x7f\x2a", 11);
  return bytes;
}

void World::write(const char* who, const std::string& text) {
  const double seconds = static_cast<double>((timeline.now() - kStart).count()) / 1e6;
  char stamp[64];
  std::snprintf(stamp, sizeof stamp, "%11.6f  %-12s ", seconds, who);
  words_.push_back(stamp + text);
  std::fprintf(stdout, "%s\n", words_.back().c_str());
  if (words_.size() > kWordsKept) words_.pop_front();
}

}  // namespace firebreak::sim
