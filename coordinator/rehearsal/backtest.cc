// Two cores side by side: one is told what happened, the other what would have.
#include "coordinator/rehearsal/backtest.h"

#include <algorithm>
#include <set>
#include <variant>

#include "common/limits.h"
#include "coordinator/core/incidents.h"
#include "coordinator/rehearsal/story.h"

namespace firebreak::rehearsal {

namespace {

// As in a test of a policy (world.h): how an action ends of which nothing is recorded.
constexpr Duration kSupposedAfter = std::chrono::seconds(1);

// Whose outcome may still be corrected; an outcome comes within minutes.
constexpr std::size_t kPastActionsMax = 100'000;

struct KnownOutcome {
  core::ActionReported report;
  Duration after{};
};
using ActionKey = std::pair<std::string, std::string>;  // name, target

const core::ActionRun* find_run(const core::State& state, const ActionId& id) {
  const auto running = state.actions_running.find(id);
  if (running == state.actions_running.end()) return nullptr;
  const auto incident = state.incidents.find(running->second);
  if (incident == state.incidents.end()) return nullptr;
  for (const core::ActionRun& run : incident->second.actions)
    if (run.id == id) return &run;
  return nullptr;
}

// One core, what it was asked for, and what came of it.
struct Side {
  core::State state;
  Storyteller story;
  std::map<RequestId, std::pair<AgentName, ProbeKey>> requests;  // that have no answer yet

  std::vector<core::Effect> step(const core::Event& event, Instant at) {
    if (const auto* answered = std::get_if<core::ProbeNowFinished>(&event))
      requests.erase(answered->request);
    auto effects = core::step(state, event, at);
    for (const core::Effect& effect : effects)
      if (const auto* request = std::get_if<core::SendProbeNow>(&effect))
        requests[request->request] = {request->agent, request->key};
    // Those whose deadline has passed are not waited for any more.
    std::erase_if(requests, [this](const auto& one) {
      return !state.requests.contains(one.first) && !state.verifications.contains(one.first);
    });
    story.note(state, effects, at);
    return effects;
  }
};

}  // namespace

class Backtest::Play {
 public:
  Play(core::State start, std::shared_ptr<const policy::Policy> policy, Span span)
      : policy_(std::move(policy)), span_(span) {
    recorded_.state = std::move(start);
    last_ = recorded_.state.now;
  }

  Result<bool> take(const core::Event& event, Instant at) {
    if (at < last_)
      return make_error(Errc::corrupt,
                        "the journal goes back in time; `firebreak doctor` says what can be saved");
    last_ = at;
    if (at < span_.since) {
      core::step(recorded_.state, event, at);
      return true;
    }
    if (!forked_) fork();
    if (at > span_.until) {
      pass(span_.until);
      return false;
    }
    pass(at);
    learn(event, at);
    recorded_.step(event, at);
    replay(event, at);
    if (recorded_.story.is_full() || other_.story.is_full())
      return make_error(Errc::resource_exhausted, "more than " +
                                                      std::to_string(kBacktestIncidentsMax) +
                                                      " incidents: ask for a shorter time");
    return true;
  }

  BacktestResult finish() {
    if (!forked_) fork();
    BacktestResult result;
    result.since = span_.since;
    result.until = std::min(span_.until, last_);
    result.incidents = compare(recorded_.story, other_.story);
    result.results = results_;
    result.outcomes_supposed = outcomes_supposed_;
    result.checks_supposed = checks_supposed_;
    result.commands_ignored = commands_ignored_;
    for (const auto& [name, service] : policy_->services)
      for (const policy::Probe& probe : service.probes)
        if (!was_seen({name, probe.name}))
          result.probes_unseen.push_back(name.str() + "/" + probe.name.str());
    return result;
  }

 private:
  void fork() {
    forked_ = true;
    recorded_.story.begin(recorded_.state);
    other_.state = recorded_.state;
    other_.story.begin(other_.state);
    share_what_runs();
    if (other_.state.policy && other_.state.policy->digest != policy_->digest)
      step_other(core::PolicyChanged{policy_, "backtest"}, std::max(span_.since, last_or_start()));
  }
  [[nodiscard]] Instant last_or_start() const { return other_.state.now; }

