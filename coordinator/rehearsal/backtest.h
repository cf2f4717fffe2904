// Another policy over what was recorded: the same results and people's commands, played through the
// same decision, beside what was decided then.
//
// What an agent reports of an action or of a one-shot probe is taken from the recording while the
// other policy asks for the same at the same instant; what it asks for beyond that is answered by
// the rules in docs/operations.md ("Try a policy on the past"). A recording cannot know what
// another action would have changed: results stay what they were. Pure and deterministic; keeps two
// states and the stories of a bounded number of incidents, whatever the recording's length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/result.h"
#include "coordinator/core/step.h"

namespace firebreak::rehearsal {

// More than a person compares; beyond it the backtest is refused: ask for a shorter time.
inline constexpr std::size_t kBacktestIncidentsMax = 10'000;
inline constexpr std::size_t kBacktestEntriesMax = 500;  // pages, actions, severities of one

struct IncidentStory {
  IncidentId id;
  ServiceName service;
  Instant opened{};
  std::optional<Instant> resolved;
  std::string peak;
  bool declared = false;
  using Entries = std::vector<std::pair<Instant, std::string>>;
  Entries severities;  // "P1"
  Entries pages;       // "opened P1 to ops"
  Entries actions;     // "restart on web-1"
  std::size_t left_out = 0;
};

// One outage; of a pair that is not there on one side, that side is empty.
struct StoryPair {
  std::optional<IncidentStory> recorded;
  std::optional<IncidentStory> replayed;
  std::vector<std::string> differences;  // empty: the same
};

struct BacktestResult {
  std::vector<StoryPair> incidents;  // by service, then by time
  Instant since{}, until{};
  std::uint64_t results = 0;
  // What had to be supposed of what was not recorded.
  std::uint64_t outcomes_supposed = 0;
  std::uint64_t checks_supposed = 0;
  std::uint64_t commands_ignored = 0;      // of people, about what is not there under this policy
  std::vector<std::string> probes_unseen;  // of the policy, of which nothing was recorded
  [[nodiscard]] bool same() const;
};

class Backtest {
 public:
  struct Span {
    Instant since{};
    Instant until{};
  };
  // `start`: the recorded state from before `span.since`.
  Backtest(core::State start, std::shared_ptr<const policy::Policy> policy, Span span);
  ~Backtest();
  Backtest(const Backtest&) = delete;
  Backtest& operator=(const Backtest&) = delete;

  // The recording's entries from there on, in order. False: this one is after the span's end, and
  // no further one is wanted.
  Result<bool> take(const core::Event& event, Instant at);
  // After the last one.
  [[nodiscard]] BacktestResult finish();

 private:
  class Play;
  std::unique_ptr<Play> play_;
};

}  // namespace firebreak::rehearsal
