// What keeps the coordinator quiet on purpose: silences, maintenance, and services that flap.
//
// Silences and maintenance begun by people are state; which services are in maintenance, and when
// any of it begins or ends next, follows from them and the policy (follow_quieting()).
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/ids.h"
#include "common/time.h"

namespace firebreak::core {

struct State;
struct Turn;
struct Pattern;  // a compiled regular expression (silences.cc)

// One condition on an incident: "service=web".
struct Matcher {
  enum class Attribute { service, incident, severity };
  std::string text;  // as it was written
  Attribute attribute = Attribute::service;
  bool negated = false;
  std::string value;
  std::shared_ptr<const Pattern> pattern;  // instead of the value
};

struct Silence {
  SilenceId id;
  std::vector<Matcher> matchers;  // all must match
  std::string author;
  std::string reason;
  std::string request_id;
  Instant begins;
  Instant ends;
  std::string ended_by;  // a person, before its time
  bool is_over = false;  // follows from `ends`
};

struct Maintenance {
  MaintenanceId id;
  std::vector<ServiceName> services;
  std::string author;
  std::string reason;
  std::string request_id;
  Instant begins;
  Instant ends;
  std::string ended_by;  // a person, before its time
};

// The maintenance that a service is in: of several, the one that ends last.
struct MaintenanceNow {
  std::string id;      // or the name of the policy's window
  std::string author;  // empty: the policy
  std::string reason;
  Instant begins;
  Instant ends;
};

struct Quieting {
  std::map<SilenceId, Silence> silences;              // in force, and those over for a while
  std::map<MaintenanceId, Maintenance> by_people;     // likewise
  std::map<ServiceName, MaintenanceNow> maintenance;  // follows from the above and the policy
  Instant next = Instant::max();                      // when any of it begins or ends
};

// Of one service; empty unless the policy looks for flapping.
struct FlapState {
  std::deque<Instant> changes;   // of its severity, oldest first, within the policy's time
  std::optional<Instant> since;  // it flaps
};

// What has begun or ended by now, on the incidents that it touches; and what has been kept for long
// enough goes.
void follow_quieting(Turn& turn);
// What follows from the rest, after a restore.
void recount_quieting(State& state);

}  // namespace firebreak::core
