"""approvals: commands that need two people: who asks, who agrees, what comes
out behind the gateway."""

import json
import os
import pwd
import queue
import socket
import subprocess

import mqttclients
import peers
from mqttclients import Raw, packet, text

# Who asks at the control socket is who runs the tests.
ME = pwd.getpwuid(os.getuid()).pw_name

POLICY = """\
roles:
  - name: operator
    publish: ["plant/#", "free/#", "$kaya/deny"]
    subscribe: ["free/#", "$kaya/result/%i"]
    retain: yes
  - name: supervisor
    publish: ["plant/#", "$kaya/approve", "$kaya/deny"]
    subscribe: ["$kaya/pending", "$kaya/result/%i"]
  - {name: chief, publish: ["plant/#"], subscribe: ["$kaya/result/%i"]}
identities:
  - {names: [ann, abe, both], roles: operator}
  - {names: [bob, bea, both, ME], roles: supervisor}
  - {names: cy, roles: chief}
approval:
  - name: valves
    topics: ["plant/+/valve"]
    from: operator
    by: supervisor
    within: 60s
    safe_state: [close, "0"]
    break_glass: chief
  - {name: quick, topics: plant/quick, by: supervisor, within: 1s}
  - {name: pairs, topics: plant/pair, from: operator, by: supervisor,
     within: 60s, mode: twice}
  - name: locks
    topics: plant/lock
    by: supervisor
    mode: permissive
    permit_topic: plant/permit
    within: 60s
""".replace("ME", ME)


class Plant(mqttclients.Gateway):
    """A gateway with that policy before a broker of its own, and somebody who
    sees all that reaches the broker."""

    def __init__(self, folder, stack, policy=POLICY, broker=None,
                 address=None, config=""):
        self.broker = broker or stack.enter_context(
            peers.Mosquitto(folder / "broker"))
        address = address or f"127.0.0.1:{self.broker.port}"
        super().__init__(folder, stack, policy,
                         f"brokers: [{{address: \"{address}\"}}]\n{config}")
        self.witness = stack.enter_context(Witness(self.broker.port))

    def raw(self, name, level="5.0"):
        return self.stack.enter_context(Raw(self.port(name), level))

    def ask(self, request):
        """At the control socket: as the user that the test is."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(30)
            control.connect(str(self.kayad.state / "control.sock"))
            control.sendall(request.encode() + b"\n")
            return json.loads(control.makefile().read())

    def pending(self):
        return self.ask("pending")["pending"]

    def held(self, count=1):
        """The ids of what is held, once it is so many."""
        peers.wait_until(lambda: len(self.pending()) == count,
                         f"{count} are held")
        return [command["id"] for command in self.pending()]

    def audit(self, *kinds):
        with open(self.kayad.state / "audit.log") as file:
            lines = [json.loads(line) for line in file]
        return [line for line in lines if line["event"] in kinds]


class Witness(mqttclients.Client):
    """Behind the gateway: everything that the broker is given, in order."""

    def __init__(self, port):
        super().__init__(port, mqttclients.LEVELS["3.1.1"])
        assert self.subscribe("#", qos=2) in ([2], [1])  # RabbitMQ has 1

    def saw(self, *wanted):
        """Exactly these, and nothing else before or between them."""
        for topic, payload in wanted:
            message = self.messages.get(timeout=20)
            assert (message.topic, message.payload.decode()) == \
                (topic, payload)

    def saw_nothing_else(self, through):
        """What `through` publishes now is the next that comes."""
        through.publish("free/fence", "fence")
        self.saw(("free/fence", "fence"))


class Listener(mqttclients.Client):
    """Somebody who listens to topics of the gateway's own."""

    def __init__(self, port, level, topic):
        super().__init__(port, mqttclients.LEVELS[level])
        self.topic = topic
        assert self.subscribe(topic) == [0]

    def hears(self, **wanted):
        """The next that is told has these members."""
        message = self.messages.get(timeout=20)
        assert message.topic == self.topic and message.qos == 0
        told = json.loads(message.payload)
        assert {key: told.get(key) for key in wanted} == wanted, told
        return told

    def hears_nothing(self):
        try:
            message = self.messages.get(timeout=0.2)
        except queue.Empty:
            return
        raise AssertionError(message.payload)


def pub(port, topic, message, *words, level="3.1.1", qos=1):
    """A stock mosquitto_pub, that waits for its acknowledgement."""
    version = {"3.1": "mqttv31", "3.1.1": "mqttv311", "5.0": "mqttv5"}[level]
    return subprocess.Popen(
        ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-t", topic,
         "-m", message, "-q", str(qos), "-V", version, *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def publish(raw, topic, payload="open", packet_id=1, qos=1, dup=False,
            retain=False, alias=0, expiry=0):
    """A PUBLISH by hand; of 5.0 with an alias, an expiry."""
    body = text(topic)
    if qos:
        body += packet_id.to_bytes(2, "big")
    if raw.level == 5:
        properties = b""
        if expiry:
            properties += b"\2" + expiry.to_bytes(4, "big")
        if alias:
            properties += b"\x23" + alias.to_bytes(2, "big")
        body += bytes([len(properties)]) + properties
    raw.send(packet(0x30 | dup << 3 | qos << 1 | retain,
                    body + payload.encode()))


def read_reason(raw):
    """An acknowledgement of 5.0: packet id, code, reason string."""
    kind, body = raw.read()
    assert kind in (0x40, 0x50)
    packet_id, code = int.from_bytes(body[:2], "big"), 0
    reason = ""
    if len(body) > 2:
        code = body[2]
    if len(body) > 4 and body[4] == 0x1f:
        reason = body[7:].decode()
    return packet_id, code, reason
