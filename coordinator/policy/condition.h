// What can be said of a rule's condition without any data: is it constant, does it cover another?
//
// Judged by the text: `a && b || c` is taken apart, the parts are compared as they are written, and
// thresholds (`value('queue') > 10`) by their numbers. What this does not see is not claimed: an
// answer of "no" means "not as far as one can read".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/cel/program.h"
#include "common/ids.h"

namespace firebreak::policy {

enum class Constant { depends, always, never };

// One comparison, or whatever stands between && and ||.
struct Atom {
  enum class Order { greater, greater_equal, less, less_equal };
  struct Threshold {
    Order order = Order::greater;
    double limit = 0;
    bool duration = false;  // the limit is in seconds
  };
  std::string text;  // without blanks, quotes made alike
  std::string left;  // of the threshold, likewise
  std::string call;  // of the threshold's left side, as written
  std::optional<Threshold> threshold;
};

class Condition {
 public:
  explicit Condition(const cel::Program& program);

  // Of a service: its name is all that is known.
  [[nodiscard]] Constant constant(const ServiceName& service) const;
  // Whenever this is true, `other` is.
  [[nodiscard]] bool implies(const Condition& other) const;
  // Any of which makes it true; each is a list of what must be true together.
  [[nodiscard]] const std::vector<std::vector<Atom>>& alternatives() const { return any_; }

 private:
  cel::Program program_;
  std::vector<std::vector<Atom>> any_;
};

}  // namespace firebreak::policy
