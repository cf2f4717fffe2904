// A definition that a policy may hold can be sent to an agent as it is; what cannot be sent is
// refused where it is written.
#include "common/probe_yaml.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <firebreak/v1/probe.pb.h>

#include "proto/wire.h"
#include "tests/unit/common/read_probe.h"

namespace firebreak {
namespace {

using testing::read;

std::string headers(std::size_t count) {
  std::string text = "http: {url: 'http://h/', headers: {";
  for (std::size_t i = 0; i < count; ++i) text += "X-" + std::to_string(i) + ": a, ";
  return text + "}}";
}

std::string statuses(std::size_t count) {
  std::string text = "http: {url: 'http://h/', expect_status: [";
  for (std::size_t i = 0; i < count; ++i) text += "200, ";
  return text + "]}";
}

std::string steps(std::size_t count) {
  std::string text = "[";
  for (std::size_t i = 0; i < count; ++i) text += "{expect: a}, ";
  return text + "]";
}

std::string words(std::size_t count) {
  std::string text = "[";
  for (std::size_t i = 0; i < count; ++i) text += "a, ";
  return text + "]";
}

TEST(ProbeYaml, ReadsWhatEveryKindMaySay) {
  yaml::Problems problems;
  const auto probe = read(
      "{http: https://h/, limits: {latency: {warning: 0.5, critical: '@1:2'}, certificate_days: "
      "{critical: '7:'}}, invert: true, family: prefer-ipv6, source: '::1'}",
      problems);

  ASSERT_TRUE(probe) << problems.render();
  EXPECT_EQ(probe->limits.at("latency").warning, parse_range("0.5"));
  EXPECT_EQ(probe->limits.at("latency").critical, parse_range("@1:2"));
  EXPECT_FALSE(probe->limits.at("certificate_days").warning);
  EXPECT_TRUE(probe->invert);
  EXPECT_EQ(probe->family, "prefer-ipv6");
  EXPECT_EQ(probe->source, "::1");
  const auto back = wire::from_proto(wire::to_proto(*probe));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, *probe);
}

TEST(ProbeYaml, SaysWhatNoKindCouldDo) {
  for (const auto& [text, message] : std::vector<std::pair<std::string, std::string>>{
           {"{tcp: 'h:1', limits: {certificate_day: {warning: 1}}}", "certificate_days"},
           {"{redis: h, limits: {latency: {warning: fast}}}", "not a range"},
           {"{redis: h, limits: {latency: {}}}", "a limit is a range"},
           {"{redis: h, limits: {latency: {waning: 1}}}", "warning"},
           {"{host: {}, limits: {cpu: {warning: 1}}}", "latency"},
           {"{exec: disk, limits: {'a b': {warning: 1}}}", "no name of a value"},
           {"{redis: h, family: ipv5}", "ipv6"},
           {"{redis: h, source: eth0}", "not an address"}}) {
    yaml::Problems problems;
    EXPECT_FALSE(read(text, problems)) << text;
    EXPECT_NE(problems.render().find(message), std::string::npos) << problems.render();
  }
}

TEST(ProbeYaml, LimitsOfAPluginAreOnWhateverItPrints) {
  yaml::Problems problems;
  EXPECT_TRUE(read("{exec: disk, limits: {var_used: {critical: 2}}}", problems))
      << problems.render();
}

TEST(ProbeYaml, AcceptsWhatTravelsUpToEveryBound) {
  const std::string host(limits::kHostBytesMax, 'h');
  for (const std::string& text : {
           std::string("http: http://h/"),
           headers(limits::kHttpRequestHeadersMax),
           statuses(limits::kHttpStatusesMax),
           "http: {url: 'http://h/', max_redirects: " + std::to_string(limits::kHttpRedirectsMax) +
               "}",
           "redis: '" + host + ":1'",
           "postgres: {host: " + host + "}",
           std::string("http: {url: 'http://h/', unix_socket: /run/a.sock}"),
           std::string("http: {url: 'http://h/', header_files: {X-Key: /k, A: 'credential:a'}}"),
           std::string("http: {url: 'https://h/', tls_certificate_file: /c, tls_key_file: /k}"),
           std::string("prometheus: {scrape: 'http://h/metrics', metric: up, unix_socket: /a}"),
           std::string("postgres: /run/postgresql"),
           std::string("queue: {redis: 'h:1', list: a}"),
           std::string("tcp: '[::1]:65535'"),
           "tcp: {host: " + host + ", port: 1, dialogue: " + steps(limits::kTcpStepsMax) + "}",
           std::string("tcp: {host: ::1, port: 25, starttls: smtp, tls_verify: false, "
                       "tls_ca_file: /ca, tls_server_name: mail, tls_certificate_file: /c, "
                       "tls_key_file: /k, certificate_warning_days: 14, "
                       "certificate_critical_days: 0.5, dialogue: {send: \"QUIT\\r\\n\"}}"),
           std::string("dns: example.com."),
           "dns: {name: a.b, type: PTR, server: '[::1]:5353', rcode: NOERROR, exact: true, "
           "answers: " +
               words(limits::kDnsExpectedMax) + "}",
           std::string("dns: {name: ., type: NS, server: ::1, rcode: SERVFAIL}"),
           std::string("icmp: ::1"),
           std::string("{icmp: {host: h, packets: 20, interval: 10s, bytes: 1400, loss_warning: 0, "
                       "loss_critical: 100, rtt_warning: 0s, rtt_critical: 5m}, timeout: 300s}"),
           std::string("exec: disk"),
           std::string("exec: {check: disk, parameters: {path: /var, warn: 10}}"),
           std::string("systemd: nginx.service"),
           std::string("systemd: {unit: a.timer, states: [active, reloading], sub_states: running, "
                       "warning: 3, critical: '@5:10'}"),
           std::string("host:"),
           std::string("host: {disks: [/, /var], warning: {cpu: 80, disk_free: '1e9:'}, critical: "
                       "{load1: '~:8'}}"),
           std::string("{http: 'http://h/', every: 24h, timeout: 300s, confirm: {attempts: 10, "
                       "every: 24h}}"),
       }) {
    yaml::Problems problems;
    const auto probe = read(text, problems);
    ASSERT_TRUE(probe) << problems.render();
    const auto back = wire::from_proto(wire::to_proto(*probe));
    ASSERT_TRUE(back) << text.substr(0, 80) << ": " << back.error().message;
    EXPECT_EQ(*back, *probe);
  }
}

TEST(ProbeYaml, ReadsHeartbeats) {
  yaml::Problems problems;
  const auto probe = read(
      "{heartbeat: {name: nightly-backup, within: 8784h}, limits: {age: {warning: 3600}, files: "
      "{critical: '1:'}}}",
      problems);
  ASSERT_TRUE(probe) << problems.render();
  EXPECT_EQ(probe->kind, KindSpec(HeartbeatSpec{"nightly-backup", std::chrono::hours(8784)}));
  const auto back = wire::from_proto(wire::to_proto(*probe));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, *probe);

