// Wires schedule, prober, uplink and actuator together; every decision is one of theirs.
#include "agent/agent.h"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <firebreak/v1/agent.pb.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "agent/actuator_client.h"
#include "agent/heartbeat_server.h"
#include "agent/inbound.h"
#include "agent/lookout.h"
#include "agent/schedule.h"
#include "agent/state/epoch_file.h"
#include "agent/time_line.h"
#include "agent/uplink.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/pki.h"
#include "common/sd_notify.h"
#include "probes/run.h"

namespace firebreak::agent {
namespace {

using namespace std::chrono_literals;
using boost::system::error_code;

constexpr Duration kTellEvery = 10s;
constexpr Duration kActuatorAnswersWithin = 1s;  // before the first hello
constexpr auto kExpiryWarning = std::chrono::days(14);
constexpr std::size_t kRefusedProbesLogged = 10;

Observation not_run(Reason reason, std::string why) {
  Observation observation;
  observation.status = Status::unknown;
  observation.reason = reason;
  observation.evidence = std::move(why);
  return observation;
}

std::vector<std::string> usable_names(std::vector<std::string> names) {
  std::erase_if(names, [](const std::string& name) { return !is_valid_name(name); });
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  if (names.size() > limits::kActionsPerHostMax) names.resize(limits::kActionsPerHostMax);
  return names;
}

std::set<std::string> heartbeats_of(const std::vector<AssignedProbe>& probes) {
  std::set<std::string> names;
  for (const AssignedProbe& probe : probes)
    if (const auto* spec = std::get_if<HeartbeatSpec>(&probe.spec.kind)) names.insert(spec->name);
  return names;
}

void warn_of_expiry(const pki::TlsFiles& tls, WallTime now) {
  const auto info = pki::read_certificate_info(tls.certificate);
  if (!info || info->not_after > now + kExpiryWarning) return;
  const Instant end = instant_from_unix_us(info->not_after.time_since_epoch().count());
  log::warning(info->not_after <= now
                   ? "the certificate has expired, no coordinator accepts it: issue a new one"
                   : "the certificate expires soon: issue a new one",
               {{"certificate", tls.certificate}, {"expires", format_utc(end)}});
}

}  // namespace

Result<AgentSettings> prepare(Config config, const Clock& clock) {
  const auto material = pki::read_tls_material(config.tls);
  if (!material) return material.error();
  if (material->identity.role != pki::Role::agent) {
    return make_error(Errc::permission_denied,
                      config.tls.certificate + " is for " + pki::identity_uri(material->identity) +
                          ", expected an agent's; issue it with 'firebreak pki agent'");
  }
  if (::access(config.state.c_str(), R_OK | W_OK | X_OK) != 0) {
    return make_error(Errc::failed_precondition,
                      config.state +
                          " must be a folder that the agent can write to; under "
                          "systemd StateDirectory= makes it");
  }
  const auto seen = read_epoch(config.state);
  if (!seen) return seen.error();
  if (!seen->is_checked)  // a version before this one wrote it
    if (auto written = write_epoch(config.state, seen->epoch); !written) return written.error();
  auto handed_over = HandedOver::open(config.state);
  if (!handed_over) return handed_over.error();
  warn_of_expiry(config.tls, clock.wall());
  auto spool = open_spool(config.state, config.spool, clock);
  if (!spool) return spool.error();
  AgentSettings settings{std::move(config), AgentName(material->identity.name), *std::move(spool),
                         UplinkOptions{}, *std::move(handed_over)};
  settings.uplink.epoch_seen = seen->epoch;
  return settings;
}

class Agent::Impl {
 public:
  Impl(boost::asio::io_context& io, const Clock& clock, AgentSettings settings,
       std::function<void()> stopped)
      : io_(io),
        clock_(clock),
        settings_(std::move(settings)),
        stopped_(std::move(stopped)),
        schedule_(settings_.name.str()),
        seed_(settings_.spool.start.incarnation),
        uplink_(io, clock, Rng(seed_), uplink_settings(), uplink_handlers()),
        due_timer_(io),
        start_timer_(io),
        tell_timer_(io) {}

