// What the protocol's closed lists are called on the command line.
#pragma once

#include <string>

#include "firebreak/v1/operator.pb.h"

namespace firebreak::cli {

// ok, warning, critical; unknown also for what a later version may say.
[[nodiscard]] std::string status_word(v1::Status status);

}  // namespace firebreak::cli
