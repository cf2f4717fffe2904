// A JSON Schema for editors, from a table of keys.
#pragma once

#include <string>

#include "coordinator/policy/shape.h"

namespace firebreak::policy::shape {

// Draft 7: what every version of yaml-language-server knows, which VS Code, Neovim, Helix and Emacs
// use; its support for later drafts is young and partial. It finds misspelt keys, wrong types and
// words, what is missing and what excludes each other; what only the whole policy shows (a service
// that does not exist, a wrong expression) is for the loader. Indented, ends with a newline; the
// same shape gives the same text.
[[nodiscard]] std::string json_schema(const File& file);

}  // namespace firebreak::policy::shape
