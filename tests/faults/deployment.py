"""A small firebreak of the unmodified programs in a folder: certificates, policy, coordinator, one agent with its
actuator, recorders that play further agents, nginx as the target, and a file that counts what actions really did."""
import json
import os
import random
import signal
import socket
import subprocess
import time

PATIENCE = 90.0  # seconds; only something broken waits that long
LOOK_EVERY = 0.02


class Broken(Exception):
    """The harness could not do its work, or something did not happen in time."""


def until(what, condition, patience=PATIENCE):
    """Looks again and again; the first true answer."""
    end = time.monotonic() + patience
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Broken(f"{what}: did not happen within {patience:.0f} s")
        time.sleep(LOOK_EVERY)


def free_port():
    """Outside the range of outgoing connections, so that nobody takes it between two starts."""
    for _ in range(1000):
        port = random.randint(15000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise Broken("no free port between 15000 and 32000")


def answers(host, port, prefix=()):
    """Whether somebody listens there, seen from where `prefix` puts a program."""
    if prefix:
        return subprocess.run([*prefix, "bash", "-c", f": </dev/tcp/{host}/{port}"], capture_output=True, timeout=10,
                              check=False).returncode == 0
    try:
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False


class Program:
    """One process, perhaps below strace, perhaps in a network namespace; gone when we are."""

    def __init__(self, name, folder):
        self.name, self.folder, self.process, self.program_pid = name, folder, None, None

    @property
    def log(self):
        return os.path.join(self.folder, self.name + ".log")

    def start(self, command, strace=None, prefix=(), env=None):
        """From the main thread only: the kernel ends the process with the thread that started it."""
        self.kill()
        mortal = ["setpriv", "--pdeathsig", "KILL"]
        tracer = ["strace", "-f", "-qq", *strace, *mortal] if strace else []
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*mortal, *prefix, *tracer, *command], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env={**os.environ, **(env or {})})
        self.program_pid = self._await_program(command[0]) if strace else self.process.pid

    def _await_program(self, name):
        """The pid below the tracer, once the program itself runs there; None when it has ended already."""
        tracer = self.process.pid

        def child():
            if self.process.poll() is not None:
                return "ended"
            try:
                with open(f"/proc/{tracer}/task/{tracer}/children", encoding="ascii") as file:
                    for pid in file.read().split():
                        if os.path.samefile(f"/proc/{pid}/exe", name):
                            return int(pid)
            except OSError:
                pass
            return None
        found = until(f"{name} runs below strace", child)
        return None if found == "ended" else found

    def pid(self):
        """Of the program itself, not of its tracer; None when it has ended, with all its threads and what they held open."""
        if self.has_ended() or not self.program_pid:
            return None
        try:
            with open(f"/proc/{self.program_pid}/stat", encoding="ascii") as file:
                is_dead = file.read().rsplit(")", 1)[1].split()[0] in "ZX"
            return None if is_dead and len(os.listdir(f"/proc/{self.program_pid}/task")) == 1 else self.program_pid
        except OSError:
            return None

    def has_ended(self):
        return self.process is None or self.process.poll() is not None

    def wait(self, patience=PATIENCE):
        """Its exit code; negative: the signal. None when it does not end."""
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            return None

    def signal(self, number):
        pid = self.pid()
        if pid:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def kill(self):
        if self.process is None:
            return
        self.signal(signal.SIGKILL)
        # A tracer last: it would let go of its program.
        until(f"{self.name} is gone", lambda: not self.pid() or self.pid() == self.process.pid)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def stop(self):
        """The polite end; its exit code."""
        self.signal(signal.SIGTERM)
        code = self.wait(30)
        self.kill()
        return code

    def said(self, text, since=0):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            file.seek(since)
            return text in file.read()

    def log_size(self):
        return os.path.getsize(self.log) if os.path.exists(self.log) else 0


POLICY = """\
severities: {{P1: {{}}}}
facts: {{trouble: 0}}
services:
  web:
    agents: labels.role == 'edge'
    probes:
      health: {{http: "http://127.0.0.1:{target}/", every: 200ms, timeout: 1s, confirm: {{attempts: 3, every: 200ms}}}}
  box:
    agents: labels.role == 'edge'
    probes:
      alive: {{http: "http://127.0.0.1:{target}/", every: 1s, timeout: 1s}}
rules:
  - {{service: web, severity: {{P1: "!available('health')"}}}}
  - {{service: box, severity: {{P1: "facts.trouble > 0"}}}}
actions:
{actions}
playbooks:
  - on: {{service: box, severity: P1}}
    stages: [{{at: 0s, do: [{names}]}}]
"""

