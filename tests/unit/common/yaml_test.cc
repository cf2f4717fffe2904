// Every mistake in a file is reported with its place, and hostile files are refused in bounded
// time and memory.
#include "common/yaml.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firebreak::yaml {
namespace {

using std::chrono_literals::operator""s;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<std::string> lines_of(const Problems& problems) {
  std::vector<std::string> out;
  for (const Problem& p : problems.kept()) {
    std::string line = p.file + ":" + std::to_string(p.line) + ":" + std::to_string(p.column) +
                       "+" + std::to_string(p.width) + " " + p.message;
    if (!p.suggestion.empty()) line += " [" + p.suggestion + "]";
    out.push_back(std::move(line));
  }
  return out;
}

// The problems of a text that must be refused.
std::vector<std::string> refused(const std::string& text) {
  Problems problems;
  EXPECT_FALSE(parse("f", text, problems));
  EXPECT_FALSE(problems.ok());
  return lines_of(problems);
}

Node root_of(const std::string& text) {
  Problems problems;
  const Result<Document> document = parse("f", text, problems);
  EXPECT_TRUE(document) << problems.render();
  return document ? document->root() : Node();
}

// The value of the key `v`.
Node value_of(const std::string& text) {
  for (const Entry& entry : root_of(text).entries())
    if (entry.key.text() == "v") return entry.value;
  return {};
}

std::string at(const Place& place) {
  return std::to_string(place.line) + ":" + std::to_string(place.column);
}

TEST(YamlParse, KeepsOrderKindsAndPlaces) {
  const Node root = root_of("b: 1\na:\n  - 'x'\n  -\n  - {y: \"z\", n}\nn: ~\n");
  ASSERT_EQ(root.kind(), Kind::map);
  const auto entries = root.entries();
  ASSERT_THAT(entries, SizeIs(3));
  EXPECT_EQ(entries[0].key.text(), "b");
  EXPECT_EQ(entries[1].key.text(), "a");
  EXPECT_EQ(entries[2].value.kind(), Kind::null);
  EXPECT_EQ(entries[2].value.place(), (Place{"f", 6, 4, 1}));
  const auto items = entries[1].value.items();
  ASSERT_THAT(items, SizeIs(3));
  EXPECT_EQ(items[0].text(), "x");
  EXPECT_TRUE(items[0].quoted());
  EXPECT_EQ(items[0].place(), (Place{"f", 3, 5, 3}));
  EXPECT_EQ(items[1].kind(), Kind::null);
  EXPECT_EQ(items[1].place(), (Place{"f", 4, 3, 1}));
  EXPECT_EQ(items[2].entries()[0].value.place(), (Place{"f", 5, 9, 3}));
  EXPECT_EQ(items[2].entries()[1].value.kind(), Kind::null);
  EXPECT_EQ(items[2].entries()[1].value.label(), "'n'");
  EXPECT_EQ(items[2].label(), "item 3 of 'a'");
  EXPECT_EQ(root.label(), "the document");
}

TEST(YamlParse, EmptyTextIsNull) {
  for (const char* text : {"", "# only a comment\n", "---\n", "\n\n"})
    EXPECT_EQ(root_of(text).kind(), Kind::null) << text;
}

TEST(YamlParse, WindowsLineEndsAndByteOrderMarkChangeNothing) {
  const Node root = root_of(
      "\xef\xbb\xbf"
      "a: 1\r\nv: |\r\n  x\r\n  y\r\n");
  EXPECT_EQ(root.entries()[1].value.text(), "x\ny\n");
  EXPECT_EQ(at(root.entries()[0].key.place()), "1:1");
  EXPECT_EQ(at(root.entries()[1].value.place()), "2:4");
}

TEST(YamlParse, ColumnsCountBytes) {
  EXPECT_EQ(value_of("{ü: é, v: zü}\n").place(), (Place{"f", 1, 13, 3}));
}

TEST(YamlParse, ReportsDuplicateKeysWithBothPlaces) {
  EXPECT_THAT(refused("a: 1\nb:\n  c: 1\n  'c': 2\na: 3\n"),
              ElementsAre("f:4:3+3 key 'c' is given twice in this map, first at f:3:3; keep one",
                          "f:5:1+1 key 'a' is given twice in this map, first at f:1:1; keep one"));
}

TEST(YamlParse, RefusesAnchorsAliasesTagsAndMergeKeysInOnePass) {
  EXPECT_THAT(
      refused("a: &base {x: 1}\nb: *base\nc:\n  <<: {y: 2}\nd: !!str 5\ne: ! f\ng: !h [1]\n"),
      ElementsAre(HasSubstr("f:1:4+5 anchors (&name) are not supported"),
                  HasSubstr("f:2:4+5 aliases (*name) are not supported"),
                  HasSubstr("f:4:3+2 merge keys (<<) are not supported"),
                  HasSubstr("f:5:4+5 tags (!name) are not supported"),
                  HasSubstr("f:6:4+1 tags (!name) are not supported"),
                  HasSubstr("f:7:4+2 tags (!name) are not supported")));
}

TEST(YamlParse, AnAliasBombIsRefusedAtItsFirstAnchor) {
  std::string bomb = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 40; ++i) {
    const std::string last = "*a" + std::to_string(i - 1), name = "a" + std::to_string(i);
    bomb += name;
    bomb += ": &";
    bomb += name + " [" + last + ", " + last + "]\n";
  }
  EXPECT_THAT(refused(bomb).front(), HasSubstr("f:1:5+3 anchors (&name) are not supported"));
}

