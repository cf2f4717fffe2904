#!/usr/bin/env python3
# Does to the real programs what the world does, and holds what is left against what was promised. Usage: faults.py --help
# Prints one table and exits 0 only if nothing was lost, doubled or silently wrong; 77 when this machine does not allow it.
import argparse
import os
import subprocess
import sys
import time
import traceback

sys.dont_write_bytecode = True
import damage  # noqa: E402
import kill_points  # noqa: E402
import power_cuts  # noqa: E402
import troubles  # noqa: E402
from checks import Findings  # noqa: E402
from deployment import Broken  # noqa: E402

SKIPPED = 77
SHORT_POINTS = 14
SHORT_CUTS = 60
SHORT_DAMAGES = 150
COMPLAINTS_SHOWN = 20


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
    "damaged-files": lambda bin_folder, options, findings: damage.run(bin_folder, options.damages, findings),
    "failing-disk": troubles.failing_disk,
    "full-disk": troubles.full_disk,
    "standstill": troubles.standstill,
    "links": troubles.links,
    "clocks": troubles.clocks,
}


def obstacle():
    """Why this machine does not allow it; '' when it does."""
    if os.geteuid() != 0:
        return "actions run as root, and so does this"
    if subprocess.run(["strace", "-o", "/dev/null", "true"], check=False, capture_output=True).returncode != 0:
        return "strace may not trace here"
    return ""


def print_table(rows):
    print(f"\n{'fault':24} {'points':>7} {'acked lost':>11} {'doubled':>8} {'other':>6} {'restart p50':>12} {'p99':>8} {'took':>8}")
    for findings, took in rows:
        times = [f"{quantile(findings.restarts, q):.2f} s" if findings.restarts else "-" for q in (0.5, 0.99)]
        print(f"{findings.name:24} {findings.points:7} {findings.lost:11} {findings.doubled:8} {findings.other:6} {times[0]:>12} "
              f"{times[1]:>8} {took:6.0f} s  {findings.note}")
    for findings, _ in rows:
        for complaint in findings.complaints[:COMPLAINTS_SHOWN]:
            print(f"FAIL: {complaint}")
        if len(findings.complaints) > COMPLAINTS_SHOWN:
            print(f"FAIL: {findings.name}: {len(findings.complaints) - COMPLAINTS_SHOWN} more")


def main():
    parser = argparse.ArgumentParser(description="Does to the real programs what the world does, and checks what is left.")
    parser.add_argument("--bin", required=True, help="the build folder")
    parser.add_argument("--kill-points", type=int, default=SHORT_POINTS, help="per program (%(default)s)")
    parser.add_argument("--power-cuts", type=int, default=SHORT_CUTS, help="moments (%(default)s)")
    parser.add_argument("--damages", type=int, default=SHORT_DAMAGES, help="of files (%(default)s)")
    parser.add_argument("faults", nargs="*", metavar="FAULT", help="all by default: " + ", ".join(FAULTS))
    options = parser.parse_args()
    unknown = [name for name in options.faults if name not in FAULTS]
    if unknown:
        parser.error(f"there is no fault {unknown[0]}")
    if obstacle():
        print("skipped: " + obstacle())
        return SKIPPED
    rows = []
    for name in options.faults or FAULTS:
        findings, began = Findings(name), time.monotonic()
        try:
            FAULTS[name](options.bin, options, findings)
        except (Broken, OSError, subprocess.SubprocessError) as error:
            traceback.print_exc()
            findings.complain("other", f"{name}: {error}")
        rows.append((findings, time.monotonic() - began))
    print_table(rows)
    return 0 if all(findings.ok() for findings, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
