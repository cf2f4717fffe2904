// Results of policy tests as JUnit's XML, which build servers read.
#pragma once

#include <string>
#include <vector>

#include "coordinator/rehearsal/suite.h"

namespace firebreak::rehearsal {

struct Played {
  TestResult result;
  Duration took{};  // real time
};
struct PlayedFile {
  std::string path;
  std::string problems;  // why none of its tests could be played, or empty
  std::vector<Played> tests;
};

// One test suite per file; a test that is wrong is an error, one that differs a failure. Whatever
// names and texts hold, the document is well-formed.
[[nodiscard]] std::string to_junit(const std::vector<PlayedFile>& files);

}  // namespace firebreak::rehearsal
