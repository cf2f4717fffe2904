// Redis over TCP or, when the host starts with '/', a Unix socket: RESP2, AUTH when there is a
// password, then one command.
//
// The server's own "no" keeps its words as evidence: NOAUTH, WRONGPASS and NOPERM are auth,
// LOADING, MASTERDOWN, MISCONF and the like are status, whatever is not RESP is protocol.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/probe_spec.h"
#include "common/result.h"
#include "probes/attempt.h"

namespace firebreak::probes {

// A reply of one line: all that PING, AUTH and LLEN ever send.
struct RedisReply {
  char kind = '+';   // '+' status, '-' error, ':' integer
  std::string text;  // without kind and line end
};

Awaitable<void> probe_redis(Attempt& attempt, const RedisSpec& spec);

// Connects, authenticates, runs `command`. False after attempt.fail(), which an error reply is too.
Awaitable<bool> ask_redis(Attempt& attempt, const RedisSpec& spec, std::vector<std::string> command,
                          RedisReply& reply);

// What an error reply says about the server: "LOADING Redis is loading the dataset in memory".
struct RedisVerdict {
  Status status = Status::critical;
  Reason reason = Reason::status;
};
[[nodiscard]] RedisVerdict judge_redis_error(std::string_view error);
// A line as it came, without its end.
[[nodiscard]] Result<RedisReply> parse_redis_line(std::string_view line);
[[nodiscard]] std::string redis_command(const std::vector<std::string>& words);

}  // namespace firebreak::probes
