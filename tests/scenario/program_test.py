#!/usr/bin/env python3
# `firebreak policy test` as a person or a build server meets it: exit codes, JSON, JUnit, coverage. Usage: program_test.py FIREBREAK
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

POLICY = """policy: |
  severities: {P1: {}, P2: {}}
  services:
    shop: {agents: 'true', probes: {health: {http: "http://shop.example/health", every: 5s}}}
  rules: [{service: shop, severity: {P1: "!available('health')", P2: "status('health') == 'warning'"}}]
agents: {web-1: {}}
tests:
"""
PASSES = """- name: down is P1
  timeline: [{at: 0s, results: {probe: '*/*', status: fail}, expect: {severity: {shop: P1}}}]
"""
HOSTILE = r'<b>]]>&\"\u001b[31m'
FAILS = f"""- name: "{HOSTILE}"
  timeline: [{{at: 0s, results: {{probe: '*/*', status: warning}}, expect: {{severity: {{shop: P1}}}}}}]
"""
WRONG = """- name: no such probe
  timeline: [{at: 0s, results: {probe: shop/helth, status: fail}}]
"""
firebreak = os.path.abspath(sys.argv[1])
os.chdir(tempfile.mkdtemp(prefix="firebreak-policy-test-"))
for name, tests in (("good", PASSES), ("bad", PASSES + FAILS), ("wrong", WRONG), ("warned", FAILS.replace("P1", "P2"))):
    with open(name + ".yaml", "w", encoding="utf-8") as file:
        file.write(POLICY + tests)


def run(*arguments):
    done = subprocess.run([firebreak, "policy", "test", *arguments], capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "NO_COLOR": "1"})
    return done.returncode, done.stdout, done.stderr


def expect(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: {found!r}, expected {wanted!r}")


def expect_in(part, text):
    if part not in text:
        sys.exit(f"{part!r} is not in:\n{text}")


code, out, _ = run("good.yaml")
expect("all passed", code, 0)
expect_in("PASS   good.yaml: down is P1 (0 us in ", out)
expect_in("1 passed, 0 failed, 0 wrong; ", out)

os.makedirs("folder/tests")
os.makedirs("empty")
for name in ("a.yaml", "tests/b.yaml", "tests/c.yaml", "tests/.d.yaml", "tests/notes.txt"):
    with open("folder/" + name, "w", encoding="utf-8") as file:
        file.write(POLICY + PASSES)
code, out, _ = run("folder")
expect("a folder's tests passed", code, 0)
expect_in("PASS   folder/tests/b.yaml: down is P1", out)
expect_in("2 passed, 0 failed, 0 wrong; ", out)
expect_in("2 passed, 0 failed, 0 wrong; ", run("folder/tests")[1])
code, _, err = run("good.yaml", "empty")
expect("a folder without tests", code, 2)
expect_in("empty: holds no *.yaml with tests", err)

code, out, _ = run("good.yaml", "bad.yaml")
expect("one failed", code, 1)
expect_in("FAIL ", out)
expect_in("bad.yaml:11:91: error: expected 'shop' P1, found P2\n", out)
expect_in("opened engine: ", out)
expect("a terminal's escape is shown as text", "\x1b" in out, False)

code, out, _ = run("bad.yaml", "wrong.yaml", "absent.yaml")
expect("a file is wrong, which counts more than a failure", code, 2)
expect_in("wrong.yaml:9:40: error: the policy has no probe shop/helth", out)
expect_in("did you mean 'shop/health'?", out)
expect_in("absent.yaml", out)
expect_in("1 passed, 1 failed, 2 wrong", out)

code, out, _ = run("bad.yaml", "--run", "^down")
expect("only what --run finds", code, 0)
expect_in("1 passed, 0 failed, 0 wrong, 1 left out", out)
expect("nothing is found", run("bad.yaml", "--run", "^nothing")[0], 2)
expect("a wrong expression", run("bad.yaml", "--run", "(")[0], 2)
expect("no file", run()[0], 2)
expect("a file that cannot be written", run("good.yaml", "--junit", "absent/x.xml")[0], 2)

code, out, _ = run("bad.yaml", "wrong.yaml", "absent.yaml", "-o", "json", "--coverage", "--junit", "results.xml")
expect("JSON has the same exit code", code, 2)
reply = json.loads(out)
expect("counts", [reply[key] for key in ("passed", "failed", "wrong", "left_out")], [1, 1, 2, 0])
expect("outcomes", [test["outcome"] for file in reply["files"] for test in file["tests"]], ["passed", "failed", "wrong"])
problem = reply["files"][0]["tests"][1]["problems"][0]
expect("where", (problem["file"], problem["line"], problem["column"]), ("bad.yaml", 11, 91))
expect("of which policy", len(reply["coverage"]), 1)
expect("files of it", reply["coverage"][0]["files"], ["bad.yaml", "wrong.yaml"])
expect("levels", reply["coverage"][0]["rules"], {"reached": 2, "all": 2})

suites = list(xml.etree.ElementTree.parse("results.xml").getroot())
expect("one suite per file", [suite.get("name") for suite in suites], ["bad.yaml", "wrong.yaml", "absent.yaml"])
expect("counts of the suites", [(suite.get("tests"), suite.get("failures"), suite.get("errors")) for suite in suites],
       [("2", "1", "0"), ("1", "0", "1"), ("1", "0", "1")])
expect("a hostile name", list(suites[0])[1].get("name"), r'<b>]]>&"\x1b[31m')
expect_in("expected 'shop' P1, found P2", list(suites[0])[1].find("failure").text)

code, out, _ = run("good.yaml", "--coverage")
expect_in("): 1 of 2 rules\n", out)
expect_in("not reached: rule shop/1 P2 (status('health') == 'warning')", out)
code, out, err = run("good.yaml", "--require-coverage")
expect("something was not reached", (code, "no test reached 1 of" in err), (1, True))
expect("everything was reached", run("good.yaml", "warned.yaml", "--require-coverage")[0], 0)
code, out, _ = run("good.yaml", "warned.yaml", "--coverage")
expect_in("(good.yaml and 1 more): 2 of 2 rules", out)
expect("nothing is left", "not reached" in out, False)
