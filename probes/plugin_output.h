// What a monitoring plugin prints: one line of text, performance data, perhaps more lines.
//
//   DISK OK - free space: / 3326 MB (56%) | /=2643MB;5948;5958;0;5968
//   more text, up to a second bar
//   and the last of it | /boot=68MB;88;93;0;98
//   /home=69357MB;253404;253409;0;253414
//
// https://www.monitoring-plugins.org/doc/guidelines.html, "Plugin Output for Nagios". All of it is
// hostile.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/range.h"

namespace firebreak::probes {

struct Perfdata {
  std::string label;  // raw
  double value = 0;   // in seconds, bytes, percent or whatever is counted
  std::optional<Range> warning;
  std::optional<Range> critical;
  std::optional<double> min;
  std::optional<double> max;
  friend bool operator==(const Perfdata&, const Perfdata&) = default;
};

struct PluginOutput {
  std::string_view text;  // of the first line; like `more`, a part of what was parsed
  std::string more;       // the other lines, without performance data
  std::vector<Perfdata> perfdata;
  std::size_t perfdata_refused = 0;  // items without a finite value, or none at all
};

// Reads at most limits::kPerfdataItemsMax items.
[[nodiscard]] PluginOutput parse_plugin_output(std::string_view output);
// Items that stand between blanks; `refused` counts those that are none.
void parse_perfdata(std::string_view text, std::vector<Perfdata>& items, std::size_t& refused);

// A valid name (common/ids.h) for a label: "/var" is "var", "/" is "root", "Load 1" is "load_1".
[[nodiscard]] std::string value_name(std::string_view label);

}  // namespace firebreak::probes
