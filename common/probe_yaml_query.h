// The kinds that ask others what they know: prometheus for numbers, grpc for a service's health.
// For common/probe_yaml.cc.
#pragma once

#include "common/probe_spec.h"
#include "common/yaml.h"

namespace firebreak::probe_yaml {

[[nodiscard]] PrometheusSpec read_prometheus(const yaml::Node& node, yaml::Problems& problems);
[[nodiscard]] GrpcSpec read_grpc(const yaml::Node& node, yaml::Problems& problems);

}  // namespace firebreak::probe_yaml
