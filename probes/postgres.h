// PostgreSQL: whether it takes connections, or what a query answers.
//
// Without a query nothing but the start-up packet is sent, so no password is needed: one that asks
// for credentials, or refuses ours, is accepting; one that starts, stops or has no slot left is
// rejecting. A query runs in a read-only transaction with a statement_timeout that ends when the
// probe does, so that a slow server does not collect abandoned queries.
//
// With sslmode verify-ca or verify-full the system's authorities are asked, or those of
// PGSSLROOTCERT. libpq does a server's SCRAM iterations on our thread: do not give a password to a
// server that nobody of yours runs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/probe_spec.h"
#include "probes/attempt.h"

namespace firebreak::probes {

struct SqlAnswer {
  std::int64_t rows = 0;
  std::optional<std::string> value;  // first column of the first row; absent when null
  bool is_number = false;            // by the column's type
};

Awaitable<void> probe_postgres(Attempt& attempt, const PostgresSpec& spec);

// Runs spec.query. False after attempt.fail().
Awaitable<bool> ask_postgres(Attempt& attempt, const PostgresSpec& spec, SqlAnswer& answer);

}  // namespace firebreak::probes
