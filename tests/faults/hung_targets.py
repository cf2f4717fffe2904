"""Targets that accept and never answer: a real nginx and a real Redis that stand still (SIGSTOP). Their probes end in time and say
in which phase, the other probes of the same agent keep to their schedule, and afterwards everything is well again."""
import signal
import tempfile
import time

import journal_rows
from deployment import NGINX, Deployment, Program, answers, free_port, until
from kill_points import seen_well

HANG = 14.0       # seconds
EVERY = 0.2       # of every probe
TIMEOUT = 4.0
CALM_PROBES = 5
# Wide, for the machine is shared: a probe that waited for a hung one would run once in TIMEOUT.
ENOUGH = 0.5      # of the runs that the schedule asks for
GAP_MAX = 3.5     # seconds between two runs

POLICY = """\
severities: {{P1: {{}}}}
facts: {{trouble: 0}}
services:
  web:
    agents: labels.role == 'edge'
    probes:
      health: {{http: "http://127.0.0.1:{web}/", every: 200ms, timeout: 4s, confirm: {{attempts: 1, every: 200ms}}}}
  cache:
    agents: labels.role == 'edge'
    probes:
      ping: {{redis: "127.0.0.1:{cache}", every: 200ms, timeout: 4s, confirm: {{attempts: 1, every: 200ms}}}}
  calm:
    agents: labels.role == 'edge'
    probes:
{calm}
rules:
  - {{service: web, severity: {{P1: "!available('health')"}}}}
  - {{service: cache, severity: {{P1: "!available('ping')"}}}}
  - {{service: calm, severity: {{P1: "!available('p0')"}}}}
actions:
  mark: {{host: {{entry: mark, on: "name == 'edge-1'"}}, timeout: 20s}}
"""
CALM = '      p{i}: {{http: "http://127.0.0.1:{port}/", every: 200ms, timeout: 4s}}'
PHASE = "timeout in first_byte"


def run(bin_folder, _, findings):
    with tempfile.TemporaryDirectory(prefix="firebreak-faults-") as folder, \
            Deployment(bin_folder, folder, recorders=()) as deployment:
        redis, other = Program("redis", folder), Program("other-nginx", folder)
        try:
            calm_port, redis_port = free_port(), free_port()
            deployment.write("other.conf", NGINX.format(folder=folder, port=calm_port).replace("nginx.pid", "other.pid"))
            other.start(["/usr/sbin/nginx", "-p", folder, "-e", "stderr", "-c", deployment.path("other.conf")])
            redis.start(["/usr/bin/redis-server", "--port", str(redis_port), "--bind", "127.0.0.1", "--save", "", "--dir", folder])
            until("the targets answer", lambda: all(answers("127.0.0.1", port) for port in (calm_port, redis_port)))
            calm = "\n".join(CALM.format(i=i, port=calm_port) for i in range(CALM_PROBES))
            deployment.write("policy/policy.yaml", POLICY.format(web=deployment.target_port, cache=redis_port, calm=calm))
            deployment.start_all()
            until("everything is well", lambda: seen_well(deployment))
            hang(deployment, (deployment.target, redis), findings)
        finally:
            redis.kill()
            other.kill()


def hang(deployment, targets, findings):
    time.sleep(2)  # of a calm schedule, to compare with
    began = time.time()
    for target in targets:
        target.signal(signal.SIGSTOP)
    findings.points += len(targets)
    time.sleep(HANG)
    titles = {incident["service"]: incident["title"] for incident in deployment.ask("incidents").get("incidents", [])}
    over = time.time()
    for target in targets:
        target.signal(signal.SIGCONT)
    mended = time.monotonic()
    until("everything is well again", lambda: seen_well(deployment))
    findings.restarts.append(time.monotonic() - mended)
    time.sleep(2)
    deployment.agent.stop()
    deployment.coordinator.stop()
    seen = journal_rows.observations(journal_rows.read_results(deployment.path("coordinator")))
    check(titles, seen, began, over, findings)
    findings.note = f"{len(seen[('calm', 'p0')])} runs of a probe beside the hung ones"


def check(titles, seen, began, over, findings):
    if sorted(titles) != ["cache", "web"]:
        findings.complain("other", f"while two targets hang, there are incidents of {sorted(titles)}")
    for service, title in titles.items():
        if PHASE not in title:
            findings.complain("other", f"{service} hangs: the incident does not say {PHASE!r} but {title!r}")
    for probe in [("calm", f"p{i}") for i in range(CALM_PROBES)]:
        if any(status != 0 for _, status in seen[probe]):
            findings.complain("other", f"{probe} failed, and its target was well")
        times = [at / 1e6 for at, _ in seen[probe] if began <= at / 1e6 <= over]
        if len(times) < ENOUGH * (over - began) / EVERY:
            findings.complain("other", f"{probe} ran {len(times)} times in {over - began:.1f} s beside hung targets")
        widest = max((later - earlier for earlier, later in zip(times, times[1:])), default=over - began)
        if widest > GAP_MAX:
            findings.complain("other", f"{probe} did not run for {widest:.1f} s beside hung targets")
    for probe in (("web", "health"), ("cache", "ping")):
        times = [at / 1e6 for at, status in seen[probe] if began <= at / 1e6 <= over and status != 0]
        # One at a time, and each of them ends.
        if len(times) < int((over - began) / (TIMEOUT + EVERY)) - 1:
            findings.complain("other", f"{probe} ended {len(times)} times in {over - began:.1f} s of hanging")
