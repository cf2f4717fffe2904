// The difference of two policies for people and for programs.
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "coordinator/policy/diff.h"

namespace firebreak::cli {

// Thing by thing; the text of the files where nothing but that differs, or with `as_text`. Escaped.
[[nodiscard]] std::string render(const policy::PolicyDiff& diff, bool as_text);
// same, differences (change, kind, name, details: path, before, after), text.
[[nodiscard]] boost::json::object diff_to_json(const policy::PolicyDiff& diff);

}  // namespace firebreak::cli
