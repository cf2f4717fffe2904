// What the parties of one simulation share: time, network, disk, targets, the checks and the tally.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/observation.h"
#include "common/probe_spec.h"
#include "common/rng.h"
#include "coordinator/policy/loader.h"
#include "tests/sim/disk.h"
#include "tests/sim/network.h"
#include "tests/sim/promise.h"
#include "tests/sim/timeline.h"
#include "tests/support/fake_files.h"

namespace firebreak::sim {

struct Options {
  std::uint64_t seed = 1;
  Duration faulty = std::chrono::minutes(90);  // then everything heals
  Duration settle = std::chrono::minutes(30);  // and has this long to agree
  bool with_faults = true;
  bool rereads_journal = true;  // and compares, at the end
  bool trace = false;
};

// For the summary: plain numbers, so that a worker can hand them over as bytes.
struct Tally {
  std::uint64_t seeds = 0;
  std::uint64_t simulated_us = 0;
  std::uint64_t steps = 0;
  std::uint64_t results_made = 0;
  std::uint64_t results_acked = 0;
  std::uint64_t results_repeated = 0;
  std::uint64_t results_spooled = 0;
  std::uint64_t results_dropped = 0;
  std::uint64_t incidents = 0;
  std::uint64_t validations = 0;
  std::uint64_t notifications = 0;
  std::uint64_t actions_ordered = 0;
  std::uint64_t actions_run = 0;
  std::uint64_t actions_unknown = 0;
  std::uint64_t orders_refused = 0;
  std::uint64_t http_actions = 0;
  // Faults.
  std::uint64_t coordinator_crashes = 0;
  std::uint64_t agent_crashes = 0;
  std::uint64_t actuator_crashes = 0;
  std::uint64_t power_cuts = 0;
  std::uint64_t takeovers = 0;
  std::uint64_t stale_refused = 0;
  std::uint64_t partitions = 0;
  std::uint64_t resets = 0;
  std::uint64_t slow_networks = 0;
  std::uint64_t disk_full = 0;
  std::uint64_t sync_errors = 0;
  std::uint64_t slow_syncs = 0;
  std::uint64_t clock_steps = 0;
  std::uint64_t stops = 0;
  std::uint64_t suspends = 0;
  std::uint64_t blind_spells = 0;
  std::uint64_t foreign_fields = 0;
  std::uint64_t hostile_messages = 0;
  std::uint64_t policy_changes = 0;
  std::uint64_t snapshots = 0;

  void add(const Tally& other);
};

// What is true of the targets, whoever looks.
class Targets {
 public:
  void set_down(const std::string& target, bool down) {
    if (down)
      down_.insert(target);
    else
      down_.erase(target);
  }
  [[nodiscard]] bool is_down(const std::string& target) const { return down_.contains(target); }
  void heal() { down_.clear(); }

 private:
  std::set<std::string> down_;
};

// A machine that agents and actuators run on; survives them.
struct Host {
  HostId id = 0;
  AgentName agent;
  HostClock clock;
  bool is_blind = false;            // its own network or files fail it: it accuses nobody
  std::uint64_t epoch_on_disk = 0;  // agent/state/epoch_file
  std::uint64_t epoch_obeyed = 0;   // by anything on this host, ever: for the checks
  std::uint64_t epoch_told = 0;     // to its actuator, ever: for the checks
  std::uint64_t boots = 1;
  testing::FakeFiles spool;  // the folder of agent/spool
};

class World {
 public:
  explicit World(const Options& options);

  Options options;
  Timeline timeline;
  Rng rng;      // of the parties and the network
  Rng nemesis;  // of the faults
  Network network;
  Disk disk;
  Targets targets;
  Tally tally;
  Duration sync_time = std::chrono::milliseconds(4);
  bool speaks_foreign = false;  // peers of a later version add fields

  // --- Checks that more than one party feeds ---
  std::uint64_t next_result() { return ++last_result_; }
  // An agent may forget these: they must be durable.
  void results_forgotten(const AgentName& agent, const std::vector<std::uint64_t>& ids);
  void ran(Host& host, const ActionId& action, std::uint64_t epoch);
  void ran_http(const ActionId& action);
  [[nodiscard]] int runs(const ActionId& action) const;
  // Somebody who is not blind looked.
  void saw(const std::string& target, bool is_down) {
    seen_[target] = timeline.now();
    if (is_down) seen_down_[target] = timeline.now();
  }
  [[nodiscard]] bool was_seen(const std::string& target, Duration within) const {
    return is_recent(seen_, target, within);
  }
  [[nodiscard]] bool was_seen_down(const std::string& target, Duration within) const {
    return is_recent(seen_down_, target, within);
  }
  // In the phase of faults, a few times in a thousand: the process is to die near this step.
  [[nodiscard]] bool strikes() { return is_hostile_time && chance_in(400, nemesis); }
  bool is_hostile_time = false;

  template <class Text>
  void say(const char* who, Text text) {
    if (!options.trace) return;
    write(who, text());
  }
  [[nodiscard]] const std::deque<std::string>& last_words() const { return words_; }
  static Duration between(Duration least, Duration most, Rng& from) {
    return least + Duration{static_cast<Duration::rep>(
                       from.below(static_cast<std::uint64_t>((most - least).count()) + 1))};
  }
  static bool chance_in(std::uint64_t many, Rng& from) { return from.below(many) == 0; }
  static bool chance(int percent, Rng& from) {
    return from.below(100) < static_cast<std::uint64_t>(percent);
  }
  // Bytes as a later version would send them: with a field that nobody here knows.
  std::string as_sent(std::string bytes);

 private:
  using Sightings = std::map<std::string, Instant>;
  void write(const char* who, const std::string& text);
  [[nodiscard]] bool is_recent(const Sightings& sightings, const std::string& target,
                               Duration within) const;

  std::uint64_t last_result_ = 0;
  std::map<ActionId, int> runs_;
  Sightings seen_;
  Sightings seen_down_;
  std::deque<std::string> words_;
};

enum class PolicyKind { usual, changed };
// Compiled once per process; the changed one has other intervals, windows and thresholds.
[[nodiscard]] std::shared_ptr<const policy::Policy> policy_of(PolicyKind kind);
Result<std::shared_ptr<const policy::Policy>> compile(std::vector<policy::SourceFile> files);

[[nodiscard]] std::string target_of(const AgentName& agent, const ProbeSpec& spec);

}  // namespace firebreak::sim
