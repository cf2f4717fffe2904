// What a scenario expects at one time, compared with what is.
#pragma once

#include "common/yaml.h"
#include "tests/scenario/world.h"

namespace firebreak::scenario {

// Reports every difference at the place of the expectation. Orders and notifications are those
// since they were last asked about.
void check(World& world, const yaml::Node& expect, yaml::Problems& problems);

}  // namespace firebreak::scenario
