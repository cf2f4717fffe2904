"""What must hold whatever was done to the processes: nothing acknowledged is lost, nothing is done twice, what is unclear
is shown as unknown, and a healthy target is not accused."""
import json
import os
import shutil
import subprocess
import threading
import time

from deployment import Broken, until

FINAL = {"succeeded", "failed", "timed_out", "refused", "unknown"}


class Findings:
    """What one fault did: counts for the table, and every complaint in words."""

    def __init__(self, name):
        self.name = name
        self.wanted = 0    # points, where that is known
        self.points = 0
        self.actions = 0   # that really ran meanwhile
        self.lost = 0      # acknowledged results that are gone
        self.doubled = 0   # actions that ran more than once
        self.other = 0     # anything else that must not be
        self.restarts = []  # seconds
        self.complaints = []
        self.note = ""
        self.is_skipped = False

    def skip(self, why):
        """This machine does not allow it."""
        self.is_skipped, self.note = True, "skipped: " + why

    def complain(self, kind, text):
        setattr(self, kind, getattr(self, kind) + 1)
        if text not in self.complaints:
            self.complaints.append(text)

    def ok(self):
        return not self.complaints


class History:
    """What the recorders were told, line by line as it comes."""

    def __init__(self, deployment):
        self.path = deployment.path("history")
        self.offset = 0
        self.acked = {}     # (agent, incarnation) -> highest acknowledged number
        self.told = []      # (microseconds, agent, incarnation, number), in order
        self.welcomes = {}  # agent -> how often a coordinator took it in

    def read(self, findings, context=""):
        """Takes the new lines; complains when a coordinator takes an agent in and knows less than was acknowledged."""
        if not os.path.exists(self.path):
            return
        with open(self.path, encoding="ascii") as file:
            file.seek(self.offset)
            text = file.read()
        whole = text.rfind("\n") + 1
        self.offset += whole
        for line in text[:whole].splitlines():
            at, agent, incarnation, kind, *numbers = line.split()
            who = (agent, incarnation)
            known = int(numbers[-1])
            if kind == "welcome":
                self.welcomes[agent] = self.welcomes.get(agent, 0) + 1
                before = self.acked.get(who, 0)
                if known < before:
                    findings.complain("lost", f"{context}{agent}: {before} was acknowledged, the coordinator knows {known}")
                    self.acked[who] = known
            if known > self.acked.get(who, 0):
                self.acked[who] = known
                self.told.append((int(at), *who, known))

    def await_welcomes(self, deployment, before, findings, context=""):
        """Until the running coordinator has taken every recorder in. `before`: self.welcomes before it was started."""
        def all_in():
            if deployment.coordinator.has_ended():
                raise Broken("the coordinator ended:\n" + deployment.tail(deployment.coordinator))
            self.read(findings, context)
            return all(self.welcomes.get(name, 0) > before.get(name, 0) for name in deployment.recorders)
        until("the recorders are attached again", all_in)


class Trouble(threading.Thread):
    """Makes the coordinator order one action after another, and puts up with everything that fails meanwhile. `patience`: so
    many seconds without an action, and the playbook is taken to be at its end, or kept from going on."""

    def __init__(self, deployment, patience=1.0):
        super().__init__(daemon=True)
        self.deployment, self.patience, self.ending = deployment, patience, threading.Event()

    def run(self):
        while not self.ending.is_set():
            try:
                self.deployment.order_an_action()
                self._let_the_playbook_run()
                self.deployment.end_trouble()
            except (Broken, subprocess.TimeoutExpired, json.JSONDecodeError):
                self.ending.wait(0.05)

    def _let_the_playbook_run(self):
        ran, since = self.deployment.ran(), time.monotonic()
        while time.monotonic() - since < self.patience and not self.ending.wait(0.05):
            if self.deployment.ran() != ran:
                ran, since = self.deployment.ran(), time.monotonic()

    def await_action(self, patience=5.0):
        """Until one has begun, so that it or the next one is under way. Whether that was so in time."""
        ran, end = self.deployment.ran(), time.monotonic() + patience
        while self.deployment.ran() == ran:
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        self.ending.set()
        if kind is not KeyboardInterrupt:  # who is in a hurry does not wait for its questions to end
            self.join()


def read_store(deployment, database):
    """(what the store holds, why it is refused): one of them is None. Never touches the store itself."""
    copy = deployment.path("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(os.path.dirname(database), copy)
    done = subprocess.run([os.path.join(deployment.bin, "tests/faults/faults_journal"),
                           os.path.join(copy, os.path.basename(database))], capture_output=True, encoding="utf-8", errors="replace", timeout=60, check=False)
    if done.returncode == 0:
        return json.loads(done.stdout), None
    return None, done.stderr.strip() or f"the reader ended with {done.returncode}"


def check_store(content, acked, findings, context=""):
    """The journal against what was acknowledged up to some moment."""
    lives = {(agent, incarnation): life for agent, known in content["agents"].items() for incarnation, life in known.items()}
    for who, number in acked.items():
        last = lives.get(who, {}).get("last", 0)
        if last < number:
            findings.complain("lost", f"{context}{who[0]}: {number} was acknowledged, the journal ends at {last}")
    for (agent, incarnation), life in lives.items():
        for what in ("missing", "conflicts", "wrong"):
            if life[what]:
                findings.complain("lost", f"{context}{agent}, life {incarnation}: {life[what]} results {what} in the journal")


def check_actions(deployment, findings, context=""):
    """Waits until every action has come to an end, then holds what is shown against what was really done."""
    try:
        until("every action has an end", lambda: all(state in FINAL for state in deployment.actions().values()))
    except Broken:
        findings.complain("other", f"{context}actions without an end: {deployment.actions()}")
    shown, marks = deployment.actions(), deployment.marks()
    for action, count in marks.items():
        if count > 1:
            findings.complain("doubled", f"{context}{action} ran {count} times")
        if action not in shown:
            findings.complain("other", f"{context}{action} ran and nobody ordered it")
    for action, state in shown.items():
        if state == "succeeded" and marks.get(action, 0) != 1:
            findings.complain("other", f"{context}{action} is shown as succeeded and ran {marks.get(action, 0)} times")
        if state == "refused" and marks.get(action, 0) != 0:
            findings.complain("other", f"{context}{action} is shown as refused and ran")
    findings.actions += sum(1 for action in shown if action in marks)


def check_alarms(deployment, findings, context="", expected=0):
    """Nobody accuses a target that is well."""
    incidents = [incident for incident in deployment.ask("incidents", "--all", "--limit", "1000").get("incidents", [])
                 if incident["service"] == "web"]
    if len(incidents) > expected:
        findings.complain("other", f"{context}{len(incidents) - expected} false incidents, the first: {incidents[0]['title']}")


def check_all(deployment, history, findings, context=""):
    """With everything running and healed."""
    history.read(findings, context)
    check_actions(deployment, findings, context)
    check_alarms(deployment, findings, context)
    deployment.recorder.kill()
    history.read(findings, context)
    deployment.coordinator.kill()
    content, refusal = read_store(deployment, deployment.path("coordinator/coordinator.db"))
    if refusal:
        findings.complain("lost", f"{context}the store is refused: {refusal}")
    else:
        check_store(content, history.acked, findings, context)
