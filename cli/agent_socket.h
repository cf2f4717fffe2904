// A question to the agent of this host, on the Unix socket where jobs report.
#pragma once

#include <string>

#include "common/result.h"
#include "common/time.h"

namespace firebreak::cli {

struct AgentAnswer {
  int status = 0;    // of HTTP
  std::string body;  // without the ends of its last lines; hostile: somebody else may listen there
};

// One HTTP/1.1 request; `within` bounds all of it. `unavailable`: nobody listens, or they hang up;
// `deadline_exceeded`: they do not answer. Blocks.
Result<AgentAnswer> ask_agent(const std::string& socket, const std::string& method,
                              const std::string& target, const std::string& body, Duration within);

}  // namespace firebreak::cli
