// Starting, hurting and stopping real servers.
#include "tests/support/servers.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <random>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "tests/support/files.h"

namespace firebreak::testing {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr auto kStartMax = 60s;  // a busy machine's initdb included
constexpr auto kTryEvery = 5ms;
const char* const kPostgresFolder = "/usr/lib/postgresql/15/bin/";

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

bool is_free(std::uint16_t port) {
  const sockaddr_in address = loopback(port);
  sockaddr generic{};
  std::memcpy(&generic, &address, sizeof generic);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int reuse = 1;  // what the servers do: a connection in TIME_WAIT is no obstacle
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
  const bool free = ::bind(fd, &generic, sizeof generic) == 0;
  ::close(fd);
  return free;
}

bool answers_tcp(std::uint16_t port) {
  const sockaddr_in address = loopback(port);
  sockaddr generic{};
  std::memcpy(&generic, &address, sizeof generic);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool answers = ::connect(fd, &generic, sizeof generic) == 0;
  ::close(fd);
  return answers;
}

struct Identity {
  uid_t user = 0;
  gid_t group = 0;
  bool changes = false;
};

Identity identity_of(const std::string& user) {
  if (user.empty() || ::geteuid() != 0) return {};
  const passwd* const entry = ::getpwnam(user.c_str());
  if (entry == nullptr) fail("there is no user " + user);
  return {entry->pw_uid, entry->pw_gid, true};
}

// Only what is allowed between fork and exec in a process with threads.
[[noreturn]] void become(const std::vector<char*>& arguments, const Identity& identity, int output,
                         pid_t parent) {
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  const bool changed =
      !identity.changes || (::setgroups(0, nullptr) == 0 && ::setgid(identity.group) == 0 &&
                            ::setuid(identity.user) == 0);
  // Sent when the thread that forked ends, which for a test is its main thread; setuid clears it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (changed && ::getppid() == parent) ::execvp(arguments[0], arguments.data());
  ::_exit(127);
}

pid_t spawn(const std::vector<std::string>& command, const std::string& log,
            const std::string& user) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const Identity identity = identity_of(user);
  const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (output < 0) fail("cannot write " + log);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) become(arguments, identity, output, parent);
  ::close(output);
  if (child < 0) fail("cannot fork: " + std::string(std::strerror(errno)));
  return child;
}

void wait_until(const std::function<bool()>& ready, ServerProcess& process, const std::string& log,
                const std::string& name) {
  const auto give_up = Steady::now() + kStartMax;
  while (!ready()) {
    if (process.has_ended()) fail(name + " ended while starting:\n" + read_file(log));
    if (Steady::now() > give_up) fail(name + " does not answer:\n" + read_file(log));
    std::this_thread::sleep_for(kTryEvery);
  }
}

void give_to_postgres(const std::string& path) {
  const Identity identity = identity_of("postgres");
  if (identity.changes && ::chown(path.c_str(), identity.user, identity.group) != 0)
    fail("cannot give " + path + " to postgres");
}

bool prints(const std::vector<std::string>& command,
            const std::function<bool(const std::string&)>& is_expected) {
  try {
    return is_expected(run_program(command));
  } catch (const std::runtime_error&) {
    return false;
  }
}

}  // namespace

std::uint16_t free_port() {
  static std::mt19937 random(std::random_device{}());
  std::uniform_int_distribution<unsigned> ports(15000, 32000);
  for (int i = 0; i < 1000; ++i) {
    const auto port = static_cast<std::uint16_t>(ports(random));
    if (is_free(port)) return port;
  }
  fail("no free port between 15000 and 32000");
}

std::string run_program(const std::vector<std::string>& command, const std::string& user) {
  const TempDir folder;
  const std::string output = folder / "output";
  const pid_t child = spawn(command, output, user);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  std::string text = read_file(output);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail(command[0] + " failed:\n" + text);
  return text;
}

// --- ServerProcess -------------------------------------------------------------------------------

void ServerProcess::start(const std::vector<std::string>& command, const std::string& log,
                          const std::string& user) {
  kill();
  pid_ = spawn(command, log, user);
}

void ServerProcess::reap() {
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
}

void ServerProcess::kill() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  reap();
}

