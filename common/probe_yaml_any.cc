// Limits by the names of values, and where a probe asks from.
#include "common/probe_yaml_any.h"

#include <algorithm>
#include <string>
#include <vector>

#include "common/ids.h"
#include "common/limits.h"
#include "common/probe_yaml_fields.h"

namespace firebreak::probe_yaml {
namespace {

using yaml::MapReader;
using yaml::Node;
using yaml::Problems;

// The name of a value of that kind.
bool is_known(const Node& key, const KindSpec& kind, Problems& problems) {
  std::optional<std::vector<std::string>> known = limited_values(kind);
  if (!known) {
    if (is_valid_name(key.text())) return true;
    problems.error(key.place(), "'" + key.text() + "' is no name of a value");
    return false;
  }
  known->emplace_back(kLatencyValue);
  return key.as_word(problems, *known).has_value();
}

void read_limits(const Node& node, ProbeSpec& probe, Problems& problems) {
  if (!node) return;
  check_count(node, node.entries().size(), limits::kValuesPerResultMax, problems);
  for (const yaml::Entry& entry : node.as_map(problems)) {
    if (!is_known(entry.key, probe.kind, problems)) continue;
    MapReader reader(entry.value, "a limit", problems);
    Limit limit;
    limit.warning = read_range(reader.optional("warning"), problems);
    limit.critical = read_range(reader.optional("critical"), problems);
    reader.finish();
    if (!limit.warning && !limit.critical)
      problems.error(entry.value.place(), "a limit is a range for 'warning', 'critical' or both");
    probe.limits.emplace(entry.key.text(), limit);
  }
}

void read_source(const Node& node, ProbeSpec& probe, Problems& problems) {
  const auto text = node.as_string(problems, limits::kHostBytesMax);
  if (!text) return;
  if (!is_address(*text))
    problems.error(node.place(), "'" + *text + "' is not an address of a host, such as 192.0.2.7");
  probe.source = *text;
}

}  // namespace

void read_any_kind(MapReader& reader, ProbeSpec& probe, Problems& problems) {
  read_limits(reader.optional("limits"), probe, problems);
  if (const auto invert = reader.optional("invert").as_bool(problems)) probe.invert = *invert;
  const Node family = reader.optional("family");
  const Node source = reader.optional("source");
  if (const auto index = family.as_word(problems, address_families()))
    probe.family = address_families()[*index];
  read_source(source, probe, problems);
}

void ignore_any_kind(MapReader& reader) {
  for (const char* key : {"limits", "invert", "family", "source"}) (void)reader.optional(key);
}

}  // namespace firebreak::probe_yaml
