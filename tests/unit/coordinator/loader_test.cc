// A right policy becomes typed values; every kind of wrong one is refused with its own message and
// place.
#include "coordinator/policy/loader.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "tests/support/files.h"
#include "tests/support/temp_dir.h"

namespace firebreak::policy {
namespace {

using namespace std::chrono_literals;

constexpr const char* kTyreHero = R"(
severities:
  P1: {acknowledge: 5m, update: 15m, resolve: 2h, notify: ops}
  P2: {acknowledge: 15m, update: 30m}
  P3: {}
facts:
  customers: 0
  security_breach: false
receivers:
  ops: {slack: {url: "http://127.0.0.1:1/hook"}}
services:
  database:
    agents: labels.role == "db"
    probes:
      ready: {postgres: "db:5433", every: 5s}
  emergency-api:
    agents: labels.role == "edge"
    depends_on: database
    probes:
      health: {http: "https://api.example.com/health", every: 5s, timeout: 2s, confirm: {attempts: 1, every: 200ms}}
      queue: {queue: {redis: "cache:6379", list: emergency}, every: 10s, need: 1}
rules:
  - service: emergency-api
    severity:
      P1: "!available('health') || facts.customers > 1000 || facts.security_breach || value('queue') > 10"
      P2: "facts.customers > 100 || value('queue') > 5"
  - service: emergency-api
    severity: {P1: "p95('health', 1m) > 500ms"}
    for: 2m
actions:
  restart-api: {host: {entry: restart-web, on: 'labels.role == "edge"'}, cooldown: 5m, verify: health}
  warm: {http: {post: "https://api.example.com/warm", json: {all: true, count: 3, note: "5"}}}
playbooks:
  - on: {service: emergency-api, severity: P1}
    stages:
      - {at: 0m, do: [restart-api]}
      - {at: 5m, do: warm}
    guard: {cooldown: 10m}
checklists:
  emergency-api:
    - {probe: health, attempts: 5, every: 30s, expect: "latency < 1s"}
    - {http: {post: "https://api.example.com/test", json: {test: true}}, expect: body.success == true}
    - {expect: "error_rate('health', 5m) < 0.001", hold: 5m, samples: 30}
)";

Loaded load(std::string text) {
  return load_policy({{"policy.yaml", std::move(text)}});
}

TEST(LoadPolicy, ReadsAWholePlaybook) {
  const Loaded loaded = load(kTyreHero);

  ASSERT_TRUE(loaded.policy) << loaded.problems;
  const Policy& policy = *loaded.policy;
  EXPECT_EQ(policy.severities.size(), 3U);
  EXPECT_EQ(policy.severities[0].acknowledge, Duration{5min});
  EXPECT_EQ(policy.severities[0].notify, std::vector{ReceiverName("ops")});
  const Service* api = policy.find_service(ServiceName("emergency-api"));
  ASSERT_TRUE(api);
  EXPECT_EQ(api->probes.size(), 2U);
  EXPECT_EQ(api->probes[0].spec.timeout, Duration{2s});
  EXPECT_EQ(api->probes[1].need, 1);
  ASSERT_EQ(api->rules.size(), 2U);
  EXPECT_EQ(api->rules[0].levels.size(), 2U);
  EXPECT_EQ(api->rules[1].hold, Duration{2min});
  ASSERT_EQ(api->checklist.size(), 3U);
  const auto& post = std::get<ProbeCheck>(api->checklist[1].what);
  EXPECT_EQ(post.from, CheckFrom::one);
  EXPECT_EQ(std::get<HttpSpec>(post.spec.kind).method, "POST");
  EXPECT_EQ(std::get<HttpSpec>(post.spec.kind).body, R"({"test":true})");
  EXPECT_EQ(std::get<HttpSpec>(post.spec.kind).expect, "body.success == true");
  const auto& rate = std::get<SignalCheck>(api->checklist[2].what);
  EXPECT_EQ(rate.hold, Duration{5min});
  EXPECT_EQ(rate.samples, 30);
  EXPECT_EQ(std::get<HttpAction>(policy.actions.at(ActionName("warm")).how).body,
            R"({"all":true,"count":3,"note":"5"})");
  EXPECT_EQ(policy.playbooks[0].stages[1].at, Duration{5min});
  EXPECT_EQ(policy.playbooks[0].cooldown, Duration{10min});
  EXPECT_EQ(policy.digest.size(), 64U);
}

TEST(LoadPolicy, KnowsWhichEscalationIsForWhichServiceAndSeverity) {
  const Loaded loaded = load(R"(
severities: {P1: {escalation: up}, P2: {escalation: up}, P3: {}}
receivers: {ops: {webhook: {url: "http://x/"}}}
escalations:
  up: {tiers: [{notify: ops}, {after: 5m, notify: [ops], unless: never}], repeat: 10m}
  own: {tiers: [{after: 1m, notify: ops}]}
services:
  usual: {agents: 'true', probes: {p: {http: "http://u/"}}}
  whole: {agents: 'true', escalation: own, probes: {p: {http: "http://w/"}}}
  parts: {agents: 'true', escalation: {P1: none, P3: own}, probes: {p: {http: "http://p/"}}}
)");

  ASSERT_TRUE(loaded.policy) << loaded.problems;
  const auto name_of = [&](const char* service, SeverityIndex severity) {
    const Escalation* found = loaded.policy->find_escalation(ServiceName(service), severity);
    return found == nullptr ? std::string("none") : found->name;
  };
  EXPECT_EQ(name_of("usual", 0), "up");
  EXPECT_EQ(name_of("usual", 2), "none");
  EXPECT_EQ(name_of("whole", 0), "own");
  EXPECT_EQ(name_of("whole", 2), "none");
  EXPECT_EQ(name_of("parts", 0), "none");
  EXPECT_EQ(name_of("parts", 1), "up");
  EXPECT_EQ(name_of("parts", 2), "own");
  const Escalation& up = loaded.policy->escalations.at("up");
  EXPECT_EQ(up.repeat, Duration{10min});
  ASSERT_EQ(up.tiers.size(), 2U);
  EXPECT_EQ(up.tiers[0].unless, Unless::acknowledged);
  EXPECT_EQ(up.tiers[1].unless, Unless::never);
}

TEST(LoadPolicy, ReadsWhichActionsASeverityAllows) {
  const Loaded loaded = load(R"(
severities: {P1: {}, P2: {actions: all}, P3: {actions: restart}, P4: {actions: none}}
actions: {restart: {host: web}}
)");

  ASSERT_TRUE(loaded.policy) << loaded.problems;
  const auto& severities = loaded.policy->severities;
  EXPECT_FALSE(severities[0].actions);
  EXPECT_FALSE(severities[1].actions);
  EXPECT_EQ(severities[2].actions, std::set{ActionName("restart")});
  EXPECT_EQ(severities[3].actions, std::set<ActionName>{});
}

TEST(LoadPolicy, RefusesToAllowAnActionThatIsNotThere) {
  const Loaded loaded =
      load("severities: {P1: {actions: [restrt]}}\nactions: {restart: {host: web}}\n");

  EXPECT_FALSE(loaded.policy);
  EXPECT_NE(loaded.problems.find("policy.yaml:1:29"), std::string::npos) << loaded.problems;
  EXPECT_NE(loaded.problems.find("did you mean 'restart'"), std::string::npos) << loaded.problems;
}

TEST(LoadPolicy, TranslatesSeverities) {
  const Loaded loaded = load(
      "severities: {P1: {}, P2: {}}\nschemes: {customer: {P2: Minor, P1: Critical}}\n"
      "receivers: {shop: {webhook: {url: \"http://x/\"}, scheme: customer}}\n");

  ASSERT_TRUE(loaded.policy) << loaded.problems;
  EXPECT_EQ(loaded.policy->severity_in("customer", 0, "P1"), "Critical");
  EXPECT_EQ(loaded.policy->severity_in("customer", 1, "P2"), "Minor");
  EXPECT_EQ(loaded.policy->severity_in("customer", std::nullopt, "P9"), "P9");
  EXPECT_EQ(loaded.policy->severity_in("", 1, "P2"), "P2");
  EXPECT_EQ(loaded.policy->receivers.at(ReceiverName("shop")).scheme, "customer");
}

TEST(LoadPolicy, RefusesAnEscalationThatIsNotThere) {
  const Loaded loaded = load(
      "severities: {P1: {escalation: upp}}\nreceivers: {ops: {webhook: {url: \"http://x/\"}}}\n"
      "escalations: {up: {tiers: [{notify: ops}]}}\n");

  EXPECT_FALSE(loaded.policy);
  EXPECT_NE(loaded.problems.find("policy.yaml:1:31"), std::string::npos) << loaded.problems;
  EXPECT_NE(loaded.problems.find("did you mean 'up'"), std::string::npos) << loaded.problems;
}

TEST(LoadPolicy, GivesAServiceWithoutChecklistOneThatProvesSomething) {
  const Loaded loaded = load(kTyreHero);
  ASSERT_TRUE(loaded.policy) << loaded.problems;
  const Service* database = loaded.policy->find_service(ServiceName("database"));
  ASSERT_EQ(database->checklist.size(), 1U);
  EXPECT_FALSE(database->has_own_checklist);
  EXPECT_EQ(std::get<ProbeCheck>(database->checklist[0].what).passes, 3);
}

TEST(LoadPolicy, JoinsFilesAndTheDigestDependsOnEach) {
  const Loaded a = load_policy({{"a.yaml", "severities: {P1: {}}"}, {"b.yaml", "facts: {n: 1}"}});
  const Loaded b = load_policy({{"b.yaml", "facts: {n: 1}"}, {"a.yaml", "severities: {P1: {}}"}});
  const Loaded c = load_policy({{"b.yaml", "facts: {n: 2}"}, {"a.yaml", "severities: {P1: {}}"}});
  ASSERT_TRUE(a.policy && b.policy && c.policy);
  EXPECT_EQ(a.policy->digest, b.policy->digest);
  EXPECT_NE(a.policy->digest, c.policy->digest);
}

struct Malformed {
  const char* text;
  const char* place;    // line:column
  const char* message;  // part of it
};

const char* const kBase = R"(severities: {P1: {}, P2: {}}
facts: {customers: 0}
services:
  api:
    agents: 'true'
    probes:
      health: {http: "http://h/x"}
      queue: {queue: {redis: "c:1", list: l}}
actions:
  restart: {host: web}
)";  // ten lines; the malformed part follows from line 11

