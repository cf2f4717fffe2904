// Decides what one attempt's end means.
#include "coordinator/notify/retry.h"

#include <algorithm>

#include "common/text.h"

namespace firebreak::notify {
namespace {

constexpr std::size_t kAnswerBytesShown = 200;

bool is_temporary(int status) {
  return status == 0 || status == 408 || status == 425 || status == 429 || status >= 500;
}

Duration ceiling_of(int attempts, const RetryLimits& limits) {
  Duration ceiling = limits.first;
  for (int i = 1; i < attempts && ceiling < limits.longest; ++i) ceiling *= 2;
  return std::min(ceiling, limits.longest);
}

}  // namespace

Decision decide(const Reply& reply, int attempts, Duration age, const RetryLimits& limits,
                Rng& rng) {
  if (reply.status >= 200 && reply.status < 300) return {Decision::What::delivered, {}};
  if (!is_temporary(reply.status)) return {Decision::What::give_up, {}};
  const auto ceiling = static_cast<std::uint64_t>(ceiling_of(attempts, limits).count());
  Duration wait{1 + static_cast<Duration::rep>(rng.below(std::max<std::uint64_t>(ceiling, 1)))};
  if (reply.retry_after)
    wait = std::max(wait, std::min(*reply.retry_after, limits.retry_after_max));
  if (attempts >= limits.attempts_max || age + wait > limits.give_up_after)
    return {Decision::What::give_up, {}};
  return {Decision::What::retry, wait};
}

std::string explain(const Reply& reply, std::string_view body) {
  if (reply.status == 0) return reply.error;
  std::string text = "HTTP " + std::to_string(reply.status);
  if (reply.status >= 300 && reply.status < 400)
    return text + ": redirects are not followed; use the address that it leads to";
  const std::string said = to_valid_utf8(body, kAnswerBytesShown);
  if (!said.empty()) text += ": " + said;
  if (reply.status == 401 || reply.status == 403 || reply.status == 404 || reply.status == 410)
    text += " (check the receiver's URL and credentials in the policy)";
  return text;
}

bool status_matches(int status, const std::vector<std::string>& expected) {
  const std::string text = std::to_string(status);
  return std::any_of(expected.begin(), expected.end(), [&](const std::string& pattern) {
    return pattern == text || (pattern.size() == 3 && text.size() == 3 &&
                               pattern.substr(1) == "xx" && pattern.front() == text.front());
  });
}

core::ActionState action_state(Failure failure, int status,
                               const std::vector<std::string>& expected) {
  switch (failure) {
    case Failure::none:
      return status_matches(status, expected) ? core::ActionState::succeeded
                                              : core::ActionState::failed;
    case Failure::not_sent:
      return core::ActionState::failed;
    case Failure::timed_out:
      return core::ActionState::timed_out;
    case Failure::may_have_acted:
      break;
  }
  return core::ActionState::unknown;
}

}  // namespace firebreak::notify
