// Compiling an expression and evaluating it.
//
//   auto compiled = cel::compile("p95('health', 1m) > 500ms", declarations,
//   cel::Type::Kind::boolean); const auto& program = std::get<cel::Program>(compiled); cel::Value
//   verdict = program.evaluate(activation);
//
// Text is hostile: its size, depth and number of nodes are bounded (limits::kExpr...), and so is
// what one evaluation may cost. A Program is immutable, cheap to copy, and safe to evaluate from
// several threads at once as long as the Activation is.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/cel/type.h"
#include "common/cel/value.h"

namespace firebreak::cel {

// The world during one evaluation. Whatever is not there yet is returned as an Unknown that names
// it, what went wrong as an Error. Must not throw.
class Activation {
 public:
  virtual ~Activation() = default;
  // `path` is a declared variable ("body") or a leaf of a record variable ("facts.customers").
  virtual Value variable(std::string_view path) const = 0;
  // The function of that FunctionDecl::id; the arguments are of the declared types.
  virtual Value call(int id, std::span<const Value> arguments) const = 0;
  // What has(facts.customers) asks; unless overridden: variable(path) is neither Unknown nor Error.
  virtual bool has(std::string_view path) const;
};

// Variables by path, no functions; an absent path is Unknown.
class Bindings final : public Activation {
 public:
  Bindings() = default;
  explicit Bindings(std::map<std::string, Value, std::less<>> values)
      : values_(std::move(values)) {}
  void set(std::string path, Value value) {
    values_.insert_or_assign(std::move(path), std::move(value));
  }
  Value variable(std::string_view path) const override;
  Value call(int id, std::span<const Value> arguments) const override;

 private:
  std::map<std::string, Value, std::less<>> values_;
};

// One call of a host function, for whoever must know which inputs an expression reads.
struct Call {
  struct Argument {
    std::optional<Value> constant;  // known at compile time: literals and what is made of them
    Position where;
  };
  int id = 0;
  std::string name;
  std::vector<Argument> arguments;
  Position where;
};

// A variable that is read, as far as its path is fixed: "facts.customers", "body.items".
struct Read {
  std::string path;
  Position where;
};

// A part of an expression with its value; `depth` below the whole, which comes first.
struct Part {
  std::string text;  // as written
  int depth = 0;
  Value value;
};

struct Code;

class Program {
 public:
  explicit Program(std::shared_ptr<const Code> code) : code_(std::move(code)) {}

  // Does not throw; allocates nothing when every value on the way is a scalar or already exists.
  Value evaluate(const Activation& activation) const;

  // The value of every part that is not written out, each before those that it is made of; at most
  // limits::kExprPartsMax. Slow: for explaining.
  std::vector<Part> parts(const Activation& activation) const;

  const std::string& text() const;
  const Type& type() const;  // dyn when it is only known at run time
  // In the order of the text; a call inside a macro is listed once.
  const std::vector<Call>& calls() const;
  const std::vector<Read>& reads() const;

 private:
  std::shared_ptr<const Code> code_;
};

using Compiled = std::variant<Program, std::vector<Problem>>;

// All problems of the text, or the program. With `wanted` the result must be of that type; a result
// of type dyn is then checked by evaluate(), which gives an Error when it is another.
Compiled compile(std::string_view text, const Declarations& declarations,
                 const std::optional<Type>& wanted = {});

}  // namespace firebreak::cel
