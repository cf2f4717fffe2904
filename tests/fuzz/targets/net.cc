// What peers send to the probes that speak a protocol of their own: STARTTLS, DNS, ICMP, AMQP.
//
// The first byte says which.
#include <algorithm>

#include "common/limits.h"
#include "common/probe_spec.h"
#include "probes/amqp.h"
#include "probes/dns_message.h"
#include "probes/icmp_packet.h"
#include "probes/starttls.h"
#include "tests/fuzz/fuzz.h"

namespace firebreak::fuzz {
namespace {

using probes::StartTls;

// In pieces of `size` bytes; what was said meanwhile.
std::string feed(StartTls& talk, std::string_view bytes, std::size_t size) {
  std::string said = talk.take_output();
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    if (talk.feed(bytes.substr(at, size)) != StartTls::State::talking) break;
    said += talk.take_output();
  }
  return said;
}

void starttls(std::string_view bytes) {
  for (const std::string& protocol : starttls_protocols()) {
    StartTls whole(protocol);
    const std::string said = feed(whole, bytes, std::max<std::size_t>(1, bytes.size()));
    StartTls slow(protocol);
    const std::string slowly = feed(slow, bytes, 1);
    expect(said.size() < 64 && slowly.size() < 64, "a server makes us say little", said + slowly);
    const bool failed = whole.state() == StartTls::State::failed;
    expect(failed != whole.problem().empty(), "a failure says why");
    expect(failed == (whole.reason() != Reason::none), "a failure has a reason");
    expect(whole.problem().size() <= bytes.size() + 64, "memory is bounded");
    // Only what comes with the go-ahead at once is refused where bytes that come later are TLS.
    if (whole.state() == StartTls::State::ready)
      expect(slow.state() == StartTls::State::ready, "pieces do not matter", slow.problem());
    if (whole.state() == StartTls::State::talking && bytes.size() <= limits::kStartTlsBytesMax)
      expect(slow.state() == StartTls::State::talking, "pieces do not matter", slow.problem());
  }
}

// A type, and behind it the answer; its id and question become those that were asked.
void dns(std::string_view bytes) {
  Numbers numbers(bytes);
  const std::string type =
      dns_types()[numbers.number(static_cast<std::uint32_t>(dns_types().size()))];
  constexpr std::uint16_t kId = 0x1234;
  const probes::DnsQuestion question{"www.example.com", probes::dns_type_number(type)};
  const std::string query = probes::dns_query(kId, question);
  std::string message(numbers.rest());
  (void)probes::parse_dns_answer(message, kId, question);
  if (message.size() >= 12) message.replace(12, 0, query.substr(12));
  message.replace(0, std::min<std::size_t>(2, message.size()), query.substr(0, 2));
  const auto answer = probes::parse_dns_answer(message, kId, question);
  if (!answer) return expect(!answer.error().message.empty(), "an error says why");
  expect(answer->records.size() <= limits::kDnsAnswersMax, "records are bounded");
  for (const probes::DnsRecord& record : answer->records) {
    // Each byte may become four, in three places of a record: its own name, and two of a SOA.
    expect(record.name.size() <= 1020 && record.data.size() <= 66000, "texts are bounded");
    for (const char c : record.name) expect(c > ' ' && c < 0x7f, "a name is plain", record.name);
  }
  for (const probes::DnsRecord& record : probes::records_for(*answer, question))
    expect(probes::dns_data(record.data, question.type) == record.data,
           "what was read can be expected", record.data);
}

void resolv_conf(std::string_view bytes) {
  const auto servers = probes::nameservers_of(bytes);
  expect(!servers.empty() && servers.size() <= 3, "there is a server, and there are not many");
  for (const std::string& server : servers) expect_safe(server, false, "a server's address");
}

void name(std::string_view bytes) {
  if (!is_dns_name(bytes)) return;
  for (const auto type : {std::uint16_t{1}, std::uint16_t{12}}) {
    const std::string asked = probes::dns_name(bytes, type);
    const std::string query = probes::dns_query(1, {asked, type});
    expect(query.size() <= 12 + 255 + 4, "a query is small", asked);
    std::string reply = query;
    reply[2] = static_cast<char>(0x80);
    expect(static_cast<bool>(probes::parse_dns_answer(reply, 1, {asked, type})),
           "what is asked reads back", asked);
  }
}

void echo(std::string_view bytes) {
  constexpr probes::EchoCookie kCookie = {'c', 'o', 'o', 'k', 'i', 'e'};
  for (const bool v6 : {false, true}) {
    const auto seq = probes::parse_echo_reply(v6, bytes, kCookie);
    if (!seq) continue;
    std::string request = probes::echo_request(v6, *seq, kCookie, bytes.size() - 8);
    expect(request.size() == bytes.size(), "a reply is as large as a request");
    expect(bytes.substr(6, 18) == std::string_view(request).substr(6, 18),
           "a reply holds what was sent");
  }
}

std::string feed_amqp(probes::AmqpTalk& talk, std::string_view bytes, std::size_t size) {
  std::string said = talk.take_output();
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    const auto state = talk.feed(bytes.substr(at, size));
    said += talk.take_output();
    if (state == probes::AmqpTalk::State::done) break;
  }
  return said;
}

void amqp(std::string_view bytes) {
  using State = probes::AmqpTalk::State;
  probes::AmqpTalk whole({"user", "password", "/", "queue"});
  probes::AmqpTalk slow({"user", "password", "/", "queue"});
  const std::string said = feed_amqp(whole, bytes, std::max<std::size_t>(1, bytes.size()));
  const std::string slowly = feed_amqp(slow, bytes, 1);
  expect(said.size() < 600, "a server makes us say little", said);
  expect(said == slowly, "pieces do not matter", slowly);
  expect(whole.state() == slow.state() && whole.problem() == slow.problem(), "pieces do not matter",
         slow.problem());
  const bool failed = whole.reason() != Reason::none;
  expect(!failed || !whole.problem().empty(), "a failure says why");
  expect(!failed || !whole.counts(), "it is an answer or none");
  if (whole.state() == State::talking) expect(!failed && !whole.counts(), "an answer is an end");
  if (whole.state() == State::closing) expect(failed || whole.counts(), "an end has an answer");
}

}  // namespace

void run(std::string_view input) {
  if (input.empty()) return;
  const std::string_view bytes = input.substr(1);
  if (input[0] == 's') starttls(bytes);
  if (input[0] == 'd') dns(bytes);
  if (input[0] == 'i') echo(bytes);
  if (input[0] == 'a') amqp(bytes);
  if (input[0] == 'r') resolv_conf(bytes);
  if (input[0] == 'n') name(bytes);
}

}  // namespace firebreak::fuzz
