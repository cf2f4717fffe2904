// The generated tables of a page of the reference.
//
//   <!-- generated: policy severity -->          every key of the object 'severity'
//   <!-- generated: tests entry at attach -->    these keys of it
//   ...
//   <!-- end of generated -->
#pragma once

#include <set>
#include <string>
#include <vector>

namespace firebreak::docs {

struct Page {
  std::string text;                // with every table as it has to be
  std::vector<std::string> wrong;  // markers that cannot be followed, "LINE: why"
  std::set<std::string> told;      // "policy severity.notify"
};
[[nodiscard]] Page generated(const std::string& text);

// Keys that the pages tell nothing of; `told`: of all of them.
[[nodiscard]] std::vector<std::string> untold(const std::set<std::string>& told);

}  // namespace firebreak::docs
