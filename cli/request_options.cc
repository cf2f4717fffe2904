// Request ids from the system's randomness: two people never share one.
#include "cli/request_options.h"

#include <cstdio>
#include <random>

namespace firebreak::cli {

std::string new_request_id() {
  std::random_device device;
  char text[40];
  std::snprintf(text, sizeof text, "%08x%08x", device(), device());
  return text;
}

}  // namespace firebreak::cli
