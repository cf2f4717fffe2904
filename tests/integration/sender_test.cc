// Notifications and http actions against receivers that fail, hang, redirect, refuse and lie.
#include "coordinator/notify/sender.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <fstream>
#include <mutex>
#include <optional>
#include <variant>

#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock.h"
#include "common/pki.h"
#include "common/secret.h"
#include "coordinator/notify/body.h"
#include "tests/support/http_receiver.h"
#include "tests/support/servers.h"
#include "tests/support/temp_dir.h"

namespace firebreak::notify {
namespace {

using namespace std::chrono_literals;
using core::ActionState;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::http_reply;
using testing::HttpReceiver;
using testing::ReceivedRequest;
using testing::TempDir;

// Only so that a broken test ends.
constexpr auto kPatience = 60s;

class Reports {
 public:
  void add(core::Event event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    changed_.notify_all();
  }
  // The next one, which must be a T.
  template <class T>
  T next() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [this] { return !events_.empty(); }))
      throw std::runtime_error("no report came");
    T event = std::get<T>(events_.front());
    events_.pop_front();
    return event;
  }
  [[nodiscard]] bool empty() {
    const std::lock_guard lock(mutex_);
    return events_.empty();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<core::Event> events_;
};

// Short waits: what is tested here is what happens, not how long it takes.
SenderSettings quick() {
  SenderSettings settings;
  settings.version = "test";
  settings.retry.first = 1ms;
  settings.retry.longest = 2ms;
  settings.attempt_timeout = kPatience;
  return settings;
}

class SenderTest : public ::testing::Test {
 protected:
  HttpSender& start(SenderSettings settings = quick()) {
    auto sender = HttpSender::start(clock_, std::move(settings),
                                    [this](core::Event event) { reports_.add(std::move(event)); });
    sender_ = std::move(*sender);
    return *sender_;
  }
  std::string write_secret(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    ::chmod((folder_ / name).c_str(), 0600);
    return folder_ / name;
  }
  template <class T>
  T next() {
    return reports_.next<T>();
  }

  TempDir folder_;
  SystemClock clock_;
  Reports reports_;
  std::unique_ptr<HttpSender> sender_;
};

core::SendNotification to_webhook(const std::string& url, const std::string& id = "n1",
                                  const std::string& receiver = "ops") {
  core::SendNotification notification;
  notification.notification = NotificationId(id);
  notification.receiver = ReceiverName(receiver);
  policy::WebhookReceiver how;
  how.url = url;
  notification.how = {notification.receiver, how};
  notification.incident = IncidentId("INC-1");
  notification.severity = "P1";
  notification.service = ServiceName("api");
  notification.title = "down";
  return notification;
}

core::RunHttpAction an_action(const std::string& url) {
  core::RunHttpAction action;
  action.action = ActionId("a-1");
  action.http.url = url;
  action.timeout = kPatience;
  return action;
}

TEST_F(SenderTest, DeliversOnceUnderTheSameDedupKeyAfterTwoFailures) {
  HttpReceiver receiver(
      [](const ReceivedRequest&, int number) { return http_reply(number < 3 ? 503 : 200); });

  start().send(to_webhook(receiver.url("/hook")));

  const auto finished = next<core::NotificationFinished>();
  EXPECT_TRUE(finished.delivered);
  EXPECT_EQ(finished.attempts, 3);
  EXPECT_EQ(finished.notification, NotificationId("n1"));
  const auto requests = receiver.requests("/hook");
  ASSERT_EQ(requests.size(), 3u);
  for (const auto& request : requests) {
    EXPECT_THAT(request.body, HasSubstr(R"("dedup_key":"INC-1")"));
    EXPECT_EQ(request.body, requests.front().body);
    EXPECT_EQ(request.headers.at("x-firebreak-notification"), "n1");
    EXPECT_EQ(request.headers.at("content-type"), "application/json");
    EXPECT_EQ(request.headers.at("user-agent"), "firebreak/test");
    EXPECT_EQ(request.method, "POST");
  }
}

