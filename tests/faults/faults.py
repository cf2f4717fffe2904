#!/usr/bin/env python3
# Does to the real programs what the world does, and holds what is left against what was promised. Usage: faults.py --help
# Prints one table and exits 0 only if nothing was lost, doubled or silently wrong; 77 when this machine does not allow it, 130
# when it was interrupted (the table then shows what was done until then).
import argparse
import os
import signal
import subprocess
import sys
import threading
import time
import traceback

sys.dont_write_bytecode = True
import damage  # noqa: E402
import hung_targets  # noqa: E402
import kill_points  # noqa: E402
import partitions  # noqa: E402
import power_cuts  # noqa: E402
import power_cuts_agent  # noqa: E402
import sight  # noqa: E402
import snapshot_damage  # noqa: E402
import spool_damage  # noqa: E402
import troubles  # noqa: E402
from checks import Findings  # noqa: E402
from deployment import Broken  # noqa: E402

SKIPPED = 77
INTERRUPTED = 130
SHORT_POINTS = 14
SHORT_CUTS = 60
SHORT_DAMAGES = 150
COMPLAINTS_SHOWN = 20
TOLD_EVERY = 10  # seconds


def quantile(values, q):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def kill(program):
    return lambda bin_folder, options, findings: kill_points.run(program, bin_folder, options.kill_points, findings)


FAULTS = {
    "kill-coordinator": kill("coordinator"),
    "kill-agent": kill("agent"),
    "kill-actuator": kill("actuator"),
    "power-cuts": lambda bin_folder, options, findings: power_cuts.run(bin_folder, options.power_cuts, findings),
    "power-cuts-agent": lambda bin_folder, options, findings: power_cuts_agent.run_agent(bin_folder, options.power_cuts, findings),
    "power-cuts-actuator":
        lambda bin_folder, options, findings: power_cuts_agent.run_actuator(bin_folder, options.power_cuts, findings),
    "damaged-files": lambda bin_folder, options, findings: damage.run(bin_folder, options.damages, findings),
    "damaged-spool": lambda bin_folder, options, findings: spool_damage.run(bin_folder, options.spool_damages, findings),
    "damaged-snapshots": lambda bin_folder, options, findings: snapshot_damage.run(bin_folder, options.snapshot_damages, findings),
    "failing-disk": troubles.failing_disk,
    "full-disk": troubles.full_disk,
    "standstill": troubles.standstill,
    "links": troubles.links,
    "link-down": partitions.on_a_cable(partitions.link_down),
    "blackhole": partitions.on_a_cable(partitions.blackhole),
    "one-way": partitions.on_a_cable(partitions.one_way),
    "half-open": partitions.half_open,
    "clocks": troubles.clocks,
    "hung-targets": hung_targets.run,
    "sight": sight.run,
}


def obstacle():
    """Why this machine does not allow it; '' when it does."""
    if os.geteuid() != 0:
        return "actions run as root, and so does this"
    if subprocess.run(["strace", "-o", "/dev/null", "true"], check=False, capture_output=True).returncode != 0:
        return "strace may not trace here"
    return ""


class Progress(threading.Thread):
    """Says now and then how far a fault has come; on stderr, so that the table stays whole."""

    def __init__(self, findings):
        super().__init__(daemon=True)
        self.findings, self.began, self.ended = findings, time.monotonic(), threading.Event()

    def run(self):
        while not self.ended.wait(TOLD_EVERY):
            found, took = self.findings, time.monotonic() - self.began
            wanted = f" of {found.wanted}" if found.wanted else ""
            left = f", about {took / found.points * (found.wanted - found.points):.0f} s to go" if found.wanted and found.points else ""
            print(f"{found.name}: {found.points}{wanted} points, {found.lost} lost, {found.doubled} doubled, {found.other} other, "
                  f"{took:.0f} s{left}", file=sys.stderr, flush=True)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()


def print_head():
    print(f"\n{'fault':20} {'points tried':>12} {'acked lost':>11} {'actions':>8} {'doubled':>8} {'other':>6} {'restart p50':>12} "
          f"{'p99':>8} {'took':>8}", flush=True)


def print_row(findings, took):
    times = [f"{quantile(findings.restarts, q):.2f} s" if findings.restarts else "-" for q in (0.5, 0.99)]
    print(f"{findings.name:20} {findings.points:12} {findings.lost:11} {findings.actions:8} {findings.doubled:8} {findings.other:6} "
          f"{times[0]:>12} {times[1]:>8} {took:6.0f} s  {findings.note}", flush=True)


def print_complaints(all_findings):
    for findings in all_findings:
        for complaint in findings.complaints[:COMPLAINTS_SHOWN]:
            print(f"FAIL: {complaint}")
        if len(findings.complaints) > COMPLAINTS_SHOWN:
            print(f"FAIL: {findings.name}: {len(findings.complaints) - COMPLAINTS_SHOWN} more")


def print_sum(rows):
    total, took = Findings("all"), sum(took for _, took in rows)
    for findings, _ in rows:
        for what in ("points", "lost", "actions", "doubled", "other"):
            setattr(total, what, getattr(total, what) + getattr(findings, what))
    if len(rows) > 1:
        print_row(total, took)


def run_fault(name, options, findings):
    try:
        FAULTS[name](options.bin, options, findings)
    except (Broken, OSError, subprocess.SubprocessError) as error:
        traceback.print_exc()
        findings.complain("other", f"{name}: {error}")


def run_all(names, options):
    """(findings, seconds) of each; ends early when somebody interrupts, with what was found until then."""
    rows, is_interrupted = [], False
    print_head()
    for name in names:
        findings, began = Findings(name), time.monotonic()
        try:
            with Progress(findings):
                run_fault(name, options, findings)
        except KeyboardInterrupt:
            is_interrupted, findings.note = True, "interrupted; " + findings.note
        rows.append((findings, time.monotonic() - began))
        print_row(*rows[-1])
        if is_interrupted:
            break
    return rows, is_interrupted


def main():
    parser = argparse.ArgumentParser(description="Does to the real programs what the world does, and checks what is left.")
    parser.add_argument("--bin", required=True, help="the build folder")
    parser.add_argument("--kill-points", type=int, default=SHORT_POINTS, help="per program (%(default)s)")
    parser.add_argument("--power-cuts", type=int, default=SHORT_CUTS, help="moments (%(default)s)")
    parser.add_argument("--damages", type=int, default=SHORT_DAMAGES, help="of files (%(default)s)")
    parser.add_argument("--spool-damages", type=int, default=0, help="of an agent's spool, at least one of every kind")
    parser.add_argument("--snapshot-damages", type=int, default=0, help="of a coordinator's snapshots, likewise")
    parser.add_argument("faults", nargs="*", metavar="FAULT", help="all by default: " + ", ".join(FAULTS))
    options = parser.parse_args()
    unknown = [name for name in options.faults if name not in FAULTS]
    if unknown:
        parser.error(f"there is no fault {unknown[0]}")
    if obstacle():
        print("skipped: " + obstacle())
        return SKIPPED
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell has them ignored
        signal.signal(number, signal.default_int_handler)
    rows, is_interrupted = run_all(options.faults or FAULTS, options)
    print_sum(rows)
    print_complaints(findings for findings, _ in rows)
    if is_interrupted:
        return INTERRUPTED
    if not all(findings.ok() for findings, _ in rows):
        return 1
    return SKIPPED if all(findings.is_skipped for findings, _ in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
