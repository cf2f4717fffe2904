// What SHOW POOLS of a pgbouncer says: one row for each pool, a pair of database and user
// (pgbouncer(5), "SHOW POOLS").
//
// Pure. A column that is missing, null or no count in any row yields no value: a sum without it
// would be wrong. pgbouncer's own pool, which is its console, is not looked at.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "common/observation.h"
#include "probes/sql_row.h"

namespace firebreak::probes {

class PgbouncerPools {
 public:
  // Of one database alone, or of all when it is empty.
  explicit PgbouncerPools(std::string database) : database_(std::move(database)) { sums_.fill(0); }

  void add(SqlRow row);
  // False: what was asked is no pgbouncer, for a row names no database.
  [[nodiscard]] bool is_understood() const { return is_understood_; }
  [[nodiscard]] double pools() const { return pools_; }
  // Of pgbouncer_values(), in that order, finite.
  [[nodiscard]] std::vector<NamedValue> values() const;

 private:
  const std::string database_;
  std::array<std::optional<double>, 7> sums_;
  std::optional<double> longest_wait_ = 0;
  double pools_ = 0;
  bool is_understood_ = true;
};

}  // namespace firebreak::probes
