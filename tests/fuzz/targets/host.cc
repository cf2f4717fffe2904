// What plugins print, limits on values, and what the kernel says of a host.
//
// The first byte says which: p a plugin's output, r a range, s l m f i files of /proc.
#include <algorithm>
#include <cmath>

#include "common/ids.h"
#include "common/limits.h"
#include "common/range.h"
#include "probes/host_files.h"
#include "probes/plugin_output.h"
#include "tests/fuzz/fuzz.h"

namespace firebreak::fuzz {
namespace {

void range(std::string_view text) {
  const auto read = parse_range(text);
  if (!read) return;
  expect(!std::isnan(read->low) && !std::isnan(read->high) && read->low <= read->high,
         "a range goes from low to high", text);
  expect(parse_range(to_string(*read)) == read, "a range reads back as it is written", text);
  for (const double value : {-1e300, -1.0, 0.0, 10.0, 1e300})
    expect(Range{read->low, read->high, !read->inside}.alerts(value) != read->alerts(value),
           "@ turns a range round", text);
  expect(read->alerts(std::nan("")) != read->inside, "no number is in no range", text);
}

void plugin(std::string_view output) {
  const probes::PluginOutput parsed = probes::parse_plugin_output(output);
  expect(parsed.perfdata.size() <= limits::kPerfdataItemsMax, "performance data is bounded");
  expect(parsed.text.size() + parsed.more.size() <= output.size(),
         "a text is a part of the output");
  expect(parsed.text.find_first_of("\n|") == std::string_view::npos, "the text is one line");
  expect(parsed.more.find('|') == std::string::npos, "more text holds no performance data");
  for (const probes::Perfdata& item : parsed.perfdata) {
    expect(std::isfinite(item.value), "a value is a number", item.label);
    expect(!item.label.empty(), "a value has a label");
    expect(
        item.min.value_or(0) - item.max.value_or(0) == item.min.value_or(0) - item.max.value_or(0),
        "ends are numbers", item.label);
    expect(is_valid_name(probes::value_name(item.label) + ".critical_64"), "a name is valid",
           item.label);
    for (const auto& limit : {item.warning, item.critical})
      if (limit) expect(limit->low <= limit->high, "a limit is a range", item.label);
  }
}

void check(const probes::HostValues& values) {
  expect(values.size() <= 8, "a file says so much and no more");
  for (const NamedValue& value : values) {
    expect(std::isfinite(value.value) && value.value >= 0, "a value is a number", value.name);
    expect(is_valid_name(value.name), "a value has a name", value.name);
  }
}

void files(char kind, std::string_view text) {
  probes::HostValues values;
  if (kind == 'l') probes::add_load(text, 2, values);
  if (kind == 'm') probes::add_memory(text, values);
  if (kind == 'f') probes::add_files(text, values);
  if (kind == 'i' && text.size() < 200) probes::add_pressure("io", text, values);
  if (kind == 's') {
    const auto middle = text.find('!');  // two looks
    const auto before = probes::parse_cpu(text.substr(0, middle));
    const auto after =
        probes::parse_cpu(middle == std::string_view::npos ? text : text.substr(middle + 1));
    if (before && after) probes::add_cpu(*before, *after, values);
    for (const NamedValue& value : values) expect(value.value <= 100, "a share is a percentage");
  }
  check(values);
}

}  // namespace

void run(std::string_view input) {
  if (input.empty()) return;
  const std::string_view bytes = input.substr(1);
  if (input[0] == 'p') plugin(bytes);
  if (input[0] == 'r') range(bytes);
  files(input[0], bytes);
}

}  // namespace firebreak::fuzz