struct BadText {
  const char* text;
  const char* problem;
};
class YamlRefuses : public ::testing::TestWithParam<BadText> {};

TEST_P(YamlRefuses, WithPlaceAndAdvice) {
  EXPECT_THAT(refused(GetParam().text), ElementsAre(HasSubstr(GetParam().problem)));
}

INSTANTIATE_TEST_SUITE_P(
    Syntax, YamlRefuses,
    ::testing::Values(
        BadText{"a: 1\n---\nb: 2\n", "f:2:1+3 a second document begins here"},
        BadText{"a: 1\n---\n", "f:2:1+3 a second document begins here"},
        BadText{"- a\nb: 1\n", "f:2:1+1 this does not belong to the document before it"},
        BadText{"# c\n%YAML 1.2\n---\na: 1\n", "f:2:1+9 directives (%YAML, %TAG)"},
        BadText{"a: 'x\nb: 2\n", "f:1:4+1 this quote is never closed"},
        BadText{"a: \"x\nb: 2\n", "f:1:4+1 this quote is never closed"},
        BadText{"a: 1\nb: [1, 2\n", "f:2:4+1 this bracket is never closed; ']' is missing"},
        BadText{"a: {b: 1\n", "f:1:4+1 this bracket is never closed; '}' is missing"},
        BadText{"a: {b: 1 c: 2}\n", "f:1:11+1 ',' or '}' is missing here"},
        BadText{"a: [b]]\n", "f:1:7+1 this bracket closes nothing"},
        BadText{"a: 'x' y\n", "f:1:8+1 this does not belong to the map before it"},
        BadText{"a:\n  b: 1\n c: 2\n", "f:3:2+1 this does not belong to the map before it"},
        BadText{"a: b: c\n", "f:1:5+1 a ':' is not expected here"},
        BadText{"a: @b\n", "f:1:4+1 text cannot begin with this character; quote it"},
        BadText{"a: \"\\q\"\n", "f:1:7+1 unknown escape; double the backslash"},
        BadText{"a: | x\n", "f:1:6+1 after | or > the text begins on the next line"},
        BadText{"a: *\n", "f:1:5+1 aliases (*name) are not supported"},
        BadText{"a: *b\n", "f:1:4+1 aliases (*name) are not supported"},
        BadText{"{{name}}: 1\n", "f:1:1+1 a key must be text; quote it"},
        BadText{"~: 1\n", "f:1:1+1 a key must be text"}));

