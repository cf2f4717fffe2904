// What the operators do to values, and what that costs. Internal to common/cel.
//
// The operands are never errors or unknowns: the evaluator has taken those out.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "common/cel/ast.h"

namespace firebreak::cel {

// The steps that one evaluation may still take. Work that grows with its operands is paid for
// before it is done.
class Budget {
 public:
  explicit Budget(std::int64_t steps) : left_(steps) {}
  // False when this is more than what is left; then the operation must not be done.
  bool spend(std::size_t steps = 1);
  bool spend_bytes(std::size_t bytes) { return spend(1 + bytes / 64); }
  bool is_exhausted() const { return left_ < 0; }

 private:
  std::int64_t left_;
};

const Value& budget_error();

// Whether a timestamp may be that many seconds after the Unix epoch: the years 1 to 9999.
bool is_in_range(std::int64_t seconds);

// CEL's ==: numbers by value whatever their type, lists and maps in depth, other kinds are unequal.
bool equal(const Value& a, const Value& b, Budget& budget);
// nullopt when they have no order between them; a NaN is unordered.
std::optional<std::partial_ordering> compare(const Value& a, const Value& b);
Value negate(const Value& a);
// An arithmetic operator, a relation or `in`.
Value apply(Op op, const Value& a, const Value& b, Budget& budget);
const char* symbol_of(Op op);

}  // namespace firebreak::cel
