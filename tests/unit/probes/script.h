// A server that plays a script, on the same io_context as the probe it is for: no thread, no
// chance.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "common/observation.h"
#include "common/probe_spec.h"
#include "probes/run.h"

namespace firebreak::testing {

struct Step {
  std::string wait_for;  // what must have been received since the last step; empty: anything
  std::string send;
};

struct Script {
  enum class End {
    close,  // at once
    reset,  // with a RST instead of a FIN
    hold,   // until the other side closes
    drip,   // 32 more bytes after another, for ever
  };
  std::vector<Step> steps;
  End end = End::close;
  std::string greeting{};  // sent before anything is received
};

struct ScriptedServerState;

// On a free port of 127.0.0.1. Connections get the scripts in turn, the last one again and again.
class ScriptedServer {
 public:
  ScriptedServer(boost::asio::io_context& io, std::vector<Script> scripts);
  // With TLS: PEM files.
  ScriptedServer(boost::asio::io_context& io, std::vector<Script> scripts,
                 const std::string& certificate, const std::string& key);
  ~ScriptedServer();  // nobody listens any more
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  [[nodiscard]] std::uint16_t port() const;
  // All that was received, one string for each connection.
  [[nodiscard]] const std::vector<std::string>& received() const;
  [[nodiscard]] std::string url(const std::string& path = "/") const;

 private:
  std::shared_ptr<ScriptedServerState> state_;
};

// Runs `io` until the probe's result is there.
Observation run_probe(boost::asio::io_context& io, const KindSpec& kind,
                      const ProberOptions& options = {},
                      Duration timeout = std::chrono::seconds(20));
Observation run_probe(boost::asio::io_context& io, const ProbeSpec& spec,
                      const ProberOptions& options = {});
// Runs it as far as it gets by itself, and then past its deadline: no time passes meanwhile.
Observation time_out(boost::asio::io_context& io, const KindSpec& kind);
// The same as run_probe, and what it traced.
Observation trace_probe(boost::asio::io_context& io, const KindSpec& kind, std::string& trace);

}  // namespace firebreak::testing
