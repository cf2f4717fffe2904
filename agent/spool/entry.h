// A result on its way through the spool.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "common/ids.h"
#include "common/observation.h"
#include "common/time.h"

namespace firebreak::spool {

// What goes first at the bound. Each has segment files of its own, so that dropping the oldest of
// one kind is removing a file: it needs no room, and no byte is copied.
enum class Lane : std::uint8_t { healthy = 0, fault = 1, news = 2 };
inline constexpr std::array<Lane, 3> kLanes{Lane::healthy, Lane::fault, Lane::news};

struct Entry {
  std::uint64_t seq = 0;
  Lane lane = Lane::healthy;
  std::uint32_t ref = 0;                // of the series, in this incarnation
  std::shared_ptr<const ProbeKey> key;  // of the series
  bool confirmed = true;
  Duration started{};       // on the agent's time line
  Observation observation;  // without phases: they do not travel
};

// The agent's time line and the world's, at one moment.
struct Now {
  std::string boot_id;   // of this boot of the host
  Duration booted{};     // on the time line: where this boot began; more than 0
  Duration monotonic{};  // on the time line: now
  WallTime wall;
};

}  // namespace firebreak::spool
