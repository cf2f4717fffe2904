// Who may say what to an agent, and what it answers; and the bytes in which that is said.
#include "agent/heartbeat_requests.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/heartbeat_http.h"
#include "common/limits.h"

namespace firebreak::agent {
namespace heartbeat_requests_test {

using namespace std::chrono_literals;
using probes::HeartbeatState;
using Progress = HttpRequestParser::Progress;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr uid_t kSomebody = 1000;
constexpr uid_t kBackupUser = 1001;

class HeartbeatRequests : public ::testing::Test {
 protected:
  HeartbeatRequests() {
    beats_.expect({"nightly-backup", "secret-job"}, now_);
    rights_.users["secret-job"] = {kBackupUser};
    rights_.token = Secret("s3cret");
  }

  HttpAnswer ask(const std::string& method, const std::string& target, const std::string& body = "",
                 std::optional<uid_t> user = kSomebody, const std::string& authorization = "") {
    return answer({method, target, authorization, body}, user, rights_, beats_, now_);
  }
  int status(const std::string& method, const std::string& target, const std::string& body = "") {
    return ask(method, target, body).status;
  }

  HostTime now_{"boot", 5h, WallTime{}};
  Heartbeats beats_;
  HeartbeatRights rights_;
};

TEST_F(HeartbeatRequests, AReportIsKeptAndCanBeRead) {
  const HttpAnswer kept =
      ask("POST", "/v1/heartbeat/nightly-backup?state=warning", "3 files of 4\n");
  EXPECT_EQ(kept.status, 200);
  EXPECT_TRUE(kept.has_changed);

  const auto beat = beats_.find("nightly-backup", now_);
  ASSERT_TRUE(beat && beat->last);
  EXPECT_EQ(beat->last->report.state, HeartbeatState::warning);
  EXPECT_EQ(beat->last->report.message, "3 files of 4");

  const HttpAnswer read = ask("GET", "/v1/heartbeat/nightly-backup");
  EXPECT_EQ(read.status, 200);
  EXPECT_TRUE(read.is_json);
  EXPECT_FALSE(read.has_changed);
  const auto back = probes::heartbeat_from_json(read.body);
  ASSERT_TRUE(back) << read.body;
  EXPECT_EQ(*back, *beat);
}

TEST_F(HeartbeatRequests, ANameThatNoProbeAsksForIsKeptAndSaidSo) {
  const HttpAnswer kept = ask("POST", "/v1/heartbeat/nightly-bakcup");
  EXPECT_EQ(kept.status, 202);
  EXPECT_TRUE(kept.has_changed);
  EXPECT_THAT(kept.body, HasSubstr("did you mean 'nightly-backup'?"));
  EXPECT_EQ(ask("GET", "/v1/heartbeat/nobody").status, 404);
}

TEST_F(HeartbeatRequests, WhatIsNoReportChangesNothing) {
  const std::string good = "/v1/heartbeat/nightly-backup";
  EXPECT_EQ(status("POST", good + "?state=fine"), 400);
  EXPECT_EQ(status("POST", good + "?exit=1"), 400);
  EXPECT_EQ(status("POST", good + "?state=ok&state=critical"), 400);
  EXPECT_EQ(status("POST", good, "{\"values\": 1}"), 400);
  EXPECT_EQ(status("DELETE", good), 405);
  EXPECT_EQ(status("POST", good + "/"), 404);
  EXPECT_EQ(status("POST", "/v1/heartbeat/"), 404);
  EXPECT_EQ(status("POST", "/v1/heartbeat/../../etc"), 404);
  EXPECT_EQ(status("POST", "/v1/heartbeat/" + std::string(64, 'a')), 404);
  EXPECT_EQ(status("POST", "/v1/heartbeat/a%2Fb"), 404);
  EXPECT_EQ(status("POST", "http://agent" + good), 404);
  EXPECT_EQ(status("GET", "/"), 404);
  EXPECT_FALSE(beats_.find("nightly-backup", now_)->last);
}

TEST_F(HeartbeatRequests, AnswersHoldNothingThatATerminalWouldObey) {
  EXPECT_THAT(ask("POST", "/v1/heartbeat/\x1b[2J").body, HasSubstr("\\x1b[2J"));
}

TEST_F(HeartbeatRequests, AListedNameIsItsUsersAlone) {
  const std::string secret = "/v1/heartbeat/secret-job";
  EXPECT_EQ(ask("POST", secret).status, 403);
  EXPECT_EQ(ask("GET", secret).status, 403);
  EXPECT_EQ(ask("POST", secret, "", std::nullopt, "Bearer s3cret").status, 403);
  EXPECT_FALSE(beats_.find("secret-job", now_)->last);
  EXPECT_EQ(ask("POST", secret, "", kBackupUser).status, 200);
  EXPECT_EQ(ask("GET", secret, "", 0).status, 200);
}

TEST_F(HeartbeatRequests, ByTcpOnlyTheTokenOpens) {
  const std::string target = "/v1/heartbeat/nightly-backup";
  for (const char* wrong : {"", "s3cret", "Bearer", "Bearer ", "Bearer s3cre", "Bearer s3crets",
                            "Basic s3cret", "Bearer s3crets3cret"}) {
    const HttpAnswer refused = ask("POST", target, "", std::nullopt, wrong);
    EXPECT_EQ(refused.status, 401) << wrong;
    EXPECT_THAT(to_http(refused), HasSubstr("\r\nWWW-Authenticate: Bearer\r\n"));
  }
  EXPECT_EQ(ask("GET", "/", "", std::nullopt).status, 401);
  EXPECT_EQ(ask("POST", target, "", std::nullopt, "Bearer s3cret").status, 200);
  rights_.token = Secret();
  EXPECT_EQ(ask("POST", target, "", std::nullopt, "Bearer ").status, 401);
}

// --- Bytes ---------------------------------------------------------------------------------------

// What becomes of these bytes when they come one by one, and at once.
HttpAnswer refusal(const std::string& bytes) {
  HttpRequestParser at_once;
  EXPECT_EQ(at_once.feed(bytes), Progress::failed);
  HttpRequestParser slowly;
  Progress progress = Progress::more;
  for (std::size_t i = 0; i < bytes.size() && progress == Progress::more; ++i)
    progress = slowly.feed(bytes.substr(i, 1));
  EXPECT_EQ(progress, Progress::failed);
  EXPECT_EQ(slowly.refusal().status, at_once.refusal().status);
  return at_once.refusal();
}

TEST(HeartbeatHttp, ReadsARequestHoweverItIsCut) {
  const std::string bytes =
      "POST /v1/heartbeat/a?state=ok HTTP/1.1\r\nHost: agent\r\nauthorization: Bearer x\r\n"
      "Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\n\r\n";
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, bytes.size()}) {
    HttpRequestParser parser;
    Progress progress = Progress::more;
    for (std::size_t i = 0; i < bytes.size(); i += piece) {
      ASSERT_EQ(progress, Progress::more) << i;
      progress = parser.feed(bytes.substr(i, piece));
    }
    ASSERT_EQ(progress, Progress::done);
    EXPECT_FALSE(parser.wants_continue());
    const HttpRequest request = parser.take();
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.target, "/v1/heartbeat/a?state=ok");
    EXPECT_EQ(request.authorization, "Bearer x");
    EXPECT_EQ(request.body, "hello!");
  }
}

