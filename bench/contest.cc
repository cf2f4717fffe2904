// The order of play and its table.
#include "bench/contest.h"

#include <cstdio>
#include <string_view>

#include "bench/measure.h"

namespace firebreak::bench {

void compete(const std::string& title, const std::string& unit,
             const std::vector<Contestant>& contestants, int rounds) {
  std::vector<std::vector<double>> costs(contestants.size());
  for (int round = -1; round < rounds; ++round) {
    for (std::size_t i = 0; i < contestants.size(); ++i) {
      const double cost = contestants[i].round();
      if (round >= 0) costs[i].push_back(cost);
    }
  }
  std::printf("\n%s\n  %-58s %10s %21s %7s\n", title.c_str(), unit.c_str(), "median",
              "least - greatest", "ratio");
  const double first = quantile(costs.front(), 0.5);
  for (std::size_t i = 0; i < contestants.size(); ++i) {
    const double median = quantile(costs[i], 0.5);
    std::printf("  %-58s %10.2f %10.2f %10.2f %7.2f\n", contestants[i].name.c_str(), median,
                quantile(costs[i], 0), quantile(costs[i], 1), median / first);
  }
  std::fflush(stdout);
}

Effort effort_of(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "smoke") return {true, 1};
  return {};
}

}  // namespace firebreak::bench
