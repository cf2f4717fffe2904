// What a PostgreSQL server tells about itself: one statement, and what its one row means.
//
// Pure and tolerant: what the user may not see, or the server does not measure, yields no value
// rather than a wrong zero, and `unseen` says why. The views and functions are those of PostgreSQL
// 10 and later ("The Cumulative Statistics System", "System Administration Functions" in its
// manual).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/observation.h"
#include "probes/sql_row.h"

namespace firebreak::probes {

// Asks for it all at once; it reads shared memory and no table.
[[nodiscard]] const char* postgres_info_query();

struct PostgresTrouble {
  Status status = Status::critical;
  Reason reason = Reason::status;
  std::string evidence;
};

struct PostgresInfo {
  std::vector<NamedValue> values;  // of postgres_values(), in that order, finite
  std::string unseen;              // which of them are missing, and why; empty: none for a reason
  // A role other than the wanted one of postgres_roles(), or a standby without its primary.
  std::optional<PostgresTrouble> trouble;
};
// `wanted` empty: any role.
[[nodiscard]] PostgresInfo read_postgres_info(SqlRow row, std::string_view wanted);

}  // namespace firebreak::probes
