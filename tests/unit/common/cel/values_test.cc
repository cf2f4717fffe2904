// Arithmetic, comparison across the types of numbers, keys of maps, strings.
#include "common/cel/value.h"

#include "tests/unit/common/cel/support.h"

namespace firebreak::cel {
namespace values_test {

void expect_true(std::initializer_list<const char*> texts) {
  for (const char* text : texts) EXPECT_EQ(shown(text), "true") << text;
}
void expect_false(std::initializer_list<const char*> texts) {
  for (const char* text : texts) EXPECT_EQ(shown(text), "false") << text;
}

TEST(Arithmetic, OfIntegersDoesNotWrap) {
  const Shown rows[] = {
      {"9223372036854775807 + 1", "error: int overflow in 9223372036854775807 + 1"},
      {"-9223372036854775808 - 1", "error: int overflow in -9223372036854775808 - 1"},
      {"5000000000 * 5000000000", "error: int overflow in 5000000000 * 5000000000"},
      {"-9223372036854775808 / -1", "error: int overflow in -9223372036854775808 / -1"},
      {"-9223372036854775808 % -1", "error: int overflow in -9223372036854775808 % -1"},
      {"-(-9223372036854775808)", "error: int overflow in -(-9223372036854775808)"},
      {"18446744073709551615u + 1u", "error: uint overflow in 18446744073709551615u + 1u"},
      {"0u - 1u", "error: uint overflow in 0u - 1u"},
      {"5000000000u * 5000000000u", "error: uint overflow in 5000000000u * 5000000000u"},
      {"1 / 0", "error: division by zero in 1 / 0"},
      {"1 % 0", "error: division by zero in 1 % 0"},
      {"1u / 0u", "error: division by zero in 1u / 0"},
      {"-7 / 2", "-3"},
      {"-7 % 2", "-1"},
      {"7 % -2", "1"},
      {"7u % 4u", "3u"},
  };
  expect_shown(rows);
}

TEST(Arithmetic, OfDoublesFollowsIeee754) {
  const Shown rows[] = {
      {"1.0 / 0.0", "Infinity"},    {"-1.0 / 0.0", "-Infinity"},   {"0.0 / 0.0", "NaN"},
      {"1e308 * 10.0", "Infinity"}, {"0.1 + 0.2 == 0.3", "false"}, {"-0.0 == 0.0", "true"},
      {"-(1.5)", "-1.5"},           {"2.5 - 0.5", "2.0"},
  };
  expect_shown(rows);
}

TEST(Comparison, OfNumbersIsByTheirValue) {
  expect_true({
      "1 == 1u && 1u == 1.0 && 1.0 == 1",
      "dyn(1) == dyn(1u) && dyn(1u) == dyn(1.0)",
      "1 < 2u && 2u < 2.5 && 2.5 > 2",
      "-1 < 0u && 0u > -1 && -0.5 < 0u",
      "9223372036854775807 < 9223372036854775808u",
      "9223372036854775807 < 9223372036854775808.0",
      "9223372036854775807 != 9223372036854775807.0",  // the double is 2^63
      "-9223372036854775808 == -9223372036854775808.0",
      "-9223372036854775808 > -9223372036854777856.0",
      "18446744073709551615u < 18446744073709551616.0",
      "18446744073709551615u != 18446744073709551615.0",
      "18446744073709551615u > 9223372036854775807",
      "9007199254740993 > 9007199254740992.0",
      "1 < double('Infinity') && 1u < double('Infinity') && -1 > double('-Infinity')",
      "[1, 2u] == [1.0, 2]",
      "[[1]] == [[1.0]]",
      "{'a': 1} == {'a': 1.0}",
      "{1: 'a'} == {1u: 'a'}",
  });
}

TEST(Comparison, WithNanIsAlwaysFalse) {
  for (const char* op : {"==", "<", "<=", ">", ">="})
    for (const char* other : {"1", "1u", "1.0", "double('NaN')"}) {
      const std::string nan = std::string(" ") + op + " ";
      EXPECT_EQ(shown("double('NaN')" + nan + other), "false") << op << other;
      EXPECT_EQ(shown(other + nan + "double('NaN')"), "false") << op << other;
    }
  expect_true({"double('NaN') != double('NaN')", "[double('NaN')] != [double('NaN')]",
               "!(double('NaN') in [double('NaN')])"});
}

TEST(Comparison, OfOtherKindsIsWithinOne) {
  expect_true({
      "false < true && !(true < true) && true >= false",
      "'a' < 'b' && 'a' < 'aa' && '' < 'a'",
      "'Z' < 'a' && 'z' < 'ÿ' && 'ÿ' < '🔥'",  // code points
      "null == null",
      "dyn(1) != '1'",
      "dyn(null) != 0",
      "dyn([]) != {}",
      "dyn(true) != 1",
      "{'a': 1, 'b': 2} == {'b': 2, 'a': 1}",
      "{'a': 1} != {'a': 1, 'b': 2}",
      "{'a': 1} != {'b': 1}",
      "[1, 2] != [2, 1] && [1] != [1, 1]",
  });
  EXPECT_EQ(shown("dyn(1) < 'a'"), "error: there is no int < string");
  EXPECT_EQ(shown("dyn(null) < dyn(null)"), "error: there is no null < null");
  EXPECT_EQ(shown("dyn([1]) < dyn([2])"), "error: there is no list < list");
}

TEST(Maps, HaveKeysOfFourTypes) {
  const Shown rows[] = {
      {"{true: 'y', false: 'n'}[yes]", "'y'"},
      {"{5: 'five'}[5]", "'five'"},
      {"{5u: 'five'}[5u]", "'five'"},
      {"{'k': 'v'}['k']", "'v'"},
      {"{true: 1, 2: 2, 5u: 3, 'x': 4}[2]", "2"},
      {"{true: 1, 2: 2, 5u: 3, 'x': 4}", "{true: 1, 2: 2, 5u: 3, 'x': 4}"},
      {"size({1: 1, 'one': 1, true: 1})", "3"},
      {"{0: 1}[7]", "error: there is no key 7"},
      {"{'a': 1}['b']", "error: there is no key 'b'"},
      {"{1: null}[1]", "null"},
      {"{1: 'a', 1: 'b'}", "error: the key 1 is there twice"},
      {"{1: 'a', 1u: 'b'}", "error: the key 1u is there twice"},
      {"{'a': 1, 'a': 2}", "error: the key 'a' is there twice"},
      {"{dyn(1.5): 1}", "error: the keys of a map are bool, int, uint or string, not double"},
      {"{dyn(null): 1}", "error: the keys of a map are bool, int, uint or string, not null"},
      {"{dyn([1]): 1}", "error: the keys of a map are bool, int, uint or string, not list"},
  };
  expect_shown(rows);
}

TEST(Maps, FindANumberByItsValue) {
  expect_true({
      "{1: 'a'}[1u] == 'a' && {1: 'a'}[1.0] == 'a'",
      "{1u: 'a'}[1] == 'a' && {1u: 'a'}[1.0] == 'a'",
      "1.0 in {1: 0} && 1u in {1: 0} && 1 in {1u: 0}",
      "18446744073709551615u in {18446744073709551615u: 0}",
      "dyn('x') in {'x': 1}",
  });
  expect_false({
      "1.5 in {1: 0}",
      "double('NaN') in {1: 0}",
      "double('Infinity') in {1: 0}",
      "18446744073709551616.0 in {18446744073709551615u: 0}",
      "-1 in {18446744073709551615u: 0}",
      "dyn('1') in {1: 0}",
      "dyn(true) in {1: 0}",
      "dyn([1]) in {1: 0}",
      "dyn(null) in {1: 0}",
  });
  EXPECT_EQ(shown("dyn({1: 0})[null]"), "error: there is no map[null]");
}

TEST(Lists, AreIndexedByWholeNumbers) {
  const Shown rows[] = {
      {"[7, 8, 9][2]", "9"},
      {"[7, 8, 9][2u]", "9"},
      {"[7, 8, 9][dyn(1.0)]", "8"},
      {"[7][1]", "error: index 1 is outside of a list of 1"},
      {"[7][-1]", "error: index -1 is outside of a list of 1"},
      {"[7][dyn(0.5)]", "error: index 0.5 is outside of a list of 1"},
      {"[7][dyn(double('NaN'))]", "error: index NaN is outside of a list of 1"},
      {"dyn([7])['0']", "error: there is no list[string]"},
      {"[1, 2] + [3]", "[1, 2, 3]"},
      {"2 in [1, 2] && !(3 in [1, 2]) && 2u in [1, 2] && !(1 in [])", "true"},
  };
  expect_shown(rows);
}

TEST(Strings, AreOfCodePoints) {
  const Shown rows[] = {
      {"size('') + size('A') + size('ÿ') + 'πέντε'.size()", "7"},
      {"size('🔥')", "1"},
      {"'foobar'.startsWith('foo') && !'foobar'.startsWith('bar') && ''.startsWith('')", "true"},
      {"'forté'.endsWith('té') && !''.endsWith('x') && 'x'.endsWith('')", "true"},
      {"'Straße'.contains('aß') && 'x'.contains('') && !'hello'.contains('ol')", "true"},
      {"'abababc'.contains('ababc')", "true"},
      {"'r' + 'ô' + 'le'", "'rôle'"},
      {"'hubba'.matches('ubb') && matches('grey', 'gr(a|e)y') && 'cows'.matches('')", "true"},
      {"'mañana'.matches('^ma.ana$') && !'mañana'.matches('^a')", "true"},
      {"'b-12'.matches(labels.role) || 'on the edge'.matches(labels.role)", "true"},
      {"'x'.matches(labels.role + '(')",
       "error: this is not a regular expression (RE2): missing ): edge("},
      {"dyn(1).contains('a')", "error: the methods of a string do not take int"},
      {"dyn(1).size()", "error: size does not take int"},
  };
  expect_shown(rows);
}

TEST(Strings, MatchWithinTheBudget) {
  World world;
  world.values.set("labels", Map{{"role", std::string(2000, 'a')}});
  EXPECT_TRUE(evaluated("'a'.matches(labels.role)", world).is_error());
  EXPECT_EQ(shown("numbers.all(n, 'a'.matches('a' + ''))"), "true");  // known when it is loaded
  world.values.set("labels", Map{{"role", "a"}});
  const std::string eight = "[1, 2, 3, 4, 5, 6, 7, 8].all(n, 'a'.matches(labels.role))";
  EXPECT_EQ(shown(eight, world), "true");
  EXPECT_TRUE(evaluated(eight + " && " + eight, world).is_error());
}

TEST(Strings, AreConvertedWithinTheBudget) {
  World world;
  world.values.set("labels", Map{{"role", std::string(1u << 20, '1')}});
  for (const char* conversion : {"bytes(labels.role)", "double(labels.role)", "bool(labels.role)"})
    EXPECT_NE(shown("numbers.map(a, numbers.map(b, " + std::string(conversion) + "))", world)
                  .find("steps"),
              std::string::npos)
        << conversion;
}

TEST(Order, OfKeysIsByGroupThenValue) {
  const KeyOrder before;
  const std::vector<Value> keys{
      false,    true,       Value(-1), Value(0u),
      Value(1), Value(2.5), Value(3u), Value(std::numeric_limits<std::uint64_t>::max()),
      "",       "a",        "b"};
  for (std::size_t i = 0; i < keys.size(); ++i)
    for (std::size_t j = 0; j < keys.size(); ++j)
      EXPECT_EQ(before(keys[i], keys[j]), i < j) << to_string(keys[i]) << to_string(keys[j]);
  EXPECT_FALSE(before(Value(1), Value(1u)) || before(Value(1u), Value(1)));
}

}  // namespace values_test
}  // namespace firebreak::cel