TEST(HeartbeatHttp, AnEmptyChunkedBodyMayBeCutAnywhere) {
  const std::string head = "POST /v1/heartbeat/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string& body : {std::string("0\r\n\r\n"), std::string("0;x=y\r\nA: b\r\n\r\n")})
    for (std::size_t cut = 0; cut < body.size(); ++cut) {
      HttpRequestParser parser;
      EXPECT_EQ(parser.feed(head + body.substr(0, cut)), Progress::more);
      Progress progress = Progress::more;
      for (std::size_t i = cut; i < body.size() && progress == Progress::more; ++i)
        progress = parser.feed(body.substr(i, 1));
      EXPECT_EQ(progress, Progress::done) << cut;
      EXPECT_EQ(parser.take().body, "");
    }
}

TEST(HeartbeatHttp, ARequestWithoutABodyEndsWithItsHeaders) {
  HttpRequestParser parser;
  EXPECT_EQ(parser.feed("POST /a HTTP/1.1\r\nHost: x\r\n\r\nrest"), Progress::done);
  EXPECT_EQ(parser.take().body, "");
}

TEST(HeartbeatHttp, TellsThoseWhoAskToGoOnOnce) {
  HttpRequestParser parser;
  EXPECT_EQ(parser.feed("POST /a HTTP/1.1\r\nExpect: 100-Continue\r\n"), Progress::more);
  EXPECT_FALSE(parser.wants_continue());
  EXPECT_EQ(parser.feed("Content-Length: 2\r\n\r\n"), Progress::more);
  EXPECT_TRUE(parser.wants_continue());
  EXPECT_FALSE(parser.wants_continue());
  EXPECT_EQ(parser.feed("ok"), Progress::done);
}

TEST(HeartbeatHttp, EverythingIsBounded) {
  const std::string post = "POST /a HTTP/1.1\r\n";
  EXPECT_EQ(refusal(std::string(limits::kHttpHeaderBytesMax + 1000, 'a')).status / 100, 4);
  EXPECT_EQ(
      refusal(post + "A: " + std::string(limits::kHttpHeaderBytesMax, 'x') + "\r\n\r\n").status,
      431);
  EXPECT_EQ(refusal(post + "Content-Length: 16385\r\n\r\n" + std::string(16385, 'x')).status, 413);
  std::string chunks = post + "Transfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 5000; ++i) chunks += "1;extension=longer\r\nx\r\n";
  EXPECT_EQ(refusal(chunks).status, 413);
}

TEST(HeartbeatHttp, WhatIsNoHttpIsRefused) {
  for (const char* bytes :
       {"\x16\x03\x01 hello\r\n\r\n", "POST /a HTTP/2\r\n\r\n",
        "POST /a HTTP/1.1\r\n broken\r\n\r\n", "POST /a HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST /a HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /a HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"})
    EXPECT_EQ(refusal(bytes).status, 400) << bytes;
}

TEST(HeartbeatHttp, AnAnswerIsWhole) {
  EXPECT_THAT(
      to_http({404, "no\n"}),
      AllOf(StartsWith("HTTP/1.1 404 Not Found\r\n"), HasSubstr("\r\nContent-Length: 3\r\n"),
            HasSubstr("\r\nConnection: close\r\n"), EndsWith("\r\n\r\nno\n")));
  EXPECT_THAT(to_http({405, ""}), HasSubstr("\r\nAllow: GET, POST, PUT\r\n"));
}

}  // namespace heartbeat_requests_test
}  // namespace firebreak::agent
