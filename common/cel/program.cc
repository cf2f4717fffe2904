// The evaluator: walks the checked nodes, with CEL's rules for errors and unknowns.
//
// Every operation but && || ?: and the macros is strict: an unknown operand makes the result
// unknown, otherwise an error makes it an error. && and || give the answer that any value of the
// missing operand would give, and otherwise prefer unknown to error.
#include "common/cel/program.h"

#include <algorithm>
#include <array>

#include "common/cel/ast.h"
#include "common/cel/functions.h"
#include "common/limits.h"
#include "common/text.h"

namespace firebreak::cel {
namespace {

using Kind = Value::Kind;

bool is_blocked(const Value& v) {
  return v.is_error() || v.is_unknown();
}

// Of two results that cannot both stand: unknowns are joined and come before errors, the first
// error before the second. A plain value gives way to either.
Value worse(const Value& a, const Value& b) {
  if (a.is_unknown() && b.is_unknown()) {
    if (a == b) return a;
    Unknown joined = a.as_unknown();
    joined.missing.insert(b.as_unknown().missing.begin(), b.as_unknown().missing.end());
    return joined;
  }
  if (a.is_unknown() || b.is_unknown()) return a.is_unknown() ? a : b;
  return a.is_error() || !b.is_error() ? a : b;
}

Value not_bool(std::string_view who, const Value& v) {
  return Error{std::string(who) + " takes bool, not " + to_string(v.kind())};
}

std::string shown_key(const Value& key) {
  return key.is(Kind::string) ? "'" + escape_line(key.as_string(), 64) + "'" : to_string(key);
}

class Evaluator {
 public:
  Evaluator(const Code& code, const Activation& world)
      : code_(code), world_(world), budget_(limits::kExprStepsMax) {}

  Value run(int index) {
    Value result = eval(index);
    return budget_.is_exhausted() ? budget_error() : result;
  }

 private:
  const Node& node(int index) const { return code_.nodes[static_cast<std::size_t>(index)]; }

  Value eval(int index) {
    if (!budget_.spend()) return budget_error();
    const Node& n = node(index);
    switch (n.op) {
      case Op::constant:
        return n.value;
      case Op::variable:
        return world_.variable(n.text);
      case Op::local:
        return locals_[static_cast<std::size_t>(n.id)];
      case Op::has_path:
        return world_.has(n.text);
      case Op::select:
      case Op::has:
        return field(n, eval(n.operands[0]));
      case Op::index:
        return index_of(n);
      case Op::host_call:
      case Op::builtin:
        return call(n);
      case Op::list:
        return list(n);
      case Op::map:
        return map(n);
      case Op::conditional:
        return conditional(n);
      case Op::logical_and:
        return logic(n, false);
      case Op::logical_or:
        return logic(n, true);
      case Op::logical_not:
        return inverse(eval(n.operands[0]));
      case Op::negate: {
        const Value v = eval(n.operands[0]);
        return is_blocked(v) ? v : negate(v);
      }
      case Op::all:
        return quantified(n, false);
      case Op::exists:
        return quantified(n, true);
      case Op::exists_one:
        return exists_one(n);
      case Op::filter:
      case Op::map_macro:
        return transformed(n);
      default:
        return binary(n);
    }
  }

  Value binary(const Node& n) {
    const Value a = eval(n.operands[0]);
    const Value b = eval(n.operands[1]);
    if (is_blocked(a) || is_blocked(b)) return worse(a, b);
    return apply(n.op, a, b, budget_);
  }

  Value inverse(const Value& v) const {
    if (is_blocked(v)) return v;
    return v.is(Kind::boolean) ? Value(!v.as_bool()) : not_bool("!", v);
  }

  // `absorbing` decides alone: true for ||, false for &&.
  Value logic(const Node& n, bool absorbing) {
    Value result = !absorbing;
    for (const int operand : n.operands) {
      Value v = eval(operand);
      if (v.is(Kind::boolean) && v.as_bool() == absorbing) return v;
      if (!v.is(Kind::boolean)) result = worse(result, is_blocked(v) ? v : not_bool(n.text, v));
    }
    return result;
  }

  Value conditional(const Node& n) {
    Value condition = eval(n.operands[0]);
    if (is_blocked(condition)) return condition;
    if (!condition.is(Kind::boolean)) return not_bool("?:", condition);
    return eval(n.operands[condition.as_bool() ? 1 : 2]);
  }