  void start() {
    log::info("agent starts", {{"agent", settings_.name.str()}, {"version", FIREBREAK_VERSION}});
    ProberOptions options;
    options.checks = settings_.checks;
    start_heartbeats(options);
    options.is_resident = true;
    options.in_flight_max = settings_.config.probes_at_once;
    options.per_target_max = settings_.config.probes_per_target;
    prober_.emplace(io_, options);
    lookout_.emplace(io_, clock_, lookout_settings());
    if (settings_.config.actuator.empty()) {
      start_link();
    } else {
      start_actuator();
    }
    sd::notify("READY=1");
    tell();
  }

  void stop() {
    if (std::exchange(is_stopping_, true)) return;
    log::info("agent stops", {{"unsent", std::uint64_t{uplink_.outbox().size()}}});
    sd::notify("STOPPING=1\nSTATUS=sending the last results");
    due_timer_.cancel();
    start_timer_.cancel();
    prober_.reset();
    lookout_.reset();
    if (heartbeats_) heartbeats_->stop();
    uplink_.stop();
  }

 private:
  [[nodiscard]] Instant now() const { return time_line(clock_); }

  UplinkSettings uplink_settings() {
    UplinkSettings uplink;
    uplink.coordinators = settings_.config.coordinators;
    uplink.tls = settings_.config.tls;
    uplink.labels = settings_.config.labels;
    uplink.version = FIREBREAK_VERSION;
    uplink.state = settings_.config.state;
    uplink.spool = std::move(settings_.spool);
    uplink.options = settings_.uplink;
    return uplink;
  }

  LookoutSettings lookout_settings() {
    LookoutSettings lookout;
    lookout.anchors = settings_.config.anchors;
    lookout.coordinators = settings_.config.coordinators;
    lookout.heard = [this] { return uplink_.heard(); };
    return lookout;
  }

  UplinkHandlers uplink_handlers() {
    UplinkHandlers handlers;
    handlers.attached = [this] {
      if (lookout_) lookout_->note_link();
      if (actuator_) actuator_->refresh(uplink_.epoch());
    };
    handlers.assignment = [this](const v1::Assignment& message) { assign(message); };
    handlers.probe_now = [this](const v1::ProbeNow& message) { probe_now(message); };
    handlers.order = [this](const v1::ActionOrder& order) { obey(order); };
    handlers.outcome_acknowledged = [this](const ActionId& action) { acknowledged(action); };
    handlers.stopped = [this] {
      actuator_.reset();
      tell_timer_.cancel();
      stopped_();
    };
    return handlers;
  }

  // --- Starting ---

  void start_heartbeats(ProberOptions& options) {
    if (!settings_.config.heartbeats) return;
    heartbeats_.emplace(io_, clock_, *settings_.config.heartbeats, settings_.config.state,
                        read_boot_id());
    heartbeats_->start();
    options.heartbeats = [this](const std::string& name) { return heartbeats_->find(name); };
  }

  // The first hello should already name the actions, but must not wait for a hung actuator.
  void start_actuator() {
    ActuatorHandlers handlers;
    handlers.actions = [this](std::vector<std::string> names) {
      if (is_stopping_) return;
      uplink_.set_actions(usable_names(std::move(names)));
      start_link();
    };
    handlers.outcome = [this](const v1::ActionOutcome& outcome) { uplink_.send_outcome(outcome); };
    start_timer_.expires_after(kActuatorAnswersWithin);
    start_timer_.async_wait([this](const error_code& cancelled) {
      if (!cancelled) start_link();
    });
    actuator_.emplace(io_, clock_, Rng(seed_ + 1), settings_.config.actuator,
                      std::move(settings_.handed_over), std::move(handlers));
  }

  void start_link() {
    if (is_stopping_ || std::exchange(is_link_started_, true)) return;
    start_timer_.cancel();
    uplink_.start();
  }

  // --- Probing ---

