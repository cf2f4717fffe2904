// Who takes part, what befalls them, and what must hold at the end.
#include "tests/sim/simulation.h"

#include <array>
#include <cmath>

#include "common/limits.h"
#include "coordinator/core/step.h"
#include "coordinator/store/digest.h"
#include "coordinator/store/journal_codec.h"
#include "tests/sim/agent.h"
#include "tests/sim/coordinator.h"
#include "tests/sim/dump.h"
#include "tests/sim/hostile.h"
#include "tests/support/tally_check.h"

namespace firebreak::sim {
namespace {

using namespace std::chrono_literals;

constexpr HostId kMallory = 99;
const std::vector<std::string> kAgents{"web-1", "web-2", "web-3", "edge-1"};
constexpr HostId kFirstAgent = 10;

class Simulation {
 public:
  explicit Simulation(const Options& options);
  Verdict run();

 private:
  struct Site {
    std::unique_ptr<Host> host;
    std::unique_ptr<Actuator> actuator;
    std::unique_ptr<Agent> agent;
  };

  void build();
  void run_until(Instant until);
  // --- Parties that come back ---
  void start_coordinator(std::size_t which);
  void coordinator_died(std::size_t which);
  void crash_coordinator(bool power);
  void crash_agent(Site& site, bool power);
  void crash_actuator(Site& site);
  Site& any_site() { return sites_[world_.nemesis.below(sites_.size())]; }
  Coordinator& leader() { return *coordinators_[leader_]; }
  // --- What befalls them ---
  void next_fault();
  void strike();
  void take_over();
  void partition();
  void slow_network();
  void pause_somebody();
  void disk_trouble();
  void host_trouble();
  void next_outage(const std::string& target);
  void next_request();
  void heal();
  Duration soon(Duration mean, Rng& rng);
  // --- The end ---
  void check_end();
  void check_actions();
  void check_journal();

