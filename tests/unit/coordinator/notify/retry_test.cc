// What is tried again, how soon, and when it is enough.
#include "coordinator/notify/retry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firebreak::notify {
namespace {

using namespace std::chrono_literals;
using What = Decision::What;
using ::testing::HasSubstr;
using ::testing::Not;

Decision after(int status, int attempts = 1, Duration age = 0s,
               std::optional<Duration> retry_after = {}, std::uint64_t seed = 1) {
  Rng rng(seed);
  return decide({status, retry_after, ""}, attempts, age, RetryLimits{}, rng);
}

TEST(Retry, AcceptsEvery2xx) {
  for (const int status : {200, 201, 202, 204, 299})
    EXPECT_EQ(after(status).what, What::delivered) << status;
}

TEST(Retry, TriesAgainWhenTimeMayHelp) {
  for (const int status : {0, 408, 425, 429, 500, 502, 503, 504, 599})
    EXPECT_EQ(after(status).what, What::retry) << status;
}

TEST(Retry, TakesARefusalForAnAnswer) {
  for (const int status : {100, 301, 302, 307, 400, 401, 403, 404, 410, 413, 422})
    EXPECT_EQ(after(status).what, What::give_up) << status;
}

TEST(Retry, WaitsLongerEachTimeUpToABound) {
  const auto longest_wait = [](int attempts) {
    Duration longest{};
    for (std::uint64_t seed = 0; seed < 500; ++seed)
      longest = std::max(longest, after(503, attempts, 0s, {}, seed).wait);
    return longest;
  };
  EXPECT_LE(longest_wait(1), 1s);
  EXPECT_GT(longest_wait(2), 1s);
  EXPECT_LE(longest_wait(2), 2s);
  EXPECT_GT(longest_wait(100), 50s);
  EXPECT_LE(longest_wait(100), 60s);
}

TEST(Retry, IsJittered) {
  EXPECT_NE(after(503, 5, 0s, {}, 1).wait, after(503, 5, 0s, {}, 2).wait);
  EXPECT_GT(after(503, 5).wait, 0s);
}

TEST(Retry, HonoursRetryAfterWithinABound) {
  EXPECT_EQ(after(429, 1, 0s, 120s).wait, Duration(120s));
  EXPECT_EQ(after(503, 1, 0s, Duration(24h)).wait, Duration(limits::kRetryAfterMax));
  EXPECT_LE(after(503, 1, 0s, Duration(0s)).wait, 1s);
}

TEST(Retry, GivesUpAfterABoundedTimeOrNumber) {
  EXPECT_EQ(after(503, 30, 58min).what, What::retry);
  EXPECT_EQ(after(503, 30, 60min).what, What::give_up);
  EXPECT_EQ(after(503, 30, 55min, Duration(10min)).what, What::give_up);
  EXPECT_EQ(after(503, limits::kNotificationAttemptsMax - 1).what, What::retry);
  EXPECT_EQ(after(503, limits::kNotificationAttemptsMax).what, What::give_up);
}

TEST(Explain, SaysWhatToDo) {
  EXPECT_EQ(explain({0, {}, "Could not resolve host: hooks"}, ""), "Could not resolve host: hooks");
  EXPECT_THAT(explain({404, {}, ""}, "no_service"), HasSubstr("HTTP 404: no_service (check the "));
  EXPECT_THAT(explain({302, {}, ""}, "<html>"), HasSubstr("redirects are not followed"));
  EXPECT_LT(explain({500, {}, ""}, std::string(100'000, 'x')).size(), 400u);
  EXPECT_THAT(explain({500, {}, ""}, "\xff"), Not(HasSubstr("\xff")));
}

TEST(StatusMatches, TakesNumbersAndClasses) {
  EXPECT_TRUE(status_matches(200, {"2xx"}));
  EXPECT_TRUE(status_matches(404, {"2xx", "404"}));
  EXPECT_FALSE(status_matches(302, {"2xx"}));
  EXPECT_FALSE(status_matches(200, {}));
  EXPECT_FALSE(status_matches(200, {"20"}));
}

TEST(ActionState, IsUnknownOnlyWhenItMayHaveActed) {
  using core::ActionState;
  EXPECT_EQ(action_state(Failure::none, 204, {"2xx"}), ActionState::succeeded);
  EXPECT_EQ(action_state(Failure::none, 500, {"2xx"}), ActionState::failed);
  EXPECT_EQ(action_state(Failure::not_sent, 0, {"2xx"}), ActionState::failed);
  EXPECT_EQ(action_state(Failure::timed_out, 0, {"2xx"}), ActionState::timed_out);
  EXPECT_EQ(action_state(Failure::may_have_acted, 0, {"2xx"}), ActionState::unknown);
}

}  // namespace
}  // namespace firebreak::notify
