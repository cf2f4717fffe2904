"""What an agent keeps on its disk comes back changed: a bit flipped, an end or a file missing, at every kind of place of its
spool, its epoch and its list of orders. Every record that is whole still arrives, what is lost is said and counted, no
number means two results; and what cannot be trusted is refused by name."""
import os
import random
import signal
import tempfile
import time

import journal_rows
import spool_format
from checks import Findings
from deployment import Broken, Deployment, Program, until
from power_cuts import write_image
from spool_format import COPY, FIELDS, FRAME

AT_ONCE = 8       # agents that are started on a damaged spool each, at the same time
PROBES = 12
KEPT = 2          # segments of the healthy lane
SMALL_SPOOL = "spool: {size_mib: 1}"  # segments of 16 KiB

POLICY = """\
severities: {{P1: {{}}}}
services:
  many:
    agents: name == 'edge-1'
    probes:
{probes}
  one:
    agents: labels.role == 'edge'
    probes:
      alive: {{http: "http://127.0.0.1:{target}/", every: 500ms, timeout: 400ms}}
rules:
  - {{service: one, severity: {{P1: "!available('alive') && false"}}}}
"""
PROBE = '      p{i}: {{http: "http://127.0.0.1:{target}/", every: 100ms, timeout: 90ms, confirm: {{attempts: 2, every: 100ms}}}}'


class Damage:
    """`image`: the spool after it. `is_cut`: bytes are missing, not changed: what they said may be said again."""

    def __init__(self, what, image, is_cut=False):
        self.what, self.image, self.is_cut = what, image, is_cut


def flipped(data, at, bit):
    changed = bytearray(data)
    changed[at] ^= 1 << bit
    return bytes(changed)


def header_places():
    at = 0
    for field, size in FIELDS:
        yield field, at, at + size
        at += size


