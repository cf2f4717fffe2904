// What is written: numbers, strings, bytes, lists, maps, names, and where the caret stands when it
// is not right.
#include "tests/unit/common/cel/support.h"

namespace firebreak::cel {
namespace literals_test {

TEST(Literals, AreNumbersOfThreeTypes) {
  const Shown rows[] = {
      {"0", "0"},
      {"0u", "0u"},
      {"7U", "7u"},
      {"0x2A", "42"},
      {"-0x10", "-16"},
      {"0xffu", "255u"},
      {".5", "0.5"},
      {"6.02e3", "6020.0"},
      {"0e+0", "0.0"},
      {"-2.5E-1", "-0.25"},
      {"1e3 == 1000.0", "true"},
      {"9223372036854775807", "9223372036854775807"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"18446744073709551615u", "18446744073709551615u"},
      {"--3", "3"},
      {"!!yes", "true"},
      {"5m", "5m"},
      {"1h30m == duration('5400s')", "true"},
      {"[1, 2,]", "[1, 2]"},
      {"{'a': 1, 2: 'b',}", "{2: 'b', 'a': 1}"},
      {"[]", "[]"},
      {"{}", "{}"},
      {"null", "null"},
  };
  expect_shown(rows);
}

TEST(Literals, AreStringsWithEscapes) {
  const Shown rows[] = {
      {R"('say "hi"' == "say \"hi\"")", "true"},
      {R"('\a\b\f\n\r\t\v' == '\x07\x08\x0c\x0a\x0d\x09\x0b')", "true"},
      {R"('\\\?\"\'\`' == r'\?"' + "'`")", "true"},
      {R"('\101\x42\X43\u0044\U00000045')", "'ABCDE'"},
      {R"(size('\377'))", "1"},
      {R"('\xff' == 'ÿ' && '\377' == 'ÿ')", "true"},
      {R"('\u00ff' == '\U000000FF')", "true"},
      {R"('\U0001F525' == '🔥')", "true"},
      {R"('\ud83d\udd25' == '🔥')", "true"},
      {R"(size('\ud83d\udd25'))", "1"},
      {R"(r'\n'.size())", "2"},
      {R"(R"\\" == '\\\\')", "true"},
      {R"('''it's "quoted" and ''fine''' == "it's \"quoted\" and ''fine")", "true"},
      {"\"\"\"a\nb\"\"\" == 'a\\nb'", "true"},
      {"'''a\r\nb'''.size()", "4"},
      {R"('' == "" && '' == '''''' && '' == r"")", "true"},
      {"'tab\tinside'.size()", "10"},
  };
  expect_shown(rows);
}

TEST(Literals, AreBytesByOctets) {
  const Shown rows[] = {
      {"b'abc'", "b'abc'"},
      {"B\"abc\" == b'''abc'''", "true"},
      {R"(b'ÿ' == b'\303\277')", "true"},
      {R"(b'\xff' == b'ÿ')", "false"},
      {R"(b'\377' == b'\xFF' && b'\377' == b'\XfF')", "true"},
      {R"(size(b'ÿ'))", "2"},
      {R"(b'\x00\n'.size())", "2"},
      {R"(br'\x00'.size())", "4"},
      {R"(bR"\")", R"(b'\x5c')"},
      {R"(b'a\'b' == b"a'b")", "true"},
      {R"(b'' + b'ab' + b'c')", "b'abc'"},
      {R"(b'\x00\x7f~')", R"(b'\x00\x7f~')"},
      {R"(b'\x01' < b'\x02' && b'a' < b'aa' && b'\x7f' < b'\x80')", "true"},
      {R"(b'a' in [b'b', b'a'])", "true"},
      {R"(dyn(b'a') == 'a')", "false"},
  };
  expect_shown(rows);
}

TEST(Literals, SkipBlanksAndComments) {
  EXPECT_EQ(shown("[ 1 ,\t2\f]\r\n[ 0 ] // the first\n + 1 // and no more"), "2");
  EXPECT_EQ(shown("labels // of the agent\n . // its\n role"), "'edge'");
}

TEST(Literals, NestAsDeepAsTheDefinitionAsks) {
  const auto repeated = [](const std::string& part, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += part;
    return out;
  };
  EXPECT_EQ(shown(repeated("(", 32) + "7" + repeated(")", 32)), "7");
  EXPECT_EQ(shown(repeated("[", 12) + "7" + repeated("]", 12) + repeated("[0]", 12)), "7");
  EXPECT_EQ(shown(repeated("{0: ", 12) + "'x'" + repeated("}", 12) + repeated("[0]", 12)), "'x'");
  EXPECT_EQ(shown(repeated("int(uint(", 6) + "7" + repeated("))", 6)), "7");
  EXPECT_EQ(shown(repeated("!", 32) + "yes"), "true");
  EXPECT_EQ(shown(repeated("-", 32) + "19"), "19");
  EXPECT_EQ(shown(repeated("no || ", 32) + "yes"), "true");
  EXPECT_EQ(shown(repeated("yes && ", 32) + "no"), "false");
  EXPECT_EQ(shown(repeated("no ? 1 : ", 24) + "2"), "2");
  EXPECT_EQ(shown("3" + repeated(" - 3 + 3", 16)), "3");
  EXPECT_EQ(shown("4" + repeated(" * 4 / 4", 16)), "4");
}

TEST(Names, MayBeReservedWordsAfterADot) {
  for (const char* word :
       {"as", "break", "const", "continue", "else", "for", "function", "if", "import", "let",
        "loop", "package", "namespace", "return", "var", "void", "while"}) {
    const std::string text(word);
    EXPECT_EQ(shown("{'" + text + "': 1}." + text), "1");
    EXPECT_NE(problem(text).find("reserved word"), std::string::npos) << text;
  }
  for (const char* word : {"in", "true", "false", "null"})
    EXPECT_EQ(problem("labels." + std::string(word)),
              "8+" + std::to_string(std::string_view(word).size()) + ": '" + word +
                  "' is a keyword; write ['" + word + "'] for a field of that name");
}

TEST(Names, MayBeWrittenInBackquotesAfterADot) {
  EXPECT_EQ(shown("{'content-type': 'text'}.`content-type`"), "'text'");
  EXPECT_EQ(shown("{'a/b c.d': {'in': 2}}.`a/b c.d`.`in`"), "2");
  EXPECT_EQ(shown("has({'x-y': 1}.`x-y`) && !has({'x-y': 1}.`x-z`)"), "true");
  EXPECT_EQ(problem("`yes`"), "1+5: only a field is written in backquotes, as in map.`a-b`");
  EXPECT_EQ(problem("labels.`a"), "8+1: this name is not closed; ` is missing at its end");
  EXPECT_EQ(problem("labels.`a$b`"),
            "8+5: between ` there are letters, digits, _, -, ., / and blanks; write ['...'] for "
            "another key");
  EXPECT_NE(problem("1 `in` [1]"), "");
}

TEST(Names, AfterADotAreTheHosts) {
  EXPECT_EQ(shown(".numbers.map(no, no * 2)"), "[2, 4, 6, 8]");
  EXPECT_EQ(shown("[1].exists(yes, .yes && yes == 1)"), "true");
  EXPECT_EQ(shown(".facts.customers"), "150");
  EXPECT_EQ(shown(".size([1, 2])"), "2");
  EXPECT_EQ(problem("numbers.map(.no, 1)"),
            "14+2: the first argument of map is a new name for each element");
  EXPECT_EQ(problem(". 5"), "3+1: expected a name after '.', not '5'");
}

TEST(Literals, SayWhatIsWrongAndWhere) {
  const Shown rows[] = {
      {"'a\\q'",
       "3+2: this is not an escape sequence; write \\\\ for a backslash, or r'...' for a "
       "string without escapes"},
      {"'\\400'",
       "2+2: this is not an escape sequence; write \\\\ for a backslash, or r'...' for "
       "a string without escapes"},
      {"'\\ud83d'",
       "2+2: this is not an escape sequence; write \\\\ for a backslash, or r'...' "
       "for a string without escapes"},
      {"'\\U00110000'",
       "2+2: this is not an escape sequence; write \\\\ for a backslash, or r'...'"
       " for a string without escapes"},
      {"b'\\u00ff'", "3+2: bytes have no \\u; write each byte, as in \\xc3\\xbf"},
      {"'abc", "1+1: this string is not closed; ' is missing at its end"},
      {"b'a\nb'", "2+1: this string is not closed; ' is missing at its end"},
      {"9223372036854775808", "1+19: '9223372036854775808' does not fit in 64 bits"},
      {"18446744073709551616u", "1+21: '18446744073709551616' does not fit in 64 bits"},
      {"1e999", "1+5: '1e999' does not fit in a double"},
      {"[,]", "2+1: expected a value, not ','"},
      {"[1,,]", "4+1: expected a value, not ','"},
      {"{,}", "2+1: expected a value, not ','"},
      {"pick('a',)", "10+1: expected another argument after ',', not ')'"},
      {"{'a'}", "5+1: expected ':' between key and value, not '}'"},
  };
  for (const Shown& row : rows) EXPECT_EQ(problem(row.text), row.shown) << row.text;
}

}  // namespace literals_test
}  // namespace firebreak::cel
