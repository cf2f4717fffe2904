// An incident from its opening by a rule or a person to its end by proof or a person.
#pragma once

#include <string>

#include "coordinator/core/turn.h"

namespace firebreak::core {

// The service's severity changed, or whether anything decides it now: opens an incident, or has
// the open one looked at before the step ends.
void service_judged(Turn& turn, const ServiceName& service);

// Of the service; null: none is open.
[[nodiscard]] const Incident* open_incident_of(const State& state, const ServiceName& service);
[[nodiscard]] Incident* open_incident_of(State& state, const ServiceName& service);

// By a person; admissible() has said that it may be.
void declare_incident(Turn& turn, const DeclareIncident& what, const std::string& by);

// Everything that the incident owes at this instant: severity, clocks, containment, proof of
// recovery. Sets its alarm for the next.
void attend(Turn& turn, const IncidentId& id);

void resolve(Turn& turn, Incident& incident, const std::string& by, const std::string& reason);

// Forgets the oldest resolved incidents beyond the bound.
void drop_oldest_resolved(State& state);

// A validation that is in Turn::finished.
void validation_ended(Turn& turn, const ValidationId& id);

}  // namespace firebreak::core
