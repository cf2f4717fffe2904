// What is wrong with an agent's state folder, and what of it can still be sent. Never changes what
// it looks at.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/finding.h"
#include "common/time.h"

namespace firebreak::agent {

// Whether `path` is an agent's state folder, or the spool in one; not a coordinator's.
[[nodiscard]] bool is_agent_folder(const std::string& path);

struct SpoolSummary {
  std::uint64_t sendable = 0;      // results that no coordinator has acknowledged
  std::uint64_t lost_at_most = 0;  // such results that damage took
};
struct AgentExamination {
  Examination examination;
  std::optional<SpoolSummary> spool;  // nullopt: it cannot be read
};
// Does with the spool what the agent's next start will do, in memory. An agent that runs may go on
// meanwhile. `now` is for the age of results. Reads everything once or twice: about two seconds for
// each 256 MiB.
AgentExamination examine_agent(const std::string& path, WallTime now);

}  // namespace firebreak::agent
