// Short ways to compile and evaluate in the tests of the expression language.
#pragma once

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <string_view>

#include "common/cel/program.h"

namespace firebreak::cel {

enum : int { kAvailable = 1, kP95, kP95In, kValue, kPick, kPickNumber };

// A policy's world: host functions with overloads, a record of facts, a map, a list and a dyn.
inline Declarations declarations() {
  using T = Type::Kind;
  Declarations out;
  out.variables.emplace("facts", Type::record({{"customers", T::integer},
                                               {"security_breach", T::boolean},
                                               {"note", T::string},
                                               {"site", Type::record({{"name", T::string}})}}));
  out.variables.emplace("labels", Type::map(T::string));
  out.variables.emplace("hosts", Type::list(T::string));
  out.variables.emplace("numbers", Type::list(T::integer));
  out.variables.emplace("body", T::dyn);
  out.variables.emplace("now", T::timestamp);
  for (const char* name : {"yes", "no", "unset", "other", "broken"})
    out.variables.emplace(name, T::boolean);
  out.functions = {{"available", {T::string}, T::boolean, kAvailable},
                   {"p95", {T::string}, T::duration, kP95},
                   {"p95", {T::string, T::duration}, T::duration, kP95In},
                   {"value", {T::string}, T::real, kValue},
                   {"pick", {T::string}, T::string, kPick},
                   {"pick", {T::integer}, T::integer, kPickNumber}};
  return out;
}

class World : public Activation {
 public:
  Value variable(std::string_view path) const override {
    if (path == "broken") return Error{"broken"};
    return values.variable(path);
  }
  Value call(int id, std::span<const Value> arguments) const override {
    if (id == kP95In) return arguments[1].as_duration() * 2;
    if (id == kP95) return std::chrono::milliseconds(300);
    if (id == kValue) return 7.5;
    if (id == kPick || id == kPickNumber) return arguments[0];
    const std::string& probe = arguments[0].as_string();
    if (probe == "silent") return Unknown{{"silent: no results yet"}};
    if (probe == "wrong") return Error{"wrong"};
    return probe == "health";
  }

  Bindings values{{{"facts.customers", 150},
                   {"labels", Map{{"role", "edge"}, {"zone", "eu-1"}}},
                   {"hosts", List{"a", "b", "c"}},
                   {"numbers", List{1, 2, 3, 4}},
                   {"now", instant_from_unix_us(1795230847123456)},
                   {"yes", true},
                   {"no", false}}};
};

inline Program compiled(std::string_view text) {
  Compiled out = compile(text, declarations());
  if (auto* problems = std::get_if<std::vector<Problem>>(&out)) {
    ADD_FAILURE() << describe(problems->front(), text);
    return std::get<Program>(compile("null", {}));
  }
  return std::get<Program>(std::move(out));
}

inline Value evaluated(std::string_view text, const Activation& world = World{}) {
  return compiled(text).evaluate(world);
}
// The value as text: "true", "unknown (unset)", "error: broken".
inline std::string shown(std::string_view text, const Activation& world = World{}) {
  return to_string(evaluated(text, world));
}

// An expression, and its value as shown() writes it.
struct Shown {
  const char* text;
  const char* shown;
};
inline void expect_shown(std::span<const Shown> rows) {
  for (const Shown& row : rows) EXPECT_EQ(shown(row.text), row.shown) << row.text;
}

inline std::vector<Problem> problems(std::string_view text, std::optional<Type> wanted = {}) {
  Compiled out = compile(text, declarations(), std::move(wanted));
  if (auto* found = std::get_if<std::vector<Problem>>(&out)) return std::move(*found);
  ADD_FAILURE() << text << " compiles";
  return {Problem{}};
}
// "column+width: message [suggestion]" of the first problem.
inline std::string problem(std::string_view text, std::optional<Type> wanted = {}) {
  const Problem first = problems(text, std::move(wanted)).front();
  return std::to_string(first.column) + "+" + std::to_string(first.width) + ": " + first.message +
         (first.suggestion.empty() ? "" : " [" + first.suggestion + "]");
}

}  // namespace firebreak::cel
