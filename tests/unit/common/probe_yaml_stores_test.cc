// Redis and RabbitMQ in policies: what can be written can be sent, and the rest is refused where it
// is written.
#include <string>

#include <gtest/gtest.h>

#include <firebreak/v1/probe.pb.h>

#include "common/limits.h"
#include "common/probe_yaml.h"
#include "proto/wire.h"
#include "tests/unit/common/read_probe.h"

namespace firebreak {
namespace probe_yaml_stores_test {

using testing::read;

TEST(ProbeYamlStores, WhatCanBeWrittenCanBeSent) {
  for (const char* text :
       {"redis: {host: h, role: replica, info: true, tls: true, tls_verify: false, "
        "tls_ca_file: /ca, tls_server_name: cache, tls_certificate_file: /a.crt, "
        "tls_key_file: 'credential:key'}",
        "redis: {host: h, tls: false, role: master}", "redis: /run/redis.sock",
        "queue: {redis: {host: h, tls: true, role: master, info: true}, stream: s, group: g}",
        "queue: {redis: /run/redis.sock, zset: z, score: milliseconds}",
        "queue: {redis: h, set: s, warning: 1, critical: 2}",
        "queue: {rabbitmq: 'h:5672', queue: jobs}",
        "queue: {rabbitmq: {host: h, vhost: shop, user: probe, password_file: /pw, tls: true, "
        "tls_ca_file: /ca}, queue: jobs, warning: 3}"}) {
    yaml::Problems problems;
    const auto probe = read(text, problems);
    ASSERT_TRUE(probe) << problems.render();
    const auto back = wire::from_proto(wire::to_proto(*probe));
    ASSERT_TRUE(back) << text << ": " << back.error().message;
    EXPECT_EQ(*back, *probe);
  }
}

TEST(ProbeYamlStores, TheRestIsRefused) {
  const std::string long_name(limits::kAmqpNameBytesMax + 1, 'q');
  for (const std::string& text :
       {std::string("redis: {host: h, tls_ca_file: /ca}"),
        std::string("redis: {host: h, tls: false, tls_verify: false}"),
        std::string("redis: {host: h, tls: true, tls_key_file: /a.key}"),
        std::string("redis: {host: h, tls: true, tls_certificate_file: /a.crt}"),
        std::string("redis: {host: /run/redis.sock, tls: true}"),
        std::string("redis: {host: h, role: slave}"),
        std::string("redis: {host: h, info: maybe}"),
        std::string("queue: {redis: h}"),
        std::string("queue: {redis: h, list: a, set: b}"),
        std::string("queue: {redis: h, stream: ''}"),
        std::string("queue: {redis: h, list: a, group: g}"),
        std::string("queue: {redis: h, stream: a, group: ''}"),
        std::string("queue: {redis: h, set: a, score: seconds}"),
        std::string("queue: {redis: h, zset: a, score: hours}"),
        std::string("queue: {http: 'http://h/', stream: a}"),
        std::string("queue: {rabbitmq: h}"),
        std::string("queue: {rabbitmq: h, queue: ''}"),
        std::string("queue: {rabbitmq: h, list: a}"),
        std::string("queue: {rabbitmq: /run/mq, queue: a}"),
        std::string("queue: {rabbitmq: {host: h, user: probe}, queue: a}"),
        "queue: {rabbitmq: {host: h, vhost: " + long_name + "}, queue: a}",
        "queue: {rabbitmq: h, queue: " + long_name + "}"}) {
    yaml::Problems problems;
    EXPECT_FALSE(read(text, problems)) << text;
    EXPECT_NE(problems.render().find("probe.yaml:1:"), std::string::npos) << problems.render();
  }
}

TEST(ProbeYamlStores, RabbitMqHasAPortForTls) {
  yaml::Problems problems;
  const auto port_of = [&problems](const char* text) {
    const auto probe = read(text, problems);
    const auto& queue = std::get<QueueSpec>(probe.value().kind);
    return std::get<QueueSpec::RabbitMq>(queue.source).port;
  };

  EXPECT_EQ(port_of("queue: {rabbitmq: h, queue: a}"), 5672);
  EXPECT_EQ(port_of("queue: {rabbitmq: {host: h, tls: true}, queue: a}"), 5671);
  EXPECT_EQ(port_of("queue: {rabbitmq: {host: h, port: 1, tls: true}, queue: a}"), 1);
}

TEST(ProbeYamlStores, TargetsAreNamedForPeople) {
  const std::pair<const char*, const char*> targets[] = {
      {"redis: /run/redis.sock", "/run/redis.sock"},
      {"queue: {redis: h, stream: s, group: g}", "h:6379 s g"},
      {"queue: {redis: /run/redis.sock, list: l}", "/run/redis.sock l"},
      {"queue: {rabbitmq: h, queue: q}", "h:5672 q"},
      {"queue: {rabbitmq: {host: h, vhost: v}, queue: q}", "h:5672 v q"}};
  for (const auto& [text, target] : targets) {
    yaml::Problems problems;
    const auto probe = read(text, problems);
    ASSERT_TRUE(probe) << problems.render();
    EXPECT_EQ(describe_target(probe->kind), target);
  }
}

}  // namespace probe_yaml_stores_test
}  // namespace firebreak
