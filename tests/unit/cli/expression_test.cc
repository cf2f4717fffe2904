// `firebreak expr eval`: values with their types, mistakes with a caret, and the exit codes.
#include "cli/expression.h"

#include <gtest/gtest.h>

#include "cli/exit.h"

namespace firebreak::cli {
namespace {

struct Row {
  const char* text;
  const char* variables;
  const char* table;
  const char* json;
};

TEST(Expression, ShowsItsValueAndType) {
  const Row rows[] = {
      {"1 + 2", "", "3  int\n", R"({"type":"int","value":3})"},
      {"2u", "", "2u  uint\n", R"({"type":"uint","value":2})"},
      {"1.0 / 4.0", "", "0.25  double\n", R"({"type":"double","value":0.25})"},
      {"0.0 / 0.0", "", "NaN  double\n", R"({"type":"double","value":"NaN"})"},
      {"'a' + \"b\"", "", "'ab'  string\n", R"({"type":"string","value":"ab"})"},
      {"b'ab\\xff'", "", "b'ab\\xff'  bytes\n", R"({"type":"bytes","value":"YWL/"})"},
      {"90s", "", "1m30s  duration\n", R"({"type":"duration","value":"90s"})"},
      {"timestamp(0) + 500ms", "", "1970-01-01T00:00:00.5Z  timestamp\n",
       R"({"type":"timestamp","value":"1970-01-01T00:00:00.5Z"})"},
      {"null", "", "null  null\n", R"({"type":"null","value":null})"},
      {"[1, 2].map(x, x * 2)", "", "[2, 4]  list(int)\n",
       R"j({"type":"list(int)","value":[2,4]})j"},
      {"{1: 'a', true: 'b', 2u: 'c'}", "", "{true: 'b', 1: 'a', 2u: 'c'}  map(dyn, string)\n",
       R"j({"type":"map(dyn, string)","value":{"true":"b","1":"a","2":"c"}})j"},
      {"customers > 1000 && share < 0.5", R"({"customers": 1200, "share": 0.25})", "true  bool\n",
       R"({"type":"bool","value":true})"},
      {"body.items[0].name", R"({"body": {"items": [{"name": "x"}]}})", "'x'  string\n",
       R"({"type":"string","value":"x"})"},
      {"n == 18446744073709551615u", R"({"n": 18446744073709551615})", "true  bool\n",
       R"({"type":"bool","value":true})"},
      {"missing == null", R"({"missing": null})", "true  bool\n",
       R"({"type":"bool","value":true})"},
  };
  for (const Row& row : rows) {
    const ExpressionAnswer table = evaluate_expression(row.text, row.variables, false);
    EXPECT_EQ(table.exit_code, kDone) << row.text;
    EXPECT_EQ(table.out, row.table) << row.text;
    EXPECT_EQ(table.err, "") << row.text;
    const ExpressionAnswer json = evaluate_expression(row.text, row.variables, true);
    EXPECT_EQ(json.exit_code, kDone) << row.text;
    EXPECT_EQ(json.out, row.json + std::string("\n")) << row.text;
  }
}

TEST(Expression, ShowsAMistakeWithACaret) {
  const ExpressionAnswer table =
      evaluate_expression("custommers > 10", R"({"customers": 1})", false);
  EXPECT_EQ(table.exit_code, kFailed);
  EXPECT_EQ(table.out, "");
  EXPECT_EQ(table.err,
            "1:1: error: unknown name 'custommers'; did you mean 'customers'?\n"
            "  1 | custommers > 10\n"
            "    | ^~~~~~~~~~\n");
  const ExpressionAnswer json = evaluate_expression("1 +\n 'a'", "", true);
  EXPECT_EQ(json.exit_code, kFailed);
  EXPECT_EQ(json.err, "");
  EXPECT_EQ(
      json.out,
      "{\"problems\":[{\"message\":\"+ does not take int and string\",\"line\":1,\"column\":3,"
      "\"width\":1,\"suggestion\":\"\"}]}\n");
}

TEST(Expression, ThatHasNoAnswerFails) {
  const ExpressionAnswer table = evaluate_expression("1 / n", R"({"n": 0})", false);
  EXPECT_EQ(table.exit_code, kFailed);
  EXPECT_EQ(table.err, "error: division by zero in 1 / 0\n");
  const ExpressionAnswer json = evaluate_expression("1 / n", R"({"n": 0})", true);
  EXPECT_EQ(json.exit_code, kFailed);
  EXPECT_EQ(json.out, "{\"error\":\"division by zero in 1 / 0\"}\n");
}

TEST(Expression, RefusesVariablesThatAreNone) {
  for (const char* variables : {"{", "[1]", "7", "\"a\"", "{\"a\": 1} x"}) {
    const ExpressionAnswer answer = evaluate_expression("1", variables, false);
    EXPECT_EQ(answer.exit_code, kUsage) << variables;
    EXPECT_EQ(answer.out, "") << variables;
    EXPECT_EQ(answer.err.find("firebreak: --vars: "), 0U) << variables;
  }
}

TEST(Expression, EscapesHostileText) {
  const ExpressionAnswer answer =
      evaluate_expression("text", "{\"text\": \"\\u001b[31m\\nred\"}", false);
  EXPECT_EQ(answer.out.find('\x1b'), std::string::npos);
  EXPECT_EQ(answer.out.find('\n'), answer.out.size() - 1);
}

TEST(Expression, EndsThoughItsValueSharesItsPartsOverAndOver) {
  std::string text = "[1]";
  for (int i = 0; i < 30; ++i) text += ".map(x, [x, x])";
  std::string nested = "[0]";
  for (int i = 0; i < 40; ++i) nested = "[" + nested + "].map(x, [x, x])";
  for (const std::string& each : {text, nested}) {
    const ExpressionAnswer answer = evaluate_expression(each, "", true);
    EXPECT_LT(answer.out.size(), std::size_t{1} << 20);
  }
}

}  // namespace
}  // namespace firebreak::cli
