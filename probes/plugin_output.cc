// One pass over the text; what does not fit is left out, never guessed.
#include "probes/plugin_output.h"

#include <array>
#include <cmath>
#include <utility>

#include "common/ids.h"
#include "common/limits.h"

namespace firebreak::probes {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::size_t kNameBytesMax = 48;  // leaves room for what is put behind it

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// What a unit of measurement means in seconds or bytes. 1 for those that need no conversion, and
// for those that nobody knows.
double factor_of(std::string_view unit) {
  constexpr std::array<std::pair<std::string_view, double>, 9> kFactors{{{"ms", 1e-3},
                                                                         {"us", 1e-6},
                                                                         {"ns", 1e-9},
                                                                         {"KB", 0x1p10},
                                                                         {"kB", 0x1p10},
                                                                         {"MB", 0x1p20},
                                                                         {"GB", 0x1p30},
                                                                         {"TB", 0x1p40},
                                                                         {"PB", 0x1p50}}};
  for (const auto& [name, factor] : kFactors)
    if (unit == name) return factor;
  return 1;
}

std::optional<Range> scaled(std::optional<Range> range, double factor) {
  if (!range) return range;
  range->low *= factor;
  range->high *= factor;
  return range;
}

std::optional<double> scaled(std::optional<double> number, double factor) {
  if (!number || !std::isfinite(*number * factor)) return std::nullopt;
  return *number * factor;
}

// Takes the part up to the next ';' off `text`.
std::string_view next_field(std::string_view& text) {
  const auto end = text.find(';');
  const std::string_view field = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return field;
}

// Takes a label and its '=' off `text`; nothing when there is none.
std::optional<std::string> take_label(std::string_view& text) {
  std::string label;
  if (!text.starts_with('\'')) {
    const auto equals = text.find_first_of("= \t\r\n");
    if (equals == std::string_view::npos || equals == 0 || text[equals] != '=') return std::nullopt;
    label = text.substr(0, equals);
    text.remove_prefix(equals + 1);
    return label;
  }
  std::size_t at = 1;
  for (; at < text.size(); ++at) {
    if (text[at] == '\'') {
      if (at + 1 >= text.size() || text[at + 1] != '\'') break;
      ++at;  // '' is one '
    }
    label += text[at];
  }
  if (label.empty() || at + 1 >= text.size() || text[at + 1] != '=') return std::nullopt;
  text.remove_prefix(at + 2);
  return label;
}

std::optional<Perfdata> read_item(std::string label, std::string_view fields) {
  const std::string_view measured = next_field(fields);
  const auto number_end = measured.find_first_not_of("0123456789.+-eE");
  const std::string_view digits = measured.substr(0, number_end);
  const std::string_view unit =
      number_end == std::string_view::npos ? "" : measured.substr(number_end);
  const double factor = factor_of(unit);
  const auto value = scaled(parse_number(digits), factor);
  if (!value) return std::nullopt;
  Perfdata item;
  item.label = std::move(label);
  item.value = *value;
  item.warning = scaled(parse_range(next_field(fields)), factor);
  item.critical = scaled(parse_range(next_field(fields)), factor);
  item.min = scaled(parse_number(next_field(fields)), factor);
  item.max = scaled(parse_number(next_field(fields)), factor);
  return item;
}

}  // namespace

void parse_perfdata(std::string_view text, std::vector<Perfdata>& items, std::size_t& refused) {
  for (text = trim(text); !text.empty(); text = trim(text)) {
    if (items.size() >= limits::kPerfdataItemsMax) return;
    auto label = take_label(text);
    const std::string_view fields = text.substr(0, text.find_first_of(kBlanks));
    text.remove_prefix(fields.size());
    auto item = label ? read_item(*std::move(label), fields) : std::nullopt;
    if (item) {
      items.push_back(*std::move(item));
    } else {
      ++refused;
    }
  }
}

PluginOutput parse_plugin_output(std::string_view output) {
  PluginOutput parsed;
  parsed.perfdata.reserve(8);
  const std::string_view first = output.substr(0, output.find('\n'));
  std::string_view rest = output.substr(std::min(output.size(), first.size() + 1));
  const auto bar = first.find('|');
  parsed.text = trim(first.substr(0, bar));
  if (bar != std::string_view::npos)
    parse_perfdata(first.substr(bar + 1), parsed.perfdata, parsed.perfdata_refused);
  const auto second = rest.find('|');
  parsed.more = trim(rest.substr(0, second));
  if (second != std::string_view::npos)
    parse_perfdata(rest.substr(second + 1), parsed.perfdata, parsed.perfdata_refused);
  return parsed;
}

std::string value_name(std::string_view label) {
  std::string name;
  for (const char c : label) {
    const bool is_upper = c >= 'A' && c <= 'Z';
    const char lower = is_upper ? static_cast<char>(c - 'A' + 'a') : c;
    const bool is_word = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    const bool fits = is_word || lower == '.' || lower == '-' || lower == '_';
    if (name.empty() && !is_word) continue;
    name += fits ? lower : '_';
    if (name.size() == kNameBytesMax) break;
  }
  if (name.empty()) name = label == "/" ? "root" : "value";
  return name;
}

}  // namespace firebreak::probes