class Damages:
    """One of every kind, each at a random place, as often as asked for."""

    def __init__(self, image, choose):
        self.image, self.choose = image, choose
        self.segments = [segment for segment in spool_format.read_spool(image) if segment.records]
        self.names = [segment.name for segment in self.segments]

    def flip(self, what, name, *places):
        data = self.image[name]
        where = []
        for begin, end in places:
            at, bit = self.choose.randrange(begin, end), self.choose.randrange(8)
            data = flipped(data, at, bit)
            where.append(f"byte {at} bit {bit}")
        return Damage(f"{what}, {', '.join(where)} of {name}", {**self.image, name: data})

    def cut(self, what, name, size):
        return Damage(f"{what}, {size} of {len(self.image[name])} bytes of {name} left",
                      {**self.image, name: self.image[name][:size]}, is_cut=True)

    def headers(self):
        for field, begin, end in header_places():
            first = self.choose.random() < 0.5
            moved = 0 if first else COPY
            yield self.flip(f"header, {field} of the {'first' if first else 'second'} copy", self.choose.choice(self.names),
                            (begin + moved, end + moved))
        yield self.flip("header, both copies", self.choose.choice(self.names), (0, COPY), (COPY, 2 * COPY))
        yield self.flip("header, both copies of the last file", self.names[-1], (0, COPY), (COPY, 2 * COPY))
        everything = dict(self.image)
        for name in self.names:
            everything.update({name: flipped(flipped(everything[name], 9, 1), COPY + 9, 1)})
        yield Damage("header, both copies of every file", everything)

    def records(self):
        kinds = {}
        for segment in self.segments:
            for record in segment.records:
                for field, begin, end in record.fields:
                    kinds.setdefault(("named " if record.is_named else "") + field, []).append((segment.name, begin, end))
        for kind in sorted(kinds):
            name, begin, end = self.choose.choice(kinds[kind])
            if end > begin:
                yield self.flip(f"record, {kind}", name, (begin, end))

    def positions(self):
        segment = self.choose.choice(self.segments)
        named = [record for record in segment.records if record.ref == segment.records[0].ref and record.is_named][:2]
        yield self.flip("both records that name a series", segment.name, *((record.at, record.end) for record in named))
        yield self.flip("first record", segment.name, (segment.records[0].at, segment.records[0].end))
        for lane in spool_format.LANES:
            last = [segment for segment in self.segments if segment.header.lane == lane][-1]
            yield self.flip(f"last record, {lane}", last.name, (last.records[-1].at, last.records[-1].end))
        many = sorted(self.choose.sample(segment.records, min(5, len(segment.records))), key=lambda record: record.at)
        yield self.flip("several records", segment.name, *((record.at, record.end) for record in many))

    def cuts(self):
        for lane in spool_format.LANES:
            rows = [segment for segment in self.segments if segment.header.lane == lane]
            last = self.choose.choice(rows[-1].records)
            yield self.cut(f"end of {lane}, in a record", rows[-1].name, self.choose.randrange(last.at + FRAME + 1, last.end))
            yield self.cut(f"end of {lane}, in a frame", rows[-1].name, self.choose.randrange(last.at + 1, last.at + FRAME))
            yield self.cut(f"end of {lane}, between records", rows[-1].name, last.at)
        older = self.choose.choice(self.segments[:-1])
        record = self.choose.choice(older.records)
        yield self.cut("an older file, in a record", older.name, self.choose.randrange(record.at + 1, record.end))
        yield self.cut("in the second header", older.name, self.choose.randrange(COPY, 2 * COPY))
        yield self.cut("in the first header", older.name, self.choose.randrange(1, COPY))
        yield self.cut("empty", older.name, 0)
        gone = self.choose.choice(self.names)
        yield Damage(f"{gone} is gone", {name: data for name, data in self.image.items() if name != gone}, is_cut=True)
        yield Damage("every file is gone", {}, is_cut=True)

    def others(self):
        name = self.choose.choice(self.names)
        data = self.image[name]
        at = self.choose.randrange(2 * COPY, max(2 * COPY + 1, len(data) - 512))
        zeros = bytes(len(data[at:at + 512]))
        yield Damage(f"a sector of zeros at {at} of {name}", {**self.image, name: data[:at] + zeros + data[at + 512:]})
        yield Damage(f"zeros after the end of {name}", {**self.image, name: data + bytes(4096)})
        yield Damage(f"noise after the end of {name}", {**self.image, name: data + self.choose.randbytes(700)})
        other = self.choose.choice([each for each in self.names if each != name])
        yield Damage(f"{name} with the content of {other}", {**self.image, name: self.image[other]})
        yield Damage(f"records of {other} after the end of {name}", {**self.image, name: data + self.image[other][2 * COPY:]})

    def all(self):
        for kind in (self.headers, self.records, self.positions, self.cuts, self.others):
            yield from kind()


class Trial:
    """An agent of its own, with a spool that somebody has damaged."""

    def __init__(self, deployment, number, damage):
        self.deployment, self.damage = deployment, damage
        self.name = f"trial-{number}"
        self.state = deployment.path(self.name)
        self.left = spool_format.content_of(spool_format.read_spool(damage.image))
        self.enough = max(self.left.results, default=0)
        self.agent = Program(self.name, deployment.folder)
        deployment.run([deployment.program("cli/firebreak"), "pki", "agent", self.name, "--dir", deployment.path("pki")])
        write_image(os.path.join(self.state, "spool"), damage.image)
        deployment.write(self.name + ".yaml", deployment.agent_configuration(self.name, SMALL_SPOOL))

    def start(self):
        configuration = self.deployment.path(self.name + ".yaml")
        self.agent.start([self.deployment.program("agent/firebreak-agent"), "--config", configuration])

    def seen(self):
        for agent in self.deployment.ask("agents").get("agents", []):
            if agent["name"] == self.name:
                return int(agent["acked_seq"]), int(agent["dropped_results"])
        return 0, 0


