// YAML, so that a benchmark goes through the loader as everybody does.
#include "bench/synthetic_policy.h"

namespace firebreak::bench {

std::string synthetic_policy(int probes, bool windowed) {
  std::string services = "services:\n";
  std::string rules = "rules:\n";
  for (int service = 0; service < probes / 10; ++service) {
    const std::string name = "s" + std::to_string(service);
    services += "  " + name + ":\n    agents: 'true'\n    probes:\n";
    rules += "  - {service: " + name + ", severity: {P1: \"!available('p0')\", P2: \"";
    for (int probe = 0; probe < 10; ++probe) {
      const std::string own = "p" + std::to_string(probe);
      services += "      " + own + ": {http: 'http://10.0.0.1/', every: 10s}\n";
      rules += probe == 0 ? "" : " || ";
      rules += windowed ? "p95('" + own + "', 1m) > 1s" : "!available('" + own + "')";
    }
    rules += "\"}}\n";
  }
  return "severities: {P1: {}, P2: {}}\n" + services + rules;
}

}  // namespace firebreak::bench