  void assign(const v1::Assignment& message) {
    auto assignment = from_proto(message);
    if (!assignment) {
      log::error("assignment refused, the one before it stays",
                 {{"error", assignment.error().message}});
      return;
    }
    log::info("assigned", {{"generation", assignment->generation},
                           {"probes", std::uint64_t{assignment->probes.size()}},
                           {"refused", std::uint64_t{assignment->refused.size()}}});
    if (heartbeats_) heartbeats_->expect(heartbeats_of(assignment->probes));
    schedule_.replace(std::move(assignment->probes), now());
    report_refused(assignment->refused);
    wait_for_due();
  }

  void report_refused(const std::vector<RefusedProbe>& refused) {
    std::size_t logged = 0;
    for (const RefusedProbe& probe : refused) {
      if (++logged <= kRefusedProbesLogged)
        log::warning("assigned probe refused",
                     {{"service", probe.key ? probe.key->service.str() : ""},
                      {"probe", probe.key ? probe.key->probe.str() : ""},
                      {"error", probe.reason}});
      if (!probe.key) continue;
      const Instant at = now();
      uplink_.push(
          {*probe.key, true, true, at.time_since_epoch(), not_run(Reason::config, probe.reason)});
    }
  }

  void wait_for_due() {
    if (is_stopping_) return;
    const auto due = schedule_.next_due();
    if (due == due_at_) return;
    due_at_ = due;
    due_timer_.cancel();
    if (!due) return;
    due_timer_.expires_after(std::max<Duration>(*due - now(), Duration::zero()));
    due_timer_.async_wait([this](const error_code& cancelled) {
      if (cancelled) return;
      due_at_.reset();
      run_due();
    });
  }

  void run_due() {
    if (is_stopping_) return;  // the timer had fired before it was cancelled
    const Instant at = now();
    const std::vector<DueRun> due = schedule_.take_due(at);
    wait_for_due();  // first: the timer that is due next is set once
    for (const DueRun& run : due) {
      prober_->start(*run.spec, [this, run, at](Observation observation) {
        const bool is_known = schedule_.believed(run.key) == observation.status;
        lookout_->judge(
            {*run.spec, at, is_known}, std::move(observation),
            [this, id = run.id, at](Observation seen) { finish(id, at, std::move(seen)); });
      });
    }
  }

  void finish(std::uint64_t run, Instant started, Observation observation) {
    const auto judgement = schedule_.finished(run, observation.status, now());
    if (judgement) report(*judgement, started, std::move(observation));
  }

  void report(const Judgement& judgement, Instant started, Observation observation) {
    uplink_.push({judgement.key, judgement.confirmed, judgement.news, started.time_since_epoch(),
                  std::move(observation)});
    wait_for_due();  // a result that differs is confirmed soon
  }

  void probe_now(const v1::ProbeNow& message) {
    const auto asked = from_proto(message);
    if (!asked) {
      log::warning("one-shot probe refused", {{"error", asked.error().message}});
      return;
    }
    if (!asked->spec) {
      log::warning("one-shot probe refused",
                   {{"request", asked->request.str()}, {"error", asked->spec.error().message}});
      return uplink_.send_probe_now_result(asked->request,
                                           not_run(Reason::config, asked->spec.error().message));
    }
    if (probes_now_ >= limits::kProbesNowMax) {
      return uplink_.send_probe_now_result(
          asked->request, not_run(Reason::prober, std::to_string(probes_now_) +
                                                      " one-shot probes run already, more are not "
                                                      "started on one agent"));
    }
    ++probes_now_;
    const auto answer = [this, request = asked->request, key = asked->key,
                         at = now()](Observation observation) {
      --probes_now_;
      uplink_.send_probe_now_result(request, observation);
      if (!key) return;
      const auto judgement = schedule_.observed(*key, observation.status, now());
      if (judgement) report(*judgement, at, std::move(observation));
    };
    prober_->start(*asked->spec,
                   [this, spec = *asked->spec, at = now(), answer](Observation observation) {
                     lookout_->judge({spec, at}, std::move(observation), answer);
                   });
  }

