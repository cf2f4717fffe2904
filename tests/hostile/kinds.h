// Every kind of probe that asks a server, with the conversation that would please it and the
// behaviours that only its protocol knows.
#pragma once

#include <functional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "common/observation.h"
#include "common/probe_spec.h"
#include "tests/hostile/kit.h"

namespace firebreak::hostile {

// Where a server of the kit is, and what a probe needs to trust it.
struct Target {
  std::uint16_t port = 0;
  std::string authority;  // the file of its certificate
  std::string secret;     // a file with a password
};

using Reasons = std::set<Reason>;

// One behaviour, and what a probe may say of it.
struct Behaviour {
  std::string name;
  Act act;  // inside TLS, where the kind has it
  Reasons reasons;
  bool at_deadline = false;  // else the probe knows by itself that it has seen enough
  bool is_long = false;      // many megabytes until then
};

struct Kind {
  std::string name;
  Where where = Where::tcp;
  bool tls = false;
  std::string alpn{};
  std::vector<Reply> starttls{};  // what is said before TLS
  std::function<KindSpec(const Target&)> spec;
  std::vector<Reply> good;
  std::size_t made_bytes = 0;  // of those that are made from a question
  std::size_t farewell = 0;    // bytes at the end of `good` that nobody waits for
  // What is not this protocol at all, however long it goes on.
  Reasons nonsense = {Reason::protocol};
  // The connection ends before the answer does.
  Reasons early_end = {Reason::reset};
  std::vector<Behaviour> own{};
  // Systemd's silence is no target's fault.
  Status failure = Status::critical;
};

const std::vector<Kind>& kinds();

inline void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.name;
}

}  // namespace firebreak::hostile
