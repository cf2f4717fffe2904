// The actuator's event loop: orders come in on a Unix socket, actions run, outcomes go out.
#pragma once

#include <sys/types.h>

#include <memory>
#include <set>
#include <string>

#include "common/fd.h"
#include "common/result.h"

namespace firebreak::actuator {

struct ServerOptions {
  std::string actions_directory;
  uid_t actions_owner = 0;  // whose files and programs are trusted; root but in tests
  std::string state_directory;
  std::set<uid_t> peers;  // who may give orders
};

// One thread, and the process must have no other: it forks. SIGTERM and SIGINT end the loop once
// the running actions have ended or kActuatorStopWait is over, SIGHUP reads the actions again.
class Server {
 public:
  // Opens the journal, settles what an earlier life left running as unknown, reads the actions
  // (their mistakes are logged and allow nothing) and blocks the signals above. `listener` is a
  // listening AF_UNIX stream socket.
  static Result<Server> open(ServerOptions options, Fd listener);
  Server(Server&&) noexcept;
  Server& operator=(Server&&) noexcept;
  ~Server();

  // Returns when a signal has ended it.
  void run();

 private:
  class Loop;
  explicit Server(std::unique_ptr<Loop> loop);
  std::unique_ptr<Loop> loop_;
};

// The socket that systemd passed ($LISTEN_FDS); not_found without one.
Result<Fd> activated_listener();

}  // namespace firebreak::actuator
