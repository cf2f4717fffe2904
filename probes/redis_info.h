// What INFO of Redis says: lines of "name:value" under headings of "# Name"
// (https://redis.io/docs/latest/commands/info/).
//
// Pure and tolerant: a field that is not there, or is no number, yields nothing, for servers of
// other versions and makers lack some. Of a field that comes twice the first counts.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/observation.h"

namespace firebreak::probes {

// Each of redis_values() that it tells, finite, in that order.
[[nodiscard]] std::vector<NamedValue> redis_values_of(std::string_view info);

struct RedisTrouble {
  Status status = Status::critical;
  Reason reason = Reason::status;
  std::string evidence;
};
// A role other than the wanted one of redis_roles() (empty: any), or a replica without its master.
[[nodiscard]] std::optional<RedisTrouble> judge_redis_role(std::string_view info,
                                                           std::string_view wanted);

}  // namespace firebreak::probes
