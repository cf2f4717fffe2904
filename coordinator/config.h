// The coordinator's own configuration: where it listens, who it is, where policy and state are.
//
// What it judges by is the policy, not this file. Every key but `listen` and `journal` is required;
// the example is deploy/examples/coordinator.yaml.
#pragma once

#include <cstdint>
#include <string>

#include "common/limits.h"
#include "common/pki.h"
#include "common/result.h"
#include "common/time.h"

namespace firebreak::coordinator {

struct Address {
  std::string host = "0.0.0.0";  // a name or an address, IPv6 without brackets
  std::uint16_t port = 7443;     // 0: the system chooses, and the log says which
  friend bool operator==(const Address&, const Address&) = default;
};
// "host:port" as gRPC takes it, IPv6 in brackets.
[[nodiscard]] std::string to_string(const Address& address);

// How much of the journal stays; less of it, when a start needs less.
struct JournalLimits {
  Duration keep = limits::kJournalKeep;
  std::uint64_t bytes = limits::kJournalBytes;
};

struct Config {
  Address listen;
  pki::TlsFiles tls;   // absolute paths; the key may be "credential:NAME"
  std::string policy;  // the folder of policy files, absolute
  std::string state;   // the folder of the store, absolute
  JournalLimits journal;
};

// Pure. `file_name` is only used in messages. When anything is wrong, the message holds every
// problem with file:line:column, caret and suggestion, rendered for a terminal.
Result<Config> parse_config(const std::string& file_name, const std::string& text);
// Reads the file, then parse_config().
Result<Config> load_config(const std::string& path);

}  // namespace firebreak::coordinator
