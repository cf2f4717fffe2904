// How a probe's target is named to people.
#include "common/probe_spec.h"

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
std::string describe(const RedisSpec& redis) {
  return endpoint(redis.host, redis.port);
}
std::string describe(const QueueSpec::RedisList& list) {
  return describe(list.redis) + " " + list.key;
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

struct KindNames {
  const char* operator()(const HttpSpec&) const { return "http"; }
  const char* operator()(const PostgresSpec&) const { return "postgres"; }
  const char* operator()(const RedisSpec&) const { return "redis"; }
  const char* operator()(const QueueSpec&) const { return "queue"; }
};

}  // namespace

const char* kind_name(const KindSpec& kind) {
  return std::visit(KindNames{}, kind);
}

std::string describe_target(const KindSpec& kind) {
  return std::visit([](const auto& spec) { return describe(spec); }, kind);
}

}  // namespace firebreak