  // --- Acting ---

  void obey(const v1::ActionOrder& order) {
    const auto checked = check(order);
    if (!checked) {
      log::warning("order refused", {{"error", checked.error().message}});
      if (has_usable_id(order)) uplink_.send_outcome(refusal_of(order, checked.error().message));
      return;
    }
    log::info(
        "ordered",
        {{"action", order.name()}, {"id", order.action_id()}, {"incident", order.incident()}});
    if (actuator_) return actuator_->order(order);
    uplink_.send_outcome(
        refusal_of(order, "this host only probes: its agent.yaml names no actuator"));
  }

  void acknowledged(const ActionId& action) {
    if (actuator_ && action.str().size() <= limits::kActionIdBytesMax)
      actuator_->acknowledge(action);
  }

  // --- Telling ---

  // From the loop, so that a hung loop is noticed by the service manager.
  void tell() {
    sd::notify("WATCHDOG=1\nSTATUS=" + uplink_.describe() + "; " +
               std::to_string(schedule_.size()) + " probes, " +
               std::to_string(uplink_.outbox().size()) + " results kept" +
               (lookout_ && lookout_->blind_since() ? "; blind: no anchor answers" : ""));
    tell_losses();
    tell_stalls();
    tell_timer_.expires_after(std::min(kTellEvery, sd::watchdog_interval().value_or(kTellEvery)));
    tell_timer_.async_wait([this](const error_code& cancelled) {
      if (!cancelled) tell();
    });
  }

  void tell_losses() {
    const std::uint64_t dropped = uplink_.dropped();
    const std::uint64_t skipped = schedule_.skipped();
    if (dropped > told_dropped_)
      log::warning(
          "results were dropped at the spool's bound: no coordinator takes them, or the disk is "
          "full",
          {{"results", dropped - told_dropped_}});
    if (skipped > told_skipped_)
      log::warning(
          "runs were skipped: a probe takes longer than its interval, or this host slept or is "
          "too slow",
          {{"runs", skipped - told_skipped_}});
    told_dropped_ = dropped;
    told_skipped_ = skipped;
  }

  // Once for each spell.
  void tell_stalls() {
    const Duration lost = prober_ ? prober_->lost() : told_lost_;
    const Duration more = lost - std::exchange(told_lost_, lost);
    const bool is_late = more >= Duration(limits::kProberStallMax);
    if (is_late && !is_late_)
      log::warning(
          "this agent did not run for a while (no processor for it, stopped, or suspended); what "
          "its probes missed meanwhile is unknown and blames no target",
          {{"lost", humanize_duration(more)}});
    is_late_ = is_late;
  }

  boost::asio::io_context& io_;
  const Clock& clock_;
  AgentSettings settings_;
  std::function<void()> stopped_;
  Schedule schedule_;
  std::uint64_t seed_ = 0;  // of jitter
  Uplink uplink_;
  std::optional<ActuatorClient> actuator_;
  std::optional<Prober> prober_;
  std::optional<Lookout> lookout_;
  std::optional<HeartbeatServer> heartbeats_;
  boost::asio::steady_timer due_timer_;
  boost::asio::steady_timer start_timer_;
  boost::asio::steady_timer tell_timer_;
  std::optional<Instant> due_at_;
  std::size_t probes_now_ = 0;
  std::uint64_t told_dropped_ = 0;
  std::uint64_t told_skipped_ = 0;
  Duration told_lost_{};
  bool is_late_ = false;
  bool is_link_started_ = false;
  bool is_stopping_ = false;
};

Agent::Agent(boost::asio::io_context& io, const Clock& clock, AgentSettings settings,
             std::function<void()> stopped)
    : impl_(std::make_unique<Impl>(io, clock, std::move(settings), std::move(stopped))) {}

Agent::~Agent() = default;

void Agent::start() {
  impl_->start();
}

void Agent::stop() {
  impl_->stop();
}

}  // namespace firebreak::agent