void ServerProcess::freeze() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGSTOP);
  int status = 0;
  ::waitpid(pid_, &status, WUNTRACED);  // it has really stopped when this returns
}

void ServerProcess::thaw() {
  if (pid_ != 0) ::kill(pid_, SIGCONT);
}

void ServerProcess::stop(int signal) {
  if (pid_ == 0) return;
  ::kill(pid_, signal);
  ::kill(pid_, SIGCONT);
  const auto give_up = Steady::now() + 10s;
  while (!has_ended() && Steady::now() < give_up) std::this_thread::sleep_for(kTryEvery);
  kill();
}

bool ServerProcess::has_ended() {
  if (pid_ != 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = 0;
  return pid_ == 0;
}

// --- OtherServer ---------------------------------------------------------------------------------

OtherServer::OtherServer(const Command& command)
    : port_(free_port()), command_(command(std::to_string(port_), folder_)) {
  start();
}

void OtherServer::start() {
  process_.start(command_, folder_ / "log");
  wait_until([this] { return answers_tcp(port_); }, process_, folder_ / "log", command_.front());
}

// --- Redis ---------------------------------------------------------------------------------------

RedisServer::RedisServer(std::vector<std::string> options)
    : port_(free_port()), options_(std::move(options)) {
  start();
}

void RedisServer::start() {
  std::vector<std::string> command = {"redis-server",
                                      "--port",
                                      std::to_string(port_),
                                      "--bind",
                                      "127.0.0.1",
                                      "--unixsocket",
                                      socket(),
                                      "--dir",
                                      folder_.path(),
                                      "--save",
                                      "",
                                      "--appendonly",
                                      "no",
                                      "--daemonize",
                                      "no"};
  command.insert(command.end(), options_.begin(), options_.end());
  process_.start(command, folder_ / "log");
  // NOAUTH and MASTERDOWN are answers too.
  const auto ready = [this] {
    return prints({"redis-cli", "-s", socket(), "PING"}, [](const std::string& text) {
      return !text.empty() && text.find("Could not connect") == std::string::npos;
    });
  };
  wait_until(ready, process_, folder_ / "log", "redis-server");
}

std::string RedisServer::cli(const std::vector<std::string>& arguments) const {
  std::vector<std::string> command = {"redis-cli", "-s", socket()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_program(command);
}

// --- PostgreSQL ----------------------------------------------------------------------------------

PostgresServer::PostgresServer(const std::string& password, std::vector<std::string> options)
    : port_(free_port()), options_(std::move(options)) {
  give_to_postgres(folder_.path());
  std::vector<std::string> initdb = {std::string(kPostgresFolder) + "initdb",
                                     "--pgdata=" + (folder_ / "data"),
                                     "--username=firebreak",
                                     "--encoding=UTF8",
                                     "--locale=C",
                                     "--no-sync",
                                     "--no-instructions",
                                     "--auth-local=trust"};
  if (password.empty()) {
    initdb.emplace_back("--auth-host=trust");
  } else {
    write_file(folder_ / "password", password + "\n");
    ::chmod((folder_ / "password").c_str(), 0644);
    initdb.emplace_back("--auth-host=scram-sha-256");
    initdb.push_back("--pwfile=" + (folder_ / "password"));
  }
  run_program(initdb, "postgres");
  start();
}

PostgresServer::PostgresServer(const Standby& standby, std::vector<std::string> options)
    : port_(free_port()), rejects_(standby.rejects), options_(std::move(options)) {
  give_to_postgres(folder_.path());
  run_program({std::string(kPostgresFolder) + "pg_basebackup", "--host=127.0.0.1",
               "--port=" + std::to_string(standby.primary.port()), "--username=firebreak",
               "--pgdata=" + (folder_ / "data"), "--write-recovery-conf", "--checkpoint=fast",
               "--wal-method=stream", "--no-sync"},
              "postgres");
  start();
}

PostgresServer::~PostgresServer() {
  process_.stop(SIGQUIT);
}

void PostgresServer::start() {
  std::vector<std::string> command = {std::string(kPostgresFolder) + "postgres",
                                      "-D",
                                      folder_ / "data",
                                      "-p",
                                      std::to_string(port_),
                                      "-c",
                                      "listen_addresses=127.0.0.1",
                                      "-c",
                                      "unix_socket_directories=" + folder_.path(),
                                      "-c",
                                      "fsync=off",
                                      "-c",
                                      "shared_buffers=8MB",
                                      "-c",
                                      "max_connections=20"};
  command.insert(command.end(), options_.begin(), options_.end());
  process_.start(command, folder_ / "log", "postgres");
  const auto ready = [this] {
    if (rejects_) return answers_tcp(port_);
    return prints({std::string(kPostgresFolder) + "pg_isready", "-h", "127.0.0.1", "-p",
                   std::to_string(port_)},
                  [](const std::string&) { return true; });  // its exit code has said it
  };
  wait_until(ready, process_, folder_ / "log", "postgres");
}

void PostgresServer::kill() {
  process_.kill();
  // A child that was just forked still has the listening socket, and ends by itself.
  const auto give_up = Steady::now() + kStartMax;
  while (answers_tcp(port_)) {
    if (Steady::now() > give_up) fail("postgres still listens after SIGKILL");
    std::this_thread::sleep_for(kTryEvery);
  }
}

void PostgresServer::ask_to_stop() const {
  ::kill(process_.pid(), SIGTERM);
}

std::string PostgresServer::sql(const std::string& statements) const {
  return run_program({std::string(kPostgresFolder) + "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h",
                      folder_.path(), "-p", std::to_string(port_), "-U", "firebreak", "-d",
                      "postgres", "-c", statements});
}

// --- pgbouncer -----------------------------------------------------------------------------------

PgbouncerServer::PgbouncerServer(const PostgresServer& server) : port_(free_port()) {
  give_to_postgres(folder_.path());
  std::ostringstream text;
  text << "[databases]\nshop = host=127.0.0.1 port=" << server.port()
       << " dbname=postgres user=firebreak pool_size=1\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
       << "listen_port = " << port_ << "\nunix_socket_dir =\nauth_type = scram-sha-256\n"
       << "auth_file = " << folder_.path() << "/users\nstats_users = firebreak\n"
       << "pool_mode = session\n";
  write_file(folder_ / "pgbouncer.ini", text.str());
  write_file(folder_ / "users", "\"firebreak\" \"right\"\n\"nobody\" \"right\"\n");
  for (const char* name : {"pgbouncer.ini", "users"}) give_to_postgres(folder_ / name);
  start();
}

void PgbouncerServer::start() {
  process_.start({"pgbouncer", folder_ / "pgbouncer.ini"}, folder_ / "log", "postgres");
  wait_until([this] { return answers_tcp(port_); }, process_, folder_ / "log", "pgbouncer");
}

// --- RabbitMQ ------------------------------------------------------------------------------------

RabbitServer::RabbitServer(const std::string& certificate, const std::string& key,
                           const std::string& ca) {
  write_configuration(certificate, key, ca);
  const std::string epmd_port = std::to_string(epmd_port_);
  epmd_.start({"epmd", "-port", epmd_port, "-address", "127.0.0.1"}, folder_ / "epmd.log");
  wait_until([this] { return answers_tcp(epmd_port_); }, epmd_, folder_ / "epmd.log", "epmd");
  process_.start(
      {"env", "HOME=" + folder_.path(), "RABBITMQ_ALLOW_INPUT=1", "ERL_EPMD_PORT=" + epmd_port,
       "RABBITMQ_NODENAME=test" + std::to_string(port_) + "@localhost",
       "RABBITMQ_DIST_PORT=" + std::to_string(node_port_),
       "RABBITMQ_CONFIG_FILE=" + (folder_ / "rabbitmq.conf"), "RABBITMQ_CONF_ENV_FILE=/dev/null",
       "RABBITMQ_ENABLED_PLUGINS_FILE=" + (folder_ / "plugins"),
       "RABBITMQ_MNESIA_BASE=" + (folder_ / "mnesia"), "RABBITMQ_LOG_BASE=" + folder_.path(),
       "RABBITMQ_PID_FILE=" + (folder_ / "pid"), "RABBITMQ_SCHEMA_DIR=" + (folder_ / "schema"),
       "RABBITMQ_GENERATED_CONFIG_DIR=" + (folder_ / "config"),
       "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-noinput +S 1:1 +sbwt none "
       "-kernel inet_dist_use_interface {127,0,0,1}",
       "/usr/lib/rabbitmq/bin/rabbitmq-server"},
      folder_ / "log");
  const auto ready = [this, tls = !certificate.empty()] {
    return answers_tcp(api_port_) && answers_tcp(port_) && (!tls || answers_tcp(tls_port_));
  };
  wait_until(ready, process_, folder_ / "log", "rabbitmq-server");
}

void RabbitServer::write_configuration(const std::string& certificate, const std::string& key,
                                       const std::string& ca) const {
  write_file(folder_ / "plugins", "[rabbitmq_management].\n");
  write_file(folder_ / "definitions.json", R"({
"users": [{"name": "firebreak", "password": "right", "tags": "administrator"},
          {"name": "nobody", "password": "right", "tags": ""}],
"vhosts": [{"name": "/"}, {"name": "other"}],
"permissions": [
  {"user": "firebreak", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"},
  {"user": "nobody", "vhost": "/", "configure": "^$", "write": "^$", "read": "^$"}],
"queues": [{"name": "jobs", "vhost": "/", "durable": true, "auto_delete": false, "arguments": {}}]
})");
  std::ostringstream text;
  text << "listeners.tcp.1 = 127.0.0.1:" << port_ << "\nmanagement.tcp.ip = 127.0.0.1\n"
       << "management.tcp.port = " << api_port_ << "\nload_definitions = " << folder_.path()
       << "/definitions.json\nlog.console = true\nlog.file = false\n";
  if (!certificate.empty())
    text << "listeners.ssl.1 = 127.0.0.1:" << tls_port_
         << "\nssl_options.certfile = " << certificate << "\nssl_options.keyfile = " << key
         << "\nssl_options.cacertfile = " << ca << "\n";
  write_file(folder_ / "rabbitmq.conf", text.str());
}

std::string RabbitServer::api(const std::string& path) const {
  return "http://127.0.0.1:" + std::to_string(api_port_) + "/api/" + path;
}

void RabbitServer::publish(const std::string& queue) const {
  run_program({"curl", "-sf", "-u", "firebreak:right", "-H", "Content-Type: application/json", "-d",
               R"({"properties": {}, "routing_key": ")" + queue +
                   R"(", "payload": "x", "payload_encoding": "string"})",
               api("exchanges/%2F/amq.default/publish")});
}