def segments_of(image):
    return [segment for segment in spool_format.read_spool(image) if len(image[segment.name]) > 2 * COPY]


def check_log(trial, findings):
    """Damage that a reader of the file can see is said, with the file's name."""
    for segment in segments_of(trial.damage.image):
        if (segment.header is None or segment.damage) and not trial.agent.said(segment.name):
            findings.complain("other", f"{trial.damage.what}: the agent's log does not name {segment.name}")


def check_arrived(trial, whole, batches, dropped, findings):
    """Against the journal: `whole` is the content of the spool before it was damaged."""
    what = trial.damage.what
    left = trial.left
    mine = [batch for batch in batches if batch.agent == trial.name]
    arrived, last, missing = {}, whole.acked, 0
    for batch in mine:
        if left.results and batch.incarnation != whole.incarnation:
            findings.complain("lost", f"{what}: counts anew, though {len(left.results)} results were whole")
            return
        missing += max(0, batch.first - last - 1 - batch.dropped_before)
        for seq, row in enumerate(batch.rows, batch.first):
            if seq in arrived:
                findings.complain("doubled", f"{what}: result {seq} was delivered twice")
            arrived[seq] = row
            last = max(last, seq)
    lost = [seq for seq, row in left.results.items() if arrived.get(seq) != row]
    if lost:
        findings.complain("lost", f"{what}: {len(lost)} of {len(left.results)} whole results did not arrive, first {lost[0]}")
    if mine and mine[0].incarnation == whole.incarnation:
        # Numbers that were cut off and that nothing else proves were never sent: they may be given again.
        given = max(left.results, default=0) if trial.damage.is_cut else max(whole.results)
        strange = [seq for seq, row in arrived.items() if seq <= given and left.results.get(seq) != row]
        if strange:
            findings.complain("doubled", f"{what}: number {strange[0]} means two results")
        absent = sum(1 for seq in range(whole.acked + 1, last) if seq not in arrived)
        if dropped != absent or missing:
            findings.complain("other", f"{what}: {absent} results are missing, {dropped} are reported as dropped")


def run_trials(deployment, trials, findings, dies):
    """Starts them, and waits until each has delivered what is left, and more. `dies`: not without being killed once more."""
    for trial in trials:
        trial.start()
    try:
        for trial in trials:
            if dies:
                until(f"{trial.damage.what}: {trial.name} delivers", lambda t=trial: t.seen()[0] > 0)
                trial.agent.signal(signal.SIGKILL)
                trial.start()
            until(f"{trial.damage.what}: {trial.name} has delivered everything and something new",
                  lambda t=trial: t.seen()[0] > t.enough, 30)
            check_log(trial, findings)
    except Broken as error:
        findings.complain("lost", f"{error}\n" + "".join(deployment.tail(trial.agent, 6) for trial in trials))
    finally:
        for trial in trials:
            trial.agent.kill()


def fill(deployment):
    """The spool of edge-1 after it has worked without a coordinator, with results of every lane; and how it is seen."""
    probes = "\n".join(PROBE.format(i=i, target=deployment.target_port) for i in range(PROBES))
    deployment.write("policy/policy.yaml", POLICY.format(probes=probes, target=deployment.target_port))
    deployment.write("edge-1.yaml", deployment.agent_configuration("edge-1", SMALL_SPOOL))
    deployment.start_coordinator()
    deployment.await_coordinator()
    deployment.start_agent()
    until("edge-1 delivers", lambda: any(int(agent["acked_seq"]) > 20 for agent in deployment.ask("agents").get("agents", [])))
    deployment.coordinator.kill()
    folder = deployment.path("edge-1/spool")
    for _ in range(2):
        time.sleep(1.5)
        deployment.target.kill()
        time.sleep(1.5)
        deployment.start_target()

    def is_enough():
        kept = [segment for segment in spool_format.read_spool(spool_format.load(folder)) if segment.header]
        return [segment.header.lane for segment in kept].count("healthy") >= KEPT
    until("the spool is long enough", is_enough)
    deployment.agent.kill()
    return spool_format.load(folder)