TEST_F(SenderTest, AHungReceiverDelaysOnlyItself) {
  HttpReceiver receiver([](const ReceivedRequest& request, int) {
    return request.path == "/hung" ? "" : http_reply(200);
  });
  HttpSender& sender = start();

  sender.send(to_webhook(receiver.url("/hung"), "h1", "hung"));
  sender.send(to_webhook(receiver.url("/hung"), "h2", "hung"));
  for (int i = 0; i < 5; ++i)
    sender.send(to_webhook(receiver.url("/fast"), "f" + std::to_string(i), "fast"));
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(next<core::NotificationFinished>().notification.str(), "f" + std::to_string(i));

  EXPECT_TRUE(reports_.empty());
  EXPECT_LE(receiver.requests("/hung").size(), 1u);
}

TEST_F(SenderTest, KeepsTheOrderOfEachReceiver) {
  HttpReceiver receiver(
      [](const ReceivedRequest&, int number) { return http_reply(number < 3 ? 500 : 204); });
  HttpSender& sender = start();

  for (const char* id : {"n1", "n2", "n3"}) sender.send(to_webhook(receiver.url("/hook"), id));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(next<core::NotificationFinished>().delivered);

  std::vector<std::string> order;
  for (const auto& request : receiver.requests("/hook"))
    order.push_back(request.headers.at("x-firebreak-notification"));
  EXPECT_THAT(order, ElementsAre("n1", "n1", "n1", "n2", "n3"));
}

TEST_F(SenderTest, SignsWithTheSecretFromTheFile) {
  HttpReceiver receiver([](const ReceivedRequest&, int) { return http_reply(200); });
  auto notification = to_webhook(receiver.url("/hook"));
  std::get<policy::WebhookReceiver>(notification.how.how).secret_file =
      write_secret("secret", "s3cret\n");

  start().send(notification);

  EXPECT_TRUE(next<core::NotificationFinished>().delivered);
  const auto request = receiver.requests("/hook").front();
  const std::string header = request.headers.at("x-firebreak-signature");
  const std::int64_t seconds = std::stoll(header.substr(2));
  EXPECT_EQ(header, signature(Secret("s3cret"), seconds, request.body));
}

TEST_F(SenderTest, PostsToTheSlackUrlFromTheFile) {
  HttpReceiver receiver([](const ReceivedRequest&, int) { return http_reply(200, "ok"); });
  auto notification = to_webhook("");
  notification.how.how =
      policy::SlackReceiver{write_secret("url", receiver.url("/services/T/B/X") + " \n"), ""};

  start().send(notification);

  EXPECT_TRUE(next<core::NotificationFinished>().delivered);
  EXPECT_THAT(receiver.requests("/services/T/B/X").front().body, HasSubstr("\"attachments\""));
}

TEST_F(SenderTest, GivesUpWithTheFilesNameWhenItCannotBeRead) {
  auto settings = quick();
  settings.retry.attempts_max = 3;
  auto notification = to_webhook("");
  notification.how.how = policy::SlackReceiver{folder_ / "missing", ""};

  start(settings).send(notification);

  const auto finished = next<core::NotificationFinished>();
  EXPECT_FALSE(finished.delivered);
  EXPECT_EQ(finished.attempts, 3);
  EXPECT_THAT(finished.detail, HasSubstr(folder_ / "missing"));
}

TEST_F(SenderTest, GivesUpAfterItsAttempts) {
  HttpReceiver receiver([](const ReceivedRequest&, int) { return http_reply(502, "bad gateway"); });
  auto settings = quick();
  settings.retry.attempts_max = 4;

  start(settings).send(to_webhook(receiver.url("/hook")));

  const auto finished = next<core::NotificationFinished>();
  EXPECT_FALSE(finished.delivered);
  EXPECT_EQ(finished.attempts, 4);
  EXPECT_EQ(finished.detail, "HTTP 502: bad gateway");
  EXPECT_EQ(receiver.requests("/hook").size(), 4u);
}

