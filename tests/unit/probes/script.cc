// The script's player, a coroutine for each connection.
#include "tests/unit/probes/script.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "tests/support/manual_clock.h"

namespace firebreak::testing {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;

struct ScriptedServerState {
  ScriptedServerState(asio::io_context& io, std::vector<Script> all)
      : acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)), scripts(std::move(all)) {}

  tcp::acceptor acceptor;
  std::vector<Script> scripts;
  std::vector<std::string> received;
  std::optional<ssl::context> tls;
};

namespace {

auto as_data() {
  return asio::as_tuple(asio::use_awaitable);
}

// Appends one read to `log`; false when the other side has gone.
template <class Stream>
asio::awaitable<bool> read_some(Stream& stream, std::string& log) {
  std::array<char, 4096> buffer;
  const auto [error, size] = co_await stream.async_read_some(asio::buffer(buffer), as_data());
  log.append(buffer.data(), size);
  co_return !error;
}

template <class Stream>
asio::awaitable<bool> play_step(Stream& stream, Step step, std::string& log, std::size_t& seen) {
  while (log.size() == seen || log.find(step.wait_for, seen) == std::string::npos)
    if (!co_await read_some(stream, log)) co_return false;
  seen = log.size();
  const auto [error, sent] = co_await asio::async_write(stream, asio::buffer(step.send), as_data());
  co_return !error;
}

template <class Stream>
asio::awaitable<void> play(Stream& stream, Script script, std::string& log) {
  const auto [failed, greeted] =
      co_await asio::async_write(stream, asio::buffer(script.greeting), as_data());
  if (failed) co_return;
  std::size_t seen = 0;
  for (const Step& step : script.steps)
    if (!co_await play_step(stream, step, log, seen)) co_return;
  const std::string drop(32, 'x');
  if (script.end == Script::End::drip) {
    for (;;) {
      const auto [error, sent] = co_await asio::async_write(stream, asio::buffer(drop), as_data());
      if (error) co_return;
    }
  }
  if (script.end == Script::End::reset) {
    boost::system::error_code ignored;
    stream.lowest_layer().set_option(asio::socket_base::linger(true, 0), ignored);
    co_return;
  }
  if (script.end == Script::End::close) co_return;
  while (co_await read_some(stream, log)) {
  }
}

asio::awaitable<void> serve_one(std::shared_ptr<ScriptedServerState> state, tcp::socket socket) {
  const std::size_t index = state->received.size();
  state->received.emplace_back();
  Script script = state->scripts[std::min(index, state->scripts.size() - 1)];
  if (!state->tls) {
    co_await play(socket, std::move(script), state->received[index]);
    co_return;
  }
  ssl::stream<tcp::socket> stream(std::move(socket), *state->tls);
  const auto [error] = co_await stream.async_handshake(ssl::stream_base::server, as_data());
  if (!error) co_await play(stream, std::move(script), state->received[index]);
}

asio::awaitable<void> accept_all(std::shared_ptr<ScriptedServerState> state) {
  state->received.reserve(64);  // more than any script needs: the players hold references
  for (;;) {
    auto [error, socket] = co_await state->acceptor.async_accept(as_data());
    if (error || state->received.size() == state->received.capacity()) co_return;
    asio::co_spawn(state->acceptor.get_executor(), serve_one(state, std::move(socket)),
                   asio::detached);
  }
}

}  // namespace

ScriptedServer::ScriptedServer(asio::io_context& io, std::vector<Script> scripts)
    : state_(std::make_shared<ScriptedServerState>(io, std::move(scripts))) {
  asio::co_spawn(io, accept_all(state_), asio::detached);
}

ScriptedServer::ScriptedServer(asio::io_context& io, std::vector<Script> scripts,
                               const std::string& certificate, const std::string& key)
    : ScriptedServer(io, std::move(scripts)) {
  state_->tls.emplace(ssl::context::tls_server);
  state_->tls->use_certificate_chain_file(certificate);
  state_->tls->use_private_key_file(key, ssl::context::pem);
}

ScriptedServer::~ScriptedServer() {
  boost::system::error_code ignored;
  state_->acceptor.close(ignored);
}

std::uint16_t ScriptedServer::port() const {
  return state_->acceptor.local_endpoint().port();
}

const std::vector<std::string>& ScriptedServer::received() const {
  return state_->received;
}

std::string ScriptedServer::url(const std::string& path) const {
  return (state_->tls ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port()) + path;
}

Observation run_probe(asio::io_context& io, const KindSpec& kind, const ProberOptions& options,
                      Duration timeout) {
  ProbeSpec spec;
  spec.kind = kind;
  spec.timeout = timeout;
  return run_probe(io, spec, options);
}

Observation run_probe(asio::io_context& io, const ProbeSpec& spec, const ProberOptions& options) {
  Prober prober(io, options);
  std::optional<Observation> result;
  prober.start(spec, [&result](Observation observation) { result = std::move(observation); });
  while (!result && io.run_one() > 0) {
  }
  return result.value();
}

Observation time_out(asio::io_context& io, const KindSpec& kind) {
  // So far back that every timer of the io_context has expired: this clock alone decides.
  const auto clock = std::make_shared<ManualClock>(Instant{});
  ProberOptions options;
  options.clock = clock;
  Prober prober(io, options);
  ProbeSpec spec;
  spec.kind = kind;
  spec.timeout = std::chrono::seconds(1);
  std::optional<Observation> result;
  prober.start(spec, [&result](Observation observation) { result = std::move(observation); });
  // Far more than any of our scripts takes, and time for a busy kernel to deliver it.
  for (int i = 0; i < 1000; ++i) io.run_one_for(std::chrono::microseconds(20));
  EXPECT_FALSE(result) << "ended before its deadline";
  // In steps that a loop makes which is not kept from running.
  constexpr auto kStep = std::chrono::milliseconds(50);
  for (Duration passed{}; passed < spec.timeout; passed += kStep) {
    clock->advance(kStep);
    for (int i = 0; i < 10; ++i) io.poll_one();
  }
  while (!result && io.run_one() > 0) {
  }
  return result.value();
}

Observation trace_probe(asio::io_context& io, const KindSpec& kind, std::string& trace) {
  Prober prober(io);
  ProbeSpec spec;
  spec.kind = kind;
  spec.timeout = std::chrono::seconds(20);
  std::optional<Observation> result;
  prober.start(
      spec, [&result](Observation observation) { result = std::move(observation); },
      [&trace](Phase phase, std::string_view text) {
        trace += std::string(to_string(phase)) + ": " + std::string(text) + "\n";
      });
  while (!result && io.run_one() > 0) {
  }
  return result.value();
}

}  // namespace firebreak::testing
