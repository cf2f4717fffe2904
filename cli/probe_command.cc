// probe: one shot at a target from this host, with the output and exit codes of a monitoring
// plugin.
//
// https://www.monitoring-plugins.org/doc/guidelines.html
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <thread>

#include "cli/agent_socket.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "common/limits.h"
#include "common/probe_yaml.h"
#include "common/text.h"
#include "common/yaml.h"
#include "probes/checks.h"
#include "probes/heartbeat_report.h"
#include "probes/run.h"

namespace firebreak::cli {
namespace {

// The flags become the keys that a policy has, so that there is one reader and one set of messages.
struct Flags {
  std::string target;
  boost::json::object keys;     // of the kind
  boost::json::object outside;  // of the probe
  bool verbose = false;
  std::string watch;         // once unless it says how often
  std::optional<int> times;  // so often at most; without a limit when watching
};

void add_text(CLI::App& command, const std::shared_ptr<Flags>& flags, const std::string& flag,
              const std::string& key, const char* about) {
  command.add_option_function<std::string>(
      flag, [flags, key](const std::string& text) { flags->keys[key] = text; }, about);
}

void add_number(CLI::App& command, const std::shared_ptr<Flags>& flags, const std::string& flag,
                const std::string& key, const char* about) {
  command.add_option_function<double>(
      flag, [flags, key](double number) { flags->keys[key] = number; }, about);
}

struct Kind {
  CLI::App* command = nullptr;
  std::shared_ptr<Flags> flags = std::make_shared<Flags>();
};

// NAME=RANGE, again and again.
void add_limits(const Kind& kind, const char* flag, const char* severity) {
  kind.command->add_option_function<std::vector<std::string>>(
      flag,
      [flags = kind.flags, flag, severity](const std::vector<std::string>& texts) {
        for (const std::string& text : texts) {
          const std::size_t equals = text.find('=');
          if (equals == std::string::npos)
            throw CLI::ValidationError(flag, "write it as VALUE=RANGE, such as latency=0.5");
          boost::json::value& limits = flags->outside["limits"];
          if (!limits.is_object()) limits = boost::json::object();
          boost::json::value& limit = limits.as_object()[text.substr(0, equals)];
          if (!limit.is_object()) limit = boost::json::object();
          limit.as_object()[severity] = text.substr(equals + 1);
        }
      },
      "VALUE=RANGE of a value that the kind yields, or of latency; may be repeated");
}

Kind add_kind(CLI::App& group, const char* name, const char* target, const char* about) {
  Kind kind{group.add_subcommand(name, about)};
  const auto flags = kind.flags;
  if (target != nullptr) kind.command->add_option(target, flags->target)->required();
  kind.command->add_option_function<std::string>(
      "--timeout", [flags](const std::string& text) { flags->outside["timeout"] = text; },
      "over everything, name look-up included (default 5s)");
  kind.command->add_flag("-v,--verbose", flags->verbose, "say what it does, on standard error");
  kind.command->add_option("--watch", flags->watch, "again and again, so far apart: 1s");
  kind.command->add_option("--times", flags->times, "with --watch: end after so many")
      ->check(CLI::PositiveNumber);
  add_limits(kind, "--limit-warning", "warning");
  add_limits(kind, "--limit-critical", "critical");
  kind.command->add_flag_callback(
      "--invert", [flags] { flags->outside["invert"] = true; }, "what fails is good");
  return kind;
}

Kind add_network_kind(CLI::App& group, const char* name, const char* target, const char* about) {
  Kind kind = add_kind(group, name, target, about);
  const auto add = [&](const char* flag, const char* key, const char* meaning) {
    kind.command->add_option_function<std::string>(
        flag, [flags = kind.flags, key](const std::string& text) { flags->outside[key] = text; },
        meaning);
  };
  add("--family", "family", "any, ipv4, ipv6, prefer-ipv4 or prefer-ipv6");
  add("--source", "source", "an address of this host to ask from");
  return kind;
}

// host:port into the keys host and port, as the readers of a map want them.
void split_endpoint(boost::json::object& keys, const std::string& target) {
  const std::size_t colon = target.rfind(':');
  const bool is_path = !target.empty() && target.front() == '/';
  if (is_path || colon == std::string::npos || target.find(']', colon) != std::string::npos) {
    keys["host"] = target;
    return;
  }
  std::string host = target.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  keys["host"] = host;
  const std::string port = target.substr(colon + 1);
  if (!port.empty() && port.size() <= 5 &&
      port.find_first_not_of("0123456789") == std::string::npos)
    keys["port"] = std::stoi(port);
  else
    keys["port"] = port;  // for the reader to refuse
}

std::optional<ProbeSpec> spec_of(const boost::json::object& definition, Context& context) {
  yaml::Problems problems;
  const auto document = yaml::parse("command line", boost::json::serialize(definition), problems);
  std::optional<ProbeSpec> spec;
  if (document) {
    yaml::MapReader reader(document->root(), "the probe", problems);
    spec = read_probe(reader, problems);
  }
  if (problems.ok() && spec) return spec;
  std::cerr << problems.render();
  context.exit_code = static_cast<int>(Status::unknown);
  return std::nullopt;
}

Observation run_once(const ProbeSpec& spec, bool verbose, const ProberOptions& options) {
  boost::asio::io_context io;
  Prober prober(io, options);
  Observation result;
  ProbeTrace trace;
  if (verbose)
    trace = [](Phase phase, std::string_view text) {
      std::cerr << to_string(phase) << ": " << escape_line(text) << "\n";
    };
  prober.start(
      spec, [&result](Observation observation) { result = std::move(observation); }, trace);
  io.run();
  return result;
}

std::string number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.10g", value);
  return text;
}

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

void print_json(const ProbeSpec& spec, const Observation& seen) {
  boost::json::object out;
  out["status"] = to_string(seen.status);
  out["reason"] = to_string(seen.reason);
  out["phase"] = to_string(seen.phase);
  out["kind"] = kind_name(spec.kind);
  out["target"] = describe_target(spec.kind);
  out["latency_seconds"] = seconds(seen.latency);
  boost::json::object phases;
  for (const PhaseTiming& timing : seen.phases)
    phases[to_string(timing.phase)] = seconds(timing.took);
  out["phase_seconds"] = std::move(phases);
  boost::json::object values;
  for (const NamedValue& value : seen.values) values[value.name] = value.value;
  out["values"] = std::move(values);
  out["evidence"] = seen.evidence;
  std::cout << boost::json::serialize(out) << "\n";
}

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

std::string limit_of(const std::map<std::string, Range>& limits, const std::string& value) {
  const auto found = limits.find(value.substr(0, value.find('.')));
  return found == limits.end() ? "" : to_string(found->second);
}

// ";80;90" behind a value that the probe has limits on.
std::string limits_of(const ProbeSpec& spec, const std::string& value) {
  const KindSpec& kind = spec.kind;
  std::string limits = ";";
  if (const auto found = spec.limits.find(value); found != spec.limits.end()) {
    if (found->second.warning) limits += to_string(*found->second.warning);
    limits += ";";
    if (found->second.critical) limits += to_string(*found->second.critical);
    return limits;
  }
  if (const auto* queue = std::get_if<QueueSpec>(&kind); queue != nullptr && value == "length") {
    if (queue->warning) limits += number(*queue->warning);
    limits += ";";
    if (queue->critical) limits += number(*queue->critical);
    return limits + ";0";
  }
  if (const auto* source = std::get_if<PrometheusSpec>(&kind);
      source != nullptr && value == "value" && (source->warning || source->critical)) {
    if (source->warning) limits += to_string(*source->warning);
    limits += ";";
    if (source->critical) limits += to_string(*source->critical);
    return limits;
  }
  const auto* host = std::get_if<HostSpec>(&kind);
  if (host == nullptr) return "";
  limits.append(limit_of(host->warning, value)).append(";").append(limit_of(host->critical, value));
  return limits == ";;" ? "" : limits;
}

std::string latency_limits(const ProbeSpec& spec) {
  const std::string limits = limits_of(spec, std::string(kLatencyValue));
  return limits.empty() ? ";;" : limits;
}

// "HTTP CRITICAL - http://api/health: status: 503 Service Unavailable, 12 ms |'latency'=0.012s;;;0"
void print_plugin_line(const ProbeSpec& spec, const Observation& seen) {
  std::string detail = seen.status == Status::ok ? "" : std::string(to_string(seen.reason));
  if (!seen.evidence.empty())
    detail += (detail.empty() ? "" : ": ") + escape_line(seen.evidence, 200);
  for (char& c : detail)
    if (c == '|') c = '/';  // would begin the performance data
  std::cout << upper(kind_name(spec.kind)) << " "
            << paint(status_paint(to_string(seen.status)), upper(to_string(seen.status))) << " - "
            << escape_line(describe_target(spec.kind)) << (detail.empty() ? "" : ": ") << detail
            << ", " << humanize_duration(seen.latency)
            << " |'latency'=" << number(seconds(seen.latency)) << "s" << latency_limits(spec)
            << ";0";
  for (const NamedValue& value : seen.values)
    std::cout << " '" << escape_line(value.name) << "'=" << number(value.value)
              << limits_of(spec, value.name);
  std::cout << "\n";
}

// Nothing: once.
std::optional<Duration> interval_of(const Flags& flags) {
  if (flags.watch.empty()) {
    if (flags.times) throw CLI::ValidationError("--times", "needs --watch");
    return std::nullopt;
  }
  const auto every = parse_duration(flags.watch);
  if (!every || *every < limits::kProbeIntervalMin)
    throw CLI::ValidationError("--watch", "write a duration of " +
                                              format_duration(limits::kProbeIntervalMin) +
                                              " or more, such as 1s");
  return *every;
}

void probe(Context& context, const Flags& flags, const char* kind, boost::json::value target,
           const ProberOptions& options = {}) {
  boost::json::object definition = flags.outside;
  definition[kind] = std::move(target);
  const auto spec = spec_of(definition, context);
  if (!spec) return;
  const std::optional<Duration> every = interval_of(flags);
  for (int left = every ? flags.times.value_or(0) : 1;;) {
    const auto begun = std::chrono::steady_clock::now();
    const Observation seen = run_once(*spec, flags.verbose, options);
    if (context.output == Output::json)
      print_json(*spec, seen);
    else
      print_plugin_line(*spec, seen);
    std::cout.flush();
    context.exit_code = static_cast<int>(seen.status);
    if (--left == 0 || !std::cout) return;
    if (left < 0) left = 0;
    std::this_thread::sleep_until(begun + *every);
  }
}

boost::json::object header_map(const std::vector<std::string>& headers) {
  boost::json::object map;
  for (const std::string& header : headers) {
    const std::size_t colon = header.find(':');
    if (colon == std::string::npos)
      throw CLI::ValidationError("--header", "write it as 'Name: value'");
    const std::size_t value = header.find_first_not_of(' ', colon + 1);
    map[header.substr(0, colon)] = value == std::string::npos ? "" : header.substr(value);
  }
  return map;
}

// Whose certificates are trusted, and our own.
void add_certificate_flags(const Kind& kind) {
  CLI::App& command = *kind.command;
  const auto flags = kind.flags;
  add_text(command, flags, "--tls-ca-file,--ca-file", "tls_ca_file",
           "instead of the system's authorities");
  add_text(command, flags, "--tls-certificate-file,--certificate-file", "tls_certificate_file",
           "what to show of oneself");
  add_text(command, flags, "--tls-key-file,--key-file", "tls_key_file", "its private key");
}

void add_tls_flags(const Kind& kind) {
  const auto flags = kind.flags;
  add_text(*kind.command, flags, "--tls-server-name,--server-name", "tls_server_name",
           "name to verify and to send as SNI");
  kind.command->add_flag_callback(
      "--no-tls-verify,--no-verify", [flags] { flags->keys["tls_verify"] = false; },
      "take any certificate");
  add_certificate_flags(kind);
}

// What every HTTP request may have.
void add_access_flags(const Kind& kind) {
  CLI::App& command = *kind.command;
  const auto flags = kind.flags;
  command.add_option_function<std::vector<std::string>>(
      "--header",
      [flags](const std::vector<std::string>& headers) {
        flags->keys["headers"] = header_map(headers);
      },
      "'Name: value'; may be repeated");
  command.add_option_function<std::vector<std::string>>(
      "--header-file",
      [flags](const std::vector<std::string>& headers) {
        flags->keys["header_files"] = header_map(headers);
      },
      "'Name: FILE' with the header's value; may be repeated");
  add_text(command, flags, "--bearer-token-file", "bearer_token_file", "a file with the token");
  add_text(command, flags, "--basic-user", "basic_user", "for Basic authentication");
  add_text(command, flags, "--basic-password-file", "basic_password_file", "its password's file");
  add_text(command, flags, "--unix-socket", "unix_socket", "instead of the URL's host and port");
  add_tls_flags(kind);
}

void add_http_flags(const Kind& kind) {
  CLI::App& command = *kind.command;
  const auto flags = kind.flags;
  add_text(command, flags, "--method", "method", "GET unless said otherwise");
  add_text(command, flags, "--body", "body", "what to send");
  add_text(command, flags, "--contains", "contains", "text that the answer must hold");
  add_text(command, flags, "--expect", "expect",
           "CEL over status, body, text, headers, latency: body.success == true");
  command.add_option_function<std::vector<std::string>>(
      "--expect-status",
      [flags](const std::vector<std::string>& statuses) {
        flags->keys["expect_status"] = boost::json::array(statuses.begin(), statuses.end());
      },
      "such as 200 or 2xx (the default); may be repeated");
  add_access_flags(kind);
  command.add_option_function<int>(
      "--max-redirects", [flags](int hops) { flags->keys["max_redirects"] = hops; },
      "follow at most so many (default 0)");
}

// Of what libpq asks.
void add_session_flags(const Kind& kind) {
  add_text(*kind.command, kind.flags, "--user", "user", "default firebreak");
  add_text(*kind.command, kind.flags, "--password-file", "password_file",
           "a file with the password");
  add_text(*kind.command, kind.flags, "--sslmode", "sslmode", "as libpq has it, default prefer");
  add_certificate_flags(kind);
}

void add_postgres_flags(const Kind& kind) {
  add_text(*kind.command, kind.flags, "--database", "database", "default postgres");
  add_session_flags(kind);
  add_text(*kind.command, kind.flags, "--role", "role", "that it must have: primary or standby");
  kind.command->add_flag_callback(
      "--info", [flags = kind.flags] { flags->keys["info"] = true; },
      "yield values about the server; a standby must have its primary");
}

// Of kinds that may be asked with or without.
void add_tls_client_flags(const Kind& kind) {
  kind.command->add_flag_callback(
      "--tls", [flags = kind.flags] { flags->keys["tls"] = true; }, "TLS from the first byte");
  add_tls_flags(kind);
}

void add_redis_flags(const Kind& kind) {
  add_text(*kind.command, kind.flags, "--username", "username", "ACL user");
  add_text(*kind.command, kind.flags, "--password-file", "password_file",
           "a file with the password");
  add_tls_client_flags(kind);
}

void add_queue_limits(const Kind& kind) {
  add_number(*kind.command, kind.flags, "--warning", "warning", "longer than this is a warning");
  add_number(*kind.command, kind.flags, "--critical", "critical", "longer than this is critical");
}

// The queue's own keys lie beside its source's.
boost::json::object queue_of(const Flags& flags, const char* source,
                             const std::vector<std::string>& own) {
  boost::json::object queue;
  boost::json::object target = flags.keys;
  for (const std::string& key : own)
    if (const auto* value = target.if_contains(key)) {
      queue[key] = *value;
      target.erase(key);
    }
  queue[source] = std::move(target);
  return queue;
}

void add_servers(CLI::App& group, Context& context) {
  const Kind http = add_network_kind(group, "http", "URL", "an HTTP or HTTPS request");
  add_http_flags(http);
  http.command->callback([&context, flags = http.flags] {
    flags->keys["url"] = flags->target;
    probe(context, *flags, "http", flags->keys);
  });

  const Kind postgres =
      add_network_kind(group, "postgres", "HOST[:PORT]",
                       "whether PostgreSQL accepts connections, or a query's answer");
  add_postgres_flags(postgres);
  add_text(*postgres.command, postgres.flags, "--query", "query",
           "one statement; needs a user who may log in");
  add_text(*postgres.command, postgres.flags, "--expect", "expect",
           "CEL over value, rows, latency");
  postgres.command->callback([&context, flags = postgres.flags] {
    split_endpoint(flags->keys, flags->target);
    probe(context, *flags, "postgres", flags->keys);
  });

  const Kind pgbouncer =
      add_network_kind(group, "pgbouncer", "HOST[:PORT]", "the pools of a pgbouncer");
  add_session_flags(pgbouncer);
  add_text(*pgbouncer.command, pgbouncer.flags, "--pool", "pool",
           "the database whose pool is meant");
  pgbouncer.command->callback([&context, flags = pgbouncer.flags] {
    split_endpoint(flags->keys, flags->target);
    probe(context, *flags, "pgbouncer", flags->keys);
  });

  const Kind redis = add_network_kind(group, "redis", "HOST[:PORT]", "PING, AUTH, role and INFO");
  add_redis_flags(redis);
  add_text(*redis.command, redis.flags, "--role", "role", "that it must have: master or replica");
  redis.command->add_flag_callback(
      "--info", [flags = redis.flags] { flags->keys["info"] = true; },
      "yield values of INFO; a replica must have its master");
  redis.command->callback([&context, flags = redis.flags] {
    split_endpoint(flags->keys, flags->target);
    probe(context, *flags, "redis", flags->keys);
  });
}

void add_queues(CLI::App& group, Context& context) {
  auto* queue = group.add_subcommand("queue", "how long a queue is");
  queue->require_subcommand(1);

  const Kind redis =
      add_network_kind(*queue, "redis", "HOST[:PORT]", "a list, stream, zset or set");
  add_text(*redis.command, redis.flags, "--list", "list", "its key");
  add_text(*redis.command, redis.flags, "--stream", "stream", "its key");
  add_text(*redis.command, redis.flags, "--zset", "zset", "its key");
  add_text(*redis.command, redis.flags, "--set", "set", "its key");
  add_text(*redis.command, redis.flags, "--group", "group",
           "of a stream: what it has not finished");
  add_text(*redis.command, redis.flags, "--score", "score",
           "of a zset: seconds or milliseconds since 1970");
  add_redis_flags(redis);
  add_queue_limits(redis);
  redis.command->callback([&context, flags = redis.flags] {
    split_endpoint(flags->keys, flags->target);
    probe(context, *flags, "queue",
          queue_of(*flags, "redis",
                   {"list", "stream", "zset", "set", "group", "score", "warning", "critical"}));
  });

  const Kind rabbitmq =
      add_network_kind(*queue, "rabbitmq", "HOST[:PORT]", "a queue, over AMQP 0-9-1");
  add_text(*rabbitmq.command, rabbitmq.flags, "--queue", "queue", "its name");
  add_text(*rabbitmq.command, rabbitmq.flags, "--vhost", "vhost", "default /");
  add_text(*rabbitmq.command, rabbitmq.flags, "--user", "user", "default guest");
  add_text(*rabbitmq.command, rabbitmq.flags, "--password-file", "password_file",
           "a file with the password");
  add_tls_client_flags(rabbitmq);
  add_queue_limits(rabbitmq);
  rabbitmq.command->callback([&context, flags = rabbitmq.flags] {
    split_endpoint(flags->keys, flags->target);
    probe(context, *flags, "queue", queue_of(*flags, "rabbitmq", {"queue", "warning", "critical"}));
  });

  const Kind http = add_network_kind(*queue, "http", "URL", "a number in a JSON answer");
  add_http_flags(http);
  add_text(*http.command, http.flags, "--length", "length", "CEL over body: body.messages");
  add_queue_limits(http);
  http.command->callback([&context, flags = http.flags] {
    flags->keys["url"] = flags->target;
    probe(context, *flags, "queue", queue_of(*flags, "http", {"length", "warning", "critical"}));
  });

  const Kind sql = add_network_kind(*queue, "postgres", "HOST[:PORT]", "a count from a query");
  add_postgres_flags(sql);
  add_text(*sql.command, sql.flags, "--query", "query", "SELECT count(*) FROM ...");
  add_queue_limits(sql);
  sql.command->callback([&context, flags = sql.flags] {
    split_endpoint(flags->keys, flags->target);
    probe(context, *flags, "queue", queue_of(*flags, "postgres", {"query", "warning", "critical"}));
  });
}

// Sends and expectations in the order of the command line: a send begins a step.
void add_dialogue_flags(const Kind& kind) {
  const auto flags = kind.flags;
  const auto add = [flags](const char* key, const std::string& text) {
    if (!flags->keys.contains("dialogue")) flags->keys["dialogue"] = boost::json::array();
    boost::json::array& steps = flags->keys["dialogue"].as_array();
    const bool follows = !steps.empty() && key == std::string_view("expect") &&
                         !steps.back().as_object().contains("expect");
    if (!follows) steps.emplace_back(boost::json::object());
    steps.back().as_object()[key] = text;
  };
  kind.command
      ->add_option_function<std::string>(
          "--send", [add](const std::string& text) { add("send", text); },
          "as it is: the shell writes a line's end as $'QUIT\r\n'; may be repeated")
      ->trigger_on_parse();
  kind.command
      ->add_option_function<std::string>(
          "--expect", [add](const std::string& text) { add("expect", text); },
          "text that must come next; may be repeated")
      ->trigger_on_parse();
}

void add_tcp(CLI::App& group, Context& context) {
  const Kind tcp = add_network_kind(group, "tcp", "HOST:PORT", "a connection, TLS, a dialogue");
  add_dialogue_flags(tcp);
  const auto flags = tcp.flags;
  add_text(*tcp.command, flags, "--starttls", "starttls", "smtp, imap or postgres");
  add_tls_client_flags(tcp);
  add_number(*tcp.command, flags, "--certificate-warning-days", "certificate_warning_days",
             "fewer left to a certificate of the chain is a warning");
  add_number(*tcp.command, flags, "--certificate-critical-days", "certificate_critical_days",
             "fewer left to a certificate of the chain is critical");
  tcp.command->callback([&context, flags] {
    split_endpoint(flags->keys, flags->target);
    probe(context, *flags, "tcp", flags->keys);
  });
}

void add_dns(CLI::App& group, Context& context) {
  const Kind dns = add_network_kind(group, "dns", "NAME", "a question to a DNS server");
  const auto flags = dns.flags;
  add_text(*dns.command, flags, "--type", "type",
           "A (the default), AAAA, CNAME, MX, NS, PTR, SOA, SRV or TXT");
  add_text(*dns.command, flags, "--server", "server", "HOST[:PORT]; default this host's own");
  add_text(*dns.command, flags, "--rcode", "rcode", "what it must be, default NOERROR");
  dns.command->add_option_function<std::vector<std::string>>(
      "--answers",
      [flags](const std::vector<std::string>& answers) {
        flags->keys["answers"] = boost::json::array(answers.begin(), answers.end());
      },
      "must be among the answers; may be repeated");
  dns.command->add_flag_callback(
      "--exact", [flags] { flags->keys["exact"] = true; }, "and there must be no others");
  dns.command->callback([&context, flags] {
    flags->keys["name"] = flags->target;
    probe(context, *flags, "dns", flags->keys);
  });
}

void add_icmp(CLI::App& group, Context& context) {
  const Kind icmp = add_network_kind(group, "icmp", "HOST", "ping, without privileges");
  const auto flags = icmp.flags;
  const auto add_whole = [&](const char* flag, const char* key, const char* about) {
    icmp.command->add_option_function<std::int64_t>(
        flag, [flags, key](std::int64_t number) { flags->keys[key] = number; }, about);
  };
  add_whole("--packets", "packets", "how many, default 3");
  add_text(*icmp.command, flags, "--interval", "interval", "between two of them, default 200ms");
  add_whole("--bytes", "bytes", "of each, without headers, default 56");
  add_number(*icmp.command, flags, "--loss-warning", "loss_warning",
             "percent; more lost is a warning");
  add_number(*icmp.command, flags, "--loss-critical", "loss_critical",
             "percent; more lost is critical");
  add_text(*icmp.command, flags, "--rtt-warning", "rtt_warning",
           "a longer mean round trip is a warning");
  add_text(*icmp.command, flags, "--rtt-critical", "rtt_critical",
           "a longer mean round trip is critical");
  icmp.command->callback([&context, flags] {
    flags->keys["host"] = flags->target;
    probe(context, *flags, "icmp", flags->keys);
  });
}

// NAME=TEXT, several times, as a map.
void add_map(CLI::App& command, const std::shared_ptr<Flags>& flags, const std::string& flag,
             const std::string& key, const char* about) {
  command.add_option_function<std::vector<std::string>>(
      flag,
      [flags, flag, key](const std::vector<std::string>& pairs) {
        boost::json::object map;
        for (const std::string& pair : pairs) {
          const std::size_t equals = pair.find('=');
          if (equals == std::string::npos)
            throw CLI::ValidationError(flag, "write it as NAME=VALUE");
          map[pair.substr(0, equals)] = pair.substr(equals + 1);
        }
        flags->keys[key] = std::move(map);
      },
      about);
}

void add_list(CLI::App& command, const std::shared_ptr<Flags>& flags, const std::string& flag,
              const std::string& key, const char* about) {
  command.add_option_function<std::vector<std::string>>(
      flag,
      [flags, key](const std::vector<std::string>& items) {
        flags->keys[key] = boost::json::array(items.begin(), items.end());
      },
      about);
}

// Whoever runs it may run what their own files say.
std::optional<ProberOptions> checks_of(const std::string& folder, Context& context) {
  yaml::Problems problems;
  auto checks = probes::open_checks(folder, ::geteuid(), problems);
  if (problems.errors() + problems.warnings() != 0) std::cerr << problems.render();
  if (!checks) std::cerr << "error: " << checks.error().message << "\n";
  if (!checks || !problems.ok()) {
    context.exit_code = static_cast<int>(Status::unknown);
    return std::nullopt;
  }
  ProberOptions options;
  options.checks = *std::move(checks);
  return options;
}

void add_exec(CLI::App& group, Context& context) {
  const Kind exec = add_kind(group, "exec", "CHECK", "a check that this host allows: a plugin");
  const auto folder = std::make_shared<std::string>("/etc/firebreak/checks.d");
  exec.command->add_option("--checks-dir", *folder, "where checks are defined")
      ->capture_default_str();
  add_map(*exec.command, exec.flags, "--parameters", "parameters", "NAME=VALUE; may be repeated");
  exec.command->callback([&context, folder, flags = exec.flags] {
    flags->keys["check"] = flags->target;
    if (const auto options = checks_of(*folder, context))
      probe(context, *flags, "exec", flags->keys, *options);
  });
}

void add_host(CLI::App& group, Context& context) {
  const Kind host =
      add_kind(group, "host", nullptr, "processors, memory, load, disks of this host");
  add_list(*host.command, host.flags, "--disks", "disks", "paths to look at (default /)");
  add_map(*host.command, host.flags, "--warning", "warning", "VALUE=RANGE, as disk_used=80");
  add_map(*host.command, host.flags, "--critical", "critical", "VALUE=RANGE, as load1=:8");
  host.command->callback(
      [&context, flags = host.flags] { probe(context, *flags, "host", flags->keys); });
}

void add_systemd(CLI::App& group, Context& context) {
  const Kind systemd = add_kind(group, "systemd", "UNIT", "whether a unit of this host is active");
  add_list(*systemd.command, systemd.flags, "--states", "states", "that are good (default active)");
  add_list(*systemd.command, systemd.flags, "--sub-states", "sub_states", "likewise (default any)");
  add_text(*systemd.command, systemd.flags, "--warning", "warning", "a range of its restarts");
  add_text(*systemd.command, systemd.flags, "--critical", "critical", "likewise");
  systemd.command->callback([&context, flags = systemd.flags] {
    flags->keys["unit"] = flags->target;
    probe(context, *flags, "systemd", flags->keys);
  });
}

void add_prometheus(CLI::App& group, Context& context) {
  const Kind prometheus = add_network_kind(group, "prometheus", "URL",
                                           "a PromQL query's answer, or a metric of a page");
  const auto flags = prometheus.flags;
  CLI::Option* const metric = prometheus.command->add_option_function<std::string>(
      "--metric", [flags](const std::string& text) { flags->keys["metric"] = text; },
      "name{label=\"value\"} on the page that URL is");
  prometheus.command
      ->add_option_function<std::string>(
          "--query", [flags](const std::string& text) { flags->keys["query"] = text; },
          "PromQL for the server that URL is")
      ->excludes(metric);
  add_text(*prometheus.command, flags, "--warning", "warning", "a range of the value");
  add_text(*prometheus.command, flags, "--critical", "critical", "likewise");
  add_text(*prometheus.command, flags, "--empty", "empty",
           "what finding nothing means: critical (the default), ok or unknown");
  add_access_flags(prometheus);
  prometheus.command->callback([&context, flags] {
    flags->keys[flags->keys.contains("metric") ? "scrape" : "url"] = flags->target;
    probe(context, *flags, "prometheus", flags->keys);
  });
}

void add_grpc(CLI::App& group, Context& context) {
  const Kind grpc = add_network_kind(group, "grpc", "HOST:PORT", "the health of a gRPC server");
  const auto flags = grpc.flags;
  add_text(*grpc.command, flags, "--service", "service", "default the whole server");
  add_text(*grpc.command, flags, "--authority", "authority", "default HOST:PORT");
  add_tls_client_flags(grpc);
  grpc.command->callback([&context, flags] {
    split_endpoint(flags->keys, flags->target);
    probe(context, *flags, "grpc", flags->keys);
  });
}

// What this host's agent knows of the name; whoever may report it may ask.
Result<probes::Heartbeat> ask_for_heartbeat(const std::string& socket, const std::string& name) {
  const auto answer =
      ask_agent(socket, "GET", "/v1/heartbeat/" + name, "", std::chrono::seconds(5));
  if (!answer) return answer.error();
  if (answer->status != 200) return make_error(Errc::not_found, answer->body);
  return probes::heartbeat_from_json(answer->body);
}

void add_heartbeat(CLI::App& group, Context& context) {
  const Kind beat =
      add_kind(group, "heartbeat", "NAME", "what the agent of this host knows of a job");
  const auto socket = std::make_shared<std::string>(probes::kHeartbeatSocket);
  beat.command
      ->add_option_function<std::string>(
          "--within",
          [flags = beat.flags](const std::string& text) { flags->keys["within"] = text; },
          "an older report is late, as 26h")
      ->required();
  beat.command->add_option("--socket", *socket, "where the agent listens")->capture_default_str();
  beat.command->callback([&context, socket, flags = beat.flags] {
    flags->keys["name"] = flags->target;
    ProberOptions options;
    options.heartbeats = [socket](const std::string& name) {
      return ask_for_heartbeat(*socket, name);
    };
    probe(context, *flags, "heartbeat", flags->keys, options);
  });
}

struct Example {
  const char* command;  // below `probe`
  const char* lines;    // each "arguments", one a line
};

constexpr std::array<Example, 17> kExamples{{
    {"http",
     "https://shop.example.com/health --expect-status 2xx --limit-warning latency=0.5\n"
     "https://api.example.com/test --method POST --body '{}' --expect 'body.ok == true'"},
    {"postgres",
     "db:5432\ndb --user shop --query 'SELECT count(*) FROM jobs' --expect 'value < 100'\n"
     "db-2 --role standby --limit-critical replication_lag=60"},
    {"pgbouncer", "db --pool shop --limit-warning maxwait=1"},
    {"redis", "cache:6379\ncache --role replica --limit-critical replication_lag=10"},
    {"tcp",
     "mail:25 --starttls smtp --certificate-warning-days 21\n"
     "cache:6379 --send $'PING\\r\\n' --expect +PONG\n"
     "db:5432 --invert"},
    {"dns", "www.example.com --type AAAA --server ns.example.com"},
    {"icmp", "gateway --packets 5 --loss-critical 50"},
    {"exec", "disk --parameters path=/var"},
    {"systemd", "nginx.service"},
    {"host", "--disks /var --critical disk_used=95"},
    {"prometheus",
     "http://prometheus:9090 --query 'up == 0' --empty ok\n"
     "http://app:8080/metrics --metric 'http_errors_total{code=\"500\"}'"},
    {"grpc", "api:50051 --service shop.v1.Shop --tls"},
    {"heartbeat", "nightly-backup --within 26h --limit-warning age=90000"},
    {"queue redis", "cache --list jobs --critical 100\ncache --stream orders --group mailer"},
    {"queue rabbitmq", "mq --queue jobs --warning 100"},
    {"queue http", "https://mail.example.com/queue --length body.waiting --critical 100"},
    {"queue postgres", "db --query 'SELECT count(*) FROM jobs' --critical 100"},
}};

void add_examples(CLI::App& group) {
  for (const Example& example : kExamples) {
    CLI::App* command = &group;
    std::istringstream names(example.command);
    for (std::string name; names >> name;) command = command->get_subcommand(name);
    std::string text = "Examples:";
    std::istringstream lines(example.lines);
    for (std::string line; std::getline(lines, line);)
      text.append("\n  firebreak probe ").append(example.command).append(" ").append(line);
    command->footer(text + "\n\nExit codes: 0 ok, 1 warning, 2 critical, 3 unknown.");
  }
}

}  // namespace

void add_probe_command(CLI::App& app, Context& context) {
  auto* group = app.add_subcommand(
      "probe", "look at a target once from here; exits 0 ok, 1 warning, 2 critical, 3 unknown");
  group->require_subcommand(1);
  add_servers(*group, context);
  add_queues(*group, context);
  add_tcp(*group, context);
  add_dns(*group, context);
  add_icmp(*group, context);
  add_exec(*group, context);
  add_systemd(*group, context);
  add_host(*group, context);
  add_prometheus(*group, context);
  add_grpc(*group, context);
  add_heartbeat(*group, context);
  add_examples(*group);
}

}  // namespace firebreak::cli
