#!/usr/bin/env bash
# The command line and its two pages name the same commands and options. Usage: cli_test.sh FIREBREAK REFERENCE MANUAL
set -euo pipefail
program=$1 reference=$2 manual=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() { printf 'FAIL: %s\n' "$*" >&2; failed=1; }

# walk COMMAND...: every command below, one a line; every help text into one file.
walk() {
  local text name
  text=$(NO_COLOR=1 "$program" "$@" --help) || { fail "firebreak $* --help fails"; return; }
  printf '%s\n' "$text" >>"$work/help"
  while read -r name; do
    printf '%s\n' "${*:+$* }$name"
    walk "$@" "$name"
  done < <(sed -n '/^Subcommands:/,$ s/^  \([a-z][a-z-]*\) .*/\1/p' <<<"$text")
}
walk >"$work/commands"
mapfile -t commands <"$work/commands"
[ ${#commands[@]} -gt 10 ] || fail "only ${#commands[@]} commands were found"

options_of() { sed 's/\\-/-/g' "$1" | grep -oE -- '--[a-z][a-z-]+' | grep -vx -- '--help' | sort -u; }
options_of "$work/help" >"$work/options"

# complaints REFERENCE MANUAL: how the pages differ from the program.
complaints() {
  local command
  options_of "$1" >"$work/reference"
  options_of "$2" >"$work/manual"
  comm -23 "$work/options" "$work/reference" | sed "s|^|$1 does not name |"
  comm -13 "$work/options" "$work/reference" | sed "s|^|no command has this option of $1: |"
  comm -13 "$work/options" "$work/manual" | sed "s|^|no command has this option of $2: |"
  sed 's/\\f[A-Z]//g; s/\\-/-/g; s/^\.B[IR]* *//; s/"//g' "$2" >"$work/plain"
  for command in "${commands[@]}"; do
    # A group of commands is told by its members.
    if printf '%s\n' "${commands[@]}" | grep -q "^$command "; then continue; fi
    grep -qE "\`${command}[ \`]" "$1" || echo "$1 does not name the command '$command'"
    case $command in "probe queue "*) continue ;; esac
    grep -qE "^$command( |$)" "$work/plain" || echo "$2 does not name the command '$command'"
  done
}
said=$(complaints "$reference" "$manual")
[ -z "$said" ] || fail "$said"

# Pages that are wrong, each in one way.
sample() {
  said=$(complaints "$work/reference.md" "$work/manual.1")
  case $said in *"$1"*) ;; *) fail "the check does not notice: $1" ;; esac
}
sed 's/--note/--remark/' "$reference" >"$work/reference.md"; cp "$manual" "$work/manual.1"
sample "reference.md does not name --note"
sample "no command has this option of $work/reference.md: --remark"
grep -v 'policy show' "$reference" >"$work/reference.md"
sample "reference.md does not name the command 'policy show'"
cp "$reference" "$work/reference.md"; sed 's/check\\-only/only\\-check/; /^\.B status/d' "$manual" >"$work/manual.1"
sample "no command has this option of $work/manual.1: --only-check"
sample "manual.1 does not name the command 'status'"
exit $failed
