// Resolves names, types every node, folds constants, and lists what the expression reads.
#include <algorithm>
#include <array>

#include "common/cel/ast.h"
#include "common/cel/functions.h"
#include "common/limits.h"
#include "common/text.h"

namespace firebreak::cel {
namespace {

using Kind = Type::Kind;

constexpr std::array<const char*, 6> kMacroNames{"all",    "exists", "exists_one",
                                                 "filter", "map",    "has"};

std::string signature(std::span<const Type> parameters) {
  std::string out = "(";
  for (std::size_t i = 0; i < parameters.size(); ++i)
    out += (i > 0 ? ", " : "") + to_string(parameters[i]);
  return out + ")";
}

// Several meanings of one name, of the host or built in.
using Overloads = std::vector<const FunctionDecl*>;

// "p95 takes (string) or (string, duration), not (int)"; a receiver is not counted as a parameter.
std::string mismatch(const std::string& name, const Overloads& overloads,
                     std::span<const Type> given, bool is_method) {
  const std::size_t skipped = is_method ? 1 : 0;
  std::vector<std::string> wanted;
  for (const FunctionDecl* decl : overloads)
    wanted.push_back(signature(std::span(decl->parameters).subspan(skipped)));
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  return name + " takes " + join_words(wanted, "or") + ", not " + signature(given.subspan(skipped));
}

bool fits(const FunctionDecl& decl, std::span<const Type> given) {
  if (decl.parameters.size() != given.size()) return false;
  for (std::size_t i = 0; i < given.size(); ++i)
    if (!given[i].fits(decl.parameters[i])) return false;
  return true;
}

// The one type of all overloads that fit.
Type result_of(const Overloads& overloads) {
  for (const FunctionDecl* decl : overloads)
    if (!(decl->result == overloads.front()->result)) return Kind::dyn;
  return overloads.front()->result;
}

// What both have in common; used for the elements of a list and the answers of ?:.
Type join(const Type& a, const Type& b) {
  if (a == b) return a;
  if (a.is(Kind::list) && b.is(Kind::list)) return Type::list(join(a.element(), b.element()));
  if (a.is(Kind::map) && b.is(Kind::map))
    return Type::map(join(a.key(), b.key()), join(a.element(), b.element()));
  return Kind::dyn;
}

// Whether == may say true: numbers of any type, also inside of lists and maps.
bool comparable(const Type& a, const Type& b) {
  if (a.is_number() && b.is_number()) return true;
  if (a.kind() == b.kind() && (a.is(Kind::list) || a.is(Kind::map)))
    return comparable(a.key(), b.key()) && comparable(a.element(), b.element());
  return a.fits(b);
}

bool may_be_key(const Type& type) {
  return type.is(Kind::dyn) || type.is(Kind::boolean) || type.is(Kind::integer) ||
         type.is(Kind::unsigned_integer) || type.is(Kind::string);
}

bool is_time(const Type& type) {
  return type.is(Kind::duration) || type.is(Kind::timestamp);
}

std::optional<Type> time_result(Op op, const Type& a, const Type& b) {
  const bool first = a.is(Kind::timestamp);
  const bool second = b.is(Kind::timestamp);
  const bool meaningful =
      op == Op::add ? !(first && second) : op == Op::subtract && first >= second;
  if (!meaningful) return std::nullopt;
  return first != second ? Kind::timestamp : Kind::duration;
}

std::optional<Type> arithmetic_result(Op op, const Type& a, const Type& b) {
  if (a.is(Kind::dyn) || b.is(Kind::dyn)) return Kind::dyn;
  if (is_time(a) && is_time(b)) return time_result(op, a, b);
  if (op == Op::add && a.is(Kind::list) && b.is(Kind::list)) return a == b ? a : Type(Kind::list);
  if (a.kind() != b.kind()) return std::nullopt;
  if (op == Op::add && (a.is(Kind::string) || a.is(Kind::bytes))) return a;
  if (!a.is_number() || (op == Op::remainder && a.is(Kind::real))) return std::nullopt;
  return a;
}

bool is_ordered(const Type& a, const Type& b) {
  const auto orderable = [](const Type& t) {
    return t.is_number() || t.is(Kind::boolean) || t.is(Kind::string) || t.is(Kind::bytes) ||
           is_time(t) || t.is(Kind::dyn);
  };
  return orderable(a) && orderable(b) && comparable(a, b);
}

class Checker {
 public:
  Checker(Code& code, const Declarations& declarations) : code_(code), declared_(declarations) {}

