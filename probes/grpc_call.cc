// nghttp2's session between two strings: the only file that includes it.
#include "probes/grpc_call.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "common/limits.h"

namespace firebreak::probes {
namespace {

std::string_view view_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

std::string shortened(std::string_view text) {
  return std::string(text.substr(0, limits::kEvidenceBytesMax));
}

nghttp2_nv field(std::string& name, std::string& value) {
  return {reinterpret_cast<std::uint8_t*>(name.data()),
          reinterpret_cast<std::uint8_t*>(value.data()), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NONE};
}

// A message of at most so many bytes, behind its prefix: not compressed, its length.
std::string with_prefix(const std::string& message) {
  std::string framed(5, '\0');
  for (std::size_t i = 0; i < 4; ++i)
    framed[1 + i] = static_cast<char>((message.size() >> (24 - 8 * i)) & 0xff);
  return framed + message;
}

struct FreeCallbacks {
  void operator()(nghttp2_session_callbacks* callbacks) const {
    nghttp2_session_callbacks_del(callbacks);
  }
};
struct FreeOption {
  void operator()(nghttp2_option* option) const { nghttp2_option_del(option); }
};
struct FreeSession {
  void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
};

}  // namespace

class GrpcCall::Session {
 public:
  explicit Session(const GrpcRequest& request) : body_(with_prefix(request.message)) {
    const auto callbacks = make_callbacks();
    const auto option = make_option();
    nghttp2_session* made = nullptr;
    if (!callbacks || !option ||
        nghttp2_session_client_new2(&made, callbacks.get(), this, option.get()) != 0) {
      fail(Reason::prober, "no memory for HTTP/2");
      return;
    }
    session_.reset(made);
    constexpr std::array<nghttp2_settings_entry, 1> kSettings{{{NGHTTP2_SETTINGS_ENABLE_PUSH, 0}}};
    nghttp2_submit_settings(made, NGHTTP2_FLAG_NONE, kSettings.data(), kSettings.size());
    submit(request);
    pump();
  }

  State feed(std::string_view bytes) {
    if (received_ == 0) first_bytes_ = std::string(bytes.substr(0, 64));
    received_ += bytes.size();
    const auto read = nghttp2_session_mem_recv(
        session_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    pump();
    if (state_ != State::talking) return state_;
    if (read < 0 || nghttp2_session_want_read(session_.get()) == 0)
      fail_protocol(read < 0 ? nghttp2_strerror(static_cast<int>(read)) : "it ends the session");
    else if (received_ > limits::kGrpcReplyBytesMax)
      fail(Reason::protocol, "64 KiB without an end of the answer");
    return state_;
  }

  State end() {
    std::string text = received_ == 0 ? "the connection was closed without an answer"
                                      : "the connection was closed in the middle of the answer";
    if (!farewell_.empty()) text += ": " + farewell_;
    fail(Reason::reset, std::move(text));
    return state_;
  }

  std::string output;

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] Reason reason() const { return reason_; }
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] const GrpcReply& reply() const { return reply_; }

 private:
  using Option = std::unique_ptr<nghttp2_option, FreeOption>;
  using Callbacks = std::unique_ptr<nghttp2_session_callbacks, FreeCallbacks>;

  static Session& self(void* user) { return *static_cast<Session*>(user); }

  static Callbacks make_callbacks() {
    nghttp2_session_callbacks* made = nullptr;
    if (nghttp2_session_callbacks_new(&made) != 0) return nullptr;
    nghttp2_session_callbacks_set_on_header_callback(made, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, on_close);
    nghttp2_session_callbacks_set_error_callback2(made, on_error);
    return Callbacks(made);
  }

  // nghttp2 1.52 counts the pieces in which a CONTINUATION arrives, not only the frames, so that
  // eight, its own limit, ends honest connections. Ours on all bytes bounds them.
  static Option make_option() {
    nghttp2_option* made = nullptr;
    if (nghttp2_option_new(&made) != 0) return nullptr;
    nghttp2_option_set_max_continuations(made, limits::kGrpcReplyBytesMax);
    return Option(made);
  }

  void submit(const GrpcRequest& request) {
    // A timeout has at most eight digits.
    const auto timeout = std::clamp<std::int64_t>(request.timeout.count(), 1, 99'999'999);
    std::array<std::pair<std::string, std::string>, 9> headers{
        {{":method", "POST"},
         {":scheme", request.tls ? "https" : "http"},
         {":path", request.path},
         {":authority", request.authority},
         {"te", "trailers"},
         {"grpc-timeout", std::to_string(timeout) + "m"},
         {"content-type", "application/grpc"},
         {"grpc-accept-encoding", "identity"},
         {"user-agent", "firebreak"}}};
    std::array<nghttp2_nv, 9> fields{};
    std::transform(headers.begin(), headers.end(), fields.begin(),
                   [](auto& header) { return field(header.first, header.second); });
    nghttp2_data_provider body{};
    body.source.ptr = this;
    body.read_callback = read_body;
    stream_ = nghttp2_submit_request(session_.get(), nullptr, fields.data(), fields.size(), &body,
                                     nullptr);
    if (stream_ < 0) fail(Reason::prober, nghttp2_strerror(stream_));
  }

  // Everything that nghttp2 wants to say.
  void pump() {
    for (;;) {
      const std::uint8_t* bytes = nullptr;
      const auto size = nghttp2_session_mem_send(session_.get(), &bytes);
      if (size <= 0) return;
      output.append(view_of(bytes, static_cast<std::size_t>(size)));
    }
  }

  void fail(Reason reason, std::string problem) {
    if (state_ != State::talking) return;
    state_ = State::failed;
    reason_ = reason;
    problem_ = std::move(problem);
  }