def run(bin_folder, count, findings):
    spools(bin_folder, count, findings)
    small_files(bin_folder, findings)


def spools(bin_folder, count, findings):
    """One damage of every kind, or `count` when that is more."""
    with tempfile.TemporaryDirectory(prefix="firebreak-faults-") as folder, \
            Deployment(bin_folder, folder, recorders=()) as deployment:
        image = fill(deployment)
        whole = spool_format.content_of(spool_format.read_spool(image))
        if not whole.results:
            raise Broken("the spool holds nothing")
        deployment.start_coordinator()
        deployment.await_coordinator()
        choose = random.Random(13)
        damages = [Damage("nothing", image), *Damages(image, choose).all()]
        while len(damages) < count:
            damages += choose.sample(list(Damages(image, choose).all()), 10)
        trials = []
        for begin in range(0, len(damages), AT_ONCE):
            group = [Trial(deployment, begin + i, damage) for i, damage in enumerate(damages[begin:begin + AT_ONCE])]
            run_trials(deployment, group, findings, dies=begin // AT_ONCE % 2 == 1)
            trials += group
        dropped = {agent["name"]: int(agent["dropped_results"]) for agent in deployment.ask("agents").get("agents", [])}
        deployment.coordinator.kill()
        batches = journal_rows.read_results(deployment.path("coordinator"))
        for trial in trials:
            check_arrived(trial, whole, batches, dropped.get(trial.name, 0), findings)
        findings.points += len(trials)
        check_that_loss_is_seen(trials[0], whole, batches, dropped, findings)
        findings.note = f"{len(whole.results)} results in the spool"


def check_that_loss_is_seen(trial, whole, batches, dropped, findings):
    """A result that is gone, or there twice: a check that does not notice it is worth nothing."""
    mine = [batch for batch in batches if batch.agent == trial.name]
    for what, doctored in (("results are gone", mine[1:]), ("a result came twice", mine + mine[:1])):
        unnoticed = Findings(what)
        check_arrived(trial, whole, doctored, dropped.get(trial.name, 0), unnoticed)
        if unnoticed.ok():
            findings.complain("other", f"the check does not notice that {what}")


def small_file_damages(text):
    for at in range(len(text)):
        yield f"byte {at} bit {at % 8}", flipped(text, at, at % 8)
        if at % 3 == 0:
            yield f"{at} of {len(text)} bytes left", text[:at]


def small_files(bin_folder, findings):
    """The epoch and the list of orders: refused, with the file's name, or read as what was written."""
    with tempfile.TemporaryDirectory(prefix="firebreak-faults-") as folder, \
            Deployment(bin_folder, folder, recorders=()) as deployment:
        deployment.start_all()
        deployment.order_an_action()
        until("an order was handed over", lambda: os.path.exists(deployment.path("edge-1/orders")))
        deployment.agent.kill()
        for name in ("epoch", "orders"):
            path = deployment.path("edge-1", name)
            text = read(path)
            for what, changed in small_file_damages(text):
                damage_small_file(deployment, path, changed, f"{what} of {name}, {changed!r} instead of {text!r}", findings)
            with open(path, "wb") as file:
                file.write(text)


def damage_small_file(deployment, path, changed, what, findings):
    with open(path, "wb") as file:
        file.write(changed)
    since = deployment.agent.log_size()
    deployment.start_agent()
    until("the agent has decided", lambda: deployment.agent.has_ended() or deployment.agent.said("agent starts", since))
    findings.points += 1
    if not deployment.agent.has_ended():
        findings.complain("other", f"{what}: nobody noticed")
    elif not deployment.agent.said(path, since):
        findings.complain("other", f"{what}: the refusal does not name the file")
    deployment.agent.kill()


def read(path):
    with open(path, "rb") as file:
        return file.read()