INSTANTIATE_TEST_SUITE_P(
    Tabs, YamlRefuses,
    ::testing::Values(BadText{"a:\n\tb: 1\n", "f:2:1+1 a tab cannot indent YAML; use spaces"},
                      BadText{"a: 1\n\tb: 1\n", "f:2:1+1 a tab cannot indent YAML"},
                      BadText{"a:\n  b: 1\n  \tc: 1\n", "f:3:3+1 a tab cannot indent YAML"},
                      BadText{"- a\n\t- b\n", "f:2:1+1 a tab cannot indent YAML"}));

INSTANTIATE_TEST_SUITE_P(
    Characters, YamlRefuses,
    ::testing::Values(BadText{"a: \xff\n", "f:1:4+1 not valid UTF-8"},
                      BadText{"a: 1\nb: \xc0\x80\n", "f:2:4+1 not valid UTF-8"},
                      BadText{"a: \xed\xa0\x80\n", "f:1:4+1 not valid UTF-8"},
                      BadText{"a: 1\n\x04"
                              "b: 2\n",
                              "f:2:1+1 a control character"},
                      BadText{"a: 1\rb: 2\n", "f:1:5+1 a control character"},
                      BadText{"a: \"x\x1b[2J\"\n", "f:1:6+1 a control character"},
                      BadText{"a: \xe2\x80\xae"
                              "b\n",
                              "f:1:4+3 a character that reorders the text"}));

TEST(YamlParse, RefusesNul) {
  EXPECT_THAT(refused(std::string("a: \0b\n", 6)),
              ElementsAre("f:1:4+1 a NUL byte; this is not a text file"));
  EXPECT_THAT(refused(std::string("a\0:\0 \0b\0", 8)), SizeIs(1));  // UTF-16
}

TEST(YamlParse, RefusesDeepNestingOfEveryStyle) {
  constexpr std::size_t kDepth = 100000;
  std::string dashes, flow, maps;
  for (std::size_t i = 0; i < kDepth; ++i) {
    dashes += "- ";
    maps += "{a: ";
  }
  flow.assign(kDepth, '[');
  EXPECT_THAT(refused(flow), ElementsAre(HasSubstr("nested deeper than 32 levels")));
  EXPECT_THAT(refused(dashes), ElementsAre("f:1:65+1 nested deeper than 32 levels"));
  EXPECT_THAT(refused(maps), ElementsAre(HasSubstr("nested deeper than 32 levels")));
  EXPECT_THAT(refused(std::string(33, '[') + std::string(33, ']')), SizeIs(1));
  EXPECT_EQ(root_of(std::string(32, '[') + std::string(32, ']')).kind(), Kind::sequence);
}

TEST(YamlParse, RefusesTooManyNodes) {
  std::string text = "[";
  for (std::size_t i = 0; i < limits::kYamlNodesMax; ++i) text += "1,";
  EXPECT_THAT(refused(text + "]"),
              ElementsAre(HasSubstr("more than 200000 values in one file; split it")));
}

TEST(YamlParse, RefusesAHugeText) {
  EXPECT_THAT(refused(std::string(limits::kYamlBytesMax + 1, '#')),
              ElementsAre("f:0:0+1 larger than 4096 KiB; split it into several files"));
}

TEST(YamlParse, FailureCarriesTheFirstProblem) {
  Problems problems;
  const auto document = parse("p.yaml", "a: 1\na: 2\na: 3\n", problems);
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().code, Errc::invalid_argument);
  EXPECT_EQ(document.error().message,
            "p.yaml:2:1: key 'a' is given twice in this map, first at p.yaml:1:1; keep one "
            "(and 1 more error)");
}

