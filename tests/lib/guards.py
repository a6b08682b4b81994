"""guards: an actuator with a guard: a stock mosquitto_sub behind the tunnel."""

import json
import subprocess

import devices
import peers
from peers import make_key, wait_until
from tunnels import Subscriber, publish

TOPIC = "plant/valve-1/set"
RULES = """
actuator: {name}
allowed_signers: {folder}/allowed_signers
audit: {folder}/guard.log
roles:
  - {{name: operator, principals: [ann, dora]}}
  - {{name: supervisor, principals: [bob, dora]}}
  - {{name: interlock, principals: [pump-7]}}
protect:
  - name: valve
    topics: ["plant/valve-1/#"]
    safe_state: [close, "0"]
    request: operator
    approve: supervisor
    permit: interlock
    within: {within}
  - name: pump
    topics: ["plant/pump/+"]
    request: operator
    permit: interlock
    within: {within}
"""


class Plant:
    """People with keys, a broker, a server, a guard, an actuator."""

    people = ("ann", "bob", "dora", "eve", "pump-7")

    def __init__(self, server, folder, name="valve-1", within="60s",
                 rules=RULES, topic="plant/#", client=()):
        self.server, self.folder, self.name = server, folder / name, name
        self.folder.mkdir()
        self.folder.chmod(0o700)
        self.keys, lines = {}, []
        for person in self.people:
            self.keys[person] = self.folder / person
            lines.append(f"{person} {make_key(self.keys[person]).strip()}\n")
        # eve's key is nobody's here.
        self.signers = self.folder / "allowed_signers"
        self.write(self.signers, "".join(
            line for line in lines if not line.startswith("eve ")))
        self.write(self.folder / "revoked_keys", "")
        self.file = self.folder / "guard.yaml"
        self.write(self.file, rules.format(
            name=name, folder=self.folder, within=within))
        self.audit = self.folder / "guard.log"
        self.topic, self.client = topic, client
        self.tunnel = self.actuator = None

    @staticmethod
    def write(path, text):
        fresh = path.with_name(path.name + ".new")
        fresh.write_text(text)
        fresh.chmod(0o600)
        fresh.rename(path)

    def start(self, *words):
        self.tunnel = devices.Tunnel(
            self.server, "--guard", self.file, *words)
        try:
            self.tunnel.wait_for_log("event=ready")
            self.actuator = Subscriber(
                self.tunnel.port, self.topic, "-q", "1",
                "-F", "MOVED %t %p", *self.client)
        except BaseException:
            self.stop()
            raise

    def stop(self):
        for process in (self.actuator, self.tunnel):
            if process is not None:
                process.stop()
        self.actuator = self.tunnel = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *unused):
        if kind is not None and self.tunnel is not None:
            print(self.tunnel.log(), self.actuator.log())
        self.stop()

    def moved(self):
        """What the actuator was given, in order."""
        return [line[len("MOVED "):].strip()
                for line in self.actuator.log().splitlines()
                if line.startswith("MOVED ")]

    def publish(self, payload, *words, topic=TOPIC):
        """As any client of the broker."""
        return publish(self.server.broker.port, topic, payload, *words)

    def stop_gets_through(self, topic=TOPIC):
        """A stop of now, whatever happened before."""
        before = len(self.moved())
        self.publish("close", topic=topic)
        self.actuator.wait_for_log(
            r"(?s)" + r"MOVED .*" * before + rf"MOVED {topic} close")

    # ---- people ----

    def words(self, command, person):
        return [command, "--key", self.server.key, "--broker",
                self.server.target, "--sign-key", self.keys[person],
                self.server.dest]

    def request(self, person="ann", payload="open", topic=TOPIC, words=()):
        """kaya request, running; its id once it is signed."""
        request = devices.Kaya(
            *self.words("request", person), "-t", topic, "-m", payload,
            "--actuator", self.name, *words)
        return request

    def requested(self, request):
        return request.wait_for_log(
            rf"kaya approve \S+ ({self.name}\.[0-9a-f]{{16}})").group(1)

    def approve(self, command, person="bob", words=()):
        return devices.run(*self.words("approve", person), command, *words)

    def deny(self, command, person="bob", words=()):
        return devices.run(*self.words("deny", person), command, *words)

    def audited(self):
        return [json.loads(line) for line in
                self.audit.read_text().splitlines()]


def has_moved(plant, *expected):
    wait_until(lambda: plant.moved() == list(expected),
               f"the actuator moves: {expected}, not {plant.moved()}")


def verifies(plant, person, statement, signature, namespace="kaya-command"):
    """Whether ssh-keygen -Y verify takes it."""
    with open(statement) as message:
        return subprocess.run(
            ["ssh-keygen", "-Y", "verify", "-f", plant.signers, "-I", person,
             "-n", namespace, "-s", signature], stdin=message,
            capture_output=True).returncode == 0
