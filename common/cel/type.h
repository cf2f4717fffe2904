// Types, and what an expression may name: the variables and functions that its host declares.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/cel/value.h"

namespace firebreak::cel {

// A cheap, immutable description of a type. `dyn` is checked when the expression runs, everything
// else when it is compiled.
class Type {
 public:
  enum class Kind : std::uint8_t {
    null,
    boolean,
    integer,
    unsigned_integer,
    real,
    string,
    bytes,
    duration,
    timestamp,
    list,
    map,
    record,  // declared fields, each with its type; any other field is a problem at compile time
    dyn,
  };
  using Fields = std::map<std::string, Type>;

  Type(Kind kind);  // list and map are of dyn; a record without fields
  static Type list(Type element);
  static Type map(Type value);  // with keys of string
  static Type map(Type key, Type value);
  static Type record(Fields fields);

  Kind kind() const { return kind_; }
  bool is(Kind wanted) const { return kind_ == wanted; }
  bool is_number() const { return kind_ >= Kind::integer && kind_ <= Kind::real; }
  // Of a list its element, of a map its value, otherwise dyn.
  Type element() const;
  Type key() const;              // of a map, otherwise dyn
  const Fields& fields() const;  // empty unless a record

  // Whether a value of this type may stand where `wanted` is asked for; dyn fits both ways.
  bool fits(const Type& wanted) const;
  // Whether a value at run time is of this type, elements not looked at.
  bool accepts(const Value& value) const;

  friend bool operator==(const Type& a, const Type& b);

 private:
  Kind kind_;
  std::shared_ptr<const Type> element_;
  std::shared_ptr<const Type> key_;
  std::shared_ptr<const Fields> fields_;
};

std::string to_string(const Type& type);  // "list(string)"

// A function of the host, called as name(arguments). Several of one name are overloads, told apart
// by their parameters; a default for a trailing parameter is an overload without it.
struct FunctionDecl {
  std::string name;
  std::vector<Type> parameters;
  Type result = Type::Kind::dyn;
  int id = 0;  // handed to Activation::call
};

struct Declarations {
  // A record is read field by field (Activation::variable("facts.customers")), every other variable
  // as a whole.
  std::map<std::string, Type> variables;
  std::vector<FunctionDecl> functions;  // they come before built-in functions of the same name
};

// A place in the expression's text: 1-based, in bytes; width stays within the line.
struct Position {
  int line = 1;
  int column = 1;
  int width = 1;
  friend bool operator==(const Position&, const Position&) = default;
};

// Why a text is not a valid expression, and where. The message may quote the text.
struct Problem {
  std::string message;
  int line = 1;
  int column = 1;
  int width = 1;
  std::string suggestion;  // the word that was probably meant, or empty
};

// The message, the line with a caret, and the suggestion, for a terminal.
std::string describe(const Problem& problem, std::string_view text);

}  // namespace firebreak::cel
