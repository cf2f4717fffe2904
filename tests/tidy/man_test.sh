#!/usr/bin/env bash
# The manual pages are well formed, and the check can tell. Usage: man_test.sh FOLDER
set -euo pipefail
folder=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() { printf 'FAIL: %s\n' "$*" >&2; failed=1; }

# complaints PAGE: what groff and the conventions of man(7) say about it.
complaints() {
  local page=$1 name section
  name=$(basename "$page"); section=${name##*.}; name=${name%.*}
  groff -man -Tutf8 -ww -z "$page" 2>&1 || true
  head -1 "$page" | grep -qiE "^\.TH \"?${name//./\\.}\"? $section " || echo "does not open with .TH ${name^^} $section"
  [ "$(sed -n 2p "$page")" = '.SH NAME' ] || echo "its first section is not NAME"
  sed -n 3p "$page" | grep -qE "^$name \\\\- [a-z].*[^.]$" || echo "line 3 is not '$name \\- what it does', without a full stop"
  if grep -nE '[[:space:]]$' "$page"; then echo "blanks at a line's end"; fi
}

found=0
for page in "$folder"/*.[1-9]; do
  found=$((found + 1))
  said=$(complaints "$page")
  [ -z "$said" ] || fail "$page: $said"
done
[ "$found" -gt 0 ] || fail "no manual page in $folder"

# Pages that are wrong, each in one way.
sample() { printf '%b' "$2" >"$work/$1"; [ -n "$(complaints "$work/$1")" ] || fail "the check does not notice: $3"; }
good='.TH GOOD 1 2026-01-01 x y\n.SH NAME\ngood \\- do good\n.SH DESCRIPTION\nText.\n'
printf '%b' "$good" >"$work/good.1"
said=$(complaints "$work/good.1"); [ -z "$said" ] || fail "the check refuses a right page: $said"
sample good.1 "${good}.NOSUCH macro\n" "a macro that does not exist"
sample good.1 "${good}.B \\*[nothing]\n" "a string that does not exist"
sample other.1 "$good" "another page's title"
sample good.1 '.TH GOOD 1 2026-01-01 x y\n.SH DESCRIPTION\nText.\n' "no NAME"
exit $failed
