// Redis and RabbitMQ, from YAML.
#include "common/probe_yaml_stores.h"

#include <optional>
#include <string>
#include <utility>

#include "common/limits.h"
#include "common/probe_yaml_fields.h"

namespace firebreak::probe_yaml {
namespace {

using yaml::MapReader;
using yaml::Node;
using yaml::Problems;

// What a server is told the name of.
void read_key(const Node& node, std::string& into, Problems& problems) {
  if (!node) return;
  read_text(node, into, problems);
  if (into.empty()) problems.error(node.place(), "a name that is empty; say which one is meant");
}

}  // namespace

RedisSpec read_redis(const Node& node, Problems& problems) {
  RedisSpec redis;
  if (node.kind() == yaml::Kind::scalar) {
    read_endpoint(node, redis.host, redis.port, problems);
    return redis;
  }
  MapReader reader(node, "a redis target", problems);
  read_host(reader.optional("host"), redis.host, problems);
  read_port(reader.optional("port"), redis.port, problems);
  read_line(reader.optional("username"), redis.username, problems);
  read_line(reader.optional("password_file"), redis.password_file, problems);
  redis.tls = read_tls_wish(reader, problems);
  if (redis.tls && redis.host.starts_with('/'))
    problems.error(node.place(), "there is no TLS on a Unix socket");
  if (const auto index = reader.optional("role").as_word(problems, redis_roles()))
    redis.role = redis_roles()[*index];
  if (const auto wanted = reader.optional("info").as_bool(problems)) redis.info = *wanted;
  return redis;
}

QueueSpec::RedisKey read_redis_key(MapReader& queue, const Node& node, Problems& problems) {
  QueueSpec::RedisKey source;
  source.redis = read_redis(node, problems);
  const auto key = queue.exactly_one_of(redis_key_types());
  const Node group = queue.optional("group");
  const Node score = queue.optional("score");
  read_key(group, source.group, problems);
  if (const auto index = score.as_word(problems, score_units()))
    source.score = score_units()[*index];
  if (!key) return source;
  source.type = key->key.text();
  read_key(key->value, source.key, problems);
  if (group && source.type != "stream")
    problems.error(group.name_place(), "'group' is about a 'stream'");
  if (score && source.type != "zset")
    problems.error(score.name_place(), "'score' is about a 'zset'");
  return source;
}

QueueSpec::RabbitMq read_rabbitmq(MapReader& queue, const Node& node, Problems& problems) {
  constexpr std::uint16_t kTlsPort = 5671;
  QueueSpec::RabbitMq rabbitmq;
  if (node.kind() == yaml::Kind::scalar) {
    read_endpoint(node, rabbitmq.host, rabbitmq.port, problems);
  } else {
    MapReader reader(node, "a rabbitmq target", problems);
    read_host(reader.optional("host"), rabbitmq.host, problems);
    const Node port = reader.optional("port");
    read_port(port, rabbitmq.port, problems);
    read_line(reader.optional("vhost"), rabbitmq.vhost, problems, limits::kAmqpNameBytesMax);
    const Node user = reader.optional("user");
    read_line(user, rabbitmq.user, problems, limits::kAmqpNameBytesMax);
    read_line(reader.optional("password_file"), rabbitmq.password_file, problems);
    if (user && rabbitmq.user != "guest" && rabbitmq.password_file.empty())
      problems.error(user.name_place(), "a user other than guest needs a 'password_file'");
    rabbitmq.tls = read_tls_wish(reader, problems);
    if (rabbitmq.tls && !port) rabbitmq.port = kTlsPort;
  }
  if (rabbitmq.host.starts_with('/'))
    problems.error(node.place(), "RabbitMQ listens on no Unix socket; write host:port");
  const Node name = queue.required("queue");
  read_line(name, rabbitmq.queue, problems, limits::kAmqpNameBytesMax);
  if (name && rabbitmq.queue.empty()) problems.error(name.place(), "name the queue");
  return rabbitmq;
}

}  // namespace firebreak::probe_yaml
