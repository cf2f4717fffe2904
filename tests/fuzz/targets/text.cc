// Hostile text on its way to a terminal, a log, a chat or a report, and the small texts that are
// read everywhere.
#include "common/text.h"

#include "common/ids.h"
#include "common/time.h"
#include "coordinator/notify/body.h"
#include "coordinator/report/report.h"
#include "tests/fuzz/fuzz.h"

namespace firebreak::fuzz {
namespace {

constexpr std::size_t kEllipsis = 3;  // of "…"

void escapes(std::string_view text, std::size_t max) {
  const std::string line = escape_line(text, max);
  expect_safe(line, false, "an escaped line");
  expect(line.size() <= max + kEllipsis, "an escaped line is bounded");
  const std::string block = escape_block(text, max);
  expect_safe(block, true, "an escaped block");
  expect(block.size() <= max + kEllipsis, "an escaped block is bounded");
  const std::string markdown = escape_markdown(text, max);
  expect_safe(markdown, false, "escaped Markdown");
  expect(markdown.find('<') == std::string::npos, "escaped Markdown opens no tag");
  const std::string slack = notify::escape_slack(text, max);
  expect_safe(slack, true, "escaped text for Slack");
  expect(slack.find('<') == std::string::npos, "escaped text for Slack opens no link");
  const std::string valid = to_valid_utf8(text, max);
  expect_utf8(valid, "mended text");
  expect(valid.size() <= max, "mended text is bounded");
  expect(to_valid_utf8(valid, max) == valid, "mended text needs no mending");
}

// The block ends where its fence does: no line within is one.
void fences(std::string_view text, std::size_t max) {
  const std::string block = report::fenced_block(text, max);
  expect_safe(block, true, "a code block");
  const std::string fence = block.substr(0, block.find_first_not_of('`'));
  expect(fence.size() >= 3, "a code block begins with a fence", block);
  const std::size_t end = block.rfind("\n" + fence);
  expect(end != std::string::npos && end > 0, "a code block ends", block);
  expect(block.substr(fence.size(), end - fence.size()).find(fence) == std::string::npos,
         "a code block ends only at its end", block);
}

void reads(std::string_view text) {
  if (const auto duration = parse_duration(text)) {
    const auto again = parse_duration(format_duration(*duration));
    expect(again && *again == *duration, "a duration reads back as it is written",
           format_duration(*duration));
    expect_safe(humanize_duration(*duration), false, "a duration for people");
  }
  if (is_valid_name(text))
    expect(escape_markdown(text) != "" && text.size() <= 63, "a name is short");
  const std::vector<std::string> words{"http", "postgres", "redis", "queue"};
  const std::string meant = did_you_mean(text, words);
  expect(meant.empty() || meant.size() < 2 * text.size() + 4, "what is suggested is near");
}

// Times that somebody else's clock gives.
void writes(Numbers numbers) {
  std::uint64_t us = 0;
  for (int i = 0; i < 8; ++i) us = us << 8 | numbers.byte();
  const auto count = static_cast<std::int64_t>(us);
  expect(!humanize_duration(Duration{count}).empty(), "a duration has a text");
  expect(!format_duration(Duration{count}).empty(), "a duration has a text");
  expect_safe(format_rfc3339(instant_from_unix_us(count)), false, "a time");
}

}  // namespace

void run(std::string_view input) {
  Numbers numbers(input);
  const std::size_t max = numbers.number(600);
  const int line = static_cast<int>(numbers.number(5));
  const int column = static_cast<int>(numbers.number(300));
  const int width = static_cast<int>(numbers.number(20));
  const std::string_view text = numbers.rest();
  writes(numbers);
  escapes(text, max);
  fences(text, max);
  reads(text);
  expect_safe(caret_excerpt(text, line, column, width), true, "an excerpt");
}

}  // namespace firebreak::fuzz
