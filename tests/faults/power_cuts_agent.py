"""Power cuts of an agent's host: its spool, its epoch and its list of orders, and the actuator's journal, as a disk may hold
them at any moment. Nothing that was sent is given a second meaning, nothing that was kept for the coordinator is gone, and no
action that may have begun begins again."""
import os
import random
import re
import tempfile
import time

import actuator_wire
import journal_rows
import spool_damage
import spool_format
from checks import Findings, Trouble
from deployment import Broken, Deployment, actions_file, until
from power_cuts import CALLS, Disk, SYNC, finished_calls, unescape, write_image

PROBES = 12
AWAY = 2.5      # seconds without a coordinator, twice
ORDERS = 40
EXECUTE = re.compile(r'execve\("((?:\\x[0-9a-f]{2})*)", .*"\\x46\\x49\\x52\\x45\\x42\\x52\\x45\\x41\\x4b\\x5f\\x41\\x43\\x54\\x49\\x4f\\x4e'
                     r'\\x5f\\x49\\x44\\x3d((?:\\x[0-9a-f]{2})*)".*= 0')  # FIREBREAK_ACTION_ID=
# What is checked comes after the checksum in one, and before it in the other.
CHECKED = {"epoch": re.compile(rb"(?P<text>\d+) crc32c=(?P<crc>[0-9a-f]{8})\n"),
           "orders": re.compile(rb"# crc32c (?P<crc>[0-9a-f]{8})\n(?P<text>.*)", re.DOTALL)}
START_EVERY = 10  # images; these are given to the program itself


def strace(trace, calls):
    # -y: paths for descriptors; -xx: bytes in hexadecimal; -v: what a program is given.
    return ["-v", "-ttt", "-y", "-xx", "-s", "1000000", "-o", trace, "-e", f"trace={calls}"]


def moments(calls, first, count, choose):
    """(number, call, whether to cut before it) of every call."""
    chosen = set(choose.sample(range(first, len(calls)), min(count, len(calls) - first)))
    if not any(SYNC.match(call) for _, call in calls):
        raise Broken("the trace holds no sync: strace writes it in another form than expected")
    for number, (_, call) in enumerate(calls):
        yield number, call, number in chosen


# --- The agent

def run_agent(bin_folder, cuts, findings):
    with tempfile.TemporaryDirectory(prefix="firebreak-faults-") as folder, \
            Deployment(bin_folder, folder, recorders=()) as deployment:
        trace = deployment.path("trace")
        work(deployment, trace)
        batches = [batch for batch in journal_rows.read_results(deployment.path("coordinator")) if batch.agent == "edge-1"]
        with open(deployment.path("actuator/journal"), "rb") as file:
            begun, _ = actuator_wire.read_journal(file.read())
        agent_cuts(deployment, list(finished_calls(trace)), batches, begun, cuts, findings)


def work(deployment, trace):
    """Results that are acknowledged at once, that wait, that are drained and removed; and orders."""
    with open(deployment.path("policy/policy.yaml"), encoding="utf-8") as file:
        policy = file.read()
    probes = "\n".join(spool_damage.PROBE.format(i=i, target=deployment.target_port) for i in range(PROBES))
    deployment.write("policy/policy.yaml", policy.replace(
        "services:\n", f"services:\n  many:\n    agents: name == 'edge-1'\n    probes:\n{probes}\n"))
    deployment.write("edge-1.yaml", deployment.agent_configuration(
        "edge-1", spool_damage.SMALL_SPOOL, f"actuator: {deployment.path('edge-1.sock')}"))
    deployment.start_coordinator()
    deployment.await_coordinator()
    deployment.start_actuator()
    deployment.start_agent(strace=strace(trace, CALLS))
    deployment.await_agent()
    with Trouble(deployment):
        for _ in range(2):
            time.sleep(AWAY)
            deployment.coordinator.kill()
            time.sleep(AWAY)
            deployment.start_coordinator()
            deployment.await_coordinator()
            deployment.await_agent()
        time.sleep(AWAY)
    for program in (deployment.agent, deployment.coordinator, deployment.actuator):
        program.kill()


