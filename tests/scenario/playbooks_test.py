#!/usr/bin/env python3
# What the tables of docs/playbooks promise is there: every path of keys, every test; and every entry of a host that these policies order.
# Usage: playbooks_test.py SOURCE_DIR
import pathlib
import re
import sys

import yaml

root = pathlib.Path(sys.argv[1])
wrong = []


def keys(value, section=""):
    """The steps that lead on from `value`, by name."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, list):
        return {}
    if section == "playbooks":
        on = [one[True] for one in value]  # YAML 1.1 reads the key `on` as true
        return {f"{match['service']}/{match.get('severity', 'any')}": {stage.get("at", "0s"): stage for stage in one["stages"]} for match, one in zip(on, value)}
    if section == "rules":
        return {one.get("name", f"{one['service']}/{number + 1}"): one["severity"] for number, one in enumerate(value)}
    return {one.get("name", one.get("probe")): one for one in value if isinstance(one, dict)}


def find(policy, path):
    value, section = policy, ""
    for step in path.split("."):
        known = keys(value, section)
        if step not in known:
            return False
        value, section = known[step], step
    return True


def check_page(page):
    folder = root / "deploy/policies" / page.stem
    policy = yaml.safe_load((folder / "policy.yaml").read_text())
    tests = {f"{file.stem}: {test['name']}" for file in (folder / "tests").glob("*.yaml") for test in yaml.safe_load(file.read_text())["tests"]}
    in_table, rows = False, 0
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if not line.startswith("|"):
            in_table = False
            continue
        if line == "| sentence | policy | test |":
            in_table = True
            continue
        if not in_table or line.startswith("|---"):
            continue
        rows += 1
        where = f"{page}:{number}"
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) != 3:
            wrong.append(f"{where}: {len(cells)} cells instead of three")
            continue
        for path in re.findall(r"`([^`]+)`", cells[1]):
            if not path.startswith("firebreak ") and not find(policy, path):
                wrong.append(f"{where}: the policy has no {path}")
        for name in filter(None, cells[2].strip(" |").split("<br>")):
            if name not in tests:
                wrong.append(f"{where}: there is no test '{name}'")
    return rows


def check_entries(file):
    allowed = yaml.safe_load(file.read_text())["actions"]
    policy = yaml.safe_load((root / "deploy/policies" / file.stem / "policy.yaml").read_text())
    hosts = [one["host"] if isinstance(one["host"], dict) else {"entry": one["host"]} for one in policy["actions"].values() if "host" in one]
    for host in hosts:
        entry = allowed.get(host["entry"])
        if entry is None:
            wrong.append(f"{file}: no entry '{host['entry']}', which the policy orders")
        elif set(entry.get("parameters", {})) != set(host.get("parameters", {})):
            wrong.append(f"{file}: '{host['entry']}' has other parameters than the policy gives")
        else:
            for name, value in host.get("parameters", {}).items():
                allows = entry["parameters"][name]
                if value not in allows.get("one_of", [value]) or ("integer" in allows and not allows["integer"]["min"] <= int(value) <= allows["integer"]["max"]):
                    wrong.append(f"{file}: '{host['entry']}' does not allow {name}: {value}")
    for unused in set(allowed) - {host["entry"] for host in hosts}:
        wrong.append(f"{file}: the policy never orders '{unused}'")


rows = sum(check_page(page) for page in sorted((root / "docs/playbooks").glob("*.md")) if page.stem != "README")
for one in sorted((root / "deploy/examples/actions.d").glob("*.yaml")):
    if (root / "deploy/policies" / one.stem).is_dir():
        check_entries(one)
if rows == 0:
    wrong.append("docs/playbooks has no table '| sentence | policy | test |'")
print("\n".join(wrong) or f"{rows} sentences: every path and every test is there")
sys.exit(1 if wrong else 0)