TEST_F(SenderTest, DoesNotTryAgainBeforeRetryAfterEvenIfThatMeansGivingUp) {
  HttpReceiver receiver([](const ReceivedRequest&, int) {
    return http_reply(429, "slow down", "Retry-After: 500\r\n");
  });
  auto settings = quick();
  settings.retry.give_up_after = 400s;

  start(settings).send(to_webhook(receiver.url("/hook")));

  EXPECT_FALSE(next<core::NotificationFinished>().delivered);
  EXPECT_EQ(receiver.requests("/hook").size(), 1u);
}

TEST_F(SenderTest, FollowsNoRedirect) {
  HttpReceiver receiver([](const ReceivedRequest& request, int) {
    return request.path == "/hook" ? http_reply(307, "", "Location: /elsewhere\r\n")
                                   : http_reply(200);
  });

  start().send(to_webhook(receiver.url("/hook")));

  const auto finished = next<core::NotificationFinished>();
  EXPECT_FALSE(finished.delivered);
  EXPECT_THAT(finished.detail, HasSubstr("redirects are not followed"));
  EXPECT_TRUE(receiver.requests("/elsewhere").empty());
}

TEST_F(SenderTest, AHeaderCannotSmuggleAnother) {
  HttpReceiver receiver([](const ReceivedRequest&, int) { return http_reply(200); });
  auto settings = quick();
  settings.retry.attempts_max = 1;
  auto notification = to_webhook(receiver.url("/hook"));
  std::get<policy::WebhookReceiver>(notification.how.how).headers = {{"X-A", "1\r\nX-B: 2"}};

  start(settings).send(notification);

  EXPECT_THAT(next<core::NotificationFinished>().detail, HasSubstr("line break"));
  EXPECT_TRUE(receiver.requests("/hook").empty());
}

TEST_F(SenderTest, SpeaksNothingButHttp) {
  auto settings = quick();
  settings.retry.attempts_max = 1;

  start(settings).send(to_webhook("file:///etc/passwd"));

  EXPECT_THAT(next<core::NotificationFinished>().detail, HasSubstr("file"));
}

TEST_F(SenderTest, EndsWhileAReceiverHangs) {
  HttpReceiver receiver([](const ReceivedRequest&, int) { return ""; });
  HttpSender& sender = start();
  sender.send(to_webhook(receiver.url("/hung")));
  sender.run(an_action(receiver.url("/hung")));

  sender_.reset();

  EXPECT_TRUE(reports_.empty());
}

TEST_F(SenderTest, RunsAnActionOnceAndReportsItsAnswer) {
  HttpReceiver receiver([](const ReceivedRequest&, int) { return http_reply(202, "scaled to 3"); });
  auto action = an_action(receiver.url("/scale"));
  action.http.method = "PUT";
  action.http.body = R"({"replicas":3})";
  action.http.headers = {{"X-Team", "sre"}};
  action.http.bearer_token_file = write_secret("token", "t0ken\n");

  start().run(action);

  const auto report = next<core::ActionReported>();
  EXPECT_EQ(report.action, ActionId("a-1"));
  EXPECT_EQ(report.reporter, "engine");
  EXPECT_EQ(report.state, ActionState::succeeded);
  EXPECT_EQ(report.exit_code, 202);
  EXPECT_EQ(report.output, "scaled to 3");
  const auto requests = receiver.requests("/scale");
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].method, "PUT");
  EXPECT_EQ(requests[0].body, R"({"replicas":3})");
  EXPECT_EQ(requests[0].headers.at("authorization"), "Bearer t0ken");
  EXPECT_EQ(requests[0].headers.at("x-team"), "sre");
  EXPECT_EQ(requests[0].headers.at("idempotency-key"), "a-1");
}

TEST_F(SenderTest, AnActionThatIsRefusedHasFailedAndIsNotRepeated) {
  HttpReceiver receiver([](const ReceivedRequest&, int) { return http_reply(503, "busy"); });

  start().run(an_action(receiver.url("/scale")));

  const auto report = next<core::ActionReported>();
  EXPECT_EQ(report.state, ActionState::failed);
  EXPECT_EQ(report.detail, "HTTP 503, expected 2xx");
  EXPECT_EQ(report.output, "busy");
  EXPECT_EQ(receiver.requests("/scale").size(), 1u);
}

