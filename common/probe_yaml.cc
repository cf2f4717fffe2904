// Probe definitions from YAML: shorthands, defaults, and a message for everything that does not
// fit.
#include "common/probe_yaml.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include <boost/json.hpp>

#include "common/limits.h"
#include "common/probe_yaml_any.h"
#include "common/probe_yaml_fields.h"
#include "common/probe_yaml_local.h"
#include "common/probe_yaml_net.h"
#include "common/probe_yaml_postgres.h"
#include "common/probe_yaml_query.h"
#include "common/probe_yaml_stores.h"

namespace firebreak {
namespace {

using probe_yaml::check_count;
using probe_yaml::check_url;
using probe_yaml::read_headers;
using probe_yaml::read_http_access;
using probe_yaml::read_text;
using yaml::MapReader;
using yaml::Node;
using yaml::Problems;

// Plain scalars that JSON knows keep their type; everything else, and everything in quotes, is a
// string.
boost::json::value to_json(const Node& node) {
  switch (node.kind()) {
    case yaml::Kind::missing:
    case yaml::Kind::null:
      return nullptr;
    case yaml::Kind::scalar: {
      if (node.quoted()) return boost::json::string(node.text());
      boost::system::error_code failed;
      const auto value = boost::json::parse(node.text(), failed);
      return !failed && value.is_primitive() ? value
                                             : boost::json::value(boost::json::string(node.text()));
    }
    case yaml::Kind::sequence: {
      boost::json::array array;
      for (const Node& item : node.items()) array.push_back(to_json(item));
      return array;
    }
    case yaml::Kind::map: {
      boost::json::object object;
      for (const auto& entry : node.entries()) object[entry.key.text()] = to_json(entry.value);
      return object;
    }
  }
  return nullptr;
}

void read_request_line(MapReader& reader, HttpSpec& http, Problems& problems) {
  static const std::array<std::string, 8> kUrlKeys{"url", "get",   "head",   "post",
                                                   "put", "patch", "delete", "options"};
  const auto found = reader.exactly_one_of(kUrlKeys);
  if (!found) return;
  if (found->key.text() != "url") {
    http.method = found->key.text();
    std::transform(http.method.begin(), http.method.end(), http.method.begin(),
                   [](char c) { return static_cast<char>(c - 'a' + 'A'); });
  }
  if (auto url = found->value.as_string(problems)) {
    check_url(found->value, *url, problems);
    http.url = *std::move(url);
  }
  if (const Node method = reader.optional("method")) {
    if (const auto index = method.as_word(problems, http_methods()))
      http.method = http_methods()[*index];
  }
}

void read_body(MapReader& reader, HttpSpec& http, Problems& problems) {
  const Node body = reader.optional("body");
  const Node json = reader.optional("json");
  if (body && json) problems.error(json.name_place(), "give either 'body' or 'json', not both");
  if (auto text = body.as_string(problems, limits::kHttpRequestBodyBytesMax))
    http.body = *std::move(text);
  if (!json) return;
  http.body = boost::json::serialize(to_json(json));
  if (http.body.size() > limits::kHttpRequestBodyBytesMax)
    problems.error(json.name_place(), "'json' is larger than " +
                                          std::to_string(limits::kHttpRequestBodyBytesMax >> 10) +
                                          " KiB, more cannot be sent");
  const bool has_type =
      std::any_of(http.headers.begin(), http.headers.end(), [](const auto& header) {
        return header.first.size() == 12 &&
               (header.first == "Content-Type" || header.first == "content-type");
      });
  if (!has_type) http.headers.emplace_back("Content-Type", "application/json");
}

void read_statuses(const Node& node, HttpSpec& http, Problems& problems) {
  if (!node) return;
  http.expect_status = node.as_strings(problems);
  check_count(node, http.expect_status.size(), limits::kHttpStatusesMax, problems);
  for (const std::string& status : http.expect_status)
    if (!is_status_pattern(status))
      problems.error(node.place(),
                     "'" + status + "' is not a status; write 200 or a class such as 2xx");
  if (http.expect_status.empty())
    problems.error(node.place(), "no status at all would ever be right; name at least one");
}

std::string read_expect(const Node& node, const cel::Declarations& declarations,
                        const std::optional<cel::Type>& wanted, Problems& problems) {
  if (!node) return "";
  const auto program = compile_node(node, declarations, wanted, problems);
  return program ? program->text() : "";
}

std::optional<KindSpec> read_queue(const Node& node, Problems& problems) {
  static const std::array<std::string, 4> kSources{"redis", "http", "postgres", "rabbitmq"};
  QueueSpec queue;
  MapReader reader(node, "a queue", problems);
  const auto source = reader.exactly_one_of(kSources);
  if (const Node limit = reader.optional("warning")) queue.warning = limit.as_double(problems, 0);
  if (const Node limit = reader.optional("critical")) queue.critical = limit.as_double(problems, 0);
  if (!source) {
    reader.ignore_rest();
    return std::nullopt;
  }
  if (source->key.text() == "redis") {
    queue.source = probe_yaml::read_redis_key(reader, source->value, problems);
  } else if (source->key.text() == "rabbitmq") {
    queue.source = probe_yaml::read_rabbitmq(reader, source->value, problems);
  } else if (source->key.text() == "http") {
    auto http = read_http(source->value, problems);
    QueueSpec::HttpJson json{http ? *std::move(http) : HttpSpec{}, "body"};
    if (const Node length = reader.optional("length"))
      json.length = read_expect(length, http_expect_declarations(), std::nullopt, problems);
    queue.source = std::move(json);
  } else {
    QueueSpec::SqlCount sql{probe_yaml::read_postgres(source->value, problems)};
    if (const Node query = reader.optional("query")) read_text(query, sql.postgres.query, problems);
    if (sql.postgres.query.empty())
      problems.error(source->key.place(),
                     "a queue in PostgreSQL needs a 'query' whose answer is its length");
    queue.source = std::move(sql);
  }
  return queue;
}

void read_confirm(const Node& node, Confirm& confirm, Problems& problems) {
  if (!node) return;
  MapReader reader(node, "'confirm'", problems);
  if (const auto attempts =
          reader.optional("attempts").as_int(problems, 0, limits::kConfirmAttemptsMax))
    confirm.attempts = static_cast<int>(*attempts);
  if (const auto every = reader.optional("every").as_duration(problems, limits::kProbeIntervalMin,
                                                              limits::kProbeIntervalMax))
    confirm.every = *every;
}

}  // namespace

std::span<const std::string> kind_words() {
  static const std::array<std::string, 14> kWords{
      "http", "postgres", "pgbouncer", "redis", "queue",      "tcp",  "dns",
      "icmp", "exec",     "systemd",   "host",  "prometheus", "grpc", "heartbeat"};
  return kWords;
}

cel::Declarations http_expect_declarations() {
  using Kind = cel::Type::Kind;
  return {{{"status", Kind::integer},
           {"body", Kind::dyn},
           {"text", Kind::string},
           {"headers", cel::Type::map(Kind::string)},
           {"latency", Kind::duration}},
          {}};
}

cel::Declarations postgres_expect_declarations() {
  using Kind = cel::Type::Kind;
  return {{{"value", Kind::dyn}, {"rows", Kind::integer}, {"latency", Kind::duration}}, {}};
}

std::optional<cel::Program> compile_node(const Node& node, const cel::Declarations& declarations,
                                         const std::optional<cel::Type>& wanted,
                                         Problems& problems) {
  const auto text = node.as_string(problems, limits::kExprBytesMax);
  if (!text) return std::nullopt;
  auto compiled = cel::compile(*text, declarations, wanted);
  if (auto* program = std::get_if<cel::Program>(&compiled)) return std::move(*program);
  for (const cel::Problem& problem : std::get<std::vector<cel::Problem>>(compiled))
    problems.error(node.place_of_line(problem.line, problem.column, problem.width), problem.message,
                   problem.suggestion);
  return std::nullopt;
}

std::optional<HttpSpec> read_http(const Node& node, Problems& problems) {
  HttpSpec http;
  const std::size_t errors_before = problems.errors();
  if (node.kind() == yaml::Kind::scalar) {
    read_text(node, http.url, problems);
    check_url(node, http.url, problems);
    return problems.errors() == errors_before ? std::optional(http) : std::nullopt;
  }
  MapReader reader(node, "an http request", problems);
  read_request_line(reader, http, problems);
  if (const Node headers = reader.optional("headers")) read_headers(headers, http, problems);
  read_body(reader, http, problems);
  read_statuses(reader.optional("expect_status"), http, problems);
  http.expect = read_expect(reader.optional("expect"), http_expect_declarations(),
                            cel::Type::Kind::boolean, problems);
  read_text(reader.optional("contains"), http.contains, problems);
  if (const auto hops =
          reader.optional("max_redirects").as_int(problems, 0, limits::kHttpRedirectsMax))
    http.max_redirects = static_cast<int>(*hops);
  read_http_access(reader, http, problems);
  reader.finish();
  return problems.errors() == errors_before ? std::optional(http) : std::nullopt;
}

std::optional<KindSpec> read_kind(MapReader& reader, Problems& problems) {
  const auto kind = reader.exactly_one_of(kind_words());
  if (!kind) return std::nullopt;
  const std::size_t errors_before = problems.errors();
  std::optional<KindSpec> spec;
  if (kind->key.text() == "http") {
    if (auto http = read_http(kind->value, problems)) spec = *std::move(http);
  } else if (kind->key.text() == "postgres") {
    spec = probe_yaml::read_postgres(kind->value, problems);
  } else if (kind->key.text() == "pgbouncer") {
    spec = probe_yaml::read_pgbouncer(kind->value, problems);
  } else if (kind->key.text() == "redis") {
    spec = probe_yaml::read_redis(kind->value, problems);
  } else if (kind->key.text() == "tcp") {
    spec = probe_yaml::read_tcp(kind->value, problems);
  } else if (kind->key.text() == "dns") {
    spec = probe_yaml::read_dns(kind->value, problems);
  } else if (kind->key.text() == "icmp") {
    spec = probe_yaml::read_icmp(kind->value, problems);
  } else if (kind->key.text() == "queue") {
    spec = read_queue(kind->value, problems);
  } else if (kind->key.text() == "exec") {
    spec = read_exec(kind->value, problems);
  } else if (kind->key.text() == "systemd") {
    spec = read_systemd(kind->value, problems);
  } else if (kind->key.text() == "host") {
    spec = read_host_spec(kind->value, problems);
  } else if (kind->key.text() == "prometheus") {
    spec = probe_yaml::read_prometheus(kind->value, problems);
  } else if (kind->key.text() == "grpc") {
    spec = probe_yaml::read_grpc(kind->value, problems);
  } else if (kind->key.text() == "heartbeat") {
    spec = read_heartbeat(kind->value, problems);
  }
  return problems.errors() == errors_before ? spec : std::nullopt;
}

std::optional<ProbeSpec> read_probe(MapReader& reader, Problems& problems) {
  ProbeSpec probe;
  auto kind = read_kind(reader, problems);
  const Node every = reader.optional("every");
  const Node timeout = reader.optional("timeout");
  if (const auto value =
          every.as_duration(problems, limits::kProbeIntervalMin, limits::kProbeIntervalMax))
    probe.every = *value;
  if (const auto value =
          timeout.as_duration(problems, std::chrono::milliseconds(10), limits::kProbeTimeoutMax))
    probe.timeout = *value;
  else
    probe.timeout =
        std::min<Duration>(probe.timeout, std::max<Duration>(probe.every, std::chrono::seconds(1)));
  read_confirm(reader.optional("confirm"), probe.confirm, problems);
  if (!kind) {
    probe_yaml::ignore_any_kind(reader);
    return std::nullopt;
  }
  const auto* icmp = std::get_if<IcmpSpec>(&*kind);
  if (icmp != nullptr && icmp_sending_time(*icmp) >= probe.timeout)
    problems.error(reader.node().place(),
                   "sending its packets takes " + format_duration(icmp_sending_time(*icmp)) +
                       ", no less than the timeout of " + format_duration(probe.timeout));
  probe.kind = *std::move(kind);
  probe_yaml::read_any_kind(reader, probe, problems);
  return probe;
}

}  // namespace firebreak
