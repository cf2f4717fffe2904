// The kinds that ask for numbers that others have gathered: prometheus. For common/probe_yaml.cc.
#pragma once

#include "common/probe_spec.h"
#include "common/yaml.h"

namespace firebreak::probe_yaml {

[[nodiscard]] PrometheusSpec read_prometheus(const yaml::Node& node, yaml::Problems& problems);

}  // namespace firebreak::probe_yaml
