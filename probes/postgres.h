// PostgreSQL: whether it takes connections, what a query answers, what it tells about itself; and
// the pools of a pgbouncer.
//
// Without a question nothing but the start-up packet is sent, so no password is needed: one that
// asks for credentials, or refuses ours, is accepting; one that starts, stops or has no slot left
// is rejecting. Questions run in a read-only transaction with a statement_timeout that ends when
// the probe does, so that a slow server does not collect abandoned queries. The console of a
// pgbouncer knows neither, and is asked alone.
//
// With sslmode verify-ca or verify-full the authorities of `tls_ca_file` are asked, or else those
// of PGSSLROOTCERT, or else the system's. libpq does a server's SCRAM iterations on our thread: do
// not give a password to a server that nobody of yours runs.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/probe_spec.h"
#include "probes/attempt.h"
#include "probes/sql_row.h"

namespace firebreak::probes {

struct SqlAnswer {
  std::int64_t rows = 0;
  std::optional<std::string> value;  // first column of the first row; absent when null
  bool is_number = false;            // by the column's type
  std::string unseen;                // what the server did not tell about itself, and why
};

Awaitable<void> probe_postgres(Attempt& attempt, const PostgresSpec& spec);
Awaitable<void> probe_pgbouncer(Attempt& attempt, const PgbouncerSpec& spec);

// Runs spec.query, if there is one, and asks the server about itself when the spec wants_info:
// its values are added. False after attempt.fail(), which another role is a reason for.
Awaitable<bool> ask_postgres(Attempt& attempt, const PostgresSpec& spec, SqlAnswer& answer);

struct SqlQuestion {
  std::string statement;
  std::function<void(SqlRow)> take;  // called with each row of its answer
};
enum class SqlSession {
  transaction,  // read-only
  console,      // of a pgbouncer, which takes one question
};
// Connects and asks, in this order. False after attempt.fail().
Awaitable<bool> ask_session(Attempt& attempt, const PostgresSpec& spec, SqlSession session,
                            std::vector<SqlQuestion> questions);

}  // namespace firebreak::probes
