#!/usr/bin/env bash
# The example actions files are right, and have every entry that the example policy of the same name asks for.
# Usage: actions_examples_test.sh ACTUATOR EXAMPLES POLICIES
set -euo pipefail
actuator=$1 examples=$2 policies=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() { printf 'FAIL: %s\n' "$*" >&2; failed=1; }

count=0
for file in "$examples"/*.yaml; do
  name=${file##*/}
  name=${name%.yaml}
  # The programs are those of somebody else's host: /bin/true stands for each of them.
  install -d "$work/$name"
  sed -E -e 's|^( *exec: \[)/[^],]*|\1/bin/true|' -e '/^ *exec:$/{n;s|- /.*|- /bin/true|}' "$file" >"$work/$name/$name.yaml"
  chmod 0644 "$work/$name/$name.yaml"
  said=$("$actuator" --check --actions-dir "$work/$name" 2>&1) || fail "$file: $said"

  [ -d "$policies/$name" ] || continue
  count=$((count + 1))
  wanted=$(awk '/^[a-z]/ {inside = /^actions:/} inside' "$policies/$name/policy.yaml" |
    sed -nE -e 's/.*entry: ([a-z0-9._-]+).*/\1/p' -e 's/.*host: ([a-z0-9._-]+)([ ,}].*)?$/\1/p' | sort -u)
  offered=$(sed -nE 's/^  ([a-z0-9._-]+):$/\1/p' "$file" | sort -u)
  [ -n "$wanted" ] || fail "$policies/$name names no entry"
  [ "$wanted" = "$offered" ] || fail "$file offers, and $policies/$name asks for: $(diff <(echo "$offered") <(echo "$wanted"))"
done
[ $count -gt 0 ] || fail "no actions file has the name of a policy"
exit $failed
