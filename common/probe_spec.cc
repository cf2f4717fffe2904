// How a probe's target is named to people, and the words that a definition may hold.
#include "common/probe_spec.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <initializer_list>

#include "common/limits.h"

namespace firebreak {
namespace {

std::string endpoint(const std::string& host, std::uint16_t port) {
  if (!host.empty() && host.front() == '/') return host + "/.s.PGSQL." + std::to_string(port);
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string describe(const HttpSpec& http) {
  return http.method == "GET" ? http.url : http.method + " " + http.url;
}
std::string describe(const PostgresSpec& postgres) {
  return endpoint(postgres.host, postgres.port);
}
std::string describe(const PgbouncerSpec& pgbouncer) {
  const std::string server = describe(pgbouncer.server);
  return pgbouncer.pool.empty() ? server : server + " " + pgbouncer.pool;
}
std::string describe(const RedisSpec& redis) {
  return redis.host.starts_with('/') ? redis.host : endpoint(redis.host, redis.port);
}
std::string describe(const QueueSpec::RedisKey& source) {
  const std::string key = describe(source.redis) + " " + source.key;
  return source.group.empty() ? key : key + " " + source.group;
}
std::string describe(const QueueSpec::RabbitMq& rabbitmq) {
  const std::string vhost = rabbitmq.vhost == "/" ? "" : rabbitmq.vhost + " ";
  return endpoint(rabbitmq.host, rabbitmq.port) + " " + vhost + rabbitmq.queue;
}
std::string describe(const QueueSpec::HttpJson& json) {
  return describe(json.http);
}
std::string describe(const QueueSpec::SqlCount& sql) {
  return describe(sql.postgres);
}
std::string describe(const QueueSpec& queue) {
  return std::visit([](const auto& source) { return describe(source); }, queue.source);
}
std::string describe(const TcpSpec& tcp) {
  return endpoint(tcp.host, tcp.port);
}
std::string describe(const DnsSpec& dns) {
  const std::string question = dns.type + " " + dns.name;
  return dns.server.empty() ? question : question + " at " + endpoint(dns.server, dns.port);
}
std::string describe(const IcmpSpec& icmp) {
  return icmp.host;
}

std::string describe(const ExecSpec& exec) {
  std::string text = exec.check;
  for (const auto& [name, value] : exec.parameters)
    text.append(" ").append(name).append("=").append(value);
  return text;
}
std::string describe(const SystemdSpec& systemd) {
  return systemd.unit;
}
using Names = std::optional<std::vector<std::string>>;

Names names(std::initializer_list<std::string> words) {
  return std::vector<std::string>(words);
}

struct LimitedValues {
  Names operator()(const HttpSpec&) const {
    return names({"status", "certificate_days", "tls_version"});
  }
  Names operator()(const PostgresSpec& postgres) const {
    const std::span<const std::string> known = postgres_values();
    auto values =
        wants_info(postgres) ? std::vector(known.begin(), known.end()) : std::vector<std::string>{};
    if (!postgres.query.empty()) values.emplace_back("value");
    return values;
  }
  Names operator()(const PgbouncerSpec&) const {
    const std::span<const std::string> known = pgbouncer_values();
    return std::vector(known.begin(), known.end());
  }
  Names operator()(const RedisSpec& redis) const {
    const std::span<const std::string> known = redis_values();
    auto values = redis.info || !redis.role.empty() ? std::vector(known.begin(), known.end())
                                                    : std::vector<std::string>{};
    values.insert(values.end(), {"certificate_days", "tls_version"});
    return values;
  }
  Names operator()(const QueueSpec&) const {
    const std::span<const std::string> known = queue_values();
    return std::vector(known.begin(), known.end());
  }
  Names operator()(const TcpSpec&) const {
    return names({"certificate_days", "chain_days", "tls_version"});
  }
  Names operator()(const DnsSpec&) const { return names({"answers", "ttl", "rcode"}); }
  Names operator()(const IcmpSpec&) const { return names({"loss", "rtt", "rtt_min", "rtt_max"}); }
  Names operator()(const ExecSpec&) const { return std::nullopt; }
  Names operator()(const SystemdSpec&) const { return names({"restarts", "active"}); }
  Names operator()(const HostSpec&) const { return names({}); }
  Names operator()(const PrometheusSpec&) const { return names({"value", "results"}); }
  Names operator()(const GrpcSpec&) const {
    return names({"serving", "certificate_days", "tls_version"});
  }
  Names operator()(const HeartbeatSpec&) const { return std::nullopt; }  // the job has its own
};

std::string describe(const HostSpec& /*host*/) {
  return "this host";
}
std::string describe(const PrometheusSpec& prometheus) {
  return prometheus.http.url + " " +
         (prometheus.query.empty() ? prometheus.metric : prometheus.query);
}
std::string describe(const GrpcSpec& grpc) {
  const std::string server = endpoint(grpc.host, grpc.port);
  return grpc.service.empty() ? server : server + " " + grpc.service;
}

std::string describe(const HeartbeatSpec& heartbeat) {
  return heartbeat.name;
}

struct KindNames {
  const char* operator()(const HttpSpec&) const { return "http"; }
  const char* operator()(const PostgresSpec&) const { return "postgres"; }
  const char* operator()(const PgbouncerSpec&) const { return "pgbouncer"; }
  const char* operator()(const RedisSpec&) const { return "redis"; }
  const char* operator()(const QueueSpec&) const { return "queue"; }
  const char* operator()(const TcpSpec&) const { return "tcp"; }
  const char* operator()(const DnsSpec&) const { return "dns"; }
  const char* operator()(const IcmpSpec&) const { return "icmp"; }
  const char* operator()(const ExecSpec&) const { return "exec"; }
  const char* operator()(const SystemdSpec&) const { return "systemd"; }
  const char* operator()(const HostSpec&) const { return "host"; }
  const char* operator()(const PrometheusSpec&) const { return "prometheus"; }
  const char* operator()(const GrpcSpec&) const { return "grpc"; }
  const char* operator()(const HeartbeatSpec&) const { return "heartbeat"; }
};

}  // namespace

std::span<const std::string> http_methods() {
  static const std::array<std::string, 7> kMethods{"GET",   "HEAD",   "POST",   "PUT",
                                                   "PATCH", "DELETE", "OPTIONS"};
  return kMethods;
}

std::span<const std::string> postgres_sslmodes() {
  static const std::array<std::string, 6> kModes{"disable", "allow",     "prefer",
                                                 "require", "verify-ca", "verify-full"};
  return kModes;
}

std::span<const std::string> postgres_roles() {
  static const std::array<std::string, 2> kRoles{"primary", "standby"};
  return kRoles;
}

std::span<const std::string> postgres_values() {
  static const std::array<std::string, 11> kValues{"connections",
                                                   "connections_max",
                                                   "connections_share",
                                                   "connections_active",
                                                   "connections_idle_in_transaction",
                                                   "longest_query",
                                                   "longest_transaction",
                                                   "locks_waiting",
                                                   "replication_lag",
                                                   "replication_lag_bytes",
                                                   "connected_replicas"};
  return kValues;
}

std::span<const std::string> pgbouncer_values() {
  static const std::array<std::string, 9> kValues{
      "clients_active", "clients_waiting", "servers_active", "servers_idle", "servers_used",
      "servers_tested", "servers_login",   "maxwait",        "pools"};
  return kValues;
}

std::span<const std::string> redis_roles() {
  static const std::array<std::string, 2> kRoles{"master", "replica"};
  return kRoles;
}

std::span<const std::string> redis_key_types() {
  static const std::array<std::string, 4> kTypes{"list", "stream", "zset", "set"};
  return kTypes;
}

std::span<const std::string> score_units() {
  static const std::array<std::string, 2> kUnits{"seconds", "milliseconds"};
  return kUnits;
}

std::span<const std::string> queue_values() {
  static const std::array<std::string, 5> kValues{"length", "oldest_age", "pending", "lag",
                                                  "consumers"};
  return kValues;
}

std::span<const std::string> redis_values() {
  static const std::array<std::string, 8> kValues{
      "connected_clients", "clients_share", "blocked_clients",    "used_memory",
      "used_memory_share", "evicted_keys",  "connected_replicas", "replication_lag"};
  return kValues;
}

std::span<const std::string> starttls_protocols() {
  static const std::array<std::string, 3> kProtocols{"imap", "postgres", "smtp"};
  return kProtocols;
}

std::span<const std::string> dns_types() {
  static const std::array<std::string, 9> kTypes{"A",   "AAAA", "CNAME", "MX", "NS",
                                                 "PTR", "SOA",  "SRV",   "TXT"};
  return kTypes;
}

std::span<const std::string> dns_rcodes() {
  static const std::array<std::string, 11> kRcodes{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
                                                   "NOTIMP",  "REFUSED", "YXDOMAIN", "YXRRSET",
                                                   "NXRRSET", "NOTAUTH", "NOTZONE"};
  return kRcodes;
}

bool is_dns_name(std::string_view text) {
  if (text == ".") return true;
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > limits::kDnsNameBytesMax) return false;
  std::size_t label = 0;
  for (const char c : text) {
    if (c == '.' && label == 0) return false;
    if (c <= ' ' || c >= 0x7f || c == '\\') return false;
    label = c == '.' ? 0 : label + 1;
    if (label > limits::kDnsLabelBytesMax) return false;
  }
  return label > 0;
}

std::span<const std::string> host_values() {
  static const std::vector<std::string> kValues{"cpu",
                                                "cpu_iowait",
                                                "cpu_steal",
                                                "memory_used",
                                                "memory_available",
                                                "swap_used",
                                                "load1",
                                                "load5",
                                                "load15",
                                                "load1_per_cpu",
                                                "files",
                                                "files_used",
                                                "pressure_cpu",
                                                "pressure_cpu_full",
                                                "pressure_memory",
                                                "pressure_memory_full",
                                                "pressure_io",
                                                "pressure_io_full",
                                                "disk_used",
                                                "disk_free",
                                                "inodes_used"};
  return kValues;
}

std::span<const std::string> empty_answers() {
  static const std::array<std::string, 3> kAnswers{"critical", "ok", "unknown"};
  return kAnswers;
}

std::span<const std::string> unit_states() {
  static const std::array<std::string, 6> kStates{"active", "reloading",  "inactive",
                                                  "failed", "activating", "deactivating"};
  return kStates;
}

bool is_unit_name(std::string_view name) {
  constexpr std::string_view kCharacters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_.@-\\";
  constexpr std::array<std::string_view, 8> kTypes{".service", ".socket", ".target",    ".timer",
                                                   ".path",    ".mount",  ".automount", ".slice"};
  if (name.size() > 255 || name.starts_with('-') ||
      name.find_first_not_of(kCharacters) != std::string_view::npos)
    return false;
  return std::any_of(kTypes.begin(), kTypes.end(), [name](std::string_view type) {
    return name.size() > type.size() && name.ends_with(type);
  });
}

bool is_status_pattern(std::string_view text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return text.size() == 3 && text[0] >= '1' && text[0] <= '5' &&
         (text.substr(1) == "xx" || (is_digit(text[1]) && is_digit(text[2])));
}

bool is_header_name(std::string_view text) {
  constexpr std::string_view kAllowed =
      "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return !text.empty() && text.find_first_not_of(kAllowed) == std::string_view::npos;
}

std::span<const std::string> address_families() {
  static const std::array<std::string, 5> kFamilies{"any", "ipv4", "ipv6", "prefer-ipv4",
                                                    "prefer-ipv6"};
  return kFamilies;
}

bool is_address(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return text.size() <= INET6_ADDRSTRLEN &&
         (::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1 ||
          ::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1);
}

std::optional<std::vector<std::string>> limited_values(const KindSpec& kind) {
  return std::visit(LimitedValues{}, kind);
}

bool wants_info(const PostgresSpec& postgres) {
  return postgres.info || !postgres.role.empty();
}

bool logs_in(const PostgresSpec& postgres) {
  return !postgres.query.empty() || wants_info(postgres);
}

bool takes_family(const KindSpec& kind) {
  const auto* http = std::get_if<HttpSpec>(&kind);
  return (http == nullptr || http->unix_socket.empty()) &&
         !std::holds_alternative<ExecSpec>(kind) && !std::holds_alternative<SystemdSpec>(kind) &&
         !std::holds_alternative<HostSpec>(kind) && !std::holds_alternative<HeartbeatSpec>(kind);
}

bool takes_source(const ProbeSpec& spec) {
  const auto* postgres = std::get_if<PostgresSpec>(&spec.kind);
  return takes_family(spec.kind) && (postgres == nullptr || !logs_in(*postgres)) &&
         !std::holds_alternative<PgbouncerSpec>(spec.kind);
}

Duration icmp_sending_time(const IcmpSpec& icmp) {
  return icmp.interval * (icmp.packets - 1);
}

std::string host_and_port(const std::string& host, std::uint16_t port) {
  return endpoint(host, port);
}

const char* kind_name(const KindSpec& kind) {
  return std::visit(KindNames{}, kind);
}

std::string describe_target(const KindSpec& kind) {
  return std::visit([](const auto& spec) { return describe(spec); }, kind);
}

}  // namespace firebreak
