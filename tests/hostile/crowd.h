// Many probes at once against hostile servers, and what holds of each of their results whatever the
// server did.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "common/observation.h"
#include "common/probe_spec.h"
#include "probes/run.h"

namespace firebreak::hostile {

// Of one cell. `at_once` probes ask the same.
struct Question {
  std::string name;
  KindSpec kind;
  ProberOptions options{};
  Duration timeout{};
  std::size_t at_once = 1;
};

// Asks all of them together and returns the answers in their order. What our own lack of processor
// time has spoilt is asked again, as an agent would.
std::vector<std::vector<Observation>> ask(const std::vector<Question>& questions);

// Forgets the largest size that this process ever had, having given back what it can.
void reset_peak();
std::size_t resident_bytes();
std::size_t peak_bytes();

// Fails the test: an answer that came too late, or whose texts cannot be kept or shown.
void expect_well_formed(const Observation& result, Duration timeout);
// These are all failures, well-formed, for one of these reasons.
void expect_failures(const std::vector<Observation>& results, const std::set<Reason>& reasons,
                     Duration timeout, const std::string& cell);

}  // namespace firebreak::hostile