# Several, one after the other for each trouble: while one is under way none of the same name is begun beside it.
TURNS = 3
ACTION_NAMES = ["mark", *(f"mark-{i}" for i in range(1, 8))]
ORDERED = """  {name}: {{host: {{entry: {name}, on: "name == 'edge-1'"}}, timeout: 20s, cooldown: 0s}}"""
ALLOWED = """  {name}: {{exec: [{folder}/mark], environment: {{MARKS: {folder}/marks}}, timeout: 3s}}"""


def policy(target):
    return POLICY.format(target=target, actions="\n".join(ORDERED.format(name=name) for name in ACTION_NAMES),
                         names=", ".join(ACTION_NAMES * TURNS))


def actions_file(folder, names=tuple(ACTION_NAMES)):
    return "actions:\n" + "\n".join(ALLOWED.format(name=name, folder=folder) for name in names) + "\n"


MARK = """\
#!/bin/sh
echo "$FIREBREAK_ACTION_ID" >>"$MARKS"
sleep 0.05
"""

NGINX = """\
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/t; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/t; uwsgi_temp_path {folder}/t;
  scgi_temp_path {folder}/t;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "fine"; }} }}
}}
"""


class Deployment:
    """`bin`: the build folder. `far`: what puts a program beside the agent instead of the coordinator, when they are not on one
    host. Starts nothing by itself but the target."""

    def __init__(self, bin_folder, folder, recorders=("rec-1", "rec-2", "rec-3"), pause_us=2000, host="127.0.0.1", far=()):
        self.bin, self.folder, self.recorders, self.pause_us = bin_folder, folder, recorders, pause_us
        self.host, self.far = host, far
        self.port, self.target_port = free_port(), free_port()
        self.agent_dials = self.recorder_dials = self.port  # a proxy may stand between
        self.coordinator = Program("coordinator", folder)
        self.agent = Program("edge-1", folder)
        self.actuator = Program("actuator", folder)
        self.recorder = Program("recorder", folder)
        self.target = Program("nginx", folder)
        self.incidents = []
        self._lay_out()

    def __enter__(self):
        self.start_target()
        return self

    def __exit__(self, *_):
        for program in (self.recorder, self.agent, self.actuator, self.coordinator, self.target):
            program.kill()

    # --- laying out

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(name), mode)

    def _lay_out(self):
        os.chmod(self.folder, 0o755)
        for name in ("policy", "coordinator", "edge-1", "actions", "t"):
            os.mkdir(self.path(name))
        os.mkdir(self.path("actuator"), 0o700)
        for arguments in (["init", "--name", "faults"], ["coordinator", "main", "--host", self.host], ["operator", "alice"],
                          *(["agent", name] for name in ("edge-1", *self.recorders))):
            self.run([self.program("cli/firebreak"), "pki", *arguments, "--dir", self.path("pki")])
        self.write("policy/policy.yaml", policy(self.target_port))
        self.write("actions/mark.yaml", actions_file(self.folder))
        self.write("mark", MARK, 0o755)
        self.write("nginx.conf", NGINX.format(folder=self.folder, port=self.target_port))
        self.write("coordinator.yaml", f"listen: {self.host}:{self.port}\ntls: {self._tls('coordinators/main')}\n"
                   f"policy: {self.path('policy')}\nstate: {self.path('coordinator')}\n")
        self.write_agent_configuration()

    def write_agent_configuration(self):
        self.write("edge-1.yaml", self.agent_configuration("edge-1", f"actuator: {self.path('edge-1.sock')}"))

    def agent_configuration(self, name, *lines):
        return "\n".join([f"coordinators: [\"{self.host}:{self.agent_dials}\"]", f"tls: {self._tls('agents/' + name)}",
                          "labels: {role: edge}", f"state: {self.path(name)}", *lines, ""])

    def _tls(self, who):
        return f"{{certificate: {self.path('pki', who)}.crt, key: {self.path('pki', who)}.key, ca: {self.path('pki/ca.crt')}}}"

    def program(self, name):
        return os.path.join(self.bin, name)

    @staticmethod
    def run(command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        if done.returncode != 0:
            raise Broken(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    # --- starting

    def start_target(self):
        self.target.start(["/usr/sbin/nginx", "-p", self.folder, "-e", "stderr", "-c", self.path("nginx.conf")], prefix=self.far)
        until("nginx answers", lambda: answers("127.0.0.1", self.target_port, self.far))

    def coordinator_command(self):
        return [self.program("coordinator/firebreak-coordinator"), "--config", self.path("coordinator.yaml")]

    def start_coordinator(self, **how):
        self.coordinator.start(self.coordinator_command(), **how)

    def start_agent(self, **how):
        self.agent.start([self.program("agent/firebreak-agent"), "--config", self.path("edge-1.yaml")],
                         prefix=self.far, **how)

    def start_actuator(self, **how):
        if os.path.exists(self.path("edge-1.sock")):
            os.unlink(self.path("edge-1.sock"))
        self.actuator.start(
            [self.program("agent/actuator/firebreak-actuator"), "--actions-dir", self.path("actions"), "--state-dir",
             self.path("actuator"), "--socket", self.path("edge-1.sock"), "--allow-user", "root"], **how)

    def start_recorder(self):
        self.recorder.start([self.program("tests/faults/faults_recorder"), f"{self.host}:{self.recorder_dials}", self.path("pki"),
                             self.path("history"), str(self.pause_us), *self.recorders], prefix=self.far)

    def start_all(self):
        self.start_coordinator()
        self.await_coordinator()
        self.start_actuator()
        self.start_agent()
        self.start_recorder()
        self.await_agent()

    def await_coordinator(self, patience=PATIENCE):
        """Until it listens; seconds since the call."""
        began = time.monotonic()

        def listens():
            if self.coordinator.has_ended():
                raise Broken("the coordinator ended while starting:\n" + self.tail(self.coordinator))
            return answers(self.host, self.port)
        until("the coordinator listens", listens, patience)
        return time.monotonic() - began

    def await_agent(self):
        until("the agent is attached with its action", lambda: "mark" in (self.agent_seen() or {}).get("actions", []))

    # --- asking

    def firebreak(self, *arguments):
        """(exit code, output)"""
        pki = self.path("pki")
        done = subprocess.run(
            [self.program("cli/firebreak"), "--coordinator", f"{self.host}:{self.port}", "--ca", pki + "/ca.crt", "--cert",
             pki + "/operators/alice.crt", "--key", pki + "/operators/alice.key", *arguments],
            capture_output=True, text=True, timeout=PATIENCE, check=False)
        return done.returncode, done.stdout + done.stderr

    def ask(self, *arguments):
        """What it answers, as JSON; {} when it does not."""
        code, output = self.firebreak(*arguments, "--output", "json")
        if code != 0:
            return {}
        return json.loads(output)

    def agent_seen(self):
        """What the coordinator says about edge-1 while it is attached."""
        for agent in self.ask("agents").get("agents", []):
            if agent["name"] == "edge-1" and agent["attached"]:
                return agent
        return None

    # --- actions

    def order_an_action(self):
        """The id of a new incident whose playbook orders one action, or None when nobody answered."""
        if self.firebreak("fact", "set", "trouble", "1", "--service", "box")[0] != 0:
            return None
        for incident in self.ask("incidents").get("incidents", []):
            if incident["service"] == "box" and incident["id"] not in self.incidents:
                self.incidents.append(incident["id"])
                return incident["id"]
        return None

    def end_trouble(self):
        """The fault is gone and its incidents are closed."""
        def is_over():
            self.firebreak("fact", "set", "trouble", "0", "--service", "box")
            answer = self.ask("incidents")
            for incident in answer.get("incidents", []):
                if incident["service"] == "box":
                    self.firebreak("resolve", incident["id"], "--reason", "the test is over")
            return answer and not [i for i in self.ask("incidents").get("incidents", [{"service": "box"}]) if i["service"] == "box"]
        until("the incidents of box are closed", is_over)

    def actions(self):
        """id -> state of every action that the coordinator shows."""
        shown = {}
        for incident in self.ask("incidents", "--all", "--limit", "1000").get("incidents", []):
            for action in incident["actions"]:
                shown[action["id"]] = "pending" if action["pending"] else action["state"].removeprefix("ACTION_STATE_").lower()
        return shown

    def marks(self):
        """id -> how often the action really ran."""
        counts = {}
        if os.path.exists(self.path("marks")):
            with open(self.path("marks"), encoding="ascii") as file:
                for line in file:
                    counts[line.strip()] = counts.get(line.strip(), 0) + 1
        return counts

    def ran(self):
        """A number that grows with every action that begins."""
        return os.path.getsize(self.path("marks")) if os.path.exists(self.path("marks")) else 0

    def tail(self, program, lines=15):
        with open(program.log, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-lines:])
