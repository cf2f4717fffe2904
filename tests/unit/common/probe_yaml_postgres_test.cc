// PostgreSQL and pgbouncer in policies: what can be written can be sent, and the rest is refused
// where it is written.
#include <string>

#include <gtest/gtest.h>

#include <firebreak/v1/probe.pb.h>

#include "common/probe_yaml.h"
#include "proto/wire.h"
#include "tests/unit/common/read_probe.h"

namespace firebreak {
namespace probe_yaml_postgres_test {

using testing::read;

TEST(ProbeYamlPostgres, WhatCanBeWrittenCanBeSent) {
  for (const char* text :
       {"postgres: {host: h, role: standby, info: true, sslmode: verify-full, tls_ca_file: /ca, "
        "tls_certificate_file: /a.crt, tls_key_file: 'credential:key'}",
        "postgres: {info: true, query: select 1, expect: value == 1}",
        "postgres: {host: /run/postgresql, role: primary, info: false}",
        "queue: {postgres: {host: h, role: primary}, query: select 1}", "pgbouncer: h",
        "pgbouncer: {host: h, port: 1, user: probe, password_file: /pw, sslmode: require, "
        "tls_ca_file: /ca, tls_certificate_file: /a.crt, tls_key_file: /a.key, pool: shop}"}) {
    yaml::Problems problems;
    const auto probe = read(text, problems);
    ASSERT_TRUE(probe) << problems.render();
    const auto back = wire::from_proto(wire::to_proto(*probe));
    ASSERT_TRUE(back) << text << ": " << back.error().message;
    EXPECT_EQ(*back, *probe);
  }
}

TEST(ProbeYamlPostgres, TheRestIsRefused) {
  for (const std::string& text :
       {std::string("postgres: {role: master}"), std::string("postgres: {info: maybe}"),
        std::string("postgres: {info: true, expect: value == 1}"),
        std::string("postgres: {info: true, tls_key_file: /a.key}"),
        std::string("postgres: {info: true, tls_certificate_file: /a.crt}"),
        std::string("postgres: {info: true, sslmode: disable, tls_ca_file: /ca}"),
        std::string("postgres: {info: true, pool: shop}"),
        std::string("postgres: {info: true}\nlimits: {value: {critical: 1}}"),
        std::string("postgres: {query: select 1}\nlimits: {connections: {critical: 1}}"),
        std::string("pgbouncer: {pool: ''}"), std::string("pgbouncer: {query: select 1}"),
        std::string("pgbouncer: {database: shop}"), std::string("pgbouncer: {role: primary}"),
        std::string("pgbouncer: h\nlimits: {connections: {critical: 1}}")}) {
    yaml::Problems problems;
    EXPECT_FALSE(read(text, problems)) << text;
    EXPECT_NE(problems.render().find("probe.yaml:"), std::string::npos) << problems.render();
  }
}

TEST(ProbeYamlPostgres, LimitsAreAboutWhatIsAsked) {
  for (const char* text :
       {"postgres: {info: true}\nlimits: {connections_share: {critical: 90}}",
        "postgres: {role: standby}\nlimits: {replication_lag: {critical: 60}}",
        "postgres: {info: true, query: select 1}\n"
        "limits: {value: {critical: 1}, longest_query: {warning: 300}}",
        "pgbouncer: h\nlimits: {maxwait: {warning: 1}, clients_waiting: {critical: 100}}"}) {
    yaml::Problems problems;
    EXPECT_TRUE(read(text, problems)) << problems.render();
  }
}

TEST(ProbeYamlPostgres, APgbouncerListensElsewhere) {
  yaml::Problems problems;
  const auto read_pgbouncer = [&problems](const char* text) {
    return std::get<PgbouncerSpec>(read(text, problems).value().kind);
  };

  EXPECT_EQ(read_pgbouncer("pgbouncer: h").server.port, 6432);
  EXPECT_EQ(read_pgbouncer("pgbouncer: {host: h}").server.port, 6432);
  EXPECT_EQ(read_pgbouncer("pgbouncer: 'h:1'").server.port, 1);
  EXPECT_EQ(read_pgbouncer("pgbouncer: h").server.database, "pgbouncer");
}

TEST(ProbeYamlPostgres, TargetsAreNamedForPeople) {
  const std::pair<const char*, const char*> targets[] = {
      {"postgres: {info: true}", "localhost:5432"},
      {"pgbouncer: h", "h:6432"},
      {"pgbouncer: {host: h, pool: shop}", "h:6432 shop"}};
  for (const auto& [text, name] : targets) {
    yaml::Problems problems;
    EXPECT_EQ(describe_target(read(text, problems).value().kind), name);
  }
  EXPECT_STREQ(kind_name(PgbouncerSpec{}), "pgbouncer");
}

}  // namespace probe_yaml_postgres_test
}  // namespace firebreak
