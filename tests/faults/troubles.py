"""Everything but death: disks that refuse, processes that stand still, links that misbehave, clocks that jump. Each is done
to a deployment that works all the while, then undone, and it must heal by itself."""
import ctypes
import errno
import os
import signal
import subprocess
import tempfile
import time

from checks import History, Trouble, check_all
from deployment import Broken, Deployment, until
from kill_points import settle
from proxy import Proxy

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
CLONE_NEWNS = 0x00020000
CALM = 2.0  # seconds in which nothing was acknowledged: then the coordinator does not do so any more


def await_progress(deployment, history, findings, context):
    """Acknowledgements come again, to every recorder."""
    history.read(findings, context)
    before = {agent: number for (agent, _), number in history.acked.items()}

    def all_went_on():
        history.read(findings, context)
        now = {agent: number for (agent, _), number in history.acked.items()}
        return all(now.get(name, 0) > before.get(name, 0) for name in deployment.recorders)
    until(f"{context}results are acknowledged again", all_went_on)


def heal_and_check(deployment, history, findings, context):
    await_progress(deployment, history, findings, context)
    settle(deployment)
    check_all(deployment, history, findings, context)


# --- Disks

FAILING = [("coordinator", "fdatasync", 1), ("coordinator", "fdatasync", 40), ("coordinator", "pwrite64", 60),
           ("coordinator", "fdatasync", 200), ("actuator", "fdatasync", 1), ("actuator", "fdatasync", 3), ("actuator", "pwrite64", 2)]


def failing_disk(bin_folder, _, findings):
    """One call fails once with EIO. Whoever hears it acknowledges nothing more and runs nothing more before a new start."""
    with tempfile.TemporaryDirectory(prefix="firebreak-faults-") as folder, Deployment(bin_folder, folder) as deployment:
        deployment.start_all()
        history = History(deployment)
        with Trouble(deployment):
            for name, call, number in FAILING:
                context = f"{call} {number} of the {name} fails: "
                fail_once(deployment, name, call, number, findings, context)
                await_progress(deployment, history, findings, context)
        settle(deployment)
        check_all(deployment, history, findings, "after a failing disk: ")


def fail_once(deployment, name, call, number, findings, context):
    program = getattr(deployment, name)
    trace = deployment.path("injected")
    program.kill()
    getattr(deployment, "start_" + name)(
        strace=["-o", trace, "-e", f"trace={call}", "-e", f"inject={call}:error=EIO:when={number}"])
    deployment.start_agent()

    def is_injected():
        with open(trace, encoding="ascii", errors="replace") as file:
            return "INJECTED" in file.read()
    until(f"{context}it has happened", is_injected)
    findings.points += 1
    if name == "coordinator":
        code = program.wait(30)
        if code != 1:
            findings.complain("other", f"{context}the coordinator should have ended with 1, not {code}")
    program.kill()
    began = time.monotonic()
    getattr(deployment, "start_" + name)()
    if name == "coordinator":
        deployment.await_coordinator()
        findings.restarts.append(time.monotonic() - began)
    deployment.start_agent()
    deployment.await_agent()


