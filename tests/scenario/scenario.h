// One scenario file, played: docs/reference/scenarios.md says what may be in it.
#pragma once

#include <string>

namespace firebreak::scenario {

// Empty when everything was as expected; else every mistake with file:line, and what the incidents'
// timelines say.
[[nodiscard]] std::string play(const std::string& path);

}  // namespace firebreak::scenario
