// Expressions: whatever compiles evaluates, the same way each time, to a value of its type.
//
// The input's first byte chooses what the expression may name.
#include "common/cel/program.h"

#include "common/cel/json.h"
#include "common/limits.h"
#include "common/probe_yaml.h"
#include "coordinator/policy/signals.h"
#include "tests/fuzz/fuzz.h"

namespace firebreak::fuzz {
namespace {

cel::Declarations declarations(std::uint8_t choice) {
  switch (choice % 4) {
    case 0: {
      cel::Type::Fields facts{{"customers", cel::Type::Kind::integer},
                              {"breach", cel::Type::Kind::boolean},
                              {"share", cel::Type::Kind::real},
                              {"word", cel::Type::Kind::string}};
      return policy::rule_declarations(facts);
    }
    case 1:
      return http_expect_declarations();
    case 2:
      return policy::selector_declarations();
    default:
      return policy::observation_declarations();
  }
}

// Values for what can be named; what is not among them is Unknown. Functions answer by their id:
// what is declared of them is kept, every third time it is missing.
class World final : public cel::Activation {
 public:
  World(const cel::Declarations& declared, std::uint8_t choice)
      : declared_(declared), choice_(choice) {
    names_.set("facts.customers", 1000);
    names_.set("facts.share", 0.5);
    names_.set("service", "shop");
    names_.set("name", "edge-1");
    names_.set("labels", cel::Map{{"role", "edge"}, {"zone", "a"}});
    names_.set("status", choice % 4 == 1 ? cel::Value(200) : cel::Value("ok"));
    names_.set("text", "body");
    names_.set("latency", std::chrono::milliseconds(20));
    names_.set("value", 7.5);
    names_.set("values", cel::Map{{"length", 7.0}});
    names_.set("headers", cel::Map{{"content-type", "text/plain"}});
    names_.set("body", cel::Map{{"items", cel::List{1, "two", 3.0, cel::Value()}},
                                {"success", true},
                                {"nested", cel::Map{{"n", 9223372036854775807}}}});
  }
  cel::Value variable(std::string_view path) const override { return names_.variable(path); }
  cel::Value call(int id, std::span<const cel::Value> arguments) const override {
    if ((static_cast<std::size_t>(id) + arguments.size() + choice_) % 3 == 0)
      return cel::Unknown{{"no samples"}};
    for (const cel::FunctionDecl& each : declared_.functions)
      if (each.id == id && each.parameters.size() == arguments.size()) return value_of(each.result);
    return cel::Error{"no such function"};
  }

 private:
  static cel::Value value_of(const cel::Type& type) {
    switch (type.kind()) {
      case cel::Type::Kind::boolean:
        return true;
      case cel::Type::Kind::integer:
        return 3;
      case cel::Type::Kind::real:
        return 0.25;
      case cel::Type::Kind::string:
        return "critical";
      case cel::Type::Kind::duration:
        return Duration{std::chrono::seconds(2)};
      default:
        return {};
    }
  }

  const cel::Declarations& declared_;
  std::uint8_t choice_;
  cel::Bindings names_;
};

std::optional<cel::Value> value_of(const std::string& text, const cel::Declarations& declared,
                                   const World& world) {
  const auto compiled = cel::compile(text, declared);
  const auto* program = std::get_if<cel::Program>(&compiled);
  if (program == nullptr) return std::nullopt;
  return program->evaluate(world);
}

// NaN is not even itself.
bool same(const cel::Value& a, const cel::Value& b) {
  return a == b || to_string(a) == to_string(b);
}

// Wrapped in what must not change it, an expression has the value it has.
void check_wrapped(const std::string& text, const cel::Value& value,
                   const cel::Declarations& declared, const World& world) {
  if (text.size() + 16 > limits::kExprBytesMax) return;
  // On a line of its own: it may end in a comment.
  const auto in_parentheses = value_of("(" + text + "\n)", declared, world);
  if (in_parentheses) expect(same(*in_parentheses, value), "parentheses change nothing", text);
  const auto in_dyn = value_of("dyn(" + text + "\n)", declared, world);
  if (in_dyn && !value.is_error()) expect(same(*in_dyn, value), "dyn() changes nothing", text);
  const auto negated = value_of("!!(" + text + "\n)", declared, world);
  if (negated && value.is(cel::Value::Kind::boolean))
    expect(same(*negated, value), "two negations change nothing", text);
}

// A value as it is written in an expression; empty where that is for people only.
std::string written(const cel::Value& value) {
  constexpr std::size_t kBytesMax = 500;  // written out they are four times as many
  using Kind = cel::Value::Kind;
  switch (value.kind()) {
    case Kind::null:
    case Kind::boolean:
    case Kind::integer:
    case Kind::unsigned_integer:
      return to_string(value);
    case Kind::bytes:
      return value.as_bytes().size() < kBytesMax ? to_string(value) : "";
    case Kind::duration:
      return "duration('" + cel::to_seconds(value.as_nanoseconds()) + "')";
    case Kind::timestamp:
      return "timestamp('" + cel::to_rfc3339(value.as_timestamp()) + "')";
    default:
      return {};
  }
}

// What a plain value is written as reads back as that value.
void check_written(const cel::Value& value, const cel::Declarations& declared, const World& world) {
  const std::string text = written(value);
  if (text.empty()) return;
  const auto again = value_of(text, declared, world);
  expect(again && *again == value, "a value reads back as it is written", text);
}

// JSON ends, and is JSON.
void check_json(const cel::Value& value) {
  constexpr std::size_t kBytesMax = 4096;
  const auto text = cel::to_json(value, kBytesMax);
  if (!text) return;
  expect(text->size() <= kBytesMax, "JSON is bounded");
  expect_utf8(*text, "a value as JSON");
  using Kind = cel::Value::Kind;
  const auto again = cel::parse_json(*text);
  if (value.is(Kind::string) || value.is(Kind::boolean) || value.is(Kind::integer))
    expect(again && *again == value, "JSON reads back", *text);
}

void check_problems(const std::vector<cel::Problem>& problems, const std::string& text) {
  expect(!problems.empty(), "what does not compile has a problem");
  for (const cel::Problem& problem : problems) {
    expect_safe(cel::describe(problem, text), true, "what is said of an expression");
    expect(problem.line >= 1 && problem.column >= 1 && problem.width >= 1, "a problem has a place");
  }
}

}  // namespace

void run(std::string_view input) {
  Numbers numbers(input);
  const std::uint8_t choice = numbers.byte();
  const std::string text(numbers.rest());
  const cel::Declarations declared = declarations(choice);
  const World world(declared, choice);
  const auto compiled = cel::compile(text, declared);
  if (const auto* problems = std::get_if<std::vector<cel::Problem>>(&compiled))
    return check_problems(*problems, text);
  const auto& program = std::get<cel::Program>(compiled);
  const cel::Value value = program.evaluate(world);
  expect_safe(to_string(value), false, "a value as text");
  expect(same(program.evaluate(world), value), "an expression has one value", text);
  if (!value.is_error() && !value.is_unknown())
    expect(program.type().accepts(value), "a value is of its expression's type", text);
  check_wrapped(text, value, declared, world);
  check_written(value, declared, world);
  check_json(value);
  const auto wanted = cel::compile(text, declared, cel::Type::Kind::boolean);
  if (const auto* condition = std::get_if<cel::Program>(&wanted)) {
    const cel::Value verdict = condition->evaluate(world);
    expect(verdict.is(cel::Value::Kind::boolean) || verdict.is_error() || verdict.is_unknown(),
           "a condition is true, false, unknown or an error", text);
  }
}

}  // namespace firebreak::fuzz