TEST(YamlPlaces, InsideScalars) {
  EXPECT_EQ(at(value_of("v: abc > 1\n").place_of(4)), "1:8");
  EXPECT_EQ(at(value_of("v: 'it''s > 1'\n").place_of(5)), "1:11");
  EXPECT_EQ(at(value_of("v: \"\\u00fc\\t\\\"x > 1\"\n").place_of(4)), "1:15");
  EXPECT_EQ(at(value_of("v: \"\\u00fc\\t\\\"x > 1\"\n").place_of(0)), "1:5");
  EXPECT_EQ(at(value_of("v: abc\n   def\n").place_of(5)), "2:5");
  EXPECT_EQ(at(value_of("v: \"ab\\\n   cd\"\n").place_of(2)), "2:4");
  EXPECT_EQ(at(value_of("v: 'a\n\n   b'\n").place_of(2)), "3:4");
}

TEST(YamlPlaces, InsideBlocks) {
  const Node literal = value_of("v: |\n    a > 1 &&\n      b > 2\n\n    c\n");
  EXPECT_EQ(literal.text(), "a > 1 &&\n  b > 2\n\nc\n");
  EXPECT_EQ(at(literal.place_of_line(1, 5)), "2:9");
  EXPECT_EQ(at(literal.place_of_line(2, 3)), "3:7");
  EXPECT_EQ(at(literal.place_of_line(4, 1)), "5:5");
  const Node folded = value_of("v: >-\n  a > 1\n  && b > 2\n");
  EXPECT_EQ(folded.text(), "a > 1 && b > 2");
  EXPECT_EQ(at(folded.place_of(9)), "3:6");
  EXPECT_EQ(at(value_of("v: |2\n   x\n").place_of(1)), "2:4");
  EXPECT_EQ(at(value_of("v: |\n").place_of(9)), "2:1");
}

TEST(YamlPlaces, BeyondTheEndStaysInTheFile) {
  EXPECT_EQ(at(value_of("v: ab\n").place_of(99)), "1:6");
  EXPECT_EQ(at(value_of("v: ab\n").place_of_line(9, 9)), "1:6");
  EXPECT_EQ(value_of("v: ab\n").place_of(1, 99).width, 1);
  EXPECT_EQ(at(value_of("v: [a]\n").place_of(3)), "1:4");
}

enum class Mode { observe, advise, enforce };
constexpr std::array<std::pair<std::string_view, Mode>, 3> kModes{
    {{"observe", Mode::observe}, {"advise", Mode::advise}, {"enforce", Mode::enforce}}};

TEST(YamlReaders, ReadWhatFits) {
  Problems problems;
  const auto read = [](const std::string& text) { return value_of("v: " + text + "\n"); };
  EXPECT_EQ(read("no").as_string(problems), "no");
  EXPECT_EQ(read("''").as_string(problems), "");
  EXPECT_EQ(read("true").as_bool(problems), true);
  EXPECT_EQ(read("false").as_bool(problems), false);
  EXPECT_EQ(read("-12").as_int(problems), -12);
  EXPECT_EQ(read("0.25").as_double(problems, 0, 1), 0.25);
  EXPECT_EQ(read("3").as_double(problems), 3.0);
  EXPECT_EQ(read("1m30s").as_duration(problems, 1s, 120s), Duration(90s));
  EXPECT_EQ(read("'2s'").as_duration(problems), Duration(2s));
  EXPECT_EQ(read("emergency-api").as_name(problems), "emergency-api");
  EXPECT_EQ(read("advise").as_enum(problems, kModes), Mode::advise);
  EXPECT_THAT(read("[a, b]").as_strings(problems), ElementsAre("a", "b"));
  EXPECT_THAT(read("a").as_strings(problems), ElementsAre("a"));
  EXPECT_THAT(read("{a: b}").as_list_or_one(problems), SizeIs(1));
  EXPECT_THAT(read("{a: b, c: d}").as_map(problems), SizeIs(2));
  EXPECT_TRUE(problems.ok()) << problems.render();
}

