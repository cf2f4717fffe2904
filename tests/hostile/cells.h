// Behaviours times kinds: a cell is one server that behaves in one way, for one kind of probe.
#pragma once

#include <string>
#include <vector>

#include "tests/hostile/certificates.h"
#include "tests/hostile/kinds.h"

namespace firebreak::hostile {

struct Cell {
  std::string name;
  Server server;
  Reasons reasons;
  bool at_deadline = false;
  bool is_long = false;
};

// The server of a kind that does `act` where the answer is awaited.
Server server_of(const Kind& kind, const Certificates& certificates, const Act& act);
// All of a kind.
std::vector<Cell> cells_of(const Kind& kind, const Certificates& certificates);

}  // namespace firebreak::hostile
