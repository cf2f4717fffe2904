// From an answer to the variables of an expression, and from its value to a verdict.
#include "probes/expect.h"

#include <algorithm>
#include <map>
#include <utility>
#include <variant>
#include <vector>

#include "common/cel/json.h"

namespace firebreak::probes {
namespace {

cel::Value headers_of(const HttpResponse& response) {
  std::map<std::string, std::string, std::less<>> joined;  // RFC 9110, 5.3
  for (const auto& [name, value] : response.headers) {
    std::string& all = joined[name];
    all += all.empty() ? value : ", " + value;
  }
  cel::Map map;
  for (auto& [name, value] : joined) map.emplace(name, std::move(value));
  return map;
}

bool is_about_latency(const cel::Program& program) {
  return !program.reads().empty() &&
         std::all_of(program.reads().begin(), program.reads().end(),
                     [](const cel::Read& read) { return read.path == "latency"; });
}

std::string why(const cel::Program& program, const cel::Value& value) {
  std::string text = "'" + program.text() + "' ";
  if (value.is_error()) return text + "cannot be answered (" + value.as_error().message + ")";
  return text + "is " + to_string(value);
}

}  // namespace

bool compile_expect(Attempt& attempt, const std::string& text,
                    const cel::Declarations& declarations, const std::optional<cel::Type>& wanted,
                    std::optional<cel::Program>& program) {
  program.reset();
  if (text.empty()) return true;
  auto compiled = cel::compile(text, declarations, wanted);
  if (auto* good = std::get_if<cel::Program>(&compiled)) {
    program = std::move(*good);
    return true;
  }
  const auto& problems = std::get<std::vector<cel::Problem>>(compiled);
  return attempt.unknown(Reason::config, "'" + text + "': " + problems.front().message);
}

cel::Value json_or_text(const std::string& text) {
  auto value = cel::parse_json(text);
  return value ? std::move(*value) : cel::Value(text);
}

cel::Bindings bindings_of(const Attempt& attempt, const HttpResponse& response) {
  cel::Bindings bindings;
  bindings.set("status", response.status);
  bindings.set("body", json_or_text(response.body));
  bindings.set("text", response.body);
  bindings.set("headers", headers_of(response));
  bindings.set("latency", attempt.elapsed());
  return bindings;
}

bool judge_expect(Attempt& attempt, const cel::Program& program, const cel::Bindings& bindings,
                  std::string_view answer) {
  const cel::Value verdict = program.evaluate(bindings);
  if (verdict.is_true()) return true;
  if (is_about_latency(program))
    return attempt.critical(Reason::threshold, why(program, verdict) + ": it took " +
                                                   humanize_duration(attempt.elapsed()));
  return attempt.critical(Reason::body, why(program, verdict) + ": " + std::string(answer));
}

std::optional<double> judge_number(Attempt& attempt, const cel::Program& program,
                                   const cel::Bindings& bindings, std::string_view answer) {
  const cel::Value value = program.evaluate(bindings);
  if (value.is(cel::Value::Kind::integer)) return static_cast<double>(value.as_int());
  if (value.is(cel::Value::Kind::unsigned_integer)) return static_cast<double>(value.as_uint());
  if (value.is(cel::Value::Kind::real)) return value.as_double();
  attempt.critical(Reason::body, why(program, value) + ", not a number: " + std::string(answer));
  return std::nullopt;
}

}  // namespace firebreak::probes