TEST(YamlReaders, SayWhatWasWantedAndWhatIsThere) {
  Problems problems;
  const Node root = root_of(
      "timeout: [1]\nevery: 5\nwait: soon\nlong: 2h\non: yes\noff: 'true'\nport: 70000\n"
      "count: '3'\nratio: nan\nname: Big One\nmode: enforec\nkind: {a: 1}\nlist: x\nmap: [1]\n"
      "text:\n");
  const auto entries = root.entries();
  EXPECT_FALSE(entries[0].value.as_duration(problems));
  EXPECT_FALSE(entries[1].value.as_duration(problems));
  EXPECT_FALSE(entries[2].value.as_duration(problems));
  EXPECT_FALSE(entries[3].value.as_duration(problems, 1s, 300s));
  EXPECT_FALSE(entries[4].value.as_bool(problems));
  EXPECT_FALSE(entries[5].value.as_bool(problems));
  EXPECT_FALSE(entries[6].value.as_int(problems, 1, 65535));
  EXPECT_FALSE(entries[7].value.as_int(problems, 1));
  EXPECT_FALSE(entries[8].value.as_double(problems, 0, 1.5));
  EXPECT_FALSE(entries[9].value.as_name(problems));
  EXPECT_FALSE(entries[10].value.as_enum(problems, kModes));
  EXPECT_FALSE(entries[11].value.as_enum(problems, kModes));
  EXPECT_THAT(entries[12].value.as_list(problems), IsEmpty());
  EXPECT_THAT(entries[13].value.as_map(problems), IsEmpty());
  EXPECT_FALSE(entries[14].value.as_string(problems));
  EXPECT_THAT(
      lines_of(problems),
      ElementsAre(
          "f:1:10+1 'timeout' must be a duration such as 2s, not a list",
          "f:2:8+1 'every' must be a duration such as 2s, not '5' [5s]",
          "f:3:7+4 'wait' must be a duration such as 2s, not 'soon'",
          "f:4:7+2 'long' must be a duration between 1s and 5m, not '2h'",
          "f:5:5+3 'on' must be true or false, not 'yes' [true]",
          "f:6:6+6 'off' must be true or false without quotes [true]",
          "f:7:7+5 'port' must be a whole number between 1 and 65535, not '70000'",
          "f:8:8+3 'count' must be a whole number of at least 1 without quotes, not '3' [3]",
          "f:9:8+3 'ratio' must be a number between 0 and 1.5, not 'nan'",
          "f:10:7+7 'name' must be a name (lower case letters, digits, '.', '_' and '-', first a "
          "letter or digit, at most 63), not 'Big One' [big-one]",
          "f:11:7+7 'mode' must be observe, advise or enforce, not 'enforec' [enforce]",
          "f:12:7+1 'kind' must be observe, advise or enforce, not a map",
          "f:13:7+1 'list' must be a list, not 'x'", "f:14:6+1 'map' must be a map, not a list",
          "f:15:1+4 'text' must be text, not empty"));
}

TEST(YamlReaders, NumbersThatDoNotFitAreRefusedNotWrapped) {
  Problems problems;
  for (const char* text : {"9223372036854775808", "1e3", "0x10", "+1", "1_000", "''", "1.5"})
    EXPECT_FALSE(value_of(std::string("v: ") + text + "\n").as_int(problems)) << text;
  for (const char* text : {"1e999", "inf", "1,5", "1.5x"})
    EXPECT_FALSE(value_of(std::string("v: ") + text + "\n").as_double(problems)) << text;
  EXPECT_EQ(problems.errors(), 11u);
}

TEST(YamlReaders, BoundText) {
  Problems problems;
  EXPECT_FALSE(value_of("v: abcd\n").as_string(problems, 3));
  EXPECT_THAT(lines_of(problems), ElementsAre("f:1:4+4 'v' is longer than 3 bytes"));
}

