// Redis over TCP, TLS or, when the host starts with '/', a Unix socket: RESP2, AUTH when there is a
// password, then commands that all travel together.
//
// The server's own "no" keeps its words as evidence: NOAUTH, WRONGPASS and NOPERM are auth,
// LOADING, MASTERDOWN, READONLY, too many clients and the like are status, a key of another type
// and whatever is not RESP are protocol.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/probe_spec.h"
#include "probes/attempt.h"
#include "probes/either_stream.h"
#include "probes/resp.h"

namespace firebreak::probes {

using RedisCommand = std::vector<std::string>;

Awaitable<void> probe_redis(Attempt& attempt, const RedisSpec& spec);

// One connection. Its steps return false after attempt.fail().
class RedisTalk {
 public:
  explicit RedisTalk(Attempt& attempt) : attempt_(attempt), stream_(attempt) {}

  // Connects and authenticates.
  Awaitable<bool> open(const RedisSpec& spec);
  // One reply to each command, errors among them. Once at a time.
  Awaitable<bool> ask(std::vector<RedisCommand> commands, std::vector<RedisReply>& replies);

 private:
  Awaitable<bool> read(std::size_t count, std::vector<RedisReply>& replies);
  bool fail_closed(const std::vector<RedisReply>& replies);

  Attempt& attempt_;
  EitherStream stream_;
  RedisReader reader_;
};

// Whether INFO is to be asked, and what its reply says: adds the values, and is false after
// attempt.fail() when it is a refusal, another role, or a replica without its master.
[[nodiscard]] bool wants_info(const RedisSpec& spec);
bool take_info(Attempt& attempt, const RedisSpec& spec, const RedisReply& info);

// What an error reply says about the server: "LOADING Redis is loading the dataset in memory".
struct RedisVerdict {
  Status status = Status::critical;
  Reason reason = Reason::status;
};
[[nodiscard]] RedisVerdict judge_redis_error(std::string_view error);
// Fails with the verdict over an error reply, or as protocol: "LLEN was answered by: ...".
bool fail_reply(Attempt& attempt, std::string_view command, const RedisReply& reply);
[[nodiscard]] std::string redis_command(const RedisCommand& words);

}  // namespace firebreak::probes
