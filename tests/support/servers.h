// Real servers for tests: each on a free port of 127.0.0.1, in a folder of its own, gone with the
// object (and with the test's process, however that ends).
//
// A constructor returns when the server answers and throws std::runtime_error, with the server's
// log, when it does not. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/temp_dir.h"

namespace firebreak::testing {

// A port of 127.0.0.1 that nobody listens on, outside the range of outgoing connections.
std::uint16_t free_port();

// Runs a program to its end; its output, or std::runtime_error when it failed. As `user` when that
// is not empty and we are root.
std::string run_program(const std::vector<std::string>& command, const std::string& user = "");

// One child process: what all servers can be made to suffer.
class ServerProcess {
 public:
  ServerProcess() = default;
  ~ServerProcess() { kill(); }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // Output goes to the end of the file `log`. As `user` when we are root.
  void start(const std::vector<std::string>& command, const std::string& log,
             const std::string& user = "");
  void kill();    // SIGKILL: gone without a word
  void freeze();  // SIGSTOP: connections are accepted by the kernel, nothing is answered
  void thaw();    // SIGCONT
  // The polite end, with the signal that the server takes for that.
  void stop(int signal);
  [[nodiscard]] bool has_ended();
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  void reap();
  pid_t pid_ = 0;  // 0: not running
};

// Any other program that listens on a TCP port of 127.0.0.1.
class OtherServer {
 public:
  // Its command line, from the port and a folder of its own that it may fill before.
  using Command = std::function<std::vector<std::string>(const std::string& port, const TempDir&)>;
  explicit OtherServer(const Command& command);

  [[nodiscard]] std::uint16_t port() const { return port_; }

  void kill() { process_.kill(); }
  void freeze() { process_.freeze(); }
  void thaw() { process_.thaw(); }
  void start();  // again after kill(): same command

 private:
  TempDir folder_;
  std::uint16_t port_ = 0;
  std::vector<std::string> command_;
  ServerProcess process_;
};

class RedisServer {
 public:
  // `options` as on redis-server's command line: {"--requirepass", "secret"}.
  explicit RedisServer(std::vector<std::string> options = {});

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string socket() const { return folder_ / "redis.sock"; }
  // redis-cli on the server's socket: cli({"RPUSH", "queue", "job"}); its output.
  std::string cli(const std::vector<std::string>& arguments) const;

  void kill() { process_.kill(); }
  void freeze() { process_.freeze(); }
  void thaw() { process_.thaw(); }
  void start();  // again after kill(): same port, empty

 private:
  TempDir folder_;
  std::uint16_t port_ = 0;
  std::vector<std::string> options_;
  ServerProcess process_;
};

class PostgresServer {
 public:
  // Superuser "firebreak", who needs `password` over TCP unless it is empty, never on the socket.
  // `options` as on postgres's command line: {"-c", "max_connections=4"}.
  explicit PostgresServer(const std::string& password = "", std::vector<std::string> options = {});
  // A streaming standby of a server without a password, made by pg_basebackup.
  struct Standby {
    const PostgresServer& primary;
    bool rejects = false;  // it takes no connections, by its options: not waited for
  };
  explicit PostgresServer(const Standby& standby, std::vector<std::string> options = {});
  ~PostgresServer();

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] const std::string& socket_folder() const { return folder_.path(); }
  // Runs statements with psql as superuser; rows as "a|b\n".
  std::string sql(const std::string& statements) const;

  void kill();  // the postmaster alone; returns when nobody listens any more
  void freeze() { process_.freeze(); }
  void thaw() { process_.thaw(); }
  void start();  // again after kill(): same port, same data; returns when it accepts connections
  void ask_to_stop() const;  // a smart shutdown: it waits for its sessions, and takes no others

 private:
  TempDir folder_;
  std::uint16_t port_ = 0;
  bool rejects_ = false;
  std::vector<std::string> options_;
  ServerProcess process_;
};

// A pgbouncer with one database, `shop`, in session mode and with one server connection for it.
// Users firebreak (who may look at its console) and nobody (who may not), both with the password
// "right".
class PgbouncerServer {
 public:
  // In front of a server without a password.
  explicit PgbouncerServer(const PostgresServer& server);

  [[nodiscard]] std::uint16_t port() const { return port_; }

  void kill() { process_.kill(); }
  void freeze() { process_.freeze(); }
  void thaw() { process_.thaw(); }
  void start();  // again after kill(): same port

 private:
  TempDir folder_;
  std::uint16_t port_ = 0;
  ServerProcess process_;
};

// RabbitMQ with its management API, an epmd of its own and one queue, `jobs`. Slow to start: one
// for many tests. Users firebreak (who may do all on vhost "/") and nobody (who may do nothing
// there), both with the password "right"; a vhost `other` that nobody may enter.
class RabbitServer {
 public:
  // With a certificate, key and authority (PEM files) it also listens for TLS, on tls_port().
  explicit RabbitServer(const std::string& certificate = "", const std::string& key = "",
                        const std::string& ca = "");

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::uint16_t tls_port() const { return tls_port_; }
  // Of the management API: api("queues/%2F/jobs").
  [[nodiscard]] std::string api(const std::string& path) const;
  void publish(const std::string& queue) const;  // one message

  void freeze() { process_.freeze(); }
  void thaw() { process_.thaw(); }
  void kill() { process_.kill(); }

 private:
  void write_configuration(const std::string& certificate, const std::string& key,
                           const std::string& ca) const;

  TempDir folder_;
  std::uint16_t port_ = free_port();
  std::uint16_t tls_port_ = free_port();
  std::uint16_t api_port_ = free_port();
  std::uint16_t node_port_ = free_port();
  std::uint16_t epmd_port_ = free_port();
  ServerProcess epmd_;  // in the foreground: the one that RabbitMQ would start stays for ever
  ServerProcess process_;
};

class NginxServer {
 public:
  // `locations` are the directives of its one server; by default it serves the files of www().
  // With a certificate and key (PEM files) it also listens for TLS, on tls_port().
  explicit NginxServer(std::string locations = "", std::string certificate = "",
                       std::string key = "");

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::uint16_t tls_port() const { return tls_port_; }
  [[nodiscard]] std::string url(const std::string& path = "/") const;
  [[nodiscard]] std::string www() const { return folder_ / "www"; }
  void write(const std::string& name, std::string_view content) const;  // a file of www()

  void kill() { process_.kill(); }
  void freeze() { process_.freeze(); }
  void thaw() { process_.thaw(); }
  void start();  // again after kill(): same ports
  // Another set of directives, by a restart.
  void serve(std::string locations);

 private:
  void write_configuration() const;

  TempDir folder_;
  std::uint16_t port_ = 0;
  std::uint16_t tls_port_ = 0;
  std::string locations_;
  std::string certificate_;
  std::string key_;
  ServerProcess process_;
};

}  // namespace firebreak::testing
