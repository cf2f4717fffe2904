// Contestants that do the same work in turn, round after round, and the table of their medians.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace firebreak::bench {

struct Contestant {
  std::string name;
  std::function<double()> round;  // its cost; less is better
};

// Lets each do one round that is not counted, then `rounds` that are, in turn: what the machine
// does meanwhile hits all alike. Prints the median of each, the least and the greatest, and how
// many times the first one's median it is.
void compete(const std::string& title, const std::string& unit,
             const std::vector<Contestant>& contestants, int rounds);

// What the first argument of a benchmark says: "smoke" is one tiny round, to see that it runs.
struct Effort {
  bool smoke = false;
  int rounds = 3;
  // `full`, or as little as shows that it works.
  [[nodiscard]] int count(int full) const { return smoke ? (full + 99) / 100 : full; }
};
Effort effort_of(int argc, char** argv);

}  // namespace firebreak::bench
