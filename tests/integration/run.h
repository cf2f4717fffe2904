// One probe, as an agent runs it.
#pragma once

#include <optional>
#include <utility>

#include <boost/asio/io_context.hpp>

#include "probes/run.h"

namespace firebreak::testing {

inline constexpr auto kBrief = std::chrono::milliseconds(500);  // for a frozen server

inline Observation run(const KindSpec& kind, Duration timeout = std::chrono::seconds(30)) {
  boost::asio::io_context io;
  Prober prober(io);
  ProbeSpec spec;
  spec.kind = kind;
  spec.timeout = timeout;
  std::optional<Observation> result;
  prober.start(spec, [&result](Observation observation) { result = std::move(observation); });
  while (!result && io.run_one() > 0) {
  }
  return result.value();
}

}  // namespace firebreak::testing
