// What a job's request to the agent means: who may ask for what, and the answer.
//
//   POST /v1/heartbeat/NAME[?state=STATE]    a report (probes/heartbeat_report.h)
//   GET  /v1/heartbeat/NAME                  what is known of it, as JSON
//
// Pure. Whoever has the name may report it, unless the agent's configuration lists its users; who
// may report may read. Over TCP a bearer token (RFC 6750) is asked for, and listed names are not
// taken: nobody knows which user it is.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <set>
#include <string>

#include "agent/heartbeats.h"
#include "common/secret.h"

namespace firebreak::agent {

struct HttpRequest {
  std::string method;
  std::string target;
  std::string authorization;  // the header's value
  std::string body;
};

struct HttpAnswer {
  int status = 200;
  std::string body;
  bool is_json = false;
  bool has_changed = false;  // not to be sent before the change is durable
};

struct HeartbeatRights {
  std::map<std::string, std::set<uid_t>> users;  // by name; root always may
  Secret token;                                  // of those who come by TCP
};

// `user`: of a Unix socket's other end; nothing: by TCP.
HttpAnswer answer(const HttpRequest& request, std::optional<uid_t> user,
                  const HeartbeatRights& rights, Heartbeats& beats, const HostTime& now);

}  // namespace firebreak::agent
