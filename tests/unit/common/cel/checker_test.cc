// What is refused when it is loaded, with the place and what to write instead.
#include "tests/unit/common/cel/support.h"

namespace firebreak::cel {
namespace checker_test {

struct Row {
  const char* text;
  const char* problem;
};

TEST(Checker, RefusesWrongTypes) {
  const Row rows[] = {
      {"1 + 1u", "3+1: + does not mix int and uint; convert one of them, as in uint(...)"},
      {"1 + 1.0", "3+1: + does not mix int and double; convert one of them, as in double(...)"},
      {"1.5 % 0.5", "5+1: % does not take double and double"},
      {"-1u", "1+3: - takes int or double, not uint"},
      {"-'a'", "1+4: - takes int or double, not string"},
      {"!1", "2+1: ! takes bool, not int"},
      {"yes && 1", "8+1: && takes bool, not int"},
      {"'a' - 'b'", "5+1: - does not take string and string"},
      {"b'a' + 'b'", "6+1: + does not take bytes and string"},
      {"'a' < 1", "5+1: < does not compare string with int"},
      {"[1] < [2]", "5+1: < does not compare list(int) with list(int)"},
      {"'a' == 1", "5+2: == does not compare string with int"},
      {"b'a' == 'a'", "6+2: == does not compare bytes with string"},
      {"[1] == ['a']", "5+2: == does not compare list(int) with list(string)"},
      {"{1: 2} == {'a': 2}", "8+2: == does not compare map(int, int) with map(string, int)"},
      {"now + now", "5+1: + does not take timestamp and timestamp"},
      {"5m - now", "4+1: - does not take duration and timestamp"},
      {"'a' in [1]", "5+2: string is never in list(int)"},
      {"'a' in {1: 2}", "5+2: string is never in map(int, int)"},
      {"1 in 'abc'", "6+5: in looks into a list or the keys of a map, not into string"},
      {"[1]['a']", "5+3: a list is indexed by int, not by string"},
      {"[1][1.0]", "5+3: a list is indexed by int, not by double"},
      {"{1: 2}['a']", "8+3: this map is indexed by int, not by string"},
      {"{'a': 2}[1]", "10+1: this map is indexed by string, not by int"},
      {"{1: 2}.a", "8+1: the keys of this map are int, and so it has no field 'a'"},
      {"has({true: 2}.a)", "15+1: the keys of this map are bool, and so it has no field 'a'"},
      {"{1.5: 2}", "2+3: the keys of a map are bool, int, uint or string, not double"},
      {"{b'a': 2}", "2+4: the keys of a map are bool, int, uint or string, not bytes"},
      {"{null: 2}", "2+4: the keys of a map are bool, int, uint or string, not null"},
      {"yes ? 1 : 'a'", "5+1: the answers of ?: must be of one type, not int and string"},
      {"1 ? 2 : 3", "1+1: the condition of ?: must be bool, not int"},
      {"size(1)", "1+7: size takes (bytes), (list(dyn)), (map(dyn, dyn)) or (string), not (int)"},
      {"b'a'.contains('a')", "6+8: bytes has no method 'contains'"},
      {"bytes(1)", "1+8: bytes takes (bytes) or (string), not (int)"},
      {"now.getHours(1)", "5+11: getHours takes () or (string), not (int)"},
      {"5m.getDate()", "4+7: duration has no method 'getDate'"},
      {"now.getHour()", "5+7: timestamp has no method 'getHour' [getHours]"},
      {"getHours(now)", "1+8: getHours is a method; write text.getHours(...)"},
      {"'a'.matches('(')", "13+3: this is not a regular expression (RE2): missing ): ("},
      {"now.getHours('Nowhere/Town')",
       "14+14: this is no time zone that is known here; write it like +01:00 or Europe/Paris (from "
       "the package tzdata)"},
      {"now.getHours('+1:00')",
       "14+7: this is no time zone that is known here; write it like +01:00 or Europe/Paris (from "
       "the package tzdata)"},
      {"int('abc')", "1+10: 'abc' is not an int"},
      {"uint(-1)", "1+8: -1 does not fit in a uint"},
      {R"(string(b'\xff'))", "1+15: these bytes are not valid UTF-8"},
      {"[1].map(x, y)", "12+1: unknown name 'y'; if it is a text, write it in quotes: 'y'"},
      {"numbers.all(n, n)", "16+1: the condition of all must be bool, not int"},
      {"5.all(n, yes)", "1+1: all goes over a list or the keys of a map, not over int"},
      {"numbers.map(1, 2)", "13+1: the first argument of map is a new name for each element"},
      {"has(yes)", "1+3: has takes one field, as in has(body.field)"},
      {"type(1)", "1+4: unknown function 'type'"},
  };
  for (const Row& row : rows) EXPECT_EQ(problem(row.text), row.problem) << row.text;
}

TEST(Checker, KnowsTheTypeOfWhatItAccepts) {
  struct Typed {
    const char* text;
    const char* shown;
  };
  const Typed rows[] = {
      {"b'a' + b'b'", "bytes"},
      {"{1: 'a'}", "map(int, string)"},
      {"{true: [1u]}", "map(bool, list(uint))"},
      {"{1: 1, 'a': 1}", "map(dyn, int)"},
      {"{1: 'a'}[1u]", "string"},
      {"{1u: 'a'}.map(k, k)", "list(uint)"},
      {"now.getHours()", "int"},
      {"now - now", "duration"},
      {"5m + now", "timestamp"},
      {"[1, 'a']", "list(dyn)"},
      {"numbers.filter(n, n > 1)", "list(int)"},
      {"labels", "map(string, string)"},
      {"dyn(1)", "dyn"},
      {"yes ? [] : [1]", "list(dyn)"},
  };
  for (const Typed& row : rows) {
    const Compiled out = compile(row.text, declarations());
    ASSERT_TRUE(std::holds_alternative<Program>(out)) << row.text;
    EXPECT_EQ(to_string(std::get<Program>(out).type()), row.shown) << row.text;
  }
}

}  // namespace checker_test
}  // namespace firebreak::cel
