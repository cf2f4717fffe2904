// Where jobs of this host report: a Unix socket and, if wanted, a TCP port, both HTTP/1.1.
//
// Belongs to the one thread that runs the given io_context. A report is acknowledged when it is on
// the disk; those that come while the disk is busy share the next write. Connections are bounded in
// number, bytes and time; when there are too many, the oldest goes that does not wait for the disk
// and had time enough to say what it wants; until there is one, who comes waits in the kernel.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "agent/config.h"
#include "common/clock.h"
#include "common/result.h"
#include "probes/heartbeat_report.h"

namespace boost::asio {
class io_context;
}

namespace firebreak::agent {

class HeartbeatServer {
 public:
  // Reads FOLDER/heartbeats, and says in the log when it begins anew because that is damaged. `io`
  // and `clock` outlive this.
  HeartbeatServer(boost::asio::io_context& io, const Clock& clock, HeartbeatConfig config,
                  std::string folder, std::string boot_id);
  ~HeartbeatServer();
  HeartbeatServer(const HeartbeatServer&) = delete;
  HeartbeatServer& operator=(const HeartbeatServer&) = delete;

  // What cannot be listened on is said in the log and tried again.
  void start();
  // Listens no more, and saves once more.
  void stop();

  // The names that assigned probes ask for.
  void expect(const std::set<std::string>& names);
  // resource_exhausted: no assigned probe asks for it, or for more names than are kept.
  [[nodiscard]] Result<probes::Heartbeat> find(const std::string& name) const;

  // 0: not listening by TCP.
  [[nodiscard]] std::uint16_t tcp_port() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace firebreak::agent
