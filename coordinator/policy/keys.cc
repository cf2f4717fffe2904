// The table of a policy's keys. A row: key, type, default, meaning, example. All examples together
// are one policy that works (tests/support/shape_sample.h): their names belong together. After a
// change `scripts/docs` writes the reference anew.
#include "coordinator/policy/keys.h"

#include <chrono>
#include <span>

#include "common/probe_spec.h"
#include "common/probe_yaml.h"

namespace firebreak::policy::shape {
namespace {

using namespace std::chrono_literals;

// NAME of something that another section defines.
Type named(const char* what) {
  return text(what);
}

std::vector<std::string> all(std::span<const std::string> words) {
  return {words.begin(), words.end()};
}

// As monitoring plugins write limits.
Type range() {
  return shown_as("[range](probes.md#ranges)", any_of({such_as("80", number()), text()}));
}

// The most that fits everywhere: a name that is only shown.
constexpr std::size_t kShownBytesMax = 128;

Object policy_file() {
  return {
      "policy",
      "one file of a policy; the sections of all its files are joined",
      {{"incident_id", patterned("format", "^[A-Za-z0-9%_#-]*%[SN][A-Za-z0-9%_#-]*$"),
        "`INC-%Y%m%d-%H%M%S`",
        "how incidents are numbered: a strftime format in UTC, with `%N` for the day's number",
        "INC-%Y%m%d-%N"},
       {"severities", map(severity_name(), object("severity")), "none",
        "names of severities, the most severe first, and their clocks", "P1"},
       {"facts", map(fact_name(), any_of({such_as("0", text("value")), object("fact")})), "none",
        "what no probe sees and a person says; short: its default", "customers"},
       {"receivers", map(name(), object("receiver")), "none", "whom to tell", "ops-chat"},
       {"services", map(name(), object("service")), "none", "what is watched, from where", "shop"},
       {"rules", list(object("rule")), "none", "which condition means which severity", ""},
       {"actions", map(name(), object("action")), "none", "what can be done", "restart-shop"},
       {"playbooks", list(object("playbook")), "none", "what is done, when", ""},
       {"checklists",
        map(named("service"), list(any_of({object("probe-check"), object("signal-check")}))),
        "none", "what proves that an incident is over, per service", "shop"},
       {"groups", map(name(), object("group")), "none", "services that share one incident",
        "front"},
       {"agents", object("agent-watch"), "none", "when a silent agent is a problem", ""},
       {"escalations", map(name(), object("escalation")), "none", "whom to tell next", "default"},
       {"manual_steps", list(object("manual-step")), "none", "what people do",
        R"([{"text": "open the war room", "severity": "P1", "service": "shop", "at": "5m", "required": true}])"},
       {"recommendations", list(object("recommendation")), "none", "what people are advised", ""},
       {"schemes", map(name(), map(named("severity"), severity_name())), "none",
        "what severities are called elsewhere",
        R"({"customer": {"P1": "Critical", "P1_2": "Major"}})"},
       {"maintenance", list(object("maintenance")), "none", "planned work that comes back",
        R"([{"services": "shop", "every": "Sun 02:00-04:00", "time_zone": "UTC", "reason": "weekly vacuum", "name": "vacuum"}])"},
       {"flapping", object("flapping"), "none", "when a service flaps", ""}}};
}

Object severity() {
  return {
      "severity",
      "a severity: its clocks, and who is told",
      {{"acknowledge", duration(1s), "none",
        "an incident that nobody has acknowledged by then is overdue", "5m"},
       {"update", duration(1s), "none", "how often people are reminded to say what is going on",
        "15m"},
       {"resolve", duration(1s), "none", "an incident that is open for longer is overdue", "2h"},
       {"notify", list_or_one(named("receiver")), "none",
        "who is told about incidents of this severity", "ops-chat"},
       {"escalation", named("[escalation](#escalations)"), "none",
        "who is told next, when nobody takes care", "default"},
       {"actions", any_of({such_as("all", text("`all`, `none`")), list(named("action"))}), "`all`",
        "what a playbook may run while an incident has this severity; the others are skipped, with "
        "the reason in the timeline",
        R"(["restart-shop"])"}}};
}

Object fact() {
  return {"fact",
          "a fact: what it is until a person says otherwise",
          {{"default", text("value of the type"), "required",
            "what it is until a person says otherwise", "0"},
           {"type", words({"bool", "int", "double", "string"}), "that of `default`",
            "what its values are", "int"},
           {"description", text(), "empty", "shown to people", "customers affected"}}};
}

std::vector<Object> receivers() {
  return {
      {"receiver",
       "whom to tell, and how",
       {{"slack", object("slack"), "none",
         "an incoming webhook of Slack, or of what understands the same", ""},
        {"webhook", object("webhook"), "none", "a POST of JSON", ""},
        {"scheme", named("[scheme](#schemes)"), "the policy's own names",
         "by which `severity` and title name severities; a text that quotes the timeline has the "
         "policy's",
         "customer"}},
       {{{"slack", "webhook"}}}},
      {"slack",
       "an incoming webhook; its URL is a secret",
       {{"url_file", text("file"), "this or `url`",
         "on the coordinator's host, holds the URL; `credential:NAME` is a systemd credential",
         "credential:slack.url"},
        {"url", url(), "this or `url_file`", "the URL itself", "https://chat.example.com/hook"}},
       {{{"url_file", "url"}}},
       {},
       {},
       true},
      {"webhook",
       "a POST of JSON",
       {{"url", url(), "required", "where to", "https://pager.example.com/firebreak"},
        {"secret_file", text("file"), "none",
         "on the coordinator's host, holds the key that the body is signed with",
         "credential:pager.key"},
        {"headers", shown_as("map of text", map(text("name"), text())), "none", "sent with it",
         R"({"X-Team": "shop"})"}},
       {},
       {},
       {},
       true}};
}

Object service() {
  return {"service",
          "a service: its probes, and who runs them",
          {{"probes", shown_as("map of [probes](#probes)", map(name(), object("probe"))),
            "required", "the questions that are asked of it", "health"},
           {"agents", expression("`name`, `labels`"), "selects nothing, with a warning",
            "who probes it", "labels.role == 'edge'"},
           {"depends_on",
            shown_as("list (or one) of services and `{any_of: [SERVICE, ...]}`",
                     list_or_one(any_of({named("service"), object("dependency")}))),
            "none",
            "what it needs: of an `any_of`, that one of them works. Circles are refused. While "
            "what it needs is down it has [no incident of its "
            "own](incidents.md#one-outage-one-incident)",
            "database"},
           {"escalation",
            shown_as("[escalation](#escalations), or a map severity: escalation; `none` is none",
                     any_of({such_as("default", text()), map(named("severity"), text())})),
            "the severity's", "who is told next", R"({"P1": "default"})"},
           {"description", text(), "empty", "shown to people", "what customers see"}}};
}

std::vector<std::string> probe_or_kind() {
  std::vector<std::string> words = all(kind_words());
  words.insert(words.begin(), "probe");
  return words;
}

// The kinds, of a probe and of a check's own one.
std::vector<Key> kinds() {
  return {
      {"http", any_of({url(), object("http", "[map](probes.md#http)")}), "one kind",
       "asks over HTTP", "https://shop.example.com/health"},
      {"postgres", any_of({text("`host:port`"), object("postgres", "[map](probes.md#postgres)")}),
       "one kind", "asks a PostgreSQL server", "db:5432"},
      {"pgbouncer",
       any_of({text("`host:port`"), object("pgbouncer", "[map](probes.md#pgbouncer)")}), "one kind",
       "asks a pgbouncer for its pools", "db:6432"},
      {"redis", any_of({text("`host:port`"), object("redis", "[map](probes.md#redis)")}),
       "one kind", "asks a Redis server", "cache:6379"},
      {"queue", object("queue", "[map](probes.md#queue)"), "one kind", "the length of a queue", ""},
      {"tcp", any_of({text("`host:port`"), object("tcp", "[map](probes.md#tcp)")}), "one kind",
       "connects, with TLS and a dialogue if wanted", "mail:25"},
      {"dns", any_of({text("name"), object("dns", "[map](probes.md#dns)")}), "one kind",
       "asks a DNS server", "www.example.com"},
      {"icmp", any_of({text("host"), object("icmp", "[map](probes.md#icmp)")}), "one kind", "pings",
       "gateway"},
      {"exec", any_of({name(), object("exec", "[map](probes.md#exec)")}), "one kind",
       "runs a check of the agent's host", "disk"},
      {"systemd", any_of({text("unit"), object("systemd", "[map](probes.md#systemd)")}), "one kind",
       "a unit of the agent's host", "nginx.service"},
      {"host", object("host", "[map](probes.md#host)"), "one kind", "the agent's host itself", ""},
      {"prometheus", object("prometheus", "[map](probes.md#prometheus)"), "one kind",
       "a PromQL query, or a metric of a page", ""},
      {"grpc", any_of({text("`host:port`"), object("grpc", "[map](probes.md#grpc)")}), "one kind",
       "asks a gRPC server for its health", "cart:50051"},
      {"heartbeat", object("heartbeat", "[map](probes.md#heartbeat)"), "one kind",
       "a job of the agent's host that reports by itself", ""}};
}

std::vector<Object> probes() {
  std::vector<Key> keys = kinds();
  keys.insert(
      keys.end(),
      {{"every", duration(limits::kProbeIntervalMin, limits::kProbeIntervalMax), "10s", "interval",
        "5s"},
       {"timeout", duration(10ms, limits::kProbeTimeoutMax),
        "5s, or `every` when that is shorter, but at least 1s",
        "over all phases, name look-up included", "2s"},
       {"confirm", object("confirm"), "see there",
        "fast probes before a change of verdict is believed", ""},
       {"need", whole(1, 1000), "more than half of them",
        "how many vantage points must fail for the probe to fail; at most as many as there are",
        "1"},
       {"limits", shown_as("[map value: limit](probes.md#limits)", map(name(), object("limit"))),
        "none", "on any value that the kind yields, and on `latency`",
        R"({"latency": {"warning": 0.5, "critical": "2"}})"},
       {"invert", boolean(), "false", "what fails is good", "true"},
       {"family", words(all(address_families())), "`any`",
        "which addresses of a name are tried, and in which order", "ipv6"},
       {"source", text("address"), "any", "of the agent's host, to ask from", "192.0.2.7"}});
  return {{"probe",
           "a probe: one question to one target, asked again and again",
           std::move(keys),
           {{all(kind_words())}}},
          {"limit",
           "ranges of a value, as monitoring plugins write them",
           {{"warning|critical", range(), "none",
             "a value that it alerts for is a warning, is critical", "7:"}}},
          {"confirm",
           "fast probes before a change of verdict is believed",
           {{"attempts", whole(0, limits::kConfirmAttemptsMax), "2",
             "further probes before a change of verdict is believed; 0 believes the first", "2"},
            {"every", duration(limits::kProbeIntervalMin, limits::kProbeIntervalMax), "200ms",
             "between them", "200ms"}},
           {},
           {},
           {},
           true}};
}

// What an http probe and an http action both know.
std::vector<Key> request() {
  return {
      {"url", url(), "this, or one of the methods", "`http` or `https`, no user or password in it",
       "https://shop.example.com/test"},
      {"get|head|post|put|patch|delete|options", url(), "none", "the URL, asked with this method",
       "https://shop.example.com/test"},
      {"method", words(all(http_methods())), "`GET`", "beside `url`", "POST"},
      {"headers", shown_as("map of text", map(text("name"), text())), "none",
       "`Host`, `User-Agent`, `Accept` may be replaced; `Content-Length`, `Transfer-Encoding`, "
       "`Connection` are "
       "our own",
       R"({"Accept": "application/json"})"},
      {"body", text("text", limits::kHttpRequestBodyBytesMax), "empty", "sent as it is", "ping"},
      {"json", anything("YAML"), "none", "sent as JSON, with its `Content-Type`; instead of `body`",
       R"({"test": true})"},
      {"expect_status",
       list_or_one(shown_as("status", any_of({such_as("200", whole(100, 599)),
                                              patterned("class", "^[1-5](xx|[0-9][0-9])$")}))),
       "`2xx`", "`200`, or a class as `2xx`", "2xx"},
      {"bearer_token_file", text("secret file"), "none", "what it holds is the bearer token",
       "/etc/firebreak/secrets/api"}};
}

std::vector<Choice> request_choices() {
  return {{{"url", "get", "head", "post", "put", "patch", "delete", "options"}},
          {{"body", "json"}, false}};
}

using Needs = std::vector<std::pair<std::string, std::string>>;

Needs client_certificate() {
  return {{"tls_certificate_file", "tls_key_file"}, {"tls_key_file", "tls_certificate_file"}};
}

// What is wanted of TLS where there is some.
void add_tls(std::vector<Key>& keys, const char* usual_name) {
  const Key tls[] = {
      {"tls_verify", boolean(), "true", "whether the server's certificate must be good", "true"},
      {"tls_ca_file", text("file"), "the system's", "whose certificates are trusted",
       "/etc/firebreak/ca.crt"},
      {"tls_server_name", text("name", limits::kHostBytesMax), usual_name,
       "for SNI and for the certificate", "shop.example.com"},
      {"tls_certificate_file", text("file"), "none", "what we show of ourselves",
       "/etc/firebreak/client.crt"},
      {"tls_key_file", text("secret file"), "none", "its private key",
       "/etc/firebreak/secrets/client.key"}};
  keys.insert(keys.end(), std::begin(tls), std::end(tls));
}

Object http() {
  std::vector<Key> keys = request();
  keys.insert(
      keys.end(),
      {{"expect", expression("`status`, `body`, `text`, `headers`, `latency`"), "none",
        "must be true", "body.success == true"},
       {"contains", text(), "none", "must be in the body", "ready"},
       {"header_files", shown_as("map of secret files", map(text("name"), text("secret file"))),
        "none", "headers whose values these hold, such as an API key",
        R"({"X-Api-Key": "/etc/firebreak/secrets/api"})"},
       {"basic_user", text(), "none", "the user of basic authentication", "firebreak"},
       {"basic_password_file", text("secret file"), "none", "holds its password",
        "/etc/firebreak/secrets/basic"},
       {"max_redirects", whole(0, limits::kHttpRedirectsMax), "0",
        "a redirect is not followed from https to http, nor to a link-local or metadata address; "
        "credentials stay "
        "with their origin",
        "0"},
       {"unix_socket", text("path", limits::kUnixPathBytesMax), "none",
        "asked instead of the URL's host and port; a redirect to another host is not followed",
        "/run/shop.sock"}});
  add_tls(keys, "the URL's host");
  return {"http", "a request, and what its answer must be", std::move(keys), request_choices(),
          client_certificate()};
}

// Where a server is that libpq asks, and as whom.
std::vector<Key> session_keys(const std::string& kind, const std::string& port,
                              const std::string& purpose) {
  return {{"host", text("name, address, or folder of Unix sockets", limits::kHostBytesMax),
           "`localhost`", "short: `" + kind + ": host:port`", "db"},
          {"port", whole(1, 65535), port, "where it listens", port},
          {"user", text(), "`firebreak`", "as whom", "firebreak"},
          {"password_file", text("secret file"), "none", "holds the password",
           "/etc/firebreak/secrets/postgres"},
          {"sslmode", shown_as("as libpq", words(all(postgres_sslmodes()))), "`prefer`",
           purpose + "`verify-ca` and `verify-full` verify the server's certificate", "prefer"},
          {"tls_ca_file", text("file"), "the system's", "whose certificates are trusted",
           "/etc/firebreak/ca.crt"},
          {"tls_certificate_file", text("file"), "none", "what we show of ourselves",
           "/etc/firebreak/client.crt"},
          {"tls_key_file", text("secret file"), "none", "its private key",
           "/etc/firebreak/secrets/client.key"}};
}

Object postgres() {
  std::vector<Key> keys = session_keys("postgres", "5432", "when we log in; ");
  const Key own[] = {
      {"database", text(), "`postgres`", "which one is asked", "shop"},
      {"query", text("one statement"), "none",
       "in a read-only transaction, with the probe's deadline as its `statement_timeout`; at most "
       "1 MiB of answer",
       "SELECT count(*) FROM orders"},
      {"expect", expression("`value` (first column of the first row), `rows`, `latency`"), "none",
       "must be true; with a `query`", "value >= 1"},
      {"role", words(all(postgres_roles())), "any", "what it must be", "standby"},
      {"info", boolean(), "false", "whether it yields values about itself, as with a `role`",
       "true"}};
  keys.insert(keys.end(), std::begin(own), std::end(own));
  return {"postgres",
          "a PostgreSQL server; without `query`, `role` and `info` it asks what `pg_isready` asks",
          std::move(keys),
          {},
          {{"expect", "query"},
           {"tls_certificate_file", "tls_key_file"},
           {"tls_key_file", "tls_certificate_file"}}};
}

Object pgbouncer() {
  std::vector<Key> keys = session_keys("pgbouncer", "6432", "");
  keys.push_back({"pool", text("name"), "all", "the database whose pool is looked at", "shop"});
  return {"pgbouncer",
          "a pgbouncer, asked for its pools",
          std::move(keys),
          {},
          {{"tls_certificate_file", "tls_key_file"}, {"tls_key_file", "tls_certificate_file"}}};
}

// Of a server that may be asked through TLS, behind its other keys.
std::vector<Key> with_tls(std::vector<Key> keys) {
  keys.push_back({"tls", boolean(), "false", "whether TLS begins with the first byte", "true"});
  add_tls(keys, "`host`");
  return keys;
}

Needs tls_needs() {
  Needs needs = client_certificate();
  for (const char* key :
       {"tls_verify", "tls_ca_file", "tls_server_name", "tls_certificate_file", "tls_key_file"})
    needs.emplace_back(key, "tls");
  return needs;
}

Object redis() {
  return {"redis",
          "a Redis server, asked with PING",
          with_tls({{"host", text("name, address, or path of a Unix socket", limits::kHostBytesMax),
                     "`localhost`", "short: `redis: host:port`", "cache"},
                    {"port", whole(1, 65535), "6379", "where it listens", "6379"},
                    {"username", text(), "the default user", "ACL user", "firebreak"},
                    {"password_file", text("secret file"), "none", "holds the password",
                     "/etc/firebreak/secrets/redis"},
                    {"role", words(all(redis_roles())), "any", "what it must be", "replica"},
                    {"info", boolean(), "false",
                     "whether it yields the values of `INFO`, as with a `role`", "true"}}),
          {},
          tls_needs()};
}

Object rabbitmq() {
  return {
      "rabbitmq",
      "a RabbitMQ server, asked over AMQP 0-9-1",
      with_tls({{"host", text("name or address", limits::kHostBytesMax), "`localhost`",
                 "short: `rabbitmq: host:port`", "mq"},
                {"port", whole(1, 65535), "5672, with `tls` 5671", "where it listens", "5672"},
                {"vhost", text("name", limits::kAmqpNameBytesMax), "`/`", "its virtual host", "/"},
                {"user", text("name", limits::kAmqpNameBytesMax), "`guest`",
                 "as whom; another one needs a password", "guest"},
                {"password_file", text("secret file"), "`guest`", "holds the password",
                 "/etc/firebreak/secrets/rabbitmq"}}),
      {},
      tls_needs()};
}

Object queue() {
  return {"queue",
          "the length of a queue, and limits on it",
          {{"redis", any_of({text("`host:port`"), object("redis", "[map](#redis)")}),
            "one of the four", "where it is: under a key of Redis", "cache:6379"},
           {"http", any_of({url(), object("http", "[map](#http)")}), "one of the four",
            "where it is: in a JSON answer", "https://mail.example.com/queue"},
           {"postgres", any_of({text("`host:port`"), object("postgres", "[map](#postgres)")}),
            "one of the four", "where it is: in a table", "db:5432"},
           {"rabbitmq", any_of({text("`host:port`"), object("rabbitmq", "[map](#rabbitmq)")}),
            "one of the four", "where it is: in RabbitMQ", "mq:5672"},
           {"list|stream|zset|set", text("key"), "with `redis`, one of the four",
            "its key; `LLEN`, `XLEN`, `ZCARD`, `SCARD`", "orders"},
           {"group", text("name"), "none",
            "of a `stream`: the length is what this consumer group has not finished", "billing"},
           {"score", words(all(score_units())), "no time",
            "of a `zset`: its scores are times, in this unit since 1970", "seconds"},
           {"length", expression("`body` and what else an answer has"), "`body`",
            "with `http`: its answer is the length", "body.waiting"},
           {"query", text("one statement"), "required with `postgres`, here or inside",
            "with `postgres`: its answer is the length", "SELECT count(*) FROM jobs"},
           {"queue", text("name", limits::kAmqpNameBytesMax), "required with `rabbitmq`",
            "with `rabbitmq`: its name", "orders"},
           {"warning|critical", number(0), "none",
            "a length *above* this is a warning, is critical", "100"}},
          {{{"redis", "http", "postgres", "rabbitmq"}},
           {{"list", "stream", "zset", "set"}, true, "redis"}},
          {{"list", "redis"},
           {"stream", "redis"},
           {"zset", "redis"},
           {"set", "redis"},
           {"group", "stream"},
           {"score", "zset"},
           {"length", "http"},
           {"query", "postgres"},
           {"queue", "rabbitmq"},
           {"rabbitmq", "queue"}}};
}

std::vector<Object> tcp() {
  std::vector<Key> keys = {
      {"host", text("name or address", limits::kHostBytesMax), "required",
       "short: `tcp: host:port`", "mail"},
      {"port", whole(1, 65535), "required", "where it listens", "25"},
      {"dialogue", list_or_one(object("tcp-step")), "none",
       "what is said, step by step; at most 16 of them", ""},
      {"tls", boolean(), "false", "whether TLS begins with the first byte", "true"},
      {"starttls", words(all(starttls_protocols())), "none",
       "TLS begins after this protocol's own words", "smtp"},
      {"certificate_warning_days|certificate_critical_days", number(0), "none",
       "fewer days left to any certificate of the chain are a warning, are critical", "14"}};
  add_tls(keys, "`host`");
  return {
      {"tcp",
       "a connection, and what is said on it",
       std::move(keys),
       {{{"tls", "starttls"}, false}},
       client_certificate()},
      {"tcp-step",
       "a step of a dialogue",
       {{"send", text(), "nothing", "sent as it is: write a line's end, `\"PING\\r\\n\"`", "PING"},
        {"expect", text(), "nothing",
         "text that must come after what the step before has found, whatever is around it",
         "+PONG"}}}};
}

std::vector<Object> dns() {
  return {{"dns",
           "a question to a DNS server, and what its answer must be",
           {{"name", text("name", limits::kDnsNameBytesMax), "required",
             "short: `dns: name`; it is taken as it is, without search domains; for `PTR` an "
             "address, too",
             "www.example.com"},
            {"type", words(all(dns_types())), "`A`", "which records", "A"},
            {"server", text("`host` or `host:port`"), "the first of the host's own that answers",
             "who is asked", "ns.example.com:53"},
            {"rcode", words(all(dns_rcodes())), "`NOERROR`", "what it must be", "NOERROR"},
            {"answers", list_or_one(text("record")), "none",
             "must all be there, as zone files have them: `10 mail.example.com`; at most 64",
             "192.0.2.1"},
            {"exact", boolean(), "false", "whether there must be no others", "true"}},
           {},
           {{"exact", "answers"}}}};
}

std::vector<Object> icmp() {
  const Type percent = [] {
    Type type = number(0);
    type.max = 100;
    return type;
  }();
  return {{"icmp",
           "a ping",
           {{"host", text("name or address", limits::kHostBytesMax), "required",
             "short: `icmp: host`", "gateway"},
            {"packets", whole(1, limits::kIcmpPacketsMax), "3", "how many", "3"},
            {"interval", duration(limits::kIcmpIntervalMin, limits::kIcmpIntervalMax), "200ms",
             "between two of them; all must be sent before the timeout", "200ms"},
            {"bytes", whole(limits::kIcmpBytesMin, limits::kIcmpBytesMax), "56",
             "of each, without headers", "56"},
            {"loss_warning|loss_critical", percent, "none",
             "percent: *more* lost is a warning, is critical", "30"},
            {"rtt_warning|rtt_critical", duration({}, limits::kProbeTimeoutMax), "none",
             "a *longer* mean round trip is a warning, is critical", "100ms"}}}};
}

Object exec() {
  return {"exec",
          "a check of the agent's host: a program that its owner allows",
          {{"check", name(), "required", "its name in the host's `checks_dir`", "disk"},
           {"parameters", shown_as("map of text", map(name(), text())), "none",
            "those that the host's file declares, each of them", R"({"path": "/var"})"}}};
}

Object systemd() {
  return {"systemd",
          "a unit of systemd on the agent's host",
          {{"unit", text("unit"), "required", "its full name, `nginx.service`", "nginx.service"},
           {"states", list_or_one(words(all(unit_states()))), "`active`", "those that are good",
            "active"},
           {"sub_states", list_or_one(name()), "any", "likewise, such as `running`", "running"},
           {"warning|critical", range(), "none", "on the times that it was restarted", "3"}}};
}

Object host() {
  const Type limits = shown_as("map value: range", map(words(all(host_values())), range()));
  return {
      "host",
      "the agent's own host, and limits on its values",
      {{"disks", list_or_one(text("path")), "`/`", "paths on the file systems to look at", "/var"},
       {"warning", limits, "none", "a value outside its range is a warning",
        R"({"disk_used": "80"})"},
       {"critical", limits, "none", "a value outside its range is critical",
        R"({"disk_used": "95", "memory_available": "268435456:"})"}}};
}

Object prometheus() {
  std::vector<Key> keys = {
      {"url", url(), "this or `scrape`", "of the server, with its path prefix if it has one",
       "http://prometheus:9090"},
      {"query", text("PromQL"), "required with `url`", "an instant query, asked by POST",
       "sum(rate(http_requests_total{code=\"500\"}[5m]))"},
      {"scrape", url(), "this or `url`", "of a page in the text format of Prometheus",
       "http://shop:8080/metrics"},
      {"metric", text("`name{label=\"value\", ...}`"), "required with `scrape`",
       "the sum of its samples; labels are compared with `=` and `!=`",
       "jobs_failed_total{queue=\"mail\"}"},
      {"warning|critical", range(), "none", "on each series, on the sum", "0.5"},
      {"empty", words(all(empty_answers())), "`critical`",
       "what it means that there is no series, no sample, or none with a number", "ok"}};
  const Object request = http();
  for (const char* shared : {"headers", "header_files", "bearer_token_file", "basic_user",
                             "basic_password_file", "unix_socket", "tls_verify", "tls_ca_file",
                             "tls_server_name", "tls_certificate_file", "tls_key_file"})
    keys.push_back(*request.find(shared));
  return {"prometheus",
          "numbers of Prometheus, or of what it would scrape",
          std::move(keys),
          {{{"url", "scrape"}}},
          {{"query", "url"},
           {"url", "query"},
           {"metric", "scrape"},
           {"scrape", "metric"},
           {"tls_certificate_file", "tls_key_file"},
           {"tls_key_file", "tls_certificate_file"}}};
}

Object grpc() {
  return {"grpc",
          "a gRPC server, asked for its health",
          with_tls({{"host", text("name or address", limits::kHostBytesMax), "required",
                     "short: `grpc: host:port`", "cart"},
                    {"port", whole(1, 65535), "required", "where it listens", "50051"},
                    {"service", text("text", limits::kGrpcServiceBytesMax), "the whole server",
                     "whose health is asked for, as the server names it", "shop.Cart"},
                    {"authority", text("text", limits::kHostBytesMax), "`host:port`",
                     "the name that is asked for, where one address serves several",
                     "cart.example.com"}}),
          {},
          tls_needs()};
}

Object heartbeat() {
  return {
      "heartbeat",
      "a job of the agent's host that reports by itself",
      {{"name", name(), "required", "what the job calls itself when it reports", "nightly-backup"},
       {"within", duration(limits::kHeartbeatWithinMin, limits::kHeartbeatWithinMax), "required",
        "a last report that is *older* is critical, and so is a run that takes longer", "26h"}}};
}

Object rule() {
  return {
      "rule",
      "which conditions mean which severity of a service",
      {{"service", named("service"), "required",
        "whose probes the signals mean, whose severity is set", "shop"},
       {"severity", map(named("severity"), expression("the signals")), "required",
        "the most severe level whose condition is true is the rule's severity",
        R"json({"P1": "!available('health')"})json"},
       {"for", duration({}, 24h), "0s", "a level must be true for so long before it counts", "2m"},
       {"keep_for", duration({}, 24h), "0s",
        "a lower severity, or none, must last for so long before it counts", "1m"},
       {"samples", whole(1, 1'000'000), "none",
        "a level is undecided with fewer results of a probe that it reads, in the signal's window; "
        "of a signal without one in the rule's longest, or in `for`",
        "1"},
       {"no_data",
        any_of({words({"unknown", "alert", "ok"}), object("no-data", "`{alert: SEVERITY}`")}),
        "`unknown`",
        "what it means that the rule is [undecided](expressions.md#three-answers), see below",
        "unknown"},
       {"name", text("text", kShownBytesMax), "`SERVICE/NUMBER`", "shown to people",
        "shop is down"}}};
}

Object no_data() {
  return {"no-data",
          "the severity of missing data",
          {{"alert", named("severity"), "required", "what missing data means", "P1"}},
          {},
          {},
          {},
          true};
}

std::vector<Object> actions() {
  return {
      {"action",
       "what can be done",
       {{"host", any_of({name(), object("host-action")}), "this or `http`",
         "an entry of the host's own [`/etc/firebreak/actions.d`](actions.md)", "restart-shop"},
        {"http", any_of({url(), object("http-action")}), "this or `host`",
         "a request that the coordinator sends, once", "https://scaler.example.com/shop"},
        {"timeout", duration(1s, limits::kActionTimeoutMax), "60s",
         "then it is ended and has failed", "60s"},
        {"cooldown", duration(), "10m",
         "not again before, per action and target, whatever the incident", "10m"},
        {"verify", list_or_one(named("probe")), "none",
         "of the incident's service; probed at once when the action has ended", "health"}},
       {{{"host", "http"}}}},
      {"host-action",
       "an entry of the host's actions file, with parameters",
       {{"entry", name(), "required", "the host's entry", "restart-shop"},
        {"on", expression("`name`, `labels`"), "the agents whose probes of the service fail now",
         "on which hosts", "labels.role == 'edge'"},
        {"parameters",
         shown_as("map of text, at most 256 bytes each",
                  map(text("name"), text("text", limits::kActionParameterBytesMax))),
         "none", "what the host's entry asks for", R"({"unit": "shop"})"}}},
      {"http-action",
       "a request that the coordinator sends, written as in an http probe",
       request(),
       request_choices(),
       {},
       {"expect", "contains", "header_files", "basic_user", "basic_password_file", "max_redirects",
        "unix_socket", "tls_verify", "tls_ca_file", "tls_server_name", "tls_certificate_file",
        "tls_key_file"}}};
}

std::vector<Object> playbooks() {
  return {{"playbook",
           "what is done, step by step, while an incident has not recovered; one per service and "
           "severity",
           {{"on", object("playbook-on"), "required", "when", ""},
            {"mode", words({"observe", "advise", "enforce"}), "`enforce`",
             "record what would be done; also tell people; do it", "enforce"},
            {"stages", shown_as("list of stages", list(object("stage"))), "required",
             "in order of time; each only while it has not recovered", ""},
            {"guard", object("guard"), "none", "what holds it back", ""},
            {"on_symptom", boolean(), "false",
             "also when something that the service depends on is down: it has an incident of its "
             "own then, on which this runs",
             "false"},
            {"name", text("text", kShownBytesMax), "`SERVICE/SEVERITY`", "shown to people",
             "shop is restarted"}}},
          {"playbook-on",
           "which incidents a playbook is for",
           {{"service", named("service"), "required", "of this service", "shop"},
            {"severity", named("severity"), "any", "of this severity", "P1"}},
           {},
           {},
           {},
           true},
          {"stage",
           "what a playbook does at a time",
           {{"at", duration(), "0s", "so long after the incident reached the severity", "5m"},
            {"do", list_or_one(named("action")), "required", "what is done", "restart-shop"}},
           {},
           {},
           {},
           true},
          {"guard",
           "what holds a playbook back",
           {{"cooldown", duration(), "none", "replaces the actions' own when it is longer", "30m"}},
           {},
           {},
           {},
           true}};
}

// Who is affected together, and who is told.
std::vector<Object> scope() {
  return {{"dependency",
           "a redundancy group",
           {{"any_of", list_or_one(named("service")), "required", "down only when all of them are",
             "database"}},
           {},
           {},
           {},
           true},
          {"group",
           "services that share one incident",
           {{"services", list(named("service")), "required", "a service is in one group at most",
             R"(["database"])"}}},
          {"agent-watch",
           "when an agent is silent",
           {{"silent_after", duration(limits::kSilentAfterMin, 24h), "required",
             "an agent that was attached and has not been for so long is silent", "2m"},
            {"severity", named("severity"), "required", "of the incident of all that are", "P1"},
            {"notify", list_or_one(named("receiver")), "none",
             "who is told, beside those of the severity", "ops-chat"}}},
          {"escalation",
           "who is told next while nobody takes care of an incident",
           {{"tiers", shown_as("list of 1 to 20, in order of time", list(object("tier"))),
             "required", "who is told at which time", ""},
            {"repeat", duration(limits::kEscalationRepeatMin), "none",
             "so long after the last tier all begin again from the first one, until somebody "
             "acknowledges",
             "30m"}}},
          {"tier",
           "who is told at a time",
           {{"notify", list_or_one(named("receiver")), "required", "who is told", "ops-chat"},
            {"after", duration(), "0s",
             "since the incident reached its severity; with `unless: updated` since the last note "
             "or acknowledgement, when that is later",
             "5m"},
            {"unless", words({"acknowledged", "updated", "never"}), "`acknowledged`",
             "what keeps the tier from being told", "acknowledged"}},
           {},
           {},
           {},
           true}};
}

// What people do, and what they plan.
std::vector<Object> people() {
  return {
      {"manual-step",
       "what no software does and somebody must",
       {{"text", text("text", limits::kManualStepBytesMax), "required", "what is to be done",
         "open the war room"},
        {"severity", list_or_one(named("severity")), "every one",
         "incidents that reach one of them", "P1"},
        {"service", named("service"), "every one", "incidents of this service", "shop"},
        {"at", duration(), "0s", "so long after the incident reached the severity", "5m"},
        {"required", boolean(), "false",
         "the engine does not resolve the incident while the step is due and not done", "true"}}},
      {"recommendation",
       "what is advised while a condition is true",
       {{"service", named("service"), "required",
         "whose open incident, and whose probes the signals mean", "shop"},
        {"when", expression("facts and signals"), "required",
         "looked at when the incident is, when a fact in it changes, and every 10 s while a rule "
         "holds",
         "!available('health')"},
        {"say", text("text", limits::kManualStepBytesMax), "required", "what people read",
         "roll back"}}},
      {"maintenance",
       "a window that comes back every week",
       {{"services", list_or_one(named("service")), "required", "whose", "shop"},
        {"every", text("days and a time", limits::kLabelBytesMax), "required",
         "`Sun 02:00-04:00`; days are `Mon`, `Mon-Fri`, `Sat,Sun` or `day` (each); an end that is "
         "not after the beginning is on the next day; `24:00` is a day's end",
         "Sun 02:00-04:00"},
        {"time_zone",
         text("name of the tz database, `UTC`, or an offset as `+02:00`", limits::kLabelBytesMax),
         "`UTC`",
         "names need the package `tzdata` on the coordinator's host and wherever the policy is "
         "checked",
         "UTC"},
        {"reason", text(), "required", "on the timeline of what it touches", "weekly vacuum"},
        {"name", name(), "`maintenance/NUMBER`", "its id in `firebreak maintenance list`",
         "vacuum"}}},
      {"flapping",
       "when a service flaps",
       {{"changes", whole(2, limits::kFlapChangesMax), "6",
         "a service whose severity has changed so often …", "6"},
        {"within", duration(1s, limits::kFlapWithinMax), "30m", "… within that time flaps …",
         "30m"},
        {"calm", duration(1s, limits::kFlapWithinMax), "10m",
         "… until it has not changed for so long", "10m"}}}};
}

std::vector<Object> checks() {
  std::vector<Key> keys = kinds();
  keys.insert(keys.begin(),
              {"probe", named("probe"), "this or a kind", "a probe of the service", "health"});
  keys.insert(
      keys.end(),
      {{"attempts", whole(1, 1000), "1", "at most so many runs", "5"},
       {"passes", whole(1, 1000), "1",
        "so many good ones in a row; raises `attempts` if that is not given", "3"},
       {"every", duration(), "5s", "between two runs", "5s"},
       {"from", words({"one", "all"}), "`all` for `probe`, `one` for a kind of its own",
        "by one agent of the service, another one each time, or by all that are attached: then a "
        "run is good when "
        "all of them say so",
        "all"},
       {"timeout", duration(10ms, limits::kProbeTimeoutMax), "the probe's; 5s", "of one run", "2s"},
       {"expect", expression("the result"), "the status must be `ok`",
        "what makes a run good; a critical one never is unless the expression reads `status`",
        "latency < 500ms"},
       {"name", text("text", kShownBytesMax), "what it runs", "shown to people",
        "the shop answers"}});
  return {{"probe-check",
           "a check that runs a probe until it is good",
           std::move(keys),
           {{probe_or_kind()}}},
          {"signal-check",
           "a check of what the probes say over time",
           {{"expect", expression("the signals"), "required", "must be true",
             "error_rate('health', 5m) < 0.001"},
            {"hold", duration({}, 24h), "0s", "for so long without a break", "5m"},
            {"samples", whole(0, 1'000'000), "0",
             "results of each probe that it reads, while it held", "30"},
            {"within", duration(), "twice `hold` and 1m",
             "gives up then: failed when it was false at the end, otherwise inconclusive; not "
             "below `hold`",
             "15m"},
            {"name", text("text", kShownBytesMax), "the expression", "shown to people",
             "no errors for five minutes"}}}};
}

}  // namespace

const File& policy_keys() {
  static const File kFile = [] {
    File file{"firebreak policy",
              "coordinator/policy/keys.cc",
              {policy_file(), severity(), fact(), service(), http(), postgres(), pgbouncer(),
               redis(), rabbitmq(), queue(), exec(), systemd(), host(), prometheus(), grpc(),
               heartbeat(), rule(), no_data()}};
    for (auto&& group : {receivers(), probes(), tcp(), dns(), icmp(), actions(), playbooks(),
                         checks(), scope(), people()})
      file.objects.insert(file.objects.end(), group.begin(), group.end());
    return file;
  }();
  return kFile;
}

}  // namespace firebreak::policy::shape
