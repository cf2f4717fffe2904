// FB_ASSERT: a programmer's mistake stops the process, in release builds too; systemd restarts it
// and the journal replays. Never used to validate what a user, a target, a file or a peer sent.
#pragma once

namespace firebreak {

[[noreturn]] void assertion_failed(const char* what, const char* file, int line);

}  // namespace firebreak

#define FB_ASSERT(condition)          \
  ((condition) ? static_cast<void>(0) \
               : ::firebreak::assertion_failed(#condition, __FILE__, __LINE__))
