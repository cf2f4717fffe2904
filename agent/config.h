// The agent's own configuration: which coordinators it serves, who it is, what this host offers.
//
// Its name is in its certificate and what it probes comes from the coordinator, so neither is here.
// The example is deploy/examples/agent.yaml.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/spool/log.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/pki.h"
#include "common/result.h"
#include "probes/heartbeat_report.h"

namespace firebreak::agent {

// Another host whose answer proves that this one's network works.
struct Anchor {
  enum class Kind { tcp, icmp };
  Kind kind = Kind::tcp;
  std::string host;
  std::uint16_t port = 0;  // of tcp
  friend bool operator==(const Anchor&, const Anchor&) = default;
};

// Where jobs of this host report to `heartbeat` probes.
struct HeartbeatConfig {
  std::string socket = probes::kHeartbeatSocket;
  bool is_for_all = true;  // any user may open it; otherwise those of its folder's group
  std::map<std::string, std::set<std::string>> users;  // who may report a name; not there: anybody
  std::string address;  // of a TCP listener as well, numeric; empty: none
  std::uint16_t port = 0;
  std::string token_file;  // what those must know who come by TCP
};

struct Config {
  std::vector<std::string> coordinators;  // "host:port" as gRPC takes it; at least one, no doubles
  pki::TlsFiles tls;                      // absolute paths; the key may be "credential:NAME"
  std::map<std::string, std::string> labels;
  std::string state;       // a folder of the agent's own, absolute
  spool::LogLimits spool;  // what of it may hold results
  std::string actuator;    // its socket, absolute; empty: this host only probes
  std::string checks_dir;  // what exec probes may run, absolute; empty: nothing
  std::optional<HeartbeatConfig> heartbeats;
  std::vector<Anchor> anchors;  // beside the default gateway and the coordinators
  std::size_t probes_at_once = limits::kProbesInFlightMax;
  std::size_t probes_per_target = limits::kProbesPerTargetMax;  // of them
  log::Level log_level = log::Level::info;
  log::Format log_format = log::Format::text;
};

// Of "host:port", an IPv6 address in brackets.
Anchor tcp_anchor(const std::string& address);

// Pure. `file_name` is only used in messages. When anything is wrong, the message holds every
// problem with file:line:column, caret and suggestion, rendered for a terminal.
Result<Config> parse_config(const std::string& file_name, const std::string& text);
// Reads the file, then parse_config().
Result<Config> load_config(const std::string& path);

}  // namespace firebreak::agent
