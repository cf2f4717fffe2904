// The actuator's words: what this host allows, what is asked of it, and how it ended.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/ids.h"
#include "common/time.h"

namespace re2 {
class RE2;
}

namespace firebreak::actuator {

// What the owner of this host accepts as the value of a parameter. There is no free text. Whatever
// the kind, no value starts with '-' or holds a control character.
struct OneOf {
  std::vector<std::string> values;
};
struct Integer {
  std::int64_t min = 0;  // never negative
  std::int64_t max = 0;
};
struct Pattern {
  std::shared_ptr<const re2::RE2> regex;  // has to match the whole value
};
using Parameter = std::variant<OneOf, Integer, Pattern>;

// systemctl VERB UNIT, as root.
struct UnitCommand {
  std::string verb;  // start, stop, restart or reload
  std::string unit;  // a unit's name, or "${NAME}" for a OneOf parameter whose values are units
};
// One program, never a shell.
struct Program {
  std::vector<std::string> argv;  // argv[0] is an absolute path; "${NAME}" stands for a parameter
  std::map<std::string, std::string> environment;
  std::string user;  // empty: the actuator's own, which is root
  std::string working_directory = "/";
};

struct Action {
  std::string name;
  std::variant<UnitCommand, Program> what;
  std::map<std::string, Parameter> parameters;  // an order gives each of them, and no other
  Duration timeout{};
  std::optional<std::size_t> per_hour;  // starts in any 60 minutes
  Duration cooldown{};                  // from one start to the next
};
using AllowList = std::map<std::string, Action>;

// As the coordinator sent it: hostile.
struct Order {
  ActionId id;
  std::string name;
  std::map<std::string, std::string> parameters;
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
