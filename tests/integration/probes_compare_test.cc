// What curl, check_http, check_tcp and redis-cli say of a server in each of its states, and what
// our probes say: the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/clock.h"
#include "common/pki.h"
#include "tests/integration/run.h"
#include "tests/support/servers.h"
#include "tests/support/temp_dir.h"

namespace firebreak {
namespace compare_test {
namespace {

using namespace std::chrono_literals;
using testing::kBrief;
using testing::NginxServer;
using testing::RedisServer;
using testing::run;
using testing::run_program;
using testing::TempDir;

// Its exit code; its words are of no interest.
int exit_code_of(std::vector<std::string> command) {
  std::vector<std::string> shell{"sh", "-c", R"("$@" >/dev/null 2>&1; echo $?)", "sh"};
  shell.insert(shell.end(), command.begin(), command.end());
  return std::stoi(run_program(shell));
}

// curl(1), EXIT CODES.
int as_curl(const Observation& seen) {
  switch (seen.reason) {
    case Reason::none:
      return 0;
    case Reason::dns:
      return 6;
    case Reason::refused:
      return 7;
    case Reason::status:
    case Reason::auth:
      return 22;
    case Reason::timeout:
      return 28;
    case Reason::tls:
      return 60;
    default:
      return -1;
  }
}

void expect_as_curl(const HttpSpec& spec, const std::vector<std::string>& more = {}) {
  std::vector<std::string> curl{"curl", "-sS", "-f", "--max-time", "1", "--noproxy", "*"};
  curl.insert(curl.end(), more.begin(), more.end());
  curl.push_back(spec.url);
  const Observation seen = run(spec, kBrief);
  EXPECT_EQ(as_curl(seen), exit_code_of(curl))
      << spec.url << ": " << to_string(seen.reason) << " " << seen.evidence;
}

HttpSpec get(const std::string& url) {
  HttpSpec spec;
  spec.url = url;
  return spec;
}

TEST(Compare, CurlAndWeSayTheSameOfAWebServer) {
  NginxServer server(
      "location /ok { return 200 fine; } location /none { return 204; }\n"
      "location /gone { return 410; } location /auth { return 401; } location /down { return 503; "
      "}");
  for (const char* path : {"/ok", "/none", "/gone", "/auth", "/down", "/nothing"})
    expect_as_curl(get(server.url(path)));
  server.freeze();
  expect_as_curl(get(server.url("/ok")));
  server.thaw();
  server.kill();
  expect_as_curl(get(server.url("/ok")));
  expect_as_curl(get("http://no-such-name.invalid/"));
}

TEST(Compare, CurlAndWeSayTheSameOfACertificate) {
  const TempDir folder;
  const WallTime now = SystemClock().wall();
  ASSERT_TRUE(pki::init_ca(folder.path(), "prod", now));
  const auto expect_same = [&](const std::string& host, WallTime at, bool trusted) {
    static int count = 0;
    const auto pair = pki::issue(
        folder.path(), {pki::Role::coordinator, "web-" + std::to_string(++count), {host}, 30}, at);
    ASSERT_TRUE(pair) << pair.error().message;
    const NginxServer server("location / { return 200 ok; }", pair->certificate, pair->key);
    HttpSpec spec = get("https://127.0.0.1:" + std::to_string(server.tls_port()) + "/");
    if (trusted) spec.tls.ca_file = folder / "ca.crt";
    expect_as_curl(spec, trusted ? std::vector<std::string>{"--cacert", folder / "ca.crt"}
                                 : std::vector<std::string>{});
  };
  expect_same("127.0.0.1", now, true);
  expect_same("127.0.0.1", now, false);
  expect_same("127.0.0.2", now, true);
  expect_same("127.0.0.1", now - std::chrono::days(31), true);
}

TEST(Compare, ThePluginsAndWeSayTheSame) {
  NginxServer server(
      "location /ok { return 200 'alive and well'; } location /down { return 503; }");
  const std::string port = std::to_string(server.port());
  const auto check_http = [&port](std::vector<std::string> more) {
    std::vector<std::string> command{
        "/usr/lib/nagios/plugins/check_http", "-I", "127.0.0.1", "-p", port, "-t", "1"};
    command.insert(command.end(), more.begin(), more.end());
    return exit_code_of(command);
  };
  const auto check_tcp = [&port] {
    return exit_code_of(
        {"/usr/lib/nagios/plugins/check_tcp", "-H", "127.0.0.1", "-p", port, "-t", "1"});
  };
  const auto status_of = [](const KindSpec& spec) {
    return static_cast<int>(run(spec, kBrief).status);
  };
  HttpSpec said = get(server.url("/ok"));
  said.contains = "and well";
  HttpSpec unsaid = said;
  unsaid.contains = "ill";
  TcpSpec tcp;
  tcp.host = "127.0.0.1";
  tcp.port = server.port();

  EXPECT_EQ(status_of(said), check_http({"-u", "/ok", "-s", "and well"}));
  EXPECT_EQ(status_of(unsaid), check_http({"-u", "/ok", "-s", "ill"}));
  EXPECT_EQ(status_of(get(server.url("/down"))), check_http({"-u", "/down"}));
  EXPECT_EQ(status_of(tcp), check_tcp());
  server.freeze();
  EXPECT_EQ(status_of(said), check_http({"-u", "/ok"}));
  server.thaw();
  server.kill();
  EXPECT_EQ(status_of(said), check_http({"-u", "/ok"}));
  EXPECT_EQ(status_of(tcp), check_tcp());
}

TEST(Compare, RedisCliAndWeHearTheSame) {
  const RedisServer open;
  const RedisServer locked({"--requirepass", "secret"});
  const RedisServer orphan({"--replicaof", "127.0.0.1 1", "--replica-serve-stale-data", "no"});
  const auto cli = [](const RedisServer& server) {
    std::string text = server.cli({"PING"});
    while (text.ends_with('\n')) text.pop_back();
    return text;
  };
  const auto heard = [](const RedisServer& server) {
    RedisSpec spec;
    spec.host = "127.0.0.1";
    spec.port = server.port();
    const Observation seen = run(spec);
    return seen.status == Status::ok ? "PONG" : seen.evidence;
  };
  for (const RedisServer* server : {&open, &locked, &orphan})
    EXPECT_EQ(heard(*server), cli(*server));
}

}  // namespace
}  // namespace compare_test
}  // namespace firebreak
