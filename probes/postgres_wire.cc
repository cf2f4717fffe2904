// Bytes and codes; see "Message Formats" and "Error Codes" in PostgreSQL's manual.
#include "probes/postgres_wire.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <system_error>
#include <utility>

#include "common/limits.h"

namespace firebreak::probes {
namespace {

constexpr std::size_t kHeaderBytes = 5;  // kind and length
// protocol_violation: what pgbouncer says whatever it means; the words tell.
constexpr std::string_view kPgbouncerError = "08P01";

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes += static_cast<char>(static_cast<unsigned char>(value >> shift));
  return bytes;
}

std::uint32_t read_big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

PostgresGreeting parse_error(std::string_view fields) {
  PostgresGreeting greeting{PostgresGreeting::Kind::error, "", ""};
  while (!fields.empty() && fields.front() != '\0') {
    const char field = fields.front();
    const std::size_t end = fields.find('\0', 1);
    if (end == std::string_view::npos) break;
    const std::string_view value = fields.substr(1, end - 1);
    if (field == 'C') greeting.code = value;
    if (field == 'M') greeting.text = value;
    fields.remove_prefix(end + 1);
  }
  return greeting;
}

// Of "r=...,s=...,i=4096" (RFC 5802, 7) the third: whether it is more than we would compute. What
// is no such text libpq refuses.
bool is_costly(std::string_view scram) {
  for (int attribute = 0; attribute < 2; ++attribute) {
    const std::size_t comma = scram.find(',');
    if (comma == std::string_view::npos) return false;
    scram.remove_prefix(comma + 1);
  }
  if (!scram.starts_with("i=")) return false;
  scram.remove_prefix(2);
  std::uint64_t rounds = 0;
  const auto read = std::from_chars(scram.data(), scram.data() + scram.size(), rounds);
  return read.ec != std::errc{} || rounds > limits::kScramRoundsMax;
}

// A postmaster that cannot even fork says so as before version 7.4: 'E' and a text.
bool is_old_style(std::string_view bytes, std::uint32_t length) {
  return bytes.front() == 'E' && (length < 8 || length > limits::kSqlGreetingBytesMax);
}

struct Known {
  std::string_view code;
  PostgresVerdict verdict;
};

bool is_code(std::string_view text) {
  return text.size() == 5 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
         });
}

// libpq's "FATAL:  28P01: text", the severity in the server's language.
std::string_view find_sqlstate(std::string_view message) {
  for (auto at = message.find(":  "); at != std::string_view::npos;
       at = message.find(":  ", at + 1)) {
    const std::string_view code = message.substr(at + 3, 5);
    if (is_code(code) && message.substr(at + 8, 1) == ":") return code;
  }
  return {};
}

bool holds_errno(std::string_view message, int number) {
  return message.find(std::generic_category().message(number)) != std::string_view::npos;
}

}  // namespace

std::string postgres_startup(const std::string& user, const std::string& database) {
  std::string body = big_endian(3u << 16);
  for (const std::string& word : {std::string("user"), user, std::string("database"), database,
                                  std::string("application_name"), std::string("firebreak")})
    body += word + '\0';
  body += '\0';
  return big_endian(static_cast<std::uint32_t>(body.size() + 4)) + body;
}

PostgresGreeting parse_postgres_greeting(std::string_view bytes) {
  using Kind = PostgresGreeting::Kind;
  while (!bytes.empty()) {
    const char kind = bytes.front();
    if (kind != 'R' && kind != 'E' && kind != 'N' && kind != 'v')
      return {Kind::garbage, "", std::string(bytes)};
    if (bytes.size() < kHeaderBytes) return {};
    const std::uint32_t length = read_big_endian(bytes.substr(1));
    if (is_old_style(bytes, length)) {
      const std::size_t end = bytes.find('\0');
      if (end == std::string_view::npos) return {};
      return {Kind::error, "", std::string(bytes.substr(1, end - 1))};
    }
    if (length < 4 || length > limits::kSqlGreetingBytesMax)
      return {Kind::garbage, "", std::string(bytes)};
    if (kind == 'R') return {Kind::accepting, "", ""};
    if (bytes.size() < length + 1) return {};
    if (kind == 'E') return parse_error(bytes.substr(kHeaderBytes, length - 4));
    bytes.remove_prefix(length + 1);
  }
  return {};
}

