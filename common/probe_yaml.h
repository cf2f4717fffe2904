// Reads a probe's definition from YAML: the same keys in a policy, in a checklist and on the
// command line.
//
//   {http: https://api/health, every: 5s, timeout: 2s, confirm: {attempts: 2, every: 200ms}}
//   {http: {post: https://api/test, json: {test: true}, expect: body.success == true}}
//   {postgres: db:5432}   {pgbouncer: {host: db, pool: shop}}
//   {redis: {host: cache, password_file: /etc/firebreak/secrets/redis}}
//   {queue: {redis: cache:6379, list: emergency, critical: 10}}
//   {tcp: {host: mail, port: 25, starttls: smtp, certificate_warning_days: 14}}
//   {dns: {name: example.com, type: MX, answers: 10 mail.example.com}}
//   {icmp: {host: gateway, packets: 5, loss_critical: 50}}
#pragma once

#include <optional>
#include <span>
#include <string>

#include "common/cel/program.h"
#include "common/probe_spec.h"
#include "common/yaml.h"

namespace firebreak {

// What an `expect` of a probe may name; compiled where the policy is read and again where the probe
// runs.
[[nodiscard]] cel::Declarations http_expect_declarations();  // status, body, text, headers, latency
[[nodiscard]] cel::Declarations postgres_expect_declarations();  // value, rows, latency

// Compiles the text of a node; problems are placed inside it.
std::optional<cel::Program> compile_node(const yaml::Node& node,
                                         const cel::Declarations& declarations,
                                         const std::optional<cel::Type>& wanted,
                                         yaml::Problems& problems);

// The keys that say what kind a probe is.
[[nodiscard]] std::span<const std::string> kind_words();
// The kind, from exactly one of these keys of `reader`.
std::optional<KindSpec> read_kind(yaml::MapReader& reader, yaml::Problems& problems);
// read_kind and the keys that every kind has: every, timeout, confirm.
std::optional<ProbeSpec> read_probe(yaml::MapReader& reader, yaml::Problems& problems);
// Request: url (or get, post, put, ...: URL), method, headers, body | json, expect_status,
// bearer_token_file ...
std::optional<HttpSpec> read_http(const yaml::Node& node, yaml::Problems& problems);

}  // namespace firebreak
