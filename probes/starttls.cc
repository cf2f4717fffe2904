// Lines for mail, one byte for PostgreSQL.
#include "probes/starttls.h"

#include <algorithm>

#include "common/limits.h"

namespace firebreak::probes {
namespace {

// Length 8, code 80877103.
constexpr std::string_view kSslRequest("\x00\x00\x00\x08\x04\xd2\x16\x2f", 8);

char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

// Whether `line` begins with these words, in whatever case, and the last of them ends there.
bool begins_with(std::string_view line, std::string_view words) {
  if (line.size() < words.size()) return false;
  if (line.size() > words.size() && line[words.size()] != ' ') return false;
  return std::equal(words.begin(), words.end(), line.begin(),
                    [](char wanted, char c) { return wanted == upper(c); });
}

// The three digits of a reply, or -1.
int smtp_code(std::string_view line) {
  if (line.size() < 3 || (line.size() > 3 && line[3] != ' ' && line[3] != '-')) return -1;
  int code = 0;
  for (const char c : line.substr(0, 3)) {
    if (c < '0' || c > '9') return -1;
    code = code * 10 + (c - '0');
  }
  return code;
}

}  // namespace

StartTls::StartTls(std::string_view protocol) {
  if (protocol == "imap") protocol_ = Protocol::imap;
  if (protocol != "postgres") return;
  protocol_ = Protocol::postgres;
  output_ = kSslRequest;
}

void StartTls::fail(Reason reason, std::string problem) {
  state_ = State::failed;
  reason_ = reason;
  problem_ = std::move(problem);
}

StartTls::State StartTls::feed(std::string_view bytes) {
  seen_ += bytes.size();
  pending_.append(bytes);
  if (protocol_ == Protocol::postgres && state_ == State::talking && !pending_.empty()) take_byte();
  while (protocol_ != Protocol::postgres && state_ == State::talking) {
    const std::size_t end = pending_.find('\n');
    if (end == std::string::npos) break;
    std::string line = pending_.substr(0, end);
    pending_.erase(0, end + 1);
    if (line.ends_with('\r')) line.pop_back();
    take_line(line);
  }
  // Whatever comes in the clear behind the go-ahead would be taken for something that TLS protects
  // (RFC 3207, 6; CVE-2011-0411).
  if (state_ == State::ready && !pending_.empty())
    fail(Reason::protocol, "more in the clear after the go-ahead for TLS: " + pending_);
  if (state_ == State::talking && seen_ > limits::kStartTlsBytesMax)
    fail(Reason::protocol, "16 KiB and no go-ahead for TLS: " + pending_);
  return state_;
}

void StartTls::take_byte() {
  const char answer = pending_.front();
  pending_.erase(0, 1);
  if (answer == 'S')
    state_ = State::ready;
  else if (answer == 'N')
    fail(Reason::tls, "the server does not speak TLS");
  else if (answer == 'E')
    fail(Reason::status, "the server answered with an error: " + pending_);
  else
    fail(Reason::protocol, "not an answer of PostgreSQL: " + (answer + pending_));
}

void StartTls::take_line(std::string_view line) {
  if (protocol_ == Protocol::imap)
    take_imap(line);
  else
    take_smtp(line);
}

void StartTls::take_smtp(std::string_view line) {
  const int code = smtp_code(line);
  if (code < 0) return fail(Reason::protocol, "not an answer of SMTP: " + std::string(line));
  const bool is_last = line.size() == 3 || line[3] == ' ';
  if (stage_ == Stage::capabilities && code == 250 && line.size() > 4 &&
      begins_with(line.substr(4), "STARTTLS"))
    offered_ = true;
  if (is_last) end_smtp_reply(code, line);
}

void StartTls::end_smtp_reply(int code, std::string_view line) {
  switch (stage_) {
    case Stage::greeting:
      if (code != 220) return fail(Reason::status, std::string(line));
      stage_ = Stage::capabilities;
      output_ = "EHLO [127.0.0.1]\r\n";  // a literal: this host may have no name (RFC 5321, 4.1.4)
      return;
    case Stage::capabilities:
      if (code != 250) return fail(Reason::status, std::string(line));
      if (!offered_) return fail(Reason::tls, "the server does not offer STARTTLS");
      stage_ = Stage::command;
      output_ = "STARTTLS\r\n";
      return;
    case Stage::command:
      if (code != 220) return fail(Reason::tls, "STARTTLS was refused: " + std::string(line));
      state_ = State::ready;
      return;
  }
}

void StartTls::take_imap(std::string_view line) {
  if (begins_with(line, "* BYE")) return fail(Reason::status, std::string(line));
  if (stage_ == Stage::greeting) {
    if (begins_with(line, "* PREAUTH"))
      return fail(Reason::tls, "too late for STARTTLS: " + std::string(line));
    if (!begins_with(line, "* OK"))
      return fail(Reason::protocol, "not a greeting of IMAP: " + std::string(line));
    stage_ = Stage::command;
    output_ = "a1 STARTTLS\r\n";
    return;
  }
  if (line.starts_with("* ")) return;
  if (begins_with(line, "A1 OK"))
    state_ = State::ready;
  else if (begins_with(line, "A1 NO") || begins_with(line, "A1 BAD"))
    fail(Reason::tls, "STARTTLS was refused: " + std::string(line));
  else
    fail(Reason::protocol, "not an answer of IMAP: " + std::string(line));
}

}  // namespace firebreak::probes
