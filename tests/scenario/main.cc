// Plays scenario files; the exit code is 0 only when every one of them went as it says.
#include <iostream>

#include "tests/scenario/scenario.h"

int main(int argc, char** argv) {
  bool failed = argc < 2;
  if (failed) std::cerr << "usage: scenario_runner FILE.yaml...\n";
  for (int i = 1; i < argc; ++i) {
    const std::string wrong = firebreak::scenario::play(argv[i]);
    std::cout << argv[i] << (wrong.empty() ? ": ok\n" : ": FAILED\n") << wrong;
    failed = failed || !wrong.empty();
  }
  return failed ? 1 : 0;
}