// --- nginx ---------------------------------------------------------------------------------------

NginxServer::NginxServer(std::string locations, std::string certificate, std::string key)
    : port_(free_port()),
      tls_port_(certificate.empty() ? std::uint16_t{0} : free_port()),
      locations_(std::move(locations)),
      certificate_(std::move(certificate)),
      key_(std::move(key)) {
  std::filesystem::create_directory(www());
  start();
}

std::string NginxServer::url(const std::string& path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + path;
}

void NginxServer::write(const std::string& name, std::string_view content) const {
  write_file(www() + "/" + name, content);
}

void NginxServer::write_configuration() const {
  std::ostringstream text;
  text << "daemon off;\nmaster_process off;\nerror_log stderr warn;\npid " << folder_.path()
       << "/pid;\nevents { worker_connections 1024; }\nhttp {\n  access_log off;\n";
  for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
    text << "  " << kind << "_temp_path " << folder_.path() << "/" << kind << ";\n";
  text << "  server {\n    listen 127.0.0.1:" << port_ << ";\n";
  if (tls_port_ != 0)
    text << "    listen 127.0.0.1:" << tls_port_ << " ssl;\n    ssl_certificate " << certificate_
         << ";\n    ssl_certificate_key " << key_ << ";\n";
  text << "    root " << www() << ";\n" << locations_ << "\n  }\n}\n";
  write_file(folder_ / "nginx.conf", text.str());
}

void NginxServer::start() {
  write_configuration();
  const std::string log = folder_ / "log";
  process_.start({"nginx", "-p", folder_.path(), "-e", "stderr", "-c", folder_ / "nginx.conf"},
                 log);
  wait_until([this] { return answers_tcp(port_); }, process_, log, "nginx");
}

void NginxServer::serve(std::string locations) {
  locations_ = std::move(locations);
  kill();
  start();
}

}  // namespace firebreak::testing
