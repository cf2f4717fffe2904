// Control characters, which XML cannot hold, are escaped as for a terminal.
#include "coordinator/rehearsal/junit.h"

#include <algorithm>
#include <cstdio>

#include "common/limits.h"
#include "common/text.h"

namespace firebreak::rehearsal {

namespace {

std::string escape_xml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// U+FFFE and U+FFFF are valid UTF-8 and no characters of XML.
std::string drop_noncharacters(std::string text) {
  for (const std::string_view bad : {"\xEF\xBF\xBE", "\xEF\xBF\xBF"})
    for (std::size_t at = text.find(bad); at != std::string::npos; at = text.find(bad, at))
      text.replace(at, bad.size(), "?");
  return text;
}

std::string attribute(const char* name, std::string_view value) {
  return std::string(" ") + name + "=\"" + drop_noncharacters(escape_xml(escape_line(value))) +
         "\"";
}

std::string attribute(const char* name, std::size_t value) {
  return std::string(" ") + name + "=\"" + std::to_string(value) + "\"";
}

std::string time_attribute(Duration took) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6f", static_cast<double>(took.count()) / 1e6);
  return std::string(" time=\"") + text + "\"";
}

// <failure message="...">text</failure>; the text was made safe to print where it was made.
std::string complaint(const char* tag, std::string_view message, std::string_view text) {
  return std::string("      <") + tag + attribute("message", message) + ">" +
         drop_noncharacters(escape_xml(escape_controls(text, limits::kPolicyBytesMax))) + "</" +
         tag + ">\n";
}

std::string test_case(const PlayedFile& file, const Played& played) {
  const TestResult& result = played.result;
  std::string out = "    <testcase" + attribute("classname", file.path) +
                    attribute("name", result.name) + time_attribute(played.took);
  if (result.outcome == Outcome::passed) return out + "/>\n";
  const char* tag = result.outcome == Outcome::failed ? "failure" : "error";
  const std::string first = result.problems.empty() ? "" : result.problems.front().message;
  return out + ">\n" + complaint(tag, first, result.text) + "    </testcase>\n";
}

std::size_t count(const PlayedFile& file, Outcome outcome) {
  return static_cast<std::size_t>(
      std::count_if(file.tests.begin(), file.tests.end(),
                    [&](const Played& one) { return one.result.outcome == outcome; }));
}

}  // namespace

std::string to_junit(const std::vector<PlayedFile>& files) {
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
  for (const PlayedFile& file : files) {
    const bool unreadable = !file.problems.empty();
    Duration took{0};
    for (const Played& played : file.tests) took += played.took;
    out += "  <testsuite" + attribute("name", file.path) +
           attribute("tests", file.tests.size() + (unreadable ? 1 : 0)) +
           attribute("failures", count(file, Outcome::failed)) +
           attribute("errors", count(file, Outcome::wrong) + (unreadable ? 1 : 0)) +
           time_attribute(took) + ">\n";
    if (unreadable)
      out += "    <testcase" + attribute("classname", file.path) + attribute("name", "the file") +
             ">\n" + complaint("error", "the file cannot be used", file.problems) +
             "    </testcase>\n";
    for (const Played& played : file.tests) out += test_case(file, played);
    out += "  </testsuite>\n";
  }
  return out + "</testsuites>\n";
}

}  // namespace firebreak::rehearsal
