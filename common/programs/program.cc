// Values of parameters: hostile until they have passed here.
#include "common/programs/program.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include <re2/re2.h>

#include "common/ids.h"
#include "common/limits.h"
#include "common/text.h"

namespace firebreak::programs {
namespace {

std::optional<std::string> integer_problem(const Integer& range, std::string_view value) {
  std::int64_t number = 0;
  const char* end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, number);
  // Only the shortest form: "007", "+7" and "7 " are other texts to a program than to us.
  if (error != std::errc{} || stop != end || std::to_string(number) != value) {
    return "is not a whole number";
  }
  if (number < range.min || number > range.max) {
    return "is not between " + std::to_string(range.min) + " and " + std::to_string(range.max);
  }
  return std::nullopt;
}

std::string quoted_value(std::string_view text) {
  return "'" + escape_line(text, limits::kActionParameterBytesMax) + "'";
}

std::string not_known(const std::string& owner, const std::string& name) {
  return owner + " has no parameter " + quoted_value(name);
}

std::string not_taken(const std::string& value, const std::string& problem) {
  return ": " + quoted_value(value) + " " + problem;
}

std::string about(const std::string& owner, const std::string& name, const std::string& what) {
  return "parameter '" + name + "' of " + owner + what;
}

}  // namespace

bool is_plain_text(std::string_view text) {
  std::string bare(text);
  std::erase(bare, '\\');
  return escape_line(bare, std::numeric_limits<std::size_t>::max()) == bare;
}

std::optional<std::string> parameter_reference(std::string_view argument) {
  if (!argument.starts_with("${") || !argument.ends_with("}")) return std::nullopt;
  const std::string_view name = argument.substr(2, argument.size() - 3);
  if (!is_valid_name(name)) return std::nullopt;
  return std::string(name);
}

std::optional<std::string> unsafe_value(std::string_view value) {
  if (value.empty()) return "is empty";
  if (value.size() > limits::kActionParameterBytesMax) {
    return "is longer than " + std::to_string(limits::kActionParameterBytesMax) + " bytes";
  }
  if (value.front() == '-') return "starts with '-', so it could be taken for an option";
  if (!is_plain_text(value)) return "holds control characters or is not UTF-8";
  return std::nullopt;
}

std::optional<std::string> value_problem(const Parameter& parameter, std::string_view value) {
  if (auto problem = unsafe_value(value)) return problem;
  if (const auto* words = std::get_if<OneOf>(&parameter)) {
    const auto& list = words->values;
    if (std::find(list.begin(), list.end(), value) != list.end()) return std::nullopt;
    return "is none of " + join_words(list, "or");
  }
  if (const auto* range = std::get_if<Integer>(&parameter)) return integer_problem(*range, value);
  const auto& regex = *std::get<Pattern>(parameter).regex;
  if (re2::RE2::FullMatch(re2::StringPiece(value.data(), value.size()), regex)) return std::nullopt;
  return "does not match " + regex.pattern();
}

std::optional<std::string> values_problem(const std::string& owner, const Parameters& parameters,
                                          const Values& values) {
  for (const auto& [name, value] : values) {
    const auto declared = parameters.find(name);
    if (declared == parameters.end()) return not_known(owner, name);
    if (const auto problem = value_problem(declared->second, value))
      return about(owner, name, not_taken(value, *problem));
  }
  for (const auto& [name, parameter] : parameters)
    if (!values.contains(name)) return about(owner, name, " is not given");
  return std::nullopt;
}

void fill_in(std::vector<std::string>& argv, const Values& values) {
  for (std::string& argument : argv)
    if (const auto name = parameter_reference(argument)) argument = values.at(*name);
}

}  // namespace firebreak::programs