  // What was asked for before the two part is answered for both.
  void share_what_runs() {
    const core::State& state = other_.state;
    for (const auto& [id, incident] : state.actions_running) awaited_.actions.insert(id);
    for (const auto& [id, incident] : state.incidents)
      for (const core::ActionRun& run : incident.actions)
        if (!awaited_.actions.contains(run.id)) awaited_.past_actions.insert(run.id);
    for (const auto& [id, pending] : state.notifications_pending) awaited_.notifications.insert(id);
    for (const auto& [id, validation] : state.requests) awaited_.requests.insert(id);
    for (const auto& [id, incident] : state.verifications) awaited_.requests.insert(id);
  }

  [[nodiscard]] bool was_seen(const ProbeKey& key) const {
    return std::any_of(recorded_.state.agents.begin(), recorded_.state.agents.end(),
                       [&](const auto& agent) {
                         const auto& refs = agent.second.refs;
                         return std::any_of(refs.begin(), refs.end(), [&](const auto& ref) {
                           return ref.key() == std::optional<ProbeKey>(key);
                         });
                       });
  }

  // Time goes on to `at` for the other core: its answers come, and it wakes where the recorded one
  // did not. Where that one did, its own tick follows, at the instant at which it was.
  void pass(Instant at) {
    for (;;) {
      const auto wake = core::next_wake(other_.state);
      const auto theirs = core::next_wake(recorded_.state);
      std::optional<Instant> next;
      if (wake && (!theirs || *wake < *theirs))
        next = std::max(*wake, last_tick_ + limits::kTickIntervalMin);
      if (!pending_.empty() && (!next || pending_.begin()->first <= *next)) {
        if (pending_.begin()->first >= at) return;
        const auto first = pending_.begin();
        const Instant when = std::max(first->first, other_.state.now);
        const core::Event event = std::move(first->second);
        pending_.erase(first);
        step_other(event, when);
        continue;
      }
      if (!next || *next >= at) return;
      last_tick_ = std::max(*next, other_.state.now);
      step_other(core::Tick{}, last_tick_);
    }
  }

  // What is known of the world beyond what the recorded core asked for.
  void learn(const core::Event& event, Instant at) {
    if (const auto* results = std::get_if<core::ResultsReceived>(&event))
      results_ += results->rows.size();
    const auto* report = std::get_if<core::ActionReported>(&event);
    if (report == nullptr || !core::is_final(report->state)) return;
    if (const core::ActionRun* run = find_run(recorded_.state, report->action))
      outcomes_[{run->name.str(), run->target}] = {*report, at - run->ordered};
  }

  void replay(const core::Event& event, Instant at) {
    if (!other_.state.policy && recorded_.state.policy)
      return step_other(core::PolicyChanged{policy_, "backtest"}, at);
    if (const auto translated = translate(event)) step_other(*translated, at);
    if (const auto* results = std::get_if<core::ResultsReceived>(&event)) answer_from(*results, at);
  }

  // The event as the other core is told it; empty: it is not.
  std::optional<core::Event> translate(const core::Event& event) {
    if (const auto* changed = std::get_if<core::PolicyChanged>(&event)) {
      if (changed->policy && changed->policy->digest == policy_->digest) return event;
      return std::nullopt;
    }
    if (const auto* report = std::get_if<core::ActionReported>(&event))
      return is_shared(report->action, true) ? std::optional(event) : std::nullopt;
    if (const auto* lapsed = std::get_if<core::OrderLapsed>(&event))
      return is_shared(lapsed->action, false) ? std::optional(event) : std::nullopt;
    if (const auto* finished = std::get_if<core::NotificationFinished>(&event))
      return awaited_.notifications.erase(finished->notification) > 0 ? std::optional(event)
                                                                      : std::nullopt;
    if (const auto* answer = std::get_if<core::ProbeNowFinished>(&event))
      return awaited_.requests.erase(answer->request) > 0 ? std::optional(event) : std::nullopt;
    if (const auto* asked = std::get_if<core::OperatorAsked>(&event)) return translate(*asked);
    return event;
  }

