// What any server can do, at each place of a conversation, and what only one that speaks the
// protocol can do.
#include "tests/hostile/cells.h"

#include <chrono>
#include <utility>

#include "tests/hostile/wire.h"
#include "tests/unit/probes/dns_bytes.h"

namespace firebreak::hostile {
namespace {

using namespace std::chrono_literals;
using End = Act::End;

// So slow that no answer is whole before a deadline of 300 ms.
constexpr auto kDrip = 120ms;

// What is thought of three things that every server can do.
struct Judgement {
  Reasons nonsense;
  Reasons early_end;
};

void add_ends(const Judgement& judgement, std::vector<Behaviour>& all) {
  Reasons reset = judgement.early_end;
  reset.insert(Reason::reset);
  all.push_back({"says nothing", {{}, SIZE_MAX, "", {}, End::hold}, {Reason::timeout}, true});
  all.push_back(
      {"says nothing when asked", {{{""}}, SIZE_MAX, "", {}, End::hold}, {Reason::timeout}, true});
  all.push_back({"closes at once", {}, judgement.early_end});
  all.push_back({"closes when asked", {{{""}}}, judgement.early_end});
  all.push_back({"resets at once", {{}, SIZE_MAX, "", {}, End::reset}, reset});
  all.push_back({"resets when asked", {{{""}}, SIZE_MAX, "", {}, End::reset}, reset});
}

// The same bytes for ever, and where nobody has asked yet.
void add_floods(const Judgement& judgement, std::vector<Behaviour>& all) {
  const std::vector<std::pair<std::string, std::string>> floods = {
      {"endless garbage", garbage()},
      {"endless zeros", many(std::string(1, '\0'))},
      {"endless line", many("A")},
      {"endless lines", many("\r\n")},
      {"endless nasty lines", many(nasty_text() + "\r\n")}};
  for (const auto& [name, bytes] : floods) {
    all.push_back({name, {{{""}}, SIZE_MAX, bytes}, judgement.nonsense});
    all.push_back({name + " before it is asked", {{}, SIZE_MAX, bytes}, judgement.nonsense});
  }
}

std::vector<Behaviour> any_behaviours(const Judgement& judgement) {
  std::vector<Behaviour> all;
  add_ends(judgement, all);
  add_floods(judgement, all);
  return all;
}

// A handshake that goes wrong, in records of its own.
std::vector<Behaviour> tls_behaviours() {
  const auto after_hello = [](const std::string& more) {
    return Act{{{""}}, SIZE_MAX, many(more)};
  };
  const std::string hello_request(4, '\0');
  std::string requests;
  for (int i = 0; i < 1000; ++i) requests += hello_request;
  const std::string endless("\x02\xff\xff\xff", 4);
  return {
      {"endless hello requests",
       after_hello(tls_record(22, requests)),
       {Reason::timeout, Reason::tls},
       true},
      {"endless hello",
       after_hello(tls_record(22, endless + std::string(16000, 'x'))),
       {Reason::tls}},
      {"endless empty records", after_hello(tls_record(22, "")), {Reason::tls}},
      {"endless warnings", after_hello(tls_record(21, "\x01\x5a")), {Reason::tls}},
      {"endless changes of cipher", after_hello(tls_record(20, "\x01")), {Reason::tls}},
      {"data before the handshake",
       after_hello(tls_record(23, std::string(1000, 'x'))),
       {Reason::tls}},
      {"a record too large",
       after_hello("\x16\x03\x03\xff\xff" + std::string(65535, 'x')),
       {Reason::tls}},
      {"refuses", {{{tls_record(21, "\x02\x28")}}}, {Reason::tls}},
      {"says good-bye",
       {{{tls_record(21, std::string("\x01\0", 2))}}},
       {Reason::tls, Reason::reset}},
  };
}

std::vector<std::pair<std::string, pki::KeyPairFiles>> bad_certificates(const Certificates& of) {
  return {{"another host's certificate", of.other_host},
          {"an expired certificate", of.expired},
          {"a certificate of tomorrow", of.not_yet},
          {"a self-signed certificate", of.self_signed},
          {"a stranger's certificate", of.of_a_stranger},
          {"a certificate with a weak key", of.weak_key},
          {"a certificate with a weak digest", of.weak_digest},
          {"a client's certificate", of.for_clients}};
}

// Truncated, so that the question is asked again over TCP.
std::vector<std::string> ask_over_tcp(const std::string& query) {
  return {testing::dns_reply(query, testing::kDnsTruncated, 0, "")};
}

// In the clear, after `before`.
Server clear_server(std::vector<Reply> before, const Act& act) {
  Server server;
  server.clear = act;
  before.insert(before.end(), act.replies.begin(), act.replies.end());
  server.clear.replies = std::move(before);
  return server;
}

void add(std::vector<Cell>& cells, const std::string& place, const Behaviour& behaviour,
         Server server) {
  cells.push_back({place + behaviour.name, std::move(server), behaviour.reasons,
                   behaviour.at_deadline, behaviour.is_long});
}

// Where the server speaks first, nobody asks it before.
Act greeting(Act act) {
  for (Reply& reply : act.replies) reply.at_once = true;
  return act;
}

void add_starttls_cells(const Kind& kind, std::vector<Cell>& cells) {
  const bool speaks_first = kind.starttls.front().at_once;
  for (const Behaviour& behaviour : any_behaviours({{Reason::protocol}, {Reason::reset}}))
    add(cells, "for STARTTLS: ", behaviour,
        clear_server({}, speaks_first ? greeting(behaviour.act) : behaviour.act));
}

void add_tls_cells(const Kind& kind, const Certificates& certificates, std::vector<Cell>& cells) {
  Judgement judgement{{Reason::tls}, {Reason::reset, Reason::tls}};
  // What comes in the clear right behind the go-ahead is an injection.
  if (!kind.starttls.empty()) judgement.nonsense.insert(Reason::protocol);
  std::vector<Behaviour> all = any_behaviours(judgement);
  for (Behaviour& behaviour : tls_behaviours()) all.push_back(std::move(behaviour));
  for (const Behaviour& behaviour : all)
    add(cells, "for TLS: ", behaviour, clear_server(kind.starttls, behaviour.act));
  if (!kind.starttls.empty()) add_starttls_cells(kind, cells);
  for (auto& [name, files] : bad_certificates(certificates)) {
    Server server = server_of(kind, certificates, {kind.good});
    server.tls = files;
    cells.push_back({name, std::move(server), {Reason::tls}});
  }
}

}  // namespace

Server server_of(const Kind& kind, const Certificates& certificates, const Act& act) {
  Server server = clear_server({}, act);
  if (kind.tls) {
    server.clear = Act{kind.starttls};
    server.inside = act;
    server.tls = certificates.good;
    server.alpn = kind.alpn;
  }
  if (kind.where == Where::tcp_and_udp) server.datagrams = Datagrams{ask_over_tcp};
  return server;
}

std::vector<Cell> cells_of(const Kind& kind, const Certificates& certificates) {
  std::vector<Behaviour> all = any_behaviours({kind.nonsense, kind.early_end});
  all.insert(all.end(), kind.own.begin(), kind.own.end());
  all.push_back({"drips", {kind.good, SIZE_MAX, "x", kDrip}, {Reason::timeout}, true});
  std::vector<Cell> cells;
  for (const Behaviour& behaviour : all)
    add(cells, "", behaviour, server_of(kind, certificates, behaviour.act));
  if (kind.tls) add_tls_cells(kind, certificates, cells);
  return cells;
}

}  // namespace firebreak::hostile
