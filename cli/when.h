// A time as people say it at a prompt. Pure.
#pragma once

#include <string>

#include "common/result.h"
#include "common/time.h"

namespace firebreak::cli {

// "24h" (that long before `now`), "02:14" or "02:14:07" (the last time that it was so), "2026-11-21
// 02:14[:07]" or with a T and a Z: all in UTC.
[[nodiscard]] Result<Instant> parse_when(const std::string& text, Instant now);

}  // namespace firebreak::cli
