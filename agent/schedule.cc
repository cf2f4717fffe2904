// The grid, the first run, and fast re-probes.
#include "agent/schedule.h"

#include <algorithm>
#include <utility>

#include "common/rng.h"

namespace firebreak::agent {
namespace {

// A probe that is new here, or was missed because the host slept, runs soon whatever its interval;
// spread so that a thousand of them do not start at once.
constexpr Duration kFirstRunWithin = std::chrono::seconds(5);

// The same in every build and on every host, unlike std::hash.
std::uint64_t stable_hash(const std::string& agent, const ProbeKey& key) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
  const auto add = [&](const std::string& text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    hash = (hash ^ 0xff) * 0x100000001b3ULL;  // a border: no name holds this byte
  };
  add(agent);
  add(key.service.str());
  add(key.probe.str());
  return Rng(hash).next();
}

Duration reduced(std::uint64_t hash, Duration below) {
  return Duration{static_cast<Duration::rep>(
      hash % static_cast<std::uint64_t>(std::max<Duration::rep>(below.count(), 1)))};
}

// The first grid point after `now`.
Instant next_on_grid(Duration offset, Duration every, Instant now) {
  const Duration since = now.time_since_epoch() - offset;
  const Duration::rep steps = since.count() >= 0 ? since / every + 1 : 0;
  return Instant{offset + every * steps};
}

}  // namespace

void Schedule::replace(std::vector<AssignedProbe> probes, Instant now) {
  Probes before = std::exchange(probes_, {});
  queue_.clear();
  for (AssignedProbe& assigned : probes) {
    const auto known = before.find(assigned.key);
    if (known != before.end() && *known->second.spec == assigned.spec) {
      const auto kept = probes_.insert(before.extract(known)).position;
      queue_.emplace(kept->second.due, kept->first);
      continue;
    }
    const std::uint64_t hash = stable_hash(agent_, assigned.key);
    Probe probe;
    probe.offset = reduced(hash, assigned.spec.every);
    probe.spread = reduced(hash, std::min(assigned.spec.every, kFirstRunWithin));
    probe.due = now + probe.spread;
    probe.spec = std::make_shared<const ProbeSpec>(std::move(assigned.spec));
    const auto [added, is_new] = probes_.try_emplace(assigned.key, std::move(probe));
    if (is_new) queue_.emplace(added->second.due, added->first);
  }
  for (const auto& [key, probe] : before) running_.erase(probe.run);
}

std::vector<DueRun> Schedule::take_due(Instant now) {
  std::vector<DueRun> due;
  while (!queue_.empty() && queue_.begin()->first <= now) {
    const ProbeKey key = queue_.begin()->second;
    Probe& probe = probes_.at(key);
    if (now - probe.due >= probe.spec->every) {
      // After a sleep, all at once would be a burst, and a day a long time to wait.
      catch_up(key, probe, now);
      ++skipped_;
      continue;
    }
    const Instant due_at = probe.due;
    const bool was_missed = std::exchange(probe.is_missed, false);
    const Instant after = was_missed ? now + probe.spec->every / 2 : now;
    set_due(key, probe, next_on_grid(probe.offset, probe.spec->every, after));
    if (probe.run != 0) {
      ++skipped_;
      continue;
    }
    probe.run = ++last_run_;
    running_.emplace(probe.run, key);
    due.push_back({probe.run, key, probe.spec, due_at});
  }
  return due;
}

void Schedule::catch_up(const ProbeKey& key, Probe& probe, Instant now) {
  const Instant soon = now + Duration{1} + probe.spread;
  const Instant on_grid = next_on_grid(probe.offset, probe.spec->every, now);
  probe.is_missed = soon < on_grid;
  set_due(key, probe, std::min(soon, on_grid));
}

std::optional<Instant> Schedule::next_due() const {
  if (queue_.empty()) return std::nullopt;
  return queue_.begin()->first;
}

std::optional<Judgement> Schedule::finished(std::uint64_t run, Status status, Instant now) {
  const auto running = running_.find(run);
  if (running == running_.end()) return std::nullopt;
  const ProbeKey key = running->second;
  running_.erase(running);
  Probe& probe = probes_.at(key);
  probe.run = 0;
  return judge(key, probe, status, now);
}

std::optional<Judgement> Schedule::observed(const ProbeKey& key, Status status, Instant now) {
  const auto known = probes_.find(key);
  if (known == probes_.end()) return std::nullopt;
  return judge(key, known->second, status, now);
}

std::optional<Status> Schedule::believed(const ProbeKey& key) const {
  const auto known = probes_.find(key);
  return known == probes_.end() ? std::nullopt : known->second.confirmed;
}

Judgement Schedule::judge(const ProbeKey& key, Probe& probe, Status status, Instant now) {
  // Unknown says nothing about the target, so it gets a second look in any case.
  const Confirm& confirm = probe.spec->confirm;
  const int attempts = status == Status::unknown ? std::max(1, confirm.attempts) : confirm.attempts;
  // Health needs no second look when nothing was known before.
  const bool differs = status != probe.confirmed.value_or(Status::ok);
  if (!differs) {
    const bool news = probe.candidate.has_value();
    probe.confirmed = status;
    probe.candidate.reset();
    return {key, true, news};
  }
  if (probe.candidate == status) {
    ++probe.agreeing;
  } else {
    if (!probe.candidate) probe.fast_runs = 0;
    probe.candidate = status;
    probe.agreeing = 0;
  }
  if (probe.agreeing >= attempts) {
    probe.confirmed = status;
    probe.candidate.reset();
    return {key, true, true};
  }
  // A target that gives a different answer every time must not be probed fast for ever.
  if (probe.fast_runs < 2 * attempts) {
    ++probe.fast_runs;
    set_due(key, probe, std::min(probe.due, now + confirm.every));
  }
  return {key, false, true};
}

void Schedule::set_due(const ProbeKey& key, Probe& probe, Instant due) {
  queue_.erase({probe.due, key});
  probe.due = due;
  queue_.emplace(due, key);
}

}  // namespace firebreak::agent
