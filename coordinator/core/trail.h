// What one vantage point said of a value over a while: what delta() and rate() are made of.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "common/ids.h"
#include "common/time.h"
#include "coordinator/core/grain.h"

namespace firebreak::core {

struct AgentState;
struct ProbeInputs;
struct State;

// Holds the first value of each bucket of each ring (grain.h) and the newest one: a window over it
// begins at most one bucket of its ring too early, never too late.
class Trail {
 public:
  struct Point {
    Instant at;
    double value = 0;
    // How far it has risen since the beginning. Where it fell, it was reset: it rose from zero.
    double risen = 0;
    friend bool operator==(const Point&, const Point&) = default;
  };
  struct Change {
    Duration over{};  // from the first value of the window to the newest; more than nothing
    double delta = 0;
    double risen = 0;
  };

  // Nothing is kept before this is called. `lengths`: of the windows that anybody asks for.
  void configure(const std::set<Duration>& lengths);
  // In order of time; what is no finite number is not taken.
  void add(Instant at, double value);
  // Over (now - window, now]; empty with fewer than two values in it.
  [[nodiscard]] std::optional<Change> over(Duration window, Instant now) const;
  // When the first value of that window leaves it.
  [[nodiscard]] std::optional<Instant> next_change(Duration window, Instant now) const;

  // Oldest first; the last one is the newest value, whether or not it began a bucket.
  [[nodiscard]] std::vector<Point> points() const;
  // From points(), after configure(). False: no trail can have been so.
  [[nodiscard]] bool restore(const std::vector<Point>& points);

 private:
  [[nodiscard]] bool begins_bucket(const Point& point) const;
  [[nodiscard]] const Point* first_within(const Grain& grain, Duration window, Instant now) const;
  void drop_old();
  std::vector<Grain> grains_;
  std::vector<Point> points_;  // of all rings together, oldest first
  std::optional<Point> newest_;
};

// Takes the value into the trail of this vantage point; only for a probe with ProbeInputs::trails.
void follow(State& state, const ProbeKey& key, const ProbeInputs& inputs, const AgentName& agent,
            Instant at, double value);
// When what delta() and rate() say over that window changes with time alone.
[[nodiscard]] std::optional<Instant> next_change(const State& state, const ProbeKey& key,
                                                 Duration window, Instant now);
// The vantage point is none any more.
void forget_trail(State& state, const ProbeKey& key, const AgentName& agent);
// As State::inputs and the agents' series ask for them.
void carry_trails(State& state);

}  // namespace firebreak::core
