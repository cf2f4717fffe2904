// The one form of an expression between its text and its value: a flat array of nodes.
//
// The parser appends nodes children first, the checker resolves names in place and folds constants,
// and the program walks the result. Internal to common/cel.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/cel/program.h"
#include "common/cel/time_zone.h"

namespace re2 {
class RE2;
}

namespace firebreak::cel {

enum class Op : std::uint8_t {
  constant,     // value
  identifier,   // text; the checker turns it into a variable or a local. id: kGlobal after a dot
  variable,     // text: what Activation::variable is asked for
  local,        // id: the slot of a macro's variable
  select,       // text: the field, operand 0
  has,          // as select
  has_path,     // text: what Activation::has is asked for
  index,        // operand 0 [operand 1]
  call,         // text: the function; the checker turns it into one of the next two
  method,       // text: the method; operand 0 is the receiver
  host_call,    // candidates: overloads by index into functions
  builtin,      // id: a Builtin
  list,         // operands
  map,          // operands: key, value, key, value
  conditional,  // operands: condition, then, else
  logical_and,  // two or more operands
  logical_or,
  logical_not,
  negate,
  multiply,
  divide,
  remainder,
  add,
  subtract,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  in,
  all,  // operands: range, predicate; id: the slot of the variable; text: its name
  exists,
  exists_one,
  filter,
  map_macro,  // operands: range, [predicate,] transformation
};

struct Span {  // bytes of the text
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

struct Node {
  Op op = Op::constant;
  int id = 0;
  int depth = 1;
  Span whole;  // everything it is made of
  Span at;     // its operator or name
  std::string text;
  Value value;
  std::vector<int> operands;
  std::vector<int> candidates;
  std::shared_ptr<const re2::RE2> pattern;  // of matches(), when it is written out
  std::shared_ptr<const Zone> zone;         // of an accessor of timestamps, likewise
};

inline constexpr int kGlobal = 1;  // of an identifier written .name: no variable of a macro

struct Code {
  std::string text;
  std::vector<Node> nodes;
  int root = 0;
  Type type = Type::Kind::dyn;
  bool check_result = false;  // the wanted type could not be proved
  std::vector<FunctionDecl> functions;
  std::vector<Call> calls;
  std::vector<Read> reads;
};

Position locate(std::string_view text, Span span);
Problem make_problem(std::string_view text, Span span, std::string message,
                     std::string suggestion = {});

// Fills text, nodes and root. Stops at the first problem.
std::optional<Problem> parse(std::string_view text, Code& code);
// Resolves, types and folds what the parser left.
std::vector<Problem> check(Code& code, const Declarations& declarations,
                           const std::optional<Type>& wanted);
// The value of a node that reads no variable and calls no host function.
Value evaluate_constant(const Code& code, int node);
// The value of one node by itself, which must be outside of every macro's body.
Value evaluate_part(const Code& code, int node, const Activation& activation);

}  // namespace firebreak::cel
