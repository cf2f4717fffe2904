// Many agents in one process, as a coordinator sees them: one channel, one certificate and one
// stream each.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/pki.h"

namespace firebreak::bench {

// What agent i reports on, in turn: of `services` services ten probes p0 to p9 each, beginning with
// the service s(i % shards).
struct FleetSeries {
  int services = 1;
};

struct FleetPlan {
  int batches = 0;     // of each agent
  int batch = 0;       // results of one
  int window = 1;      // batches without an ack
  double pause_s = 0;  // between an agent's batches; 0: as fast as acks come
};

struct FleetResult {
  std::uint64_t results = 0;     // acknowledged
  std::uint64_t wire_bytes = 0;  // of their messages, before TLS
  double seconds = 0;
  std::vector<double> ack_ms;  // of each batch, from its sending
};

class FleetClient {
 public:
  // One agent for each certificate; agent i says label shard = i % shards.
  FleetClient(const std::string& coordinator, const std::vector<pki::TlsFiles>& agents, int shards,
              const FleetSeries& series);
  ~FleetClient();
  FleetClient(const FleetClient&) = delete;
  FleetClient& operator=(const FleetClient&) = delete;

  // Until all are attached; the seconds it took. Throws when that takes too long.
  double attach();
  // How many were asked to come back later, all together.
  [[nodiscard]] std::uint64_t put_off() const;
  FleetResult run(const FleetPlan& plan);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firebreak::bench
