// Sums over SHOW POOLS, of versions and of servers that there are and that there should not be.
#include "probes/pgbouncer_pools.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "common/probe_spec.h"

namespace firebreak::probes {
namespace pgbouncer_pools_test {

using Columns = std::vector<std::pair<std::string, std::optional<std::string>>>;

// As version 1.18 orders them.
Columns pool(const std::string& database, const std::string& waiting = "2",
             const std::string& wait = "3") {
  return {{"database", database},  {"user", "shop"},         {"cl_active", "10"},
          {"cl_waiting", waiting}, {"sv_active", "4"},       {"sv_idle", "5"},
          {"sv_used", "6"},        {"sv_tested", "7"},       {"sv_login", "8"},
          {"maxwait", wait},       {"maxwait_us", "500000"}, {"pool_mode", "session"}};
}

std::string read(const std::vector<Columns>& rows, const std::string& database = "") {
  PgbouncerPools pools(database);
  for (const Columns& columns : rows) {
    std::vector<SqlField> row;
    row.reserve(columns.size());
    for (const auto& [name, text] : columns) {
      SqlField& field = row.emplace_back();
      field.name = name;
      if (text) field.text = *text;
    }
    pools.add(row);
  }
  if (!pools.is_understood()) return "not understood";
  std::string text;
  for (const NamedValue& value : pools.values())
    text.append(value.name).append("=").append(format_number(value.value)).append(" ");
  return text;
}

TEST(PgbouncerPools, AreSummedUpAndTheLongestWaitCounts) {
  EXPECT_EQ(read({pool("shop"), pool("pgbouncer", "100", "100"), pool("mail", "1", "9")}),
            "clients_active=20 clients_waiting=3 servers_active=8 servers_idle=10 servers_used=12 "
            "servers_tested=14 servers_login=16 maxwait=9.5 pools=2 ");
  const std::vector<NamedValue> values = PgbouncerPools("").values();
  ASSERT_EQ(values.size(), pgbouncer_values().size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(values[i].name, pgbouncer_values()[i]);
    EXPECT_EQ(values[i].value, 0);
  }
}

TEST(PgbouncerPools, OfOneDatabaseAlone) {
  const std::string one = read({pool("shop"), pool("mail")}, "mail");
  EXPECT_EQ(one, read({pool("mail")}));
  PgbouncerPools missing("mail");
  EXPECT_EQ(missing.pools(), 0);
  // Its own console, when that is what is asked for.
  EXPECT_EQ(read({pool("pgbouncer")}, "pgbouncer"), one);
}

TEST(PgbouncerPools, ColumnsAreFoundByName) {
  Columns backwards = pool("shop");
  std::reverse(backwards.begin(), backwards.end());
  EXPECT_EQ(read({backwards}), read({pool("shop")}));
  // Before 1.8 there were no microseconds.
  Columns old = pool("shop");
  std::erase_if(old, [](const auto& column) { return column.first == "maxwait_us"; });
  EXPECT_NE(read({old}).find("maxwait=3 "), std::string::npos);
}

TEST(PgbouncerPools, ASumThatLacksARowIsNone) {
  for (const char* bad : {"", "-1", "many", "nan", "1e999", "7\n"}) {
    const std::string text = read({pool("shop"), pool("mail", bad), pool("other")});
    EXPECT_EQ(text.find("clients_waiting"), std::string::npos) << bad;
    EXPECT_NE(text.find("clients_active=30"), std::string::npos) << bad;
    EXPECT_EQ(read({pool("shop"), pool("mail", "1", bad), pool("other")}).find("maxwait"),
              std::string::npos)
        << bad;
  }
  Columns null = pool("shop");
  null[3].second = std::nullopt;
  EXPECT_EQ(read({null, pool("mail")}).find("clients_waiting"), std::string::npos);
  const std::string huge = read({pool("shop", "1e308"), pool("mail", "1e308")});
  EXPECT_EQ(huge.find("clients_waiting"), std::string::npos) << "infinite";
}

TEST(PgbouncerPools, RowsOfSomethingElseAreNotUnderstood) {
  EXPECT_EQ(read({{{"value", "1"}}}), "not understood");
  EXPECT_EQ(read({{{"database", std::nullopt}, {"cl_active", "1"}}}), "not understood");
  EXPECT_EQ(read({{}}), "not understood");
}

}  // namespace pgbouncer_pools_test
}  // namespace firebreak::probes
