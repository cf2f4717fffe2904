// An explanation for people: the expressions as trees, each part with its value.
#pragma once

#include <string>

namespace firebreak::v1 {
class ExplainResponse;
}

namespace firebreak::cli {

// Everything in it is escaped.
[[nodiscard]] std::string render(const v1::ExplainResponse& explanation);

}  // namespace firebreak::cli
