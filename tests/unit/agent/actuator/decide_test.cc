// What an order may make this host do, and what it is told when it may not.
#include "agent/actuator/decide.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <re2/re2.h>

#include "common/limits.h"

namespace firebreak::actuator {
namespace {

using namespace std::chrono_literals;
using programs::parameter_reference;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Instant kStart = instant_from_unix_us(1'700'000'000'000'000);

class Decide : public ::testing::Test {
 protected:
  Decide() {
    Action restart;
    restart.name = "restart-api";
    restart.what = UnitCommand{"restart", "api.service"};
    restart.timeout = 30s;
    allowed_[restart.name] = restart;
    Action page;
    page.name = "set-page";
    page.what =
        Program{{"/opt/set-page", "--page", "${page}", "${minutes}", "x${page}"}, {}, "", "/"};
    page.parameters["page"] = OneOf{{"busy", "closed"}};
    page.parameters["minutes"] = Integer{1, 120};
    page.timeout = 10s;
    allowed_[page.name] = page;
  }

  static Order order(const std::string& id, const std::string& name) {
    Order order;
    order.id = ActionId(id);
    order.name = name;
    order.epoch = 7;
    order.valid_for = 60s;
    return order;
  }
  static Order page_order() {
    Order asked = order("a1", "set-page");
    asked.parameters = {{"page", "busy"}, {"minutes", "30"}};
    return asked;
  }
  void started(const std::string& id, const std::string& name, Instant at) {
    history_.apply({at, Intent{ActionId(id), name, 0}});
  }
  void ended(const std::string& id, State state, Instant at) {
    Outcome outcome;
    outcome.id = ActionId(id);
    outcome.state = state;
    outcome.output = "output of " + id;
    history_.apply({at, Ended{outcome}});
  }
  Decision decide_now(const Order& asked) {
    return decide(asked, {allowed_, history_, files_refused_, closed_, kStart, now_});
  }
  // The reason of a refusal, "runs" or "known".
  std::string answer(const Order& asked) {
    const Decision decision = decide_now(asked);
    if (const auto* refuse = std::get_if<Refuse>(&decision)) return refuse->reason;
    return std::holds_alternative<Start>(decision) ? "runs" : "known";
  }

  AllowList allowed_;
  History history_;
  std::size_t files_refused_ = 0;
  std::string closed_;
  Instant now_ = kStart + 1s;
};

TEST_F(Decide, RunsSystemctlForAUnit) {
  const Decision decision = decide_now(order("a1", "restart-api"));

  const auto* run = std::get_if<Start>(&decision);
  ASSERT_NE(run, nullptr);
  EXPECT_EQ(run->action, &allowed_.at("restart-api"));
  EXPECT_THAT(run->argv, ElementsAre("/usr/bin/systemctl", "--no-ask-password", "restart", "--",
                                     "api.service"));
}

TEST_F(Decide, TakesTheUnitFromAParameter) {
  allowed_["restart-api"].what = UnitCommand{"restart", "${unit}"};
  allowed_["restart-api"].parameters["unit"] = OneOf{{"a.service", "b.service"}};
  Order asked = order("a1", "restart-api");
  asked.parameters["unit"] = "b.service";

  const Decision decision = decide_now(asked);

  const auto* run = std::get_if<Start>(&decision);
  ASSERT_NE(run, nullptr);
  EXPECT_EQ(run->argv.back(), "b.service");
}

TEST_F(Decide, FillsWholeArgumentsOnly) {
  const Decision decision = decide_now(page_order());

  const auto* run = std::get_if<Start>(&decision);
  ASSERT_NE(run, nullptr);
  EXPECT_THAT(run->argv, ElementsAre("/opt/set-page", "--page", "busy", "30", "x${page}"));
}

TEST_F(Decide, DoesNotReadAValueAsAReference) {
  allowed_["set-page"].parameters["page"] = OneOf{{"${minutes}"}};
  Order asked = page_order();
  asked.parameters["page"] = "${minutes}";

  const Decision decision = decide_now(asked);

  const auto* run = std::get_if<Start>(&decision);
  ASSERT_NE(run, nullptr);
  EXPECT_EQ(run->argv[2], "${minutes}");
}

TEST_F(Decide, RefusesWhatIsNotAllowed) {
  EXPECT_EQ(answer(order("a1", "rm-rf")),
            "this host does not allow an action 'rm-rf'; its owner allows actions in files in "
            "actions.d");
  files_refused_ = 2;
  EXPECT_EQ(answer(order("a1", "rm\x1b[31m")),
            "this host does not allow an action 'rm\\x1b[31m'; 2 of its files in actions.d have "
            "mistakes and count for nothing: run firebreak-actuator --check there");
}

TEST_F(Decide, RefusesBadIds) {
  EXPECT_EQ(answer(order("", "restart-api")), "the order has no action id");
  EXPECT_EQ(answer(order(std::string(limits::kActionIdBytesMax, 'x'), "restart-api")), "runs");
  const char* reason = "the action id is longer than 128 bytes or holds control characters";
  EXPECT_EQ(answer(order(std::string(limits::kActionIdBytesMax + 1, 'x'), "restart-api")), reason);
  EXPECT_EQ(answer(order("a\n1", "restart-api")), reason);
  EXPECT_EQ(answer(order("a\xff", "restart-api")), reason);
}

TEST_F(Decide, RefusesParametersThatTheFileDoesNotAllow) {
  const auto with = [](const std::string& name, const std::string& value) {
    Order asked = page_order();
    asked.parameters[name] = value;
    return asked;
  };
  EXPECT_EQ(answer(with("colour", "red")), "action 'set-page' has no parameter 'colour'");
  EXPECT_EQ(answer(with("page", "open")),
            "parameter 'page' of action 'set-page': 'open' is none of busy or closed");
  EXPECT_EQ(answer(with("minutes", "121")),
            "parameter 'minutes' of action 'set-page': '121' is not between 1 and 120");
  EXPECT_EQ(answer(with("minutes", "007")),
            "parameter 'minutes' of action 'set-page': '007' is not a whole number");
  Order missing = page_order();
  missing.parameters.erase("page");
  EXPECT_EQ(answer(missing), "parameter 'page' of action 'set-page' is not given");
}

TEST_F(Decide, AnswersAKnownIdWithWhatIsKnown) {
  started("a1", "restart-api", kStart - 10s);
  ended("a1", State::failed, kStart - 5s);
  started("a2", "restart-api", kStart - 1s);

  Order other = order("a1", "set-page");  // whatever else it says
  other.epoch = 0;
  other.valid_for = 0s;
  const Decision first = decide_now(other);
  const Decision second = decide_now(order("a2", "restart-api"));

  ASSERT_TRUE(std::holds_alternative<Known>(first));
  EXPECT_EQ(std::get<Known>(first).outcome.state, State::failed);
  EXPECT_EQ(std::get<Known>(first).outcome.output, "output of a1");
  ASSERT_TRUE(std::holds_alternative<Known>(second));
  EXPECT_EQ(std::get<Known>(second).outcome.id, ActionId("a2"));
  EXPECT_EQ(std::get<Known>(second).outcome.state, State::started);
}

TEST_F(Decide, TellsWhatIsKnownEvenWhileClosed) {
  started("a1", "restart-api", kStart - 10s);
  ended("a1", State::succeeded, kStart - 5s);
  closed_ = "the journal is damaged";

  EXPECT_EQ(answer(order("a1", "restart-api")), "known");
  EXPECT_EQ(answer(order("a2", "restart-api")), "the journal is damaged");
}

TEST_F(Decide, RefusesARefusedIdForEver) {
  ended("a1", State::refused, kStart - 5s);

  EXPECT_EQ(answer(order("a1", "restart-api")), "known");
}

TEST_F(Decide, RefusesAnEpochThatIsOver) {
  history_.apply({kStart, EpochSeen{8}});

  EXPECT_EQ(answer(order("a1", "restart-api")), "epoch 7 is over: this host has obeyed epoch 8");
  Order next = order("a1", "restart-api");
  next.epoch = 8;
  EXPECT_EQ(answer(next), "runs");
}

TEST_F(Decide, RefusesAnExpiredOrder) {
  now_ = kStart + 60s - 1us;
  EXPECT_EQ(answer(order("a1", "restart-api")), "runs");
  now_ = kStart + 60s;
  EXPECT_EQ(answer(order("a1", "restart-api")),
            "the order expired: it was valid for 1 min 00 s from its receipt");
  Order never = order("a1", "restart-api");
  never.valid_for = -5s;
  now_ = kStart;
  EXPECT_EQ(answer(never), "the order expired: it was valid for 0 us from its receipt");
}

TEST_F(Decide, RefusesTheSameActionTwiceAtATime) {
  started("a1", "restart-api", kStart);

  EXPECT_EQ(answer(order("a2", "restart-api")), "action 'restart-api' runs already, as 'a1'");
  EXPECT_EQ(answer(page_order()), "known");  // its id is a1, too
  ended("a1", State::succeeded, kStart);
  EXPECT_EQ(answer(order("a2", "restart-api")), "runs");
}

TEST_F(Decide, RefusesAnActionThatMayStillRunUnseen) {
  started("a1", "restart-api", kStart);
  ended("a1", State::unknown, kStart);

  now_ = kStart + 30s;
  EXPECT_EQ(answer(order("a2", "restart-api")),
            "action 'restart-api' may still run, as 'a1', which the actuator lost sight of");
  now_ = kStart + 30s + 2 * Duration{limits::kActionKillGrace};
  EXPECT_EQ(answer(order("a2", "restart-api")), "runs");
}

TEST_F(Decide, RefusesMoreThanTheHostBears) {
  for (std::size_t i = 0; i < limits::kActionsRunningMax; ++i) {
    EXPECT_EQ(answer(order("a1", "restart-api")), "runs");
    started("b" + std::to_string(i), "other-" + std::to_string(i), kStart);
  }
  EXPECT_EQ(answer(order("a1", "restart-api")),
            "8 actions run already, more are not started on one host");
}

TEST_F(Decide, KeepsTheCooldown) {
  allowed_["restart-api"].cooldown = 2min;
  started("a1", "restart-api", kStart - 2min + 1s);
  ended("a1", State::succeeded, kStart);

  now_ = kStart;
  EXPECT_THAT(answer(order("a2", "restart-api")), HasSubstr("this host allows it every 2m"));
  now_ = kStart + 1s;
  EXPECT_EQ(answer(order("a2", "restart-api")), "runs");
}

TEST_F(Decide, CountsTheStartsOfAnHour) {
  allowed_["restart-api"].per_hour = 2;
  started("a1", "restart-api", kStart - 60min);
  ended("a1", State::succeeded, kStart);
  started("a2", "restart-api", kStart - 1min);
  ended("a2", State::succeeded, kStart);

  now_ = kStart - 1us;
  EXPECT_EQ(answer(order("a3", "restart-api")),
            "action 'restart-api' has started 2 times in the last hour; this host allows 2");
  now_ = kStart;
  EXPECT_EQ(answer(order("a3", "restart-api")), "runs");
}

TEST(Value, IsNeverAnOptionNorControl) {
  const Parameter any = Pattern{std::make_shared<const re2::RE2>("(?s).*")};

  EXPECT_EQ(value_problem(any, "plain-1"), std::nullopt);
  EXPECT_EQ(value_problem(any, "C:\\x"), std::nullopt);
  EXPECT_EQ(value_problem(any, ""), "is empty");
  EXPECT_EQ(value_problem(any, "-rf"), "starts with '-', so it could be taken for an option");
  const auto bad = "holds control characters or is not UTF-8";
  EXPECT_EQ(value_problem(any, "a\nb"), bad);
  EXPECT_EQ(value_problem(any, std::string_view("a\0b", 3)), bad);
  EXPECT_EQ(value_problem(any, "\xc3\x28"), bad);
  EXPECT_EQ(value_problem(any, "\u202e"), bad);
  EXPECT_EQ(value_problem(any, std::string(limits::kActionParameterBytesMax, 'x')), std::nullopt);
  EXPECT_EQ(value_problem(any, std::string(limits::kActionParameterBytesMax + 1, 'x')),
            "is longer than 256 bytes");
}

TEST(Value, HasToMatchThePatternAsAWhole) {
  const Parameter ticket = Pattern{std::make_shared<const re2::RE2>("[A-Z]+-[0-9]+|x")};

  EXPECT_EQ(value_problem(ticket, "OPS-12"), std::nullopt);
  EXPECT_EQ(value_problem(ticket, "OPS-12 x"), "does not match [A-Z]+-[0-9]+|x");
  EXPECT_EQ(value_problem(ticket, "xx"), "does not match [A-Z]+-[0-9]+|x");
}

TEST(ParameterReference, IsAWholeArgument) {
  EXPECT_EQ(parameter_reference("${page}"), "page");
  for (const char* text :
       {"${}", "${", "$", "", "x${page}", "${page}x", "${a}${b}", "${A}", "$page"})
    EXPECT_EQ(parameter_reference(text), std::nullopt) << text;
}

}  // namespace
}  // namespace firebreak::actuator
