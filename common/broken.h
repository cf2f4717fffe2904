// Deliberate breaks, one for each promise: the test of the simulator (scripts/breaks) switches them
// on one by one and demands that it notices. They exist in a build with FIREBREAK_BREAKABLE only;
// in every other one is_broken() is a constant and what depends on it is not there.
#pragma once

#include <array>
#include <string_view>
#include <utility>

namespace firebreak {

enum class Break { none, ack, sync, dedup, repeat, intent, epoch, cap, blind };

inline constexpr std::array<std::pair<std::string_view, Break>, 8> kBreaks{{
    {"ack", Break::ack},        // answers leave before the disk has what they are about
    {"sync", Break::sync},      // the disk is not waited for
    {"dedup", Break::dedup},    // a repeated result counts again
    {"repeat", Break::repeat},  // a host forgets which orders it has carried out
    {"intent", Break::intent},  // orders leave without being written down
    {"epoch", Break::epoch},    // whoever was replaced is obeyed
    {"cap", Break::cap},        // an outbox grows for ever
    {"blind", Break::blind},    // actions rest on data that is missing
}};

#ifdef FIREBREAK_BREAKABLE
inline Break broken = Break::none;  // set before anything runs
inline bool is_broken(Break which) {
  return broken == which;
}
#else
constexpr bool is_broken(Break /*which*/) {
  return false;
}
#endif

}  // namespace firebreak
