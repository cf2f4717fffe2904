#!/usr/bin/env bash
# The systemd units are well formed and as locked down as we promise. Usage: units_test.sh UNIT_FOLDER SYSUSERS TMPFILES EXAMPLES
set -euo pipefail
units=$1 sysusers=$2 tmpfiles=$3 examples=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() { printf 'FAIL: %s\n' "$*" >&2; failed=1; }

# exposure UNIT: systemd's own figure, from 0.0 (locked down) to 10.0, in tenths.
exposure() {
  systemd-analyze security --offline=true --no-pager "$1" | sed -n 's/.*Overall exposure level for .*: \([0-9]*\)\.\([0-9]\).*/\1\2/p'
}

# below UNIT TENTHS
below() {
  local tenths
  tenths=$(exposure "$units/$1")
  if [ -z "$tenths" ]; then fail "$1: systemd-analyze security gave no figure"
  elif [ $((10#$tenths)) -gt "$2" ]; then
    fail "$1: exposure ${tenths%?}.${tenths: -1}, at most $(($2 / 10)).$(($2 % 10)) is allowed; see systemd-analyze security --offline=true $units/$1"
  else printf '%s: exposure %s.%s\n' "$1" "${tenths%?}" "${tenths: -1}"; fi
}

# requires UNIT LINE: a line that the figure alone would not miss.
requires() { grep -qxF "$2" "$units/$1" || fail "$1: lacks the line $2"; }

# The binaries need not be installed: verify copies that start a stand-in instead.
install -d "$work/units"
printf '#!/bin/sh\n' >"$work/stand-in"
chmod +x "$work/stand-in"
for unit in "$units"/*; do
  sed "s|^ExecStart=[^ ]*|ExecStart=$work/stand-in|" "$unit" >"$work/units/${unit##*/}"
done
complaints=$(SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no --recursive-errors=no "$work"/units/* 2>&1) || complaints+=" (exit code $?)"
[ -z "$complaints" ] || fail "systemd-analyze verify says: $complaints"

below firebreak-agent.service 15
below firebreak-coordinator.service 15

declare -A binary=([agent]=/usr/sbin/firebreak-agent [coordinator]=/usr/sbin/firebreak-coordinator [actuator]=/usr/libexec/firebreak-actuator)
for name in "${!binary[@]}"; do
  unit=firebreak-$name.service
  grep -qE "^ExecStart=${binary[$name]}( |\$)" "$units/$unit" || fail "$unit: does not start ${binary[$name]}"
  requires "$unit" Type=notify
  requires "$unit" "StateDirectory=firebreak/$name"
  requires "$unit" StartLimitIntervalSec=0
  grep -qE '^WatchdogSec=[0-9]+s$' "$units/$unit" || fail "$unit: has no watchdog"
done
# Where jobs of any user find the agent.
requires firebreak-agent.service RuntimeDirectory=firebreak-agent
requires firebreak-agent.service RuntimeDirectoryMode=0755
requires firebreak-actuator.service Requires=firebreak-actuator.socket
# An action outlives a restart of the actuator, and its keeper holds it to its time-out.
requires firebreak-actuator.service KillMode=process
# A sandbox of the actuator would be its actions' as well: they could not become another user or write a file.
for setting in CapabilityBoundingSet NoNewPrivileges PrivateNetwork ProtectSystem ProtectHome PrivateTmp MemoryMax TasksMax; do
  if grep -q "^$setting=" "$units/firebreak-actuator.service"; then fail "firebreak-actuator.service: $setting would bind its actions"; fi
done
for name in agent coordinator; do requires "firebreak-$name.service" CapabilityBoundingSet=; done
requires firebreak-actuator.socket ListenStream=/run/firebreak/actuator.sock
requires firebreak-actuator.socket SocketMode=0660
requires firebreak-actuator.socket SocketGroup=firebreak

# The examples name the credential and the folder that the unit provides.
for name in agent coordinator; do
  requires "firebreak-$name.service" "LoadCredential=$name.key:/etc/firebreak/pki/$name.key"
  grep -qE "^  key: credential:$name\.key( |\$)" "$examples/$name.yaml" || fail "$name.yaml: its key is not the unit's credential"
  grep -qxF "state: /var/lib/firebreak/$name" "$examples/$name.yaml" || fail "$name.yaml: its state is not the unit's StateDirectory"
done

# Every user and group that a unit names is one that is made.
mapfile -t names < <(sed -n 's/^\(User\|Group\|SocketGroup\|SocketUser\)=//p' "$units"/* | grep -vx root | sort -u)
for name in "${names[@]}"; do
  grep -qE "^u $name " "$sysusers" || fail "no user or group '$name' in $sysusers"
done
install -d "$work/root/etc"
systemd-sysusers --root="$work/root" - <"$sysusers" || fail "systemd-sysusers refuses $sysusers"
if [ "$(id -u)" = 0 ]; then
  systemd-tmpfiles --root="$work/root" --create - <"$tmpfiles" || fail "systemd-tmpfiles refuses $tmpfiles"
  owner=$(awk -F: '$1 == "firebreak" { print $3 }' "$work/root/etc/passwd")
  [ "$(stat -c '%a %u' "$work/root/var/lib/firebreak/agent")" = "700 $owner" ] || fail "the agent's state folder is not its own"
  [ "$(stat -c '%a %u' "$work/root/etc/firebreak/actions.d")" = "755 0" ] || fail "actions.d is not root's"
fi
exit $failed