  static Value field(const Node& n, const Value& from) {
    if (is_blocked(from)) return from;
    if (!from.is(Kind::map))
      return Error{std::string(to_string(from.kind())) + " has no fields, and so no '" + n.text +
                   "'"};
    const auto found = from.as_map().find(std::string_view(n.text));
    const bool there = found != from.as_map().end();
    if (n.op == Op::has) return there;
    return there ? found->second : Value(Error{"there is no field '" + n.text + "'"});
  }

  Value index_of(const Node& n) {
    const Value from = eval(n.operands[0]);
    const Value at = eval(n.operands[1]);
    if (is_blocked(from) || is_blocked(at)) return worse(from, at);
    const bool is_key = at.is(Kind::string) || at.is(Kind::boolean) || at.is_number();
    if (from.is(Kind::map) && is_key) {
      const auto found = from.as_map().find(at);
      if (found != from.as_map().end()) return found->second;
      return Error{"there is no key " + shown_key(at)};
    }
    if (!from.is(Kind::list) || !at.is_number())
      return Error{std::string("there is no ") + to_string(from.kind()) + "[" +
                   to_string(at.kind()) + "]"};
    const auto& list = from.as_list();
    const auto size = static_cast<std::int64_t>(list.size());
    const bool within = !(*compare(at, 0) < 0) && *compare(at, size) < 0;
    const Value whole = within ? call_builtin(Builtin::to_int, {&at, 1}, {}, budget_) : at;
    if (!within || *compare(whole, at) != 0)
      return Error{"index " + to_string(at) + " is outside of a list of " + std::to_string(size)};
    return list[static_cast<std::size_t>(whole.as_int())];
  }

  Value call(const Node& n) {
    std::array<Value, limits::kExprArgumentsMax + 1> values;  // a method's receiver comes first
    Value blocked;
    for (std::size_t i = 0; i < n.operands.size(); ++i) {
      values[i] = eval(n.operands[i]);
      blocked = worse(blocked, values[i]);
    }
    if (is_blocked(blocked)) return blocked;
    const std::span<const Value> arguments(values.data(), n.operands.size());
    if (n.op == Op::builtin)
      return call_builtin(static_cast<Builtin>(n.id), arguments, {n.pattern.get(), n.zone.get()},
                          budget_);
    return host_call(n, arguments);
  }

  Value host_call(const Node& n, std::span<const Value> arguments) {
    for (const int candidate : n.candidates) {
      const FunctionDecl& decl = code_.functions[static_cast<std::size_t>(candidate)];
      const bool fits = std::equal(arguments.begin(), arguments.end(), decl.parameters.begin(),
                                   [](const Value& v, const Type& t) { return t.accepts(v); });
      if (fits) return world_.call(decl.id, arguments);
    }
    std::vector<std::string> given;
    for (const Value& v : arguments) given.emplace_back(to_string(v.kind()));
    return Error{n.text + " does not take (" + join_words(given, ",") + ")"};
  }

  Value list(const Node& n) {
    List out;
    Value blocked;
    for (const int operand : n.operands) {
      out.push_back(eval(operand));
      blocked = worse(blocked, out.back());
    }
    return is_blocked(blocked) ? blocked : Value(std::move(out));
  }

  Value map(const Node& n) {
    Map out;
    Value blocked;
    for (std::size_t i = 0; i < n.operands.size(); i += 2) {
      const Value key = eval(n.operands[i]);
      Value value = eval(n.operands[i + 1]);
      blocked = worse(worse(blocked, key), value);
      if (is_blocked(blocked)) continue;
      const bool is_key = key.is(Kind::boolean) || key.is(Kind::string) || key.is(Kind::integer) ||
                          key.is(Kind::unsigned_integer);
      if (!is_key)
        blocked = Error{std::string("the keys of a map are bool, int, uint or string, not ") +
                        to_string(key.kind())};
      else if (!out.emplace(key, std::move(value)).second)
        blocked = Error{"the key " + shown_key(key) + " is there twice"};
    }
    return is_blocked(blocked) ? blocked : Value(std::move(out));
  }