TEST(YamlReaders, AMissingNodeIsSilent) {
  Problems problems;
  const Node missing;
  EXPECT_FALSE(missing);
  EXPECT_FALSE(missing.as_string(problems) || missing.as_bool(problems) ||
               missing.as_int(problems) || missing.as_double(problems) ||
               missing.as_duration(problems) || missing.as_name(problems) ||
               missing.as_enum(problems, kModes));
  EXPECT_THAT(missing.as_strings(problems), IsEmpty());
  EXPECT_THAT(missing.as_map(problems), IsEmpty());
  EXPECT_EQ(problems.errors(), 0u);
}

TEST(MapReader, ReportsUnknownAndMissingKeys) {
  Problems problems;
  const Node probe = value_of("v: {timeot: 2s, colour: red, every:5s, http: x}\n");
  {
    MapReader map(probe, "probe 'health'", problems);
    EXPECT_EQ(map.required("http").text(), "x");
    EXPECT_FALSE(map.optional("timeout"));
    EXPECT_FALSE(map.optional("every"));
    EXPECT_FALSE(map.required("url"));
  }
  EXPECT_THAT(
      lines_of(problems),
      ElementsAre("f:1:1+1 probe 'health' needs 'url'",
                  "f:1:5+6 unknown key 'timeot' in probe 'health' [timeout]",
                  "f:1:17+6 unknown key 'colour' in probe 'health'; the keys are http, timeout, "
                  "every and url",
                  "f:1:30+8 unknown key 'every:5s' in probe 'health' [every: 5s]"));
}

TEST(MapReader, CountsUnknownKeysBeyondThoseShown) {
  std::string text = "v:\n";
  for (std::size_t i = 0; i < limits::kPolicyErrorsShownMax + 5; ++i)
    text += "  key" + std::to_string(i) + ": 1\n";
  Problems problems;
  { MapReader map(value_of(text), "the map", problems); }
  EXPECT_EQ(problems.errors(), limits::kPolicyErrorsShownMax + 5);
  EXPECT_THAT(problems.render(), HasSubstr("and 5 more errors"));
}

TEST(MapReader, ReportsOnce) {
  Problems problems;
  {
    MapReader map(root_of("a: 1\n"), "the file", problems);
    map.finish();
  }
  EXPECT_EQ(problems.errors(), 1u);
  MapReader(root_of("a: 1\n"), "the file", problems).ignore_rest();
  EXPECT_EQ(problems.errors(), 1u);
}

TEST(MapReader, ReportsWhatIsNotAMapOnlyAsThat) {
  Problems problems;
  for (const char* text : {"v: [1]\n", "v: x\n", "v:\n"}) {
    MapReader map(value_of(text), "the guard", problems);
    EXPECT_FALSE(map.required("cooldown"));
    EXPECT_FALSE(map.exactly_one_of(std::vector<std::string>{"a", "b"}));
  }
  MapReader missing(Node(), "the guard", problems);
  EXPECT_FALSE(missing.required("cooldown"));
  EXPECT_THAT(lines_of(problems), ElementsAre("f:1:4+1 the guard must be a map, not a list",
                                              "f:1:4+1 the guard must be a map, not 'x'",
                                              "f:1:1+1 the guard must be a map, not empty"));
}

TEST(MapReader, ChoosesExactlyOne) {
  const std::vector<std::string> kinds{"http", "tcp", "redis"};
  Problems problems;
  {
    MapReader map(root_of("every: 5s\ntcp: x\n"), "a probe", problems);
    const auto kind = map.exactly_one_of(kinds);
    ASSERT_TRUE(kind);
    EXPECT_EQ(kind->key.text(), "tcp");
    EXPECT_EQ(kind->value.text(), "x");
    EXPECT_TRUE(map.optional("every"));
  }
  EXPECT_TRUE(problems.ok()) << problems.render();
  for (const char* text : {"{tcp: x, http: y}", "{htp: x}", "{}"})
    EXPECT_FALSE(MapReader(root_of(text), "a probe", problems).exactly_one_of(kinds));
  EXPECT_THAT(lines_of(problems),
              ElementsAre("f:1:2+3 a probe has both 'http' and 'tcp'; keep one",
                          "f:1:2+3 a probe needs one of http, tcp or redis, not 'htp' [http]",
                          "f:1:1+1 a probe needs one of http, tcp or redis"));
}

