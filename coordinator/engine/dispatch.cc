// From an effect to whom it concerns.
#include "coordinator/engine/dispatch.h"

#include <set>
#include <utility>
#include <variant>

#include "coordinator/core/containment.h"
#include "coordinator/core/step.h"

namespace firebreak::engine {
namespace {

struct Dispatcher {
  const core::State& state;
  const Sinks& sinks;
  std::set<AgentName> assigned;

  void operator()(const core::SendAssignment& effect) {
    if (assigned.insert(effect.agent).second)
      sinks.agents->assign(effect.agent, core::assignment_for(state, effect.agent));
  }
  void operator()(core::SendProbeNow effect) { sinks.agents->probe_now(std::move(effect)); }
  void operator()(core::OrderHostAction effect) { sinks.agents->order(std::move(effect)); }
  void operator()(core::ConfirmOutcome effect) { sinks.agents->confirm(std::move(effect)); }
  void operator()(core::RunHttpAction effect) { sinks.sender->run(std::move(effect)); }
  void operator()(core::SendNotification effect) { sinks.sender->send(std::move(effect)); }
  void operator()(const core::PublishEntry& effect) { sinks.watchers->publish(effect); }
  void operator()(const core::PublishValidation& effect) { sinks.watchers->publish(effect, state); }
};

// Null: it may go out.
const ActionId* lapsed(const core::Effect& effect, const core::State& state, Instant now) {
  const auto judge = [&](const auto& order) {
    return core::may_begin(state, order.incident, order.expires, now) ? nullptr : &order.action;
  };
  if (const auto* order = std::get_if<core::OrderHostAction>(&effect)) return judge(*order);
  if (const auto* http = std::get_if<core::RunHttpAction>(&effect)) return judge(*http);
  return nullptr;
}

}  // namespace

std::vector<ActionId> take_lapsed(std::vector<core::Effect>& effects, const core::State& state,
                                  Instant now) {
  std::vector<ActionId> taken;
  std::erase_if(effects, [&](const core::Effect& effect) {
    const ActionId* action = lapsed(effect, state, now);
    if (action != nullptr) taken.push_back(*action);
    return action != nullptr;
  });
  return taken;
}

void dispatch(std::vector<core::Effect> effects, const core::State& state, const Sinks& sinks) {
  Dispatcher dispatcher{state, sinks, {}};
  for (core::Effect& effect : effects) std::visit(dispatcher, std::move(effect));
}

}  // namespace firebreak::engine