PostgresLogin parse_postgres_login(std::string_view bytes) {
  constexpr std::uint32_t kLongest = 2000;  // libpq takes no longer request for credentials
  constexpr std::uint32_t kClear = 3, kMd5 = 5, kSasl = 10, kSaslContinue = 11;
  PostgresLogin login;
  while (!bytes.empty() && bytes.front() == 'R') {
    login.kind = PostgresLogin::Kind::more;
    if (bytes.size() < kHeaderBytes) return login;
    const std::uint32_t length = read_big_endian(bytes.substr(1));
    if (length < 8 || length > kLongest) break;
    if (bytes.size() < length + 1) return login;
    const std::uint32_t code = read_big_endian(bytes.substr(kHeaderBytes));
    if (code == kClear || code == kMd5 || code == kSasl) ++login.questions;
    login.kind = PostgresLogin::Kind::costly;
    if (code == kSaslContinue && is_costly(bytes.substr(kHeaderBytes + 4, length - 8)))
      return login;
    bytes.remove_prefix(length + 1);
  }
  login.kind = PostgresLogin::Kind::fine;
  return login;
}

bool is_rejecting(std::string_view sqlstate) {
  return sqlstate.empty() || sqlstate == "57P03";  // cannot_connect_now, or it could not say
}

bool is_full(std::string_view sqlstate) {
  return sqlstate == "53300";  // too_many_connections
}

PostgresVerdict judge_sqlstate(std::string_view sqlstate) {
  static constexpr std::array<Known, 7> kKnown{{
      {"3D000", {Status::critical, Reason::missing}},  // database
      {"42P01", {Status::critical, Reason::missing}},  // table
      {"42501", {Status::critical, Reason::auth}},     // privilege
      {"57014", {Status::critical, Reason::timeout}},  // statement_timeout
      {"25006", {Status::unknown, Reason::config}},    // the query writes
      {"42", {Status::unknown, Reason::config}},       // the query is wrong
      {"28", {Status::critical, Reason::auth}},
  }};
  for (const Known& known : kKnown)
    if (sqlstate.starts_with(known.code)) return known.verdict;
  return {};
}

PostgresVerdict judge_postgres_failure(std::string_view message) {
  const auto holds = [message](std::string_view text) {
    return message.find(text) != std::string_view::npos;
  };
  if (const std::string_view code = find_sqlstate(message); code == kPgbouncerError) {
    if (holds("no such database")) return {Status::critical, Reason::missing};
    const bool is_auth = holds("not allowed") || holds("no such user") ||
                         holds("authentication failed") || holds("certificate");
    return {Status::critical, is_auth ? Reason::auth : Reason::status};
  } else if (!code.empty()) {
    return judge_sqlstate(code);
  }
  if (holds_errno(message, ECONNREFUSED) || holds_errno(message, ENOENT))
    return {Status::critical, Reason::refused};
  if (holds_errno(message, ECONNRESET) || holds_errno(message, EPIPE) ||
      holds("closed the connection unexpectedly"))
    return {Status::critical, Reason::reset};
  if (holds_errno(message, EHOSTUNREACH) || holds_errno(message, ENETUNREACH))
    return {Status::critical, Reason::unreachable};
  if (holds_errno(message, ETIMEDOUT)) return {Status::critical, Reason::timeout};
  if (holds_errno(message, EMFILE) || holds_errno(message, ENFILE) ||
      holds_errno(message, ENOMEM) || holds_errno(message, ENOBUFS) ||
      holds_errno(message, EADDRNOTAVAIL) || holds_errno(message, ENETDOWN))
    return {Status::unknown, Reason::prober};
  if (holds("private key file")) return {Status::unknown, Reason::config};
  if (holds("SSL") || holds("certificate")) return {Status::critical, Reason::tls};
  if (holds("password") || holds("authentication failed") || holds("SCRAM"))
    return {Status::critical, Reason::auth};
  if (holds_errno(message, EACCES)) return {Status::unknown, Reason::config};
  return {Status::critical, Reason::protocol};
}

}  // namespace firebreak::probes