  std::vector<Problem> run(const std::optional<Type>& wanted) {
    const Type type = check(code_.root);
    const Node& root = node(code_.root);
    if (problems_.empty() && wanted && !type.fits(*wanted))
      report(root.whole,
             "the expression must give " + to_string(*wanted) + ", not " + to_string(type));
    code_.check_result = wanted && type.is(Kind::dyn) && !wanted->is(Kind::dyn);
    code_.type = code_.check_result ? *wanted : type;
    if (problems_.empty()) collect(code_.root);
    std::stable_sort(problems_.begin(), problems_.end(), [](const Problem& a, const Problem& b) {
      return std::pair(a.line, a.column) < std::pair(b.line, b.column);
    });
    return std::move(problems_);
  }

 private:
  struct Local {
    std::string name;
    Type type;
  };

  Node& node(int index) { return code_.nodes[static_cast<std::size_t>(index)]; }
  Node& operand(const Node& of, std::size_t i) { return node(of.operands[i]); }

  // What is wrong has no type: dyn keeps one mistake from being reported again by its surroundings.
  Type report(Span span, std::string message, std::string suggestion = {}) {
    problems_.push_back(make_problem(code_.text, span, std::move(message), std::move(suggestion)));
    return Kind::dyn;
  }

  Type check(int index) {
    Type type = check_any(index);
    if (!type.is(Kind::record)) return type;
    const Node& n = node(index);
    const bool has_fields = !type.fields().empty();
    return report(
        n.whole,
        n.text + " is a group of fields, not a value; write one of them" +
            (has_fields ? ", such as " + n.text + "." + type.fields().begin()->first : ""));
  }

  // May be a record, which only a selection can use.
  Type check_any(int index) {
    Node& n = node(index);
    Type type = check_op(n);
    fold(index);
    return type;
  }

  Type check_op(Node& n) {
    switch (n.op) {
      case Op::constant:
        return type_of(n.value);
      case Op::identifier:
        return identifier(n);
      case Op::select:
        return selection(n);
      case Op::has:
        return presence(n);
      case Op::index:
        return indexing(n);
      case Op::call:
        return call(n, false);
      case Op::method:
        return call(n, true);
      case Op::list:
        return list(n);
      case Op::map:
        return map(n);
      case Op::conditional:
        return conditional(n);
      case Op::logical_and:
      case Op::logical_or:
        return logic(n);
      case Op::logical_not:
        return logic(n);
      case Op::negate:
        return negation(n);
      case Op::all:
      case Op::exists:
      case Op::exists_one:
      case Op::filter:
      case Op::map_macro:
        return macro(n);
      default:
        return binary(n);
    }
  }

  static Type type_of(const Value& value) {
    constexpr std::array<Kind, 9> kKinds{
        Kind::null,   Kind::boolean, Kind::integer,  Kind::unsigned_integer, Kind::real,
        Kind::string, Kind::bytes,   Kind::duration, Kind::timestamp};
    return kKinds[static_cast<std::size_t>(value.kind())];  // the parser makes only scalars
  }

  Type identifier(Node& n) {
    for (std::size_t i = n.id == kGlobal ? 0 : locals_.size(); i-- > 0;) {
      if (locals_[i].name != n.text) continue;
      n.op = Op::local;
      n.id = static_cast<int>(i);
      return locals_[i].type;
    }
    if (const auto found = declared_.variables.find(n.text); found != declared_.variables.end()) {
      n.op = Op::variable;
      return found->second;
    }
    return unknown_name(n);
  }

