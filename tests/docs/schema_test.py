#!/usr/bin/env python3
# The schemas that `firebreak policy schema` prints take every policy and every test of ours, and refuse broken ones.
# Usage: schema_test.py FIREBREAK DOCS_WRITER ROOT
import copy
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

import jsonschema
import yaml

firebreak, writer, root = sys.argv[1:]
failures = []


def check(holds, what):
    if not holds:
        failures.append(what)


class Yaml12(yaml.SafeLoader):
    """What editors read: YAML 1.2, where `on` is text, and keys are always text."""
    yaml_implicit_resolvers = {}

    def construct_mapping(self, node, deep=False):
        return {key.value: self.construct_object(value, deep=True) for key, value in node.value}


Yaml12.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(true|false)$"), list("tf"))
Yaml12.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(~|null|)$"), ["~", "n", ""])
Yaml12.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^-?[0-9]+$"), list("-0123456789"))
Yaml12.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"^-?[0-9]+\.[0-9]+$"), list("-0123456789"))


def read(text):
    return yaml.load(text, Yaml12)


def printed(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def content(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def validator(*options):
    schema = json.loads(printed(firebreak, "policy", "schema", *options))
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def complaint(schema, document):
    error = jsonschema.exceptions.best_match(schema.iter_errors(document))
    return error and f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"


policies, tests = validator(), validator("--tests")


# --- What is right ---

policy_files = glob.glob(f"{root}/deploy/policies/*/*.yaml")
test_files = glob.glob(f"{root}/deploy/policies/*/tests/*.yaml") + glob.glob(f"{root}/tests/scenario/*.yaml")
check(len({os.path.dirname(path) for path in policy_files}) == 5, f"not five example policies: {policy_files}")
check(len(test_files) > 10, f"only {len(test_files)} files of policy tests")
for path in policy_files:
    check(complaint(policies, read(content(path))) is None, f"{path} is refused: {complaint(policies, read(content(path)))}")
for path in test_files:
    file = read(content(path))
    check(complaint(tests, file) is None, f"{path} is refused: {complaint(tests, file)}")
    inside = file["policy"]
    if isinstance(inside, str) and "\n" in inside:
        check(complaint(policies, read(inside)) is None, f"the policy in {path} is refused: {complaint(policies, read(inside))}")
page = content(f"{root}/docs/reference/policy.md")
for block in re.findall(r"```yaml\n(.*?)```", page, re.S):
    check(complaint(policies, read(block)) is None, f"the example of policy.md is refused: {complaint(policies, read(block))}")
check(complaint(policies, read("# nothing yet\n")) is None, "an empty file is refused")

# A file with every key: the loader takes it (unit_keys), and so does the schema.
every_key = {name: json.loads(printed(writer, "sample", name)) for name in ("policy", "tests")}
for name, schema in (("policy", policies), ("tests", tests)):
    check(complaint(schema, every_key[name]) is None, f"the file with every key is refused: {complaint(schema, every_key[name])}")


# --- What is wrong ---

def maps(value, path=()):
    """Every map below: its path."""
    if isinstance(value, dict):
        yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from maps(inner, path + (key,))


def at(value, path):
    for key in path:
        value = value[key]
    return value


# The maps whose keys are the author's own names: one more of them is no mistake.
FREE = {"severities", "facts", "receivers", "services", "actions", "checklists", "probes", "headers", "header_files", "parameters", "json",
        "severity", "agents", "values", "labels", "groups", "escalations", "escalation", "schemes", "customer"}


def is_free(path):
    return bool(path) and (path[-1] in FREE or "json" in path or "agents" in path)


def misspelt(schema, document, name):
    count = 0
    for path in maps(document):
        if is_free(path) or (name == "tests" and path[-1:] in (("facts",), ("services",), ("actions",))):
            continue
        broken = copy.deepcopy(document)
        at(broken, path)["zzzz"] = 1
        # The first of a kind says it all; there are thousands of combinations.
        check(not schema.is_valid(broken), f"{name}: an unknown key in {'/'.join(map(str, path))} is not noticed")
        count += 1
    check(count > 20, f"{name}: only {count} maps")


def smaller(document):
    """Of lists and maps of many alternatives the first three."""
    if isinstance(document, list):
        return [smaller(item) for item in document[:3]]
    if isinstance(document, dict):
        return {key: smaller(value) for key, value in document.items() if not re.search(r"_([4-9]|\d\d)$", key)}
    return document


for name, schema in (("policy", policies), ("tests", tests)):
    misspelt(schema, smaller(every_key[name]), name)

BROKEN = """
a misspelt section: {servces: {}}
a section that is no map: {severities: [P1]}
a misspelt key: {severities: {P1: {acknowlege: 5m}}}
a number for a duration: {severities: {P1: {acknowledge: 5}}}
a duration of zero where one second is the least: {severities: {P1: {acknowledge: 0}}}
a duration with a blank: {severities: {P1: {acknowledge: 5 m}}}
units the wrong way round: {severities: {P1: {acknowledge: 30s5m}}}
a severity with a dot in its name: {severities: {P1.5: {}}}
a fact with a dash in its name: {facts: {paying-customers: 0}}
a type that there is not: {facts: {customers: {default: 0, type: float}}}
a fact without its value: {facts: {customers: {type: int}}}
two kinds of receiver: {receivers: {ops: {slack: {url: "https://a.example"}, webhook: {url: "https://a.example"}}}}
a receiver without a kind: {receivers: {ops: {}}}
two addresses: {receivers: {ops: {slack: {url: "https://a.example", url_file: b}}}}
a URL without a scheme: {receivers: {ops: {slack: {url: chat.example.com}}}}
a service in capitals: {services: {Shop: {probes: {}}}}
a service without probes: {services: {shop: {agents: "true"}}}
a probe of no kind: {services: {shop: {agents: "true", probes: {health: {every: 5s}}}}}
a probe of two kinds: {services: {shop: {agents: "true", probes: {health: {http: "https://a.example", redis: "b:1"}}}}}
a kind that there is not: {services: {shop: {agents: "true", probes: {health: {htp: "https://a.example"}}}}}
a URL with a password: {services: {shop: {agents: "true", probes: {health: {http: "https://me:secret@a.example"}}}}}
too many redirects: {services: {shop: {agents: "true", probes: {health: {http: {get: "https://a.example", max_redirects: 9}}}}}}
two methods: {services: {shop: {agents: "true", probes: {health: {http: {get: "https://a.example", post: "https://a.example"}}}}}}
body and json: {services: {shop: {agents: "true", probes: {health: {http: {post: "https://a.example", body: x, json: {}}}}}}}
a status that there is not: {services: {shop: {agents: "true", probes: {health: {http: {get: "https://a.example", expect_status: 6xx}}}}}}
yes for true: {services: {shop: {agents: "true", probes: {health: {http: {get: "https://a.example", tls_verify: yes}}}}}}
a port in words: {services: {shop: {agents: "true", probes: {ready: {postgres: {port: http}}}}}}
an answer without a question: {services: {shop: {agents: "true", probes: {ready: {postgres: {expect: value > 1}}}}}}
a pgbouncer that is asked a query: {services: {shop: {agents: "true", probes: {pools: {pgbouncer: {query: select 1}}}}}}
a role of another kind: {services: {shop: {agents: "true", probes: {ready: {postgres: {role: master}}}}}}
a queue without its list: {services: {shop: {agents: "true", probes: {jobs: {queue: {redis: "cache:1"}}}}}}
a list where there is none: {services: {shop: {agents: "true", probes: {jobs: {queue: {http: "https://a.example", list: x}}}}}}
a rule without a service: {rules: [{severity: {}}]}
rules that are a map: {rules: {service: shop}}
an action that is neither: {actions: {restart: {timeout: 5s}}}
an action that judges: {actions: {restart: {http: {post: "https://a.example", expect: status == 200}}}}
a mode that there is not: {playbooks: [{on: {service: shop}, mode: act, stages: []}]}
a playbook for nothing: {playbooks: [{stages: []}]}
a stage that does nothing: {playbooks: [{on: {service: shop}, stages: [{at: 5m}]}]}
a check of nothing: {checklists: {shop: [{attempts: 3}]}}
a check of both kinds: {checklists: {shop: [{probe: health, hold: 5m}]}}
"""
with tempfile.TemporaryDirectory() as folder:
    for what, document in read(BROKEN).items():
        check(not policies.is_valid(document), f"{what} is not noticed")
        # It is a mistake for the loader, too: the schema is not stricter than that.
        with open(f"{folder}/policy.yaml", "w", encoding="utf-8") as file:
            file.write(re.search(rf"(?m)^{re.escape(what)}: (.*)$", BROKEN).group(1))
        done = subprocess.run([firebreak, "policy", "check", folder], capture_output=True, text=True, check=False, timeout=60)
        check(done.returncode == 1, f"the loader takes {what}")

BROKEN_TESTS = """
no policy: {tests: []}
no test: {policy: ..}
a misspelt expectation: {policy: .., tests: [{name: a, timeline: [{at: 0s, expect: {incidents: {}}}]}]}
an entry without a time: {policy: .., tests: [{name: a, timeline: [{detach: web-1}]}]}
results of nothing: {policy: .., results: {status: ok}, tests: []}
results of two things: {policy: .., results: {probe: "*/*", target: x, status: ok}, tests: []}
an outcome that there is not: {policy: .., actions: {restart: {outcome: fine}}, tests: []}
a word for a count: {policy: .., tests: [{name: a, timeline: [{at: 0s, expect: {open_incidents: none}}]}]}
"""
for what, document in read(BROKEN_TESTS).items():
    check(not tests.is_valid(document), f"{what} is not noticed")

for failure in failures:
    print("FAIL:", failure)
sys.exit(1 if failures else 0)
