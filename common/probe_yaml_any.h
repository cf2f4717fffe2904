// What a probe of any kind may say besides its kind: limits, invert, family, source. For
// common/probe_yaml.cc alone.
#pragma once

#include "common/probe_spec.h"
#include "common/yaml.h"

namespace firebreak::probe_yaml {

// `probe.kind` has been read: limits are about its values.
void read_any_kind(yaml::MapReader& reader, ProbeSpec& probe, yaml::Problems& problems);
// The same keys beside a kind that was not understood.
void ignore_any_kind(yaml::MapReader& reader);

}  // namespace firebreak::probe_yaml
