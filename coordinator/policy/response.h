// Readers of what a policy says of people: whom to tell next,
// what to do.
//
// Each reads one entry; names of other sections are given to a function that knows them.
#pragma once

#include <functional>

#include "common/yaml.h"
#include "coordinator/policy/policy.h"

namespace firebreak::policy {

// Reports a name that the policy does not have.
using CheckName = std::function<void(const yaml::Node& name)>;

Escalation read_escalation(const yaml::Node& key, const yaml::Node& value, yaml::Problems& problems,
                           const CheckName& check_receiver);

// All but for whom it is.
void read_step(yaml::MapReader& reader, ManualStep& step, yaml::Problems& problems);

}  // namespace firebreak::policy
