// Steps are numbered as they come to the incident, and keep their numbers.
#include "coordinator/core/manual_steps.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"
#include "common/text.h"
#include "coordinator/core/timeline.h"

namespace firebreak::core {

namespace {

constexpr std::size_t kToDoShown = 5;  // of one notification, which must stay short

bool is_for(const policy::ManualStep& step, const Incident& incident) {
  if (!step.service.empty() && step.service != incident.service) return false;
  return step.severities.empty() || std::find(step.severities.begin(), step.severities.end(),
                                              *incident.severity) != step.severities.end();
}

bool has_step(const Incident& incident, const std::string& text) {
  return std::any_of(incident.steps.begin(), incident.steps.end(),
                     [&](const ManualStep& step) { return step.text == text; });
}

ManualStep* find_step(Incident& incident, std::uint32_t number) {
  const auto found = std::find_if(incident.steps.begin(), incident.steps.end(),
                                  [&](const ManualStep& step) { return step.number == number; });
  return found == incident.steps.end() ? nullptr : &*found;
}

std::string name_of(const ManualStep& step) {
  return "step " + std::to_string(step.number);
}

}  // namespace

void add_steps(Turn& turn, Incident& incident) {
  if (!incident.severity) return;
  std::size_t left_out = 0;
  for (const policy::ManualStep& planned : turn.state.policy->manual_steps) {
    if (!is_for(planned, incident) || has_step(incident, planned.text)) continue;
    if (incident.steps.size() >= limits::kManualStepsMax) {
      ++left_out;
      continue;
    }
    ManualStep step;
    step.number = ++incident.last_step;
    step.text = planned.text;
    step.due = turn.now + planned.at;
    step.required = planned.required;
    incident.steps.push_back(std::move(step));
  }
  if (left_out > 0)
    add_entry(turn, incident, "step", kEngine,
              std::to_string(left_out) + " manual steps are left out: there are too many");
}

void drop_future_steps(const State& state, Incident& incident) {
  const auto& planned = state.policy->manual_steps;
  std::erase_if(incident.steps, [&](const ManualStep& step) {
    return !step.shown && !step.done &&
           std::none_of(planned.begin(), planned.end(), [&](const policy::ManualStep& one) {
             return one.text == step.text && is_for(one, incident);
           });
  });
}

void show_due_steps(Turn& turn, Incident& incident) {
  for (ManualStep& step : incident.steps) {
    if (step.shown || step.done || step.due > turn.now) continue;
    step.shown = true;
    add_entry(turn, incident, "step", kEngine,
              name_of(step) + " is to be done" + (step.required ? " before it is over: " : ": ") +
                  step.text);
  }
}

std::optional<Instant> steps_due(const Incident& incident) {
  std::optional<Instant> next;
  for (const ManualStep& step : incident.steps)
    if (!step.shown && !step.done) at_first(next, step.due);
  return next;
}

std::string open_required_steps(const Incident& incident) {
  std::string open;
  for (const ManualStep& step : incident.steps) {
    if (!step.required || !step.shown || step.done) continue;
    open += (open.empty() ? "" : ", ") + std::to_string(step.number) + " (" + step.text + ")";
  }
  return open;
}

std::string to_do(const Incident& incident) {
  std::string text;
  std::size_t count = 0;
  for (const ManualStep& step : incident.steps) {
    if (!step.shown || step.done) continue;
    if (++count > kToDoShown) continue;
    text += (text.empty() ? "" : "; ") + std::to_string(step.number) + " " + step.text;
  }
  if (count > kToDoShown) text += "; and " + std::to_string(count - kToDoShown) + " more";
  return text;
}

Result<> may_do_step(const State& state, const StepDone& wish) {
  const Incident& incident = state.incidents.at(wish.incident);
  const auto step = std::find_if(incident.steps.begin(), incident.steps.end(),
                                 [&](const ManualStep& one) { return one.number == wish.step; });
  if (step == incident.steps.end())
    return make_error(Errc::not_found, "incident " + wish.incident.str() + " has no step " +
                                           std::to_string(wish.step) +
                                           "; `firebreak incident steps " + wish.incident.str() +
                                           "` lists them");
  if (step->done)
    return make_error(
        Errc::failed_precondition,
        name_of(*step) + " was done at " + format_utc(*step->done) + " UTC by " + step->done_by);
  return {};
}

void do_step(Turn& turn, const StepDone& wish, const std::string& by) {
  Incident& incident = turn.state.incidents.at(wish.incident);
  ManualStep& step = *find_step(incident, wish.step);
  step.done = turn.now;
  step.done_by = by;
  step.note = wish.note;
  add_entry(turn, incident, "step", "operator:" + by, name_of(step) + " done: " + step.text,
            wish.note);
  if (incident.resolved) return;
  incident.last_update = turn.now;
  turn.attend.insert(incident.id);
}

}  // namespace firebreak::core
