// What `firebreak expr eval` answers: one expression over variables from JSON. Pure.
#pragma once

#include <string>

namespace firebreak::cli {

struct ExpressionAnswer {
  int exit_code = 0;
  std::string out;  // for standard output, escaped
  std::string err;  // for standard error, likewise
};

// `variables` is a JSON object or empty; each of its names is a variable. Of a number, a text or a
// bool the type is known before it runs; lists, objects and null are dyn.
ExpressionAnswer evaluate_expression(const std::string& text, const std::string& variables,
                                     bool as_json);

}  // namespace firebreak::cli
