// What to probe and how: the value that a policy, an assignment and `firebreak probe` all hold.
// Closed set of kinds.
//
// Credentials are never here: a spec names files on the agent's host ("secret files"), so they do
// not travel.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/ids.h"
#include "common/range.h"
#include "common/time.h"

namespace firebreak {

// TLS, at least 1.2.
struct TlsSpec {
  bool verify = true;
  std::string ca_file{};           // empty: the system's
  std::string server_name{};       // SNI and the name to verify; empty: the host
  std::string certificate_file{};  // what we show of ourselves; empty: nothing
  std::string key_file{};          // its key, a secret file
  friend bool operator==(const TlsSpec&, const TlsSpec&) = default;
};

// HTTP/1.1 (RFC 9112). OK when the status is in `expect_status` and `expect` (if any) is true.
struct HttpSpec {
  std::string url;             // http:// or https://, no userinfo, no fragment
  std::string method = "GET";  // one of http_methods()
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::vector<std::string> expect_status = {"2xx"};  // "200", "2xx"
  std::string
      expect;  // CEL: status (int), body (dyn: the parsed JSON, else string), text (string),
               // headers (map, lower-case names), latency (duration); must be bool
  std::string contains;  // the body must hold this text
  // Headers whose values are secrets: their names, and the secret files on the agent's host.
  std::vector<std::pair<std::string, std::string>> header_files;
  std::string bearer_token_file;  // secret file on the agent's host
  std::string basic_user;
  std::string basic_password_file;
  int max_redirects = 0;
  TlsSpec tls;              // of https
  std::string unix_socket;  // its path, asked instead of the URL's host and port; empty: none
  friend bool operator==(const HttpSpec&, const HttpSpec&) = default;
};

// PostgreSQL. Without `query`: pg_isready's four answers from the start-up packet alone, no
// password needed: accepting -> ok, rejecting -> critical/status, no response ->
// critical/timeout|refused, no attempt -> unknown/config.
struct PostgresSpec {
  std::string host =
      "localhost";  // a name, an address, or a directory of Unix sockets (starts with '/')
  std::uint16_t port = 5432;
  std::string database = "postgres";
  std::string user = "firebreak";
  std::string password_file{};
  std::string sslmode = "prefer";  // one of postgres_sslmodes()
  std::string query{};  // one statement; its first column of the first row is value "value"
  std::string
      expect{};        // CEL over value (dyn: number or string), rows (int), latency; must be bool
  std::string role{};  // that it must have, one of postgres_roles(); empty: any
  bool info = false;   // yields postgres_values(), as a role does; a standby must have its primary
  std::string tls_ca_file{};           // empty: the system's; as sslmode says
  std::string tls_certificate_file{};  // what we show of ourselves; empty: nothing
  std::string tls_key_file{};          // its key, a secret file
  friend bool operator==(const PostgresSpec&, const PostgresSpec&) = default;
};

// SHOW POOLS on the console of a pgbouncer, which yields pgbouncer_values().
struct PgbouncerSpec {
  PostgresSpec server{.port = 6432, .database = "pgbouncer"};  // with nothing to ask of its own
  std::string pool{};  // the one database that is looked at; empty: all of them
  friend bool operator==(const PgbouncerSpec&, const PgbouncerSpec&) = default;
};

// Redis PING (RESP2). Loading, NOAUTH, MASTERDOWN and garbage are told apart by reason and
// evidence.
struct RedisSpec {
  std::string host = "localhost";  // a name, an address, or the path of a Unix socket (without TLS)
  std::uint16_t port = 6379;
  std::string username{};  // ACL user; empty: the default user
  std::string password_file{};
  std::optional<TlsSpec> tls{};
  std::string role{};  // that it must have, one of redis_roles(); empty: any
  bool info = false;   // yields redis_values(), as a role does; a replica must have its master
  friend bool operator==(const RedisSpec&, const RedisSpec&) = default;
};

// Length of a queue, yielded as value "length" beside others of queue_values(); a missing queue is
// critical/missing, not zero, where the source can tell.
struct QueueSpec {
  struct RedisKey {
    RedisSpec redis{};
    std::string key{};
    std::string type = "list";  // one of redis_key_types()
    std::string group{};        // of a stream: its length is what this group has not finished
    std::string score{};        // of a zset: one of score_units() since 1970, or empty: no time
    friend bool operator==(const RedisKey&, const RedisKey&) = default;
  };  // LLEN, XLEN, ZCARD, SCARD
  struct RabbitMq {
    std::string host = "localhost";
    std::uint16_t port = 5672;
    std::string vhost = "/";
    std::string user = "guest";
    std::string password_file{};  // empty: "guest", which a new RabbitMQ takes from its own host
    std::optional<TlsSpec> tls{};
    std::string queue{};
    friend bool operator==(const RabbitMq&, const RabbitMq&) = default;
  };  // AMQP 0-9-1, a passive declare
  struct HttpJson {
    HttpSpec http;
    std::string length;
    friend bool operator==(const HttpJson&, const HttpJson&) = default;
  };  // CEL over body, must be a number
  struct SqlCount {
    PostgresSpec postgres;
    friend bool operator==(const SqlCount&, const SqlCount&) = default;
  };  // query yields one number
  // HttpJson is first because a variant can begin only with what has no defaults of its own here.
  std::variant<HttpJson, RedisKey, SqlCount, RabbitMq> source;
  std::optional<double> warning;   // length above this is a warning
  std::optional<double> critical;  // length above this is critical
  friend bool operator==(const QueueSpec&, const QueueSpec&) = default;
};

// A connection, and what is said on it. OK when every step of `dialogue` was answered as expected
// and no certificate expires too soon.
struct TcpSpec {
  struct Step {
    std::string send;    // as it is, no line end is added
    std::string expect;  // must come after it, anywhere in what is received; empty: nothing is read
    friend bool operator==(const Step&, const Step&) = default;
  };
  std::string host;
  std::uint16_t port = 0;
  std::vector<Step> dialogue;
  std::string starttls;        // one of starttls_protocols(), or empty
  std::optional<TlsSpec> tls;  // from the first byte, or after `starttls`, which needs it
  // Fewer days than these left to any certificate of the chain is a warning, is critical.
  std::optional<double> certificate_warning_days;
  std::optional<double> certificate_critical_days;
  friend bool operator==(const TcpSpec&, const TcpSpec&) = default;
};

// One question to a DNS server. OK when the answer has `rcode`, at least one record of that type
// where that is NOERROR, and all of `answers`.
struct DnsSpec {
  std::string name;        // is_dns_name(); for PTR an address, too
  std::string type = "A";  // one of dns_types()
  std::string server;      // name or address; empty: the first of the host's own that answers
  std::uint16_t port = 53;
  std::string rcode = "NOERROR";     // one of dns_rcodes()
  std::vector<std::string> answers;  // as zone files have them: "10 mail.example.com"
  bool exact = false;                // and no others
  friend bool operator==(const DnsSpec&, const DnsSpec&) = default;
};

// Ping. OK when a packet is answered and no limit is crossed.
struct IcmpSpec {
  std::string host;
  int packets = 3;
  Duration interval = std::chrono::milliseconds(200);  // between two of them
  int bytes = 56;                                      // of each, without headers
  std::optional<double> loss_warning;                  // percent; more lost is a warning
  std::optional<double> loss_critical;
  std::optional<Duration> rtt_warning;  // a longer mean round trip is a warning
  std::optional<Duration> rtt_critical;
  friend bool operator==(const IcmpSpec&, const IcmpSpec&) = default;
};

// A program on the agent's host with the exit codes and the output of a monitoring plugin. What is
// run stands in a file there (docs/reference/probes.md); a spec can only name it.
struct ExecSpec {
  std::string check;
  std::map<std::string, std::string> parameters;  // that the file declares, each of them
  friend bool operator==(const ExecSpec&, const ExecSpec&) = default;
};

// A unit of systemd, asked over D-Bus. OK when its states are among these; `warning` and `critical`
// are about the times that it was restarted (NRestarts).
struct SystemdSpec {
  std::string unit;                              // a full name: nginx.service
  std::vector<std::string> states = {"active"};  // of unit_states()
  std::vector<std::string> sub_states;           // empty: any
  std::optional<Range> warning;
  std::optional<Range> critical;
  friend bool operator==(const SystemdSpec&, const SystemdSpec&) = default;
};

// The agent's own host. Limits are about values, by name: host_values(). One on disk_used,
// disk_free or inodes_used is about each of the disks.
struct HostSpec {
  std::vector<std::string> disks = {"/"};  // paths on the file systems that are looked at
  std::map<std::string, Range> warning;
  std::map<std::string, Range> critical;
  friend bool operator==(const HostSpec&, const HostSpec&) = default;
};

// The answer of an instant PromQL query, or one metric of a page in Prometheus' text format. OK
// when there is a number and no limit is crossed.
struct PrometheusSpec {
  HttpSpec http;       // `url` alone says where: the server with a query, the page with a metric
  std::string query;   // of these two one
  std::string metric;  // parse_metric_selector(); the sum of its samples
  std::string empty = "critical";  // one of empty_answers(): what it means that nothing is found
  std::optional<Range> warning;    // on each series; on the sum
  std::optional<Range> critical;
  friend bool operator==(const PrometheusSpec&, const PrometheusSpec&) = default;
};

// Check of grpc.health.v1.Health. OK when the service, or without one the whole server, is SERVING.
struct GrpcSpec {
  std::string host;
  std::uint16_t port = 0;
  std::string service;
  std::string authority;  // empty: host:port
  std::optional<TlsSpec> tls;
  friend bool operator==(const GrpcSpec&, const GrpcSpec&) = default;
};

// A job of the agent's host that reports by itself to the agent. OK while its last report is good
// and not older than `within`.
struct HeartbeatSpec {
  std::string name;   // is_valid_name(): what the job calls itself
  Duration within{};  // 0: of a definition that is not whole
  friend bool operator==(const HeartbeatSpec&, const HeartbeatSpec&) = default;
};

using KindSpec =
    std::variant<HttpSpec, PostgresSpec, RedisSpec, QueueSpec, TcpSpec, DnsSpec, IcmpSpec, ExecSpec,
                 SystemdSpec, HostSpec, PrometheusSpec, GrpcSpec, PgbouncerSpec, HeartbeatSpec>;

// Fast re-probes before a change of verdict is believed.
struct Confirm {
  int attempts = 2;  // further probes after the first that differs; 0: believe the first
  Duration every = std::chrono::milliseconds(200);
  friend bool operator==(const Confirm&, const Confirm&) = default;
};

// Values outside these ranges (or inside, with "@") are a warning, are critical.
struct Limit {
  std::optional<Range> warning;
  std::optional<Range> critical;
  friend bool operator==(const Limit&, const Limit&) = default;
};
inline constexpr std::string_view kLatencyValue = "latency";  // that every kind has, in seconds

struct ProbeSpec {
  KindSpec kind;
  Duration every = std::chrono::seconds(10);
  Duration timeout = std::chrono::seconds(5);  // over all phases, name look-up included
  Confirm confirm;
  std::map<std::string, Limit>
      limits;                  // by the name of a value: limited_values(), or kLatencyValue
  bool invert = false;         // what fails is good: nobody may listen there
  std::string family = "any";  // one of address_families(): which addresses of a name
  std::string source;          // an address of the agent's host to ask from; empty: any
  friend bool operator==(const ProbeSpec&, const ProbeSpec&) = default;
};

// What a spec may hold, for every reader of one: policies, command lines, messages.
[[nodiscard]] std::span<const std::string> http_methods();
[[nodiscard]] std::span<const std::string> postgres_sslmodes();
[[nodiscard]] std::span<const std::string> postgres_roles();
[[nodiscard]] std::span<const std::string> postgres_values();  // of a probe with role or info
[[nodiscard]] std::span<const std::string> pgbouncer_values();
[[nodiscard]] std::span<const std::string> starttls_protocols();
[[nodiscard]] std::span<const std::string> dns_types();
[[nodiscard]] std::span<const std::string> dns_rcodes();  // by number (RFC 1035, 4.1.1; RFC 2136)
[[nodiscard]] std::span<const std::string> host_values();
[[nodiscard]] std::span<const std::string> empty_answers();  // critical, ok, unknown
[[nodiscard]] std::span<const std::string> redis_roles();
[[nodiscard]] std::span<const std::string> redis_key_types();
[[nodiscard]] std::span<const std::string> score_units();
[[nodiscard]] std::span<const std::string> queue_values();
[[nodiscard]] std::span<const std::string> redis_values();    // of a probe with role or info
[[nodiscard]] std::span<const std::string> unit_states();     // active, inactive, failed, ...
[[nodiscard]] bool is_unit_name(std::string_view text);       // nginx.service, with its type
[[nodiscard]] bool is_status_pattern(std::string_view text);  // "200", "2xx"
// Absolute, with or without its last dot; ASCII without blanks: other letters as punycode.
[[nodiscard]] bool is_dns_name(std::string_view text);
// From the first packet to the last: must be less than the timeout.
[[nodiscard]] Duration icmp_sending_time(const IcmpSpec& icmp);
[[nodiscard]] bool is_header_name(std::string_view text);  // a token of RFC 9110, 5.6.2

// "any" takes the resolver's order, "prefer-ipv6" tries those first, "ipv4" takes no others.
[[nodiscard]] std::span<const std::string> address_families();
[[nodiscard]] bool is_address(const std::string& text);  // IPv4 or IPv6, without a scope

// The values of a kind that `limits` may name besides kLatencyValue; nothing: of any name, as the
// target says. Those of a host have limits of their own.
[[nodiscard]] std::optional<std::vector<std::string>> limited_values(const KindSpec& kind);
// Whether the server is asked about itself, and whether anything is asked that takes an account.
[[nodiscard]] bool wants_info(const PostgresSpec& postgres);
[[nodiscard]] bool logs_in(const PostgresSpec& postgres);
// Whether `family` and `source` mean something to it: it asks over a network, and not by a library
// that chooses itself.
[[nodiscard]] bool takes_source(const ProbeSpec& spec);
[[nodiscard]] bool takes_family(const KindSpec& kind);

[[nodiscard]] const char* kind_name(const KindSpec& kind);  // "http": its key in YAML
[[nodiscard]] std::string describe_target(
    const KindSpec& kind);  // "https://api/health", "db:5432"; never a credential
// "db:5432", "[::1]:5432"
[[nodiscard]] std::string host_and_port(const std::string& host, std::uint16_t port);

}  // namespace firebreak