  World world_;
  Rng people_;
  Rng fate_;
  std::array<std::unique_ptr<Host>, 2> coordinator_hosts_;
  std::array<std::unique_ptr<Coordinator>, 2> coordinators_;
  std::size_t leader_ = 0;
  std::vector<Site> sites_;
  Mallory mallory_;
  bool has_mallory_ = false;
  bool is_over_ = false;  // nothing befalls anybody any more
  std::uint64_t requests_ = 0;
};

Simulation::Simulation(const Options& options)
    : world_(options),
      people_(Rng(options.seed * 31 + 4).next()),
      fate_(Rng(options.seed * 31 + 5).next()),
      mallory_(world_, kMallory) {
  build();
}

void Simulation::build() {
  Rng& rng = world_.rng;
  const auto make_host = [&](HostId id, const std::string& name) {
    const int drift = static_cast<int>(rng.below(401)) - 200;
    return std::make_unique<Host>(Host{id, AgentName(name),
                                       HostClock(world_.timeline, world_.between(10s, 2000h, rng),
                                                 world_.between(0s, 20min, rng) - 10min, drift),
                                       false, 0, 0, 0, 1, testing::FakeFiles(rng.next())});
  };
  for (std::size_t i = 0; i < coordinators_.size(); ++i) {
    coordinator_hosts_[i] = make_host(kCoordinators[i], "");
    coordinators_[i] = std::make_unique<Coordinator>(
        world_, *coordinator_hosts_[i],
        [this](HostId host) {
          if (host == kMallory) return AgentName("mallory");
          return sites_.at(static_cast<std::size_t>(host - kFirstAgent)).host->agent;
        },
        [this, i] { coordinator_died(i); });
  }
  for (std::size_t i = 0; i < kAgents.size(); ++i) {
    Site& site = sites_.emplace_back();
    site.host = make_host(kFirstAgent + static_cast<HostId>(i), kAgents[i]);
  }
  for (std::size_t i = 0; i < sites_.size(); ++i) {
    Site& site = sites_[i];
    if (kAgents[i].starts_with("web"))
      site.actuator =
          std::make_unique<Actuator>(world_, *site.host, [this, i] { crash_actuator(sites_[i]); });
    site.agent = std::make_unique<Agent>(world_, *site.host, site.actuator.get(),
                                         [this, i] { crash_agent(sites_[i], true); });
  }
  has_mallory_ = world_.options.with_faults && world_.chance(40, world_.nemesis);
}

// --- Parties that come back ----------------------------------------------------------------------

void Simulation::start_coordinator(std::size_t which) {
  if (which == leader_ && !coordinators_[which]->is_alive()) coordinators_[which]->start();
}

// Its service manager starts it again, unless another one is to lead now.
void Simulation::coordinator_died(std::size_t which) {
  ++world_.tally.coordinator_crashes;
  const Duration pause = world_.between(500ms, 20s, world_.nemesis);
  world_.timeline.after(is_over_ ? Duration{1s} : pause,
                        [this, which] { start_coordinator(which); });
}

void Simulation::crash_coordinator(bool power) {
  if (!leader().is_alive()) return;
  if (power) ++world_.tally.power_cuts;
  leader().go_on();
  leader().crash(power);
  coordinator_died(leader_);
}

void Simulation::crash_agent(Site& site, bool power) {
  if (!site.agent->is_alive()) return;
  if (power) crash_actuator(site);
  ++world_.tally.agent_crashes;
  site.agent->go_on();
  site.agent->crash(power);
  world_.timeline.after(world_.between(500ms, 60s, world_.nemesis), [&site] {
    if (!site.agent->is_alive()) site.agent->start();
  });
}

void Simulation::crash_actuator(Site& site) {
  if (!site.actuator || !site.actuator->is_alive()) return;
  ++world_.tally.actuator_crashes;
  site.actuator->crash();
  site.agent->actuator_died();
  world_.timeline.after(world_.between(200ms, 30s, world_.nemesis), [&site] {
    if (!site.actuator->is_alive()) site.actuator->start();
  });
}

// --- What befalls them ---------------------------------------------------------------------------

Duration Simulation::soon(Duration mean, Rng& rng) {
  const double u = std::max(rng.uniform(), 1e-9);
  return Duration{static_cast<Duration::rep>(-std::log(u) * static_cast<double>(mean.count()))};
}

void Simulation::next_fault() {
  world_.timeline.after(soon(50s, world_.nemesis), [this] {
    if (is_over_) return;
    strike();
    next_fault();
  });
}

void Simulation::strike() {
  Rng& rng = world_.nemesis;
  const std::uint64_t which = rng.below(12);
  world_.say("nemesis", [&] { return "fault " + std::to_string(which); });
  switch (which) {
    case 0:
      return crash_coordinator(world_.chance(50, rng));
    case 1:
      return take_over();
    case 2:
      return crash_agent(any_site(), world_.chance(50, rng));
    case 3:
      return host_trouble();
    case 4:
    case 5:
      return partition();
    case 6: {
      const HostId host = world_.chance(30, rng) ? kCoordinators[leader_] : any_site().host->id;
      if (world_.network.reset(host, world_.chance(30, rng)) > 0) ++world_.tally.resets;
      return;
    }
    case 7:
      return slow_network();
    case 8:
      return disk_trouble();
    case 9:
    case 10:
      return pause_somebody();
    default: {
      if (world_.chance(50, rng)) {
        world_.speaks_foreign = !world_.speaks_foreign;
        return;
      }
      ++world_.tally.policy_changes;
      leader().ask(core::PolicyChanged{
          policy_of(world_.chance(50, rng) ? PolicyKind::usual : PolicyKind::changed), "mia"});
    }
  }
}

// The other coordinator is to lead. The old one may be stopped meanwhile, and go on believing.
void Simulation::take_over() {
  ++world_.tally.takeovers;
  const std::size_t old = leader_;
  leader_ = 1 - leader_;
  Coordinator& before = *coordinators_[old];
  if (before.is_alive() && world_.chance(60, world_.nemesis)) {
    before.stop();
    world_.timeline.after(world_.between(1s, 90s, world_.nemesis), [&before] { before.go_on(); });
  }
  start_coordinator(leader_);
}

void Simulation::partition() {
  Rng& rng = world_.nemesis;
  ++world_.tally.partitions;
  const Duration lasts = world_.between(500ms, world_.chance(30, rng) ? Duration{10min} : 40s, rng);
  const bool out = world_.chance(75, rng), in = !out || world_.chance(60, rng);
  const bool everybody = world_.chance(20, rng);
  const Site& one = any_site();
  for (const Site& site : sites_) {
    if (!everybody && &site != &one) continue;
    for (const HostId coordinator : kCoordinators) {
      const HostId host = site.host->id;
      if (out) world_.network.block(host, coordinator);
      if (in) world_.network.block(coordinator, host);
      world_.timeline.after(lasts, [this, host, coordinator] {
        world_.network.unblock(host, coordinator);
        world_.network.unblock(coordinator, host);
      });
    }
  }
}

void Simulation::slow_network() {
  ++world_.tally.slow_networks;
  world_.network.set_delay(1ms, world_.between(50ms, 4s, world_.nemesis));
  world_.timeline.after(world_.between(5s, 2min, world_.nemesis),
                        [this] { world_.network.set_delay(200us, 2ms); });
}

void Simulation::pause_somebody() {
  Rng& rng = world_.nemesis;
  Site& site = any_site();
  switch (rng.below(4)) {
    case 0: {
      if (!leader().is_alive()) return;
      ++world_.tally.stops;
      Coordinator& stopped = leader();
      stopped.stop();
      world_.timeline.after(world_.between(100ms, 40s, rng), [&stopped] { stopped.go_on(); });
      return;
    }
    case 1:
      ++world_.tally.stops;
      site.agent->stop();
      world_.timeline.after(world_.between(100ms, 2min, rng), [&site] { site.agent->go_on(); });
      return;
    case 2:
      ++world_.tally.suspends;
      world_.say("nemesis", [&] { return "suspends " + site.agent->name().str(); });
      site.agent->stop();
      if (site.actuator) site.actuator->stop();
      site.host->clock.suspend();
      world_.timeline.after(world_.between(1s, 10min, rng), [&site] {
        site.host->clock.wake_up();
        site.agent->go_on();
        if (site.actuator) site.actuator->go_on();
      });
      return;
    default:
      ++world_.tally.blind_spells;
      site.host->is_blind = true;
      world_.say("nemesis", [&] { return "blinds " + site.agent->name().str(); });
      world_.timeline.after(world_.between(10s, 5min, rng),
                            [&site] { site.host->is_blind = false; });
  }
}

void Simulation::disk_trouble() {
  Rng& rng = world_.nemesis;
  switch (rng.below(3)) {
    case 0:
      ++world_.tally.disk_full;
      world_.disk.faults.is_full = true;
      world_.timeline.after(world_.between(1s, 90s, rng),
                            [this] { world_.disk.faults.is_full = false; });
      return;
    case 1:
      ++world_.tally.sync_errors;
      world_.disk.faults.failing_syncs = 1;
      return;
    default:
      ++world_.tally.slow_syncs;
      world_.sync_time = world_.between(100ms, 8s, rng);
      world_.timeline.after(world_.between(5s, 2min, rng), [this] { world_.sync_time = 4ms; });
  }
}

void Simulation::host_trouble() {
  Rng& rng = world_.nemesis;
  Site& site = any_site();
  switch (rng.below(5)) {
    case 0:
      ++world_.tally.power_cuts;
      return crash_agent(site, true);
    case 1: {
      ++world_.tally.clock_steps;
      constexpr std::array<Duration, 6> kSteps{1s, -1s, 1h, -1h, 24h, -24h};
      HostClock& clock =
          world_.chance(40, rng) ? coordinator_hosts_[leader_]->clock : site.host->clock;
      clock.step_wall(kSteps[rng.below(kSteps.size())]);
      return;
    }
    case 2:
      if (!site.actuator) return;
      if (world_.chance(50, rng)) {
        ++world_.tally.sync_errors;
        site.actuator->failing_syncs = 1;
        return;
      }
      ++world_.tally.disk_full;
      site.actuator->is_full = true;
      world_.timeline.after(world_.between(1s, 3min, rng),
                            [&site] { site.actuator->is_full = false; });
      return;
    case 3:
      if (world_.chance(50, rng)) {
        ++world_.tally.sync_errors;
        return site.host->spool.fail_syncs(1 + static_cast<int>(rng.below(3)));
      }
      ++world_.tally.disk_full;
      site.host->spool.set_capacity(site.host->spool.bytes_used() + rng.below(400));
      world_.timeline.after(world_.between(1s, 8min, rng),
                            [&site] { site.host->spool.set_capacity({}); });
      return;
    default:
      return crash_actuator(site);
  }
}

void Simulation::next_outage(const std::string& target) {
  world_.timeline.after(soon(15min, fate_), [this, target] {
    if (is_over_) return;
    world_.targets.set_down(target, true);
    world_.timeline.after(soon(6min, fate_), [this, target] {
      world_.targets.set_down(target, false);
      if (!is_over_) next_outage(target);
    });
  });
}

// People look after incidents, set facts and ask for validations.
void Simulation::next_request() {
  world_.timeline.after(soon(4min, people_), [this] {
    if (is_over_) return;
    const auto ask = [this](auto what) {
      leader().ask(core::OperatorAsked{"mia", std::move(what)});
    };
    const std::uint64_t what = people_.below(11), number = people_.below(400);
    const auto lasts = std::chrono::seconds(1 + number);  // over when everything has healed
    if (leader().is_serving() && leader().is_idle()) {
      const core::State& state = leader().state();
      IncidentId incident;
      for (const auto& [id, one] : state.incidents)
        if (!one.resolved) incident = id;
      if (what == 0) ask(core::AcknowledgeIncident{incident, "looking"});
      if (what == 1) ask(core::AddNote{incident, "it is the switch", "identified"});
      if (what == 2) ask(core::SetFact{FactName("customers"), {}, cel::Value(number)});
      if (what == 3) ask(core::ClearFact{FactName("customers"), {}});
      if (what == 4)
        ask(core::StartValidation{ValidationId("asked-" + std::to_string(++requests_)),
                                  ServiceName(number % 2 == 0 ? "shop" : "db")});
      if (what == 9)
        ask(core::OverrideSeverity{incident, std::size_t{number % 3}, "the press calls",
                                   std::chrono::minutes(1 + static_cast<int>(number / 10))});
      if (what == 10) ask(core::StepDone{incident, static_cast<std::uint32_t>(number % 4), "done"});
      if (what == 5 && number < 40) ask(core::ResolveIncident{incident, "it is over"});
      SilenceId silence;
      for (const auto& [id, one] : state.quieting.silences)
        if (!one.is_over) silence = id;
      MaintenanceId maintenance;
      for (const auto& [service, one] : state.quieting.maintenance)
        maintenance = MaintenanceId(one.id);
      if (what == 6) ask(core::AddSilence{{"service=~shop|db"}, lasts, "it is known", ""});
      if (what == 7 && number < 200)
        ask(core::StartMaintenance{{ServiceName("shop")}, lasts, "an upgrade", ""});
      if (what == 8 && number < 200) ask(core::ExpireSilence{silence});
      if (what == 8 && number >= 200) ask(core::EndMaintenance{maintenance});
    }
    next_request();
  });
}

void Simulation::heal() {
  world_.say("nemesis", [] { return "EVERYTHING HEALS"; });
  is_over_ = true;
  world_.is_hostile_time = false;
  world_.speaks_foreign = false;
  world_.network.unblock_all();
  world_.network.set_delay(200us, 2ms);
  world_.sync_time = 4ms;
  world_.disk.faults = {};
  world_.targets.heal();
  mallory_.stop();
  for (auto& coordinator : coordinators_)
    if (coordinator->is_stopped()) coordinator->go_on();
  for (Site& site : sites_) {
    site.host->is_blind = false;
    site.host->spool.set_capacity({});
    site.host->spool.forget_plan();
    site.host->spool.fail_syncs(0);
    if (site.actuator) {
      site.actuator->is_full = false;
      site.actuator->failing_syncs = 0;
    }
  }
  // Whatever was set to come back or to end does so within ten minutes; then people tidy up.
  world_.timeline.after(11min, [this] {
    start_coordinator(leader_);
    leader().ask(core::PolicyChanged{policy_of(PolicyKind::usual), "mia"});
    leader().ask(core::OperatorAsked{"mia", core::ClearFact{FactName("customers"), {}}});
    for (Site& site : sites_)
      if (site.actuator && !site.actuator->is_open()) {
        site.actuator->crash();  // a person has looked after its journal
        site.agent->actuator_died();
        site.actuator->start();
      }
  });
}

// --- The run -------------------------------------------------------------------------------------

void Simulation::run_until(Instant until) {
  while (world_.timeline.step(until)) ++world_.tally.steps;
}

Verdict Simulation::run() {
  const Instant start = world_.timeline.now();
  Verdict verdict;
  try {
    start_coordinator(0);
    for (Site& site : sites_) {
      if (site.actuator) site.actuator->start();
      site.agent->start();
    }
    for (const char* target : {"db:5432", "web-1", "web-2", "web-3"}) next_outage(target);
    next_request();
    if (world_.options.with_faults) {
      world_.is_hostile_time = true;
      next_fault();
    }
    if (has_mallory_) mallory_.start();
    run_until(start + world_.options.faulty);
    heal();
    run_until(start + world_.options.faulty + world_.options.settle);
    check_end();
    verdict.outlook = outlook(leader().state());
  } catch (const BrokenPromise& broken) {
    verdict.broken = broken.what();
    world_.say("BROKEN", [&] { return verdict.broken; });
  }
  world_.tally.simulated_us = static_cast<std::uint64_t>((world_.timeline.now() - start).count());
  verdict.tally = world_.tally;
  return verdict;
}

void Simulation::check_end() {
  promise(leader().is_serving(), kLiveness, "no coordinator serves");
  run_until(world_.timeline.now() + 2s);
  for (int i = 0; i < 1000 && !leader().is_idle(); ++i) run_until(world_.timeline.now() + 20ms);
  promise(leader().is_idle(), kLiveness, "the coordinator is never done");
  // A reminder of the attacker's incident may have gone out just now.
  for (int i = 0; i < 30 && world_.disk.outbox_size() > 0; ++i)
    run_until(world_.timeline.now() + 1s);
  for (const Site& site : sites_) {
    promise(site.agent->is_attached(), kLiveness,
            [&] { return site.agent->name().str() + " is not attached"; });
    promise(site.agent->kept() <= 6, kLiveness, [&] {
      return site.agent->name().str() + " still keeps " + std::to_string(site.agent->kept()) +
             " results";
    });
    site.agent->check();
    world_.tally.results_dropped += site.agent->dropped();
  }
  promise(world_.disk.outbox_size() == 0, kLiveness, [&] {
    return std::to_string(world_.disk.outbox_size()) + " effects still wait for their end";
  });
  world_.tally.snapshots = world_.disk.snapshots();
  check_actions();
  if (world_.options.rereads_journal) check_journal();
}

// What the coordinator says about an action is true, or it says that it does not know.
void Simulation::check_actions() {
  const core::State& state = leader().state();
  promise(state.actions_running.empty(), kLiveness, "an action runs for ever");
  for (const auto& [id, incident] : state.incidents) {
    ++world_.tally.incidents;
    world_.tally.validations += static_cast<std::uint64_t>(incident.validations);
    promise(incident.service.str() == "pit" || incident.resolved, kLiveness,
            [&, &id = id] { return id.str() + " is still open"; });
    for (const core::ActionRun& run : incident.actions) {
      if (run.target == "mallory") continue;
      const int runs = world_.runs(run.id);
      if (run.state == core::ActionState::unknown) ++world_.tally.actions_unknown;
      const bool claims_a_run = run.state == core::ActionState::succeeded ||
                                run.state == core::ActionState::failed ||
                                run.state == core::ActionState::timed_out;
      promise(!claims_a_run || runs == 1, kAtMostOnce, [&] {
        return run.id.str() + " is " + core::to_string(run.state) + " and never ran";
      });
      promise(run.state != core::ActionState::refused || runs == 0, kAtMostOnce,
              [&] { return run.id.str() + " is refused and ran"; });
    }
  }
}

// What the journal says without the repetitions: of each agent the numbers that came before.
class WithoutRepeats {
 public:
  // The event without what it repeats; empty: it repeats nothing.
  std::optional<core::Event> strip(const core::Event& event) {
    if (const auto* attached = std::get_if<core::AgentAttached>(&event))
      begin(attached->agent, attached->incarnation);
    const auto* results = std::get_if<core::ResultsReceived>(&event);
    if (results == nullptr) return std::nullopt;
    Seen* agent = begin(results->agent, results->incarnation);
    const std::uint64_t end = results->first_seq + results->rows.size();
    const std::uint64_t from =
        agent == nullptr ? end : std::min(end, std::max(results->first_seq, agent->last + 1));
    if (agent != nullptr && end > 0) agent->last = std::max(agent->last, end - 1);
    const auto repeated = static_cast<std::ptrdiff_t>(from - results->first_seq);
    if (repeated == 0) return std::nullopt;
    core::ResultsReceived news = *results;
    news.dropped_before = 0;
    news.rows.erase(news.rows.begin(), news.rows.begin() + repeated);
    news.first_seq = from;
    return news;
  }