  void fail_protocol(std::string_view why) {
    std::string text = "not HTTP/2: ";
    text.append(error_.empty() ? why : std::string_view(error_));
    if (!greeted_) text.append("; it begins: ").append(first_bytes_);
    fail(Reason::protocol, std::move(text));
  }

  int take_header(std::string_view name, std::string_view value) {
    header_bytes_ += name.size() + value.size();
    if (header_bytes_ > limits::kHttpHeaderBytesMax) {
      fail(Reason::protocol, "headers longer than 16 KiB");
      return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    // nghttp2 lets no other status through than three digits.
    if (name == ":status" && value.size() == 3)
      reply_.http_status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');
    if (name == "content-type") reply_.content_type = shortened(value);
    if (name == "grpc-status") reply_.status = shortened(value);
    if (name == "grpc-message") reply_.status_message = shortened(value);
    return 0;
  }

  int take_data(std::string_view bytes) {
    if (reply_.data.size() + bytes.size() > limits::kGrpcMessageBytesMax) {
      fail(Reason::protocol, "a message longer than 4 KiB");
      return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    reply_.data.append(bytes);
    return 0;
  }

  void take_frame(const nghttp2_frame& frame) {
    const bool ours = frame.hd.stream_id == stream_;
    if (frame.hd.type == NGHTTP2_SETTINGS) greeted_ = true;
    if (frame.hd.type == NGHTTP2_RST_STREAM && ours) was_reset_ = true;
    if (frame.hd.type == NGHTTP2_GOAWAY) {
      farewell_ =
          std::string("the server goes away: ") + nghttp2_http2_strerror(frame.goaway.error_code);
      if (const auto size = frame.goaway.opaque_data_len; size > 0)
        farewell_ += ", " + shortened(view_of(frame.goaway.opaque_data, size));
    }
    const bool may_end = frame.hd.type == NGHTTP2_HEADERS || frame.hd.type == NGHTTP2_DATA;
    if (ours && may_end && (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
        state_ == State::talking)
      state_ = State::done;
  }

  void take_close(std::uint32_t error) {
    const std::string name = nghttp2_http2_strerror(error);
    if (!farewell_.empty() && !was_reset_) return fail(Reason::status, farewell_);
    if (!was_reset_) return fail_protocol(name);
    const bool refused = error == NGHTTP2_REFUSED_STREAM || error == NGHTTP2_ENHANCE_YOUR_CALM;
    const Reason other = error == NGHTTP2_INADEQUATE_SECURITY ? Reason::tls : Reason::reset;
    fail(refused ? Reason::status : other, "the server ended the call: " + name);
  }

  static int on_header(nghttp2_session* /*session*/, const nghttp2_frame* frame,
                       const std::uint8_t* name, std::size_t name_size, const std::uint8_t* value,
                       std::size_t value_size, std::uint8_t /*flags*/, void* user) {
    if (frame->hd.stream_id != self(user).stream_) return 0;
    return self(user).take_header(view_of(name, name_size), view_of(value, value_size));
  }

  static int on_data(nghttp2_session* /*session*/, std::uint8_t /*flags*/, std::int32_t /*stream*/,
                     const std::uint8_t* bytes, std::size_t size, void* user) {
    return self(user).take_data(view_of(bytes, size));
  }

  static int on_frame(nghttp2_session* /*session*/, const nghttp2_frame* frame, void* user) {
    self(user).take_frame(*frame);
    return 0;
  }

  static int on_close(nghttp2_session* /*session*/, std::int32_t stream, std::uint32_t error,
                      void* user) {
    if (stream == self(user).stream_) self(user).take_close(error);
    return 0;
  }

  static int on_error(nghttp2_session* /*session*/, int /*code*/, const char* text,
                      std::size_t size, void* user) {
    self(user).error_ = shortened({text, size});
    return 0;
  }

  static ssize_t read_body(nghttp2_session* /*session*/, std::int32_t /*stream*/,
                           std::uint8_t* into, std::size_t room, std::uint32_t* flags,
                           nghttp2_data_source* source, void* /*user*/) {
    Session& call = self(source->ptr);
    const std::size_t size = std::min(room, call.body_.size() - call.body_sent_);
    std::copy_n(call.body_.begin() + static_cast<std::ptrdiff_t>(call.body_sent_), size, into);
    call.body_sent_ += size;
    if (call.body_sent_ == call.body_.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  }

  const std::string body_;
  std::size_t body_sent_ = 0;
  std::int32_t stream_ = 0;
  State state_ = State::talking;
  Reason reason_ = Reason::none;
  std::string problem_;
  GrpcReply reply_;
  std::size_t received_ = 0;
  std::size_t header_bytes_ = 0;
  std::string first_bytes_;  // for whoever speaks something else
  bool greeted_ = false;     // with SETTINGS, as every HTTP/2 server does first
  bool was_reset_ = false;   // by the server
  std::string farewell_;     // its GOAWAY
  std::string error_;        // nghttp2's last words on the server's mistakes
  std::unique_ptr<nghttp2_session, FreeSession> session_;
};

GrpcCall::GrpcCall(const GrpcRequest& request) : session_(std::make_unique<Session>(request)) {}

GrpcCall::~GrpcCall() = default;

std::string GrpcCall::take_output() {
  return std::exchange(session_->output, {});
}

GrpcCall::State GrpcCall::feed(std::string_view bytes) {
  return session_->feed(bytes);
}

GrpcCall::State GrpcCall::end() {
  return session_->end();
}

GrpcCall::State GrpcCall::state() const {
  return session_->state();
}

Reason GrpcCall::reason() const {
  return session_->reason();
}

const std::string& GrpcCall::problem() const {
  return session_->problem();
}

const GrpcReply& GrpcCall::reply() const {
  return session_->reply();
}

}  // namespace firebreak::probes
