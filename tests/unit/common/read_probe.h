// A probe's definition as a policy holds it: nothing, and why, when anything is wrong with it.
#pragma once

#include <optional>
#include <string>

#include "common/probe_yaml.h"
#include "common/yaml.h"

namespace firebreak::testing {

inline std::optional<ProbeSpec> read(const std::string& text, yaml::Problems& problems) {
  const auto document = yaml::parse("probe.yaml", text, problems);
  if (!document) return std::nullopt;
  yaml::MapReader reader(document->root(), "a probe", problems);
  auto probe = read_probe(reader, problems);
  reader.finish();
  return problems.ok() ? probe : std::nullopt;
}

}  // namespace firebreak::testing
