"""An agent probes a target at the other end of a cable. The target hangs or stops: that is a failure, found at once. The cable is
unplugged at either end: the agent is blind, and its results are unknown. The agent itself stands still: what it misses meanwhile
blames nobody."""
import http.server
import random
import signal
import tempfile
import threading
import time

import journal_rows
from deployment import NGINX, Deployment, Program, answers, free_port, until
from partitions import NEAR, Cable, NoNamespaces
from kill_points import seen_well

UNPLUGGED = 10.0   # seconds; well over the time-out
STANDSTILLS = 12
FOUND_WITHIN = 5.0  # seconds, for an outage with a time-out of 1 s and two runs more; wide, for the machine is shared
OK, CRITICAL, UNKNOWN = 0, 2, 3

POLICY = """\
severities: {{P1: {{}}}}
services:
  far:
    agents: labels.role == 'edge'
    probes:
      health: {{http: "http://{near}:{target}/", every: 500ms, timeout: 1s, confirm: {{attempts: 2, every: 200ms}}}}
  own:
    agents: labels.role == 'edge'
    probes:
      health: {{http: "http://127.0.0.1:{own}/", every: 500ms, timeout: 1s, confirm: {{attempts: 2, every: 200ms}}}}
  slow:
    agents: labels.role == 'edge'
    probes:
      health: {{http: {{url: "http://{near}:{slow}/4", max_redirects: 5}}, every: 1s, timeout: 2s, confirm: {{attempts: 0}}}}
rules:
  - {{service: far, severity: {{P1: "!available('health')"}}}}
  - {{service: own, severity: {{P1: "!available('health')"}}}}
  - {{service: slow, severity: {{P1: "!available('health')"}}}}
"""
FAR, OWN, SLOW = ("far", "health"), ("own", "health"), ("slow", "health")


