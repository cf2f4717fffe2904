// Every key of a policy file, once: see shape.h.
#pragma once

#include "coordinator/policy/shape.h"

namespace firebreak::policy::shape {

// loader.cc and common/probe_yaml.cc read what it says; tests/unit/coordinator/keys_test.cc holds
// them against each other.
[[nodiscard]] const File& policy_keys();

}  // namespace firebreak::policy::shape
