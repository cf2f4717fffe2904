// What one run of a probe saw: the value that travels from probe to incident.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/ids.h"
#include "common/time.h"

namespace firebreak {

// As monitoring plugins have them, so that exit codes and history agree with the field.
enum class Status : std::uint8_t { ok = 0, warning = 1, critical = 2, unknown = 3 };

// Why a result is what it is: a closed set, so that rules and people can rely on it.
enum class Reason : std::uint8_t {
  none = 0,     // ok
  dns,          // the name did not resolve
  refused,      // nobody listens
  unreachable,  // no route, network down
  timeout,      // the deadline passed; `phase` says in which phase
  reset,        // the peer closed too early
  tls,          // handshake or certificate
  protocol,     // the reply is not the protocol's
  status,       // the protocol's own "no": an HTTP status, -LOADING, a rejecting PostgreSQL
  auth,         // credentials missing or refused
  body,         // an assertion on the content failed
  threshold,    // a value crossed its limit
  missing,      // the thing asked for does not exist (queue, row, unit)
  prober,       // our own fault: no file descriptors, blind network, cancelled
  config,       // this probe cannot run as it is written
};

enum class Phase : std::uint8_t {
  none = 0,
  resolve,
  connect,
  tls,
  send,
  first_byte,
  transfer,
  query
};

struct NamedValue {
  std::string name;  // a valid name; the probe kind's documentation lists what it yields
  double value = 0;
  friend bool operator==(const NamedValue&, const NamedValue&) = default;
};

struct PhaseTiming {
  Phase phase = Phase::none;
  Duration took{};
  friend bool operator==(const PhaseTiming&, const PhaseTiming&) = default;
};

struct Observation {
  Status status = Status::unknown;
  Reason reason = Reason::none;
  Phase phase = Phase::none;  // where it ended, when it did not end well
  Duration latency{};         // from start to verdict, all phases
  std::vector<PhaseTiming> phases;
  std::vector<NamedValue>
      values;            // at most limits::kValuesPerResultMax; a queue's length is "length"
  std::string evidence;  // one capped piece of what was seen; valid UTF-8, otherwise raw and
                         // hostile: escape where shown

  friend bool operator==(const Observation&, const Observation&) = default;
};

[[nodiscard]] const char* to_string(Status status);
[[nodiscard]] const char* to_string(Reason reason);
[[nodiscard]] const char* to_string(Phase phase);

}  // namespace firebreak
