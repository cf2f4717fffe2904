// Definitions of the kinds that ask for numbers that others have gathered: what may be written can
// be sent.
#include "common/probe_yaml_query.h"

#include <string>

#include <gtest/gtest.h>

#include <firebreak/v1/probe.pb.h>

#include "common/probe_yaml.h"
#include "proto/wire.h"
#include "tests/unit/common/read_probe.h"

namespace firebreak {
namespace probe_yaml_query_test {

using testing::read;

template <class Spec>
Spec accepted(const std::string& text) {
  yaml::Problems problems;
  const auto probe = read(text, problems);
  EXPECT_TRUE(probe) << text << ": " << problems.render();
  if (!probe) return {};
  const auto back = wire::from_proto(wire::to_proto(*probe));
  EXPECT_TRUE(back) << text << ": " << back.error().message;
  if (back) {
    EXPECT_EQ(*back, *probe);
  }
  return std::get<Spec>(probe->kind);
}

void expect_refused(const std::string& text, const std::string& why) {
  yaml::Problems problems;
  EXPECT_FALSE(read(text, problems)) << text;
  EXPECT_NE(problems.render().find(why), std::string::npos) << text << ": " << problems.render();
}

TEST(PrometheusYaml, ReadsAQuery) {
  const auto spec = accepted<PrometheusSpec>(
      "prometheus: {url: 'https://p:9090/prefix/', query: 'up{a=\"b\"} == 0', empty: ok, warning: "
      "10, critical: '@1:2', headers: {X-Scope-OrgID: a}, basic_user: u, basic_password_file: /p, "
      "tls_verify: false, tls_ca_file: /ca, tls_server_name: n}");

  EXPECT_EQ(spec.http.url, "https://p:9090/prefix/");
  EXPECT_EQ(spec.query, "up{a=\"b\"} == 0");
  EXPECT_EQ(spec.empty, "ok");
  EXPECT_EQ(spec.warning, parse_range("10"));
  EXPECT_EQ(spec.critical, parse_range("@1:2"));
  EXPECT_EQ(spec.http.headers.size(), 1u);
  EXPECT_EQ(spec.http.basic_user, "u");
  EXPECT_FALSE(spec.http.tls.verify);
}

TEST(PrometheusYaml, AQueryMayHaveSeveralLines) {
  const auto spec = accepted<PrometheusSpec>(
      "prometheus:\n  url: http://p\n  query: |\n    sum(up)\n      / count(up)\n");
  EXPECT_EQ(spec.query, "sum(up)\n  / count(up)\n");
}

TEST(PrometheusYaml, ReadsAMetricOfAPage) {
  const auto spec = accepted<PrometheusSpec>(
      "prometheus: {scrape: 'http://p/metrics?a=b', metric: 'up{a!=\"b\"}', bearer_token_file: "
      "/t}");

  EXPECT_EQ(spec.http.url, "http://p/metrics?a=b");
  EXPECT_EQ(spec.metric, "up{a!=\"b\"}");
  EXPECT_EQ(spec.empty, "critical");
  EXPECT_EQ(describe_target(spec), "http://p/metrics?a=b up{a!=\"b\"}");
}

TEST(PrometheusYaml, RefusesWhatNoAgentWouldTake) {
  const std::string server = "prometheus: {url: 'http://p:9090'";
  const std::string page = "prometheus: {scrape: 'http://p/metrics'";
  expect_refused("prometheus: 'http://p:9090'", "probe.yaml:1:");
  expect_refused("prometheus: {query: up}", "scrape");
  expect_refused("prometheus: {url: 'ftp://p', query: up}", "not a URL");
  expect_refused("prometheus: {url: 'http://p?a=b', query: up}", "ends with its path");
  expect_refused(server + "}", "query");
  expect_refused(server + ", query: ' '}", "the query is empty");
  expect_refused(server + ", query: \"up\\0\"}", "NUL");
  expect_refused(server + ", query: up, metric: up}", "metric");
  expect_refused(server + ", query: up, scrape: 'http://p'}", "scrape");
  expect_refused(server + ", query: up, warning: hot}", "not a range");
  expect_refused(server + ", query: up, empty: fine}", "empty");
  expect_refused(server + ", query: up, method: GET}", "method");
  expect_refused(page + "}", "metric");
  expect_refused(page + ", query: up}", "query");
  expect_refused(page + ", metric: up > 1}", "is too much");
  expect_refused(page + ", metric: 'up{a=~\"b\"}'}", "without regular expressions");
}

TEST(GrpcYaml, ReadsATarget) {
  const auto brief = accepted<GrpcSpec>("grpc: '[::1]:50051'");
  EXPECT_EQ(brief.host, "::1");
  EXPECT_EQ(brief.port, 50051);
  EXPECT_EQ(describe_target(brief), "[::1]:50051");
  const auto spec = accepted<GrpcSpec>(
      "grpc: {host: h, port: 443, service: shop.Cart, authority: a.example, tls: true, tls_verify: "
      "false, tls_ca_file: /ca, tls_server_name: n, tls_certificate_file: /c, tls_key_file: /k}");
  EXPECT_EQ(spec.service, "shop.Cart");
  EXPECT_EQ(spec.authority, "a.example");
  EXPECT_EQ(spec.tls, (TlsSpec{false, "/ca", "n", "/c", "/k"}));
  EXPECT_EQ(describe_target(spec), "h:443 shop.Cart");
}

TEST(GrpcYaml, RefusesWhatNoAgentWouldTake) {
  expect_refused("grpc: h", "no port");
  expect_refused("grpc: {host: h}", "port");
  expect_refused("grpc: {port: 1}", "host");
  expect_refused("grpc: {host: h, port: 70000}", "port");
  expect_refused("grpc: {host: h, port: 1, tls_verify: false}", "is about TLS");
  expect_refused("grpc: {host: h, port: 1, tls: true, tls_key_file: /k}", "belong together");
  expect_refused("grpc: {host: h, port: 1, service: \"a\\nb\"}", "one line");
  expect_refused("grpc: {host: h, port: 1, service: " + std::string(256, 's') + "}", "service");
  expect_refused("grpc: {host: h, port: 1, method: Watch}", "method");
}

}  // namespace probe_yaml_query_test
}  // namespace firebreak
