// An explanation as the message that the operator API answers and the command line shows. Pure.
#pragma once

#include "coordinator/core/explain.h"

namespace firebreak::v1 {
class ExplainResponse;
}

namespace firebreak::report {

// Text that is not valid UTF-8 is mended, what would not fit into one message left out and counted.
[[nodiscard]] v1::ExplainResponse to_message(const core::Explanation& explanation);

}  // namespace firebreak::report
