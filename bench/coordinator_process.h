// The coordinator's program on a free port, as a benchmark's opponent: as it is, without syncs, or
// a stand-in that only parses and acknowledges.
#pragma once

#include <string>

#include "bench/deployment.h"
#include "bench/measure.h"
#include "common/pki.h"
#include "tests/support/servers.h"

namespace firebreak::bench {

enum class ServerKind { coordinator, without_sync, limit };

// Ends with the object. Its policy is the deployment's folder `policy`. `limit` runs this very
// program as `echo ADDRESS CERTIFICATE KEY CA`.
class CoordinatorProcess {
 public:
  CoordinatorProcess(Deployment& deployment, const pki::TlsFiles& tls, ServerKind kind);

  [[nodiscard]] const std::string& address() const { return address_; }
  [[nodiscard]] Nanoseconds cpu() const { return cpu_of(process_.pid()); }
  [[nodiscard]] double rss_mib() const { return rss_kib(process_.pid()) / 1024; }
  [[nodiscard]] double disk_bytes() const;  // of its state

 private:
  const std::string address_;
  std::string state_;
  testing::ServerProcess process_;
};

}  // namespace firebreak::bench