def full_disk(bin_folder, _, findings):
    """The coordinator's disk is full for a while: it acknowledges nothing that is not there, and goes on when there is room."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0 or subprocess.run(
            ["mount", "--make-rprivate", "/"], check=False).returncode != 0:
        findings.skip("no mount namespaces here")
        return
    with tempfile.TemporaryDirectory(prefix="firebreak-faults-") as folder, \
            Deployment(bin_folder, folder, pause_us=0) as deployment:
        disk = deployment.path("coordinator")
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", disk], check=False).returncode != 0:
            findings.skip("tmpfs cannot be mounted here")
            return
        try:
            fill_and_free(deployment, disk, findings)
        finally:
            for program in (deployment.recorder, deployment.agent, deployment.coordinator):
                program.kill()
            subprocess.run(["umount", "-l", disk], check=False)


def fill_and_free(deployment, disk, findings):
    deployment.start_all()
    history = History(deployment)
    with Trouble(deployment):
        for _ in range(2):
            take_all_space(os.path.join(disk, "ballast"))
            await_standstill(deployment, history, findings)
            findings.points += 1
            os.unlink(os.path.join(disk, "ballast"))
            began = time.monotonic()
            if deployment.coordinator.has_ended():
                findings.note = "the coordinator ended, as a service it is started again"
                deployment.start_coordinator()
                deployment.await_coordinator()
            await_progress(deployment, history, findings, "after a full disk: ")
            findings.restarts.append(time.monotonic() - began)
    settle(deployment)
    check_all(deployment, history, findings, "after a full disk: ")


def take_all_space(path):
    with open(path, "wb", buffering=0) as file:
        try:
            while file.write(b"x" * 65536):
                pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def await_standstill(deployment, history, findings):
    """The coordinator has ended, or has acknowledged nothing for a while."""
    state = {"told": -1, "since": time.monotonic()}

    def stands_still():
        history.read(findings, "disk full: ")
        if len(history.told) != state["told"]:
            state.update(told=len(history.told), since=time.monotonic())
        return deployment.coordinator.has_ended() or time.monotonic() - state["since"] > CALM
    until("the full disk is noticed", stands_still)


# --- Processes that stand still

def standstill(bin_folder, _, findings):
    """SIGSTOP, long enough for the link to count as dead (15 s) once, and SIGCONT."""
    with tempfile.TemporaryDirectory(prefix="firebreak-faults-") as folder, Deployment(bin_folder, folder) as deployment:
        deployment.start_all()
        history = History(deployment)
        with Trouble(deployment):
            for name, seconds in (("coordinator", 3), ("agent", 3), ("actuator", 3), ("agent", 17), ("coordinator", 2)):
                program = getattr(deployment, name)
                program.signal(signal.SIGSTOP)
                time.sleep(seconds)
                program.signal(signal.SIGCONT)
                findings.points += 1
                await_progress(deployment, history, findings, f"{name} stood still for {seconds} s: ")
        # Not settle(): the agent comes back by itself.
        deployment.await_agent()
        deployment.end_trouble()
        check_all(deployment, history, findings, "after standing still: ")


# --- Links

def links(bin_folder, _, findings):
    """A proxy between coordinator and agents refuses, delays, swallows, cuts, repeats and changes what passes."""
    with tempfile.TemporaryDirectory(prefix="firebreak-faults-") as folder, Deployment(bin_folder, folder) as deployment, \
            Proxy(deployment.port) as proxy:
        deployment.agent_dials = deployment.recorder_dials = proxy.port
        deployment.write_agent_configuration()
        deployment.start_all()
        history = History(deployment)
        with Trouble(deployment):
            for mode in ("delay", "cut", "refuse", "truncate", "duplicate", "change", "swallow", "cut"):
                proxy.mode = mode
                time.sleep(1)
                proxy.mode = "pass"
                findings.points += 1
                await_progress(deployment, history, findings, f"link: {mode}: ")
                if history.welcomes.get("rec-1", 0) < 2 and mode == "cut":
                    raise Broken("the proxy cut nothing")
        settle(deployment)
        check_all(deployment, history, findings, "after a bad link: ")
        findings.note = f"{proxy.connections} connections"


# --- Clocks

STEPS = ("+1h", "-4m", "+1d", "+0", "-1h", "+0")


def clocks(bin_folder, _, findings):
    """The wall clock of the coordinator's host, then of the agent's, steps to and fro; the steady clock goes on."""
    if not os.path.exists(FAKETIME):
        findings.skip("libfaketime is not installed")
        return
    for name in ("coordinator", "agent"):
        with tempfile.TemporaryDirectory(prefix="firebreak-faults-") as folder, Deployment(bin_folder, folder) as deployment:
            step_clock(deployment, name, findings)


def step_clock(deployment, name, findings):
    deployment.write("clock", "+0\n")
    env = {"LD_PRELOAD": FAKETIME, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_NO_CACHE": "1",
           "FAKETIME_TIMESTAMP_FILE": deployment.path("clock")}
    deployment.start_all()
    program = getattr(deployment, name)
    program.kill()
    getattr(deployment, "start_" + name)(env=env)
    deployment.await_coordinator()
    deployment.await_agent()
    history = History(deployment)
    with Trouble(deployment):
        for step in STEPS:
            deployment.write("clock.new", step + "\n")
            os.rename(deployment.path("clock.new"), deployment.path("clock"))
            findings.points += 1
            time.sleep(1)
            await_progress(deployment, history, findings, f"clock of the {name} at {step}: ")
            if program.has_ended():
                raise Broken(f"the {name} ended when its clock stepped to {step}:\n" + deployment.tail(program))
    heal_and_check(deployment, history, findings, f"after steps of the {name}'s clock: ")
