// The table of the keys of a file of policy tests. A row: key, type, default, meaning, example. All
// examples together are one file that can be played. After a change `scripts/docs` writes the
// reference anew.
#include "coordinator/rehearsal/keys.h"

#include <chrono>

namespace firebreak::rehearsal {
namespace {

using namespace std::chrono_literals;
using namespace policy::shape;

Type policy_of_tests() {
  return shown_as("text, or paths beside this file: folders or files, one or a list",
                  list_or_one(text()));
}

Type agents_of_tests() {
  return shown_as("map name: labels", map(name(), map(text("label"), text("value"))));
}

Type endings() {
  return shown_as("map of [ends](#what-agents-do)", map(text("action"), object("ending")));
}

Type service() {
  return text("service");
}

Type series(const char* of) {
  return text("series of " + std::string(of));
}

Object test_file() {
  return {
      "tests",
      "tests of one policy",
      {{"policy", policy_of_tests(), "required", "what is tested", ".."},
       {"agents", agents_of_tests(), "none", "of every test that names none itself",
        R"({"web-1": {"role": "edge"}})"},
       {"results",
        shown_as("[results](#what-agents-do), one or a list", list_or_one(object("results"))),
        "none", "what is seen from the beginning of every test", ""},
       {"actions", endings(), "none", "how actions end, from the beginning of every test",
        "restart-shop"},
       {"tests", shown_as("list of tests", list(object("test"))), "required", "the tests", ""}}};
}

Object test() {
  return {
      "test",
      "one test, played on a clock of its own",
      {{"name", text(), "required", "what it shows", "A shop that dies is a P1."},
       {"agents", agents_of_tests(), "the file's", "all are attached at the beginning",
        R"({"web-1": {"role": "edge"}})"},
       {"actions", endings(), "the file's", "how actions end, from its beginning", "restart-shop"},
       {"timeline", shown_as("list of entries", list(object("entry"))), "required",
        "what happens and what must follow, in order of time", ""}}};
}

std::vector<Object> entry() {
  const Type agents = list_or_one(text("agent"));
  return {{"entry",
           "what happens at a time, and what must be true then",
           {{"at", duration({}, limits::kRehearsalTimeMax), "required",
             "counts from the beginning; never goes back", "2m"},
            {"detach|attach", agents, "none",
             "the link is lost, or back; an order for an agent that is away waits for it", "web-1"},
            {"results", shown_as("results, one or a list", list_or_one(object("results"))), "none",
             "what is seen from now on", ""},
            {"late", shown_as("late results, one or a list", list_or_one(object("late"))), "none",
             "results that arrive only now", ""},
            {"actions", shown_as("map action: end", map(text("action"), object("ending"))), "none",
             "how an action ends from now on", "restart-shop"},
            {"restart", boolean(), "false",
             "the coordinator's process is killed and starts again; its agents come back", "true"},
            {"policy", shown_as("as above", policy_of_tests()), "none",
             "another policy takes the place of the one in force", ".."},
            {"facts", map(text("fact"), any_of({text("value"), such_as("null", anything("`~`"))})),
             "none", "sets a fact; `~` clears it", R"({"customers": 120})"},
            {"acknowledge|resolve", service(), "none", "the open incident of this service", "shop"},
            {"note", object("note"), "none", "adds to the timeline of the open incident", ""},
            {"declare", object("declaration"), "none", "opens an incident by hand", ""},
            {"override", object("override"), "none", "says against the rules how bad it is", ""},
            {"done", shown_as("manual step, one or a list", list_or_one(object("done"))), "none",
             "ticks off a manual step", ""},
            {"validate", service(), "none", "starts a validation of this service", "shop"},
            {"forget", agents, "none", "of an agent that is not attached nothing is known any more",
             "web-1"},
            {"silence", object("silence"), "none", "tells nobody of what matches", ""},
            {"end_silence", text("matcher"), "none",
             "ends the silence in force that has this matcher", "service=shop"},
            {"maintenance", object("planned"), "none", "planned work begins", ""},
            {"end_maintenance", service(), "none", "ends the maintenance that this service is in",
             "shop"},
            {"expect", shown_as("map of [expectations](#what-is-expected)", object("expectation")),
             "none", "what must be true now", ""}}}};
}

// What people say and do.
std::vector<Object> spoken() {
  return {
      {"note",
       "what a person adds to the timeline",
       {{"service", service(), "required", "to its open incident", "shop"},
        {"text", text(), "required", "what is said", "failing over"},
        {"phase", text(), "none", "`investigating`, `identified` or `monitoring`", "identified"}},
       {},
       {},
       {},
       true},
      {"override",
       "a severity that a person says",
       {{"service", service(), "required", "of its open incident", "shop"},
        {"severity", text("severity"), "required", "`none`: the rules decide again", "P1"},
        {"for", duration(), "4h", "so long", "2h"},
        {"reason", text(), "`the test says so`", "why", "only the test shop"}},
       {},
       {},
       {},
       true},
      {"done",
       "a manual step that was done",
       {{"service", service(), "required", "of its newest incident", "shop"},
        {"step", whole(1, 1000), "required", "the step's number", "1"},
        {"note", text(), "empty", "what is said of it", "opened by Ann"}},
       {},
       {},
       {},
       true},
      {"silence",
       "a silence",
       {{"match", list_or_one(text("matcher")), "required",
         "`service=NAME`, `severity!=P1`, `incident=~EXPRESSION`", "service=shop"},
        {"for", duration(), "required", "so long", "1h"},
        {"reason", text(), "`the test says so`", "why", "known"}},
       {},
       {},
       {},
       true},
      {"planned",
       "maintenance that a person starts",
       {{"services", list_or_one(text("service")), "required", "of these services", "shop"},
        {"for", duration(), "required", "so long", "20m"},
        {"reason", text(), "`the test says so`", "why", "a new disk"}},
       {},
       {},
       {},
       true},
      {"declaration",
       "an incident that a person opens",
       {{"service", service(), "required", "of this service", "shop"},
        {"severity", text("severity"), "required", "how bad it is", "P1"}},
       {},
       {},
       {},
       true}};
}

std::vector<Object> results() {
  return {
      {"results",
       "what agents see from now on",
       {{"probe", text("`service/probe`"), "this or `target`",
         "which probe; either part may be `*`", "shop/queue"},
        {"target", text(), "this or `probe`",
         "a probe that only a checklist has, as it is shown, such as `POST "
         "https://shop.example/test`",
         "POST https://shop.example.com/test"},
        {"status",
         shown_as("series of `ok`, `warning`, `critical` (or `fail`), `unknown`, `silent` (no "
                  "result and no answer)",
                  text()),
         "required without a value; with one: what the probe's limits say", "what is answered",
         "ok x 3, fail 2m, ok"},
        {"latency", series("durations"), "20ms", "how long it takes", "120ms..900ms/30s"},
        {"value", series("numbers"), "none; a queue, or Prometheus, that is ok: 0",
         "what is measured", "8, 9, 10 5m, 11"},
        {"values", shown_as("map name: series of numbers", map(text("name"), series("numbers"))),
         "none", "several by name", R"({"certificate_days": "30"})"},
        {"agent", list_or_one(text("agent")), "all", "who sees it", "web-1"},
        {"evidence", text(), "empty", "what the target said", "connection refused"},
        {"every", duration(limits::kProbeIntervalMin, limits::kProbeIntervalMax), "the probe's",
         "the interval", "5s"},
        {"for", duration(1us, limits::kRehearsalTimeMax), "as long as its series",
         "ends it earlier", "10m"},
        {"confirmed", boolean(), "true", "whether the agent's fast re-probe agreed", "true"}},
       {{{"probe", "target"}}}},
      {"late",
       "results that arrive only now",
       {{"agent", list_or_one(text("agent")), "required", "whose", "web-1"},
        {"probe", text("`service/probe`"), "required", "of which probe", "shop/health"},
        {"status", words({"ok", "warning", "critical", "unknown"}), "required", "what was answered",
         "ok"},
        {"value", number(), "none", "what was measured", "3"},
        {"age", duration({}, limits::kRehearsalTimeMax), "required", "of the first of them", "1m"},
        {"count", whole(1, 1000), "1", "how many", "3"}},
       {},
       {},
       {},
       true}};
}

Object ending() {
  return {"ending",
          "how an action ends",
          {{"outcome", words({"succeeded", "failed", "timed_out", "refused", "unknown", "silent"}),
            "required", "`silent`: nothing is heard of it", "succeeded"},
           {"after", duration(), "1s", "when it ends", "3s"},
           {"exit_code", whole(0, 599), "0", "of a program, or an HTTP status", "0"},
           {"output", text(), "empty", "what it printed", "restarted"},
           {"detail", text(), "empty", "why it was refused or failed", "not allowed here"},
           {"then", shown_as("results, one or a list", list_or_one(object("results"))), "none",
            "what is seen from then on", ""}}};
}

Object expectation() {
  const Type order = shown_as("list of `ACTION@AGENT`, `ACTION@coordinator`", list_or_one(text()));
  return {
      "expectation",
      "what must be true at this time",
      {{"severity", map(text("service"), text("severity")), "not compared",
        "what its rules say now; `none`", R"({"shop": "P1"})"},
       {"incident",
        shown_as("[incident](#what-is-expected), one or a list",
                 list_or_one(object("expected-incident"))),
        "not compared", "the newest incident of a service", ""},
       {"open_incidents", whole(0), "not compared", "how many are open", "1"},
       {"orders", order, "not compared",
        "exactly those since this was last asked, in order; `[]`: none", "restart-shop@web-1"},
       {"notifications", shown_as("list of `KIND@RECEIVER`", list_or_one(text())), "not compared",
        "likewise", "opened@ops-chat"},
       {"skipped", shown_as("list of `ACTION@TARGET: reason`", list_or_one(text())), "not compared",
        "likewise, of which only the beginning is compared: what a playbook wanted and a guard "
        "forbade",
        "restart-shop@web-1: cooldown"},
       {"refused", shown_as("list of reasons", list_or_one(text())), "not compared",
        "why the commands of this entry were refused, likewise", "no open incident"},
       {"actions", shown_as("map `ACTION@TARGET`: state", map(text("action"), text("state"))),
        "not compared",
        "how its newest order stands (`ordered`, `started`, or as an action ends); `none`",
        R"({"restart-shop@web-1": "succeeded"})"},
       {"validation",
        shown_as("[validation](#what-is-expected), one or a list",
                 list_or_one(object("expected-validation"))),
        "not compared", "the newest validation of a service", ""},
       {"services", map(text("service"), text("status")), "not compared",
        "`ok`, `warning`, `critical`, `unknown`", R"({"shop": "ok"})"},
       {"silenced", list_or_one(text("service")), "not compared",
        "the services whose open incident is silenced, by name; `[]`: none", "shop"},
       {"maintenance|flapping", list_or_one(text("service")), "not compared",
        "the services that are, likewise", "shop"},
       {"nothing", boolean(), "not compared",
        "`true`: no open incident, and no order, notification or skipped action since they were "
        "last asked",
        "true"},
       {"counters", object("counters"), "not compared", "of results", ""}}};
}

std::vector<Object> expected() {
  return {
      {"expected-incident",
       "the newest incident of a service",
       {{"service", service(), "required", "whose", "shop"},
        {"exists", boolean(), "true", "`false`: it never had one", "true"},
        {"severity|peak", text("severity"), "not compared", "now, and at its worst", "P1"},
        {"phase", text(), "not compared", "as people said", "investigating"},
        {"open", boolean(), "not compared", "whether it has not been resolved", "true"},
        {"id", text(), "not compared", "its number", "INC-20261121-001"},
        {"acknowledged|acknowledge_overdue", boolean(), "not compared",
         "whether somebody is on it, or should be", "false"},
        {"validations", whole(0), "not compared", "how many there were", "0"},
        {"affected", list_or_one(text("service")), "not compared",
         "the services that it affects now, by name, exactly", "shop"},
        {"hosts", list_or_one(text("agent")), "not compared", "those that have seen it", "web-1"},
        {"causes", list_or_one(text("service")), "not compared",
         "the services of the incidents that it may be a symptom of", "shop"},
        {"override", text("severity"), "not compared", "what a person says; `none`", "none"},
        {"to_do|done", list_or_one(text("`NUMBER TEXT`")), "not compared",
         "its manual steps that are to be done now, or are done", "1 open the war room"},
        {"recommended", list_or_one(text()), "not compared", "what is recommended now",
         "roll back"},
        {"timeline|timeline_lacks", list_or_one(text()), "not compared",
         "texts that its entries (`kind: text`) must, must not contain", "opened"}}},
      {"expected-validation",
       "the newest validation of a service",
       {{"service", service(), "required", "whose", "shop"},
        {"exists", boolean(), "true", "`false`: it was never validated", "true"},
        {"verdict", text(), "not compared", "`passed`, `failed`, `inconclusive`", "passed"},
        {"check", text(), "not compared", "the one that runs or ended it", "health"},
        {"detail", list_or_one(text()), "not compared",
         "texts that the check's detail must contain", "3 of 3"}}},
      {"counters",
       "of results",
       {{"late", whole(0), "not compared", "older than a minute", "0"},
        {"duplicates", whole(0), "not compared", "that came twice", "0"},
        {"missing", whole(0), "not compared", "that never came", "0"}},
       {},
       {},
       {},
       true}};
}

}  // namespace

const File& test_keys() {
  static const File kFile = [] {
    File file{"firebreak policy tests",
              "coordinator/rehearsal/keys.cc",
              {test_file(), test(), ending(), expectation()}};
    for (auto&& group : {entry(), spoken(), results(), expected()})
      file.objects.insert(file.objects.end(), group.begin(), group.end());
    return file;
  }();
  return kFile;
}

}  // namespace firebreak::rehearsal
