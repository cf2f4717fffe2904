// PostgreSQL and pgbouncer, from YAML; for common/probe_yaml*.cc alone.
#pragma once

#include "common/probe_spec.h"
#include "common/yaml.h"

namespace firebreak::probe_yaml {

// Says into `problems` what no agent would take.
PostgresSpec read_postgres(const yaml::Node& node, yaml::Problems& problems);
PgbouncerSpec read_pgbouncer(const yaml::Node& node, yaml::Problems& problems);

}  // namespace firebreak::probe_yaml