  Type unknown_name(const Node& n) {
    if (!host_overloads(n.text).empty())
      return report(n.whole, n.text + " is a function; write " + n.text + "(...)");
    std::vector<std::string> candidates;
    for (const Local& local : locals_) candidates.push_back(local.name);
    for (const auto& [name, type] : declared_.variables) candidates.push_back(name);
    std::string suggestion = did_you_mean(n.text, candidates);
    const std::string hint =
        suggestion.empty() ? "; if it is a text, write it in quotes: '" + n.text + "'" : "";
    return report(n.whole, "unknown name '" + n.text + "'" + hint, std::move(suggestion));
  }

  // The type of a record's field, when `of` is a record that has it.
  Type field(const Node& n, const Node& of, const Type& record) {
    const auto found = record.fields().find(n.text);
    if (found != record.fields().end()) return found->second;
    std::vector<std::string> names;
    for (const auto& [name, type] : record.fields()) names.push_back(name);
    return report(n.at, of.text + " has no field '" + n.text + "'", did_you_mean(n.text, names));
  }

  Type no_fields(const Node& n, const Type& from) {
    return report(n.at, "the keys of this map are " + to_string(from.key()) +
                            ", and so it has no field '" + n.text + "'");
  }

  Type selection(Node& n) {
    const Type from = check_any(n.operands[0]);
    const Node& of = operand(n, 0);
    if (from.is(Kind::map) && !from.key().fits(Kind::string)) return no_fields(n, from);
    if (from.is(Kind::map) || from.is(Kind::dyn)) return from.element();
    if (!from.is(Kind::record))
      return report(n.at, to_string(from) + " has no fields, and so no '" + n.text + "'");
    Type type = field(n, of, from);
    n.text = of.text + "." + n.text;
    n.op = Op::variable;
    n.operands.clear();
    return type;
  }

  Type presence(Node& n) {
    const Type from = check_any(n.operands[0]);
    const Node& of = operand(n, 0);
    if (from.is(Kind::record)) {
      const Type type = field(n, of, from);
      if (type.is(Kind::record))
        return report(n.at, n.text + " is a group of fields; ask for one of them");
      n.text = of.text + "." + n.text;
      n.op = Op::has_path;
      n.operands.clear();
    } else if (from.is(Kind::map) && !from.key().fits(Kind::string)) {
      no_fields(n, from);
    } else if (!from.is(Kind::map) && !from.is(Kind::dyn)) {
      report(n.at, to_string(from) + " has no fields, and so no '" + n.text + "'");
    }
    return Kind::boolean;
  }

  Type indexing(Node& n) {
    const Type from = check(n.operands[0]);
    const Type index = check(n.operands[1]);
    const Node& at = operand(n, 1);
    const bool whole = index.is(Kind::integer) || index.is(Kind::unsigned_integer);
    if (from.is(Kind::list) && !whole && !index.is(Kind::dyn))
      return report(at.whole, "a list is indexed by int, not by " + to_string(index));
    if (from.is(Kind::map) && !comparable(index, from.key()))
      return report(at.whole, "this map is indexed by " + to_string(from.key()) + ", not by " +
                                  to_string(index));
    if (!from.is(Kind::list) && !from.is(Kind::map) && !from.is(Kind::dyn))
      return report(operand(n, 0).whole, to_string(from) + " cannot be indexed");
    return from.element();
  }

  Overloads host_overloads(const std::string& name) const {
    Overloads out;
    for (const FunctionDecl& decl : declared_.functions)
      if (decl.name == name) out.push_back(&decl);
    return out;
  }

  static Overloads builtin_overloads(const std::string& name, Style style) {
    Overloads out;
    for (const BuiltinDecl& known : builtins())
      if (known.decl.name == name && (known.style == style || known.style == Style::both))
        out.push_back(&known.decl);
    return out;
  }

