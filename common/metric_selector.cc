// Selectors are read from left to right, once.
#include "common/metric_selector.h"

#include <algorithm>

#include "common/limits.h"

namespace firebreak {
namespace {

bool begins_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

std::size_t name_size(std::string_view text, bool colons) {
  const auto belongs = [colons](char c) {
    return begins_name(c) || (c >= '0' && c <= '9') || (colons && c == ':');
  };
  if (text.empty() || (text.front() >= '0' && text.front() <= '9')) return 0;
  return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), belongs) -
                                  text.begin());
}

void skip_blanks(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
}

Error not_a_selector(std::string_view why) {
  return make_error(Errc::invalid_argument,
                    "not a metric's name with labels, such as jobs_failed_total{queue=\"mail\"}: " +
                        std::string(why));
}

// label="value", without what is around it.
Result<MetricSelector::Matcher> take_matcher(std::string_view& text) {
  MetricSelector::Matcher matcher;
  const std::size_t name = label_name_size(text);
  if (name == 0) return not_a_selector("a label's name is missing");
  matcher.label = std::string(text.substr(0, name));
  text.remove_prefix(name);
  skip_blanks(text);
  if (text.starts_with("=~") || text.starts_with("!~"))
    return not_a_selector("labels are compared with = and != here, without regular expressions");
  matcher.equal = !text.starts_with("!=");
  if (!text.starts_with(matcher.equal ? "=" : "!="))
    return not_a_selector("= is missing behind " + matcher.label);
  text.remove_prefix(matcher.equal ? 1 : 2);
  skip_blanks(text);
  const std::size_t value = read_label_value(text, matcher.value);
  if (value == 0) return not_a_selector("the value of " + matcher.label + " must be in quotes");
  text.remove_prefix(value);
  skip_blanks(text);
  return matcher;
}

}  // namespace

std::size_t metric_name_size(std::string_view text) {
  return name_size(text, true);
}

std::size_t label_name_size(std::string_view text) {
  return name_size(text, false);
}

std::size_t read_label_value(std::string_view text, std::string& into) {
  into.clear();
  if (!text.starts_with('"')) return 0;
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '"') return at + 1;
    if (text[at] != '\\') {
      into += text[at];
      continue;
    }
    if (++at == text.size()) return 0;
    if (text[at] != '\\' && text[at] != '"' && text[at] != 'n') into += '\\';  // as Prometheus does
    into += text[at] == 'n' ? '\n' : text[at];
  }
  return 0;
}

bool MetricSelector::matches(const MetricLabels& labels) const {
  return std::all_of(matchers.begin(), matchers.end(), [&labels](const Matcher& matcher) {
    const auto found = std::find_if(labels.begin(), labels.end(), [&matcher](const auto& label) {
      return label.first == matcher.label;
    });
    const bool same =
        found == labels.end() ? matcher.value.empty() : found->second == matcher.value;
    return same == matcher.equal;
  });
}

Result<MetricSelector> parse_metric_selector(std::string_view text) {
  MetricSelector selector;
  const std::size_t name = metric_name_size(text);
  if (name == 0) return not_a_selector("it begins with a name");
  selector.name = std::string(text.substr(0, name));
  text.remove_prefix(name);
  skip_blanks(text);
  if (text.empty()) return selector;
  if (!text.starts_with('{')) return not_a_selector("'" + std::string(text) + "' is too much");
  text.remove_prefix(1);
  skip_blanks(text);
  selector.matchers.reserve(4);
  while (!text.empty() && text.front() != '}') {
    if (selector.matchers.size() == limits::kMetricMatchersMax)
      return not_a_selector("at most " + std::to_string(limits::kMetricMatchersMax) + " labels");
    auto matcher = take_matcher(text);
    if (!matcher) return matcher.error();
    selector.matchers.push_back(*std::move(matcher));
    if (text.starts_with(','))
      text.remove_prefix(1);
    else if (!text.starts_with('}'))
      return not_a_selector("} is missing");
    skip_blanks(text);
  }
  if (text != "}") return not_a_selector(text.empty() ? "} is missing" : "nothing follows }");
  return selector;
}

}  // namespace firebreak
