// How long a queue in Redis is, and how old its oldest entry: a list, a set, a sorted set, a stream
// or what one consumer group of a stream has not finished.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/probe_spec.h"
#include "probes/attempt.h"
#include "probes/resp.h"

namespace firebreak::probes {

// False after attempt.fail(). Adds the values of queue_values() that there are, but for "length".
Awaitable<bool> measure_redis(Attempt& attempt, const QueueSpec::RedisKey& source,
                              std::optional<double>& length);

// The parts of replies, which are whatever a server sends. Pure.

// Of XINFO GROUPS.
struct StreamGroup {
  double pending = 0;         // delivered and not acknowledged
  std::optional<double> lag;  // not delivered yet; Redis before 7 does not say, nor may a later one
  std::string last_id;        // delivered last
};
[[nodiscard]] std::optional<StreamGroup> group_of(const RedisReply& groups, std::string_view name);
// The oldest id of XPENDING's summary, of XRANGE: empty when there is none.
[[nodiscard]] std::string oldest_pending(const RedisReply& summary);
[[nodiscard]] std::string first_id(const RedisReply& range);
// Seconds since 1970 of the id "1700000000000-0", of TIME, and of ZRANGE ... WITHSCORES by the unit
// of its scores.
[[nodiscard]] std::optional<double> time_of_id(std::string_view id);
[[nodiscard]] std::optional<double> time_of_server(const RedisReply& time);
[[nodiscard]] std::optional<double> time_of_score(const RedisReply& range, std::string_view unit);

}  // namespace firebreak::probes