  Type call(Node& n, bool is_method) {
    std::vector<Type> given;
    const std::size_t before = problems_.size();
    for (const int argument : n.operands) given.push_back(check(argument));
    const bool arguments_are_wrong = problems_.size() > before;

    Overloads overloads = is_method ? Overloads{} : host_overloads(n.text);
    const bool is_host = !overloads.empty();
    if (!is_host)
      overloads = builtin_overloads(n.text, is_method ? Style::method : Style::function);
    if (overloads.empty()) return is_method ? unknown_method(n, given) : unknown_function(n);
    Overloads fitting = overloads;
    std::erase_if(fitting, [&](const FunctionDecl* decl) { return !fits(*decl, given); });
    if (fitting.empty()) {
      if (arguments_are_wrong) return Kind::dyn;
      return no_overload(n, overloads, given, is_method);
    }
    if (is_host)
      bind_host(n, fitting);
    else
      bind_builtin(n, *fitting.front());
    return result_of(fitting);
  }

  Type no_overload(const Node& n, const Overloads& overloads, std::span<const Type> given,
                   bool is_method) {
    const bool receiver_fits =
        !is_method ||
        std::any_of(overloads.begin(), overloads.end(),
                    [&](const FunctionDecl* decl) { return given[0].fits(decl->parameters[0]); });
    if (!receiver_fits)
      return report(n.at, to_string(given[0]) + " has no method '" + n.text + "'");
    return report({is_method ? n.at.begin : n.whole.begin, n.whole.end},
                  mismatch(n.text, overloads, given, is_method));
  }

  Type unknown_function(const Node& n) {
    if (!builtin_overloads(n.text, Style::method).empty())
      return report(n.at, n.text + " is a method; write text." + n.text + "(...)");
    if (std::find(kMacroNames.begin(), kMacroNames.end(), n.text) != kMacroNames.end())
      return report(n.at, n.text + " is written list." + n.text + "(x, ...)");
    std::vector<std::string> candidates{"has"};
    for (const FunctionDecl& decl : declared_.functions) candidates.push_back(decl.name);
    for (const BuiltinDecl& known : builtins())
      if (known.style != Style::method) candidates.push_back(known.decl.name);
    return report(n.at, "unknown function '" + n.text + "'", did_you_mean(n.text, candidates));
  }

  Type unknown_method(const Node& n, std::span<const Type> given) {
    const bool is_function =
        !host_overloads(n.text).empty() || !builtin_overloads(n.text, Style::function).empty();
    if (is_function)
      return report(n.at, n.text + " is a function, not a method; write " + n.text + "(...)");
    std::vector<std::string> candidates(kMacroNames.begin(), kMacroNames.end() - 1);
    for (const BuiltinDecl& known : builtins())
      if (known.style != Style::function) candidates.push_back(known.decl.name);
    return report(n.at, to_string(given[0]) + " has no method '" + n.text + "'",
                  did_you_mean(n.text, candidates));
  }

  void bind_host(Node& n, const Overloads& fitting) {
    n.op = Op::host_call;
    for (const FunctionDecl* decl : fitting) {
      n.candidates.push_back(static_cast<int>(code_.functions.size()));
      code_.functions.push_back(*decl);
    }
  }

  void bind_builtin(Node& n, const FunctionDecl& decl) {
    n.op = Op::builtin;
    n.id = decl.id;
    const auto builtin = static_cast<Builtin>(decl.id);
    if (n.operands.size() < 2) return;
    const Node& argument = operand(n, 1);
    if (argument.op != Op::constant || !argument.value.is(Value::Kind::string)) return;
    if (builtin == Builtin::matches) return prepare_pattern(n, argument);
    if (is_accessor(builtin)) prepare_zone(n, argument);
  }

  void prepare_pattern(Node& n, const Node& pattern) {
    std::string problem;
    n.pattern = compile_pattern(pattern.value.as_string(), problem);
    if (!n.pattern) report(pattern.whole, "this is not a regular expression (RE2): " + problem);
  }

