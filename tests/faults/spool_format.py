"""Reads an agent's spool by docs/spool-format.md alone, knowing nothing of the agent's own code."""
import dataclasses
import os
import re
import struct

NAME = re.compile(r"([0-9a-f]{16})-(healthy|fault|news)\.spool")
LANES = ("healthy", "fault", "news")
MAGIC = b"fbspool\x01"
FIELDS = [("magic", 8), ("lane", 4), ("number", 8), ("incarnation", 8), ("boot id", 36), ("monotonic", 8), ("wall", 8),
          ("base", 8), ("acked", 8), ("zero", 12), ("crc", 4)]
COPY = sum(size for _, size in FIELDS)
FRAME = 8
LENGTH_MASK = 0xa5c3
RECORD_MAX = 16 << 10


def crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82f63b78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = crc_table()


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xff] ^ crc >> 8
    return crc ^ 0xffffffff


@dataclasses.dataclass
class Header:
    lane: str
    number: int
    incarnation: int
    base: int
    acked: int


@dataclasses.dataclass
class Record:
    """A good record: where it is, where its fields are, and what it says."""
    at: int
    end: int
    fields: list  # (name, from, to), offsets in the file
    seq: int = 0
    status: int = 0
    latency: int = 0
    acked: int = 0
    ref: int = -1
    is_named: bool = False


class Payload:
    """Takes from the front, and remembers where each field was."""

    def __init__(self, data, at):
        self.data, self.position, self.at, self.fields = data, 0, at, []

    def take(self, name, count):
        if count > len(self.data) - self.position:
            raise ValueError("the payload ends early")
        begin, self.position = self.position, self.position + count
        self.fields.append((name, self.at + begin, self.at + self.position))
        return self.data[begin:self.position]

    def varint(self, name):
        value, begin = 0, self.position
        for shift in range(0, 64, 7):
            byte = self.take(name, 1)[0]
            self.fields.pop()
            value |= (byte & 0x7f) << shift
            if byte < 0x80:
                self.fields.append((name, self.at + begin, self.at + self.position))
                return value & (1 << 64) - 1
        raise ValueError("no varint")

    def signed(self, name):
        value = self.varint(name)
        return -(value + 1) // 2 if value & 1 else value // 2

    def text(self, name):
        self.take(name, self.varint(name + " length"))


def header_of(data):
    """Of the first good copy, or None."""
    for copy in (data[:COPY], data[COPY:2 * COPY]):
        if len(copy) == COPY and copy.startswith(MAGIC) and struct.unpack("<I", copy[-4:])[0] == crc32c(copy[:-4]):
            lane, number, incarnation = struct.unpack_from("<IQQ", copy, 8)
            base, acked = struct.unpack_from("<QQ", copy, 80)
            return Header(LANES[lane], number, incarnation, base, acked) if lane < len(LANES) else None
    return None


def record_at(data, at, header):
    """The good record that begins there, or None."""
    if at + FRAME > len(data):
        return None
    length, check, crc = struct.unpack_from("<HHI", data, at)
    end = at + FRAME + length
    if length ^ LENGTH_MASK != check or length > RECORD_MAX or end > len(data):
        return None
    payload = bytes(data[at + FRAME:end])
    if crc != crc32c(struct.pack("<Q", header.number) + payload):
        return None
    parser = Payload(payload, at + FRAME)
    record = Record(at, end, [("length", at, at + 2), ("check", at + 2, at + 4), ("record crc", at + 4, at + 8)])
    tag = parser.take("tag", 1)[0]
    if tag == 3:
        record.acked = parser.varint("acked record")
    elif tag in (1, 2):
        record.ref, record.is_named = parser.varint("ref"), tag == 2
        for name in ("service", "probe") if record.is_named else ():
            parser.text(name)
        record.seq = header.base + parser.varint("seq")
        parser.signed("started")
        record.status = parser.take("status", 1)[0] >> 1
        parser.take("reason", 1)
        parser.take("phase", 1)
        record.latency = parser.signed("latency")
        for _ in range(parser.varint("count of values")):
            parser.text("value name")
            parser.take("value", 8)
        parser.text("evidence")
    record.fields += parser.fields
    return record


@dataclasses.dataclass
class Segment:
    """One file. `damage`: (from, to) of what is no record."""
    name: str
    header: Header
    records: list
    damage: list


def read_segment(name, data):
    header = header_of(data)
    match = NAME.fullmatch(name)
    if header and (header.number != int(match[1], 16) or header.lane != match[2]):
        header = None
    segment = Segment(name, header, [], [])
    if header is None:
        return segment
    at, bad_from = 2 * COPY, None
    while at < len(data):
        record = record_at(data, at, header)
        if record is None:
            bad_from = at if bad_from is None else bad_from
            at += 1
            continue
        if bad_from is not None:
            segment.damage.append((bad_from, at))
            bad_from = None
        segment.records.append(record)
        at = record.end
    if bad_from is not None:
        segment.damage.append((bad_from, len(data)))
    return segment


def read_spool(image):
    """name -> bytes of a folder, to its segments in order."""
    return [read_segment(name, image[name]) for name in sorted(image) if NAME.fullmatch(name)]


def load(folder):
    image = {}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as file:
            image[name] = file.read()
    return image


@dataclasses.dataclass
class Content:
    """What a spool holds for the coordinator."""
    incarnation: int
    acked: int
    results: dict  # number -> (status, latency), of those that have a name


def content_of(segments):
    """By the rules of the format: the newest good file's incarnation counts, a repeated number is skipped, and so is a result
    whose series nothing names before it in its file."""
    good = [segment for segment in segments if segment.header]
    if not good:
        return Content(0, 0, {})
    content = Content(good[-1].header.incarnation, 0, {})
    last = dict.fromkeys(LANES, 0)
    for segment in good:
        if segment.header.incarnation != content.incarnation:
            continue
        content.acked = max(content.acked, segment.header.acked)
        named = set()
        for record in segment.records:
            content.acked = max(content.acked, record.acked)
            if record.is_named:
                named.add(record.ref)
            if record.ref in named and record.seq > last[segment.header.lane]:
                last[segment.header.lane] = record.seq
                content.results[record.seq] = (record.status, record.latency)
    content.results = {seq: what for seq, what in content.results.items() if seq > content.acked}
    return content
