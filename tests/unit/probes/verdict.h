// What every test of a probe asks of its result.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>

#include "common/observation.h"
#include "tests/support/temp_dir.h"

namespace firebreak::testing {

inline void expect_verdict(const Observation& result, Status status, Reason reason, Phase phase) {
  EXPECT_STREQ(to_string(result.status), to_string(status)) << result.evidence;
  EXPECT_STREQ(to_string(result.reason), to_string(reason)) << result.evidence;
  EXPECT_STREQ(to_string(result.phase), to_string(phase)) << result.evidence;
}

inline void expect_ok(const Observation& result) {
  expect_verdict(result, Status::ok, Reason::none, Phase::none);
}

inline double value_of(const Observation& result, const std::string& name) {
  for (const NamedValue& value : result.values)
    if (value.name == name) return value.value;
  ADD_FAILURE() << "no value " << name << ": " << result.evidence;
  return 0;
}

// A file that only its owner may read, as secrets must be.
inline std::string secret_file(const TempDir& folder, const std::string& text) {
  const std::string path = folder / "secret";
  std::ofstream(path) << text << "\n";
  ::chmod(path.c_str(), 0600);
  return path;
}

}  // namespace firebreak::testing
