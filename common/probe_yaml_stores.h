// Servers that keep keys and messages, from YAML; for common/probe_yaml*.cc alone.
#pragma once

#include "common/probe_spec.h"
#include "common/yaml.h"

namespace firebreak::probe_yaml {

// Says into `problems` what no agent would take.
RedisSpec read_redis(const yaml::Node& node, yaml::Problems& problems);
// `node` is the server; `queue` holds the keys beside it.
QueueSpec::RedisKey read_redis_key(yaml::MapReader& queue, const yaml::Node& node,
                                   yaml::Problems& problems);
QueueSpec::RabbitMq read_rabbitmq(yaml::MapReader& queue, const yaml::Node& node,
                                  yaml::Problems& problems);

}  // namespace firebreak::probe_yaml
