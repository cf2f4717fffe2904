"""The coordinator's snapshots come back changed: at every kind of place, cut, exchanged, gone. It starts with all that was
committed, from the snapshot before or from the journal, and says which file it put aside; or it refuses and names one."""
import os
import random
import re
import sqlite3
import struct
import tempfile
import time

from checks import Findings, History, Trouble, check_store, read_store
from damage import flipped, read
from deployment import Broken, Deployment, until
from kill_points import settle
from power_cuts import write_image

HEADER = [("magic", 8), ("version", 4), ("anchor", 4), ("position", 8), ("epoch", 8), ("time", 8), ("policy", 64), ("crc", 4)]
TRAILER = [("trailer mark", 4), ("trailer count", 8), ("trailer crc", 4)]
TRAILER_MARK = 0xffffffff
LIFE = 1.5  # seconds of work between two snapshots


def places(data):
    """(kind, from, to) of everything in a snapshot, by docs/journal-format.md."""
    at = 0
    for field, size in HEADER:
        yield "header, " + field, at, at + size
        at += size
    while (size := struct.unpack_from("<I", data, at)[0]) != TRAILER_MARK:
        yield "record, length", at, at + 4
        yield "record, crc", at + 4, at + 8
        yield "record, bytes", at + 8, at + 8 + size
        at += 8 + size
    for field, size in TRAILER:
        yield field, at, at + size
        at += size
    if at != len(data):
        raise Broken("a snapshot is not as docs/journal-format.md says")