  void prepare_zone(Node& n, const Node& zone) {
    if (fixed_zone(zone.value.as_string())) return;
    n.zone = load_zone(zone.value.as_string());
    if (!n.zone)
      report(zone.whole,
             "this is no time zone that is known here; write it like +01:00 or Europe/Paris (from "
             "the package tzdata)");
  }

  Type list(const Node& n) {
    if (n.operands.empty()) return Kind::list;
    Type element = check(n.operands[0]);
    for (std::size_t i = 1; i < n.operands.size(); ++i)
      element = join(element, check(n.operands[i]));
    return Type::list(element);
  }

  Type map(const Node& n) {
    std::optional<Type> all;
    std::optional<Type> keys;
    for (std::size_t i = 0; i < n.operands.size(); i += 2) {
      const Type key = check(n.operands[i]);
      const Type value = check(n.operands[i + 1]);
      if (!may_be_key(key))
        report(operand(n, i).whole,
               "the keys of a map are bool, int, uint or string, not " + to_string(key));
      keys = keys ? join(*keys, key) : key;
      all = all ? join(*all, value) : value;
    }
    return Type::map(keys.value_or(Kind::dyn), all.value_or(Kind::dyn));
  }

  Type conditional(const Node& n) {
    const Type condition = check(n.operands[0]);
    const Type yes = check(n.operands[1]);
    const Type no = check(n.operands[2]);
    if (!condition.fits(Kind::boolean))
      report(operand(n, 0).whole, "the condition of ?: must be bool, not " + to_string(condition));
    if (!yes.fits(no))
      return report(n.at, "the answers of ?: must be of one type, not " + to_string(yes) + " and " +
                              to_string(no));
    return join(yes, no);
  }

  Type logic(const Node& n) {
    for (const int index : n.operands) {
      const Type type = check(index);
      if (!type.fits(Kind::boolean))
        report(node(index).whole, n.text + " takes bool, not " + to_string(type));
    }
    return Kind::boolean;
  }

  Type negation(const Node& n) {
    Type type = check(n.operands[0]);
    if (type.is(Kind::integer) || type.is(Kind::real) || type.is(Kind::dyn)) return type;
    return report(n.whole, "- takes int or double, not " + to_string(type));
  }

  Type binary(const Node& n) {
    const Type a = check(n.operands[0]);
    const Type b = check(n.operands[1]);
    if (n.op == Op::equal || n.op == Op::not_equal) {
      if (!comparable(a, b)) incomparable(n, a, b);
      return Kind::boolean;
    }
    if (n.op == Op::in) return membership(n, a, b);
    if (n.op > Op::not_equal) {
      if (!is_ordered(a, b)) incomparable(n, a, b);
      return Kind::boolean;
    }
    const auto result = arithmetic_result(n.op, a, b);
    if (result) return *result;
    const bool mixed = a.is_number() && b.is_number() && a.kind() != b.kind();
    return report(n.at,
                  n.text + (mixed ? " does not mix " : " does not take ") + to_string(a) + " and " +
                      to_string(b) +
                      (mixed ? "; convert one of them, as in " + to_string(b) + "(...)" : ""));
  }

  void incomparable(const Node& n, const Type& a, const Type& b) {
    std::string hint;
    if ((a.is(Kind::duration) && b.is_number()) || (b.is(Kind::duration) && a.is_number()))
      hint = "; write a duration like 500ms or 2m";
    else if (a.is(Kind::null) || b.is(Kind::null))
      hint = "; has(...) asks whether a field is there";
    report(n.at, n.text + " does not compare " + to_string(a) + " with " + to_string(b) + hint);
  }

  Type membership(const Node& n, const Type& a, const Type& b) {
    if (!b.is(Kind::list) && !b.is(Kind::map) && !b.is(Kind::dyn))
      report(operand(n, 1).whole,
             "in looks into a list or the keys of a map, not into " + to_string(b));
    else if (!comparable(a, b.is(Kind::map) ? b.key() : b.element()))
      report(n.at, to_string(a) + " is never in " + to_string(b));
    return Kind::boolean;
  }