const Malformed kMalformed[] = {
    {"sevrities: {}", "11:1", "did you mean 'severities'"},
    {"rules:\n  - service: ap\n    severity: {P1: 'true'}", "12:14", "there is no service 'ap'"},
    {"rules:\n  - service: api\n    severity: {P9: 'true'}", "13:16", "there is no severity 'P9'"},
    {"rules:\n  - service: api\n    severity: {P1: available('health') &&}", "13:42",
     "ends too early"},
    {"rules:\n  - service: api\n    severity: {P1: 'availble(''health'')'}", "13:21",
     "did you mean 'available'"},
    {"rules:\n  - service: api\n    severity: {P1: \"!available('helth')\"}", "13:32",
     "has no probe 'helth'"},
    {"rules:\n  - service: api\n    severity: {P1: \"value('queue') > '3'\"}", "13:36", "error"},
    {"rules:\n  - service: api\n    severity: {P1: \"value('queue')\"}", "13:21", "bool"},
    {"rules:\n  - service: api\n    severity: {P1: facts.custmers > 1}", "13:26",
     "did you mean 'customers'"},
    {"rules:\n  - service: api\n    severity: {P1: \"p95('health', 25h) > 1s\"}", "13:35",
     "between 1s and 24h"},
    {"rules:\n  - service: api\n    severity: {P1: \"available(service)\"}", "13:31",
     "must be written out"},
    {"rules:\n  - service: api\n    severity: {P1: \"failing_groups('health', service) > 1\"}",
     "13:46", "the label must be written out"},
    {"rules:\n  - service: api\n    severity: {P1: \"delta('health', 25h) > 1.0\"}", "13:37",
     "between 1s and 24h"},
    {"rules:\n  - service: api\n    severity: {P1: \"severity_of('apj') == 'P1'\"}", "13:33",
     "there is no service 'apj'"},
    {"rules:\n  - service: api\n    severity: {P1: \"service_status(service) == 'ok'\"}", "13:36",
     "the service's name must be written out"},
    {"rules:\n  - service: api\n    severity: {P1: \"severity_of('api') == ''\"}", "13:33",
     "follows from itself, in a circle"},
    {"rules:\n  - service: api\n    severity: {P1: \"within('Mon-Fry 09:00-17:00', 'UTC')\"}",
     "13:33", "expected a day"},
    {"rules:\n  - service: api\n    severity: {P1: \"within('Mon', 'Europe/Berlim')\"}", "13:36",
     "no such time zone"},
    {"rules:\n  - service: api\n    severity: {P1: \"within(service, 'UTC')\"}", "13:28",
     "times and time zone must be written out"},
    {"rules:\n  - service: api\n    severity: {P1: 'true'}\n    for: 2", "14:10", "duration"},
    {"rules:\n  - service: api\n    severity: {P1: \"available('health')\"}\n    samples: 3",
     "14:14", "over which time they are counted"},
    {"rules:\n  - service: api\n    severity: {P1: 'true'}\n    samples: 0", "14:14", "1"},
    {"rules:\n  - service: api\n    severity: {P1: 'true'}\n    no_data: alrt", "14:14",
     "did you mean 'alert'"},
    {"rules:\n  - service: api\n    severity: {P1: 'true'}\n    no_data: {alert: P3}", "14:22",
     "there is no severity 'P3'"},
    {"rules:\n  - service: api\n    severity: {P1: 'true'}\n    no_data: {ok: P1}", "14:5",
     "alert"},
    {"rules:\n  - severity: {P1: 'true'}", "12:5", "service"},
    {"checklists:\n  apx: []", "12:3", "there is no service 'apx'"},
    {"checklists:\n  api: []", "12:3", "empty checklist proves nothing"},
    {"checklists:\n  api: [{attempts: 3}]", "12:9", "a check needs"},
    {"checklists:\n  api: [{probe: helth}]", "12:17", "has no probe 'helth'"},
    {"checklists:\n  api: [{probe: health, http: \"http://x/\"}]", "12:10", "not both"},
    {"checklists:\n  api: [{probe: health, attempts: 2, passes: 3}]", "12:38", "can never pass"},
    {"checklists:\n  api: [{expect: \"available('health')\", hold: 5m, within: 1m}]", "12:59",
     "can never pass"},
    {"checklists:\n  api: [{http: {post: \"http://h/t\"}, expect: body.success = 1}]", "12:59",
     "error"},
    {"playbooks:\n  - on: {service: api}\n    stages: [{do: restrt}]", "13:19",
     "did you mean 'restart'"},
    {"playbooks:\n  - on: {service: api}\n    mode: enforced\n    stages: []", "13:11",
     "did you mean 'enforce'"},
    {"playbooks:\n  - on: {service: api}\n    stages: [{at: 5m, do: restart}, {at: 1m, do: "
     "restart}]",
     "13:37", "order of their times"},
    {"playbooks:\n  - {on: {service: api}, stages: []}\n  - {on: {service: api}, stages: []}",
     "13:5", "has a playbook"},
    {"receivers:\n  ops: {slack: {}}", "12:9", "url_file"},
    {"receivers:\n  ops: {slak: {}}", "12:9", "did you mean 'slack'"},
    {"receivers:\n  ops: {webhook: {url: ftp://x}}", "12:24", "begins with https://"},
    {"receivers: {ops: {webhook: {url: \"http://x/\"}}}\nescalations:\n  up: {tiers: [{notify: "
     "opps}]}",
     "13:25", "did you mean 'ops'"},
    {"escalations:\n  up: {tiers: []}", "12:8", "without a tier tells nobody"},
    {"receivers: {ops: {webhook: {url: \"http://x/\"}}}\nescalations:\n"
     "  up: {tiers: [{after: 5m, notify: ops}, {after: 1m, notify: ops}]}",
     "13:42", "order of their times"},
    {"receivers: {ops: {webhook: {url: \"http://x/\"}}}\nescalations:\n"
     "  up: {tiers: [{notify: ops, unless: acknowleged}]}",
     "13:38", "did you mean 'acknowledged'"},
    {"receivers: {ops: {webhook: {url: \"http://x/\"}}}\nescalations:\n"
     "  up: {tiers: [{notify: ops}], repeat: 5s}",
     "13:40", "1m"},
    {"manual_steps: [{severity: P9, text: call}]", "11:27", "there is no severity 'P9'"},
    {"manual_steps: [{service: apo, text: call}]", "11:26", "did you mean 'api'"},
    {"manual_steps: [{at: 5m}]", "11:16", "text"},
    {"manual_steps: [{text: ' '}]", "11:23", "says what is to be done"},
    {"manual_steps: [{text: call}, {severity: P1, text: call}]", "11:30", "is there already"},
    {"schemes: {customer: {P1: Critical}}", "11:11", "has no name for severity P2"},
    {"schemes: {customer: {P1: Critical, P3: Minor}}", "11:36", "there is no severity 'P3'"},
    {"schemes: {customer: {P1: 'a:b', P2: Minor}}", "11:26", "letters, digits"},
    {"schemes: {customer: {P1: A, P2: B}}\n"
     "receivers: {ops: {webhook: {url: \"http://x/\"}, scheme: custmer}}",
     "12:56", "did you mean 'customer'"},
    {"recommendations: [{service: api, when: facts.custmers > 1, say: call}]", "11:46",
     "did you mean 'customers'"},
    {"recommendations: [{service: api, when: 'true'}]", "11:19", "say"},
    {"recommendations: [{service: api, when: 'true', say: x}, {service: api, when: 'true', say: "
     "x}]",
     "11:57", "recommended already"},
    {"incident_id: INC", "11:14", "must hold %S or %N"},
    {"incident_id: \"../%S\"", "11:14", "made of letters"},
    {"playbooks: {}", "11:12", "list"},
    {"rules: [{service: api, severity: {P1: 'true'}}", "11", "error"},
};