class Kept:
    """The results that an agent's disk has ever promised to keep: number -> content."""

    def __init__(self, disk):
        self.disk, self.results, self.sizes = disk, {}, {}

    def look(self):
        for path, file in self.disk.synced.items():
            if self.sizes.get(path) == len(file.synced):
                continue
            self.sizes[path] = len(file.synced)
            segment = spool_format.read_segment(os.path.basename(path), file.synced)
            for record in segment.records:
                if record.seq:
                    self.results[record.seq] = (record.status, record.latency)


def agent_cuts(deployment, calls, batches, begun, cuts, findings):
    choose = random.Random(19)
    state, spool = Disk(deployment.path("edge-1")), Disk(deployment.path("edge-1/spool"))
    kept, tries = Kept(spool), []
    known_times = [(batch.at / 1e6, batch.first + len(batch.rows) - 1, batch.incarnation) for batch in batches]
    first = next(i for i, (at, _) in enumerate(calls) if at > known_times[0][0])
    for number, call, is_cut in moments(calls, first, cuts, choose):
        if is_cut:
            kept.look()
            at = calls[number - 1][0]
            known = max(last for when, last, _ in known_times if when <= at)
            orders = {action for action, when in begun.items() if when / 1e6 <= at}
            for kind, choice in (("only what was synced", None), ("some sectors more", choose)):
                context = f"power cut before call {number} ({call.split('<')[0]}), {kind}"
                image = spool.image(choice)
                check_spool(image, known, kept.results, findings, context)
                check_small_files(state.image(choice), orders, findings, context)
                findings.points += 1
                if findings.points % START_EVERY == 0:
                    tries.append(spool_damage.Damage(context, image))
        if "unlink" in call:
            kept.look()
        for disk in (state, spool):
            disk.apply(call)
    check_that_loss_is_seen(spool, known_times[-1][1], kept)
    start_agents(deployment, tries, findings)
    findings.note = f"{len(kept.results)} results, {len(begun)} orders"


def check_spool(image, known, kept, findings, context):
    """`known`: up to which number the coordinator has taken results in."""
    segments = spool_format.read_spool(image)
    proven = max((max([segment.header.base - 1] + [record.seq for record in segment.records])
                  for segment in segments if segment.header), default=0)
    if proven < known:
        findings.complain("doubled", f"{context}: result {known} was sent, and the spool would give its number again")
    left = spool_format.content_of(segments).results
    lost = [seq for seq, row in kept.items() if seq > known and left.get(seq) != row]
    if lost:
        findings.complain("lost", f"{context}: {len(lost)} results that were kept are gone, the first is {min(lost)}")


def check_small_files(image, orders, findings, context):
    for name in ("epoch", "orders"):
        match = CHECKED[name].fullmatch(image.get(name, b""))
        if name in image and not (match and int(match["crc"], 16) == spool_format.crc32c(match["text"])):
            findings.complain("other", f"{context}: {name} is {image[name]!r}")
    if "epoch" not in image:
        findings.complain("other", f"{context}: a coordinator was obeyed, and there is no epoch")
    gone = orders - set(image.get("orders", b"").decode(errors="replace").splitlines())
    if gone:
        findings.complain("other", f"{context}: the actuator has {sorted(gone)}, and the agent would say that they were refused")


def check_that_loss_is_seen(spool, known, kept):
    """A disk that lied about its syncs: a check that does not notice this one is worth nothing."""
    image = spool.image(None)
    newest = max(image)
    unnoticed = Findings("a disk that lies")
    check_spool({**image, newest: image[newest][:2 * spool_format.COPY]}, known, kept.results, unnoticed, "")
    if not unnoticed.lost and not unnoticed.doubled:
        raise Broken("the check does not notice that the newest file is empty")


def start_agents(deployment, tries, findings):
    """Each image is given to an agent of its own: it delivers what is there."""
    deployment.start_coordinator()
    deployment.await_coordinator()
    trials = []
    for begin in range(0, len(tries), spool_damage.AT_ONCE):
        group = [spool_damage.Trial(deployment, begin + i, damage)
                 for i, damage in enumerate(tries[begin:begin + spool_damage.AT_ONCE])]
        spool_damage.run_trials(deployment, group, findings, dies=False)
        trials += group
    dropped = {agent["name"]: int(agent["dropped_results"]) for agent in deployment.ask("agents").get("agents", [])}
    deployment.coordinator.kill()
    batches = journal_rows.read_results(deployment.path("coordinator"))
    for trial in trials:
        spool_damage.check_arrived(trial, trial.left, batches, dropped.get(trial.name, 0), findings)


