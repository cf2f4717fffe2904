// Questions over libpq, driven by readiness of its socket: libpq itself never waits here, and never
// looks up a name.
#include <fcntl.h>
#include <libpq-fe.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "common/file.h"
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

// libpq itself would print what the server says to our stderr.
void drop_notice(void* /*nobody*/, const PGresult* /*notice*/) {}

// A server can go on with certificates, questions for the password, notices and parameters for
// ever, and libpq would take them all.
class Patience {
 public:
  [[nodiscard]] bool is_over(PGconn* session) {
    const std::uint64_t received = tcp_bytes_received(PQsocket(session));
    const ConnStatusType status = PQstatus(session);
    const bool is_tls = status == CONNECTION_STARTED || status == CONNECTION_SSL_STARTUP;
    if (is_tls) before_ = received;
    return received - std::min(before_, received) > limits::kSqlGreetingBytesMax ||
           before_ > limits::kSqlReplyBytesMax;
  }

 private:
  std::uint64_t before_ = 0;  // received until TLS stood
};

constexpr std::size_t kPeekBytes = 8192;  // several of the longest messages of a login

// What libpq would read next, left where it is.
std::string peek(PGconn* session) {
  std::array<char, kPeekBytes> buffer;
  if (auto* const tls = static_cast<SSL*>(PQsslStruct(session, "OpenSSL"))) {
    ERR_clear_error();
    const int size = SSL_peek(tls, buffer.data(), static_cast<int>(buffer.size()));
    ERR_clear_error();  // libpq takes what lies there for its own
    return {buffer.data(), static_cast<std::size_t>(std::max(0, size))};
  }
  const auto size =
      ::recv(PQsocket(session), buffer.data(), buffer.size(), MSG_PEEK | MSG_DONTWAIT);
  return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(0, size))};
}

// The server has said its last word, and peek() shows all that libpq can ever read; of TLS it shows
// one record.
bool is_all_there(PGconn* session) {
  if (PQsslInUse(session) != 0) return false;
  pollfd one{PQsocket(session), POLLRDHUP, 0};
  return ::poll(&one, 1, 0) != 0;
}

// libpq computes as many rounds of SCRAM as a server asks for, all at once: two thousand million of
// them hold up every probe for an hour. So it reads what a server wants only when all of it is
// there and harmless; who asks a second time may hide something behind it.
Awaitable<bool> check_login(Attempt& attempt, PGconn* session, int& questions) {
  constexpr auto kBeat = std::chrono::milliseconds(5);  // half a message looks ready for ever
  asio::basic_waitable_timer<std::chrono::steady_clock,
                             asio::wait_traits<std::chrono::steady_clock>, Executor>
      timer(attempt.tools().io.get_executor());
  PostgresLogin login;
  for (;;) {
    const bool has_ended = is_all_there(session);
    const std::string bytes = peek(session);
    login = parse_postgres_login(bytes);
    const bool is_more = login.kind == PostgresLogin::Kind::more;
    if (questions + login.questions > 1 || (is_more && bytes.size() == kPeekBytes))
      co_return attempt.critical(Reason::protocol, "the server asks for the password again");
    if (!is_more || has_ended) break;
    if (attempt.is_over()) co_return attempt.fail_timeout("no answer of PostgreSQL");
    timer.expires_after(kBeat);
    co_await timer.async_wait(as_data());
  }
  questions += login.questions;
  if (login.kind == PostgresLogin::Kind::costly)
    co_return attempt.critical(Reason::protocol, "the server wants more rounds of SCRAM than " +
                                                     std::to_string(limits::kScramRoundsMax));
  co_return true;
}