 private:
  struct Seen {
    std::uint64_t incarnation = 0, last = 0;
    std::set<std::uint64_t> past;
  };
  // Null: a life that is over.
  Seen* begin(const AgentName& name, std::uint64_t incarnation) {
    Seen& agent = seen_[name];
    if (agent.past.contains(incarnation)) return nullptr;
    if (agent.incarnation != incarnation) {
      if (agent.incarnation != 0) agent.past.insert(agent.incarnation);
      agent.incarnation = incarnation;
      agent.last = 0;
    }
    return &agent;
  }
  std::map<AgentName, Seen> seen_;
};

// Whoever starts now finds what the one before knew, and without the repetitions the journal gives
// the same state.
void Simulation::check_journal() {
  core::State again;
  std::optional<core::State> once;  // differs from `again` from the first repetition on
  WithoutRepeats repeats;
  for (const Disk::Row& row : world_.disk.rows()) {
    auto entries = store::decode_batch(row.bytes, row.position, compile);
    promise(static_cast<bool>(entries), kJournal, [&] { return entries.error().message; });
    promise(store::encode_batch(*entries) == row.bytes, kJournal, [&] {
      return "position " + std::to_string(row.position) + " is written otherwise than it is read";
    });
    for (const store::JournalEntry& entry : *entries) {
      const auto stripped = repeats.strip(entry.event);
      if (stripped && !once) once = again;
      core::step(again, entry.event, entry.at);
      if (once) core::step(*once, stripped ? *stripped : entry.event, entry.at);
    }
    if (row.position % 64 != 0) continue;
    const std::string fault = core::tally_fault(again);
    promise(fault.empty(), kJournal, [&] { return "a count is wrong: " + fault; });
  }
  const std::string live = dump(leader().state()), folded = dump(again);
  promise(live == folded, kJournal, [&] { return difference(live, folded); });
  promise(store::digest(leader().state()) == store::digest(again), kJournal,
          "the digests of the live and of the recovered state differ");
  if (!once) return;
  again.counters.duplicates = 0;
  once->counters.duplicates = 0;
  const std::string with = dump(again), without = dump(*once);
  promise(with == without, kOnce, [&] { return difference(with, without); });
}

}  // namespace

Verdict simulate(const Options& options) {
  auto simulation = std::make_unique<Simulation>(options);
  Verdict verdict = simulation->run();
  verdict.tally.seeds = 1;
  return verdict;
}

Verdict compare(const Options& options) {
  Verdict faulty = simulate(options);
  if (!faulty.broken.empty()) return faulty;
  Options calm = options;
  calm.with_faults = false;
  calm.rereads_journal = false;  // whose journal holds nothing that the other one's does not
  const Verdict without = simulate(calm);
  faulty.tally.simulated_us += without.tally.simulated_us;
  faulty.tally.steps += without.tally.steps;
  if (!without.broken.empty()) {
    faulty.broken = "without any fault: " + without.broken;
  } else if (faulty.outlook != without.outlook) {
    faulty.broken = std::string(kLiveness) + ": the end differs from that without faults: " +
                    difference(faulty.outlook, without.outlook);
  }
  return faulty;
}

}  // namespace firebreak::sim