TEST(LoadPolicy, RefusesEachMistakeAtItsPlaceWithItsOwnMessage) {
  std::set<std::string> messages;
  for (const Malformed& bad : kMalformed) {
    const Loaded loaded = load(std::string(kBase) + bad.text);
    EXPECT_FALSE(loaded.policy) << bad.text;
    EXPECT_NE(loaded.problems.find("policy.yaml:" + std::string(bad.place)), std::string::npos)
        << bad.text << "\nwants " << bad.place << "\n"
        << loaded.problems;
    EXPECT_NE(loaded.problems.find(bad.message), std::string::npos) << bad.text << "\n"
                                                                    << loaded.problems;
    EXPECT_NE(loaded.problems.find("^"), std::string::npos) << "no caret: " << loaded.problems;
    messages.insert(loaded.problems);
  }
  EXPECT_EQ(messages.size(), std::size(kMalformed));
}

const Malformed kMalformedProbes[] = {
    {"{htp: x}", "5:11", "did you mean 'http'"},
    {"{http: ftp://x}", "5:17", "not a URL"},
    {"{http: \"http://u:p@h/\"}", "5:17", "must not hold a user"},
    {"{http: {url: \"http://h/\", expect_status: [999]}}", "5:51", "not a status"},
    {"{http: {url: \"http://h/\", method: FETCH}}", "5:44", "GET"},
    {"{http: {url: \"http://h/\", headers: {\"a b\": c}}}", "5:46", "not a header"},
    {"{http: {url: \"http://h/\", body: a, json: {}}}", "5:45", "not both"},
    {"{http: {url: \"http://h/\", expect: \"bdy == 1\"}}", "5:45", "did you mean 'body'"},
    {"{http: \"http://h/\", redis: \"h:1\"}", "5:30", "has both"},
    {"{redis: \"h:99999\"}", "5:18", "not a port"},
    {"{postgres: {expect: \"value == 1\"}}", "5:22", "no 'query'"},
    {"{queue: {redis: \"h:1\"}}", "5:11", "needs one of list, stream, zset or set"},
    {"{queue: {postgres: {host: h}}}", "5:19", "needs a 'query'"},
    {"{http: \"http://h/\", every: 1ms}", "5:37", "100ms"},
    {"{http: \"http://h/\", timeout: 2h}", "5:39", "5m"},
    {"{http: \"http://h/\", evry: 5s}", "5:30", "did you mean 'every'"},
};