Awaitable<bool> finish_connecting(Attempt& attempt, PGconn* session) {
  if (PQstatus(session) == CONNECTION_BAD) co_return fail_session(attempt, session);
  PQsetErrorVerbosity(session, PQERRORS_VERBOSE);  // for the SQLSTATE
  PQsetNoticeReceiver(session, drop_notice, nullptr);
  // Or libpq would wait, and all probes with it, for a server that does not read our answers.
  if (PQsetnonblocking(session, 1) != 0) co_return fail_session(attempt, session);
  Patience patience;
  int questions = 0;
  auto next = Descriptor::wait_write;
  for (;;) {
    attempt.enter(phase_of(PQstatus(session)));
    if (!co_await wait_for(attempt, session, next)) co_return false;
    if (PQstatus(session) == CONNECTION_AWAITING_RESPONSE &&
        !co_await check_login(attempt, session, questions))
      co_return false;
    const PostgresPollingStatusType state = PQconnectPoll(session);
    if (state == PGRES_POLLING_OK) co_return true;
    if (state == PGRES_POLLING_FAILED) co_return fail_session(attempt, session);
    if (patience.is_over(session))
      co_return attempt.critical(Reason::protocol, "more than 64 KiB and no session");
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

// libpq reads the files itself. It goes without a certificate that is not there, and blames the
// server for authorities that are not; so they are looked at before. `key_file`: its path.
bool check_tls_files(Attempt& attempt, const PostgresSpec& spec, std::string& key_file) {
  for (const std::string& path : {spec.tls_ca_file, spec.tls_certificate_file}) {
    if (path.empty()) continue;
    if (const auto text = read_small_file(path, limits::kTlsAuthoritiesBytesMax); !text)
      return attempt.unknown(Reason::config, text.error().message);
  }
  if (spec.tls_key_file.empty()) return true;
  const auto path = secret_file_path(spec.tls_key_file);
  if (!path) return attempt.unknown(Reason::config, path.error().message);
  key_file = *path;
  return true;
}

Parameters common_parameters(const PostgresSpec& spec, const std::string& password,
                             const std::string& key_file) {
  Parameters parameters = {{"host", spec.host},         {"port", std::to_string(spec.port)},
                           {"dbname", spec.database},   {"user", spec.user},
                           {"sslmode", spec.sslmode},   {"gssencmode", "disable"},
                           {"client_encoding", "UTF8"}, {"application_name", "firebreak"}};
  if (!password.empty()) parameters.emplace_back("password", password);
  if (!key_file.empty()) {
    parameters.emplace_back("sslcert", spec.tls_certificate_file);
    parameters.emplace_back("sslkey", key_file);
    parameters.emplace_back("sslpassword", "none");  // or OpenSSL would ask the terminal
  }
  if (!spec.tls_ca_file.empty())
    parameters.emplace_back("sslrootcert", spec.tls_ca_file);
  else if (spec.sslmode.starts_with("verify") && std::getenv("PGSSLROOTCERT") == nullptr)
    parameters.emplace_back("sslrootcert", kSystemAuthorities);
  return parameters;
}

Awaitable<bool> connect_session(Attempt& attempt, const PostgresSpec& spec, Parameters common,
                                Session& session) {
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

bool is_number(Oid type) {
  constexpr std::array<Oid, 7> kNumbers = {20, 21, 23, 26, 700, 701, 1700};  // int8 to numeric
  return std::find(kNumbers.begin(), kNumbers.end(), type) != kNumbers.end();
}

// The questions between BEGIN and COMMIT, all of them sent at once; or one, and nothing else.
class Exchange {
 public:
  Exchange(Attempt& attempt, PGconn* session, std::vector<SqlQuestion> questions)
      : attempt_(attempt), session_(session), questions_(std::move(questions)) {}

  bool send(SqlSession session) {
    const bool sent = session == SqlSession::console ? send_alone() : send_transaction();
    return sent || fail_session(attempt_, session_);
  }

  // Takes what has arrived. False after attempt.fail().
  bool take() {
    while (!is_done_ && PQisBusy(session_) == 0) {
      const QueryResult result(PQgetResult(session_));
      if (!result)
        end_statement();
      else if (!take_one(result.get()))
        return false;
    }
    return tcp_bytes_received(PQsocket(session_)) <= kReceivedMax || fail_too_long(attempt_);
  }

  [[nodiscard]] bool is_done() const { return is_done_; }

 private:
  static constexpr std::size_t kQuestionStep = 2;  // after BEGIN and SET
  static constexpr std::uint64_t kReceivedMax = limits::kSqlReplyBytesMax * 2;  // with the overhead

  bool send_alone() {
    step_ = kQuestionStep;
    return PQsendQuery(session_, questions_.front().statement.c_str()) == 1 &&
           PQsetSingleRowMode(session_) == 1;
  }

  bool send_transaction() {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(attempt_.deadline() - attempt_.now());
    const std::string limit =
        "SET LOCAL statement_timeout = " + std::to_string(std::max<std::int64_t>(1, left.count()));
    return PQenterPipelineMode(session_) == 1 && send_one("BEGIN READ ONLY") && send_one(limit) &&
           std::all_of(questions_.begin(), questions_.end(),
                       [this](const SqlQuestion& one) { return send_one(one.statement); }) &&
           send_one("COMMIT") && PQpipelineSync(session_) == 1;
  }

  bool send_one(const std::string& statement) {
    return PQsendQueryParams(session_, statement.c_str(), 0, nullptr, nullptr, nullptr, nullptr,
                             0) == 1;
  }

  void end_statement() {
    if (PQpipelineStatus(session_) == PQ_PIPELINE_OFF)
      is_done_ = true;
    else if (++step_; is_question())
      PQsetSingleRowMode(session_);
  }

  [[nodiscard]] bool is_question() const {
    return step_ >= kQuestionStep && step_ < kQuestionStep + questions_.size();
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
    row_.clear();
    for (int column = 0; column < PQnfields(result); ++column) {
      SqlField& field = row_.emplace_back();
      field.name = PQfname(result, column);
      field.is_number = is_number(PQftype(result, column));
      const auto size = static_cast<std::size_t>(PQgetlength(result, 0, column));
      if (PQgetisnull(result, 0, column) == 0)
        field.text = std::string_view(PQgetvalue(result, 0, column), size);
      bytes_ += size;
    }
    if (bytes_ > limits::kSqlReplyBytesMax) return fail_too_long(attempt_);
    if (is_question()) questions_[step_ - kQuestionStep].take(row_);
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
  const std::vector<SqlQuestion> questions_;
  std::vector<SqlField> row_;
  std::size_t step_ = 0;
  std::size_t bytes_ = 0;
  bool is_done_ = false;
};

Awaitable<bool> exchange(Attempt& attempt, PGconn* session, SqlSession kind,
                         std::vector<SqlQuestion> questions) {
  attempt.enter(Phase::query);
  Exchange exchange(attempt, session, std::move(questions));
  if (!exchange.send(kind)) co_return false;
  for (;;) {
    const int unsent = PQflush(session);
    if (unsent < 0) co_return fail_session(attempt, session);
    const auto what = unsent > 0 ? Descriptor::wait_write : Descriptor::wait_read;
    if (!co_await wait_for(attempt, session, what)) co_return false;
    if (PQconsumeInput(session) == 0) co_return fail_session(attempt, session);
    if (!exchange.take()) co_return false;
    if (exchange.is_done()) co_return true;
  }
}

}  // namespace

Awaitable<bool> ask_session(Attempt& attempt, const PostgresSpec& spec, SqlSession session,
                            std::vector<SqlQuestion> questions) {
  std::string password;
  if (!spec.password_file.empty()) {
    const auto secret = read_password_file(spec.password_file);
    if (!secret) co_return attempt.unknown(Reason::config, secret.error().message);
    password = secret->reveal();
    attempt.keep_secret(password);
  }
  std::string key_file;
  if (!check_tls_files(attempt, spec, key_file)) co_return false;
  attempt.enter(Phase::connect);
  Session connection;
  Parameters parameters = common_parameters(spec, password, key_file);
  if (!co_await connect_session(attempt, spec, std::move(parameters), connection)) co_return false;
  if (attempt.tracing())
    attempt.trace("connected to PostgreSQL " + std::to_string(PQserverVersion(connection.get())));
  co_return co_await exchange(attempt, connection.get(), session, std::move(questions));
}

}  // namespace firebreak::probes
