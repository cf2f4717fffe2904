// Plays files of policy tests as `firebreak policy test` does, and holds each story to what must be
// true of all of them; the exit code is 0 only when every test went as it says.
#include <iostream>

#include "coordinator/rehearsal/suite.h"
#include "tests/scenario/proof.h"

namespace {

using firebreak::rehearsal::Suite;

std::string play(const Suite& suite, std::size_t test) {
  firebreak::scenario::Proof proof;
  const auto result = suite.play(test, proof.recorder());
  if (result.outcome != firebreak::rehearsal::Outcome::passed) return result.text;
  if (!proof.replays()) return "the same events gave a fresh core other effects\n";
  const std::string fault = proof.snapshot_fault();
  if (fault.empty()) return {};
  return "a core that was written down and read back went on with " + fault + "\n";
}

}  // namespace

int main(int argc, char** argv) {
  bool failed = argc < 2;
  if (failed) std::cerr << "usage: scenario_runner FILE.yaml...\n";
  for (int i = 1; i < argc; ++i) {
    const Suite suite(argv[i]);
    std::string wrong = suite.ok() ? "" : suite.text();
    for (std::size_t test = 0; suite.ok() && test < suite.size(); ++test)
      wrong += play(suite, test);
    std::cout << argv[i] << (wrong.empty() ? ": ok\n" : ": FAILED\n") << wrong;
    failed = failed || !wrong.empty();
  }
  return failed ? 1 : 0;
}