  for (const char* bad : {"nightly-backup", "{within: 26h}", "{name: a}",
                          "{name: a/b, within: 26h}", "{name: a, within: 999ms}",
                          "{name: a, within: 8785h}", "{name: a, within: 1h, token: b}"}) {
    yaml::Problems said;
    EXPECT_FALSE(read(std::string("heartbeat: ") + bad, said)) << bad;
    EXPECT_NE(said.render().find("probe.yaml:1:"), std::string::npos) << said.render();
  }
}

void expect_all_refused(const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    yaml::Problems problems;
    EXPECT_FALSE(read(text, problems)) << text.substr(0, 80);
    EXPECT_NE(problems.render().find("probe.yaml:1:"), std::string::npos) << problems.render();
  }
}

TEST(ProbeYaml, RefusesRequestsThatNoAgentWouldTake) {
  const std::string host(limits::kHostBytesMax + 1, 'h');
  expect_all_refused({
      headers(limits::kHttpRequestHeadersMax + 1),
      statuses(limits::kHttpStatusesMax + 1),
      "http: {url: 'http://h/', max_redirects: " + std::to_string(limits::kHttpRedirectsMax + 1) +
          "}",
      std::string("http: {url: 'http://h/', headers: {a: \"\\x1b\"}}"),
      std::string("http: {url: 'http://h/', basic_user: \"a\\tb\"}"),
      "http: {url: 'http://h/', tls_server_name: " + host + "}",
      std::string("http: {url: 'http://h/', header_files: {'a b': /k}}"),
      std::string("http: {url: 'https://h/', tls_certificate_file: /c}"),
      std::string("http: {url: 'http://h/', unix_socket: run/a.sock}"),
      "http: {url: 'http://h/', unix_socket: /" + std::string(107, 'x') + "}",
  });
}

