// Sums over the rows, and the longest wait of all.
#include "probes/pgbouncer_pools.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace firebreak::probes {
namespace {

constexpr std::string_view kConsole = "pgbouncer";  // the database that is its own

// Its name here, and its column.
constexpr std::array<std::pair<const char*, std::string_view>, 7> kSums{
    {{"clients_active", "cl_active"},
     {"clients_waiting", "cl_waiting"},
     {"servers_active", "sv_active"},
     {"servers_idle", "sv_idle"},
     {"servers_used", "sv_used"},
     {"servers_tested", "sv_tested"},
     {"servers_login", "sv_login"}}};

// Whole seconds, and since version 1.8 the microseconds behind them.
std::optional<double> wait_of(SqlRow row) {
  constexpr double kMicrosecond = 1e-6;
  const auto seconds = count_in(row, "maxwait");
  if (!seconds) return std::nullopt;
  return *seconds + count_in(row, "maxwait_us").value_or(0) * kMicrosecond;
}

}  // namespace

void PgbouncerPools::add(SqlRow row) {
  const auto database = text_in(row, "database");
  if (!database) is_understood_ = false;
  if (!database || (database_.empty() ? *database == kConsole : *database != database_)) return;
  ++pools_;
  for (std::size_t i = 0; i < kSums.size(); ++i) {
    const auto count = count_in(row, kSums[i].second);
    sums_[i] = count && sums_[i] ? std::optional(*sums_[i] + *count) : std::nullopt;
  }
  const auto wait = wait_of(row);
  longest_wait_ =
      wait && longest_wait_ ? std::optional(std::max(*longest_wait_, *wait)) : std::nullopt;
}

std::vector<NamedValue> PgbouncerPools::values() const {
  std::vector<NamedValue> values;
  values.reserve(kSums.size() + 2);
  const auto add = [&](const char* name, std::optional<double> value) {
    if (value && std::isfinite(*value)) values.push_back({name, *value});
  };
  for (std::size_t i = 0; i < kSums.size(); ++i) add(kSums[i].first, sums_[i]);
  add("maxwait", longest_wait_);
  add("pools", pools_);
  return values;
}

}  // namespace firebreak::probes
