// Every key of a file of policy tests, once: see coordinator/policy/shape.h.
#pragma once

#include "coordinator/policy/shape.h"

namespace firebreak::rehearsal {

// suite.cc, player.cc and expect.cc read what it says;
// tests/unit/coordinator/rehearsal/keys_test.cc holds them against each other.
[[nodiscard]] const policy::shape::File& test_keys();

}  // namespace firebreak::rehearsal
