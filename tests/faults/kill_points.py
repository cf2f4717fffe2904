"""SIGKILL at the N-th system call of a kind, in whichever thread makes it, of the unmodified program; then a start without
that, and a look at what is left. The calls are counted from the start of the program, or from a moment at which it works and
actions are under way."""
import itertools
import tempfile
import time

from checks import History, Trouble, check_all
from deployment import Deployment, Program, until

CALLS = {
    "coordinator": ["pwrite64 later", "pwrite64", "fdatasync later", "fdatasync", "sendmsg later", "sendmsg", "recvmsg later",
                    "write", "fdatasync later", "recvmsg", "sendmsg later", "fcntl", "pwrite64 later", "pread64"],
    "agent": ["sendmsg", "sendto later", "recvmsg", "sendto", "fsync later", "recvfrom", "write", "sendmsg later", "fsync", "rename",
              "rename later", "connect", "recvfrom later", "fdatasync"],
    "actuator": ["pwrite64", "fdatasync", "fsync", "write", "sendto", "recvfrom", "pipe2", "clone", "wait4"],
}
FOLDER_LASTS = 40  # points; then a new deployment, or starts would only measure the length of the journal
LATER = " later"   # counted from when it works
LATER_MOST = 150  # of them: the life of an action is over by then
BACK_WITHIN = 4.0  # seconds; a playbook goes on after a kill, so its trouble must not be over
LIFE_MAX = 2.5     # seconds; a life that has not come to its N-th call by then never will


class Points:
    """(call, N) without end, the calls in turn: every N from 1 while there are many points to try, otherwise spread over the
    first hundred. A call that is not made so often is asked for less, or begins anew."""

    def __init__(self, calls, count):
        self.calls = itertools.cycle(calls)
        self.each = -(-count // len(calls))
        calls = list(dict.fromkeys(calls))
        self.tried = dict.fromkeys(calls, 0)
        self.most = {call: LATER_MOST if call.endswith(LATER) else 100 if self.each < 20 else 10 ** 6 for call in calls}

    def take(self):
        call = next(call for call in self.calls if self.most[call] > 0)
        tried = self.tried[call]
        self.tried[call] += 1
        if self.each >= 20:
            return call, 1 + tried % self.most[call]
        if call.endswith(LATER):
            return call, 1 + int(self.most[call] * (self.tried[call] * 0.618 % 1))
        share = (tried % self.each) / max(self.each - 1, 1)
        return call, round(self.most[call] ** share)

    def was_not_reached(self, call, number):
        self.most[call] = min(self.most[call], number - 1 if self.each >= 20 else number // 2)


def strace_for(call, number):
    call = call.removesuffix(LATER)
    return ["-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"]


class Victim:
    """How each program lives and comes back."""

    def __init__(self, name, deployment, history, trouble, findings):
        self.name, self.deployment, self.history, self.trouble, self.findings = name, deployment, history, trouble, findings
        self.program = {"coordinator": deployment.coordinator, "agent": deployment.agent, "actuator": deployment.actuator}[name]

    def start(self, **how):
        getattr(self.deployment, "start_" + self.name)(**how)

    def live_until_killed(self, call, number):
        """Whether the point was reached."""
        tracer = None
        if call.endswith(LATER):
            self.trouble.await_action()
            tracer = self.attach_tracer(call, number)
        else:
            self.program.kill()
            self.start(strace=strace_for(call, number))
            if self.name != "agent":
                self.deployment.start_agent()  # its back-off would keep it away for most of a life this short
        end = time.monotonic() + LIFE_MAX
        while not self.program.has_ended() and self.program.pid() and time.monotonic() < end:
            time.sleep(0.01)
        reached = self.program.pid() is None
        self.program.kill()
        if tracer:
            tracer.kill()
        return reached

    def attach_tracer(self, call, number):
        """To the program that works, in the middle of its actions."""
        tracer = Program("tracer", self.deployment.folder)
        pid = self.program.pid()
        tracer.start(["strace", "-f", "-qq", *strace_for(call, number), "-p", str(pid)])

        def is_traced():
            if self.program.pid() is None:
                return True  # killed already
            try:
                with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
                    return "TracerPid:\t0\n" not in file.read()
            except OSError:
                return True
        until("strace has attached", is_traced)
        return tracer

    def come_back(self, context):
        self.program.kill()
        self.history.read(self.findings, context)
        before, began = dict(self.history.welcomes), time.monotonic()
        self.start()
        if self.name == "coordinator":
            self.deployment.await_coordinator()
            took = time.monotonic() - began
            self.history.await_welcomes(self.deployment, before, self.findings, context)
            self.deployment.start_agent()
            self.deployment.await_agent()
        else:
            if self.name == "actuator":
                self.deployment.start_agent()
            self.deployment.await_agent()
            took = time.monotonic() - began
        self.findings.restarts.append(took)


def run(name, bin_folder, count, findings):
    """`count` points of one program. Actions are ordered all the time."""
    points = Points(CALLS[name], count)
    findings.wanted = count
    while findings.points < count:
        with tempfile.TemporaryDirectory(prefix="firebreak-faults-") as folder, Deployment(bin_folder, folder) as deployment:
            deployment.start_all()
            history = History(deployment)
            with Trouble(deployment, patience=BACK_WITHIN) as trouble:
                victim = Victim(name, deployment, history, trouble, findings)
                for _ in range(FOLDER_LASTS):
                    call, number = points.take()
                    if victim.live_until_killed(call, number):
                        findings.points += 1
                    else:
                        points.was_not_reached(call, number)
                    victim.come_back(f"{name} killed at {call} {number}: ")
                    if findings.points >= count:
                        break
            settle(deployment)
            check_all(deployment, history, findings, f"{name} killed, after {findings.points} points: ")


def settle(deployment):
    """Everything runs, nothing is wrong any more."""
    deployment.start_agent()
    deployment.await_agent()
    deployment.end_trouble()
    until("the target is seen as well", lambda: seen_well(deployment))


def seen_well(deployment):
    services = deployment.ask("services").get("services", [])
    return services and all(probe["status"] == "STATUS_OK" for service in services for probe in service["probes"])
