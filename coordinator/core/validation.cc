// One check at a time, until one does not pass or all have.
#include "coordinator/core/validation.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "common/limits.h"
#include "common/text.h"
#include "coordinator/core/inputs.h"
#include "coordinator/core/rules.h"
#include "coordinator/core/signal_values.h"

namespace firebreak::core {

namespace {

using policy::Check;
using policy::ProbeCheck;
using policy::SignalCheck;

constexpr Duration kLongest = limits::kValidationTimeMax;
constexpr std::size_t kEvidenceShownBytes = 200;
constexpr std::size_t kSignalsShown = 4;
constexpr std::size_t kAgentsShown = 3;

// Times of a policy are not bounded all; a sum with one of these cannot overflow.
Duration bounded(Duration duration) {
  return std::clamp(duration, Duration{0}, kLongest);
}

const std::vector<Check>& checklist_of(const Validation& validation) {
  static const std::vector<Check> kNone;
  const policy::Service* service =
      validation.policy ? validation.policy->find_service(validation.service) : nullptr;
  return service == nullptr ? kNone : service->checklist;
}

Duration longest_run(const Check& check) {
  if (const auto* signal = std::get_if<SignalCheck>(&check.what)) return bounded(signal->within);
  const auto& probe = std::get<ProbeCheck>(check.what);
  const Duration one =
      std::max<Duration>(bounded(probe.every), probe.spec.timeout + limits::kProbeAnswerGrace);
  return one * probe.attempts;
}

Duration longest_run(const std::vector<Check>& checks) {
  Duration sum = std::chrono::minutes(1);
  for (const Check& check : checks) sum = std::min(sum + longest_run(check), kLongest);
  return sum;
}

std::vector<AgentName> attached_agents(const State& state, const ServiceName& service) {
  std::vector<AgentName> attached;
  const auto vantages = state.vantages.find(service);
  if (vantages == state.vantages.end()) return attached;
  for (const AgentName& name : vantages->second) {
    const auto agent = state.agents.find(name);
    if (agent != state.agents.end() && agent->second.attached) attached.push_back(name);
  }
  return attached;
}

// ---- one observation

class ObservationValues final : public cel::Activation {
 public:
  explicit ObservationValues(const Observation& observation) : observation_(observation) {}
  cel::Value variable(std::string_view path) const override {
    if (path == "status") return to_string(observation_.status);
    if (path == "latency") return observation_.latency;
    if (path == "value" && !observation_.values.empty()) return observation_.values.front().value;
    if (path == "values") {
      cel::Map values;
      for (const NamedValue& value : observation_.values) values.emplace(value.name, value.value);
      return values;
    }
    return cel::Unknown{{std::string(path)}};
  }
  cel::Value call(int /*id*/, std::span<const cel::Value> /*arguments*/) const override {
    return cel::Error{"no such function"};
  }

