// Series of a policy test: "ok x 12, fail 2m, ok", "120ms..900ms/30s", "6, 10, 11 x 4".
//
// A series is read once and asked what it shows after some time of results that come at an
// interval: a piece with a count lasts so many intervals, a ramp takes its time and ends with its
// last value, a piece without count or time is one result, and the last one goes on for ever.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/observation.h"
#include "common/time.h"
#include "common/yaml.h"

namespace firebreak::rehearsal {

// What a result says; `silent`: there is none.
enum class Look { ok, warning, critical, unknown, silent };

template <class Value>
struct Piece {
  Value from{};
  Value to{};  // of a ramp; else as `from`
  Duration ramp{};
  std::optional<std::int64_t> times;
  std::optional<Duration> lasts;
};

template <class Value>
class Series {
 public:
  Series() = default;
  explicit Series(Value always) : pieces_{{always, always, {}, {}, {}}} {}
  explicit Series(std::vector<Piece<Value>> pieces) : pieces_(std::move(pieces)) {}

  [[nodiscard]] Value at(Duration elapsed, Duration every) const;
  // Empty: it goes on for ever.
  [[nodiscard]] std::optional<Duration> length(Duration every) const;

 private:
  [[nodiscard]] std::optional<Duration> length(const Piece<Value>& piece, Duration every) const;

  std::vector<Piece<Value>> pieces_;  // not empty once read
};

// Each reports what it cannot read at its place, with what it should be.
[[nodiscard]] std::optional<Series<Look>> read_looks(const yaml::Node& node,
                                                     yaml::Problems& problems);
[[nodiscard]] std::optional<Series<double>> read_numbers(const yaml::Node& node,
                                                         yaml::Problems& problems);
[[nodiscard]] std::optional<Series<Duration>> read_latencies(const yaml::Node& node,
                                                             yaml::Problems& problems);

}  // namespace firebreak::rehearsal
