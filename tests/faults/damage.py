"""Files that come back changed: one byte flipped, or the end missing, at every kind of place. What is acknowledged is all
there, or the program refuses and says which file; it is never silently something else."""
import os
import random
import re
import tempfile
import time

from checks import History, Trouble, read_store
from deployment import Broken, Deployment, until
from power_cuts import write_image

PAGE = 4096
FRAME = 24 + PAGE
WAL_HEADER = 32
PAGES_BEFORE_DAMAGE = 1500  # in the log: SQLite has moved a part of it to the file by then


def read(path):
    with open(path, "rb") as file:
        return file.read()


def flipped(data, at, bit):
    changed = bytearray(data)
    changed[at] ^= 1 << bit
    return bytes(changed)


def transactions(log):
    """The frame numbers at which a transaction of the log's present generation ends."""
    salts = log[16:24]
    ends = []
    for number in range((len(log) - WAL_HEADER) // FRAME):
        header = log[WAL_HEADER + number * FRAME:][:24]
        if header[8:16] != salts:
            break
        if header[4:8] != b"\0\0\0\0":
            ends.append(number)
    return ends


def log_damages(image, choose, count):
    """(what, image) of about `count` flipped bits in the log of a coordinator that was killed."""
    log = image["coordinator.db-wal"]
    # Damage of the last two transactions cannot be told from an interrupted write.
    frames = transactions(log)[-3] + 1
    places = {
        "log header": lambda: choose.randrange(WAL_HEADER),
        "frame header": lambda: WAL_HEADER + choose.randrange(frames) * FRAME + choose.randrange(24),
        "first frame": lambda: WAL_HEADER + choose.randrange(FRAME),
        "frame": lambda: WAL_HEADER + choose.randrange(frames) * FRAME + 24 + choose.randrange(PAGE),
    }
    for what, place in places.items():
        for _ in range(max(1, count // len(places))):
            at, bit = place(), choose.randrange(8)
            yield f"{what}, byte {at} bit {bit} of the log", {**image, "coordinator.db-wal": flipped(log, at, bit)}


def file_damages(image, choose, count):
    """The same for the file of a coordinator that was stopped, and ends that are missing."""
    file = image["coordinator.db"]
    pages = len(file) // PAGE
    places = {
        "file header": lambda: choose.randrange(100),
        "first page": lambda: choose.randrange(PAGE),
        "page header": lambda: choose.randrange(1, pages) * PAGE + choose.randrange(12),
        "cell pointers": lambda: choose.randrange(1, pages) * PAGE + choose.randrange(12, 64),
        "cells": lambda: choose.randrange(1, pages) * PAGE + choose.randrange(64, PAGE),
    }
    for what, place in places.items():
        for _ in range(max(1, count // (len(places) + 1))):
            at, bit = place(), choose.randrange(8)
            yield f"{what}, byte {at} bit {bit} of the file", {"coordinator.db": flipped(file, at, bit)}
    for _ in range(max(1, count // (len(places) + 1))):
        size = choose.randrange(1, len(file))
        yield f"{size} of {len(file)} bytes of the file left", {"coordinator.db": file[:size]}


def run(bin_folder, count, findings):
    with tempfile.TemporaryDirectory(prefix="firebreak-faults-") as folder, \
            Deployment(bin_folder, folder, pause_us=0) as deployment:
        deployment.start_all()
        log = deployment.path("coordinator/coordinator.db-wal")
        with Trouble(deployment):
            until("the log is long enough", lambda: os.path.getsize(log) > PAGES_BEFORE_DAMAGE * FRAME)
        for program in (deployment.coordinator, deployment.recorder, deployment.agent):
            program.kill()
        killed = {name: read(deployment.path("coordinator", name)) for name in ("coordinator.db", "coordinator.db-wal")}
        deployment.start_coordinator()
        deployment.await_coordinator()
        deployment.coordinator.stop()
        stopped = {"coordinator.db": read(deployment.path("coordinator/coordinator.db"))}
        choose = random.Random(11)
        refused = damage_the_store(deployment, killed, log_damages(killed, choose, count // 2), findings)
        refused += damage_the_store(deployment, stopped, file_damages(stopped, choose, count // 2), findings)
        damage_the_actuator(deployment, choose, findings)
        findings.note = f"{refused} refused, the others were harmless"


def damage_the_store(deployment, image, damages, findings):
    write_image(deployment.path("cut"), image)
    whole, refusal = read_store(deployment, deployment.path("cut/coordinator.db"))
    if not whole:
        raise Broken(f"the undamaged store is refused: {refusal}")
    refused = 0
    for what, damaged in damages:
        write_image(deployment.path("cut"), damaged)
        content, refusal = read_store(deployment, deployment.path("cut/coordinator.db"))
        findings.points += 1
        if content is None:
            refused += 1
            if "coordinator.db" not in refusal:
                findings.complain("other", f"{what}: the refusal does not name the file: {refusal}")
        elif content["digest"] != whole["digest"]:
            findings.complain("lost", f"{what}: nobody noticed; {content['entries']} entries instead of {whole['entries']}")
        if findings.points % 25 == 0:
            start_on(deployment, damaged, content is not None, what, findings)
    return refused


def start_on(deployment, damaged, is_readable, what, findings):
    """The program itself does as the reader did."""
    write_image(deployment.path("coordinator"), damaged)
    since = deployment.coordinator.log_size()
    deployment.start_coordinator()
    began = time.monotonic()
    until("the coordinator has decided", lambda: deployment.coordinator.has_ended() or deployment.coordinator.said(" listening ", since))
    if deployment.coordinator.has_ended() == is_readable:
        findings.complain("other", f"{what}: the coordinator {'ended' if is_readable else 'started'}:\n"
                          + deployment.tail(deployment.coordinator, 3))
    elif is_readable:
        findings.restarts.append(time.monotonic() - began)
    elif not re.search(r"coordinator\.db", deployment.tail(deployment.coordinator, 3)):
        findings.complain("other", f"{what}: the refusal names no file: {deployment.tail(deployment.coordinator, 3)}")
    deployment.coordinator.kill()


def damage_the_actuator(deployment, choose, findings):
    """A changed journal of actions: the actuator says so and does nothing, or nothing was changed that counts."""
    deployment.actuator.kill()
    path = deployment.path("actuator/journal")
    whole = read(path)
    for _ in range(6):
        at, bit = choose.randrange(len(whole)), choose.randrange(8)
        with open(path, "wb") as file:
            file.write(flipped(whole, at, bit))
        since = deployment.actuator.log_size()
        deployment.start_actuator()
        until("the actuator listens", lambda: os.path.exists(deployment.path("edge-1.sock")))
        findings.points += 1
        # It goes on listening, to say so to the agent as well.
        try:
            until("it says so", lambda since=since: deployment.actuator.said("is damaged", since), patience=20)
        except Broken:
            findings.complain("lost", f"byte {at} bit {bit} of the actuator's journal: nobody noticed")
        deployment.actuator.kill()