# --- The actuator

def run_actuator(bin_folder, cuts, findings):
    with tempfile.TemporaryDirectory(prefix="firebreak-faults-") as folder, \
            Deployment(bin_folder, folder, recorders=()) as deployment:
        trace = deployment.path("trace")
        # Another one for afterwards: what may still run is not started beside itself.
        deployment.write("actions/other.yaml", actions_file(deployment.path(), ["other"]))
        deployment.start_actuator(strace=strace(trace, CALLS + ",execve"))
        until("the actuator listens", lambda: os.path.exists(deployment.path("edge-1.sock")))
        told = []  # (action, how it ended, when it was told)
        with actuator_wire.Connection(deployment.path("edge-1.sock")) as connection:
            for number in range(ORDERS):
                action = f"act-{number}"
                connection.send(actuator_wire.order(action, "mark", 1 + number // 10))
                told.append((action, connection.end_of(action), time.time()))
                if number % 2 == 0:
                    connection.send(actuator_wire.acknowledge(action))
        deployment.actuator.kill()
        if [state for _, state, _ in told] != ["succeeded"] * ORDERS:
            raise Broken(f"not every action succeeded: {told}")
        actuator_cuts(deployment, list(finished_calls(trace)), told, cuts, findings)


def actuator_cuts(deployment, calls, told, cuts, findings):
    choose = random.Random(23)
    disk, begun = Disk(deployment.path("actuator")), []
    for number, call, is_cut in moments(calls, 1, cuts, choose):
        if is_cut:
            ended = {action for action, _, when in told if when <= calls[number - 1][0]}
            for kind, choice in (("only what was synced", None), ("some sectors more", choose)):
                context = f"power cut before call {number} ({call.split('<')[0]}), {kind}"
                image = disk.image(choice)
                check_journal(image, begun, ended, findings, context)
                findings.points += 1
                if findings.points % START_EVERY == 0:
                    order_again(deployment, image, begun, findings, context)
        disk.apply(call)
        match = EXECUTE.match(call)
        if match and unescape(match[1]).decode() == deployment.path("mark"):
            begun.append(unescape(match[2]).decode())
    if sorted(begun) != sorted(action for action, _, _ in told):
        raise Broken(f"the trace shows other actions than were ordered: {begun}")
    unnoticed = Findings("a disk that lies")
    check_journal({"journal": disk.image(None)["journal"][:-300]}, begun, set(), unnoticed, "")
    if unnoticed.ok():
        raise Broken("the check does not notice that the journal's end is gone")
    findings.note = f"{len(begun)} actions"


def check_journal(image, begun, ended, findings, context):
    read = actuator_wire.read_journal(image.get("journal", b""))
    if read is None:
        findings.complain("other", f"{context}: the journal counts as damaged, nothing would run any more")
        return
    intents, ends = read
    forgotten = [action for action in begun if action not in intents]
    if forgotten:
        findings.complain("doubled", f"{context}: {forgotten} began, and the journal would let them begin again")
    changed = [action for action in ended if ends.get(action) != "succeeded"]
    if changed:
        findings.complain("lost", f"{context}: {sorted(changed)} was told to have succeeded, and the journal does not know")


def order_again(deployment, image, begun, findings, context):
    """The program itself: what has begun does not begin again, what has not does."""
    marks = deployment.marks()
    write_image(deployment.path("actuator"), image)
    began = time.monotonic()
    deployment.start_actuator()
    until("the actuator listens", lambda: os.path.exists(deployment.path("edge-1.sock")))
    with actuator_wire.Connection(deployment.path("edge-1.sock")) as connection:
        findings.restarts.append(time.monotonic() - began)
        for action in begun:
            connection.send(actuator_wire.order(action, "mark", 9))
            connection.end_of(action)
        fresh = f"fresh-{findings.points}"
        connection.send(actuator_wire.order(fresh, "other", 9))
        state = connection.end_of(fresh)
    deployment.actuator.kill()
    after = deployment.marks()
    again = [action for action in begun if after.get(action, 0) != marks.get(action, 0)]
    if again:
        findings.complain("doubled", f"{context}: {again} ran again")
    if state != "succeeded" or after.get(fresh) != 1:
        findings.complain("other", f"{context}: a new action is {state}, and ran {after.get(fresh, 0)} times")
