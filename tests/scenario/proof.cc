// Two cores beside each other, over the events that one of them has met.
#include "tests/scenario/proof.h"

#include <algorithm>
#include <map>
#include <variant>

#include "coordinator/store/snapshot_codec.h"

namespace firebreak::scenario {

namespace {

constexpr std::size_t kSnapshotsMax = 500;  // of one story: each costs what its state is large

std::string text_of(const std::vector<policy::SourceFile>& files) {
  std::string name;
  for (const policy::SourceFile& file : files) name += file.path + ":" + file.text;
  return name;
}

std::string describe(const core::Effect& effect) {
  struct Describe {
    std::string operator()(const core::SendAssignment& e) const {
      return "assign " + e.agent.str();
    }
    std::string operator()(const core::SendProbeNow& e) const {
      return "probe " + e.request.str() + " " + e.agent.str();
    }
    std::string operator()(const core::OrderHostAction& e) const {
      return "order " + e.action.str() + " " + e.agent.str() + " " + e.entry + " " + e.reason;
    }
    std::string operator()(const core::RunHttpAction& e) const { return "http " + e.action.str(); }
    std::string operator()(const core::SendNotification& e) const {
      return "notify " + e.notification.str() + " " + e.title + " " + e.text;
    }
    std::string operator()(const core::ConfirmOutcome& e) const {
      return "confirm " + e.action.str();
    }
    std::string operator()(const core::PublishEntry& e) const {
      return "entry " + e.incident.str() + " " + e.entry.text;
    }
    std::string operator()(const core::PublishValidation& e) const {
      return "validation " + e.validation.str();
    }
  };
  return std::visit(Describe{}, effect);
}

std::vector<std::string> describe(const std::vector<core::Effect>& effects) {
  std::vector<std::string> texts;
  for (const core::Effect& effect : effects) texts.push_back(describe(effect));
  return texts;
}

}  // namespace

rehearsal::Observer Proof::recorder() {
  return [this](const core::State& /*state*/, const core::Event& event,
                const std::vector<core::Effect>& effects, Instant now) {
    history_.push_back({now, event, describe(effects)});
  };
}

bool Proof::replays() const {
  core::State state;
  return std::all_of(history_.begin(), history_.end(), [&](const Step& step) {
    return describe(core::step(state, step.event, step.at)) == step.effects;
  });
}

std::string Proof::snapshot_fault() const {
  std::map<std::string, std::shared_ptr<const policy::Policy>> policies;  // by their files
  const auto compile =
      [&](std::vector<policy::SourceFile> files) -> Result<std::shared_ptr<const policy::Policy>> {
    return policies.at(text_of(files));
  };
  core::State whole, restored;
  // After every step; of a long story, after as many.
  const std::size_t every = 1 + history_.size() / kSnapshotsMax;
  for (const Step& step : history_) {
    const auto number = static_cast<std::size_t>(&step - history_.data());
    const std::string where = " at step " + std::to_string(number);
    if (const auto* changed = std::get_if<core::PolicyChanged>(&step.event))
      policies[text_of(changed->policy->files)] = changed->policy;
    if (describe(core::step(whole, step.event, step.at)) !=
        describe(core::step(restored, step.event, step.at)))
      return "other effects" + where;
    if (number % every != 0) continue;
    const auto records = store::encode_state(restored);
    if (records != store::encode_state(whole)) return "another state" + where;
    store::StateDecoder decoder(compile);
    for (const std::string& record : records)
      if (const auto added = decoder.add(record); !added) return added.error().message + where;
    auto decoded = decoder.finish();
    if (!decoded) return decoded.error().message + where;
    if (store::encode_state(*decoded) != records) return "read back as another state" + where;
    restored = std::move(*decoded);
  }
  return {};
}

}  // namespace firebreak::scenario
