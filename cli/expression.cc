// Compiles and evaluates an expression for a person or a program.
#include "cli/expression.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "cli/exit.h"
#include "cli/terminal.h"
#include "common/cel/json.h"
#include "common/cel/program.h"
#include "common/limits.h"
#include "common/text.h"

namespace firebreak::cli {
namespace {

namespace json = boost::json;

cel::Type type_of(const cel::Value& value) {
  switch (value.kind()) {
    case cel::Value::Kind::boolean:
      return cel::Type::Kind::boolean;
    case cel::Value::Kind::integer:
      return cel::Type::Kind::integer;
    case cel::Value::Kind::unsigned_integer:
      return cel::Type::Kind::unsigned_integer;
    case cel::Value::Kind::real:
      return cel::Type::Kind::real;
    case cel::Value::Kind::string:
      return cel::Type::Kind::string;
    default:
      return cel::Type::Kind::dyn;
  }
}

struct Variables {
  cel::Declarations declarations;
  cel::Bindings bindings;
};

// What is wrong with the text, or nothing.
std::string read_variables(const std::string& text, Variables& out) {
  if (text.empty()) return {};
  const auto parsed = cel::parse_json(text);
  if (!parsed) return parsed.error().message;
  if (!parsed->is(cel::Value::Kind::map))
    return "write a JSON object, as in '{\"customers\": 1200}'";
  for (const auto& [name, value] : parsed->as_map()) {
    out.declarations.variables.emplace(name.as_string(), type_of(value));
    out.bindings.set(name.as_string(), value);
  }
  return {};
}

ExpressionAnswer refused(const std::vector<cel::Problem>& problems, const std::string& text,
                         bool as_json) {
  ExpressionAnswer answer{kFailed, {}, {}};
  json::array list;
  for (const cel::Problem& problem : problems) {
    answer.err += std::to_string(problem.line) + ":" + std::to_string(problem.column) +
                  ": error: " + cel::describe(problem, text) + "\n";
    list.push_back(json::object{{"message", problem.message},
                                {"line", problem.line},
                                {"column", problem.column},
                                {"width", problem.width},
                                {"suggestion", problem.suggestion}});
  }
  if (!as_json) return answer;
  answer.out = json::serialize(json::object{{"problems", std::move(list)}}) + "\n";
  answer.err.clear();
  return answer;
}

ExpressionAnswer failed(const std::string& message, bool as_json) {
  ExpressionAnswer answer{kFailed, {}, {}};
  if (as_json)
    answer.out = json::serialize(json::object{{"error", message}}) + "\n";
  else
    answer.err = "error: " + escape_line(message) + "\n";
  return answer;
}

std::string type_name(const cel::Program& program, const cel::Value& value) {
  const bool is_known = !program.type().is(cel::Type::Kind::dyn);
  return is_known ? to_string(program.type()) : to_string(value.kind());
}

}  // namespace

ExpressionAnswer evaluate_expression(const std::string& text, const std::string& variables,
                                     bool as_json) {
  Variables world;
  if (const std::string wrong = read_variables(variables, world); !wrong.empty())
    return {kUsage, {}, "firebreak: --vars: " + escape_line(wrong) + "\n"};
  const auto compiled = cel::compile(text, world.declarations);
  if (const auto* problems = std::get_if<std::vector<cel::Problem>>(&compiled))
    return refused(*problems, text, as_json);
  const auto& program = std::get<cel::Program>(compiled);
  const cel::Value value = program.evaluate(world.bindings);
  if (value.is_error()) return failed(value.as_error().message, as_json);
  const std::string type = type_name(program, value);
  if (!as_json) return {kDone, to_string(value) + "  " + paint(Paint::dim, type) + "\n", {}};
  const auto written = cel::to_json(value, limits::kApiReplyBytesMax);
  if (!written) return failed("the value is too large to be written", true);
  return {kDone,
          "{\"type\":" + json::serialize(json::string(type)) + ",\"value\":" + *written + "}\n",
          {}};
}

}  // namespace firebreak::cli