  // Whether the other core ordered the same under this id. `corrects`: also when it is over, for
  // outcomes come late.
  bool is_shared(const ActionId& id, bool corrects) {
    if (awaited_.actions.contains(id)) return true;
    return corrects && awaited_.past_actions.contains(id);
  }

  std::optional<core::Event> translate(const core::OperatorAsked& asked) {
    core::OperatorAsked mine = asked;
    const bool means_something =
        std::visit([this](auto& what) { return this->adapt(what); }, mine.what);
    core::Event event = std::move(mine);
    if (means_something && core::admissible(other_.state, event)) return event;
    // What was refused or had no effect then has none now either, and is not counted.
    ++commands_ignored_;
    return std::nullopt;
  }
  template <class What>
  bool adapt(What& what) const {
    if constexpr (requires { what.incident; }) {
      const auto twin = twin_of(what.incident);
      if (twin) what.incident = *twin;
      if constexpr (requires { what.severity; })
        if (twin && what.severity) return adapt_severity(*what.severity);
      return twin.has_value();
    } else if constexpr (requires { what.severity; }) {
      return adapt_severity(what.severity);
    } else {
      return true;
    }
  }
  bool adapt_severity(policy::SeverityIndex& severity) const {
    if (!other_.state.policy || !recorded_.state.policy) return false;
    const auto& theirs = recorded_.state.policy->severities;
    const auto& mine = other_.state.policy->severities;
    if (severity >= theirs.size() || mine.empty()) return false;
    const auto same = other_.state.policy->find_severity(theirs[severity].name);
    severity = same ? *same : std::min(severity, mine.size() - 1);
    return true;
  }
  // The other core's incident of the same outage.
  [[nodiscard]] std::optional<IncidentId> twin_of(const IncidentId& id) const {
    const auto theirs = recorded_.state.incidents.find(id);
    if (theirs == recorded_.state.incidents.end()) return std::nullopt;
    const auto mine = other_.state.incidents.find(id);
    if (mine != other_.state.incidents.end() && mine->second.service == theirs->second.service)
      return id;
    const core::Incident* open = core::open_incident_of(other_.state, theirs->second.service);
    return open == nullptr ? std::nullopt : std::optional(open->id);
  }

  void step_other(const core::Event& event, Instant at) {
    for (const core::Effect& effect : other_.step(event, at)) perform(effect, at);
    std::erase_if(awaited_.actions, [this](const ActionId& id) {
      if (other_.state.actions_running.contains(id)) return false;
      awaited_.past_actions.insert(id);
      return true;
    });
    while (awaited_.past_actions.size() > kPastActionsMax)
      awaited_.past_actions.erase(awaited_.past_actions.begin());
    std::erase_if(awaited_.requests, [this](const RequestId& id) {
      return !other_.state.requests.contains(id) && !other_.state.verifications.contains(id);
    });
  }

  void perform(const core::Effect& effect, Instant at) {
    if (const auto* order = std::get_if<core::OrderHostAction>(&effect))
      order_action(order->action, "agent:" + order->agent.str(), at);
    else if (const auto* http = std::get_if<core::RunHttpAction>(&effect))
      order_action(http->action, "engine", at);
    else if (const auto* sent = std::get_if<core::SendNotification>(&effect))
      notify(*sent, at);
    else if (const auto* request = std::get_if<core::SendProbeNow>(&effect))
      ask_probe(*request, at);
  }

