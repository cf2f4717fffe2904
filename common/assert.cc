// Where a failed FB_ASSERT ends.
#include "common/assert.h"

#include <cstdio>
#include <cstdlib>

namespace firebreak {

void assertion_failed(const char* what, const char* file, int line) {
  std::fprintf(stderr, "firebreak: assertion failed at %s:%d: %s\n", file, line, what);
  std::fflush(stderr);
  std::abort();
}

}  // namespace firebreak
