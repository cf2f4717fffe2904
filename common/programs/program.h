// A program that the owner of this host lets firebreak run, and the values that may be asked for.
//
// It stands in a file on the host (actions.d, checks.d). Who asks for it from outside gives its
// name and, at most, values of the parameters that the file declares: never a command line.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace re2 {
class RE2;
}

namespace firebreak::programs {

// What the owner of this host accepts as the value of a parameter. There is no free text. Whatever
// the kind, no value starts with '-' or holds a control character.
struct OneOf {
  std::vector<std::string> values;
};
struct Integer {
  std::int64_t min = 0;  // never negative
  std::int64_t max = 0;
};
struct Pattern {
  std::shared_ptr<const re2::RE2> regex;  // has to match the whole value
};
using Parameter = std::variant<OneOf, Integer, Pattern>;
using Parameters = std::map<std::string, Parameter>;  // who asks gives each of them, and no other
using Values = std::map<std::string, std::string>;

// One program, never a shell.
struct Program {
  std::vector<std::string> argv;  // argv[0] is an absolute path; "${NAME}" stands for a parameter
  std::map<std::string, std::string> environment;
  std::string user;  // empty: the user who runs it, which is root for an actuator
  std::string working_directory = "/";
};

// Why `value` is no value of the parameter, or nothing when it is one.
[[nodiscard]] std::optional<std::string> value_problem(const Parameter& parameter,
                                                       std::string_view value);
// What no value may be, whatever the parameter's kind: empty, too long, starting with '-', with a
// control character or invalid UTF-8.
[[nodiscard]] std::optional<std::string> unsafe_value(std::string_view value);
// Why `values` are not what `owner` ("action 'restart'") asks for. Quotes hostile text, escaped.
[[nodiscard]] std::optional<std::string> values_problem(const std::string& owner,
                                                        const Parameters& parameters,
                                                        const Values& values);
// "${name}" names a parameter; nothing for every other text.
[[nodiscard]] std::optional<std::string> parameter_reference(std::string_view argument);
// Replaces arguments that are references, whole ones only. values_problem() has found nothing.
void fill_in(std::vector<std::string>& argv, const Values& values);
// Nothing that escape_line would have to change, but for the backslash.
[[nodiscard]] bool is_plain_text(std::string_view text);

}  // namespace firebreak::programs