  // Calls visit() with the macro's variable set to each element until it returns false. What keeps
  // the range from being gone through, or null.
  template <class Visit>
  Value over(const Node& n, Visit visit) {
    Value range = eval(n.operands[0]);
    if (is_blocked(range)) return range;
    Value& local = locals_[static_cast<std::size_t>(n.id)];
    if (range.is(Kind::list)) {
      for (const Value& element : range.as_list()) {
        local = element;
        if (!visit() || budget_.is_exhausted()) break;
      }
    } else if (range.is(Kind::map)) {
      for (const auto& [key, value] : range.as_map()) {
        local = key;
        if (!visit() || budget_.is_exhausted()) break;
      }
    } else {
      return Error{std::string("a macro goes over a list or the keys of a map, not over ") +
                   to_string(range.kind())};
    }
    return {};
  }

  // all and exists are && and || over the elements.
  Value quantified(const Node& n, bool absorbing) {
    Value result = !absorbing;
    const Value blocked = over(n, [&] {
      const Value v = eval(n.operands[1]);
      if (v.is(Kind::boolean) && v.as_bool() == absorbing) {
        result = v;
        return false;
      }
      if (!v.is(Kind::boolean)) result = worse(result, is_blocked(v) ? v : not_bool("a macro", v));
      return true;
    });
    return is_blocked(blocked) ? blocked : result;
  }

  Value exists_one(const Node& n) {
    Value bad;
    int count = 0;
    const Value blocked = over(n, [&] {
      const Value v = eval(n.operands[1]);
      if (v.is_true()) ++count;
      if (!v.is(Kind::boolean)) bad = worse(bad, is_blocked(v) ? v : not_bool("exists_one", v));
      return true;
    });
    return is_blocked(worse(blocked, bad)) ? worse(blocked, bad) : Value(count == 1);
  }

  // filter(x, condition), map(x, transformation) and map(x, condition, transformation).
  Value transformed(const Node& n) {
    const bool has_condition = n.op == Op::filter || n.operands.size() == 3;
    List out;
    Value bad;
    const Value blocked = over(n, [&] {
      const Value keep = has_condition ? eval(n.operands[1]) : Value(true);
      if (!keep.is(Kind::boolean))
        bad = worse(bad, is_blocked(keep) ? keep : not_bool("filter", keep));
      if (!keep.is_true()) return true;
      out.push_back(n.op == Op::filter ? locals_[static_cast<std::size_t>(n.id)]
                                       : eval(n.operands.back()));
      bad = worse(bad, out.back());
      return true;
    });
    return is_blocked(worse(blocked, bad)) ? worse(blocked, bad) : Value(std::move(out));
  }

  const Code& code_;
  const Activation& world_;
  Budget budget_;
  std::array<Value, limits::kExprMacroDepthMax> locals_;
};

}  // namespace

bool Activation::has(std::string_view path) const {
  return !is_blocked(variable(path));
}

Value Bindings::variable(std::string_view path) const {
  const auto found = values_.find(path);
  return found != values_.end() ? found->second : Value(Unknown{{std::string(path)}});
}

Value Bindings::call(int, std::span<const Value>) const {
  return Error{"there are no functions here"};
}

Value Program::evaluate(const Activation& activation) const {
  Value result = Evaluator(*code_, activation).run(code_->root);
  if (code_->check_result && !is_blocked(result) && !code_->type.accepts(result))
    return Error{"the expression must give " + to_string(code_->type) + ", not " +
                 to_string(result.kind())};
  return result;
}

const std::string& Program::text() const {
  return code_->text;
}
const Type& Program::type() const {
  return code_->type;
}
const std::vector<Call>& Program::calls() const {
  return code_->calls;
}
const std::vector<Read>& Program::reads() const {
  return code_->reads;
}

Value evaluate_constant(const Code& code, int node) {
  const Bindings nothing;
  return Evaluator(code, nothing).run(node);
}

Value evaluate_part(const Code& code, int node, const Activation& activation) {
  return Evaluator(code, activation).run(node);
}

Compiled compile(std::string_view text, const Declarations& declarations,
                 const std::optional<Type>& wanted) {
  auto code = std::make_shared<Code>();
  if (auto problem = parse(text, *code)) return std::vector<Problem>{std::move(*problem)};
  if (auto problems = check(*code, declarations, wanted); !problems.empty()) return problems;
  return Program(std::move(code));
}

}  // namespace firebreak::cel