TEST(Problems, RenderShowsTheLineAndTheSuggestion) {
  Problems problems;
  const auto document = parse("policy.yaml", "a: 1\nhealth: {htp: x}\n", problems);
  ASSERT_TRUE(document);
  const Node health = document->root().entries()[1].value;
  problems.warning(document->root().entries()[0].key.place(), "never used");
  problems.error(health.entries()[0].key.place(), "unknown key 'htp' in probe 'health'", "http");
  EXPECT_EQ(problems.render(),
            "policy.yaml:1:1: warning: never used\n"
            "  1 | a: 1\n"
            "    | ^\n"
            "policy.yaml:2:10: error: unknown key 'htp' in probe 'health'\n"
            "  2 | health: {htp: x}\n"
            "    |          ^~~\n"
            "  did you mean 'http'?\n");
  EXPECT_EQ(problems.summary(),
            "policy.yaml:2:10: unknown key 'htp' in probe 'health'; did you mean 'http'?");
}

TEST(Problems, RenderOrdersByPlaceAndEscapes) {
  Problems problems;
  problems.error({"b", 1, 1}, "later");
  problems.error({"a", 9, 1}, "last of a");
  problems.error({"a", 2, 1}, "forged\nb:1:1: error: line \x1b[31m", "x\ny");
  problems.error({"a"}, "the file itself");
  problems.error({}, "no file");
  EXPECT_EQ(problems.render(),
            "error: no file\n"
            "a: error: the file itself\n"
            "a:2:1: error: forged\\nb:1:1: error: line \\x1b[31m\n"
            "  did you mean 'x\\ny'?\n"
            "a:9:1: error: last of a\n"
            "b:1:1: error: later\n");
}

TEST(Problems, KeepsABoundedNumberAndCountsTheRest) {
  Problems problems;
  for (std::size_t i = 0; i < limits::kPolicyErrorsShownMax + 5; ++i)
    problems.warning({"f", 1, 1}, "w");
  EXPECT_TRUE(problems.ok());
  problems.error({"f", 1, 1}, "e");
  EXPECT_FALSE(problems.ok());
  EXPECT_EQ(problems.errors(), 1u);
  EXPECT_EQ(problems.warnings(), limits::kPolicyErrorsShownMax + 5);
  EXPECT_THAT(problems.kept(), SizeIs(limits::kPolicyErrorsShownMax + 1));
  EXPECT_THAT(problems.render(), HasSubstr("\nand 5 more warnings\n"));
  EXPECT_THAT(problems.summary(), "f:1:1: e");
}

class YamlFile : public ::testing::Test {
 protected:
  YamlFile() {
    std::string name = ::testing::TempDir() + "yaml_test_XXXXXX";
    directory_ = ::mkdtemp(name.data()) == nullptr ? "" : name;
  }
  ~YamlFile() override {
    ::unlink(path().c_str());
    ::rmdir(directory_.c_str());
  }
  [[nodiscard]] std::string path() const { return directory_ + "/f.yaml"; }

 private:
  std::string directory_;
};

TEST_F(YamlFile, LoadReadsAndParses) {
  std::ofstream(path()) << "a: 1\n";
  Problems problems;
  const auto document = load(path(), problems);
  ASSERT_TRUE(document) << problems.render();
  EXPECT_EQ(document->file(), path());
  EXPECT_EQ(document->text(), "a: 1\n");
}

TEST_F(YamlFile, AFileThatIsNotThereIsAProblem) {
  Problems problems;
  const auto document = load(path(), problems);
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().code, Errc::not_found);
  EXPECT_EQ(problems.render(),
            path() + ": error: cannot open " + path() + ": No such file or directory\n");
}

}  // namespace
}  // namespace firebreak::yaml