TEST_F(SenderTest, AnActionWhoseAnswerIsLostIsUnknown) {
  HttpReceiver receiver([](const ReceivedRequest&, int) {
    return std::string("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
  });

  start().run(an_action(receiver.url("/scale")));

  const auto report = next<core::ActionReported>();
  EXPECT_EQ(report.state, ActionState::unknown);
  EXPECT_THAT(report.detail, HasSubstr("may have taken effect"));
}

TEST_F(SenderTest, AnActionThatHangsTimesOut) {
  HttpReceiver receiver([](const ReceivedRequest&, int) { return ""; });
  auto action = an_action(receiver.url("/scale"));
  action.timeout = 50ms;

  start().run(action);

  const auto report = next<core::ActionReported>();
  EXPECT_EQ(report.state, ActionState::timed_out);
  EXPECT_EQ(report.detail, "no answer within 50ms");
}

TEST_F(SenderTest, AnActionThatNeverLeftHasFailed) {
  HttpSender& sender = start();
  sender.run(an_action("http://127.0.0.1:" + std::to_string(testing::free_port()) + "/"));
  EXPECT_EQ(next<core::ActionReported>().state, ActionState::failed);

  auto action = an_action("http://127.0.0.1:1/");
  action.http.bearer_token_file = folder_ / "missing";
  sender.run(action);
  const auto report = next<core::ActionReported>();
  EXPECT_EQ(report.state, ActionState::failed);
  EXPECT_THAT(report.detail, HasSubstr(folder_ / "missing"));
}

TEST_F(SenderTest, KeepsHeadAndTailOfALongAnswer) {
  HttpReceiver receiver([](const ReceivedRequest&, int) {
    return http_reply(200, "head" + std::string(100'000, '.') + "tail");
  });

  start().run(an_action(receiver.url("/scale")));

  const auto report = next<core::ActionReported>();
  EXPECT_EQ(report.state, ActionState::succeeded);
  EXPECT_LE(report.output.size(), limits::kActionOutputBytesMax);
  EXPECT_THAT(report.output, ::testing::StartsWith("head"));
  EXPECT_THAT(report.output, ::testing::EndsWith("tail"));
  EXPECT_GT(report.output_dropped_bytes, 90'000u);
}

TEST_F(SenderTest, StopsReadingAnEndlessAnswer) {
  HttpReceiver receiver([](const ReceivedRequest&, int) {
    return http_reply(200, std::string(8 * limits::kHttpReplyBytesMax, '.'));
  });

  start().run(an_action(receiver.url("/scale")));

  const auto report = next<core::ActionReported>();
  EXPECT_EQ(report.state, ActionState::succeeded);
  EXPECT_LT(report.output_dropped_bytes, 2 * limits::kHttpReplyBytesMax);
}

TEST_F(SenderTest, SendsNothingToAnAuthorityThatItDoesNotTrust) {
  const auto ca = pki::init_ca(folder_.path(), "test", clock_.wall());
  ASSERT_TRUE(ca) << ca.error().message;
  pki::IssueRequest request;
  request.role = pki::Role::coordinator;
  request.name = "web";
  request.hosts = {"127.0.0.1"};
  const auto files = pki::issue(folder_.path(), request, clock_.wall());
  ASSERT_TRUE(files) << files.error().message;
  testing::NginxServer nginx("location / { return 200 'trusted'; }", files->certificate,
                             files->key);
  auto action = an_action("https://127.0.0.1:" + std::to_string(nginx.tls_port()) + "/");

  start().run(action);
  const auto refused = next<core::ActionReported>();
  EXPECT_EQ(refused.state, ActionState::failed);
  EXPECT_THAT(refused.detail, HasSubstr("certificate"));

  auto settings = quick();
  settings.ca_file = ca->certificate;
  start(settings).run(action);
  EXPECT_EQ(next<core::ActionReported>().output, "trusted");

  action.http.url = "https://localhost:" + std::to_string(nginx.tls_port()) + "/";
  sender_->run(action);
  EXPECT_EQ(next<core::ActionReported>().state, ActionState::failed);
}

}  // namespace
}  // namespace firebreak::notify
