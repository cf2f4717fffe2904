// The actuator's words: what this host allows, what is asked of it, and how it ended.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/ids.h"
#include "common/programs/program.h"
#include "common/time.h"

namespace firebreak::actuator {

using programs::Integer;
using programs::OneOf;
using programs::Parameter;
using programs::Pattern;
using programs::Program;

// systemctl VERB UNIT, as root.
struct UnitCommand {
  std::string verb;  // start, stop, restart or reload
  std::string unit;  // a unit's name, or "${NAME}" for a OneOf parameter whose values are units
};

struct Action {
  std::string name;
  std::variant<UnitCommand, Program> what;
  programs::Parameters parameters;
  Duration timeout{};
  std::optional<std::size_t> per_hour;  // starts in any 60 minutes
  Duration cooldown{};                  // from one start to the next
};
using AllowList = std::map<std::string, Action>;

// As the coordinator sent it: hostile.
struct Order {
  ActionId id;
  std::string name;
  programs::Values parameters;
  std::uint64_t epoch = 0;
  Duration valid_for{};  // from receipt
  std::string incident;
  std::string reason;
};

enum class State : std::uint8_t {
  started,    // the intent is durable, the action runs
  succeeded,  // exit code 0
  failed,     // another exit code, or a signal
  timed_out,  // killed with its whole process tree
  refused,    // nothing was run
  unknown,    // started, and nobody can say how it ended; never repeated
};

struct Outcome {
  ActionId id;
  State state = State::unknown;
  int exit_code = 0;
  std::string output;  // valid UTF-8, otherwise raw: escape where shown
  std::uint64_t output_dropped_bytes = 0;
  Duration took{};
  std::string detail;  // why refused, which signal
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

[[nodiscard]] const char* to_string(State state);

}  // namespace firebreak::actuator