  Type macro(Node& n) {
    const Type range = check(n.operands[0]);
    Type element = range.element();
    if (range.is(Kind::map)) element = range.key();
    const std::string name = code_.text.substr(n.at.begin, n.at.end - n.at.begin);
    if (!range.is(Kind::list) && !range.is(Kind::map) && !range.is(Kind::dyn))
      report(operand(n, 0).whole,
             name + " goes over a list or the keys of a map, not over " + to_string(range));
    if (locals_.size() >= limits::kExprMacroDepthMax)
      return report(n.at, "macros nest deeper than " + std::to_string(limits::kExprMacroDepthMax) +
                              " levels");
    n.id = static_cast<int>(locals_.size());
    locals_.push_back({n.text, element});
    std::vector<Type> types;
    for (std::size_t i = 1; i < n.operands.size(); ++i) types.push_back(check(n.operands[i]));
    locals_.pop_back();
    if (n.op == Op::map_macro && types.size() == 1) return Type::list(types[0]);
    if (!types[0].fits(Kind::boolean))
      report(operand(n, 1).whole,
             "the condition of " + name + " must be bool, not " + to_string(types[0]));
    if (n.op == Op::map_macro) return Type::list(types[1]);
    return n.op == Op::filter ? Type::list(element) : Type(Kind::boolean);
  }

  // Its problem has been reported: it needs no value.
  bool is_badly_prepared(const Node& n) {
    if (n.op != Op::builtin || n.operands.size() < 2) return false;
    const Node& argument = operand(n, 1);
    const bool is_text = argument.op == Op::constant && argument.value.is(Value::Kind::string);
    const auto builtin = static_cast<Builtin>(n.id);
    if (builtin == Builtin::matches) return is_text && !n.pattern;
    return is_accessor(builtin) && is_text && !n.zone && !fixed_zone(argument.value.as_string());
  }

  // Replaces what does not depend on the world by its value. An error stays where it is, because
  // its surroundings may absorb it; only a conversion of a literal can never be right.
  void fold(int index) {
    Node& n = node(index);
    const bool pure = n.op == Op::select || (n.op >= Op::builtin && n.op <= Op::in) ||
                      n.op == Op::index || n.op == Op::has;
    if (!pure || is_badly_prepared(n)) return;
    for (const int i : n.operands)
      if (node(i).op != Op::constant) return;
    Value value = evaluate_constant(code_, index);
    if (value.is_error()) {
      if (n.op == Op::builtin && is_conversion(static_cast<Builtin>(n.id)))
        report(n.whole, value.as_error().message);
      return;
    }
    n.op = Op::constant;
    n.value = std::move(value);
  }

  // "body.items" for body.items[0].name: as far as it is fixed.
  std::string path_of(const Node& n) {
    if (n.op == Op::variable || n.op == Op::has_path) return n.text;
    if (n.op != Op::select && n.op != Op::has) return {};
    std::string path = path_of(operand(n, 0));
    return path.empty() ? path : path + "." + n.text;
  }

  void collect(int index) {
    const Node& n = node(index);
    if (std::string path = path_of(n); !path.empty()) {
      code_.reads.push_back({std::move(path), locate(code_.text, n.whole)});
      return;
    }
    if (n.op == Op::host_call) {
      Call& call = code_.calls.emplace_back();
      call.id = code_.functions[static_cast<std::size_t>(n.candidates.front())].id;
      call.name = n.text;
      call.where = locate(code_.text, n.whole);
      for (const int i : n.operands) {
        const Node& argument = node(i);
        std::optional<Value> known;
        if (argument.op == Op::constant) known = argument.value;
        call.arguments.push_back({std::move(known), locate(code_.text, argument.whole)});
      }
    }
    if (n.op == Op::constant) return;
    for (const int i : n.operands) collect(i);
  }

  Code& code_;
  const Declarations& declared_;
  std::vector<Local> locals_;
  std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> check(Code& code, const Declarations& declarations,
                           const std::optional<Type>& wanted) {
  return Checker(code, declarations).run(wanted);
}

}  // namespace firebreak::cel
