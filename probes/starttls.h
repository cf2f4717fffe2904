// What is said before TLS on a port that begins in the clear: SMTP (RFC 3207), IMAP (RFC 9051,
// 6.2.1), PostgreSQL (SSLRequest, protocol 3.0, 55.2.10).
//
// Pure: bytes in, bytes and a verdict out. Takes limits::kStartTlsBytesMax, and the piece that
// crosses it.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "common/observation.h"

namespace firebreak::probes {

class StartTls {
 public:
  enum class State {
    talking,  // send what take_output() gives, then feed() what comes
    ready,    // the next byte is TLS
    failed,   // reason() and problem() say why
  };

  // One of starttls_protocols().
  explicit StartTls(std::string_view protocol);

  State feed(std::string_view bytes);
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] std::string take_output() { return std::exchange(output_, {}); }

  // tls: the server does not want to. status: it wants nobody. protocol: it speaks another one.
  [[nodiscard]] Reason reason() const { return reason_; }
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  enum class Protocol { imap, postgres, smtp };
  enum class Stage { greeting, capabilities, command };

  void fail(Reason reason, std::string problem);
  void take_byte();
  void take_line(std::string_view line);
  void take_smtp(std::string_view line);
  void end_smtp_reply(int code, std::string_view line);
  void take_imap(std::string_view line);

  Protocol protocol_ = Protocol::smtp;
  State state_ = State::talking;
  Stage stage_ = Stage::greeting;
  bool offered_ = false;
  std::size_t seen_ = 0;
  std::string pending_;  // not yet a line
  std::string output_;
  Reason reason_ = Reason::none;
  std::string problem_;
};

}  // namespace firebreak::probes
