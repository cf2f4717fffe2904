// Why a service is judged as it is, and why its incident's playbook does or does not act: what
// step() knows, as a value. Pure, and only looks.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "common/cel/program.h"
#include "common/result.h"
#include "coordinator/core/containment.h"
#include "coordinator/core/signal_values.h"
#include "coordinator/core/state.h"

namespace firebreak::core {

// What is asked about.
struct Question {
  ServiceName service;
  std::string rule;     // of it; empty: every one
  IncidentId incident;  // empty: the service's open one, if any
};
// An incident that the state holds, a service, or a rule by its name or as SERVICE/RULE.
[[nodiscard]] Result<Question> find_question(const State& state, const std::string& about);

struct LevelExplained {
  std::string severity;
  std::vector<cel::Part> parts;       // the condition first, then what it is made of
  std::optional<Instant> true_since;  // it counts once this is the rule's `for` ago
};
struct RuleExplained {
  std::string name;
  Duration hold{};
  Duration keep{};
  std::string severity;                // what it contributes; empty: nothing
  std::optional<Instant> lower_since;  // a lower one counts once this is `keep_for` ago
  std::vector<LevelExplained> levels;
};
struct ProbeExplained {
  ProbeKey key;
  ProbeView view;
};
struct PlaybookExplained {
  std::string name;
  policy::Mode mode = policy::Mode::enforce;
  Instant since;
  std::vector<Prospect> steps;
  std::string waits;  // why none of them is done now; empty: nothing holds it back
};
struct Explanation {
  ServiceName service;
  Instant at{};
  Instant evaluated{};    // its rules, last
  std::string severity;   // empty: no rule holds
  std::string because;    // the rule and level that decided
  bool blind = false;     // the severity stands though no rule says so now
  std::string dismissed;  // a person resolved the incident at this severity; empty: nobody did
  std::vector<ProbeExplained> probes;  // that its rules read
  std::vector<RuleExplained> rules;
  // Of the incident, when there is one.
  IncidentId incident;
  std::string title;
  Phase phase = Phase::investigating;
  Instant opened{};
  std::optional<Instant> resolved;
  std::optional<PlaybookExplained> playbook;
  std::string no_playbook;               // why there is none
  std::vector<TimelineEntry> decisions;  // the engine's, oldest first, the newest kept
};

// `past`: the incident, when it is not in the state any more. not_found when the policy in force
// has no such service.
[[nodiscard]] Result<Explanation> explain(const State& state, const Question& question, Instant now,
                                          const Incident* past = nullptr);

}  // namespace firebreak::core
