// The length of a queue, from Redis, RabbitMQ, an HTTP answer or an SQL query: value "length"
// beside others of queue_values(), and two limits.
#pragma once

#include "common/probe_spec.h"
#include "probes/attempt.h"

namespace firebreak::probes {

Awaitable<void> probe_queue(Attempt& attempt, const QueueSpec& spec);

// The verdict over a length that was found.
void judge_length(Attempt& attempt, const QueueSpec& spec, double length);

}  // namespace firebreak::probes
