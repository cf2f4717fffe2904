// What is taken from INFO, of servers as they are and as they should not be.
#include "probes/redis_info.h"

#include <gtest/gtest.h>

#include "common/probe_spec.h"

namespace firebreak::probes {
namespace redis_info_test {

constexpr const char* kMaster =
    "# Clients\r\nconnected_clients:5\r\nmaxclients:20\r\nblocked_clients:1\r\n\r\n"
    "# Memory\r\nused_memory:1000\r\nused_memory_human:1000B\r\nmaxmemory:4000\r\n"
    "# Stats\r\nevicted_keys:9\r\n"
    "# Replication\r\nrole:master\r\nconnected_slaves:2\r\n"
    "slave0:ip=127.0.0.1,port=7001,state=online,offset=14,lag=1\r\n"
    "slave1:ip=127.0.0.1,port=7002,state=online,offset=14,lag=4\r\nmaster_repl_offset:14\r\n";

constexpr const char* kCutOff =
    "role:slave\r\nmaster_host:db\r\nmaster_port:6379\r\nmaster_link_status:down\r\n"
    "master_last_io_seconds_ago:-1\r\nmaster_sync_in_progress:1\r\n"
    "master_link_down_since_seconds:30\r\nconnected_slaves:0\r\n";

std::string text_of(std::string_view info) {
  std::string text;
  for (const NamedValue& value : redis_values_of(info))
    text.append(value.name).append("=").append(format_number(value.value)).append(" ");
  return text;
}

TEST(RedisInfo, OfAMasterYieldsEveryValueInOrder) {
  EXPECT_EQ(text_of(kMaster),
            "connected_clients=5 clients_share=25 blocked_clients=1 used_memory=1000 "
            "used_memory_share=25 evicted_keys=9 connected_replicas=2 replication_lag=4 ");
  const auto values = redis_values_of(kMaster);
  ASSERT_EQ(values.size(), redis_values().size());
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i].name, redis_values()[i]);
}

TEST(RedisInfo, LagOfAReplicaIsSinceItLastHeardItsMaster) {
  EXPECT_EQ(text_of("role:slave\nmaster_link_status:up\nmaster_last_io_seconds_ago:3\n"),
            "replication_lag=3 ");
  EXPECT_EQ(text_of(kCutOff), "connected_replicas=0 replication_lag=30 ");
  EXPECT_EQ(text_of("role:slave\nmaster_link_status:down\nmaster_link_down_since_seconds:-1\n"),
            "");
}

TEST(RedisInfo, WhatIsNoNumberYieldsNothing) {
  for (const char* info :
       {"", "\r\n", "connected_clients", "connected_clients:", "connected_clients:many",
        "connected_clients:-1", "connected_clients:1x", "connected_clients:nan",
        "connected_clients:inf", "connected_clients:1e999", " connected_clients:1",
        "xconnected_clients:1", "used_memory_share:3", "role:master\nslave0:lag=1",
        "slaves:ip=a,lag=1"})
    EXPECT_EQ(text_of(info), "") << info;
  EXPECT_EQ(text_of("used_memory:1\nused_memory:2\nmaxmemory:0\n"), "used_memory=1 ");
}

TEST(RedisInfo, RoleMustBeTheWantedOne) {
  EXPECT_FALSE(judge_redis_role(kMaster, ""));
  EXPECT_FALSE(judge_redis_role(kMaster, "master"));
  EXPECT_FALSE(judge_redis_role("role:slave\r\nmaster_link_status:up\r\n", "replica"));
  const auto other = judge_redis_role(kMaster, "replica");
  ASSERT_TRUE(other);
  EXPECT_EQ(other->evidence, "it is a master, not a replica");
  EXPECT_EQ(other->status, Status::critical);
  EXPECT_EQ(other->reason, Reason::status);
  const auto none = judge_redis_role("# Server\r\n", "master");
  ASSERT_TRUE(none);
  EXPECT_EQ(none->status, Status::unknown);
  EXPECT_EQ(none->reason, Reason::missing);
  EXPECT_FALSE(judge_redis_role("# Server\r\n", ""));
}

TEST(RedisInfo, ReplicaWithoutItsMasterIsNotHealthy) {
  for (const char* wanted : {"", "replica"}) {
    const auto trouble = judge_redis_role(kCutOff, wanted);
    ASSERT_TRUE(trouble);
    EXPECT_EQ(trouble->evidence,
              "the link to its master db:6379 is down for 30 s, it synchronizes");
    EXPECT_EQ(trouble->reason, Reason::status);
  }
}

}  // namespace redis_info_test
}  // namespace firebreak::probes