TEST(LoadPolicy, RefusesEachMistakeInAProbe) {
  for (const Malformed& bad : kMalformedProbes) {
    const Loaded loaded = load(
        std::string("services:\n  api:\n    agents: 'true'\n    probes:\n      p: ") + bad.text);
    EXPECT_FALSE(loaded.policy) << bad.text;
    EXPECT_NE(loaded.problems.find("policy.yaml:" + std::string(bad.place)), std::string::npos)
        << bad.text << "\nwants " << bad.place << "\n"
        << loaded.problems;
    EXPECT_NE(loaded.problems.find(bad.message), std::string::npos) << bad.text << "\n"
                                                                    << loaded.problems;
  }
}

TEST(LoadPolicy, RefusesANameThatTwoFilesDefine) {
  const Loaded loaded =
      load_policy({{"a.yaml", "severities: {P1: {}}\n"}, {"b.yaml", "severities:\n  P1: {}\n"}});
  EXPECT_FALSE(loaded.policy);
  EXPECT_NE(loaded.problems.find("b.yaml:2:3: error: 'P1' is defined already, at a.yaml:1"),
            std::string::npos)
      << loaded.problems;
}

TEST(LoadPolicy, ReadsMaintenanceAndFlapping) {
  constexpr const char* kServices =
      "services: {api: {agents: 'true', probes: {up: {http: \"http://api/\"}}}}\n";
  const auto load = [&](const std::string& more) {
    return load_policy({{"policy.yaml", kServices + more}});
  };

  const auto plain = load("");
  ASSERT_TRUE(plain.policy) << plain.problems;
  EXPECT_FALSE(plain.policy->flapping);
  const auto loaded = load(
      "maintenance: [{services: api, every: 'Sun 02:00-04:00', time_zone: Europe/Berlin, reason: "
      "vacuum}]\nflapping: {changes: 4}\n");

  ASSERT_TRUE(loaded.policy) << loaded.problems;
  ASSERT_EQ(loaded.policy->maintenance.size(), 1U);
  EXPECT_EQ(loaded.policy->maintenance[0].name, "maintenance/1");
  EXPECT_EQ(loaded.policy->maintenance[0].when.text(), "Sun 02:00-04:00 Europe/Berlin");
  ASSERT_TRUE(loaded.policy->flapping);
  EXPECT_EQ(loaded.policy->flapping->changes, 4);
  EXPECT_EQ(loaded.policy->flapping->calm, 10min);

  for (const auto& [wrong, what] : std::vector<std::pair<std::string, std::string>>{
           {"maintenance: [{services: apj, every: 'day 01:00-02:00', reason: x}]",
            "policy.yaml:2:26: error: there is no service 'apj'"},
           {"maintenance: [{services: api, every: 'Son 01:00-02:00', reason: x}]",
            "policy.yaml:2:38: error: 'Son 01:00-02:00' is not days and a time"},
           {"maintenance: [{services: api, every: 'day 01:00-02:00'}]", "'reason'"},
           {"maintenance: [{services: api, every: 'day 01:00-02:00', time_zone: CET/X, reason: x}]",
            "there is no time zone 'CET/X'"},
           {"flapping: {changes: 1}", "policy.yaml:2:21: error: 'changes'"},
           {"flapping: {chnges: 3}", "did you mean 'changes'"}})
    EXPECT_NE(load(wrong).problems.find(what), std::string::npos) << wrong << "\n"
                                                                  << load(wrong).problems;
}

