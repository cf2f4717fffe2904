// The thread that waits for the disk, so that the agent's loop never does.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/spool/log.h"
#include "agent/spool_work.h"
#include "common/clock.h"
#include "common/result.h"

namespace boost::asio {
class io_context;
}

namespace firebreak::agent {

// Of the host's current boot; empty: not known.
[[nodiscard]] std::string read_boot_id();

// Not 0: that is "none" on the wire.
[[nodiscard]] std::uint64_t random_incarnation();

// What was found when the spool was opened, and said in the log.
struct OpenedSpool {
  std::unique_ptr<spool::Files> files;
  std::unique_ptr<spool::Log> log;
  SpoolStart start;
};
// Opens FOLDER/spool on the caller's thread, which takes about two seconds for each 256 MiB.
Result<OpenedSpool> open_spool(const std::string& folder, spool::LogLimits limits,
                               const Clock& clock);

class SpoolThread {
 public:
  // `done` is called from the loop of `io`, once for each begin(). Both outlive this.
  SpoolThread(boost::asio::io_context& io, const Clock& clock, OpenedSpool spool,
              std::function<void(SpoolDone)> done);
  // Ends what was begun, which is then durable unless the disk refuses; `done` is not called.
  ~SpoolThread();
  SpoolThread(const SpoolThread&) = delete;
  SpoolThread& operator=(const SpoolThread&) = delete;

  // From the loop's thread; at most one piece of work at a time is under way, and one more may
  // wait.
  void begin(SpoolWork work);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firebreak::agent
