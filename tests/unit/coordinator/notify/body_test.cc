// Receivers get what docs/reference/notifications.md promises, whatever a target said.
#include "coordinator/notify/body.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firebreak::notify {
namespace {

using core::NotificationKind;
using ::testing::HasSubstr;
using ::testing::Not;

core::SendNotification a_notification() {
  core::SendNotification notification;
  notification.notification = NotificationId("n-7");
  notification.receiver = ReceiverName("ops");
  notification.kind = NotificationKind::opened;
  notification.incident = IncidentId("INC-20261121-031407");
  notification.severity = "P1";
  notification.service = ServiceName("emergency-api");
  notification.title = "health fails from 2 agents";
  notification.text = "critical: connection refused";
  notification.at = instant_from_unix_us(1'795'230'847'123'000);
  return notification;
}

TEST(WebhookBody, HasEveryDocumentedField) {
  EXPECT_EQ(webhook_body(a_notification()),
            R"({"version":1,"kind":"opened","status":"open","dedup_key":"INC-20261121-031407",)"
            R"("notification":"n-7","incident":"INC-20261121-031407","severity":"P1",)"
            R"("service":"emergency-api","title":"health fails from 2 agents",)"
            R"("text":"critical: connection refused","at":"2026-11-21T03:14:07.123Z",)"
            R"("at_unix_us":1795230847123000})");
}

TEST(WebhookBody, SaysWhenAnIncidentIsOver) {
  auto notification = a_notification();
  notification.kind = NotificationKind::resolved;

  const auto body = boost::json::parse(webhook_body(notification));

  EXPECT_EQ(body.at("status").as_string(), "resolved");
  EXPECT_EQ(body.at("kind").as_string(), "resolved");
}

TEST(WebhookBody, CarriesHostileTextAsValidJson) {
  auto notification = a_notification();
  notification.text = "\"}\x1b[2J\xff\n</script>";

  const auto body = boost::json::parse(webhook_body(notification));

  EXPECT_EQ(body.at("text").as_string(), "\"}\x1b[2J\xef\xbf\xbd\n</script>");
}

TEST(WebhookBody, CutsALongText) {
  auto notification = a_notification();
  notification.text = std::string(1 << 20, 'x');
  EXPECT_LT(webhook_body(notification).size(), 20u << 10);
}

TEST(SlackBody, IsAMessageWithOneAttachment) {
  const auto body = boost::json::parse(slack_body(a_notification()));

  EXPECT_EQ(body.at("text").as_string(), "P1 incident opened: emergency-api");
  const auto& attachment = body.at("attachments").at(0);
  EXPECT_EQ(attachment.at("color").as_string(), "danger");
  EXPECT_EQ(attachment.at("title").as_string(), "health fails from 2 agents");
  EXPECT_EQ(attachment.at("text").as_string(), "critical: connection refused");
  EXPECT_EQ(attachment.at("fields").at(0).at("value").as_string(), "INC-20261121-031407");
  EXPECT_EQ(attachment.at("ts").as_int64(), 1'795'230'847);
  EXPECT_TRUE(attachment.at("mrkdwn_in").as_array().empty());
  EXPECT_FALSE(body.at("mrkdwn").as_bool());
}

TEST(SlackBody, GoodNewsIsGreen) {
  auto notification = a_notification();
  notification.kind = NotificationKind::resolved;
  const auto body = boost::json::parse(slack_body(notification));
  EXPECT_EQ(body.at("attachments").at(0).at("color").as_string(), "good");
}

TEST(SlackBody, HostileTextCannotMentionLinkOrCommand) {
  auto notification = a_notification();
  notification.title = "<!channel> <https://evil.example|your bank> & @here";
  notification.text = "\x1b[31m<@U123>\n@channel \xe2\x80\xaegpj.exe";

  const std::string body = slack_body(notification);

  EXPECT_THAT(body, Not(HasSubstr("<")));
  EXPECT_THAT(body, Not(HasSubstr("@here")));
  EXPECT_THAT(body, Not(HasSubstr("@channel")));
  EXPECT_THAT(body, Not(HasSubstr("\xe2\x80\xae")));
  EXPECT_THAT(body, HasSubstr("&lt;!channel&gt; &lt;https://evil.example|your bank&gt; &amp; "));
  EXPECT_THAT(body, HasSubstr("\\\\x1b[31m&lt;@U123&gt;\\n"));
}

TEST(SlackBody, StaysUnderWhatSlackAccepts) {
  auto notification = a_notification();
  notification.title = std::string(1 << 20, '<');
  notification.text = std::string(1 << 20, '&');
  EXPECT_LT(slack_body(notification).size(), 40'000u);
}

// printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac s3cret
TEST(Signature, IsHmacSha256OverTimeAndBody) {
  EXPECT_EQ(signature(Secret("s3cret"), 1'700'000'000, R"({"a":1})"),
            "t=1700000000,v1="
            "1698a50bc74d1ff1db85c4e0a5297c2ad9fdba245d5737cdb789e4cc6e098940");
}

TEST(Signature, ChangesWithTimeBodyAndSecret) {
  const std::set<std::string> all{signature(Secret("a"), 1, "x"), signature(Secret("a"), 2, "x"),
                                  signature(Secret("a"), 1, "y"), signature(Secret("b"), 1, "x")};
  EXPECT_EQ(all.size(), 4u);
}

}  // namespace
}  // namespace firebreak::notify
