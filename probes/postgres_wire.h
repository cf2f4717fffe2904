// The few bytes of PostgreSQL's protocol that tell whether a server takes connections, and what its
// error codes mean for a probe. Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/observation.h"

namespace firebreak::probes {

// The first packet of a connection, protocol 3.0.
std::string postgres_startup(const std::string& user, const std::string& database);

struct PostgresGreeting {
  enum class Kind {
    more,       // incomplete
    accepting,  // it asks for credentials, or for none
    error,
    garbage,
  };
  Kind kind = Kind::more;
  std::string code;  // SQLSTATE of an error; empty when the server was too sick to say
  std::string text;
};
// What the server's first bytes say; notices before the answer are skipped.
PostgresGreeting parse_postgres_greeting(std::string_view bytes);

// What a server wants of a client that logs in, before libpq sees it.
struct PostgresLogin {
  enum class Kind {
    fine,    // libpq may read it, and judges it
    more,    // incomplete: libpq may not
    costly,  // SCRAM with more than kScramRoundsMax rounds, which libpq would compute
  };
  Kind kind = Kind::fine;
  int questions = 0;  // for a password, or of the first of SCRAM: one is enough
};
PostgresLogin parse_postgres_login(std::string_view bytes);

struct PostgresVerdict {
  Status status = Status::critical;
  Reason reason = Reason::status;
};
// Whether an error to the start-up packet means that nobody gets in: starting, shutting down. As
// with pg_isready, any other error shows that the server is there.
bool is_rejecting(std::string_view sqlstate);
// One of these others: no connection slot is left.
bool is_full(std::string_view sqlstate);
// For an error when connecting or querying.
PostgresVerdict judge_sqlstate(std::string_view sqlstate);
// For libpq's text of a failed connection, "... FATAL:  28P01: password ..." included.
PostgresVerdict judge_postgres_failure(std::string_view message);

}  // namespace firebreak::probes
