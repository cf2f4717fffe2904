"""Speaks to an actuator as an agent does (proto/firebreak/v1/actuator.proto), and reads its journal (agent/actuator/journal.h),
without their code."""
import socket
import struct

from journal_rows import fields
from spool_format import crc32c

MAGIC = b"firebreak actuator journal 1\n"
STATES = ("unspecified", "started", "succeeded", "failed", "timed_out", "refused", "unknown")
FINAL = STATES[2:]


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def order(action, name, epoch):
    return field(1, field(1, action) + field(2, name) + field(4, epoch) + field(5, 60_000_000) + field(6, "INC-1") + field(7, "a test"))


def acknowledge(action):
    return field(3, field(1, action))


def outcome_of(data):
    """(action, state)"""
    found = dict(fields(data))
    return found.get(1, b"").decode(), STATES[found.get(2, 0)]


class Connection:
    """To one actuator."""

    def __init__(self, path, patience=10):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(patience)
        self.socket.connect(path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, request):
        self.socket.sendall(struct.pack(">I", len(request)) + request)

    def outcome(self):
        """The next (action, state) that it tells."""
        while True:
            reply = self._exactly(struct.unpack(">I", self._exactly(4))[0])
            for number, value in fields(reply):
                if number == 1:
                    return outcome_of(value)

    def end_of(self, action):
        """How that one ended."""
        while True:
            told, state = self.outcome()
            if told == action and state in FINAL:
                return state

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise OSError("the actuator has hung up")
            data += more
        return data


def read_journal(data):
    """(id -> when it began, id -> how it ended), or None: it is damaged. An interrupted record at the end is none."""
    intents, ends = {}, {}
    if not data.startswith(MAGIC):
        return (intents, ends) if MAGIC.startswith(data.rstrip(b"\0")) else None
    crc, at = chain(0, MAGIC), len(MAGIC)
    while at < len(data):
        if len(data) - at < 8 or not data[at:].strip(b"\0"):
            break
        length, said = struct.unpack_from(">II", data, at)
        crc = chain(crc, data[at:at + 4])
        if crc != said:
            return None
        end = at + 8 + length + 4
        if end > len(data):
            break
        payload = data[at + 8:end - 4]
        crc = chain(crc, payload)
        if crc != struct.unpack(">I", data[end - 4:end])[0]:
            return None
        record = dict(fields(payload))
        if 2 in record:
            intents[dict(fields(record[2]))[1].decode()] = record[1]  # microseconds since 1970
        if 3 in record:
            ends.update([outcome_of(record[3])])
        at = end
    return intents, ends


def chain(before, data):
    return crc32c(struct.pack(">I", before) + data)