def damages(image, count, choose):
    """(what, image): of the newest snapshot, of both, and of what they belong to."""
    older, newest = snapshots(image)
    kinds = {}
    for kind, begin, end in places(image[newest]):
        kinds.setdefault(kind, []).append((begin, end))
    for number in range(max(count, len(kinds))):
        kind, where = list(kinds.items())[number % len(kinds)]
        begin, end = choose.choice(where)
        at, bit = choose.randrange(begin, end), choose.randrange(8)
        yield f"{kind}, byte {at} bit {bit} of the newest", {**image, newest: flipped(image[newest], at, bit)}
        if (number + number // len(kinds)) % 2 == 0:
            yield f"{kind}, {at} bytes left of the newest", {**image, newest: image[newest][:at]}
    without = {name: data for name, data in image.items() if name != newest}
    yield "more after the end of the newest", {**image, newest: image[newest] + b"\0"}
    yield "the newest is gone", without
    yield "both are gone", {name: data for name, data in without.items() if name != older}
    yield "both have the content of the older", {**image, newest: image[older]}
    yield "both have the content of the newest", {**image, older: image[newest]}
    yield "the older is damaged", {**image, older: flipped(image[older], 300, 1)}
    yield "both are damaged", {**image, older: flipped(image[older], 300, 1), newest: flipped(image[newest], 300, 1)}
    yield "one that was being written", {**image, newest + ".tmp": image[newest][:200]}


def snapshots(image):
    return sorted(name for name in image if re.fullmatch(r"snapshot-\d{20}", name))


def trimmed(folder, image):
    """The same store after retention: what the older snapshot covers has left the journal."""
    write_image(folder, {name: data for name, data in image.items() if name.startswith("coordinator.db")})
    until_position = int(snapshots(image)[0].split("-")[1])
    store = sqlite3.connect(os.path.join(folder, "coordinator.db"))
    end, = store.execute("SELECT max(position + count - 1) FROM journal WHERE position + count - 1 < ?", (until_position,)).fetchone()
    store.execute("DELETE FROM journal WHERE position <= ?", (end,))
    store.execute("UPDATE trimmed SET position = ?", (end,))
    store.commit()
    store.close()
    return {**{name: data for name, data in image.items() if name.startswith("snapshot-")},
            "coordinator.db": read(os.path.join(folder, "coordinator.db"))}


def view(deployment):
    """All that a coordinator shows and that does not depend on when it was started."""
    status = deployment.ask("status")
    return {
        "status": [status[name] for name in ("results_committed", "results_duplicate", "results_dropped", "policy_digest", "services",
                                             "incidents_open")],
        "agents": [{name: agent[name] for name in ("name", "version", "labels", "last_seen_unix_us", "acked_seq", "dropped_results",
                                                   "actions")} for agent in deployment.ask("agents")["agents"]],
        "incidents": deployment.ask("incidents", "--all", "--limit", "1000")["incidents"],
    }


def start_on(deployment, image):
    """Whether it listens, and the log of this start."""
    write_image(deployment.path("coordinator"), image)
    since = deployment.coordinator.log_size()
    deployment.start_coordinator()
    until("the coordinator has decided",
          lambda: deployment.coordinator.has_ended() or deployment.coordinator.said(" listening ", since))
    with open(deployment.coordinator.log, encoding="utf-8", errors="replace") as file:
        file.seek(since)
        return not deployment.coordinator.has_ended(), file.read()


def try_image(deployment, what, image, wanted, may_refuse, findings):
    began = time.monotonic()
    listens, said = start_on(deployment, image)
    findings.points += 1
    if not listens:
        if not may_refuse:
            findings.complain("lost", f"{what}: does not start:\n{said}")
        elif not re.search(r"snapshot-\d{20}|coordinator\.db", said):
            findings.complain("other", f"{what}: the refusal names no file:\n{said}")
        return False
    findings.restarts.append(time.monotonic() - began)
    found = view(deployment)
    for part in wanted:
        if found[part] != wanted[part]:
            findings.complain("lost", f"{what}: nobody noticed, other {part} than before:\n{said}")
    deployment.coordinator.kill()
    for name in (name for name in image if name + ".refused" in os.listdir(deployment.path("coordinator"))):
        if name not in said:
            findings.complain("other", f"{what}: {name} was put aside without a word")
    return True


def work(deployment, findings):
    """A store with two snapshots and a journal that goes on after them, as it is after SIGKILL."""
    deployment.start_all()
    history = History(deployment)
    with Trouble(deployment):
        for _ in range(2):
            time.sleep(LIFE)
            deployment.coordinator.stop()
            before = dict(history.welcomes)
            deployment.start_coordinator()
            history.await_welcomes(deployment, before, findings)
        deployment.await_agent()
        time.sleep(LIFE)
    settle(deployment)
    for program in (deployment.coordinator, deployment.recorder, deployment.agent, deployment.actuator):
        program.kill()
    history.read(findings)
    content, refusal = read_store(deployment, deployment.path("coordinator/coordinator.db"))
    if refusal:
        raise Broken(f"the undamaged store is refused: {refusal}")
    check_store(content, history.acked, findings)
    folder = deployment.path("coordinator")
    image = {name: read(os.path.join(folder, name)) for name in os.listdir(folder) if not name.endswith(("-shm", ".lock"))}
    if len(snapshots(image)) != 2:
        raise Broken(f"there are not two snapshots: {sorted(image)}")
    return image


def run(bin_folder, count, findings):
    with tempfile.TemporaryDirectory(prefix="firebreak-faults-") as folder, \
            Deployment(bin_folder, folder, recorders=("rec-1",)) as deployment:
        image = work(deployment, findings)
        if not start_on(deployment, image)[0]:
            raise Broken("the undamaged store is refused:\n" + deployment.tail(deployment.coordinator))
        wanted = view(deployment)
        deployment.coordinator.kill()
        choose = random.Random(17)
        for what, damaged in damages(image, count, choose):
            try_image(deployment, what, damaged, wanted, False, findings)
        for what, damaged in late_journals(deployment, image):
            try_image(deployment, what, damaged, wanted, False, findings)
        refused = 0
        for what, damaged in lacking(deployment, image):
            if try_image(deployment, what, damaged, wanted, True, findings):
                findings.complain("lost", f"{what}: not refused")
            else:
                refused += 1
        check_that_loss_is_seen(deployment, image, wanted)
        findings.note = f"{refused} refused, the others had everything"


def late_journals(deployment, image):
    """What one good snapshot is enough for."""
    short = trimmed(deployment.path("trimmed"), image)
    newest = snapshots(image)[1]
    yield "a journal that begins late", short
    yield "a journal that begins late, the newest damaged", {**short, newest: flipped(short[newest], 300, 1)}


def lacking(deployment, image):
    """What nothing can be made of without a loss."""
    short = trimmed(deployment.path("trimmed"), image)
    older, newest = snapshots(image)
    hurt = {**short, older: flipped(short[older], 300, 1)}
    yield "a journal that begins late, both damaged", {**hurt, newest: flipped(short[newest], 300, 1)}
    yield "a journal that begins late, one damaged and one gone", {name: data for name, data in hurt.items() if name != newest}
    yield "a journal of before the newest snapshot", rolled_back(deployment, image)


def rolled_back(deployment, image):
    """The newest snapshot, and a journal that has lost the end which that snapshot covers."""
    folder = deployment.path("rolled-back")
    write_image(folder, {name: data for name, data in image.items() if name.startswith("coordinator.db")})
    store = sqlite3.connect(os.path.join(folder, "coordinator.db"))
    store.execute("DELETE FROM journal WHERE position + count - 1 >= ?", (int(snapshots(image)[1].split("-")[1]),))
    store.commit()
    store.close()
    return {**image, "coordinator.db": read(os.path.join(folder, "coordinator.db")), "coordinator.db-wal": b""}


def check_that_loss_is_seen(deployment, image, wanted):
    """A journal without its last row: a check that takes it for the whole one is worth nothing."""
    folder = deployment.path("short")
    write_image(folder, {name: data for name, data in image.items() if name.startswith("coordinator.db")})
    store = sqlite3.connect(os.path.join(folder, "coordinator.db"))
    store.execute("DELETE FROM journal WHERE position > ?", (int(snapshots(image)[1].split("-")[1]) + 1,))
    store.commit()
    store.close()
    doctored = {**image, "coordinator.db": read(os.path.join(folder, "coordinator.db"))}
    doctored.pop("coordinator.db-wal", None)
    unnoticed = Findings("a journal without its end")
    try_image(deployment, "", doctored, wanted, False, unnoticed)
    if unnoticed.ok():
        raise Broken("the check does not notice that the journal's end is gone")
