// Requests as bytes, and what a redirect makes of them.
#include "probes/http_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firebreak::probes {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

HttpRequest make(const HttpSpec& spec) {
  auto request = make_request(spec);
  EXPECT_TRUE(request) << (request ? "" : request.error().message);
  return request ? *std::move(request) : HttpRequest{};
}

HttpSpec post() {
  HttpSpec spec;
  spec.url = "https://host/form";
  spec.method = "POST";
  spec.body = "a=b";
  return spec;
}

TEST(HttpRequest, IsFiveLinesAndTheSpecsOwn) {
  HttpSpec spec;
  spec.url = "http://host:8080/health";

  EXPECT_EQ(to_wire(make(spec)),
            "GET /health HTTP/1.1\r\nHost: host:8080\r\nUser-Agent: firebreak\r\nAccept: */*\r\n"
            "Connection: close\r\n\r\n");
}

TEST(HttpRequest, SpecMayReplaceHostAndAgent) {
  HttpSpec spec;
  spec.url = "http://10.0.0.1/";
  spec.headers = {{"host", "virtual"}, {"USER-AGENT", "mine"}};

  const std::string text = to_wire(make(spec));

  EXPECT_THAT(text, HasSubstr("host: virtual\r\n"));
  EXPECT_THAT(text, Not(HasSubstr("10.0.0.1")));
  EXPECT_THAT(text, Not(HasSubstr("firebreak")));
}

TEST(HttpRequest, EmptyPostHasALength) {
  HttpSpec spec = post();
  spec.body.clear();

  EXPECT_THAT(to_wire(make(spec)), HasSubstr("\r\nContent-Length: 0\r\n"));
}

TEST(HttpRequest, NothingCanBeSmuggled) {
  for (const auto& header :
       std::vector<std::pair<std::string, std::string>>{{"A\r\nB", "c"},
                                                        {"A", "b\nC: d"},
                                                        {"A B", "c"},
                                                        {"", "c"},
                                                        {"A", std::string(1, '\0')},
                                                        {"Content-Length", "5"},
                                                        {"transfer-encoding", "chunked"},
                                                        {"Connection", "close"}}) {
    HttpSpec spec = post();
    spec.headers = {header};
    EXPECT_FALSE(make_request(spec)) << header.first;
  }
  HttpSpec spec = post();
  spec.method = "GET / HTTP/1.1\r\n";
  EXPECT_FALSE(make_request(spec));
}

TEST(HttpRequest, SeeOtherTurnsAPostIntoAGet) {
  for (const int status : {301, 302, 303}) {
    HttpRequest request = make(post());
    ASSERT_TRUE(follow(request, status, "/done"));
    EXPECT_EQ(request.method, "GET") << status;
    EXPECT_EQ(request.body, "") << status;
  }
}

TEST(HttpRequest, TemporaryRedirectKeepsMethodAndBody) {
  for (const int status : {307, 308}) {
    HttpRequest request = make(post());
    ASSERT_TRUE(follow(request, status, "/done"));
    EXPECT_EQ(request.method, "POST") << status;
    EXPECT_EQ(request.body, "a=b") << status;
  }
}

TEST(HttpRequest, RedirectNeverLeadsDownToPlainText) {
  HttpRequest request = make(post());

  EXPECT_FALSE(follow(request, 302, "http://host/done"));
}

}  // namespace
}  // namespace firebreak::probes
