// One line of what happened in an incident.
#pragma once

#include <string>

#include "common/time.h"

namespace firebreak::core {

struct TimelineEntry {
  Instant at;
  std::string kind;   // opened severity action notification fact note acknowledged phase validation
                      // resolved clock warm-up affected
                      // escalation silence maintenance flapping
                      // step recommendation
  std::string actor;  // engine, operator:NAME, agent:NAME
  std::string text;
  std::string detail;
};

}  // namespace firebreak::core
