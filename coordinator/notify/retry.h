// What becomes of one attempt to deliver or to act, as decisions without a clock or a socket.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/limits.h"
#include "common/rng.h"
#include "common/time.h"
#include "coordinator/core/event.h"

namespace firebreak::notify {

struct RetryLimits {
  Duration first = limits::kNotificationRetryFirst;  // ceiling of the first wait, then doubled ...
  Duration longest = limits::kNotificationRetryLongest;  // ... up to this
  Duration retry_after_max = limits::kRetryAfterMax;     // of what a receiver may ask for
  Duration give_up_after = limits::kNotificationGiveUpAfter;
  int attempts_max = limits::kNotificationAttemptsMax;
};

// How one attempt ended.
struct Reply {
  int status = 0;  // of HTTP; 0: no reply, `error` says why
  std::optional<Duration> retry_after;
  std::string error;
};

struct Decision {
  enum class What { delivered, retry, give_up };
  What what = What::give_up;
  Duration wait{};  // before the next attempt
};

// 2xx is delivered. No reply, 408, 425, 429 and 5xx are tried again after a jittered, doubling wait
// (not earlier than Retry-After asks). Every other status is final: the receiver understood and
// refuses; redirects are not followed. `attempts` counts this one; `age` is the time since the
// notification was first due.
[[nodiscard]] Decision decide(const Reply& reply, int attempts, Duration age,
                              const RetryLimits& limits, Rng& rng);

// One sentence for the timeline: what the receiver answered and what to do about it. `body` is the
// beginning of the answer, hostile.
[[nodiscard]] std::string explain(const Reply& reply, std::string_view body);

// Whether a status is one of "200", "2xx", ...
[[nodiscard]] bool status_matches(int status, const std::vector<std::string>& expected);

// How a transfer without a reply ended, as far as it matters for an action that must not be
// repeated.
enum class Failure {
  none,            // there is a reply
  not_sent,        // the request never left: no route, no TLS, unreadable token file
  timed_out,       // the deadline passed
  may_have_acted,  // the connection broke after the request was sent
};
[[nodiscard]] core::ActionState action_state(Failure failure, int status,
                                             const std::vector<std::string>& expected);

}  // namespace firebreak::notify