class SlowHandler(http.server.BaseHTTPRequestHandler):
    """Sends the probe from one path to the next, so that a run is mostly under way, and has more to do after a standstill."""

    def do_GET(self):  # noqa: N802 (the name is the library's)
        time.sleep(0.15)
        left = int(self.path[1:])
        self.send_response(302 if left else 200)
        if left:
            self.send_header("Location", f"/{left - 1}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class SlowTarget:
    def __init__(self):
        self.server = http.server.ThreadingHTTPServer((NEAR, free_port()), SlowHandler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def open_incidents(deployment):
    return {incident["service"]: incident["title"] for incident in deployment.ask("incidents").get("incidents", [])}


def until_calm(deployment, context):
    def is_calm():
        if not seen_well(deployment):
            return False
        for incident in deployment.ask("incidents").get("incidents", []):
            deployment.firebreak("resolve", incident["id"], "--reason", "the test goes on")
        return not open_incidents(deployment)
    until(context, is_calm)


def target_fails(deployment, nginx, findings, what, number, text):
    """While the agent sees: a real outage is one, and soon."""
    began = time.monotonic()
    nginx.signal(number)
    title = until(what + " is an incident", lambda: open_incidents(deployment).get("far"))
    took = time.monotonic() - began
    findings.points += 1
    findings.note += f"{what}: found after {took:.1f} s; "
    if took > FOUND_WITHIN:
        findings.complain("other", f"{what}: an incident only after {took:.1f} s")
    if text not in title:
        findings.complain("other", f"{what}: the incident does not say {text!r} but {title!r}")
    if number == signal.SIGSTOP:
        nginx.signal(signal.SIGCONT)
    else:
        until("nginx has ended", nginx.has_ended)
        nginx.start(nginx.command)
    until_calm(deployment, "everything is well again")


def unplugged(deployment, cable, end, findings):
    """When it was out: (from, to), seconds since 1970."""
    offset = deployment.agent.log_size()
    out = time.time()
    cable.set_link(end, "down")
    time.sleep(UNPLUGGED)
    deployment.target.signal(signal.SIGSTOP)  # the agent's own nginx: for that it is not blind
    time.sleep(UNPLUGGED / 2)
    deployment.target.signal(signal.SIGCONT)
    back = time.time()
    if end == "near" and not deployment.agent.said("this agent is blind", offset):
        findings.complain("other", f"unplugged at its {end} end: the agent does not say that it is blind")
    cable.plug()
    cable.set_link(end, "up")
    findings.points += 1
    deployment.await_attached()
    until_calm(deployment, "everything is well with the cable in place")
    return out, back


def stand_still(deployment, findings):
    """For so long that the deadline of a run under way passes meanwhile, or soon after."""
    chance = random.Random(1)
    began = time.time()
    for _ in range(STANDSTILLS):
        time.sleep(0.5 + chance.random())
        deployment.agent.signal(signal.SIGSTOP)
        time.sleep(1.3 + 1.3 * chance.random())
        deployment.agent.signal(signal.SIGCONT)
        findings.points += 1
    time.sleep(2)
    return began, time.time()


def between(rows, span):
    return [status for at, status in rows if span[0] <= at / 1e6 <= span[1]]


def check(seen, outages, standstill, findings):
    for context, (out, back) in outages.items():
        # What began before may end well, and what ends later may have begun in the dark.
        statuses = between(seen[FAR], (out + 0.5, back))
        if CRITICAL in statuses:
            findings.complain("other", f"{context}: {statuses.count(CRITICAL)} of {len(statuses)} results blame the far target")
        if UNKNOWN not in statuses:
            findings.complain("other", f"{context}: no result says unknown, but {sorted(set(statuses))}")
        own = between(seen[OWN], (out + UNPLUGGED, back))
        if CRITICAL not in own:
            findings.complain("other", f"{context}: the agent's own host hung, and its results are {sorted(set(own))}")
    for probe in (FAR, OWN, SLOW):
        statuses = between(seen[probe], standstill)
        if CRITICAL in statuses:
            findings.complain("other", f"standing still: {statuses.count(CRITICAL)} of {len(statuses)} results blame {probe}")
        if OK not in statuses:
            findings.complain("other", f"standing still: {probe} is never seen as well")
    excused = between(seen[SLOW], standstill).count(UNKNOWN)
    findings.note += f"{excused} runs spoilt by {STANDSTILLS} standstills"
    if excused == 0:
        findings.complain("other", "standing still: no run was spoilt, so nothing is proven")


def script(cable, deployment, nginx, findings):
    until("everything is well", lambda: seen_well(deployment))
    target_fails(deployment, nginx, findings, "a target that hangs", signal.SIGSTOP, "timeout")
    target_fails(deployment, nginx, findings, "a target that has ended", signal.SIGKILL, "refused")
    outages = {f"unplugged at the {end} end": unplugged(deployment, cable, end, findings) for end in ("near", "far")}
    standstill = stand_still(deployment, findings)
    until_calm(deployment, "everything is well in the end")
    deployment.agent.stop()
    deployment.coordinator.stop()
    seen = journal_rows.observations(journal_rows.read_results(deployment.path("coordinator")))
    check(seen, outages, standstill, findings)


class SightDeployment(Deployment):
    """Without actuator and recorders."""

    def start_all(self):
        self.write_agent_configuration()
        self.start_coordinator()
        self.await_coordinator()
        self.start_agent()
        self.await_attached()

    def await_attached(self):
        until("the agent is attached", self.agent_seen)

    def agent_configuration(self, name, *_):
        return super().agent_configuration(name)


def run(bin_folder, _, findings):
    slow = None
    try:
        with Cable() as cable, tempfile.TemporaryDirectory(prefix="firebreak-faults-") as folder, \
                SightDeployment(bin_folder, folder, recorders=(), host=NEAR, far=cable.far) as deployment:
            nginx, port = Program("far-nginx", folder), free_port()
            try:
                slow = SlowTarget()
                deployment.write("far.conf", NGINX.format(folder=folder, port=port).replace("nginx.pid", "far.pid")
                                 .replace("127.0.0.1", NEAR))
                nginx.command = ["/usr/sbin/nginx", "-p", folder, "-e", "stderr", "-c", deployment.path("far.conf")]
                nginx.start(nginx.command)
                until("the far nginx answers", lambda: answers(NEAR, port))
                deployment.write("policy/policy.yaml",
                                 POLICY.format(near=NEAR, target=port, own=deployment.target_port, slow=slow.port))
                deployment.start_all()
                script(cable, deployment, nginx, findings)
            finally:
                nginx.kill()
                if slow:
                    slow.close()
    except NoNamespaces as error:
        findings.skip(f"no network namespaces here: {error}")
