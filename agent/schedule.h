// When each assigned probe runs, and when a change of verdict is believed. Pure; not thread-safe.
//
// A probe runs on a grid of its own: every `every`, at an offset that agent and key alone decide,
// so restarts do not move it and agents do not run in step. Time is the agent's time line
// (agent/time_line.h): steps of the wall clock do not exist here, and a suspend is a jump ahead. A
// run that would overlap the one before it, or that was missed because the host slept, is skipped;
// what was missed runs once, within seconds, and there is never a burst to catch up.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/ids.h"
#include "common/observation.h"
#include "common/probe_spec.h"
#include "common/time.h"

namespace firebreak::agent {

struct AssignedProbe {
  ProbeKey key;
  ProbeSpec spec;
};

// A run to start now; `id` comes back with its observation.
struct DueRun {
  std::uint64_t id = 0;
  ProbeKey key;
  std::shared_ptr<const ProbeSpec> spec;
  Instant due;  // when it should have begun
};

// What a result means beside those before it.
struct Judgement {
  ProbeKey key;
  bool confirmed = true;  // false: it differs from the last confirmed status, attempts go on
  bool news = false;      // part of a change: worth sending at once and keeping longest
};

class Schedule {
 public:
  explicit Schedule(std::string agent) : agent_(std::move(agent)) {}

  // The probes to run from now on. Those whose key and spec stay keep their phase, state and
  // current run; a changed spec starts anew, and its current run counts for nothing.
  void replace(std::vector<AssignedProbe> probes, Instant now);

  // The runs that are due; each is running until finished().
  std::vector<DueRun> take_due(Instant now);
  // When take_due() has something next; nullopt: nothing is assigned.
  [[nodiscard]] std::optional<Instant> next_due() const;

  // A run of take_due() has ended. nullopt: its probe is not assigned any more.
  std::optional<Judgement> finished(std::uint64_t run, Status status, Instant now);
  // A run outside the schedule saw this; nullopt when the key is not assigned.
  std::optional<Judgement> observed(const ProbeKey& key, Status status, Instant now);

  // The last status that was believed; nullopt: none yet, or not assigned.
  [[nodiscard]] std::optional<Status> believed(const ProbeKey& key) const;

  [[nodiscard]] std::size_t size() const { return probes_.size(); }
  // Runs skipped because the one before was still going on, or the host slept.
  [[nodiscard]] std::uint64_t skipped() const { return skipped_; }

 private:
  struct Probe {
    std::shared_ptr<const ProbeSpec> spec;
    Duration offset{};  // of the grid, in [0, every)
    Duration spread{};  // of runs that are to come soon
    Instant due;
    bool is_missed = false;           // `due` is off the grid, to catch up
    std::uint64_t run = 0;            // 0: not running
    std::optional<Status> confirmed;  // the last status that was believed
    std::optional<Status> candidate;  // the one that is being confirmed
    int agreeing = 0;                 // further results with the candidate's status
    int fast_runs = 0;                // since the first that differed
  };
  using Probes = std::map<ProbeKey, Probe>;

  void set_due(const ProbeKey& key, Probe& probe, Instant due);
  void catch_up(const ProbeKey& key, Probe& probe, Instant now);
  Judgement judge(const ProbeKey& key, Probe& probe, Status status, Instant now);

  std::string agent_;
  Probes probes_;
  std::set<std::pair<Instant, ProbeKey>> queue_;
  std::map<std::uint64_t, ProbeKey> running_;
  std::uint64_t last_run_ = 0;
  std::uint64_t skipped_ = 0;
};

}  // namespace firebreak::agent
