// DNS over UDP: one datagram, or thousands, that answer wrongly.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "tests/hostile/crowd.h"
#include "tests/hostile/kinds.h"
#include "tests/hostile/wire.h"
#include "tests/unit/probes/dns_bytes.h"

namespace firebreak::hostile {
namespace datagrams_test {
namespace {

using namespace std::chrono_literals;
using testing::dns_record;
using testing::dns_reply;
using testing::dns_word;
using testing::kDnsFine;
using testing::kToQuestion;

using Answer = std::function<std::string(const std::string& query)>;

constexpr std::size_t kAtOnce = 32;
constexpr std::size_t kAtOnceFlooded = 4;
constexpr auto kDeadline = 300ms;
constexpr auto kFarDeadline = 10s;
constexpr std::size_t kFlood = 20'000;  // datagrams for each query

struct Cell {
  std::string name;
  Answer answer;
  Reasons reasons;
  bool at_deadline = false;
  std::size_t times = 1;
};

// With one record of these bytes, whatever they are.
Answer with_record(const std::string& record) {
  return [record](const std::string& query) { return dns_reply(query, kDnsFine, 1, record); };
}

Answer with_flags(unsigned flags) {
  return [flags](const std::string& query) { return dns_reply(query, flags, 0, ""); };
}

std::string of_another_id(const std::string& query) {
  std::string reply = dns_reply(query, kDnsFine, 0, "");
  reply[0] = static_cast<char>(reply[0] ^ 1);
  return reply;
}

std::string to_another_question(const std::string& query) {
  std::string reply = dns_reply(query, kDnsFine, 0, "");
  reply[13] = 'x';
  return reply;
}

std::vector<Cell> cells() {
  const Reasons wrong = {Reason::protocol};
  const std::string text = static_cast<char>(nasty_text().size()) + nasty_text();
  const std::string itself =
      "\xc0\x21";  // where the first record begins, after header and question
  return {
      {"nothing",
       [](const std::string&) { return std::string(); },
       {Reason::timeout, Reason::protocol},
       true},
      {"garbage", [](const std::string&) { return garbage().substr(0, 500); }, wrong, true},
      {"another id", of_another_id, wrong, true},
      {"another id, again and again",
       of_another_id,
       {Reason::protocol, Reason::timeout},
       true,
       kFlood},
      {"another question", to_another_question, wrong, true},
      {"the query", [](const std::string& query) { return query; }, wrong, true},
      {"truncated, again and again",
       with_flags(testing::kDnsTruncated),
       {Reason::timeout},
       true,
       kFlood},
      {"a name that is itself", with_record(dns_record(itself, 16, "x")), wrong},
      {"a name further on", with_record(dns_record("\xc0\xff", 16, "x")), wrong},
      {"a name without end", with_record(std::string(400, '\x3f')), wrong},
      {"a label of no kind", with_record(dns_record("\x80", 16, "x")), wrong},
      {"data that go on",
       with_record(std::string(kToQuestion) + dns_word(16) + dns_word(1) + dns_word(0) +
                   dns_word(0) + dns_word(60000) + "x"),
       wrong},
      {"65535 records that are not there",
       [](const std::string& query) { return dns_reply(query, kDnsFine, 65535, ""); }, wrong},
      {"a text longer than its data", with_record(dns_record(kToQuestion, 16, "\xffx")), wrong},
      {"a nasty text", with_record(dns_record(kToQuestion, 16, text)), {Reason::body}},
      {"an alias of itself",
       with_record(dns_record(kToQuestion, 5, kToQuestion)),
       {Reason::missing, Reason::protocol}},
      {"no such name", with_flags(0x8183), {Reason::missing}},
      {"a failure", with_flags(0x8182), {Reason::status}},
      {"no code that is known", with_flags(0x818f), {Reason::status}},
      {"much",
       [](const std::string& query) {
         return dns_reply(query, kDnsFine, 1, std::string(60000, '\0'));
       },
       {Reason::missing, Reason::protocol}},
  };
}

Kit serve(const std::vector<Cell>& all) {
  std::vector<Server> servers;
  servers.reserve(all.size());
  for (const Cell& cell : all) {
    Server server;
    server.clear.end = Act::End::hold;
    server.datagrams = Datagrams{
        [answer = cell.answer](const std::string& query) { return std::vector{answer(query)}; },
        cell.times};
    servers.push_back(std::move(server));
  }
  return Kit(Where::tcp_and_udp, std::move(servers));
}

Question question(const Kit& kit, std::size_t server, const Cell& cell) {
  DnsSpec spec;
  spec.name = "www.example.com";
  spec.type = "TXT";
  spec.server = "127.0.0.1";
  spec.port = kit.port(server);
  spec.answers = {"wanted"};
  Question one;
  one.name = cell.name;
  one.kind = spec;
  one.timeout = cell.at_deadline ? Duration(kDeadline) : Duration(kFarDeadline);
  one.at_once = cell.times > 1 ? kAtOnceFlooded : kAtOnce;
  return one;
}

TEST(HostileDatagrams, EndInTimeAndAreToldAsWhatTheyAre) {
  const std::vector<Cell> all = cells();
  const Kit kit = serve(all);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Question one = question(kit, i, all[i]);
    expect_failures(ask({one})[0], all[i].reasons, one.timeout, "dns: " + all[i].name);
  }
}

TEST(HostileDatagrams, AnAnswerThatIsCutAnywhereIsNone) {
  const std::string record = dns_record(kToQuestion, 16, "\x06wanted");
  std::vector<Cell> all;
  constexpr std::size_t kWhole = 12 + 21 + 12 + 7;
  all.reserve(kWhole + 1);
  for (std::size_t bytes = 0; bytes <= kWhole; ++bytes)
    all.push_back({std::to_string(bytes),
                   [=](const std::string& query) {
                     return dns_reply(query, kDnsFine, 1, record).substr(0, bytes);
                   },
                   {Reason::protocol, Reason::timeout},
                   true});
  const Kit kit = serve(all);
  std::vector<Question> questions;
  questions.reserve(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    questions.push_back(question(kit, i, all[i]));
    questions.back().at_once = 1;
  }

  const auto answers = ask(questions);

  EXPECT_EQ(answers[kWhole][0].status, Status::ok) << answers[kWhole][0].evidence;
  for (std::size_t i = 0; i < kWhole; ++i)
    expect_failures(answers[i], all[i].reasons, kDeadline, "dns after " + all[i].name + " bytes");
}

}  // namespace
}  // namespace datagrams_test
}  // namespace firebreak::hostile
