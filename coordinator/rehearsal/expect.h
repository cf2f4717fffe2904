// What a test expects at one time, compared with what is.
#pragma once

#include <string>
#include <vector>

#include "common/yaml.h"
#include "coordinator/rehearsal/world.h"

namespace firebreak::rehearsal {

// The file is wrong, or the policy does something else.
struct Findings {
  yaml::Problems& mistakes;
  yaml::Problems& differences;
};

// What a person asked for and the coordinator refuses.
struct Refusal {
  yaml::Place place;
  std::string reason;
};

// Reports every difference at the place of the expectation. Orders, notifications and what was
// skipped are those since they were last asked about; so are the refusals, which are taken out.
void check(World& world, std::vector<Refusal>& refused, const yaml::Node& expect,
           const Findings& findings);

}  // namespace firebreak::rehearsal