TEST(LoadPolicy, RefusesACircleOfDependencies) {
  const Loaded loaded = load(
      "services:\n  a: {agents: 'true', depends_on: b, probes: {}}\n  b: {agents: 'true', "
      "depends_on: a, probes: {}}\n");
  EXPECT_FALSE(loaded.policy);
  EXPECT_NE(loaded.problems.find("in a circle"), std::string::npos) << loaded.problems;
}

TEST(LoadPolicy, ReadsWhatMissingDataMeans) {
  const Loaded loaded = load(
      std::string(kBase) +
      "rules:\n"
      "  - {service: api, severity: {P2: \"!available('health')\", P1: \"value('queue') > 1.0\"}}\n"
      "  - {service: api, no_data: alert, for: 1m, severity: {P1: \"value('queue') > 1.0\"}}\n"
      "  - {service: api, no_data: {alert: P2}, samples: 9,\n"
      "     severity: {P1: \"p95('health', 10m) > 1s || p95('health', 5m) > 2s\"}}\n"
      "  - {service: api, no_data: ok, samples: 2, for: 90s, severity: {P1: "
      "\"!available('health')\"}}\n");
  ASSERT_TRUE(loaded.policy) << loaded.problems;
  const auto& rules = loaded.policy->find_service(ServiceName("api"))->rules;

  EXPECT_EQ(rules[0].no_data, NoData::unknown);
  EXPECT_EQ(rules[0].silence, Duration{3 * 10s + 5s + 3s}) << "of the defaults";
  EXPECT_EQ(rules[1].no_data, NoData::alert);
  EXPECT_EQ(rules[1].no_data_severity, 0U) << "its only level";
  EXPECT_EQ(rules[1].silence, Duration{1min});
  EXPECT_EQ(rules[2].no_data_severity, 1U);
  EXPECT_EQ(rules[2].samples, 9);
  EXPECT_EQ(rules[2].samples_within, Duration{10min});
  EXPECT_EQ(rules[2].silence, Duration{10min});
  EXPECT_EQ(rules[3].no_data, NoData::ok);
  EXPECT_EQ(rules[3].samples_within, Duration{90s});
}

