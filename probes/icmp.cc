// One coroutine that sends when it is time and listens meanwhile.
#include "probes/icmp.h"

#include <netinet/in.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include <boost/asio/basic_datagram_socket.hpp>
#include <boost/asio/generic/datagram_protocol.hpp>
#include <boost/asio/ip/udp.hpp>

#include "common/limits.h"
#include "probes/icmp_packet.h"
#include "probes/stream.h"
#include "probes/way.h"

namespace firebreak::probes {
namespace {

namespace asio = boost::asio;
using PingSocket = asio::basic_datagram_socket<asio::generic::datagram_protocol, Executor>;
using PingEndpoint = asio::generic::datagram_protocol::endpoint;

constexpr int kTroublesMax = 64;  // a socket that only fails must not keep a core busy

struct Ping {
  asio::ip::address address;
  EchoCookie cookie{};
  EchoTally tally;
  std::array<std::optional<Duration>, limits::kIcmpPacketsMax> waiting;  // since elapsed(), by seq
  TimePoint next;                     // when the next packet is due
  boost::system::error_code trouble;  // the last that somebody on the way has reported
  int troubles = 0;
};

void fill_by_chance(EchoCookie& cookie) {
  while (::getrandom(cookie.data(), cookie.size(), 0) != static_cast<ssize_t>(cookie.size())) {
  }
}

bool fail_open(Attempt& attempt, const boost::system::error_code& error) {
  if (error == boost::system::errc::permission_denied)
    return attempt.unknown(Reason::config,
                           "this user's group is not in net.ipv4.ping_group_range (sysctl), so it "
                           "may not ping");
  return fail_io(attempt, error, "ping socket");
}

// False after attempt.fail(): the next address may be better.
bool open_to(Attempt& attempt, PingSocket& socket, const asio::ip::address& address) {
  const bool v6 = address.is_v6();
  boost::system::error_code failed;
  socket.close(failed);
  const asio::generic::datagram_protocol protocol(v6 ? AF_INET6 : AF_INET,
                                                  v6 ? int{IPPROTO_ICMPV6} : int{IPPROTO_ICMP});
  socket.open(protocol, failed);
  if (failed) return fail_open(attempt, failed);
  const int yes = 1;  // or a host that is unreachable would be one that is silent
  ::setsockopt(socket.native_handle(), v6 ? IPPROTO_IPV6 : IPPROTO_IP,
               v6 ? IPV6_RECVERR : IP_RECVERR, &yes, sizeof yes);
  if (!bind_source(attempt, socket.native_handle())) return false;
  const PingEndpoint target = asio::ip::udp::endpoint(address, 0);
  socket.connect(target, failed);
  if (failed) return fail_reach(attempt, failed, address, "ping " + address.to_string());
  return true;
}

// The kernel gives a ping socket every reply with its identifier, from wherever it is.
bool is_from(const PingEndpoint& sender, const asio::ip::address& address) {
  asio::ip::udp::endpoint from;
  if (sender.size() > from.capacity()) return false;
  std::memcpy(from.data(), sender.data(), sender.size());
  if (from.address().is_v6() != address.is_v6()) return false;
  return address.is_v4() ? from.address() == address
                         : from.address().to_v6().to_bytes() == address.to_v6().to_bytes();
}

void take_reply(Attempt& attempt, Ping& ping, const PingEndpoint& sender, std::string_view packet) {
  const auto seq = parse_echo_reply(ping.address.is_v6(), packet, ping.cookie);
  if (!seq || *seq >= ping.waiting.size() || !ping.waiting[*seq] || !is_from(sender, ping.address))
    return;
  attempt.enter(Phase::transfer);
  const Duration took = attempt.elapsed() - *ping.waiting[*seq];
  ping.waiting[*seq].reset();  // a second reply to it counts for nothing
  ping.tally.round_trips.push_back(took);
  if (attempt.tracing())
    attempt.trace("reply " + std::to_string(*seq + 1) + " after " + humanize_duration(took));
}

void note_trouble(Ping& ping, const boost::system::error_code& error) {
  ping.trouble = error;
  ++ping.troubles;
}

Awaitable<void> send_next(Attempt& attempt, PingSocket& socket, const IcmpSpec& spec, Ping& ping) {
  const auto seq = static_cast<std::uint16_t>(ping.tally.sent);
  const std::string packet =
      echo_request(ping.address.is_v6(), seq, ping.cookie, static_cast<std::size_t>(spec.bytes));
  ++ping.tally.sent;
  ping.waiting[seq] = attempt.elapsed();
  ping.next += spec.interval;
  const auto [error, sent] = co_await socket.async_send(asio::buffer(packet), as_data());
  if (error && !attempt.is_over()) note_trouble(ping, error);
}

// Until a packet comes, or it is time to send the next one.
Awaitable<void> listen(Attempt& attempt, PingSocket& socket, Ping& ping) {
  std::array<char, limits::kIcmpBytesMax + 64> buffer;
  PingEndpoint sender;
  const auto [error, size] =
      co_await socket.async_receive_from(asio::buffer(buffer), sender, as_data());
  if (!error)
    take_reply(attempt, ping, sender, std::string_view(buffer.data(), size));
  else if (error != asio::error::operation_aborted)
    note_trouble(ping, error);
}

Awaitable<void> exchange(Attempt& attempt, PingSocket& socket, const IcmpSpec& spec, Ping& ping) {
  const auto all_settled = [&ping] {
    return static_cast<int>(ping.tally.round_trips.size()) + ping.troubles >= ping.tally.sent;
  };
  ping.next = attempt.now();
  attempt.enter(Phase::send);
  while (!attempt.is_over()) {
    const bool more = ping.tally.sent < spec.packets;
    if ((!more && all_settled()) || ping.troubles > kTroublesMax) co_return;
    if (more && attempt.now() >= ping.next) {
      co_await send_next(attempt, socket, spec, ping);
      if (attempt.phase() == Phase::send) attempt.enter(Phase::first_byte);
      continue;
    }
    if (more) attempt.begin_step(ping.next);
    co_await listen(attempt, socket, ping);
    if (more) attempt.end_step();
  }
}

void judge(Attempt& attempt, const IcmpSpec& spec, const Ping& ping) {
  const EchoTally& tally = ping.tally;
  const auto seconds = [](Duration took) { return std::chrono::duration<double>(took).count(); };
  attempt.add_value("loss", tally.loss_percent());
  if (tally.round_trips.empty()) {
    if (ping.trouble && !has_way_to(ping.address))
      fail_no_way(attempt, ping.address);
    else if (ping.trouble && !attempt.has_stalled())
      attempt.critical(Reason::unreachable,
                       "ping " + ping.address.to_string() + ": " + ping.trouble.message());
    else
      attempt.fail_timeout("no reply to " + std::to_string(tally.sent) + " packets");
    return;
  }
  const auto [least, most] =
      std::minmax_element(tally.round_trips.begin(), tally.round_trips.end());
  attempt.add_value("rtt", seconds(tally.mean()));
  attempt.add_value("rtt_min", seconds(*least));
  attempt.add_value("rtt_max", seconds(*most));
  const EchoJudgement judgement = judge_echo(tally, spec);
  if (judgement.verdict == EchoVerdict::fine)
    attempt.succeed();
  else if (attempt.has_stalled())
    attempt.fail_timeout("no reply");  // ours is the fault, and it says so
  else
    attempt.fail(judgement.verdict == EchoVerdict::critical ? Status::critical : Status::warning,
                 Reason::threshold, judgement.evidence);
}

}  // namespace

Awaitable<void> probe_icmp(Attempt& attempt, const IcmpSpec& spec) {
  if (spec.packets < 1 || spec.packets > static_cast<int>(limits::kIcmpPacketsMax) ||
      icmp_sending_time(spec) >= attempt.spec().timeout) {
    attempt.unknown(Reason::config, "sending " + std::to_string(spec.packets) + " packets takes " +
                                        format_duration(icmp_sending_time(spec)) +
                                        ", no less than the timeout");
    co_return;
  }
  Addresses addresses;
  if (!co_await resolve(attempt, spec.host, addresses)) co_return;
  attempt.enter(Phase::connect);
  PingSocket socket(attempt.tools().io.get_executor());
  const Attempt::AbortScope scope(attempt, [&socket] {
    boost::system::error_code ignored;
    socket.cancel(ignored);
  });
  const auto reachable = std::find_if(
      addresses.begin(), addresses.end(),
      [&](const asio::ip::address& address) { return open_to(attempt, socket, address); });
  if (reachable == addresses.end()) co_return;
  if (attempt.tracing()) attempt.trace("pinging " + reachable->to_string());
  Ping ping;
  ping.address = *reachable;
  fill_by_chance(ping.cookie);
  co_await exchange(attempt, socket, spec, ping);
  judge(attempt, spec, ping);
}

}  // namespace firebreak::probes
