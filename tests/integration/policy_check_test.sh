#!/usr/bin/env bash
# `firebreak policy check`: exit codes, --strict, JSON, and the example policies. Usage: policy_check_test.sh FIREBREAK POLICIES ACTIONS
set -euo pipefail
program=$1 policies=$2 actions=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() { printf 'FAIL: %s\n' "$*" >&2; failed=1; }

# check CODE ARGUMENT...: runs it; standard output and error into $work/out and $work/err.
check() {
  local wanted=$1 code=0; shift
  "$program" policy check "$@" >"$work/out" 2>"$work/err" || code=$?
  [ $code = "$wanted" ] || fail "policy check $*: exit code $code, not $wanted: $(cat "$work/out" "$work/err")"
}
# field EXPRESSION: of the JSON in $work/out.
field() { python3 -c 'import json, sys; it = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$work/out" "$1"; }
same() { [ "$1" = "$2" ] || fail "'$1' instead of '$2'"; }

count=0
for folder in "$policies"/*/; do
  check 0 --strict --actions "$actions/$(basename "$folder").yaml" "$folder"
  [ ! -s "$work/err" ] || fail "$folder: $(cat "$work/err")"
  grep -q '; 0 warnings$' "$work/out" || fail "$folder: $(cat "$work/out")"
  count=$((count + 1))
done
[ $count = 5 ] || fail "$count example policies instead of 5"

mkdir "$work/odd" "$work/wrong"
printf 'severities:\n  P1: {}\n  P2: {}  # lint: allow no-route nobody has to know\n' >"$work/odd/a.yaml"
check 0 "$work/odd"
grep -q '^a.yaml:2:3: warning: .* \[no-route\]$' "$work/err" || fail "no warning: $(cat "$work/err")"
grep -q '; 1 warning$' "$work/out" || fail "no summary: $(cat "$work/out")"
check 1 --strict "$work/odd"
[ ! -s "$work/out" ] || fail "ok in spite of --strict: $(cat "$work/out")"
tail -n 1 "$work/err" | grep -q "^1 warning in $work/odd$" || fail "no summary: $(cat "$work/err")"
if grep -q $'\e' "$work/out" "$work/err"; then fail "colours in a file"; fi

check 0 "$work/odd" -o json
[ ! -s "$work/err" ] || fail "text beside JSON: $(cat "$work/err")"
same "$(field 'len(it["digest"]), it["errors"], it["warnings"], len(it["findings"])')" "(64, 0, 1, 1)"
same "$(field 'sorted(it["findings"][0])')" "['code', 'column', 'file', 'hint', 'line', 'message', 'severity']"
same "$(field '[it["findings"][0][key] for key in ("code", "severity", "file", "line", "column")]')" "['no-route', 'warning', 'a.yaml', 2, 3]"
check 1 --strict "$work/odd" -o json
same "$(field 'it["warnings"]')" 1

# What a kind of host allows: a folder, or a file of it.
mkdir "$work/acts" "$work/hosts"
cat >"$work/acts/a.yaml" <<'POLICY'
severities: {P1: {notify: ops}}
receivers: {ops: {slack: {url: "https://h/"}}}
services: {shop: {agents: "true", probes: {health: {http: "https://h/"}}}}
rules: [{service: shop, severity: {P1: "!available('health')"}}]
actions: {restart: {host: restart-web}}
playbooks: [{on: {service: shop, severity: P1}, stages: [{at: 0s, do: restart}]}]
checklists: {shop: [{probe: health}]}
POLICY
printf 'actions: {restart-wbe: {exec: [/opt/other/program], timeout: 1s}}\n' >"$work/hosts/web.yaml"
check 0 --strict "$work/acts"
check 1 --strict "$work/acts" --actions "$work/hosts"
grep -q "no host allows 'restart-web' \[unknown-host-action\]$" "$work/err" || fail "no warning: $(cat "$work/err")"
printf 'actions: {restart-web: {exec: [/opt/other/program], timeout: 1s}}\n' >"$work/hosts/db.yaml"
check 0 --strict --actions "$work/hosts/web.yaml" --actions "$work/hosts/db.yaml" "$work/acts"
check 0 --strict --actions "$work/hosts" "$work/acts"
printf 'actions: {restart-web: {exec: [program], timeout: 1s}}\n' >"$work/hosts/db.yaml"
check 1 --actions "$work/hosts" "$work/acts"
grep -q "db.yaml:1:.*full path" "$work/err" || fail "no error: $(cat "$work/err")"

printf 'severities: {P1: {notify: x}}\n' >"$work/wrong/a.yaml"
printf 'severties: {}\nrules: [\n' >"$work/wrong/b.yaml"
printf 'facts: {\x27Bad\x1b[31m\x27: 1}\n' >"$work/wrong/c.yaml"
check 1 "$work/wrong"
grep -q '^[0-9]* errors in ' "$work/err" || fail "no summary: $(cat "$work/err")"
if grep -q $'\e' "$work/err"; then fail "a policy's text reaches the terminal as it is"; fi
check 1 "$work/wrong" -o json
same "$(field 'it["digest"]')" ""
same "$(field 'sorted({one["file"] for one in it["findings"]})')" "['b.yaml', 'c.yaml']"
same "$(field '{(one["code"], one["severity"]) for one in it["findings"]}')" "{('invalid', 'error')}"

printf 'severties: {}\n' >"$work/wrong/b.yaml"
check 1 "$work/wrong" -o json
same "$(field 'it["findings"][0]["hint"]')" "did you mean 'severities'?"
check 1 "$work/none"
grep -q 'not a directory' "$work/err" || fail "$(cat "$work/err")"
exit $failed
