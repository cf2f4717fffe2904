"""Power cuts: what the coordinator wrote and synced is recorded (strace of the unmodified program), and its folder is rebuilt
as a disk may hold it at any moment: only what was synced, or that and some of the rest, cut at sectors."""
import bisect
import os
import random
import re
import tempfile
import time

from checks import Findings, History, Trouble, check_store, read_store
from deployment import Broken, Deployment, until

CALLS = "openat,write,pwrite64,ftruncate,fsync,fdatasync,rename,renameat,unlink,unlinkat,close"
SECTOR = 512
LINE = re.compile(r"(\d+) +(\d+\.\d+) (.*)")
RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)")
WRITE = re.compile(r'(?:pwrite64|write)\(\d+<(.*?)>, "((?:\\x[0-9a-f]{2})*)"(\.\.\.)?, \d+(?:, (\d+))?\) = (\d+)')
SYNC = re.compile(r"f(?:data)?sync\(\d+<(.*?)>\) = 0")
TRUNCATE = re.compile(r"ftruncate\(\d+<(.*?)>, (\d+)\) = 0")
OPEN = re.compile(r'openat\((?:AT_FDCWD|\d+)<?.*?>?, "((?:\\x[0-9a-f]{2})*)", ([A-Z_|]+)(?:, \d+)?\) = (\d+)<(.*?)>')
UNLINK = re.compile(r'unlink(?:at)?\((?:\w+<(.*?)>, )?"((?:\\x[0-9a-f]{2})*)"(?:, 0)?\) = 0')
RENAME = re.compile(r'rename(?:at)?\((?:\w+<(.*?)>, )?"((?:\\x[0-9a-f]{2})*)", (?:\w+<(.*?)>, )?"((?:\\x[0-9a-f]{2})*)"\) = 0')


def unescape(text):
    return bytes.fromhex(text.replace("\\x", ""))


def path_of(folder, name):
    return os.path.join(folder or "", unescape(name).decode())


class File:
    """One file's bytes, and what of them is on the disk for sure."""

    def __init__(self):
        self.now = bytearray()
        self.synced = b""
        self.waiting = []  # (offset, bytes) or (size, None), since the last sync

    def write(self, offset, data):
        self.now.extend(b"\0" * (offset - len(self.now)))
        self.now[offset:offset + len(data)] = data
        self.waiting.append((offset, data))

    def truncate(self, size):
        del self.now[size:]
        self.now.extend(b"\0" * (size - len(self.now)))
        self.waiting.append((size, None))

    def sync(self):
        self.synced = bytes(self.now)
        self.waiting.clear()

    def after_cut(self, choice):
        """`choice`: None keeps nothing that was not synced; a random generator keeps some of it, in sectors."""
        bytes_left = bytearray(self.synced)
        for offset, data in self.waiting if choice else ():
            if data is None:
                if choice.random() < 0.5:
                    del bytes_left[offset:]
                    bytes_left.extend(b"\0" * (offset - len(bytes_left)))
                continue
            for start in range(0, len(data), SECTOR):
                if choice.random() < 0.5:
                    piece = data[start:start + SECTOR]
                    at = offset + start
                    bytes_left.extend(b"\0" * (at - len(bytes_left)))
                    bytes_left[at:at + len(piece)] = piece
        return bytes(bytes_left)


class Disk:
    """Names and files in one folder, now and as they would be found after a cut."""

    def __init__(self, folder):
        self.folder = folder
        self.names = {}   # path -> File
        self.synced = {}  # the same, as of the folder's last sync

    def holds(self, path):
        return os.path.dirname(path) == self.folder and not path.endswith(("-shm", ".lock"))

    def apply(self, call):
        """One finished system call. Whether it made something durable."""
        if match := WRITE.match(call):
            path, data, cut, offset, _ = match.groups()
            if self.holds(path):
                if cut:
                    raise Broken(f"strace shortened a write to {path}")
                file = self.names[path]
                file.write(int(offset) if offset else len(file.now), unescape(data))
        elif match := SYNC.match(call):
            if match[1] == self.folder:
                self.synced = dict(self.names)
                return True
            if self.holds(match[1]):
                self.names[match[1]].sync()
                return True
        elif match := TRUNCATE.match(call):
            if self.holds(match[1]):
                self.names[match[1]].truncate(int(match[2]))
        elif match := OPEN.match(call):
            path = match[4]
            if self.holds(path):
                if path not in self.names:
                    self.names[path] = File()
                if "O_TRUNC" in match[2]:
                    self.names[path].truncate(0)
        elif match := UNLINK.match(call):
            self.names.pop(path_of(match[1], match[2]), None)
        elif match := RENAME.match(call):
            source, target = path_of(match[1], match[2]), path_of(match[3], match[4])
            if source in self.names:
                self.names[target] = self.names.pop(source)
        return False

    def image(self, choice):
        """name -> bytes after a cut. Without a choice: only what was synced."""
        names = self.synced if choice is None or choice.random() < 0.5 else self.names
        return {os.path.basename(path): file.after_cut(choice) for path, file in names.items()}