TEST(ProbeYaml, RefusesWhatNoAgentWouldTake) {
  const std::string host(limits::kHostBytesMax + 1, 'h');
  expect_all_refused({
      "redis: '" + host + ":1'",
      std::string("redis: ':1'"),
      std::string("redis: {host: ''}"),
      "postgres: {host: " + host + "}",
      std::string("postgres: {user: \"a\\nb\"}"),
      std::string("queue: {redis: 'h:1', list: ''}"),
      std::string("tcp: h"),
      std::string("tcp: 'h:0'"),
      std::string("tcp: {host: h}"),
      std::string("tcp: {host: h, port: 1, dialog: []}"),
      "tcp: {host: h, port: 1, dialogue: " + steps(limits::kTcpStepsMax + 1) + "}",
      std::string("tcp: {host: h, port: 1, dialogue: [{}]}"),
      std::string("tcp: {host: h, port: 1, dialogue: {send: \"a\\0b\"}}"),
      std::string("tcp: {host: h, port: 1, tls: true, starttls: smtp}"),
      std::string("tcp: {host: h, port: 1, starttls: ftp}"),
      std::string("tcp: {host: h, port: 1, tls_verify: false}"),
      std::string("tcp: {host: h, port: 1, certificate_warning_days: 3}"),
      std::string("tcp: {host: h, port: 1, tls: true, certificate_warning_days: -1}"),
      std::string("dns: a..b"),
      "dns: " + std::string(limits::kDnsLabelBytesMax + 1, 'a'),
      std::string("dns: {type: A}"),
      std::string("dns: {name: a, type: ANY}"),
      std::string("dns: {name: a, server: 'h:0'}"),
      std::string("dns: {name: a, rcode: nxdomain}"),
      std::string("dns: {name: a, exact: true}"),
      std::string("dns: {name: a, rcode: NXDOMAIN, answers: 192.0.2.1}"),
      std::string("dns: {name: a, answers: \"a\\0b\"}"),
      "dns: {name: a, answers: " + words(limits::kDnsExpectedMax + 1) + "}",
      "icmp: " + host,
      std::string("icmp: {packets: 3}"),
      std::string("icmp: {host: h, packets: 0}"),
      std::string("icmp: {host: h, packets: 21}"),
      std::string("icmp: {host: h, interval: 9ms}"),
      std::string("icmp: {host: h, bytes: 15}"),
      std::string("icmp: {host: h, bytes: 1401}"),
      std::string("icmp: {host: h, loss_warning: 101}"),
      std::string("icmp: {host: h, loss_critical: -1}"),
      std::string("icmp: {host: h, rtt_warning: 301s}"),
      std::string("{icmp: {host: h, packets: 3, interval: 1s}, timeout: 2s}"),
      std::string("exec: ../disk"),
      std::string("exec: [/bin/sh, -c, 'rm -rf /']"),
      std::string("exec: {check: disk, argv: [/bin/sh]}"),
      std::string("exec: {parameters: {a: b}}"),
      std::string("systemd: nginx"),
      std::string("systemd: {unit: a.service, states: alive}"),
      std::string("systemd: {unit: a.service, warning: 1e999}"),
      std::string("systemd: {unit: a.service, critical: '20:10'}"),
      std::string("host: {disks: [var]}"),
      std::string("host: {disks: [/, /]}"),
      std::string("host: {warning: {heat: 10}}"),
      std::string("host: {critical: {cpu: hot}}"),
      std::string("{http: 'http://h/', every: 25h}"),
      std::string("{http: 'http://h/', confirm: {every: 25h}}"),
      std::string("{http: 'http://h/', confirm: {attempts: 11}}"),
  });
}

TEST(ProbeYaml, AnAddressWithColonsIsNoPort) {
  yaml::Problems problems;
  const auto probe = read("redis: '::1'", problems);
  ASSERT_TRUE(probe) << problems.render();
  EXPECT_EQ(std::get<RedisSpec>(probe->kind).host, "::1");
}

TEST(ProbeYaml, ABodyIsAsLargeAsARequestMayBe) {
  const auto with_json = [](std::size_t items) {
    std::string text = "http:\n  url: http://h/\n  json:\n";
    for (std::size_t i = 0; i < items; ++i)
      text += "    - " + std::string(1021, 'a') + "\n";  // 1,024 bytes each: quotes and a comma
    return text;
  };
  yaml::Problems fits;
  EXPECT_TRUE(read(with_json(63), fits)) << fits.render();
  yaml::Problems too_large;
  EXPECT_FALSE(read(with_json(65), too_large));
}

}  // namespace
}  // namespace firebreak
