// One probe, as an agent runs it.
#pragma once

#include <chrono>
#include <optional>
#include <utility>

#include <boost/asio/io_context.hpp>

#include "probes/run.h"

namespace firebreak::testing {

// For a frozen server, who never answers.
inline constexpr auto kBrief = std::chrono::milliseconds(500);

inline Observation run_with(const ProberOptions& options, const KindSpec& kind,
                            Duration timeout = std::chrono::seconds(30)) {
  boost::asio::io_context io;
  Prober prober(io, options);
  ProbeSpec spec;
  spec.kind = kind;
  spec.timeout = timeout;
  std::optional<Observation> result;
  prober.start(spec, [&result](Observation observation) { result = std::move(observation); });
  while (!result && io.run_one() > 0) {
  }
  return result.value();
}

inline Observation run(const KindSpec& kind, Duration timeout = std::chrono::seconds(30)) {
  return run_with({}, kind, timeout);
}

}  // namespace firebreak::testing
