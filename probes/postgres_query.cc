// One query over libpq, driven by readiness of its socket: libpq itself never waits here, and never
// looks up a name.
#include <fcntl.h>
#include <libpq-fe.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "common/limits.h"
#include "common/secret.h"
#include "probes/postgres.h"
#include "probes/postgres_wire.h"
#include "probes/stream.h"
#include "probes/tcp_info.h"
#include "probes/way.h"

namespace firebreak::probes {
namespace {

namespace asio = boost::asio;
using Descriptor = asio::posix::basic_stream_descriptor<Executor>;

const char* const kSystemAuthorities = "/etc/ssl/certs/ca-certificates.crt";

struct Finish {
  void operator()(PGconn* session) const { PQfinish(session); }
  void operator()(PGresult* result) const { PQclear(result); }
};
using Session = std::unique_ptr<PGconn, Finish>;
using QueryResult = std::unique_ptr<PGresult, Finish>;
using Parameters = std::vector<std::pair<std::string, std::string>>;

Phase phase_of(ConnStatusType status) {
  if (status == CONNECTION_STARTED || status == CONNECTION_NEEDED) return Phase::connect;
  return status == CONNECTION_SSL_STARTUP ? Phase::tls : Phase::first_byte;
}

// libpq's text without the places in PostgreSQL's source that verbose errors name.
std::string message_of(PGconn* session) {
  std::string text = PQerrorMessage(session);
  if (const auto at = text.find("\nLOCATION:"); at != std::string::npos) text.resize(at);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

bool fail_session(Attempt& attempt, PGconn* session) {
  if (attempt.is_over()) return attempt.fail_timeout("no session");
  const std::string message = message_of(session);
  const PostgresVerdict verdict = judge_postgres_failure(message);
  return attempt.fail(verdict.status, verdict.reason, message);
}

// On a copy of libpq's socket: libpq may close its own, and open another one, between two calls.
Awaitable<bool> wait_for(Attempt& attempt, PGconn* session, Descriptor::wait_type what) {
  if (attempt.is_over()) co_return attempt.fail_timeout("no answer of PostgreSQL");
  const int copy = ::fcntl(PQsocket(session), F_DUPFD_CLOEXEC, 0);
  if (copy < 0)
    co_return attempt.unknown(Reason::prober, "no file descriptor left for libpq's socket");
  Descriptor descriptor(attempt.tools().io.get_executor(), copy);
  const Attempt::AbortScope scope(attempt, [&descriptor] {
    boost::system::error_code ignored;
    descriptor.cancel(ignored);
  });
  const auto [error] = co_await descriptor.async_wait(what, as_data());
  if (error || attempt.is_over()) co_return fail_io(attempt, error, "PostgreSQL session");
  co_return true;
}

Awaitable<bool> finish_connecting(Attempt& attempt, PGconn* session) {
  if (PQstatus(session) == CONNECTION_BAD) co_return fail_session(attempt, session);
  PQsetErrorVerbosity(session, PQERRORS_VERBOSE);  // for the SQLSTATE
  auto next = Descriptor::wait_write;
  for (;;) {
    attempt.enter(phase_of(PQstatus(session)));
    if (!co_await wait_for(attempt, session, next)) co_return false;
    const PostgresPollingStatusType state = PQconnectPoll(session);
    if (state == PGRES_POLLING_OK) co_return true;
    if (state == PGRES_POLLING_FAILED) co_return fail_session(attempt, session);
    next = state == PGRES_POLLING_READING ? Descriptor::wait_read : Descriptor::wait_write;
  }
}

Session start_session(const Parameters& parameters) {
  std::vector<const char*> names;
  std::vector<const char*> values;
  for (const auto& [name, value] : parameters) {
    names.push_back(name.c_str());
    values.push_back(value.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  return Session(PQconnectStartParams(names.data(), values.data(), 0));
}

Parameters common_parameters(const PostgresSpec& spec, const std::string& password) {
  Parameters parameters = {{"host", spec.host},         {"port", std::to_string(spec.port)},
                           {"dbname", spec.database},   {"user", spec.user},
                           {"sslmode", spec.sslmode},   {"gssencmode", "disable"},
                           {"client_encoding", "UTF8"}, {"application_name", "firebreak"}};
  if (!password.empty()) parameters.emplace_back("password", password);
  if (spec.sslmode.starts_with("verify") && std::getenv("PGSSLROOTCERT") == nullptr)
    parameters.emplace_back("sslrootcert", kSystemAuthorities);
  return parameters;
}

Awaitable<bool> connect_session(Attempt& attempt, const PostgresSpec& spec, std::string password,
                                Session& session) {
  const Parameters common = common_parameters(spec, password);
  if (spec.host.starts_with('/')) {
    session = start_session(common);
    co_return co_await finish_connecting(attempt, session.get());
  }
  if (!attempt.spec().source.empty())
    co_return attempt.unknown(
        Reason::config, "libpq, which asks the query, cannot ask from an address of your choice");
  Addresses addresses;
  if (!co_await resolve(attempt, spec.host, addresses)) co_return false;
  bool is_blamed = false;
  for (std::size_t i = 0; i < addresses.size() && !attempt.is_over(); ++i) {
    if (!has_way_to(addresses[i])) {
      if (!is_blamed) fail_no_way(attempt, addresses[i]);
      continue;
    }
    is_blamed = true;
    Parameters parameters = common;
    parameters.emplace_back("hostaddr", addresses[i].to_string());
    const std::size_t left = addresses.size() - i;
    if (left > 1) attempt.begin_step(step_deadline(attempt, left));
    session = start_session(parameters);
    const bool connected = co_await finish_connecting(attempt, session.get());
    if (left > 1) attempt.end_step();
    if (connected) co_return true;
  }
  co_return false;
}

bool fail_too_long(Attempt& attempt) {
  return attempt.unknown(Reason::config,
                         "the query answers with more than 1 MiB; let it return one row");
}

// The query between BEGIN and COMMIT, all four sent at once.
class Pipeline {
 public:
  Pipeline(Attempt& attempt, PGconn* session, SqlAnswer& answer)
      : attempt_(attempt), session_(session), answer_(answer) {}

  bool send(const std::string& query) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(attempt_.deadline() - attempt_.now());
    const std::string limit =
        "SET LOCAL statement_timeout = " + std::to_string(std::max<std::int64_t>(1, left.count()));
    const bool sent = PQsetnonblocking(session_, 1) == 0 && PQenterPipelineMode(session_) == 1 &&
                      send_one("BEGIN READ ONLY") && send_one(limit) && send_one(query) &&
                      send_one("COMMIT") && PQpipelineSync(session_) == 1;
    return sent || fail_session(attempt_, session_);
  }

  // Takes what has arrived. False after attempt.fail().
  bool take() {
    while (!is_done_ && PQisBusy(session_) == 0) {
      const QueryResult result(PQgetResult(session_));
      if (!result) {
        if (++step_ == kQueryStep) PQsetSingleRowMode(session_);
      } else if (!take_one(result.get())) {
        return false;
      }
    }
    return tcp_bytes_received(PQsocket(session_)) <= kReceivedMax || fail_too_long(attempt_);
  }

  [[nodiscard]] bool is_done() const { return is_done_; }

 private:
  static constexpr int kQueryStep = 2;  // after BEGIN and SET
  static constexpr std::uint64_t kReceivedMax = limits::kSqlReplyBytesMax * 2;  // with the overhead

  bool send_one(const std::string& statement) {
    return PQsendQueryParams(session_, statement.c_str(), 0, nullptr, nullptr, nullptr, nullptr,
                             0) == 1;
  }

  bool take_one(const PGresult* result) {
    switch (PQresultStatus(result)) {
      case PGRES_SINGLE_TUPLE:
        return take_row(result);
      case PGRES_TUPLES_OK:
      case PGRES_COMMAND_OK:
        return true;
      case PGRES_PIPELINE_SYNC:
        is_done_ = true;
        return true;
      case PGRES_FATAL_ERROR:
        return fail(result);
      case PGRES_EMPTY_QUERY:
      case PGRES_COPY_OUT:
      case PGRES_COPY_IN:
      case PGRES_COPY_BOTH:
      case PGRES_BAD_RESPONSE:
      case PGRES_NONFATAL_ERROR:
      case PGRES_PIPELINE_ABORTED:
        break;
    }
    return attempt_.unknown(Reason::config, "the query is not one that answers with rows");
  }

  bool take_row(const PGresult* result) {
    for (int column = 0; column < PQnfields(result); ++column)
      bytes_ += static_cast<std::size_t>(PQgetlength(result, 0, column));
    if (bytes_ > limits::kSqlReplyBytesMax) return fail_too_long(attempt_);
    if (++answer_.rows > 1 || PQnfields(result) == 0 || PQgetisnull(result, 0, 0) != 0) return true;
    const std::string_view text(PQgetvalue(result, 0, 0),
                                static_cast<std::size_t>(PQgetlength(result, 0, 0)));
    answer_.value = std::string(text.substr(0, limits::kSqlValueBytesMax));
    constexpr std::array<Oid, 7> kNumbers = {20, 21, 23, 26, 700, 701, 1700};  // int8 to numeric
    answer_.is_number =
        std::find(kNumbers.begin(), kNumbers.end(), PQftype(result, 0)) != kNumbers.end();
    return true;
  }

  bool fail(const PGresult* result) {
    const char* const code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char* const text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (code == nullptr || text == nullptr) return fail_session(attempt_, session_);
    const PostgresVerdict verdict = judge_sqlstate(code);
    return attempt_.fail(verdict.status, verdict.reason, std::string(code) + ": " + text);
  }

  Attempt& attempt_;
  PGconn* session_;
  SqlAnswer& answer_;
  int step_ = 0;
  std::size_t bytes_ = 0;
  bool is_done_ = false;
};

Awaitable<bool> run_query(Attempt& attempt, PGconn* session, const std::string& query,
                          SqlAnswer& answer) {
  attempt.enter(Phase::query);
  Pipeline pipeline(attempt, session, answer);
  if (!pipeline.send(query)) co_return false;
  for (;;) {
    const int unsent = PQflush(session);
    if (unsent < 0) co_return fail_session(attempt, session);
    const auto what = unsent > 0 ? Descriptor::wait_write : Descriptor::wait_read;
    if (!co_await wait_for(attempt, session, what)) co_return false;
    if (PQconsumeInput(session) == 0) co_return fail_session(attempt, session);
    if (!pipeline.take()) co_return false;
    if (pipeline.is_done()) co_return true;
  }
}

}  // namespace

Awaitable<bool> ask_postgres(Attempt& attempt, const PostgresSpec& spec, SqlAnswer& answer) {
  std::string password;
  if (!spec.password_file.empty()) {
    const auto secret = read_password_file(spec.password_file);
    if (!secret) co_return attempt.unknown(Reason::config, secret.error().message);
    password = secret->reveal();
    attempt.keep_secret(password);
  }
  attempt.enter(Phase::connect);
  Session session;
  if (!co_await connect_session(attempt, spec, std::move(password), session)) co_return false;
  if (attempt.tracing())
    attempt.trace("connected to PostgreSQL " + std::to_string(PQserverVersion(session.get())));
  co_return co_await run_query(attempt, session.get(), spec.query, answer);
}

}  // namespace firebreak::probes
