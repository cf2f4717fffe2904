// Probe definitions: what travels, checked and converted.
#include <algorithm>
#include <limits>
#include <span>
#include <string>

#include <firebreak/v1/probe.pb.h>

#include "common/limits.h"
#include "common/metric_selector.h"
#include "common/text.h"
#include "proto/checker.h"
#include "proto/wire.h"

namespace firebreak::wire {
namespace {

bool is_one_of(const std::string& text, std::span<const std::string> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

std::string not_one_of(std::span<const std::string> words) {
  return "is not one of " + join_words({words.begin(), words.end()}, "and");
}

std::string not_up_to(int most) {
  return "is not between 0 and " + std::to_string(most);
}

// TLS as these messages had it before there was TlsSpec.
template <class Message>
void tls_into_proto(const TlsSpec& spec, Message& message) {
  message.set_tls_skip_verify(!spec.verify);
  message.set_tls_ca_file(spec.ca_file);
  message.set_tls_server_name(spec.server_name);
  message.set_tls_certificate_file(spec.certificate_file);
  message.set_tls_key_file(spec.key_file);
}

v1::HttpSpec http_to_proto(const HttpSpec& spec) {
  v1::HttpSpec message;
  message.set_url(spec.url);
  message.set_method(spec.method);
  for (const auto& [name, value] : spec.headers) {
    v1::Header& header = *message.add_headers();
    header.set_name(name);
    header.set_value(value);
  }
  message.set_body(spec.body);
  for (const std::string& status : spec.expect_status) message.add_expect_status(status);
  message.set_expect(spec.expect);
  message.set_contains(spec.contains);
  for (const auto& [name, file] : spec.header_files) {
    v1::Header& header = *message.add_header_files();
    header.set_name(name);
    header.set_value(file);
  }
  message.set_bearer_token_file(spec.bearer_token_file);
  message.set_basic_user(spec.basic_user);
  message.set_basic_password_file(spec.basic_password_file);
  message.set_max_redirects(spec.max_redirects);
  tls_into_proto(spec.tls, message);
  message.set_unix_socket(spec.unix_socket);
  return message;
}

v1::PostgresSpec postgres_to_proto(const PostgresSpec& spec) {
  v1::PostgresSpec message;
  message.set_host(spec.host);
  message.set_port(spec.port);
  message.set_database(spec.database);
  message.set_user(spec.user);
  message.set_password_file(spec.password_file);
  message.set_sslmode(spec.sslmode);
  message.set_query(spec.query);
  message.set_expect(spec.expect);
  message.set_role(spec.role);
  message.set_info(spec.info);
  message.set_tls_ca_file(spec.tls_ca_file);
  message.set_tls_certificate_file(spec.tls_certificate_file);
  message.set_tls_key_file(spec.tls_key_file);
  return message;
}

v1::PgbouncerSpec pgbouncer_to_proto(const PgbouncerSpec& spec) {
  v1::PgbouncerSpec message;
  *message.mutable_server() = postgres_to_proto(spec.server);
  message.set_pool(spec.pool);
  return message;
}

v1::TlsSpec tls_to_proto(const TlsSpec& spec) {
  v1::TlsSpec message;
  message.set_skip_verify(!spec.verify);
  message.set_ca_file(spec.ca_file);
  message.set_server_name(spec.server_name);
  message.set_certificate_file(spec.certificate_file);
  message.set_key_file(spec.key_file);
  return message;
}

v1::RedisSpec redis_to_proto(const RedisSpec& spec) {
  v1::RedisSpec message;
  message.set_host(spec.host);
  message.set_port(spec.port);
  message.set_username(spec.username);
  message.set_password_file(spec.password_file);
  if (spec.tls) *message.mutable_tls() = tls_to_proto(*spec.tls);
  message.set_role(spec.role);
  message.set_info(spec.info);
  return message;
}

v1::QueueSpec::RabbitMq rabbitmq_to_proto(const QueueSpec::RabbitMq& spec) {
  v1::QueueSpec::RabbitMq message;
  message.set_host(spec.host);
  message.set_port(spec.port);
  message.set_vhost(spec.vhost);
  message.set_user(spec.user);
  message.set_password_file(spec.password_file);
  if (spec.tls) *message.mutable_tls() = tls_to_proto(*spec.tls);
  message.set_queue(spec.queue);
  return message;
}

void redis_key_to_proto(const QueueSpec::RedisKey& spec, v1::QueueSpec& message) {
  if (spec.type == "list") {
    *message.mutable_redis_list()->mutable_redis() = redis_to_proto(spec.redis);
    message.mutable_redis_list()->set_key(spec.key);
    return;
  }
  v1::QueueSpec::RedisKey& key = *message.mutable_redis_key();
  *key.mutable_redis() = redis_to_proto(spec.redis);
  key.set_key(spec.key);
  key.set_type(spec.type);
  key.set_group(spec.group);
  key.set_score(spec.score);
}

v1::QueueSpec queue_to_proto(const QueueSpec& spec) {
  v1::QueueSpec message;
  if (const auto* key = std::get_if<QueueSpec::RedisKey>(&spec.source)) {
    redis_key_to_proto(*key, message);
  } else if (const auto* rabbitmq = std::get_if<QueueSpec::RabbitMq>(&spec.source)) {
    *message.mutable_rabbitmq() = rabbitmq_to_proto(*rabbitmq);
  } else if (const auto* json = std::get_if<QueueSpec::HttpJson>(&spec.source)) {
    *message.mutable_http_json()->mutable_http() = http_to_proto(json->http);
    message.mutable_http_json()->set_length(json->length);
  } else if (const auto* sql = std::get_if<QueueSpec::SqlCount>(&spec.source)) {
    *message.mutable_sql_count()->mutable_postgres() = postgres_to_proto(sql->postgres);
  }
  if (spec.warning) message.set_warning(*spec.warning);
  if (spec.critical) message.set_critical(*spec.critical);
  return message;
}

v1::TcpSpec tcp_to_proto(const TcpSpec& spec) {
  v1::TcpSpec message;
  message.set_host(spec.host);
  message.set_port(spec.port);
  for (const TcpSpec::Step& step : spec.dialogue) {
    v1::TcpSpec::Step& each = *message.add_dialogue();
    each.set_send(step.send);
    each.set_expect(step.expect);
  }
  message.set_tls(spec.tls && spec.starttls.empty());
  message.set_starttls(spec.starttls);
  if (spec.tls) tls_into_proto(*spec.tls, message);
  if (spec.certificate_warning_days)
    message.set_certificate_warning_days(*spec.certificate_warning_days);
  if (spec.certificate_critical_days)
    message.set_certificate_critical_days(*spec.certificate_critical_days);
  return message;
}

v1::DnsSpec dns_to_proto(const DnsSpec& spec) {
  v1::DnsSpec message;
  message.set_name(spec.name);
  message.set_type(spec.type);
  message.set_server(spec.server);
  message.set_port(spec.port);
  message.set_rcode(spec.rcode);
  for (const std::string& answer : spec.answers) message.add_answers(answer);
  message.set_exact(spec.exact);
  return message;
}

v1::IcmpSpec icmp_to_proto(const IcmpSpec& spec) {
  v1::IcmpSpec message;
  message.set_host(spec.host);
  message.set_packets(spec.packets);
  message.set_interval_us(spec.interval.count());
  message.set_bytes(spec.bytes);
  if (spec.loss_warning) message.set_loss_warning(*spec.loss_warning);
  if (spec.loss_critical) message.set_loss_critical(*spec.loss_critical);
  if (spec.rtt_warning) message.set_rtt_warning_us(spec.rtt_warning->count());
  if (spec.rtt_critical) message.set_rtt_critical_us(spec.rtt_critical->count());
  return message;
}

v1::ExecSpec exec_to_proto(const ExecSpec& spec) {
  v1::ExecSpec message;
  message.set_check(spec.check);
  for (const auto& [name, value] : spec.parameters) {
    v1::ExecSpec::Parameter& parameter = *message.add_parameters();
    parameter.set_name(name);
    parameter.set_value(value);
  }
  return message;
}

std::string range_to_proto(const std::optional<Range>& range) {
  return range ? to_string(*range) : "";
}

v1::SystemdSpec systemd_to_proto(const SystemdSpec& spec) {
  v1::SystemdSpec message;
  message.set_unit(spec.unit);
  for (const std::string& state : spec.states) message.add_states(state);
  for (const std::string& state : spec.sub_states) message.add_sub_states(state);
  message.set_warning(range_to_proto(spec.warning));
  message.set_critical(range_to_proto(spec.critical));
  return message;
}

v1::HostSpec::Limit limit_to_proto(const std::string& value, const Range& range) {
  v1::HostSpec::Limit message;
  message.set_value(value);
  message.set_range(to_string(range));
  return message;
}

v1::HostSpec host_to_proto(const HostSpec& spec) {
  v1::HostSpec message;
  for (const std::string& disk : spec.disks) message.add_disks(disk);
  for (const auto& [value, range] : spec.warning)
    *message.add_warning() = limit_to_proto(value, range);
  for (const auto& [value, range] : spec.critical)
    *message.add_critical() = limit_to_proto(value, range);
  return message;
}

v1::PrometheusSpec prometheus_to_proto(const PrometheusSpec& spec) {
  v1::PrometheusSpec message;
  *message.mutable_http() = http_to_proto(spec.http);
  message.set_query(spec.query);
  message.set_metric(spec.metric);
  message.set_empty(spec.empty);
  message.set_warning(range_to_proto(spec.warning));
  message.set_critical(range_to_proto(spec.critical));
  return message;
}

v1::GrpcSpec grpc_to_proto(const GrpcSpec& spec) {
  v1::GrpcSpec message;
  message.set_host(spec.host);
  message.set_port(spec.port);
  message.set_service(spec.service);
  message.set_authority(spec.authority);
  message.set_tls(spec.tls.has_value());
  if (spec.tls) tls_into_proto(*spec.tls, message);
  return message;
}

v1::HeartbeatSpec heartbeat_to_proto(const HeartbeatSpec& spec) {
  v1::HeartbeatSpec message;
  message.set_name(spec.name);
  message.set_within_us(spec.within.count());
  return message;
}

struct KindToProto {
  v1::ProbeSpec& message;
  void operator()(const HttpSpec& spec) const { *message.mutable_http() = http_to_proto(spec); }
  void operator()(const PostgresSpec& spec) const {
    *message.mutable_postgres() = postgres_to_proto(spec);
  }
  void operator()(const PgbouncerSpec& spec) const {
    *message.mutable_pgbouncer() = pgbouncer_to_proto(spec);
  }
  void operator()(const RedisSpec& spec) const { *message.mutable_redis() = redis_to_proto(spec); }
  void operator()(const QueueSpec& spec) const { *message.mutable_queue() = queue_to_proto(spec); }
  void operator()(const TcpSpec& spec) const { *message.mutable_tcp() = tcp_to_proto(spec); }
  void operator()(const DnsSpec& spec) const { *message.mutable_dns() = dns_to_proto(spec); }
  void operator()(const IcmpSpec& spec) const { *message.mutable_icmp() = icmp_to_proto(spec); }
  void operator()(const ExecSpec& spec) const { *message.mutable_exec() = exec_to_proto(spec); }
  void operator()(const SystemdSpec& spec) const {
    *message.mutable_systemd() = systemd_to_proto(spec);
  }
  void operator()(const HostSpec& spec) const { *message.mutable_host() = host_to_proto(spec); }
  void operator()(const PrometheusSpec& spec) const {
    *message.mutable_prometheus() = prometheus_to_proto(spec);
  }
  void operator()(const GrpcSpec& spec) const { *message.mutable_grpc() = grpc_to_proto(spec); }
  void operator()(const HeartbeatSpec& spec) const {
    *message.mutable_heartbeat() = heartbeat_to_proto(spec);
  }
};

// A path of a file on the agent's host, "credential:NAME", or nothing.
void check_file(Checker& check, const std::string& path, std::string_view field) {
  check.line(path, limits::kTextBytesMax, field);
  check.require(path.empty() || path.front() == '/' || path.rfind("credential:", 0) == 0, field,
                "is neither an absolute path nor credential:NAME");
}

void check_host(Checker& check, const std::string& host, std::string_view field) {
  check.line(host, limits::kHostBytesMax, field);
  check.require(!host.empty(), field, "is missing");
}

std::uint16_t checked_port(Checker& check, std::uint32_t port, std::string_view field) {
  check.require(port > 0 && port <= std::numeric_limits<std::uint16_t>::max(), field,
                "is not between 1 and 65535");
  return static_cast<std::uint16_t>(port);
}

// The reverse of tls_into_proto(); `name` is the message's.
template <class Message>
TlsSpec flat_tls_from_proto(Checker& check, const Message& message, const std::string& name) {
  check_file(check, message.tls_ca_file(), name + ".tls_ca_file");
  check.line(message.tls_server_name(), limits::kHostBytesMax, name + ".tls_server_name");
  check_file(check, message.tls_certificate_file(), name + ".tls_certificate_file");
  check_file(check, message.tls_key_file(), name + ".tls_key_file");
  check.require(message.tls_certificate_file().empty() == message.tls_key_file().empty(),
                name + ".tls_key_file", "and the certificate's file belong together");
  return {!message.tls_skip_verify(), message.tls_ca_file(), message.tls_server_name(),
          message.tls_certificate_file(), message.tls_key_file()};
}

HttpSpec http_from_proto(Checker& check, const v1::HttpSpec& message) {
  check.line(message.url(), limits::kTextBytesMax, "HttpSpec.url");
  check.require(message.url().rfind("http://", 0) == 0 || message.url().rfind("https://", 0) == 0,
                "HttpSpec.url", "does not start with http:// or https://");
  check.require(is_one_of(message.method(), http_methods()), "HttpSpec.method",
                not_one_of(http_methods()));
  check.count(static_cast<std::size_t>(message.headers_size()), limits::kHttpRequestHeadersMax,
              "HttpSpec.headers");
  check.text(message.body(), limits::kHttpRequestBodyBytesMax, "HttpSpec.body");
  check.require(message.expect_status_size() > 0, "HttpSpec.expect_status",
                "is empty; \"2xx\" is usual");
  check.count(static_cast<std::size_t>(message.expect_status_size()), limits::kHttpStatusesMax,
              "HttpSpec.expect_status");
  check.text(message.expect(), limits::kExprBytesMax, "HttpSpec.expect");
  check.text(message.contains(), limits::kTextBytesMax, "HttpSpec.contains");
  check_file(check, message.bearer_token_file(), "HttpSpec.bearer_token_file");
  check.line(message.basic_user(), limits::kTextBytesMax, "HttpSpec.basic_user");
  check_file(check, message.basic_password_file(), "HttpSpec.basic_password_file");
  check.require(
      message.max_redirects() >= 0 && message.max_redirects() <= limits::kHttpRedirectsMax,
      "HttpSpec.max_redirects", not_up_to(limits::kHttpRedirectsMax));
  HttpSpec spec;
  spec.url = message.url();
  spec.method = message.method();
  for (const v1::Header& header : message.headers()) {
    check.require(is_header_name(header.name()), "HttpSpec.headers.name", "is not a header's name");
    check.line(header.value(), limits::kTextBytesMax, "HttpSpec.headers.value");
    spec.headers.emplace_back(header.name(), header.value());
  }
  check.count(static_cast<std::size_t>(message.header_files_size()), limits::kHttpRequestHeadersMax,
              "HttpSpec.header_files");
  for (const v1::Header& header : message.header_files()) {
    check.require(is_header_name(header.name()), "HttpSpec.header_files.name",
                  "is not a header's name");
    check.require(!header.value().empty(), "HttpSpec.header_files.value", "is missing");
    check_file(check, header.value(), "HttpSpec.header_files.value");
    spec.header_files.emplace_back(header.name(), header.value());
  }
  spec.expect_status.clear();
  for (const std::string& status : message.expect_status()) {
    check.require(is_status_pattern(status), "HttpSpec.expect_status",
                  "is neither a status such as 200 nor a class such as 2xx");
    spec.expect_status.push_back(status);
  }
  spec.body = message.body();
  spec.expect = message.expect();
  spec.contains = message.contains();
  spec.bearer_token_file = message.bearer_token_file();
  spec.basic_user = message.basic_user();
  spec.basic_password_file = message.basic_password_file();
  spec.max_redirects = message.max_redirects();
  spec.tls = flat_tls_from_proto(check, message, "HttpSpec");
  check.line(message.unix_socket(), limits::kUnixPathBytesMax, "HttpSpec.unix_socket");
  check.require(message.unix_socket().empty() || message.unix_socket().front() == '/',
                "HttpSpec.unix_socket", "is not an absolute path");
  spec.unix_socket = message.unix_socket();
  return spec;
}

PostgresSpec postgres_from_proto(Checker& check, const v1::PostgresSpec& message) {
  PostgresSpec spec;
  check_host(check, message.host(), "PostgresSpec.host");
  spec.port = checked_port(check, message.port(), "PostgresSpec.port");
  check.line(message.database(), limits::kTextBytesMax, "PostgresSpec.database");
  check.line(message.user(), limits::kTextBytesMax, "PostgresSpec.user");
  check_file(check, message.password_file(), "PostgresSpec.password_file");
  check.require(is_one_of(message.sslmode(), postgres_sslmodes()), "PostgresSpec.sslmode",
                not_one_of(postgres_sslmodes()));
  check.text(message.query(), limits::kExprBytesMax, "PostgresSpec.query");
  check.text(message.expect(), limits::kExprBytesMax, "PostgresSpec.expect");
  check.require(message.role().empty() || is_one_of(message.role(), postgres_roles()),
                "PostgresSpec.role", not_one_of(postgres_roles()));
  check_file(check, message.tls_ca_file(), "PostgresSpec.tls_ca_file");
  check_file(check, message.tls_certificate_file(), "PostgresSpec.tls_certificate_file");
  check_file(check, message.tls_key_file(), "PostgresSpec.tls_key_file");
  check.require(message.tls_certificate_file().empty() == message.tls_key_file().empty(),
                "PostgresSpec.tls_key_file", "and the certificate's file belong together");
  spec.host = message.host();
  spec.database = message.database();
  spec.user = message.user();
  spec.password_file = message.password_file();
  spec.sslmode = message.sslmode();
  spec.query = message.query();
  spec.expect = message.expect();
  spec.role = message.role();
  spec.info = message.info();
  spec.tls_ca_file = message.tls_ca_file();
  spec.tls_certificate_file = message.tls_certificate_file();
  spec.tls_key_file = message.tls_key_file();
  return spec;
}

PgbouncerSpec pgbouncer_from_proto(Checker& check, const v1::PgbouncerSpec& message) {
  PgbouncerSpec spec;
  spec.server = postgres_from_proto(check, message.server());
  check.require(!logs_in(spec.server) && spec.server.expect.empty(), "PgbouncerSpec.server",
                "asks something of its own; a pgbouncer is asked for its pools alone");
  check.line(message.pool(), limits::kTextBytesMax, "PgbouncerSpec.pool");
  spec.pool = message.pool();
  return spec;
}

TlsSpec tls_from_proto(Checker& check, const v1::TlsSpec& message) {
  check_file(check, message.ca_file(), "TlsSpec.ca_file");
  check.line(message.server_name(), limits::kHostBytesMax, "TlsSpec.server_name");
  check_file(check, message.certificate_file(), "TlsSpec.certificate_file");
  check_file(check, message.key_file(), "TlsSpec.key_file");
  check.require(message.certificate_file().empty() == message.key_file().empty(),
                "TlsSpec.key_file", "and the certificate's file belong together");
  TlsSpec spec;
  spec.verify = !message.skip_verify();
  spec.ca_file = message.ca_file();
  spec.server_name = message.server_name();
  spec.certificate_file = message.certificate_file();
  spec.key_file = message.key_file();
  return spec;
}

RedisSpec redis_from_proto(Checker& check, const v1::RedisSpec& message) {
  RedisSpec spec;
  check_host(check, message.host(), "RedisSpec.host");
  spec.port = checked_port(check, message.port(), "RedisSpec.port");
  check.line(message.username(), limits::kTextBytesMax, "RedisSpec.username");
  check_file(check, message.password_file(), "RedisSpec.password_file");
  spec.host = message.host();
  spec.username = message.username();
  spec.password_file = message.password_file();
  if (message.has_tls()) spec.tls = tls_from_proto(check, message.tls());
  check.require(!spec.tls || !spec.host.starts_with('/'), "RedisSpec.tls",
                "is not for a Unix socket");
  check.require(message.role().empty() || is_one_of(message.role(), redis_roles()),
                "RedisSpec.role", not_one_of(redis_roles()));
  spec.role = message.role();
  spec.info = message.info();
  return spec;
}

QueueSpec::RedisKey redis_key_from_proto(Checker& check, const v1::RedisSpec& redis,
                                         const std::string& key, std::string_view field) {
  check.text(key, limits::kTextBytesMax, field);
  check.require(!key.empty(), field, "is missing");
  QueueSpec::RedisKey source;
  source.redis = redis_from_proto(check, redis);
  source.key = key;
  return source;
}

QueueSpec::RedisKey redis_key_from_proto(Checker& check, const v1::QueueSpec::RedisKey& message) {
  QueueSpec::RedisKey source =
      redis_key_from_proto(check, message.redis(), message.key(), "QueueSpec.redis_key.key");
  check.require(message.type() != "list" && is_one_of(message.type(), redis_key_types()),
                "QueueSpec.redis_key.type", "is not one of stream, zset and set");
  check.text(message.group(), limits::kTextBytesMax, "QueueSpec.redis_key.group");
  check.require(message.group().empty() || message.type() == "stream", "QueueSpec.redis_key.group",
                "is only for a stream");
  check.require(message.score().empty() ||
                    (message.type() == "zset" && is_one_of(message.score(), score_units())),
                "QueueSpec.redis_key.score", "is neither seconds nor milliseconds of a zset");
  source.type = message.type();
  source.group = message.group();
  source.score = message.score();
  return source;
}

QueueSpec::RabbitMq rabbitmq_from_proto(Checker& check, const v1::QueueSpec::RabbitMq& message) {
  QueueSpec::RabbitMq spec;
  check_host(check, message.host(), "QueueSpec.rabbitmq.host");
  check.require(!message.host().starts_with('/'), "QueueSpec.rabbitmq.host", "is a path");
  spec.port = checked_port(check, message.port(), "QueueSpec.rabbitmq.port");
  check.line(message.vhost(), limits::kAmqpNameBytesMax, "QueueSpec.rabbitmq.vhost");
  check.line(message.user(), limits::kAmqpNameBytesMax, "QueueSpec.rabbitmq.user");
  check_file(check, message.password_file(), "QueueSpec.rabbitmq.password_file");
  check.line(message.queue(), limits::kAmqpNameBytesMax, "QueueSpec.rabbitmq.queue");
  check.require(!message.queue().empty(), "QueueSpec.rabbitmq.queue", "is missing");
  spec.host = message.host();
  spec.vhost = message.vhost();
  spec.user = message.user();
  spec.password_file = message.password_file();
  if (message.has_tls()) spec.tls = tls_from_proto(check, message.tls());
  spec.queue = message.queue();
  return spec;
}

QueueSpec queue_from_proto(Checker& check, const v1::QueueSpec& message) {
  QueueSpec spec;
  switch (message.source_case()) {
    case v1::QueueSpec::kRedisList:
      spec.source = redis_key_from_proto(check, message.redis_list().redis(),
                                         message.redis_list().key(), "QueueSpec.redis_list.key");
      break;
    case v1::QueueSpec::kRedisKey:
      spec.source = redis_key_from_proto(check, message.redis_key());
      break;
    case v1::QueueSpec::kRabbitmq:
      spec.source = rabbitmq_from_proto(check, message.rabbitmq());
      break;
    case v1::QueueSpec::kHttpJson:
      check.text(message.http_json().length(), limits::kExprBytesMax, "QueueSpec.http_json.length");
      check.require(!message.http_json().length().empty(), "QueueSpec.http_json.length",
                    "is missing");
      spec.source = QueueSpec::HttpJson{http_from_proto(check, message.http_json().http()),
                                        message.http_json().length()};
      break;
    case v1::QueueSpec::kSqlCount:
      spec.source = QueueSpec::SqlCount{postgres_from_proto(check, message.sql_count().postgres())};
      check.require(!message.sql_count().postgres().query().empty(),
                    "QueueSpec.sql_count.postgres.query", "is missing");
      break;
    case v1::QueueSpec::SOURCE_NOT_SET:
      check.require(false, "QueueSpec.source", "is missing, or of a kind unknown to this version");
      break;
  }
  if (message.has_warning() && check.finite(message.warning(), "QueueSpec.warning")) {
    spec.warning = message.warning();
  }
  if (message.has_critical() && check.finite(message.critical(), "QueueSpec.critical")) {
    spec.critical = message.critical();
  }
  return spec;
}

TcpSpec tcp_from_proto(Checker& check, const v1::TcpSpec& message) {
  TcpSpec spec;
  check_host(check, message.host(), "TcpSpec.host");
  spec.port = checked_port(check, message.port(), "TcpSpec.port");
  const auto steps = static_cast<std::size_t>(message.dialogue_size());
  if (check.count(steps, limits::kTcpStepsMax, "TcpSpec.dialogue")) spec.dialogue.reserve(steps);
  for (const v1::TcpSpec::Step& step : message.dialogue()) {
    check.text(step.send(), limits::kTextBytesMax, "TcpSpec.dialogue.send");
    check.text(step.expect(), limits::kTextBytesMax, "TcpSpec.dialogue.expect");
    spec.dialogue.push_back({step.send(), step.expect()});
  }
  check.require(message.starttls().empty() || is_one_of(message.starttls(), starttls_protocols()),
                "TcpSpec.starttls", not_one_of(starttls_protocols()));
  check.require(message.starttls().empty() || !message.tls(), "TcpSpec.starttls",
                "is not for a connection that is encrypted from its first byte");
  spec.host = message.host();
  spec.starttls = message.starttls();
  const TlsSpec tls = flat_tls_from_proto(check, message, "TcpSpec");
  if (message.tls() || !message.starttls().empty()) spec.tls = tls;
  if (message.has_certificate_warning_days() &&
      check.finite(message.certificate_warning_days(), "TcpSpec.certificate_warning_days"))
    spec.certificate_warning_days = message.certificate_warning_days();
  if (message.has_certificate_critical_days() &&
      check.finite(message.certificate_critical_days(), "TcpSpec.certificate_critical_days"))
    spec.certificate_critical_days = message.certificate_critical_days();
  return spec;
}

DnsSpec dns_from_proto(Checker& check, const v1::DnsSpec& message) {
  DnsSpec spec;
  check.require(is_dns_name(message.name()), "DnsSpec.name", "is not a name that can be asked for");
  check.require(is_one_of(message.type(), dns_types()), "DnsSpec.type", not_one_of(dns_types()));
  check.line(message.server(), limits::kHostBytesMax, "DnsSpec.server");
  spec.port = checked_port(check, message.port(), "DnsSpec.port");
  check.require(is_one_of(message.rcode(), dns_rcodes()), "DnsSpec.rcode",
                not_one_of(dns_rcodes()));
  const auto answers = static_cast<std::size_t>(message.answers_size());
  if (check.count(answers, limits::kDnsExpectedMax, "DnsSpec.answers"))
    spec.answers.reserve(answers);
  for (const std::string& answer : message.answers()) {
    check.text(answer, limits::kTextBytesMax, "DnsSpec.answers");
    spec.answers.push_back(answer);
  }
  spec.name = message.name();
  spec.type = message.type();
  spec.server = message.server();
  spec.rcode = message.rcode();
  spec.exact = message.exact();
  return spec;
}

IcmpSpec icmp_from_proto(Checker& check, const v1::IcmpSpec& message) {
  IcmpSpec spec;
  check_host(check, message.host(), "IcmpSpec.host");
  constexpr int kPacketsMax = static_cast<int>(limits::kIcmpPacketsMax);
  check.require(message.packets() >= 1 && message.packets() <= kPacketsMax, "IcmpSpec.packets",
                "is not between 1 and " + std::to_string(kPacketsMax));
  check.duration(message.interval_us(), limits::kIcmpIntervalMin, limits::kIcmpIntervalMax,
                 "IcmpSpec.interval_us");
  check.require(
      message.bytes() >= limits::kIcmpBytesMin && message.bytes() <= limits::kIcmpBytesMax,
      "IcmpSpec.bytes",
      "is not between " + std::to_string(limits::kIcmpBytesMin) + " and " +
          std::to_string(limits::kIcmpBytesMax));
  spec.host = message.host();
  spec.packets = message.packets();
  spec.interval = Duration{message.interval_us()};
  spec.bytes = message.bytes();
  if (message.has_loss_warning() && check.finite(message.loss_warning(), "IcmpSpec.loss_warning"))
    spec.loss_warning = message.loss_warning();
  if (message.has_loss_critical() &&
      check.finite(message.loss_critical(), "IcmpSpec.loss_critical"))
    spec.loss_critical = message.loss_critical();
  const auto round_trip = [&check](std::int64_t us, std::string_view field) {
    check.duration(us, Duration::zero(), limits::kProbeTimeoutMax, field);
    return Duration{us};
  };
  if (message.has_rtt_warning_us())
    spec.rtt_warning = round_trip(message.rtt_warning_us(), "IcmpSpec.rtt_warning_us");
  if (message.has_rtt_critical_us())
    spec.rtt_critical = round_trip(message.rtt_critical_us(), "IcmpSpec.rtt_critical_us");
  return spec;
}

ExecSpec exec_from_proto(Checker& check, const v1::ExecSpec& message) {
  ExecSpec spec;
  check.name(message.check(), "ExecSpec.check");
  check.count(static_cast<std::size_t>(message.parameters_size()), limits::kCheckParametersMax,
              "ExecSpec.parameters");
  for (const v1::ExecSpec::Parameter& parameter : message.parameters()) {
    check.name(parameter.name(), "ExecSpec.parameters.name");
    check.line(parameter.value(), limits::kActionParameterBytesMax, "ExecSpec.parameters.value");
    check.require(spec.parameters.emplace(parameter.name(), parameter.value()).second,
                  "ExecSpec.parameters.name", "is given twice");
  }
  spec.check = message.check();
  return spec;
}

std::optional<Range> range_from_proto(Checker& check, const std::string& text,
                                      std::string_view field) {
  const auto range = parse_range(text);
  check.require(text.size() <= limits::kRangeBytesMax && range.has_value(), field,
                "is not a range such as 10, 10: or @10:20");
  return range;
}

SystemdSpec systemd_from_proto(Checker& check, const v1::SystemdSpec& message) {
  SystemdSpec spec;
  check.require(is_unit_name(message.unit()), "SystemdSpec.unit", "is no unit's full name");
  check.require(message.states_size() > 0, "SystemdSpec.states", "is empty; \"active\" is usual");
  check.count(static_cast<std::size_t>(message.states_size()), unit_states().size(),
              "SystemdSpec.states");
  check.count(static_cast<std::size_t>(message.sub_states_size()), limits::kUnitStatesMax,
              "SystemdSpec.sub_states");
  for (const std::string& state : message.states())
    check.require(is_one_of(state, unit_states()), "SystemdSpec.states", not_one_of(unit_states()));
  for (const std::string& state : message.sub_states()) check.name(state, "SystemdSpec.sub_states");
  spec.unit = message.unit();
  spec.states.assign(message.states().begin(), message.states().end());
  spec.sub_states.assign(message.sub_states().begin(), message.sub_states().end());
  if (!message.warning().empty())
    spec.warning = range_from_proto(check, message.warning(), "SystemdSpec.warning");
  if (!message.critical().empty())
    spec.critical = range_from_proto(check, message.critical(), "SystemdSpec.critical");
  return spec;
}

template <class Limits>
std::map<std::string, Range> limits_from_proto(Checker& check, const Limits& limits) {
  std::map<std::string, Range> into;
  for (const v1::HostSpec::Limit& limit : limits) {
    check.require(is_one_of(limit.value(), host_values()), "HostSpec.limit.value",
                  not_one_of(host_values()));
    const auto range = range_from_proto(check, limit.range(), "HostSpec.limit.range");
    const bool is_new = into.emplace(limit.value(), range.value_or(Range{})).second;
    check.require(is_new, "HostSpec.limit.value", "is given twice");
  }
  return into;
}

HostSpec host_from_proto(Checker& check, const v1::HostSpec& message) {
  HostSpec spec;
  check.count(static_cast<std::size_t>(message.disks_size()), limits::kDisksMax, "HostSpec.disks");
  for (const std::string& disk : message.disks()) {
    check.line(disk, limits::kTextBytesMax, "HostSpec.disks");
    check.require(disk.starts_with('/'), "HostSpec.disks", "is not an absolute path");
  }
  spec.disks.assign(message.disks().begin(), message.disks().end());
  spec.warning = limits_from_proto(check, message.warning());
  spec.critical = limits_from_proto(check, message.critical());
  return spec;
}

PrometheusSpec prometheus_from_proto(Checker& check, const v1::PrometheusSpec& message) {
  PrometheusSpec spec;
  spec.http = http_from_proto(check, message.http());
  check.text(message.query(), limits::kTextBytesMax, "PrometheusSpec.query");
  check.text(message.metric(), limits::kTextBytesMax, "PrometheusSpec.metric");
  check.require(message.query().empty() != message.metric().empty(), "PrometheusSpec.query",
                "stands alone, or PrometheusSpec.metric does");
  check.require(message.metric().empty() || parse_metric_selector(message.metric()).has_value(),
                "PrometheusSpec.metric", "is not a metric's name with labels");
  check.require(is_one_of(message.empty(), empty_answers()), "PrometheusSpec.empty",
                not_one_of(empty_answers()));
  spec.query = message.query();
  spec.metric = message.metric();
  spec.empty = message.empty();
  if (!message.warning().empty())
    spec.warning = range_from_proto(check, message.warning(), "PrometheusSpec.warning");
  if (!message.critical().empty())
    spec.critical = range_from_proto(check, message.critical(), "PrometheusSpec.critical");
  return spec;
}

GrpcSpec grpc_from_proto(Checker& check, const v1::GrpcSpec& message) {
  GrpcSpec spec;
  check_host(check, message.host(), "GrpcSpec.host");
  spec.port = checked_port(check, message.port(), "GrpcSpec.port");
  check.line(message.service(), limits::kGrpcServiceBytesMax, "GrpcSpec.service");
  check.line(message.authority(), limits::kHostBytesMax, "GrpcSpec.authority");
  spec.host = message.host();
  spec.service = message.service();
  spec.authority = message.authority();
  const TlsSpec tls = flat_tls_from_proto(check, message, "GrpcSpec");
  if (message.tls()) spec.tls = tls;
  return spec;
}

HeartbeatSpec heartbeat_from_proto(Checker& check, const v1::HeartbeatSpec& message) {
  check.name(message.name(), "HeartbeatSpec.name");
  check.duration(message.within_us(), limits::kHeartbeatWithinMin, limits::kHeartbeatWithinMax,
                 "HeartbeatSpec.within_us");
  return {message.name(), Duration{message.within_us()}};
}

// What a probe of any kind may say besides its kind.
void any_kind_from_proto(Checker& check, const v1::ProbeSpec& message, ProbeSpec& spec) {
  check.count(static_cast<std::size_t>(message.limits_size()), limits::kValuesPerResultMax,
              "ProbeSpec.limits");
  for (const v1::ProbeSpec::Limit& limit : message.limits()) {
    check.name(limit.value(), "ProbeSpec.limits.value");
    Limit read;
    if (!limit.warning().empty())
      read.warning = range_from_proto(check, limit.warning(), "ProbeSpec.limits.warning");
    if (!limit.critical().empty())
      read.critical = range_from_proto(check, limit.critical(), "ProbeSpec.limits.critical");
    check.require(spec.limits.emplace(limit.value(), read).second, "ProbeSpec.limits.value",
                  "is given twice");
  }
  check.require(message.family().empty() || is_one_of(message.family(), address_families()),
                "ProbeSpec.family", not_one_of(address_families()));
  check.require(message.source().empty() || is_address(message.source()), "ProbeSpec.source",
                "is not an address");
  spec.invert = message.invert();
  if (!message.family().empty()) spec.family = message.family();
  spec.source = message.source();
}

}  // namespace

v1::ProbeSpec to_proto(const ProbeSpec& spec) {
  v1::ProbeSpec message;
  std::visit(KindToProto{message}, spec.kind);
  message.set_every_us(spec.every.count());
  message.set_timeout_us(spec.timeout.count());
  message.set_confirm_attempts(spec.confirm.attempts);
  message.set_confirm_every_us(spec.confirm.every.count());
  for (const auto& [value, limit] : spec.limits) {
    v1::ProbeSpec::Limit& added = *message.add_limits();
    added.set_value(value);
    added.set_warning(range_to_proto(limit.warning));
    added.set_critical(range_to_proto(limit.critical));
  }
  message.set_invert(spec.invert);
  if (spec.family != ProbeSpec{}.family) message.set_family(spec.family);
  message.set_source(spec.source);
  return message;
}

Result<ProbeSpec> from_proto(const v1::ProbeSpec& message) {
  Checker check;
  ProbeSpec spec;
  switch (message.kind_case()) {
    case v1::ProbeSpec::kHttp:
      spec.kind = http_from_proto(check, message.http());
      break;
    case v1::ProbeSpec::kPostgres:
      spec.kind = postgres_from_proto(check, message.postgres());
      break;
    case v1::ProbeSpec::kPgbouncer:
      spec.kind = pgbouncer_from_proto(check, message.pgbouncer());
      break;
    case v1::ProbeSpec::kRedis:
      spec.kind = redis_from_proto(check, message.redis());
      break;
    case v1::ProbeSpec::kQueue:
      spec.kind = queue_from_proto(check, message.queue());
      break;
    case v1::ProbeSpec::kTcp:
      spec.kind = tcp_from_proto(check, message.tcp());
      break;
    case v1::ProbeSpec::kDns:
      spec.kind = dns_from_proto(check, message.dns());
      break;
    case v1::ProbeSpec::kIcmp:
      spec.kind = icmp_from_proto(check, message.icmp());
      break;
    case v1::ProbeSpec::kExec:
      spec.kind = exec_from_proto(check, message.exec());
      break;
    case v1::ProbeSpec::kSystemd:
      spec.kind = systemd_from_proto(check, message.systemd());
      break;
    case v1::ProbeSpec::kHost:
      spec.kind = host_from_proto(check, message.host());
      break;
    case v1::ProbeSpec::kPrometheus:
      spec.kind = prometheus_from_proto(check, message.prometheus());
      break;
    case v1::ProbeSpec::kGrpc:
      spec.kind = grpc_from_proto(check, message.grpc());
      break;
    case v1::ProbeSpec::kHeartbeat:
      spec.kind = heartbeat_from_proto(check, message.heartbeat());
      break;
    case v1::ProbeSpec::KIND_NOT_SET:
      check.require(false, "ProbeSpec.kind", "is missing, or unknown to this version");
      break;
  }
  check.duration(message.every_us(), limits::kProbeIntervalMin, limits::kProbeIntervalMax,
                 "ProbeSpec.every_us");
  check.duration(message.timeout_us(), std::chrono::milliseconds(1), limits::kProbeTimeoutMax,
                 "ProbeSpec.timeout_us");
  check.require(
      message.confirm_attempts() >= 0 && message.confirm_attempts() <= limits::kConfirmAttemptsMax,
      "ProbeSpec.confirm_attempts", not_up_to(limits::kConfirmAttemptsMax));
  check.duration(message.confirm_every_us(), Duration::zero(), limits::kProbeIntervalMax,
                 "ProbeSpec.confirm_every_us");
  any_kind_from_proto(check, message, spec);
  if (check.failed()) return check.error();
  spec.every = Duration{message.every_us()};
  spec.timeout = Duration{message.timeout_us()};
  spec.confirm.attempts = message.confirm_attempts();
  spec.confirm.every = Duration{message.confirm_every_us()};
  return spec;
}

}  // namespace firebreak::wire
