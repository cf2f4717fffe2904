// Types: what fits where, and how a problem is shown.
#include "common/cel/type.h"

#include <array>

#include "common/assert.h"
#include "common/text.h"

namespace firebreak::cel {

Type::Type(Kind kind) : kind_(kind) {}

Type Type::list(Type element) {
  Type type(Kind::list);
  type.element_ = std::make_shared<const Type>(std::move(element));
  return type;
}

Type Type::map(Type value) {
  return map(Kind::string, std::move(value));
}

Type Type::map(Type key, Type value) {
  Type type(Kind::map);
  type.key_ = std::make_shared<const Type>(std::move(key));
  type.element_ = std::make_shared<const Type>(std::move(value));
  return type;
}

Type Type::record(Fields fields) {
  Type type(Kind::record);
  type.fields_ = std::make_shared<const Fields>(std::move(fields));
  return type;
}

Type Type::element() const {
  return element_ ? *element_ : Type(Kind::dyn);
}

Type Type::key() const {
  return key_ ? *key_ : Type(Kind::dyn);
}

const Type::Fields& Type::fields() const {
  static const Fields kNone;
  return fields_ ? *fields_ : kNone;
}

bool Type::fits(const Type& wanted) const {
  if (is(Kind::dyn) || wanted.is(Kind::dyn)) return true;
  if (kind_ != wanted.kind_) return false;
  if (!is(Kind::list) && !is(Kind::map)) return true;
  return key().fits(wanted.key()) && element().fits(wanted.element());
}

bool Type::accepts(const Value& value) const {
  constexpr std::array<Kind, 11> kKinds{
      Kind::null,      Kind::boolean, Kind::integer, Kind::unsigned_integer,
      Kind::real,      Kind::string,  Kind::bytes,   Kind::duration,
      Kind::timestamp, Kind::list,    Kind::map};
  if (value.is_error() || value.is_unknown()) return false;
  return is(Kind::dyn) || kKinds[static_cast<std::size_t>(value.kind())] == kind_;
}

bool operator==(const Type& a, const Type& b) {
  if (a.kind_ != b.kind_ || a.fields() != b.fields()) return false;
  if (!a.is(Type::Kind::list) && !a.is(Type::Kind::map)) return true;
  return a.key() == b.key() && a.element() == b.element();
}

std::string to_string(const Type& type) {
  switch (type.kind()) {
    case Type::Kind::null:
      return "null";
    case Type::Kind::boolean:
      return "bool";
    case Type::Kind::integer:
      return "int";
    case Type::Kind::unsigned_integer:
      return "uint";
    case Type::Kind::real:
      return "double";
    case Type::Kind::string:
      return "string";
    case Type::Kind::bytes:
      return "bytes";
    case Type::Kind::duration:
      return "duration";
    case Type::Kind::timestamp:
      return "timestamp";
    case Type::Kind::list:
      return "list(" + to_string(type.element()) + ")";
    case Type::Kind::map:
      return "map(" + to_string(type.key()) + ", " + to_string(type.element()) + ")";
    case Type::Kind::record:
      return "record";
    case Type::Kind::dyn:
      return "dyn";
  }
  FB_ASSERT(false);
  return {};
}

std::string describe(const Problem& problem, std::string_view text) {
  std::string out = escape_line(problem.message);
  if (!problem.suggestion.empty())
    out += "; did you mean '" + escape_line(problem.suggestion) + "'?";
  return out + "\n" + caret_excerpt(text, problem.line, problem.column, problem.width);
}

}  // namespace firebreak::cel
