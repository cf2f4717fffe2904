// One function per kind of entry.
#include "coordinator/policy/response.h"

#include <array>
#include <string_view>
#include <utility>

#include "common/limits.h"

namespace firebreak::policy {
namespace {

using yaml::MapReader;
using yaml::Node;
using yaml::Problems;

constexpr std::array<std::pair<std::string_view, Unless>, 3> kUnless{
    {{"acknowledged", Unless::acknowledged},
     {"updated", Unless::updated},
     {"never", Unless::never}}};

EscalationTier read_tier(const Node& node, Problems& problems, const CheckName& check_receiver) {
  MapReader reader(node, "a tier", problems);
  EscalationTier tier;
  if (const auto after = reader.optional("after").as_duration(problems)) tier.after = *after;
  const Node notify = reader.required("notify");
  for (const Node& name : notify ? notify.as_list_or_one(problems) : std::vector<Node>{}) {
    if (!name.as_string(problems)) continue;
    check_receiver(name);
    tier.notify.emplace_back(name.text());
  }
  if (const auto unless = reader.optional("unless").as_enum(problems, kUnless))
    tier.unless = *unless;
  return tier;
}

}  // namespace

Escalation read_escalation(const Node& key, const Node& value, Problems& problems,
                           const CheckName& check_receiver) {
  MapReader reader(value, "escalation '" + key.text() + "'", problems);
  Escalation escalation;
  escalation.name = key.text();
  const Node tiers = reader.required("tiers");
  for (const Node& item : tiers ? tiers.as_list(problems) : std::vector<Node>{}) {
    EscalationTier tier = read_tier(item, problems, check_receiver);
    if (!escalation.tiers.empty() && tier.after < escalation.tiers.back().after)
      problems.error(item.place(),
                     "tiers are written in the order of their times; this one is before the last");
    escalation.tiers.push_back(std::move(tier));
  }
  if (tiers && tiers.kind() == yaml::Kind::sequence && escalation.tiers.empty())
    problems.error(tiers.name_place(), "an escalation without a tier tells nobody; add one");
  if (escalation.tiers.size() > limits::kEscalationTiersMax)
    problems.error(tiers.name_place(), "an escalation has at most " +
                                           std::to_string(limits::kEscalationTiersMax) + " tiers");
  escalation.repeat = reader.optional("repeat").as_duration(problems, limits::kEscalationRepeatMin);
  return escalation;
}

void read_step(MapReader& reader, ManualStep& step, Problems& problems) {
  if (const auto at = reader.optional("at").as_duration(problems)) step.at = *at;
  if (const auto required = reader.optional("required").as_bool(problems))
    step.required = *required;
  const Node text = reader.required("text");
  if (!text) return;
  step.text = text.as_string(problems, limits::kManualStepBytesMax).value_or("");
  if (step.text.find_first_not_of(" \n") == std::string::npos)
    problems.error(text.place(), "a manual step says what is to be done");
}

}  // namespace firebreak::policy
