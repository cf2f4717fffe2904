// Find the servers, ask them in turn, judge the first answer.
#include "probes/dns.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include <boost/asio/basic_datagram_socket.hpp>
#include <boost/asio/ip/udp.hpp>

#include "common/file.h"
#include "common/limits.h"
#include "common/text.h"
#include "probes/dns_message.h"
#include "probes/stream.h"

namespace firebreak::probes {
namespace {

namespace asio = boost::asio;
using UdpSocket = asio::basic_datagram_socket<asio::ip::udp, Executor>;

constexpr int kSends = 3;  // of one query to one server: a datagram may be lost
constexpr std::size_t kDatagramBytesMax = 4096;  // without EDNS 512 are enough

enum class QueryState { waiting, answered, failed };

struct Query {
  DnsQuestion question;
  std::uint16_t port = 53;
  std::uint16_t id = 0;
  std::string bytes;
  DnsAnswer answer;
  std::size_t strangers = 0;  // datagrams that answer something else
  std::string last_stranger;
};

std::uint16_t random_id() {
  std::uint16_t id = 0;
  // So few bytes always come whole; an id that can be guessed would let others answer.
  while (::getrandom(&id, sizeof id, 0) != sizeof id) {
  }
  return id;
}

QueryState take(Attempt& attempt, Query& query, std::string_view message) {
  auto answer = parse_dns_answer(message, query.id, query.question);
  if (answer) {
    query.answer = *std::move(answer);
    return QueryState::answered;
  }
  const std::string& problem = answer.error().message;
  if (answer.error().code == Errc::not_found) {
    ++query.strangers;
    query.last_stranger = problem;
    if (attempt.tracing()) attempt.trace("ignored: " + problem);
    return QueryState::waiting;
  }
  attempt.critical(Reason::protocol, problem);
  return QueryState::failed;
}

bool fail_silence(Attempt& attempt, const Query& query) {
  if (query.strangers == 0 || attempt.has_stalled()) return attempt.fail_timeout("no answer");
  return attempt.critical(Reason::protocol,
                          "only " + std::to_string(query.strangers) +
                              " datagrams that do not answer, the last: " + query.last_stranger);
}

// Until there is an answer, or the alarm of this step or of the attempt.
Awaitable<QueryState> await_answer(Attempt& attempt, UdpSocket& socket, Query& query) {
  std::array<char, kDatagramBytesMax> buffer;
  while (!attempt.is_over()) {
    const auto [error, size] = co_await socket.async_receive(asio::buffer(buffer), as_data());
    if (error == asio::error::operation_aborted) co_return QueryState::waiting;
    if (error) {
      fail_io(attempt, error, "receive");
      co_return QueryState::failed;
    }
    const QueryState progress = take(attempt, query, std::string_view(buffer.data(), size));
    if (progress != QueryState::waiting) co_return progress;
  }
  co_return QueryState::waiting;
}

// Sends again and again until `until`.
Awaitable<QueryState> ask_server(Attempt& attempt, asio::ip::udp::endpoint server, TimePoint until,
                                 Query& query) {
  UdpSocket socket(attempt.tools().io.get_executor());
  const Attempt::AbortScope scope(attempt, [&socket] {
    boost::system::error_code ignored;
    socket.cancel(ignored);
  });
  boost::system::error_code failed;
  socket.open(server.protocol(), failed);
  if (!failed && !bind_source(attempt, socket.native_handle())) co_return QueryState::failed;
  // The kernel drops what comes from elsewhere, and tells when nobody listens.
  if (!failed) socket.connect(server, failed);
  for (int left = kSends; left > 0 && !attempt.is_over(); --left) {
    attempt.enter(Phase::send);
    if (!failed) {
      const auto [error, sent] = co_await socket.async_send(asio::buffer(query.bytes), as_data());
      failed = error;
    }
    if (failed) {
      fail_reach(attempt, failed, server.address(),
                 "send to " + endpoint_text(server.address(), server.port()));
      co_return QueryState::failed;
    }
    attempt.enter(Phase::first_byte);
    attempt.begin_step(attempt.now() + (until - attempt.now()) / left);
    const QueryState progress = co_await await_answer(attempt, socket, query);
    attempt.end_step();
    if (progress != QueryState::waiting) co_return progress;
  }
  co_return QueryState::waiting;
}

// The answer's length stands before it.
Awaitable<bool> receive_message(Attempt& attempt, Socket& socket, std::string& message) {
  attempt.enter(Phase::first_byte);
  std::array<char, 4096> buffer;
  std::string received;
  for (;;) {
    if (received.size() >= 2) {
      const std::size_t size = static_cast<std::size_t>(static_cast<std::uint8_t>(received[0]))
                                   << 8 |
                               static_cast<std::uint8_t>(received[1]);
      if (received.size() >= size + 2) {
        message = received.substr(2, size);
        co_return true;
      }
    }
    if (attempt.is_over()) co_return attempt.fail_timeout("no complete answer");
    const std::ptrdiff_t size = co_await receive(attempt, socket, std::span<char>(buffer));
    if (size < 0) co_return false;
    if (size == 0)
      co_return attempt.critical(Reason::reset, "the connection was closed without an answer");
    attempt.enter(Phase::transfer);
    received.append(buffer.data(), static_cast<std::size_t>(size));
  }
}

Awaitable<bool> ask_over_tcp(Attempt& attempt, asio::ip::address server, Query& query) {
  if (attempt.tracing()) attempt.trace("truncated, asking over TCP");
  Connection connection(attempt);
  const Addresses only = {server};
  if (!co_await connect(attempt, connection.socket(), only, query.port)) co_return false;
  attempt.enter(Phase::send);
  std::string bytes;
  bytes.push_back(static_cast<char>(query.bytes.size() >> 8));
  bytes.push_back(static_cast<char>(query.bytes.size() & 0xff));
  bytes.append(query.bytes);
  if (!co_await send(attempt, connection.socket(), bytes)) co_return false;
  std::string message;
  if (!co_await receive_message(attempt, connection.socket(), message)) co_return false;
  const QueryState progress = take(attempt, query, message);
  if (progress == QueryState::waiting)
    co_return attempt.critical(Reason::protocol, "over TCP came " + query.last_stranger);
  if (progress == QueryState::answered && query.answer.truncated)
    co_return attempt.critical(Reason::protocol, "the answer is truncated over TCP, too");
  co_return progress == QueryState::answered;
}

// The servers in turn share the time that is left, as addresses of a connection do.
Awaitable<bool> ask(Attempt& attempt, const Addresses& servers, Query& query) {
  for (std::size_t i = 0; i < servers.size(); ++i) {
    const asio::ip::udp::endpoint server(servers[i], query.port);
    if (attempt.tracing()) attempt.trace("asking " + endpoint_text(servers[i], query.port));
    const TimePoint until = step_deadline(attempt, servers.size() - i);
    const QueryState progress = co_await ask_server(attempt, server, until, query);
    if (progress == QueryState::answered && query.answer.truncated)
      co_return co_await ask_over_tcp(attempt, servers[i], query);
    if (progress == QueryState::answered) co_return true;
    if (progress == QueryState::waiting) fail_silence(attempt, query);
    if (attempt.is_over()) break;
  }
  co_return false;
}

Awaitable<bool> find_servers(Attempt& attempt, const DnsSpec& spec, Addresses& servers) {
  if (!spec.server.empty()) co_return co_await resolve(attempt, spec.server, servers);
  attempt.enter(Phase::resolve);
  const auto text = read_small_file("/etc/resolv.conf", limits::kResolvConfBytesMax);
  for (const std::string& server : nameservers_of(text ? *text : ""))
    if (const auto address = numeric_address(server)) servers.push_back(*address);
  co_return choose_addresses(attempt, "the host's own name server", servers);
}

bool judge_rcode(Attempt& attempt, const DnsSpec& spec, int rcode) {
  const std::string name = dns_rcode_name(rcode);
  if (name == spec.rcode) return true;
  if (name == "NXDOMAIN") return attempt.critical(Reason::missing, "NXDOMAIN: no such name");
  return attempt.critical(Reason::status, name + ", not " + spec.rcode);
}

// The first of `list` that is not in `other`.
std::optional<std::string> first_beyond(const std::vector<std::string>& list,
                                        const std::vector<std::string>& other) {
  const auto found = std::find_if(list.begin(), list.end(), [&other](const std::string& one) {
    return std::find(other.begin(), other.end(), one) == other.end();
  });
  return found == list.end() ? std::nullopt : std::optional(*found);
}

bool judge_records(Attempt& attempt, const DnsSpec& spec, std::uint16_t type,
                   const std::vector<DnsRecord>& records) {
  if (records.empty()) return attempt.critical(Reason::missing, "no " + spec.type + " record");
  std::vector<std::string> wanted;
  std::vector<std::string> found;
  wanted.reserve(spec.answers.size());
  found.reserve(records.size());
  for (const std::string& answer : spec.answers) wanted.push_back(dns_data(answer, type));
  for (const DnsRecord& record : records) found.push_back(record.data);
  const std::string all = join_words(found, "and");
  const auto missing = first_beyond(wanted, found);
  if (missing) return attempt.critical(Reason::body, "no " + *missing + ", only " + all);
  const auto more = first_beyond(found, wanted);
  if (more && spec.exact)
    return attempt.critical(Reason::body, *more + " was not expected among " + all);
  return true;
}

bool judge(Attempt& attempt, const DnsSpec& spec, const Query& query) {
  const auto records = records_for(query.answer, query.question);
  attempt.add_value("answers", static_cast<double>(records.size()));
  const auto least = std::min_element(
      records.begin(), records.end(),
      [](const DnsRecord& a, const DnsRecord& b) { return a.ttl_seconds < b.ttl_seconds; });
  if (least != records.end()) attempt.add_value("ttl", least->ttl_seconds);
  attempt.add_value("rcode", query.answer.rcode);
  if (attempt.tracing()) {
    attempt.trace(dns_rcode_name(query.answer.rcode));
    for (const DnsRecord& record : records) attempt.trace(record.data);
  }
  if (!judge_rcode(attempt, spec, query.answer.rcode)) return false;
  return query.answer.rcode != 0 || judge_records(attempt, spec, query.question.type, records);
}

}  // namespace

Awaitable<void> probe_dns(Attempt& attempt, const DnsSpec& spec) {
  Query query;
  query.question.type = dns_type_number(spec.type);
  if (query.question.type == 0 || !is_dns_name(spec.name)) {
    attempt.unknown(Reason::config, describe_target(spec) + " cannot be asked for");
    co_return;
  }
  query.question.name = dns_name(spec.name, query.question.type);
  query.port = spec.port;
  query.id = random_id();
  query.bytes = dns_query(query.id, query.question);
  Addresses servers;
  if (!co_await find_servers(attempt, spec, servers)) co_return;
  if (co_await ask(attempt, servers, query) && judge(attempt, spec, query)) attempt.succeed();
}

}  // namespace firebreak::probes
