// What libprotobuf has to say about messages, in our log instead of raw on stderr: escaped, and
// seldom, because every hostile message makes it speak.
#pragma once

#include "common/clock.h"
#include "common/time.h"

namespace firebreak {

// At most one line in so much time; each says how many were left out before it.
inline constexpr Duration kProtobufLineEvery = std::chrono::minutes(1);

// From main, before there are threads; `clock` must live as long as the process parses messages.
void log_protobuf(const Clock& clock);

}  // namespace firebreak
