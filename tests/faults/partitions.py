"""Coordinator and agent in network namespaces of their own, on the two ends of one cable: it is unplugged, loosely plugged, or
carries one direction only; or a proxy between them that takes everything and passes nothing on. Both ends find that out, nobody
takes the silence for a fault of the target, and afterwards everything is delivered."""
import calendar
import ctypes
import os
import re
import subprocess
import tempfile
import time

from checks import History, Trouble, check_alarms, check_all
from deployment import Broken, Deployment, until
from kill_points import settle
from proxy import Proxy
from troubles import await_progress

CLONE_NEWNET = 0x40000000
NEAR, FAR = "10.99.7.1", "10.99.7.2"  # the coordinator's end and the agent's
NOBODY = "02:00:00:00:00:99"
FOUND_WITHIN = 15  # seconds, as promised
SLACK = 6          # for a machine that is busy
OUTAGE = 20
FLAPS = 12
STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{3})Z")


class NoNamespaces(Exception):
    """This machine does not allow them."""


def ip(*arguments, prefix=()):
    try:
        done = subprocess.run([*prefix, "ip", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NoNamespaces(str(error)) from error
    if done.returncode != 0:
        raise NoNamespaces(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


class Cable:
    """This process moves to the near end; what is started with `far` before it is on the other. All of it is gone afterwards."""

    def __init__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.home = self.holder = None

    def __enter__(self):
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        try:
            self._plug_in()
        except (NoNamespaces, OSError, Broken):
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.holder:
            self.holder.kill()
            self.holder.wait()
        self.libc.setns(self.home, CLONE_NEWNET)
        os.close(self.home)

    def _plug_in(self):
        if self.libc.unshare(CLONE_NEWNET) != 0:
            raise NoNamespaces("unshare: " + os.strerror(ctypes.get_errno()))
        here = os.readlink("/proc/self/ns/net")
        self.holder = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sleep", "infinity"])
        there = f"/proc/{self.holder.pid}/ns/net"
        until("the other namespace is there", lambda: os.readlink(there) != here or self.holder.poll() is not None, 10)
        self.far = ("nsenter", "--net=" + there, "--")
        ip("link", "add", "near", "type", "veth", "peer", "name", "far", "netns", str(self.holder.pid))
        self.macs = {}
        for end, address, prefix in (("near", NEAR, ()), ("far", FAR, self.far)):
            ip("link", "set", "lo", "up", prefix=prefix)
            ip("address", "add", address + "/24", "dev", end, prefix=prefix)
            self.set_link(end, "up")
            self.macs[end] = re.search(r"ether ([0-9a-f:]+)", ip("link", "show", end, prefix=prefix))[1]
        for end in ("near", "far"):
            self.deliver_from(end, True)

    def _at(self, end):
        return self.far if end == "far" else ()

    def set_link(self, end, state):
        ip("link", "set", end, state, prefix=self._at(end))

    def deliver_from(self, end, does):
        """What is sent from that end: to the other one, or to nobody. Nobody is told."""
        other, address = ("near", NEAR) if end == "far" else ("far", FAR)
        ip("neighbour", "replace", address, "lladdr", self.macs[other] if does else NOBODY, "dev", end, "nud", "permanent",
           prefix=self._at(end))

    def blackhole(self, what):
        ip("route", what, "blackhole", FAR + "/32")
        ip("route", what, "blackhole", NEAR + "/32", prefix=self.far)

    def unplug(self):
        self.set_link("far", "down")

    def plug(self):
        self.set_link("far", "up")
        for end in ("near", "far"):
            self.deliver_from(end, True)


def lines_since(program, offset):
    with open(program.log, encoding="utf-8", errors="replace") as file:
        file.seek(offset)
        return file.read().splitlines()


def stamp(line):
    match = STAMP.match(line)
    return calendar.timegm(time.strptime(match[1], "%Y-%m-%dT%H:%M:%S")) + int(match[2]) / 1000


class Watch:
    """What both ends print from the moment at which something is done to the cable."""

    def __init__(self, deployment):
        self.deployment, self.since, self.slowest = deployment, time.time(), 0.0
        self.offsets = {program: program.log_size() for program in (deployment.agent, deployment.coordinator)}

    def ended(self):
        """(what the agent says, what the coordinator says) of the end of their link, as lines; None while it does not."""
        return (self._find(self.deployment.agent, "link closed"),
                self._find(self.deployment.coordinator, "an agent is detached agent=edge-1"))

    def _find(self, program, text):
        return next((line for line in lines_since(program, self.offsets[program]) if text in line), None)

    def check(self, context, must_be_silence, findings):
        """Both ends have noticed, in time; so many of them must have been told by nobody and have missed a heartbeat."""
        try:
            until(context + "both ends notice", lambda: all(self.ended()), FOUND_WITHIN + SLACK)
        except Broken:
            pass
        silences = 0
        for who, line in zip(("the agent", "the coordinator"), self.ended(), strict=True):
            if line is None:
                findings.complain("other", f"{context}{who} has not noticed within {FOUND_WITHIN + SLACK} s")
                continue
            took = stamp(line) - self.since
            self.slowest = max(self.slowest, took)
            silences += bool(re.search(r"nothing (was )?heard", line))
            if took > FOUND_WITHIN + SLACK:
                findings.complain("other", f"{context}{who} noticed after {took:.1f} s: {line}")
        if silences < must_be_silence:
            findings.complain("other", f"{context}not found by silence: {self.ended()}")
        findings.note += f"{context}known to both ends after {self.slowest:.1f} s; "


def check_nobody_is_accused(deployment, context, findings):
    """While the agent cannot be reached: it is away, and what only it sees is unknown."""
    if deployment.agent_seen():
        findings.complain("other", f"{context}the agent is shown as attached")
    statuses = {probe["status"] for service in deployment.ask("services").get("services", []) for probe in service["probes"]}
    if statuses != {"STATUS_UNKNOWN"}:
        findings.complain("other", f"{context}its probes are shown as {sorted(statuses)}")
    check_alarms(deployment, findings, context)


def on_a_cable(script):
    """The fault that does what `script` says to a cable with a deployment on it that works all the while."""
    def fault(bin_folder, _, findings):
        try:
            with Cable() as cable, tempfile.TemporaryDirectory(prefix="firebreak-faults-") as folder, \
                    Deployment(bin_folder, folder, recorders=("rec-1",), host=NEAR, far=cable.far) as deployment:
                deployment.start_all()
                history = History(deployment)
                with Trouble(deployment):
                    script(cable, deployment, history, findings)
                await_progress(deployment, history, findings, "with the cable in place: ")
                deployment.await_agent()
                settle(deployment)
                check_all(deployment, history, findings, "with the cable in place: ")
        except NoNamespaces as error:
            findings.skip(f"no network namespaces here: {error}")
    return fault


def cut_until_found(deployment, history, findings, context, cut, mend, must_be_silence=0):
    watch = Watch(deployment)
    cut()
    watch.check(context, must_be_silence, findings)
    findings.points += 1
    check_nobody_is_accused(deployment, context, findings)
    time.sleep(max(0, watch.since + OUTAGE - time.time()) if cut.__name__ == "unplug" else 0)
    mend()
    await_progress(deployment, history, findings, context)
    deployment.await_agent()
    closed = stamp(watch.ended()[0]) if watch.ended()[0] else 0

    def attached():
        return [stamp(line) for line in lines_since(deployment.agent, watch.offsets[deployment.agent]) if " attached " in line]
    until("the agent's log tells of the new link", attached)  # it is written by a thread of its own
    if attached()[0] < closed:
        findings.complain("other", f"{context}the agent attached again before it had given the dead link up")


def link_down(cable, deployment, history, findings):
    """Unplugged for a while, then plugged in and out, faster than anybody can attach."""
    cut_until_found(deployment, history, findings, "link down: ", cable.unplug, cable.plug)
    for _ in range(FLAPS):
        cable.unplug()
        time.sleep(0.2)
        cable.plug()
        time.sleep(0.2)
        findings.points += 1
    await_progress(deployment, history, findings, "link flaps: ")


def blackhole(cable, deployment, history, findings):
    """Both hosts have lost their way to the other, and know it."""
    cut_until_found(deployment, history, findings, "blackhole: ", lambda: cable.blackhole("add"), lambda: cable.blackhole("del"))


def one_way(cable, deployment, history, findings):
    """Each direction in turn leads nowhere."""
    for end, context in (("far", "nothing reaches the coordinator: "), ("near", "nothing reaches the agent: ")):
        cut_until_found(deployment, history, findings, context, lambda end=end: cable.deliver_from(end, False), cable.plug)


def half_open(bin_folder, _, findings):
    """TCP is well, and nothing that is said arrives: only a heartbeat can tell."""
    with tempfile.TemporaryDirectory(prefix="firebreak-faults-") as folder, \
            Deployment(bin_folder, folder, recorders=("rec-1",)) as deployment, Proxy(deployment.port) as proxy:
        deployment.agent_dials = deployment.recorder_dials = proxy.port
        deployment.write_agent_configuration()
        deployment.start_all()
        history = History(deployment)

        def pass_on():
            proxy.mode = "pass"
            proxy.cut_all()  # what was swallowed is missing in every connection there is

        with Trouble(deployment):
            cut_until_found(deployment, history, findings, "half-open: ", lambda: setattr(proxy, "mode", "swallow"), pass_on,
                            must_be_silence=2)
        settle(deployment)
        check_all(deployment, history, findings, "after a half-open link: ")
