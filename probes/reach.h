// Which hosts are others, and what their silence may mean.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/observation.h"
#include "common/probe_spec.h"
#include "common/result.h"

namespace boost::asio {
class io_context;
}

namespace firebreak::probes {

// Which server a probe loads: those with the same text share it. Empty: no server, its own host.
[[nodiscard]] std::string target_of(const KindSpec& kind);

// Of what a person writes, or of an address: "localhost", the host's own name, loopback, one of its
// own addresses, a path. A name that is none of these counts as another host's, and nobody is asked
// what it means.
bool is_this_host(const std::string& host);

// A failure that comes just so when the prober's own network is gone: another host was to be
// reached, and nothing at all was heard of it. What proves that somebody answered is none. A probe
// that is inverted and well has seen some failure: it counts as silence.
bool could_be_own_network(const ProbeSpec& spec, const Observation& observation);

// Names to addresses, as probes look them up. Belongs to the thread that runs `io`.
class Names {
 public:
  // `io` must outlive it.
  explicit Names(boost::asio::io_context& io);
  // No `done` is called any more.
  ~Names();
  Names(const Names&) = delete;
  Names& operator=(const Names&) = delete;

  // `done` comes later, never from in here, and only if there is an address. An error when too many
  // look-ups wait already.
  using Done = std::function<void(std::vector<std::string> addresses)>;
  Result<void> look_up(const std::string& host, Done done);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firebreak::probes