 private:
  const Observation& observation_;
};

bool reads_status(const cel::Program& program) {
  return std::any_of(program.reads().begin(), program.reads().end(),
                     [](const cel::Read& read) { return read.path == "status"; });
}

std::string describe(const Observation& observation) {
  std::string text = to_string(observation.status);
  if (observation.reason != Reason::none) text += std::string(" (") + to_string(observation.reason);
  if (observation.reason != Reason::none && observation.phase != firebreak::Phase::none)
    text += std::string(" in ") + to_string(observation.phase);
  if (observation.reason != Reason::none) text += ")";
  if (!observation.evidence.empty())
    text += ": " + to_valid_utf8(observation.evidence, kEvidenceShownBytes);
  return text;
}

std::string describe_numbers(const Observation& observation) {
  std::string text = "latency " + humanize_duration(observation.latency);
  if (!observation.values.empty()) {
    const NamedValue& first = observation.values.front();
    text += ", " + first.name + " " + cel::to_string(cel::Value(first.value));
  }
  return text;
}

struct Judged {
  Verdict verdict = Verdict::inconclusive;
  std::string text;
};

// A run without a verdict proves nothing. A failed run is never good, unless the check's
// expectation is about the status itself.
Judged judge(const ProbeCheck& check, const Observation& observation) {
  if (observation.status == Status::unknown) return {Verdict::inconclusive, describe(observation)};
  if (!check.expect) {
    const bool good = observation.status == Status::ok;
    return {good ? Verdict::passed : Verdict::failed, describe(observation)};
  }
  if (observation.status == Status::critical && !reads_status(*check.expect))
    return {Verdict::failed, describe(observation)};
  const cel::Value value = check.expect->evaluate(ObservationValues(observation));
  if (value.is_true()) return {Verdict::passed, describe(observation)};
  const std::string what = "'" + check.expect->text() + "' is ";
  if (value.is_false())
    return {Verdict::failed, what + "false (" + describe_numbers(observation) + ")"};
  return {Verdict::inconclusive, what + cel::to_string(value)};
}

// ---- a probe check

void ask_agents(Turn& turn, const Validation& validation, const ProbeCheck& check,
                CheckState& state, const std::vector<AgentName>& attached) {
  const auto ask = [&](const AgentName& agent) {
    const RequestId request(turn.next_id("probe"));
    state.waiting.emplace(request, agent);
    turn.state.requests.emplace(request, validation.id);
    turn.emit(SendProbeNow{agent, request, check.key, check.spec});
  };
  if (check.from == policy::CheckFrom::all) {
    for (const AgentName& agent : attached) ask(agent);
  } else {
    // Another one each time: an agent that does not answer is not asked for ever.
    ask(attached[static_cast<std::size_t>(state.attempt - 1) % attached.size()]);
  }
}

// The running attempt's verdict: good only when every agent that was asked says so.
Verdict verdict_of(const CheckState& state) {
  bool all_passed = !state.answers.empty();
  for (const auto& [agent, verdict] : state.answers) {
    if (verdict == Verdict::failed) return Verdict::failed;
    all_passed = all_passed && verdict == Verdict::passed;
  }
  return all_passed ? Verdict::passed : Verdict::inconclusive;
}

void forget_requests(Turn& turn, CheckState& state) {
  for (const auto& [request, agent] : state.waiting) turn.state.requests.erase(request);
  state.waiting.clear();
  state.waiting_until.reset();
}

std::string names_of(const CheckState& state) {
  std::vector<std::string> names;
  for (const auto& [agent, verdict] : state.answers) {
    if (names.size() == kAgentsShown) {
      names.push_back(std::to_string(state.answers.size() - kAgentsShown) + " more");
      break;
    }
    names.push_back(agent.str());
  }
  return join_words(names);
}

std::string progress_of(const ProbeCheck& check, const CheckState& state) {
  std::string text;
  if (check.passes > 1)
    text =
        std::to_string(state.passes) + " of " + std::to_string(check.passes) + " in a row; last: ";
  return text + (state.last.empty() ? "ok from " + names_of(state) : state.last);
}

// Whoever has not answered by now does not count as healthy.
void end_attempt(Turn& turn, const ProbeCheck& check, CheckState& state) {
  for (const auto& [request, agent] : state.waiting) {
    state.answers.emplace_back(agent, Verdict::inconclusive);
    if (state.last.empty()) state.last = "no answer from " + agent.str();
  }
  forget_requests(turn, state);
  const Verdict verdict = verdict_of(state);
  state.passes = verdict == Verdict::passed ? state.passes + 1 : 0;
  if (verdict == Verdict::failed) ++state.failures;
  state.detail = progress_of(check, state);
}

// False: there is nobody to ask.
bool begin_attempt(Turn& turn, const Validation& validation, const ProbeCheck& check,
                   CheckState& state) {
  ++state.attempt;
  state.answers.clear();
  state.last.clear();
  state.next_attempt = turn.now + bounded(check.every);
  const std::vector<AgentName> attached = attached_agents(turn.state, validation.service);
  if (attached.empty()) {
    state.last = "no agent of the service is attached";
    end_attempt(turn, check, state);
    return false;
  }
  state.waiting_until = turn.now + check.spec.timeout + limits::kProbeAnswerGrace;
  ask_agents(turn, validation, check, state, attached);
  return true;
}

Verdict judge_attempts(const ProbeCheck& check, const CheckState& state) {
  if (state.passes >= check.passes) return Verdict::passed;
  // Also when what is left could not be enough any more.
  if (check.attempts - state.attempt >= check.passes - state.passes) return Verdict::running;
  return state.failures > 0 ? Verdict::failed : Verdict::inconclusive;
}

Verdict advance(Turn& turn, const Validation& validation, const ProbeCheck& check,
                CheckState& state) {
  while (true) {
    if (state.waiting_until) {
      if (!state.waiting.empty() && turn.now < *state.waiting_until) return Verdict::running;
      end_attempt(turn, check, state);
    }
    if (state.attempt > 0) {
      const Verdict verdict = judge_attempts(check, state);
      if (verdict != Verdict::running) return verdict;
      if (turn.now < *state.next_attempt) return Verdict::running;
    }
    // With nobody there at the beginning, waiting for the rest of the attempts tells no more.
    if (!begin_attempt(turn, validation, check, state) && state.attempt == 1)
      return Verdict::inconclusive;
  }
}

std::optional<Instant> due(const ProbeCheck& /*check*/, const CheckState& state, Instant /*now*/) {
  return state.waiting_until ? state.waiting_until : state.next_attempt;
}

// ---- a signal check

// Of the probe that has fewest: one that is silent cannot hide behind another.
std::size_t least_samples(const State& state, const Validation& validation,
                          const SignalCheck& check, Duration window, Instant now) {
  std::optional<std::size_t> least;
  for (const cel::Call& call : check.expect.calls()) {
    const auto signal = signal_call(call, validation.service);
    if (!signal) continue;
    const Window* results = fresh_window(state, signal->probe, now);
    const std::size_t samples = results == nullptr ? 0 : results->counts(window, now).samples;
    least = least ? std::min(*least, samples) : samples;
  }
  return least.value_or(0);
}

std::string to_text(const cel::Call& call) {
  std::string text = call.name + "(";
  for (std::size_t i = 0; i < call.arguments.size(); ++i) {
    if (i > 0) text += ", ";
    if (call.arguments[i].constant) text += cel::to_string(*call.arguments[i].constant);
  }
  return text + ")";
}

// "error_rate('health', 5m) is 0.25": what the signals of the condition say now.
std::string describe_signals(const ServiceSignals& signals, const SignalCheck& check) {
  std::vector<std::string> texts;
  std::set<std::string> seen;
  for (const cel::Call& call : check.expect.calls()) {
    const std::string name = to_text(call);
    if (!seen.insert(name).second) continue;
    std::vector<cel::Value> arguments;
    for (const auto& argument : call.arguments)
      arguments.push_back(argument.constant.value_or(cel::Value()));
    texts.push_back(name + " is " + cel::to_string(signals.call(call.id, arguments)));
    if (texts.size() == kSignalsShown) break;
  }
  return texts.empty() ? "'" + check.expect.text() + "'" : join_words(texts);
}

std::string progress_of(const SignalCheck& check, const CheckState& state, Instant now) {
  const Duration held = now - *state.true_since;
  std::string text = "true";
  if (check.hold > Duration{0})
    text += " for " + format_duration(std::chrono::floor<std::chrono::seconds>(held)) + " of " +
            format_duration(check.hold);
  if (check.samples > 0)
    text +=
        ", " + std::to_string(state.samples) + " of " + std::to_string(check.samples) + " results";
  return text;
}

Verdict advance(Turn& turn, const Validation& validation, const SignalCheck& check,
                CheckState& state) {
  const ServiceSignals signals(turn.state, validation.service, turn.now);
  const cel::Value value = check.expect.evaluate(signals);
  const Instant give_up = state.started_at + bounded(check.within);
  if (value.is_true()) {
    if (!state.true_since) state.true_since = turn.now;
    const Duration held = turn.now - *state.true_since;
    state.samples = least_samples(turn.state, validation, check, held, turn.now);
    state.detail = progress_of(check, state, turn.now);
    if (held >= check.hold && state.samples >= static_cast<std::size_t>(check.samples))
      return Verdict::passed;
    return turn.now >= give_up ? Verdict::inconclusive : Verdict::running;
  }
  state.true_since.reset();
  state.samples = 0;
  state.detail =
      (value.is_false() ? "false: " : "cannot be said: ") + describe_signals(signals, check);
  // Also when it could not hold for long enough any more.
  if (turn.now < give_up && turn.now + check.hold <= give_up) return Verdict::running;
  return value.is_false() ? Verdict::failed : Verdict::inconclusive;
}

std::optional<Instant> due(const SignalCheck& /*check*/, const CheckState& /*state*/, Instant now) {
  return now + kLookEvery;
}

// ---- the checklist

Validation* find_running(Turn& turn, const ValidationId& id) {
  const auto found = turn.state.validations.find(id);
  if (found == turn.state.validations.end()) return nullptr;
  return found->second.verdict == Verdict::running ? &found->second : nullptr;
}

void drop_oldest_finished(Turn& turn) {
  State& state = turn.state;
  while (state.finished_order.size() > limits::kValidationsKept) {
    const auto oldest = state.validations.find(state.finished_order.front());
    // What has ended in this very step is still to be looked at.
    if (oldest != state.validations.end() && oldest->second.finished == turn.now) return;
    if (oldest != state.validations.end()) state.validations.erase(oldest);
    state.finished_order.pop_front();
  }
}

void finish(Turn& turn, Validation& validation, Verdict verdict) {
  validation.verdict = verdict;
  validation.finished = turn.now;
  turn.state.validation_alarms.set(validation.id, std::nullopt);
  turn.state.finished_order.push_back(validation.id);
  turn.finished.push_back(validation.id);
  turn.emit(PublishValidation{validation.id});
}

void end_check(Turn& turn, CheckState& state, Verdict verdict) {
  forget_requests(turn, state);
  state.verdict = verdict;
}

void give_up(Turn& turn, Validation& validation, const std::string& why) {
  if (validation.current < validation.checks.size()) {
    CheckState& state = validation.checks[validation.current];
    end_check(turn, state, Verdict::inconclusive);
    state.detail = state.detail.empty() ? why : why + "; " + state.detail;
  }
  finish(turn, validation, Verdict::inconclusive);
}

// What a watcher sees; the held time is his clock's business.
auto visible(const Validation& validation) {
  const CheckState& state = validation.checks[validation.current];
  return std::tuple(validation.current, state.attempt, state.passes, state.answers.size(),
                    state.detail);
}

void set_alarm(Turn& turn, const Validation& validation) {
  const CheckState& state = validation.checks[validation.current];
  const auto next = std::visit([&](const auto& check) { return due(check, state, turn.now); },
                               checklist_of(validation)[validation.current].what);
  turn.state.validation_alarms.set(
      validation.id, std::min(next.value_or(validation.deadline), validation.deadline));
}

void run(Turn& turn, Validation& validation) {
  const std::vector<Check>& checks = checklist_of(validation);
  if (turn.now >= validation.deadline) return give_up(turn, validation, "ran out of time");
  const auto before = visible(validation);
  while (true) {
    CheckState& state = validation.checks[validation.current];
    if (!state.started) {
      state.started = true;
      state.started_at = turn.now;
    }
    const Verdict verdict =
        std::visit([&](const auto& check) { return advance(turn, validation, check, state); },
                   checks[validation.current].what);
    if (verdict == Verdict::running) break;
    end_check(turn, state, verdict);
    if (verdict != Verdict::passed) return finish(turn, validation, verdict);
    if (validation.current + 1 == checks.size()) return finish(turn, validation, verdict);
    ++validation.current;
  }
  if (visible(validation) != before) turn.emit(PublishValidation{validation.id});
  set_alarm(turn, validation);
}

}  // namespace

void start_validation(Turn& turn, const ValidationId& id, const ServiceName& service,
                      const IncidentId& incident, std::string asked_by) {
  State& state = turn.state;
  drop_oldest_finished(turn);
  const std::size_t running = state.validations.size() - state.finished_order.size();
  const auto [place, is_new] = state.validations.try_emplace(id);
  if (!is_new) return;
  Validation& validation = place->second;
  validation.id = id;
  validation.service = service;
  validation.incident = incident;
  validation.asked_by = std::move(asked_by);
  validation.started = turn.now;
  validation.policy = state.policy;
  const std::vector<Check>& checks = checklist_of(validation);
  validation.deadline = turn.now + longest_run(checks);
  validation.checks.resize(checks.size());
  if (checks.empty()) return finish(turn, validation, Verdict::inconclusive);
  if (running >= limits::kValidationsRunningMax)
    return give_up(turn, validation, "too many validations run already; try again later");
  turn.emit(PublishValidation{id});
  run(turn, validation);
}

void cancel_validation(Turn& turn, const ValidationId& id) {
  if (Validation* validation = find_running(turn, id)) give_up(turn, *validation, "cancelled");
}

void validation_answered(Turn& turn, const RequestId& request, const AgentName& agent,
                         const Observation& observation) {
  const auto asked = turn.state.requests.find(request);
  if (asked == turn.state.requests.end()) return;
  Validation* validation = find_running(turn, asked->second);
  if (validation == nullptr) return;
  CheckState& state = validation->checks[validation->current];
  const auto waiting = state.waiting.find(request);
  if (waiting == state.waiting.end() || waiting->second != agent) return;
  const auto& check = std::get<ProbeCheck>(checklist_of(*validation)[validation->current].what);

  state.waiting.erase(waiting);
  turn.state.requests.erase(asked);
  const Judged judged = judge(check, observation);
  const bool is_worst = verdict_of(state) != Verdict::failed && judged.verdict == Verdict::failed;
  if (is_worst || (state.last.empty() && judged.verdict != Verdict::passed))
    state.last = judged.text + " from " + agent.str();
  state.answers.emplace_back(agent, judged.verdict);
  run(turn, *validation);
}

void advance_validation(Turn& turn, const ValidationId& id) {
  if (Validation* validation = find_running(turn, id)) run(turn, *validation);
}

}  // namespace firebreak::core