TEST(LoadPolicy, RefusesACircleOfSeverities) {
  const auto with_rules = [](const char* b, const char* c) {
    return load(
        std::string("severities: {P1: {}}\nservices:\n  a: {probes: {}}\n  b: {probes: {}}\n"
                    "  c: {probes: {}}\nrules:\n"
                    "  - {service: a, severity: {P1: \"severity_of('b') == 'P1'\"}}\n") +
        b + c);
  };
  const char* b = "  - {service: b, severity: {P1: \"severity_of('c') == 'P1'\"}}\n";
  EXPECT_TRUE(with_rules(b, "").policy);
  // The status follows from probes alone.
  EXPECT_TRUE(
      with_rules(b, "  - {service: c, severity: {P1: \"service_status('a') == 'critical'\"}}\n")
          .policy);

  const Loaded loaded =
      with_rules(b, "  - {service: c, severity: {P1: \"severity_of('a') == 'P1'\"}}\n");

  EXPECT_FALSE(loaded.policy);
  EXPECT_NE(
      loaded.problems.find("policy.yaml:9:46: error: the severity of 'a' follows from itself"),
      std::string::npos)
      << loaded.problems;
}

TEST(LoadPolicy, ReportsEveryMistakeAtOnce) {
  const Loaded loaded =
      load("severities: {P 1!: {}}\nfacts: {A-b: 1}\nservices: {api: {}}\nreceivers: {x: {}}\n");
  EXPECT_EQ(loaded.errors, 4U) << loaded.problems;
}