def finished_calls(path):
    """(seconds since the epoch, call) in the order in which the calls ended, and the last one."""
    begun = {}
    with open(path, encoding="ascii", errors="replace") as file:
        for line in file:
            match = LINE.match(line)
            if not match:
                continue
            thread, at, call = match.groups()
            if call.endswith("<unfinished ...>"):
                begun[thread] = call[:-len("<unfinished ...>")].rstrip()
                continue
            if rest := RESUMED.match(call):
                start = begun.pop(thread, "")
                call = start + (rest[1] if rest[1].startswith((")", ",")) else " " + rest[1])
            call = re.sub(r"<((?:\\x[0-9a-f]{2})+)>", lambda path: f"<{unescape(path[1]).decode()}>", call)
            yield float(at), re.sub(r"\)\s+= ", ") = ", call)


def write_image(folder, image):
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    for name, data in image.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)


def known_at(told, seconds):
    """What had been acknowledged at that moment: (agent, incarnation) -> number."""
    known = {}
    for _, agent, incarnation, number in told[:bisect.bisect_right(told, (int(seconds * 1e6), "", "", 0))]:
        known[(agent, incarnation)] = max(known.get((agent, incarnation), 0), number)
    return known


def run(bin_folder, cuts, findings):
    """`cuts` moments, each with the strictest disk and with a random one; every tenth is given to the program itself."""
    with tempfile.TemporaryDirectory(prefix="firebreak-faults-") as folder, Deployment(bin_folder, folder) as deployment:
        trace = deployment.path("trace")
        # -y: paths for descriptors; -xx: bytes in hexadecimal; the clock is that of the history.
        deployment.start_coordinator(strace=["-ttt", "-y", "-xx", "-s", "1000000", "-o", trace, "-e", f"trace={CALLS}"])
        deployment.await_coordinator()
        deployment.start_actuator()
        deployment.start_agent()
        deployment.start_recorder()
        deployment.await_agent()
        with Trouble(deployment):
            until("enough was written", lambda: os.path.getsize(trace) > 60_000 * max(cuts, 100))
        deployment.coordinator.kill()
        deployment.recorder.kill()
        history = History(deployment)
        history.read(findings)
        try_cuts(deployment, history, trace, cuts, findings)


def try_cuts(deployment, history, trace, cuts, findings):
    calls = list(finished_calls(trace))
    if not any(SYNC.match(call) for _, call in calls):
        raise Broken("the trace holds no sync: strace writes it in another form than expected")
    first_ack = next(i for i, (at, _) in enumerate(calls) if at * 1e6 > history.told[0][0])
    choose = random.Random(7)
    moments = set(choose.sample(range(first_ack, len(calls)), min(cuts, len(calls) - first_ack)))
    disk = Disk(deployment.path("coordinator"))
    for i, (at, call) in enumerate(calls):
        # The cut comes before this call, at the earliest when the call before it has ended.
        if i in moments:
            known = known_at(history.told, calls[i - 1][0])
            for kind, choice in (("only what was synced", None), ("some sectors more", choose)):
                context = f"power cut before call {i} ({call.split('<')[0]}), {kind}: "
                try_image(deployment, disk.image(choice), known, findings, context, findings.points % 20 == 0)
                findings.points += 1
        disk.apply(call)
    check_that_loss_is_seen(deployment, disk, known_at(history.told, calls[-1][0]), findings)


def check_that_loss_is_seen(deployment, disk, known, findings):
    """A disk that lied about its syncs: a check that does not notice this one is worth nothing."""
    image = disk.image(None)
    image["coordinator.db-wal"] = b""
    unnoticed = Findings("a disk that lies")
    try_image(deployment, image, known, unnoticed, "", False)
    if not unnoticed.lost:
        findings.complain("other", "the check does not notice that the log is gone")


def try_image(deployment, image, known, findings, context, start):
    write_image(deployment.path("cut"), image)
    content, refusal = read_store(deployment, deployment.path("cut/coordinator.db"))
    if refusal:
        findings.complain("lost", f"{context}the store is refused: {refusal}")
        return
    check_store(content, known, findings, context)
    if not start:
        return
    write_image(deployment.path("coordinator"), image)
    began = time.monotonic()
    deployment.start_coordinator()
    deployment.await_coordinator()
    findings.restarts.append(time.monotonic() - began)
    deployment.coordinator.kill()
