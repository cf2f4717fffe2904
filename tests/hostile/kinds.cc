// The table of kinds. A behaviour's reasons are those that an operator would accept for it.
#include "tests/hostile/kinds.h"

#include "tests/hostile/wire.h"
#include "tests/unit/probes/dns_bytes.h"
#include "tests/unit/probes/h2_peer.h"
#include "tests/unit/probes/postgres_bytes.h"

namespace firebreak::hostile {
namespace {

using testing::grpc_error;
using testing::grpc_message;
using testing::h2_data;
using testing::h2_frame;
using testing::h2_goaway;
using testing::h2_headers;
using testing::h2_reset;
using testing::h2_settings;
using testing::postgres_error;
using testing::postgres_message;
using Behaviours = std::vector<Behaviour>;

const char* const kHere = "127.0.0.1";

TlsSpec trusting(const Target& target) {
  TlsSpec spec;
  spec.ca_file = target.authority;
  return spec;
}

// Said at once, then again and again.
Act flood(const std::string& more, std::vector<Reply> before = {{""}}) {
  Act act;
  act.replies = std::move(before);
  act.more = many(more);
  return act;
}

// Said, and then nothing more.
Act say(const std::string& text, Act::End end = Act::End::close) {
  Act act;
  act.replies = {{text}};
  act.end = end;
  return act;
}

// --- HTTP ----------------------------------------------------------------------------------------

const char* const kJson = R"({"fine":true,"length":3})";
const char* const kSeries =
    R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up"},"value":[1,"1"]}]}})";

std::string http_answer(const std::string& body, const std::string& status = "200 OK",
                        const std::string& headers = "") {
  return "HTTP/1.1 " + status + "\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string redirect_to(const std::string& place) {
  return http_answer("", "302 Found", "Location: " + place + "\r\n");
}

// `endless_body` is what a kind makes of a body that does not end.
Behaviours http_behaviours(const Reasons& endless_body) {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string head = "HTTP/1.1 200 OK\r\n";
  return {
      {"endless headers", flood("X-Header: x\r\n", {{head}}), {Reason::protocol}},
      {"endless header", flood("x", {{head + "X: "}}), {Reason::protocol}},
      {"endless 100 Continue", flood("HTTP/1.1 100 Continue\r\n\r\n"), {Reason::protocol}},
      {"endless reason", flood("x", {{"HTTP/1.1 200 "}}), {Reason::protocol}},
      {"endless body", flood("x", {{head + "\r\n"}}), endless_body},
      {"endless body of zeros", flood(std::string(1, '\0'), {{head + "\r\n"}}), endless_body},
      {"endless chunks", flood("1000\r\n" + std::string(4096, 'x') + "\r\n", {{chunked}}),
       endless_body},
      {"endless small chunks", flood("1;x\r\nx\r\n", {{chunked}}), {Reason::protocol}, false, true},
      {"endless chunk extension", flood("x", {{chunked + "1;"}}), {Reason::protocol}},
      {"endless trailers", flood("X: x\r\n", {{chunked + "0\r\n"}}), {Reason::protocol}},
      {"a chunk that is none", say(chunked + "xyz\r\nabc"), {Reason::protocol}},
      {"a chunk larger than all", say(chunked + "ffffffffffffffffff\r\nabc"), {Reason::protocol}},
      {"two lengths",
       say(head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy"),
       {Reason::protocol}},
      {"a negative length", say(head + "Content-Length: -1\r\n\r\nx"), {Reason::protocol}},
      {"a length larger than all",
       say(head + "Content-Length: 99999999999999999999999\r\n\r\nx"),
       {Reason::protocol}},
      {"a huge length, then nothing",
       say(head + "Content-Length: 9223372036854775807\r\n\r\nx"),
       {Reason::reset}},
      {"nasty reason",
       say(http_answer("", "500 " + nasty_text())),
       {Reason::protocol, Reason::status}},
      {"nasty header",
       say(http_answer("", "500 No", "X: " + nasty_text() + "\r\n")),
       {Reason::protocol, Reason::status}},
      {"nasty body", say(http_answer(nasty_text(), "500 No")), {Reason::status}},
      {"redirect loop", say(redirect_to("/again")), {Reason::status}},
      {"redirect to metadata",
       say(redirect_to("http://169.254.169.254/latest/")),
       {Reason::status}},
      {"redirect to metadata, written otherwise",
       say(redirect_to("http://[::ffff:a9fe:a9fe]/")),
       {Reason::status}},
      {"redirect to a file", say(redirect_to("file:///etc/passwd")), {Reason::status}},
      {"redirect to a script", say(redirect_to("javascript:alert(1)")), {Reason::status}},
      {"redirect to nasty text",
       say(redirect_to("http://" + nasty_text())),
       {Reason::status, Reason::protocol}},
      {"redirect to a long place",
       say(redirect_to("/" + std::string(12000, 'x'))),
       {Reason::status}},
  };
}

HttpSpec http_spec(const Target& target, bool tls, const std::string& path) {
  HttpSpec spec;
  spec.url =
      std::string(tls ? "https://" : "http://") + kHere + ":" + std::to_string(target.port) + path;
  spec.max_redirects = 5;
  if (tls) spec.tls = trusting(target);
  return spec;
}

Kind http_kind(bool tls) {
  Kind kind;
  kind.name = tls ? "https" : "http";
  kind.tls = tls;
  kind.spec = [tls](const Target& target) {
    HttpSpec spec = http_spec(target, tls, "/");
    spec.expect = "body.fine";
    return spec;
  };
  kind.good = {{http_answer(kJson)}};
  kind.own = http_behaviours({Reason::body});
  kind.own.push_back(
      {"nasty JSON", say(http_answer("{\"fine\": \"" + nasty_text() + "\"}")), {Reason::body}});
  kind.own.push_back({"deep JSON", say(http_answer(std::string(50000, '['))), {Reason::body}});
  return kind;
}

Kind queue_http() {
  Kind kind;
  kind.name = "queue_http";
  kind.spec = [](const Target& target) {
    QueueSpec::HttpJson source;
    source.http = http_spec(target, false, "/");
    source.length = "body.length";
    QueueSpec spec;
    spec.source = source;
    return spec;
  };
  kind.good = {{http_answer(kJson)}};
  kind.own = http_behaviours({Reason::body});
  kind.own.push_back(
      {"a length that is none", say(http_answer(R"({"length":-1e308})")), {Reason::body}});
  kind.own.push_back(
      {"nasty length", say(http_answer("{\"length\":\"" + nasty_text() + "\"}")), {Reason::body}});
  return kind;
}

Kind prometheus_query() {
  Kind kind;
  kind.name = "prometheus_query";
  kind.spec = [](const Target& target) {
    PrometheusSpec spec;
    spec.http = http_spec(target, false, "");
    spec.query = "up";
    return spec;
  };
  kind.good = {{http_answer(kSeries)}};
  // More than a query may answer is a query that asks too much.
  kind.own = http_behaviours({Reason::config});
  const auto fails = [](const std::string& why) {
    return http_answer(R"({"status":"error","errorType":"bad_data","error":")" + why + "\"}",
                       "422 No");
  };
  kind.own.push_back({"nasty error",
                      say(fails(nasty_text())),
                      {Reason::status, Reason::config, Reason::protocol}});
  kind.own.push_back({"deep JSON", say(http_answer(std::string(500000, '['))), {Reason::protocol}});
  return kind;
}

Kind prometheus_page() {
  Kind kind;
  kind.name = "prometheus_page";
  kind.spec = [](const Target& target) {
    PrometheusSpec spec;
    spec.http = http_spec(target, false, "/metrics");
    spec.metric = "up";
    return spec;
  };
  kind.good = {{http_answer("# HELP up\nup 1\n")}};
  kind.own = http_behaviours({Reason::body, Reason::protocol});
  kind.own.push_back({"endless samples",
                      flood("up 1\n", {{"HTTP/1.1 200 OK\r\n\r\n"}}),
                      {Reason::body},
                      false,
                      true});
  kind.own.push_back({"nasty samples",
                      say(http_answer("up{a=\"" + nasty_text() + "\"} x\n")),
                      {Reason::protocol, Reason::missing}});
  return kind;
}

// --- PostgreSQL ----------------------------------------------------------------------------------

PostgresSpec postgres_spec(const Target& target) {
  PostgresSpec spec;
  spec.host = kHere;
  spec.port = target.port;
  return spec;
}

std::string postgres_notice() {
  return postgres_message(
      'N', std::string("SNOTICE\0C00000\0M", 16) + nasty_text() + std::string(2, '\0'));
}

Kind postgres_ready() {
  Kind kind;
  kind.name = "postgres_ready";
  kind.spec = [](const Target& target) { return postgres_spec(target); };
  const std::string welcome = postgres_welcome();
  kind.good = {{welcome}};
  kind.farewell = welcome.size() - 5;  // an R and a length say it all
  kind.own = {
      {"nasty error", say(postgres_error("57P03", nasty_text())), {Reason::status}},
      {"endless notices", flood(postgres_notice()), {Reason::protocol}},
      {"endless old error", flood("x", {{"E"}}), {Reason::protocol}},
      {"nasty old error", say("E" + nasty_text() + std::string(1, '\0')), {Reason::status}},
      {"huge length", flood("x", {{"E\x7f\xff\xff\xff"}}), {Reason::protocol}},
      {"huge notice", flood("x", {{"N\x7f\xff\xff\xff"}}), {Reason::protocol}},
      {"wrong type", say(postgres_message('Z', "I")), {Reason::protocol}},
      {"no length", say(std::string("R\0\0\0\0", 5)), {Reason::protocol}},
  };
  return kind;
}

PostgresSpec postgres_query_spec(const Target& target) {
  PostgresSpec spec = postgres_spec(target);
  spec.sslmode = "disable";
  spec.query = "SELECT 1";
  spec.password_file = target.secret;
  return spec;
}

// RFC 5802, 3: a server's first message, with more rounds than anybody can compute.
std::string endless_scram(const std::string& received) {
  const std::size_t nonce = received.rfind("r=");
  if (nonce == std::string::npos) return {};
  return postgres_message('R',
                          big_endian(11, 4) + received.substr(nonce) + "x,s=c2FsdA==,i=2000000000");
}

// Behaviours before and after the session stands.
Behaviours postgres_behaviours() {
  const std::string ok = postgres_message('R', big_endian(0, 4));
  const std::string welcome = postgres_welcome();
  const std::vector<Reply> asked = {{welcome}, {""}};
  const Reasons wrong = {Reason::protocol};
  const Reasons too_long = {Reason::config, Reason::protocol};
  const auto sasl = [](std::uint32_t code, const std::string& text) {
    return postgres_message('R', big_endian(code, 4) + text);
  };
  const std::string mechanisms = sasl(10, std::string("SCRAM-SHA-256\0\0", 15));
  const auto parameter =
      postgres_message('S', std::string("name\0", 5) + std::string(30000, 'x') + '\0');
  const auto after = [&](const std::string& bytes) {
    Act act;
    act.replies = {{welcome}, {bytes}};
    return act;
  };
  return {
      {"nasty error", say(postgres_error("57P03", nasty_text())), {Reason::status}},
      {"nasty old error", say("E" + nasty_text() + std::string("\n\0", 2)), wrong},
      {"endless notices", flood(postgres_notice(), {{ok}}), wrong},
      {"endless parameters", flood(parameter, {{ok}}), wrong},
      {"endless notifications",
       flood(postgres_message('A', big_endian(1, 4) + std::string("x\0y\0", 4)), {{ok}}), wrong},
      {"huge notice", flood("x", {{ok + "N\x7f\xff\xff\xff"}}), wrong},
      {"huge error", flood("x", {{ok + "E\x7f\xff\xff\xff"}}), wrong},
      {"wrong type", say(postgres_message('D', "")), wrong},
      {"no length", say(std::string("R\0\0\0\0", 5)), wrong},
      {"wants a clear password again and again",
       flood(sasl(3, "")),
       {Reason::auth, Reason::protocol}},
      {"wants a kind of password that is not there",
       say(sasl(99, "")),
       {Reason::protocol, Reason::auth}},
      {"SASL for ever", flood(sasl(11, "r=x"), {{mechanisms}}), {Reason::auth, Reason::protocol}},
      {"SCRAM without end", {{{mechanisms}, {"", false, endless_scram}}}, wrong},
      {"SASL without sense", say(sasl(10, "nothing")), {Reason::auth, Reason::protocol}},
      {"nasty answer", after(postgres_error("XX000", nasty_text())), {Reason::status}},
      {"an answer of another kind", after(postgres_message('V', "")), wrong},
      {"a row without columns",
       after(postgres_message('D', big_endian(1, 2))),
       {Reason::protocol, Reason::reset}},
      {"endless notices of the query", flood(postgres_notice(), asked), too_long},
      {"endless rows",
       flood(postgres_message('D', big_endian(1, 2) + big_endian(1, 4) + "1"),
             {{welcome}, {postgres_answers().substr(0, 90)}}),
       too_long},
      {"huge row", flood("x", {{welcome}, {"D\x7f\xff\xff\xff"}}), too_long},
      {"huge description", flood("x", {{welcome}, {"T\x7f\xff\xff\xff"}}), too_long},
      {"huge message of another kind", flood("x", {{welcome}, {"Z\x7f\xff\xff\xff"}}), wrong},
      {"silent when asked", after(""), {Reason::reset}},
  };
}

Kind postgres_query() {
  Kind kind;
  kind.name = "postgres_query";
  kind.spec = [](const Target& target) { return postgres_query_spec(target); };
  kind.good = {{postgres_welcome()}, {postgres_answers()}};
  kind.own = postgres_behaviours();
  return kind;
}

Kind queue_postgres() {
  Kind kind = postgres_query();
  kind.name = "queue_postgres";
  kind.spec = [](const Target& target) {
    QueueSpec::SqlCount source;
    source.postgres = postgres_query_spec(target);
    QueueSpec spec;
    spec.source = source;
    return spec;
  };
  return kind;
}

Kind pgbouncer() {
  Kind kind;
  kind.name = "pgbouncer";
  kind.spec = [](const Target& target) {
    PgbouncerSpec spec;
    spec.server.host = kHere;
    spec.server.port = target.port;
    spec.server.sslmode = "disable";
    spec.server.password_file = target.secret;
    return spec;
  };
  kind.good = {{postgres_welcome()},
               {postgres_row({{"database", "shop"}, {"cl_active", "1"}, {"maxwait", "0"}})}};
  kind.own = postgres_behaviours();
  return kind;
}

// --- Redis ---------------------------------------------------------------------------------------

Behaviours redis_behaviours() {
  const Reasons wrong = {Reason::protocol};
  return {
      {"nasty error", say("-ERR " + nasty_text() + "\r\n"), {Reason::status}},
      {"nasty status", say("+" + nasty_text() + "\r\n+\r\n+\r\n+\r\n+\r\n"), wrong},
      {"endless statuses", flood("+PING\r\n"), wrong},
      {"endless errors", flood("-ERR x\r\n"), {Reason::status, Reason::protocol}},
      {"endless error", flood("x", {{"-ERR "}}), wrong},
      {"huge string", say("$99999999999999999999\r\n"), wrong},
      {"large string", flood("x", {{"$16777216\r\n"}}), wrong, false, true},
      {"larger string", say("$16777217\r\n"), wrong},
      {"negative string", say("$-5\r\n"), wrong},
      {"null", say("$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n"), wrong},
      {"huge array", say("*2147483647\r\n"), wrong},
      {"large arrays", flood("*16000\r\n"), wrong},
      {"negative array", say("*-7\r\n"), wrong},
      {"deep arrays", flood("*1\r\n"), wrong},
      {"a large array of nothing", flood("+\r\n", {{"*16384\r\n"}}), wrong},
      {"a string longer than it says", say("$1\r\nabc\r\n"), wrong},
  };
}

RedisSpec redis_spec(const Target& target, bool tls) {
  RedisSpec spec;
  spec.host = kHere;
  spec.port = target.port;
  if (tls) spec.tls = trusting(target);
  return spec;
}

Kind redis_kind(bool tls) {
  const std::string info = "# Replication\r\nrole:master\r\nconnected_clients:5\r\n";
  Kind kind;
  kind.name = tls ? "redis_tls" : "redis";
  kind.tls = tls;
  kind.spec = [tls](const Target& target) {
    RedisSpec spec = redis_spec(target, tls);
    spec.role = "master";
    return spec;
  };
  kind.good = {{"+PONG\r\n$" + std::to_string(info.size()) + "\r\n" + info + "\r\n"}};
  kind.own = redis_behaviours();
  kind.own.push_back({"nasty role",
                      say("+PONG\r\n$40\r\n" + ("role:" + nasty_text()).substr(0, 40) + "\r\n"),
                      {Reason::status, Reason::protocol}});
  return kind;
}

Kind queue_redis(bool stream) {
  Kind kind;
  kind.name = stream ? "queue_redis_group" : "queue_redis";
  kind.spec = [stream](const Target& target) {
    QueueSpec::RedisKey source;
    source.redis = redis_spec(target, false);
    source.key = "jobs";
    if (stream) source.type = "stream";
    if (stream) source.group = "g";
    QueueSpec spec;
    spec.source = source;
    return spec;
  };
  kind.good = {{stream ? ":1\r\n:5\r\n*2\r\n$10\r\n1700000000\r\n$1\r\n5\r\n"
                         "*1\r\n*8\r\n+name\r\n+g\r\n+pending\r\n:2\r\n+lag\r\n:3\r\n"
                         "+last-delivered-id\r\n$3\r\n1-0\r\n"
                         "*4\r\n:2\r\n$15\r\n1699999990000-0\r\n$15\r\n1699999995000-0\r\n*0\r\n"
                       : ":3\r\n"}};
  kind.own = redis_behaviours();
  kind.own.push_back({"a length that is none",
                      say(":-9223372036854775808\r\n:1\r\n:1\r\n:1\r\n:1\r\n"),
                      {Reason::body, Reason::protocol}});
  return kind;
}

// --- RabbitMQ ------------------------------------------------------------------------------------

Kind queue_rabbitmq() {
  Kind kind;
  kind.name = "queue_rabbitmq";
  kind.spec = [](const Target& target) {
    QueueSpec::RabbitMq source;
    source.host = kHere;
    source.port = target.port;
    source.queue = "jobs";
    QueueSpec spec;
    spec.source = source;
    return spec;
  };
  kind.good = amqp_talk();
  kind.farewell = kind.good.back().send.size();
  const Reasons wrong = {Reason::protocol};
  const std::string heartbeat("\x08\0\0\0\0\0\0\xce", 8);
  const Reply start = kind.good.front();
  kind.own = {
      {"endless heartbeats", flood(heartbeat), wrong},
      {"endless heartbeats after a start", flood(heartbeat, {start, {""}}), wrong},
      {"endless blocked", flood(amqp_method(0, 10, 60, std::string(1, '\0')), {start, {""}}),
       wrong},
      {"huge frame", flood("x", {{std::string("\x01\0\0\xff\xff\xff\xff", 7)}}), wrong},
      {"large frame", flood("x", {{std::string("\x01\0\0\0\x02\0\0", 7)}}), wrong},
      {"frame without end", say(std::string("\x01\0\0\0\0\0\4\0\x0a\0\x0a\0", 12)), wrong},
      {"method that is none", say(std::string("\x01\0\0\0\0\0\1\0\xce", 9)), wrong},
      {"a start that is cut",
       say(amqp_method(0, 10, 10, big_endian(9, 2) + big_endian(0xffffffff, 4))), wrong},
      {"nobody's turn", say(amqp_method(1, 50, 11, "")), wrong},
      {"content", say(std::string("\x02\0\1\0\0\0\0\xce", 8)), wrong},
      {"another version", say(std::string("AMQP\0\1\0\0", 8)), wrong},
      {"nasty mechanisms",
       say(amqp_method(0, 10, 10,
                       big_endian(9, 2) + big_endian(0, 4) + big_endian(nasty_text().size(), 4) +
                           nasty_text() + big_endian(0, 4))),
       {Reason::auth}},
      {"nasty refusal", say(amqp_close(true, 403, nasty_text())), {Reason::auth}},
      {"nasty end", say(amqp_close(true, 541, nasty_text())), {Reason::status}},
      {"endless closes",
       flood(amqp_close(false, 404, nasty_text()), {start, {""}}),
       {Reason::missing, Reason::protocol}},
  };
  return kind;
}

// --- TCP, STARTTLS -------------------------------------------------------------------------------

Kind tcp_kind(const std::string& name, bool tls, const std::string& starttls) {
  Kind kind;
  kind.name = name;
  kind.tls = tls || !starttls.empty();
  kind.spec = [tls, starttls](const Target& target) {
    TcpSpec spec;
    spec.host = kHere;
    spec.port = target.port;
    spec.dialogue = {{"HELLO\r\n", "READY"}, {"BYE\r\n", "BYE"}};
    spec.starttls = starttls;
    if (tls || !starttls.empty()) spec.tls = trusting(target);
    return spec;
  };
  kind.good = {{"220 READY\r\n"}, {"221 BYE\r\n"}};
  kind.farewell = 2;
  kind.nonsense = {Reason::body};
  kind.early_end = {Reason::reset, Reason::body};
  kind.own = {
      {"nasty banner", say(nasty_text()), {Reason::body}},
      {"nearly", flood("READ", {{"RE"}}), {Reason::body}},
  };
  if (starttls == "smtp")
    kind.starttls = {{"220 x\r\n", true}, {"250-x\r\n250 STARTTLS\r\n"}, {"220 go\r\n"}};
  if (starttls == "imap") kind.starttls = {{"* OK x\r\n", true}, {"* CAPABILITY\r\na1 OK\r\n"}};
  if (starttls == "postgres") kind.starttls = {{"S"}};
  return kind;
}

// --- gRPC ----------------------------------------------------------------------------------------

Behaviours grpc_behaviours() {
  const Reasons wrong = {Reason::protocol};
  const std::string begun = h2_settings();
  const std::string headers =
      h2_headers({{":status", "200"}, {"content-type", "application/grpc"}});
  const std::string setting = h2_frame(4, 0, 0, std::string("\0\3\0\0\0\x64", 6));
  const std::string no_window = h2_frame(4, 0, 0, std::string("\0\4\0\0\0\0", 6));
  const auto many_more = [&](const std::string& frame, const std::string& before = "") {
    return flood(frame, {{begun + before}});
  };
  return {
      {"endless settings", many_more(setting), wrong},
      {"endless pings", many_more(h2_frame(6, 0, 0, "12345678")), wrong},
      {"endless ping answers", many_more(h2_frame(6, 1, 0, "12345678")), wrong},
      {"endless continuations", many_more(h2_frame(9, 0, 1, ""), h2_frame(1, 0, 1, "")), wrong},
      {"endless continuations of headers",
       many_more(h2_frame(9, 0, 1, testing::h2_fields({{"x", "y"}})), h2_frame(1, 0, 1, "")),
       wrong},
      {"endless windows", many_more(h2_frame(8, 0, 0, std::string("\0\0\0\1", 4))), wrong},
      {"window beyond all",
       many_more(h2_frame(8, 0, 0, "\x7f\xff\xff\xff")),
       {Reason::protocol, Reason::status}},
      {"window of nothing", many_more(h2_frame(8, 0, 1, std::string(4, '\0'))), wrong},
      {"endless priorities", many_more(h2_frame(2, 0, 1, std::string(5, '\0'))), wrong},
      {"endless frames of no kind", many_more(h2_frame(99, 0, 1, "x")), wrong},
      {"endless empty data", many_more(h2_data(""), headers), wrong},
      {"endless data", many_more(h2_data(std::string(16000, 'x')), headers), wrong},
      {"endless resets",
       many_more(h2_frame(3, 0, 1, big_endian(8, 4))),
       {Reason::reset, Reason::status}},
      {"no room for the question", say(no_window, Act::End::hold), {Reason::timeout}, true},
      {"huge frame", flood("x", {{begun + "\xff\xff\xff" + std::string("\0\0\0\0\0\1", 6)}}),
       wrong},
      {"headers for nobody", many_more(h2_frame(1, 5, 7, "")), wrong},
      {"a promise", say(begun + h2_frame(5, 4, 1, std::string("\0\0\0\2", 4))), wrong},
      {"goes away", say(begun + h2_goaway(0, 0, nasty_text())), {Reason::status}},
      {"nasty farewell",
       say(begun + h2_goaway(1, 11, nasty_text())),
       {Reason::reset, Reason::status}},
      {"resets the call", say(begun + h2_reset(2)), {Reason::reset}},
      {"compression without sense", say(begun + h2_frame(1, 4, 1, "\xff\xff\xff\xff\xff\xff")),
       wrong},
      {"nasty message", say(grpc_error("14", "%1b%5b31m%ff%e2%80%ae%")), {Reason::status}},
      {"nasty field", say(grpc_error("14", nasty_text())), {Reason::status, Reason::protocol}},
      {"status that is none", say(grpc_error("99999999999999999999", "")), wrong},
      {"compressed",
       say(begun + headers + h2_data("\1" + std::string("\0\0\0\2\x08\1", 6)) +
           h2_headers({{"grpc-status", "0"}}, true)),
       wrong},
      {"huge message",
       say(begun + headers + h2_data(std::string("\0\xff\xff\xff\xff", 5)) +
           h2_headers({{"grpc-status", "0"}}, true)),
       wrong},
  };
}

Kind grpc_kind(bool tls) {
  Kind kind;
  kind.name = tls ? "grpc_tls" : "grpc";
  kind.tls = tls;
  if (tls) kind.alpn = "h2";
  kind.spec = [tls](const Target& target) {
    GrpcSpec spec;
    spec.host = kHere;
    spec.port = target.port;
    if (tls) spec.tls = trusting(target);
    return spec;
  };
  kind.good = {{testing::health_answer()}};
  kind.own = grpc_behaviours();
  return kind;
}

// --- DNS over TCP, systemd -----------------------------------------------------------------------

std::string dns_over_tcp(const std::string& received) {
  if (received.size() < 14) return {};
  const std::string answer =
      testing::dns_reply(received.substr(2), testing::kDnsFine, 1,
                         testing::dns_record(testing::kToQuestion, 1, "\x7f\x01\x02\x03"));
  return big_endian(answer.size(), 2) + answer;
}

Kind dns_tcp() {
  Kind kind;
  kind.name = "dns_tcp";
  kind.where = Where::tcp_and_udp;
  kind.spec = [](const Target& target) {
    DnsSpec spec;
    spec.name = "www.example.com";
    spec.server = kHere;
    spec.port = target.port;
    return spec;
  };
  kind.good = {{"", false, dns_over_tcp}};
  kind.made_bytes = 2 + 12 + 21 + 16;  // length, header, question, record
  // A length may be longer than what comes of it.
  kind.nonsense = {Reason::protocol};
  kind.own = {
      {"truncated here, too",
       {{{"", false,
          [](const std::string& received) {
            const std::string answer =
                testing::dns_reply(received.substr(2), testing::kDnsTruncated, 0, "");
            return big_endian(answer.size(), 2) + answer;
          }}}},
       {Reason::protocol}},
      {"an answer to something else",
       {{{"", false,
          [](const std::string& received) {
            std::string other = dns_over_tcp(received);
            other[2] = static_cast<char>(other[2] ^ 1);
            return other;
          }}}},
       {Reason::protocol}},
  };
  return kind;
}

Kind systemd_kind() {
  Kind kind;
  kind.name = "systemd";
  kind.where = Where::unix_socket;
  kind.spec = [](const Target&) {
    SystemdSpec spec;
    spec.unit = "nginx.service";
    return spec;
  };
  const std::string begun = std::string(kBusWelcome) + bus_hello();
  const auto unit = [&](const std::string& sub) {
    return begun + bus_answer(2, "v", bus_text("loaded")) + bus_answer(3, "v", bus_text("active")) +
           bus_answer(4, "v", bus_text(sub)) + bus_answer(5, "v", bus_text("success")) +
           bus_answer(6, "v", bus_number(0));
  };
  kind.good = {{unit("running")}};
  kind.failure = Status::unknown;
  const Reasons broken = {Reason::unreachable, Reason::protocol};
  kind.nonsense = broken;
  kind.early_end = {Reason::unreachable};
  std::string huge = bus_hello();
  huge.replace(4, 4, "\xff\xff\xff\x7f");
  kind.own = {
      {"endless signals",
       flood(bus_signal(nasty_text()), {{begun}}),
       {Reason::timeout, Reason::unreachable},
       true},
      {"endless answers to nothing",
       flood(bus_answer(99, "s", bus_hello().substr(0, 0) + std::string("\1\0\0\0x\0", 6)),
             {{begun}}),
       {Reason::timeout, Reason::unreachable},
       true},
      {"huge message", flood("x", {{std::string(kBusWelcome) + huge}}), broken},
      {"refuses to let us in", say("REJECTED EXTERNAL\r\n"), broken},
      {"answers of another type",
       say(begun + bus_answer(2, "v", bus_number(1)) + unit("x").substr(begun.size())), broken},
      {"nasty error", say(begun + bus_error(2, nasty_text()) + unit("x").substr(begun.size())),
       broken},
  };
  return kind;
}

}  // namespace

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      http_kind(false),
      http_kind(true),
      postgres_ready(),
      postgres_query(),
      pgbouncer(),
      redis_kind(false),
      redis_kind(true),
      queue_redis(false),
      queue_redis(true),
      queue_http(),
      queue_postgres(),
      queue_rabbitmq(),
      tcp_kind("tcp", false, ""),
      tcp_kind("tcp_tls", true, ""),
      tcp_kind("starttls_smtp", false, "smtp"),
      tcp_kind("starttls_imap", false, "imap"),
      tcp_kind("starttls_postgres", false, "postgres"),
      dns_tcp(),
      prometheus_query(),
      prometheus_page(),
      grpc_kind(false),
      grpc_kind(true),
      systemd_kind(),
  };
  return all;
}

}  // namespace firebreak::hostile
