// AMQP 0-9-1 as far as it takes to ask how long a queue is: log in (PLAIN), open a channel, declare
// the queue passively, leave politely. https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf and
// https://www.rabbitmq.com/docs/auth-notification for "authentication_failure_close".
//
// Pure: bytes in, bytes and an answer out. Takes frames up to limits::kAmqpFrameBytesMax and
// limits::kAmqpSeenBytesMax in all.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/observation.h"

namespace firebreak::probes {

struct AmqpQuestion {
  std::string user;
  std::string password;
  std::string vhost;  // this and the queue: at most 255 bytes
  std::string queue;
};

struct AmqpCounts {
  std::uint32_t messages = 0;  // ready to be delivered
  std::uint32_t consumers = 0;
};

class AmqpTalk {
 public:
  enum class State {
    talking,  // send what take_output() gives, then feed() what comes
    closing,  // likewise, but counts() or problem() is there already
    done,     // send what take_output() gives, and no more
  };

  explicit AmqpTalk(AmqpQuestion question);

  State feed(std::string_view bytes);
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] std::string take_output() { return std::exchange(output_, {}); }

  [[nodiscard]] const std::optional<AmqpCounts>& counts() const { return counts_; }
  // Reason::none unless there will be no counts. missing: the queue or the vhost; auth: the login
  // or the vhost; status: another no of the server; protocol: it is no AMQP 0-9-1.
  [[nodiscard]] Reason reason() const { return reason_; }
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  enum class Stage { start, tune, open, channel, declare };

  void fail(Reason reason, std::string problem);
  void fail_protocol(std::string problem);
  bool take_frame();
  void take_method(std::string_view payload);
  void take_expected(std::uint32_t method, std::string_view fields);
  void take_start(std::string_view fields);
  void take_tune(std::string_view fields);
  void take_close(std::string_view fields, bool of_connection);
  void take_declared(std::string_view fields);
  void send(std::uint16_t channel, std::uint32_t method, std::string_view fields);
  void leave();

  AmqpQuestion question_;
  State state_ = State::talking;
  Stage stage_ = Stage::start;
  std::string pending_;  // not yet a frame
  std::size_t seen_ = 0;
  std::string output_;
  std::optional<AmqpCounts> counts_;
  Reason reason_ = Reason::none;
  std::string problem_;
};

}  // namespace firebreak::probes
