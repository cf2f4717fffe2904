// One line for each value that differs, below the thing that it is of.
#include "cli/policy_diff_text.h"

#include <boost/json.hpp>
#include <string_view>

#include "cli/terminal.h"
#include "common/limits.h"
#include "common/text.h"

namespace firebreak::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kValueShown = 400;  // bytes of a value in one line

std::string sign_of(policy::Change change) {
  switch (change) {
    case policy::Change::added:
      return paint(Paint::good, "+");
    case policy::Change::removed:
      return paint(Paint::bad, "-");
    case policy::Change::changed:
      break;
  }
  return paint(Paint::warn, "~");
}

std::string shown(const std::string& value) {
  return value.empty() ? "(nothing)" : to_valid_utf8(value, kValueShown);
}

std::string detail_text(const policy::Difference& of, const policy::Detail& detail) {
  std::string out = "    ";
  if (!detail.path.empty()) out += escape_line(detail.path, kValueShown) + ": ";
  if (of.change == policy::Change::added)
    return out + paint(Paint::good, shown(detail.after)) + "\n";
  if (of.change == policy::Change::removed)
    return out + paint(Paint::bad, shown(detail.before)) + "\n";
  return out + paint(Paint::bad, shown(detail.before)) + " -> " +
         paint(Paint::good, shown(detail.after)) + "\n";
}

// A unified diff is ours but for the lines, which are escaped one by one.
std::string unified_text(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    const Paint how = line.starts_with('+')   ? Paint::good
                      : line.starts_with('-') ? Paint::bad
                      : line.starts_with('@') ? Paint::dim
                                              : Paint::plain;
    out += paint(how, line) + "\n";
  }
  return out;
}

json::string diff_text_of(const std::string& raw) {
  return json::string(to_valid_utf8(raw, limits::kPolicyBytesMax));
}

}  // namespace

std::string render(const policy::PolicyDiff& diff, bool as_text) {
  if (diff.same) return "the same\n";
  if (as_text) return unified_text(diff.text);
  if (diff.differences.empty())
    return "only comments, layout or the names of files differ\n" + unified_text(diff.text);
  std::string out;
  for (const policy::Difference& one : diff.differences) {
    out += sign_of(one.change) + " " + one.kind + " " + paint(Paint::bold, one.name) + " " +
           policy::to_string(one.change) + "\n";
    for (const policy::Detail& detail : one.details)
      if (one.change == policy::Change::changed || !detail.before.empty() || !detail.after.empty())
        out += detail_text(one, detail);
  }
  return out;
}

json::object diff_to_json(const policy::PolicyDiff& diff) {
  json::array differences;
  for (const policy::Difference& one : diff.differences) {
    json::array details;
    for (const policy::Detail& detail : one.details)
      details.push_back({{"path", diff_text_of(detail.path)},
                         {"before", diff_text_of(detail.before)},
                         {"after", diff_text_of(detail.after)}});
    differences.push_back({{"change", policy::to_string(one.change)},
                           {"kind", one.kind},
                           {"name", diff_text_of(one.name)},
                           {"details", std::move(details)}});
  }
  return {{"same", diff.same},
          {"differences", std::move(differences)},
          {"text", diff_text_of(diff.text)}};
}

}  // namespace firebreak::cli