// The places and, where there is one, the suggestions of all errors, in order: "a.yaml:3:5 web".
std::vector<std::string> errors_of(const Loaded& loaded) {
  std::vector<std::string> errors;
  for (const yaml::Problem& problem : loaded.findings) {
    if (problem.severity != yaml::Severity::error) continue;
    errors.push_back(problem.file + ":" + std::to_string(problem.line) + ":" +
                     std::to_string(problem.column) +
                     (problem.suggestion.empty() ? "" : " " + problem.suggestion));
  }
  return errors;
}

constexpr const char* kRulesFullOfMistakes = R"yaml(rules:
  - service: shp
    severity: {P1: "!availble('health')"}
    for: 2
  - service: shop
    severity:
      P11: facts.customrs > 1
      P1: "p95('helth', 5m) > 1s && value('dtabase/ready') > 1.0 && p95('health', 2d) > 1s"
playbooks:
  - on: {service: shop, severity: P3}
    mode: enforced
    stages: [{at: 1m, do: restrat}, {at: 0s, do: [restart, 7]}]
checklists:
  shp: [{probe: health, atempts: 3}, {expect: "1 +", hold: 48h}]
  shop: [{probe: helth}, {probe: health, form: all}]
)yaml";
constexpr const char* kServicesFullOfMistakes = R"yaml(severities:
  P1: {notify: opps}
  P2: {update: soon}
facts: {customers: 0, Limit: 5, level: {type: int}}
receivers:
  ops: {slack: {url: "ftp://h"}}
services:
  shop:
    agents: lables.role == 'edge'
    depends_on: [database, cashe]
    probes:
      health: {http: "https://h/", evry: 5s, timeout: 1h}
      Queue: {queue: {redis: "c:1", lst: orders}}
  database:
    agents: 'true'
    probes: {ready: {postgres: "db:5432", confirm: {atempts: 1}}}
actions:
  restart: {host: {entry: web, parameter: {}}, verify: helth}
  Stop: {htp: {post: "https://h/"}}
)yaml";

