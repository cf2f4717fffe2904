// Each stage waits for one method; a close may come instead of any.
#include "probes/amqp.h"

#include <array>

#include "common/limits.h"

namespace firebreak::probes {
namespace {

// Class and method.
constexpr std::uint32_t method(std::uint32_t of_class, std::uint32_t number) {
  return of_class << 16 | number;
}
constexpr std::uint32_t kStart = method(10, 10);
constexpr std::uint32_t kStartOk = method(10, 11);
constexpr std::uint32_t kTune = method(10, 30);
constexpr std::uint32_t kTuneOk = method(10, 31);
constexpr std::uint32_t kOpen = method(10, 40);
constexpr std::uint32_t kOpenOk = method(10, 41);
constexpr std::uint32_t kClose = method(10, 50);
constexpr std::uint32_t kCloseOk = method(10, 51);
constexpr std::uint32_t kBlocked = method(10, 60);
constexpr std::uint32_t kUnblocked = method(10, 61);
constexpr std::uint32_t kChannelOpen = method(20, 10);
constexpr std::uint32_t kChannelOpenOk = method(20, 11);
constexpr std::uint32_t kChannelClose = method(20, 40);
constexpr std::uint32_t kDeclare = method(50, 10);
constexpr std::uint32_t kDeclareOk = method(50, 11);

constexpr char kMethodFrame = 1;
constexpr char kHeartbeatFrame = 8;
constexpr char kFrameEnd = '\xce';
constexpr std::size_t kFrameHead = 7;  // type, channel, size
constexpr std::string_view kProtocol("AMQP\0\0\x09\x01", 8);

std::string number(std::uint32_t value, int bytes) {
  std::string text;
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
    text.push_back(static_cast<char>(value >> shift & 0xff));
  return text;
}

std::string short_text(std::string_view text) {
  return number(static_cast<std::uint32_t>(text.size()), 1) + std::string(text);
}

std::string long_text(std::string_view text) {
  return number(static_cast<std::uint32_t>(text.size()), 4) + std::string(text);
}

// What is not there reads as nothing, and is_good() says so.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : rest_(bytes) {}
  std::uint32_t number(std::size_t bytes) {
    std::uint32_t value = 0;
    for (const char c : take(bytes)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  std::string_view short_text() { return take(number(1)); }
  std::string_view long_text() { return take(number(4)); }  // a table, too
  [[nodiscard]] bool is_good() const { return good_; }

 private:
  std::string_view take(std::size_t bytes) {
    good_ = good_ && bytes <= rest_.size();
    if (!good_) return {};
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }

  std::string_view rest_;
  bool good_ = true;
};

bool has_word(std::string_view text, std::string_view word) {
  while (!text.empty()) {
    const std::size_t end = text.find(' ');
    if (text.substr(0, end) == word) return true;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return false;
}

// So that a refused login is told instead of a closed connection.
std::string client_properties() {
  const std::string capabilities = short_text("authentication_failure_close") + "t\x01";
  return long_text(short_text("product") + "S" + long_text("firebreak") +
                   short_text("capabilities") + "F" + long_text(capabilities));
}

std::string method_name(std::uint32_t of) {
  return std::to_string(of >> 16) + "." + std::to_string(of & 0xffff);
}

}  // namespace

AmqpTalk::AmqpTalk(AmqpQuestion question) : question_(std::move(question)), output_(kProtocol) {}

void AmqpTalk::fail(Reason reason, std::string problem) {
  reason_ = reason;
  problem_ = std::move(problem);
}

// There is nobody to be polite to.
void AmqpTalk::fail_protocol(std::string problem) {
  if (state_ == State::talking) fail(Reason::protocol, std::move(problem));
  state_ = State::done;
}

void AmqpTalk::send(std::uint16_t channel, std::uint32_t of, std::string_view fields) {
  const std::string payload = number(of, 4) + std::string(fields);
  output_ += kMethodFrame;
  output_ += number(channel, 2) + long_text(payload);
  output_ += kFrameEnd;
}

void AmqpTalk::leave() {
  state_ = State::closing;
  send(0, kClose, number(200, 2) + short_text("Goodbye") + number(0, 4));
}

AmqpTalk::State AmqpTalk::feed(std::string_view bytes) {
  seen_ += bytes.size();
  pending_.append(bytes);
  while (state_ != State::done && take_frame()) {
  }
  if (state_ != State::done && seen_ > limits::kAmqpSeenBytesMax)
    fail_protocol("more than 1 MiB without an answer");
  return state_;
}

// Takes one frame off `pending_`; false when there is none.
bool AmqpTalk::take_frame() {
  if (pending_.empty()) return false;
  const char type = pending_.front();
  if (seen_ == pending_.size() && type == 'A') {  // the first bytes: a header of its own
    if (pending_.size() < kProtocol.size()) return false;
    fail_protocol("the server speaks another version of AMQP");
    return true;
  }
  if (pending_.size() < kFrameHead) return false;
  if (type < kMethodFrame || type > kHeartbeatFrame) {
    fail_protocol("not AMQP: " + pending_.substr(0, kFrameHead));
    return true;
  }
  Fields head(std::string_view(pending_).substr(3, 4));
  const std::size_t size = head.number(4);
  if (size > limits::kAmqpFrameBytesMax) {
    fail_protocol("a frame longer than 128 KiB");
    return true;
  }
  if (pending_.size() < kFrameHead + size + 1) return false;
  const std::string frame = pending_.substr(0, kFrameHead + size + 1);
  pending_.erase(0, frame.size());
  if (frame.back() != kFrameEnd)
    fail_protocol("a frame without its end");
  else if (type == kMethodFrame)
    take_method(std::string_view(frame).substr(kFrameHead, size));
  else if (type != kHeartbeatFrame)
    fail_protocol("content, and nobody has asked for any");
  return true;
}

void AmqpTalk::take_method(std::string_view payload) {
  Fields fields(payload);
  const std::uint32_t of = fields.number(4);
  if (!fields.is_good()) return fail_protocol("a frame without a method");
  payload.remove_prefix(4);
  if (of == kBlocked || of == kUnblocked) return;
  if (of == kClose || (of == kChannelClose && state_ == State::talking))
    return take_close(payload, of == kClose);
  if (state_ == State::talking) return take_expected(of, payload);
  if (of == kCloseOk) state_ = State::done;
}

void AmqpTalk::take_expected(std::uint32_t of, std::string_view fields) {
  constexpr std::array<std::uint32_t, 5> kExpected = {kStart, kTune, kOpenOk, kChannelOpenOk,
                                                      kDeclareOk};
  if (of != kExpected.at(static_cast<std::size_t>(stage_)))
    return fail_protocol("method " + method_name(of) + ", which was not its turn");
  switch (stage_) {
    case Stage::start:
      return take_start(fields);
    case Stage::tune:
      return take_tune(fields);
    case Stage::open:
      stage_ = Stage::channel;
      return send(1, kChannelOpen, short_text(""));
    case Stage::channel:
      stage_ = Stage::declare;
      return send(1, kDeclare,
                  number(0, 2) + short_text(question_.queue) + number(1, 1) + long_text(""));
    case Stage::declare:
      return take_declared(fields);
  }
}

void AmqpTalk::take_start(std::string_view bytes) {
  Fields fields(bytes);
  const std::uint32_t version = fields.number(2);
  fields.long_text();  // what the server says of itself
  const std::string_view mechanisms = fields.long_text();
  if (!fields.is_good() || version != 9)
    return fail_protocol("the server speaks another version of AMQP");
  if (!has_word(mechanisms, "PLAIN")) {
    fail(Reason::auth, "the server does not take PLAIN, only: " + std::string(mechanisms));
    state_ = State::done;
    return;
  }
  stage_ = Stage::tune;
  const std::string nul(1, '\0');
  send(0, kStartOk,
       client_properties() + short_text("PLAIN") +
           long_text(nul + question_.user + nul + question_.password) + short_text("en_US"));
}

void AmqpTalk::take_tune(std::string_view bytes) {
  Fields fields(bytes);
  fields.number(2);
  const std::uint32_t wanted = fields.number(4);
  if (!fields.is_good()) return fail_protocol("a tune that is cut off");
  constexpr auto kMost = static_cast<std::uint32_t>(limits::kAmqpFrameBytesMax);
  stage_ = Stage::open;
  // One channel, no heartbeats.
  send(0, kTuneOk,
       number(1, 2) + number(wanted == 0 ? kMost : std::min(wanted, kMost), 4) + number(0, 2));
  send(0, kOpen, short_text(question_.vhost) + short_text("") + number(0, 1));
}

void AmqpTalk::take_close(std::string_view bytes, bool of_connection) {
  constexpr std::uint32_t kNotFound = 404;
  constexpr std::uint32_t kAccessRefused = 403;
  constexpr std::uint32_t kNotAllowed = 530;
  Fields fields(bytes);
  const std::uint32_t code = fields.number(2);
  const std::string text(fields.short_text());
  if (of_connection) send(0, kCloseOk, "");
  if (state_ == State::talking) {
    Reason reason = Reason::status;
    if (code == kNotFound && !of_connection) reason = Reason::missing;
    if (code == kAccessRefused && of_connection) reason = Reason::auth;
    // One code for a vhost that is not there and for one that is not ours.
    if (code == kNotAllowed && stage_ == Stage::open)
      reason = text.find("not found") != std::string::npos ? Reason::missing : Reason::auth;
    fail(reason, std::to_string(code) + " " + text);
  }
  if (of_connection)
    state_ = State::done;
  else
    leave();
}

void AmqpTalk::take_declared(std::string_view bytes) {
  Fields fields(bytes);
  fields.short_text();
  AmqpCounts counts;
  counts.messages = fields.number(4);
  counts.consumers = fields.number(4);
  if (!fields.is_good()) return fail_protocol("an answer that is cut off");
  counts_ = counts;
  leave();
}

}  // namespace firebreak::probes
