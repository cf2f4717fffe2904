# Shared by the scripts: where we are, what is installed, how we talk. Sourced, not run.
# shellcheck shell=bash disable=SC2034
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export CCACHE_BASEDIR="$root" CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-3G}

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
else bold='' dim='' red='' green='' plain=''; fi
say() { printf '%s==>%s %s\n' "$bold" "$plain" "$*"; }
die() { printf '%serror:%s %s\n' "$red" "$plain" "$*" >&2; exit 1; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# install_packages: whatever of scripts/packages.txt is missing, from Debian.
install_packages() {
  local wanted missing=() package
  wanted=$(sed 's/#.*//' "$root/scripts/packages.txt")
  for package in $wanted; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || die "these packages are missing and need root or sudo: ${missing[*]}"
  say "installing ${#missing[@]} packages: ${dim}${missing[*]}${plain}"
  as_root apt-get update -q >/dev/null
  # Servers are started by the tests themselves; installing one must not start another.
  printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d.firebreak >/dev/null
  as_root chmod +x /usr/sbin/policy-rc.d.firebreak
  local own_policy=no
  if [ ! -e /usr/sbin/policy-rc.d ]; then as_root mv /usr/sbin/policy-rc.d.firebreak /usr/sbin/policy-rc.d; own_policy=yes
  else as_root rm -f /usr/sbin/policy-rc.d.firebreak; fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" >/dev/null \
    || { [ $own_policy = yes ] && as_root rm -f /usr/sbin/policy-rc.d; die "apt-get could not install: ${missing[*]}"; }
  if [ $own_policy = yes ]; then as_root rm -f /usr/sbin/policy-rc.d; fi
}

# build_preset PRESET [TARGET...]
build_preset() {
  local preset=$1; shift
  say "building ($preset)"
  (cd "$root" && cmake --preset "$preset" >"$root/.cmake-$preset.log" 2>&1) \
    || { cat "$root/.cmake-$preset.log"; die "cmake could not configure the preset $preset"; }
  rm -f "$root/.cmake-$preset.log"
  local targets=(); [ $# -gt 0 ] && targets=(--target "$@")
  (cd "$root" && cmake --build --preset "$preset" -j "$(nproc)" "${targets[@]}") || die "the build ($preset) failed"
}