TEST(LoadPolicy, OneMistakeHidesNoOther) {
  const Loaded loaded = load_policy(
      {{"rules.yaml", kRulesFullOfMistakes}, {"services.yaml", kServicesFullOfMistakes}});

  EXPECT_FALSE(loaded.policy);
  const std::vector<std::string> expected = {
      "rules.yaml:2:14 shop",          // rule: service
      "rules.yaml:3:22 available",     // function, although the service is not known
      "rules.yaml:4:10 2s",            // for
      "rules.yaml:7:7 P1",             // severity
      "rules.yaml:7:18 customers",     // fact, although the severity is not known
      "rules.yaml:8:16 health",        // probe
      "rules.yaml:8:43 database",      // service in a probe's name
      "rules.yaml:8:83",               // window
      "rules.yaml:10:35 P1",           // playbook: severity
      "rules.yaml:11:11 enforce",      // mode
      "rules.yaml:12:27 restart",      // action
      "rules.yaml:12:37",              // stages out of order
      "rules.yaml:12:60",              // action
      "rules.yaml:14:3 shop",          // checklist of a service that is not there
      "rules.yaml:14:25 attempts",     // its items are read all the same
      "rules.yaml:14:51",              // expression
      "rules.yaml:14:60",              // hold
      "rules.yaml:15:18 health",       // probe
      "rules.yaml:15:42 from",         //
      "services.yaml:2:16 ops",        // receiver
      "services.yaml:3:16",            // update
      "services.yaml:4:23",            // fact's name
      "services.yaml:4:33",            // fact without a default
      "services.yaml:6:22",            // url
      "services.yaml:9:13 labels",     // selector
      "services.yaml:10:28",           // parent
      "services.yaml:12:36 every",     //
      "services.yaml:12:55",           // timeout
      "services.yaml:13:7 queue",      // probe's name
      "services.yaml:13:37 list",      //
      "services.yaml:16:53 attempts",  //
      "services.yaml:18:32 parameters",
      "services.yaml:18:56 health",  // verify
      "services.yaml:19:3 stop",     // action's name
      "services.yaml:19:10 http",
  };
  EXPECT_EQ(errors_of(loaded), expected) << loaded.problems;
}

TEST(LoadPolicy, AFileThatIsNoYamlHidesNothingAndAccusesNobody) {
  // The names of the broken file may be right; what is wrong by itself is told.
  const Loaded loaded = load_policy(
      {{"broken.yaml", "services:\n  shop: {probes: {health: {http: \"http://h\n"},
       {"rules.yaml",
        "rules:\n  - service: shop\n    severity: {P1: \"availble('health') && facts.customers > "
        "1\"}\n    keep_fr: 2m\n"}});
  EXPECT_EQ(errors_of(loaded),
            (std::vector<std::string>{"broken.yaml:2:34", "rules.yaml:3:21 available",
                                      "rules.yaml:4:5 keep_for"}))
      << loaded.problems;
}

TEST(LoadPolicy, AMisspeltSectionIsOneMistake) {
  const Loaded loaded = load(
      "sevices: {shop: {agents: 'true', probes: {health: {http: http://h/}}}}\n"
      "severities: {P1: {}}\nrules: [{service: shop, severity: {P1: \"!available('health')\"}}]\n");
  EXPECT_EQ(errors_of(loaded), std::vector<std::string>{"policy.yaml:1:1 services"})
      << loaded.problems;
}

TEST(LoadPolicy, ABrokenDefinitionIsNotMissingToo) {
  const Loaded loaded = load(
      "severities: {P1: {update: x}}\nfacts: {level: {type: integer, default: 1}}\n"
      "services: {shop: {agents: 'true', probes: {health: {http: ftp://h/}}}}\n"
      "rules: [{service: shop, severity: {P1: \"!available('health') || facts.level > 1\"}}]\n"
      "checklists: {shop: [{probe: health}]}\n");
  EXPECT_EQ(errors_of(loaded),
            (std::vector<std::string>{"policy.yaml:1:27", "policy.yaml:2:23", "policy.yaml:3:59"}))
      << loaded.problems;
}

TEST(ReadPolicyDirectory, SaysWhatIsWrongWithIt) {
  EXPECT_EQ(read_policy_directory("/nonexistent").error().code, Errc::not_found);
}

TEST(ReadPolicyDirectory, ItsTestsAreNoPartOfAPolicy) {
  const firebreak::testing::TempDir folder;
  for (const char* below : {"/tests", "/more", "/more/tests"})
    std::filesystem::create_directory(folder.path() + below);
  for (const char* name : {"a.yaml", "tests/b.yaml", "more/c.yaml", "more/tests/d.yaml"})
    firebreak::testing::write_file(folder / name, "facts: {}\n");

  const auto files = read_policy_directory(folder.path());
  ASSERT_TRUE(files);
  std::set<std::string> names;
  for (const SourceFile& file : *files) names.insert(file.path);
  EXPECT_EQ(names, (std::set<std::string>{"a.yaml", "more/c.yaml", "more/tests/d.yaml"}));
}

}  // namespace
}  // namespace firebreak::policy
