"""The results in a coordinator's journal, number by number, read without the coordinator's code: SQLite's rows and the few
fields of proto/firebreak/v1/journal.proto that count here."""
import dataclasses
import os
import shutil
import sqlite3
import struct
import tempfile


def fields(data):
    """(number, value) of a protobuf message; length-delimited values are bytes."""
    at = 0

    def varint():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value
    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            yield key >> 3, varint()
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            yield key >> 3, data[at:at + size]
            at += size
        elif kind == 2:
            size = varint()
            yield key >> 3, data[at:at + size]
            at += size
        else:
            raise ValueError(f"wire type {kind}")


def packed(data):
    values, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            values.append(value)
            value = shift = 0
    return values


def as_signed(value):
    return value - (1 << 64) if value >= 1 << 63 else value


@dataclasses.dataclass
class Batch:
    """One event of results."""
    agent: str = ""
    incarnation: int = 0
    first: int = 0
    dropped_before: int = 0
    at: int = 0  # microseconds since 1970, when it was taken in
    rows: list = dataclasses.field(default_factory=list)  # (status, latency)
    refs: list = dataclasses.field(default_factory=list)  # of each row, its series
    observed: list = dataclasses.field(default_factory=list)  # of each row, microseconds since 1970
    series: dict = dataclasses.field(default_factory=dict)  # ref -> (service, probe), those that this batch names


def batch_of(data, at):
    batch, statuses, latencies = Batch(at=at), [], []
    for number, value in fields(data):
        if number == 1:
            batch.agent = value.decode()
        elif number == 2:
            batch.incarnation = struct.unpack("<Q", value)[0]
        elif number == 3:
            batch.first = value
        elif number == 4:
            batch.dropped_before = value
        elif number == 5:
            named = dict(fields(value))
            batch.series[named.get(1, 0)] = tuple(part.decode() for _, part in fields(named[2]))
        elif number == 6:
            batch.refs += packed(value)
        elif number == 7:
            for delta in packed(value):
                at += -(delta + 1) // 2 if delta & 1 else delta // 2
                batch.observed.append(at)
        elif number == 9:
            for column, content in fields(value):
                if column == 1:
                    statuses += packed(content)
                elif column == 4:
                    latencies += map(as_signed, packed(content))
    batch.rows = list(zip(statuses, latencies, strict=True))
    return batch


def observations(batches):
    """(service, probe) -> (when, status) of its results, in order."""
    series, found = {}, {}
    for batch in batches:
        for ref, name in batch.series.items():
            series[(batch.agent, batch.incarnation, ref)] = name
        for ref, at, (status, _) in zip(batch.refs, batch.observed, batch.rows, strict=True):
            found.setdefault(series[(batch.agent, batch.incarnation, ref)], []).append((at, status))
    return found


def read_results(folder):
    """Every Batch of the store in that folder, in the journal's order. Works on a copy: reading a log that was left recovers it."""
    with tempfile.TemporaryDirectory() as copy:
        for name in os.listdir(folder):
            if name.startswith("coordinator.db") and not name.endswith((".lock", "-shm")):
                shutil.copy(os.path.join(folder, name), copy)
        store = sqlite3.connect(os.path.join(copy, "coordinator.db"))
        try:
            rows = [bytes(row[0]) for row in store.execute("SELECT batch FROM journal ORDER BY position")]
        finally:
            store.close()
    batches = []
    for row in rows:
        for number, entry in fields(row):
            if number == 1:
                found = dict(fields(entry))
                batches += [batch_of(found[4], found[1])] if 4 in found else []
    return batches