  void order_action(const ActionId& id, std::string reporter, Instant at) {
    const core::ActionRun* mine = find_run(other_.state, id);
    if (mine == nullptr) return;
    const core::ActionRun* theirs = find_run(recorded_.state, id);
    if (theirs != nullptr && theirs->name == mine->name && theirs->target == mine->target &&
        theirs->ordered == mine->ordered) {
      awaited_.actions.insert(id);
      return;
    }
    ++outcomes_supposed_;
    KnownOutcome outcome;
    outcome.report.state = core::ActionState::succeeded;
    outcome.after = kSupposedAfter;
    const auto known = outcomes_.find({mine->name.str(), mine->target});
    if (known != outcomes_.end()) outcome = known->second;
    outcome.report.action = id;
    outcome.report.reporter = std::move(reporter);
    pending_.emplace(at + outcome.after, std::move(outcome.report));
  }

  void notify(const core::SendNotification& sent, Instant at) {
    const auto theirs = recorded_.state.notifications_pending.find(sent.notification);
    if (theirs != recorded_.state.notifications_pending.end() &&
        theirs->second.incident == sent.incident && theirs->second.receiver == sent.receiver &&
        theirs->second.what == core::to_string(sent.kind)) {
      awaited_.notifications.insert(sent.notification);
      return;
    }
    pending_.emplace(at, core::NotificationFinished{sent.notification, true, 1, {}});
  }

  void ask_probe(const core::SendProbeNow& request, Instant at) {
    const auto theirs = recorded_.requests.find(request.request);
    if (theirs != recorded_.requests.end() && theirs->second.first == request.agent &&
        theirs->second.second == request.key) {
      awaited_.requests.insert(request.request);
      return;
    }
    if (other_.state.policy->find_probe(request.key) != nullptr) {
      open_[{request.agent, request.key}].push_back(request.request);
      return;
    }
    // A check that is no probe of the service was never looked at but by validations.
    ++checks_supposed_;
    Observation good;
    good.status = Status::ok;
    pending_.emplace(at, core::ProbeNowFinished{request.agent, request.request, good});
  }

  // A one-shot probe that was not recorded has seen what that agent's next result says.
  void answer_from(const core::ResultsReceived& results, Instant at) {
    if (open_.empty()) return;
    const auto agent = recorded_.state.agents.find(results.agent);
    if (agent == recorded_.state.agents.end()) return;
    for (const core::ResultRow& row : results.rows) {
      if (row.ref >= agent->second.refs.size() || !agent->second.refs[row.ref].key()) continue;
      const auto waiting = open_.find({results.agent, *agent->second.refs[row.ref].key()});
      if (waiting == open_.end()) continue;
      const auto requests = std::move(waiting->second);
      open_.erase(waiting);
      for (const RequestId& request : requests)
        step_other(core::ProbeNowFinished{results.agent, request, row.observation}, at);
    }
    std::erase_if(open_, [this](const auto& one) {
      return std::none_of(one.second.begin(), one.second.end(), [this](const RequestId& request) {
        return other_.requests.contains(request);
      });
    });
  }

  // What the recording will answer for the other core too.
  struct Awaited {
    std::set<ActionId> actions;
    std::set<ActionId> past_actions;  // over for it, and bounded
    std::set<NotificationId> notifications;
    std::set<RequestId> requests;
  };

  const std::shared_ptr<const policy::Policy> policy_;
  const Span span_;
  Side recorded_, other_;
  bool forked_ = false;
  Instant last_{};
  Instant last_tick_{};
  std::multimap<Instant, core::Event> pending_;
  std::map<ActionKey, KnownOutcome> outcomes_;  // the newest of each; as many as the policy has
  std::map<std::pair<AgentName, ProbeKey>, std::vector<RequestId>> open_;
  Awaited awaited_;
  std::uint64_t results_ = 0;
  std::uint64_t outcomes_supposed_ = 0;
  std::uint64_t checks_supposed_ = 0;
  std::uint64_t commands_ignored_ = 0;
};

Backtest::Backtest(core::State start, std::shared_ptr<const policy::Policy> policy, Span span)
    : play_(std::make_unique<Play>(std::move(start), std::move(policy), span)) {}
Backtest::~Backtest() = default;

Result<bool> Backtest::take(const core::Event& event, Instant at) {
  return play_->take(event, at);
}
BacktestResult Backtest::finish() {
  return play_->finish();
}

}  // namespace firebreak::rehearsal
