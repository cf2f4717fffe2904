// One switch per list.
#include "cli/words.h"

namespace firebreak::cli {

std::string status_word(v1::Status status) {
  switch (status) {
    case v1::STATUS_OK:
      return "ok";
    case v1::STATUS_WARNING:
      return "warning";
    case v1::STATUS_CRITICAL:
      return "critical";
    default:
      return "unknown";
  }
}

}  // namespace firebreak::cli
