// One outage, one incident: services that fail because of another one's fault are affected by its
// incident instead of having one of their own.
//
// A symptom only keeps a *new* incident from being opened: its probes go on, and nothing that is
// open waits for anything. When the cause has gone, a symptom counts again with its next results.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coordinator/core/turn.h"

namespace firebreak::core {

// The service's rules hold, decided by results, and it has no incident. True: it is part of
// another's, or may not have one of its own yet; false: it opens one.
[[nodiscard]] bool is_symptom(Turn& turn, const ServiceName& service);
// Its rules hold no more.
void symptom_ended(Turn& turn, const ServiceName& service);
// Waits for results that are newer than the end of its cause, and is to be looked at until then.
[[nodiscard]] bool awaits_news(const ServiceState& service);

// The incident was opened a moment ago: what it comes from, and what comes from it.
void link_incident(Turn& turn, Incident& incident);
// Its rules hold no more, or it is over: its symptoms stand for themselves with their next results.
void release_symptoms(Turn& turn, const Incident& incident);
// Its rules hold again before that.
void keep_symptoms(Turn& turn, const Incident& incident);
// The policy has changed: those that it calls symptoms no more are released.
void review_symptoms(Turn& turn);

// Services that are affected now, in the order of their names.
[[nodiscard]] std::vector<ServiceName> symptoms_of(const State& state, const Incident& incident);
// The most severe of what holds for the services of its group: these keep an incident from
// becoming quiet.
[[nodiscard]] std::optional<policy::SeverityIndex> group_severity(const State& state,
                                                                  const Incident& incident);
// The service whose fault decides the incident's severity: its own, when that is as severe as any.
// `own`: what its rules, a person and its group say together.
[[nodiscard]] ServiceName worst_service(const State& state, const Incident& incident,
                                        policy::SeverityIndex own);

// Adds the hosts whose probes of the service fail to what its incident affects.
void note_hosts(Turn& turn, const ServiceName& service);
void add_host(Turn& turn, Incident& incident, const AgentName& host);
// "api (P1), web (P2) and 3 more": what is affected now; empty: nothing else.
[[nodiscard]] std::string describe_affected(const Incident& incident);
// "web-1, web-2 and more than 98 others"; empty: none.
[[nodiscard]] std::string describe_hosts(const Incident& incident);

}  // namespace firebreak::core
