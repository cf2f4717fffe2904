// What is taken from a server's row about itself, of servers as they are and as they should not be.
#include "probes/postgres_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "common/probe_spec.h"

namespace firebreak::probes {
namespace postgres_info_test {

using ::testing::HasSubstr;
using Columns = std::map<std::string, std::optional<std::string>>;

Columns primary() {
  return {{"in_recovery", "f"},        {"sessions_hidden", "0"},
          {"sessions_untracked", "0"}, {"connections", "40"},
          {"connections_active", "3"}, {"connections_idle_in_transaction", "2"},
          {"longest_query", "1.5"},    {"longest_transaction", "60"},
          {"locks_waiting", "1"},      {"replicas_hidden", "0"},
          {"connected_replicas", "2"}, {"replicas_unmeasured", "0"},
          {"replicas_lag", "0.25"},    {"replicas_lag_bytes", "4096"},
          {"connections_max", "100"},  {"reserved", "3"},
          {"reserved_by_role", "17"},  {"has_receiver", "f"},
          {"has_no_primary", "t"},     {"replayed_ago", std::nullopt},
          {"unreplayed", std::nullopt}};
}

Columns standby() {
  Columns columns = primary();
  columns["in_recovery"] = "t";
  columns["connected_replicas"] = "0";
  columns["replicas_lag"] = std::nullopt;
  columns["replicas_lag_bytes"] = std::nullopt;
  columns["has_receiver"] = "t";
  columns["has_no_primary"] = "f";
  columns["replayed_ago"] = "3600";
  columns["unreplayed"] = "0";
  return columns;
}

PostgresInfo read(const Columns& columns, const char* wanted = "") {
  std::vector<SqlField> row;
  row.reserve(columns.size());
  for (const auto& [name, text] : columns) {
    SqlField& field = row.emplace_back();
    field.name = name;
    if (text) field.text = *text;
  }
  return read_postgres_info(row, wanted);
}

Columns with(Columns columns, const std::string& name, std::optional<std::string> text) {
  columns[name] = std::move(text);
  return columns;
}

std::string text_of(const PostgresInfo& info) {
  std::string text;
  for (const NamedValue& value : info.values)
    text.append(value.name).append("=").append(format_number(value.value)).append(" ");
  return text;
}

std::string value_in(const Columns& columns, const std::string& name) {
  for (const NamedValue& value : read(columns).values)
    if (value.name == name) return format_number(value.value);
  return "none";
}

TEST(PostgresInfo, OfAPrimaryYieldsEveryValueInOrder) {
  const PostgresInfo info = read(primary(), "primary");

  EXPECT_EQ(text_of(info),
            "connections=40 connections_max=100 connections_share=50 connections_active=3 "
            "connections_idle_in_transaction=2 longest_query=1.5 longest_transaction=60 "
            "locks_waiting=1 replication_lag=0.25 replication_lag_bytes=4096 "
            "connected_replicas=2 ");
  EXPECT_FALSE(info.trouble);
  EXPECT_EQ(info.unseen, "");
  ASSERT_EQ(info.values.size(), postgres_values().size());
  for (std::size_t i = 0; i < info.values.size(); ++i)
    EXPECT_EQ(info.values[i].name, postgres_values()[i]);
}

TEST(PostgresInfo, AnIdlePrimaryMakesNoLag) {
  EXPECT_EQ(value_in(standby(), "replication_lag"), "0");
  EXPECT_EQ(value_in(with(standby(), "unreplayed", "16"), "replication_lag"), "3600");
  EXPECT_EQ(value_in(with(standby(), "unreplayed", "16"), "replication_lag_bytes"), "16");
  // Replay went on while we asked; the clocks differ.
  EXPECT_EQ(value_in(with(standby(), "unreplayed", "-16"), "replication_lag_bytes"), "0");
  EXPECT_EQ(
      value_in(with(with(standby(), "unreplayed", "16"), "replayed_ago", "-2"), "replication_lag"),
      "0");
}

TEST(PostgresInfo, ALagThatNobodyKnowsIsNotZero) {
  // Nothing was replayed since it started.
  EXPECT_EQ(value_in(with(with(standby(), "unreplayed", "16"), "replayed_ago", std::nullopt),
                     "replication_lag"),
            "none");
  EXPECT_EQ(value_in(with(standby(), "unreplayed", std::nullopt), "replication_lag"), "none");
  const PostgresInfo unmeasured = read(with(primary(), "replicas_unmeasured", "1"));
  EXPECT_THAT(text_of(unmeasured), ::testing::Not(HasSubstr("replication_lag=")));
  EXPECT_THAT(text_of(unmeasured), HasSubstr("replication_lag_bytes=4096"));
  EXPECT_EQ(unmeasured.unseen, "a replica lags, and for how long is not measured");
  EXPECT_EQ(value_in(with(primary(), "replicas_lag", std::nullopt), "replication_lag"), "none");
}

TEST(PostgresInfo, RoleMustBeTheWantedOne) {
  EXPECT_FALSE(read(standby(), "standby").trouble);
  EXPECT_EQ(read(standby(), "primary").trouble.value().evidence, "it is a standby, not a primary");
  const auto wrong = read(primary(), "standby").trouble.value();
  EXPECT_EQ(wrong.evidence, "it is a primary, not a standby");
  EXPECT_EQ(wrong.status, Status::critical);
  EXPECT_EQ(wrong.reason, Reason::status);
  for (const std::optional<std::string>& text :
       {std::optional<std::string>(), std::optional<std::string>("true")}) {
    const auto silent = read(with(primary(), "in_recovery", text)).trouble.value();
    EXPECT_EQ(silent.status, Status::unknown);
    EXPECT_EQ(silent.reason, Reason::missing);
  }
}

TEST(PostgresInfo, AStandbyNeedsItsPrimary) {
  Columns alone = with(standby(), "has_receiver", "f");
  for (const std::optional<std::string>& told :
       {std::optional<std::string>("f"), std::optional<std::string>()}) {
    const PostgresInfo info = read(with(alone, "has_no_primary", told));
    ASSERT_TRUE(info.trouble);
    EXPECT_EQ(info.trouble->status, Status::critical);
    EXPECT_THAT(info.trouble->evidence, HasSubstr("no WAL receiver is connected"));
    EXPECT_THAT(text_of(info), ::testing::Not(HasSubstr("replication_lag")));
  }
  const PostgresInfo archive = read(with(alone, "has_no_primary", "t"), "standby");
  EXPECT_FALSE(archive.trouble);
  EXPECT_THAT(archive.unseen, HasSubstr("nobody knows how far it lags"));
}

TEST(PostgresInfo, WhatIsHiddenOrNotTrackedIsNotZero) {
  const PostgresInfo hidden =
      read(with(with(primary(), "sessions_hidden", "5"), "replicas_hidden", "2"));
  EXPECT_EQ(text_of(hidden), "connections_max=100 ");
  EXPECT_EQ(hidden.unseen,
            "the sessions of others are hidden from this user, who is not in pg_monitor; replicas "
            "are hidden from this user, who is not in pg_monitor");
  const PostgresInfo untracked = read(with(primary(), "sessions_untracked", "1"));
  EXPECT_EQ(text_of(untracked),
            "connections=40 connections_max=100 connections_share=50 locks_waiting=1 "
            "replication_lag=0.25 replication_lag_bytes=4096 connected_replicas=2 ");
  EXPECT_EQ(untracked.unseen, "what sessions do is not tracked (track_activities)");
}

TEST(PostgresInfo, AllSlotsReservedHaveNoShare) {
  EXPECT_EQ(value_in(with(primary(), "reserved", "83"), "connections_share"), "none");
  EXPECT_EQ(value_in(with(primary(), "reserved", std::nullopt), "connections_share"), "none");
}

TEST(PostgresInfo, WhatIsNoCountYieldsNothing) {
  for (const char* text : {"", "many", "-1", "1x", "nan", "inf", "1e999", " 1", "\x1b[31m7"}) {
    EXPECT_EQ(value_in(with(primary(), "connections", text), "connections"), "none") << text;
    EXPECT_EQ(value_in(with(primary(), "sessions_hidden", text), "connections"), "none") << text;
    EXPECT_EQ(value_in(with(primary(), "connections_max", text), "connections_share"), "none");
  }
  const PostgresInfo nothing = read_postgres_info({}, "");
  EXPECT_TRUE(nothing.values.empty());
  EXPECT_TRUE(nothing.trouble);
}

}  // namespace postgres_info_test
}  // namespace firebreak::probes
