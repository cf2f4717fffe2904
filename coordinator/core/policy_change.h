// Another policy under a running state: what is known and open is carried over by its names.
#pragma once

#include "coordinator/core/turn.h"

namespace firebreak::core {

void policy_changed(Turn& turn, const PolicyChanged& event);

}  // namespace firebreak::core
