// Hostile text cannot act where it is shown.
#include "common/text.h"

#include <gtest/gtest.h>

namespace firebreak {
namespace {

TEST(EscapeLine, MakesControlCharactersVisible) {
  EXPECT_EQ(escape_line("a\x1b[31mb\nc\x7f"), "a\\x1b[31mb\\nc\\x7f");
  EXPECT_EQ(escape_line("\xc2\x9b"), "\\x9b");  // C1 control: also starts an escape sequence
  EXPECT_EQ(escape_line("\xe2\x80\xae"), "\\u{202e}");  // right-to-left override
  EXPECT_EQ(escape_line("\xff\xc0\x80"), "\\xff\\xc0\\x80");
  EXPECT_EQ(escape_line("C:\\n"), "C:\\\\n");
  EXPECT_EQ(escape_line("Zürich ✓"), "Zürich ✓");
}

TEST(EscapeLine, CutsAtTheBoundAndSaysSo) {
  EXPECT_EQ(escape_line("abcdef", 3), "abc…");
  EXPECT_EQ(escape_line("\xc3\xbc\xc3\xbc", 3), "ü…");
}

TEST(EscapeBlock, KeepsLines) {
  EXPECT_EQ(escape_block("a\n\tb\x1b"), "a\n\tb\\x1b");
}

TEST(EscapeMarkdown, LeavesNothingToInterpret) {
  EXPECT_EQ(escape_markdown("<b>*x*</b>|`"), "&lt;b&gt;\\*x\\*&lt;/b&gt;\\|\\`");
}

TEST(EscapeControls, ChangesOnlyWhatATerminalObeys) {
  EXPECT_EQ(escape_controls("| a\\|b |\n\x1b[2J\xc2\x9b\u202e\xff", 100),
            "| a\\|b |\n\\x1b[2J\\x9b\\u{202e}\\xff");
  const std::string made = escape_markdown("<b>|\x1b[31m\\\n");
  EXPECT_EQ(escape_controls(made, 100), made);
  EXPECT_EQ(escape_controls("abc", 2), "ab…");
}

TEST(ToValidUtf8, ReplacesBrokenBytes) {
  EXPECT_EQ(to_valid_utf8("a\xff"
                          "b",
                          100),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(to_valid_utf8("üü", 3), "ü");
}

TEST(DidYouMean, FindsNearNamesOnly) {
  const std::vector<std::string> names{"http", "postgres", "redis", "queue"};
  EXPECT_EQ(did_you_mean("htp", names), "http");
  EXPECT_EQ(did_you_mean("postgers", names), "postgres");
  EXPECT_EQ(did_you_mean("kafka", names), "");
}

TEST(CaretExcerpt, PointsAtTheColumn) {
  EXPECT_EQ(caret_excerpt("a: 1\nhealth: {htp: x}\n", 2, 10, 3),
            "  2 | health: {htp: x}\n    |          ^~~");
  EXPECT_EQ(caret_excerpt("", 5, 3), "  5 | \n    | ^");
  EXPECT_EQ(caret_excerpt("abc", 1, 9, 4), "  1 | abc\n    |    ^");
}

TEST(CaretExcerpt, PointsAtTheColumnOfWhatIsShown) {
  EXPECT_EQ(caret_excerpt("\ta: b", 1, 5, 1), "  1 | \\ta: b\n    |      ^");
  EXPECT_EQ(caret_excerpt("Z\xc3\xbcrich: x", 1, 10, 1), "  1 | Zürich: x\n    |         ^");
  EXPECT_EQ(caret_excerpt("a\\b\x1b: ab", 1, 7, 2), "  1 | a\\\\b\\x1b: ab\n    |           ^~");
  EXPECT_EQ(caret_excerpt("x: \xc3\xbc\x1b", 1, 4, 3), "  1 | x: ü\\x1b\n    |    ^~~~~");
}

}  // namespace
}  // namespace firebreak
