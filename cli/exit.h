// What every command ends with; documented in docs/reference/cli.md.
#pragma once

namespace firebreak::cli {

enum Exit : int {
  kDone = 0,
  kFailed = 1,  // refused, not found, or a validation that failed
  kUsage = 2,
  kInconclusive = 3,  // a validation that could not decide; a probe that is unknown
  kUnreachable = 4,   // no coordinator answered
};

}  // namespace firebreak::cli
