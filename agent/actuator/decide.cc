// The rules, in the order in which an operator wants to be told about them.
#include "agent/actuator/decide.h"

#include <algorithm>

#include "common/broken.h"
#include "common/limits.h"
#include "common/text.h"

namespace firebreak::actuator {
namespace {

using namespace std::chrono_literals;

std::string quoted(std::string_view text) {
  return "'" + escape_line(text, limits::kActionParameterBytesMax) + "'";
}

std::optional<std::string> identity_problem(const Order& order) {
  const std::string& id = order.id.str();
  if (id.empty()) return "the order has no action id";
  if (id.size() > limits::kActionIdBytesMax || !programs::is_plain_text(id)) {
    return "the action id is longer than " + std::to_string(limits::kActionIdBytesMax) +
           " bytes or holds control characters";
  }
  return std::nullopt;
}

// The same action must not run twice at a time, nor more actions than this host bears.
std::optional<std::string> busy_problem(const Action& action, const Situation& situation) {
  std::size_t running = 0;
  for (const auto& [id, entry] : situation.history.entries()) {
    if (!entry.outcome) ++running;
    if (entry.name != action.name) continue;
    if (!entry.outcome) return "action '" + action.name + "' runs already, as " + quoted(id.str());
    // Nobody watches it end any more, but its own time-out still bounds it.
    const Instant over = entry.at + action.timeout + 2 * Duration{limits::kActionKillGrace};
    if (entry.outcome->state == State::unknown && situation.now < over) {
      return "action '" + action.name + "' may still run, as " + quoted(id.str()) +
             ", which the actuator lost sight of";
    }
  }
  if (running >= limits::kActionsRunningMax) {
    return std::to_string(running) + " actions run already, more are not started on one host";
  }
  return std::nullopt;
}

std::optional<std::string> budget_problem(const Action& action, const Situation& situation) {
  const Instant now = situation.now;
  if (situation.history.started_count() >= limits::kActionIdsMax) {
    return "this host remembers " + std::to_string(limits::kActionIdsMax) +
           " actions of the last day or without acknowledgement and accepts no more";
  }
  const auto recent =
      situation.history.starts(action.name, now - Duration{limits::kActionIdsAtLeast});
  if (!recent.empty() && now - recent.front() < action.cooldown) {
    return "action '" + action.name + "' last started " + humanize_duration(now - recent.front()) +
           " ago; this host allows it every " + format_duration(action.cooldown);
  }
  const auto in_hour = static_cast<std::size_t>(std::count_if(
      recent.begin(), recent.end(), [now](Instant at) { return now - at < Duration{1h}; }));
  if (action.per_hour && in_hour >= *action.per_hour) {
    return "action '" + action.name + "' has started " + std::to_string(in_hour) +
           " times in the last hour; this host allows " + std::to_string(*action.per_hour);
  }
  return std::nullopt;
}

std::vector<std::string> command_line(const Order& order, const Action& action) {
  std::vector<std::string> argv;
  if (const auto* unit = std::get_if<UnitCommand>(&action.what)) {
    argv = {"/usr/bin/systemctl", "--no-ask-password", unit->verb, "--", unit->unit};
  } else {
    argv = std::get<Program>(action.what).argv;
  }
  programs::fill_in(argv, order.parameters);
  return argv;
}

std::optional<std::string> authority_problem(const Order& order, const Situation& situation) {
  if (!situation.closed.empty()) return situation.closed;
  if (order.epoch < situation.history.epoch_seen() && !is_broken(Break::epoch)) {
    return "epoch " + std::to_string(order.epoch) + " is over: this host has obeyed epoch " +
           std::to_string(situation.history.epoch_seen());
  }
  if (is_expired(order, situation.received, situation.now)) {
    return "the order expired: it was valid for " +
           humanize_duration(std::max(order.valid_for, Duration{0})) + " from its receipt";
  }
  return std::nullopt;
}

std::string not_allowed(const std::string& name, const Situation& situation) {
  std::string reason = "this host does not allow an action " + quoted(name);
  if (situation.files_refused == 0)
    return reason + "; its owner allows actions in files in actions.d";
  return reason + "; " + std::to_string(situation.files_refused) +
         " of its files in actions.d have mistakes and count for nothing: run firebreak-actuator "
         "--check there";
}

Outcome known_outcome(const ActionId& id, const History::Entry& entry) {
  if (entry.outcome) return *entry.outcome;
  Outcome outcome;
  outcome.id = id;
  outcome.state = State::started;
  return outcome;
}

}  // namespace

bool is_expired(const Order& order, Instant received, Instant now) {
  return now - received >= order.valid_for;
}

Decision decide(const Order& order, const Situation& situation) {
  if (auto problem = identity_problem(order)) return Refuse{*std::move(problem)};
  // Before anything else: what has been done is told even while nothing may run.
  const auto* entry = situation.history.find(order.id);
  if (entry != nullptr && !is_broken(Break::repeat)) {
    return Known{known_outcome(order.id, *entry)};
  }
  if (auto problem = authority_problem(order, situation)) return Refuse{*std::move(problem)};
  const auto found = situation.allowed.find(order.name);
  if (found == situation.allowed.end()) return Refuse{not_allowed(order.name, situation)};
  const Action& action = found->second;
  if (auto problem = programs::values_problem("action '" + action.name + "'", action.parameters,
                                              order.parameters)) {
    return Refuse{*std::move(problem)};
  }
  if (auto problem = busy_problem(action, situation)) return Refuse{*std::move(problem)};
  if (auto problem = budget_problem(action, situation)) return Refuse{*std::move(problem)};
  return Start{&action, command_line(order, action)};
}

}  // namespace firebreak::actuator
