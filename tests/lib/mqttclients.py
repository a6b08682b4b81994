"""mqttclients: MQTT clients before a gateway with a policy, and what they are
answered."""

import queue
import socket
import struct

import paho.mqtt.client as paho
import pytest

import peers
from peers import make_key
from tunnels import Tunnel

LEVELS = {"3.1.1": paho.MQTTv311, "5.0": paho.MQTTv5}
WITH_31 = {"3.1": paho.MQTTv31, **LEVELS}


@pytest.fixture(params=LEVELS)
def level(request):
    return request.param


class Gateway:
    """kayad with a policy, and a tunnel for each identity that is used."""

    def __init__(self, folder, stack, policy=None, config="", arguments=()):
        self.folder = folder
        self.stack = stack
        if policy is not None:
            self.policy = folder / "policy.yaml"
            self.policy.write_text(policy)
            self.policy.chmod(0o644)
            config = f"policy: {self.policy}\n{config}"
        folder.chmod(0o755)
        self.kayad = stack.enter_context(peers.Kayad(
            folder, config=config or None, arguments=arguments))
        self.tunnels = {}

    def port(self, name):
        if name not in self.tunnels:
            key = self.folder / f"key-{name}"
            self.kayad.admit(make_key(key), name)
            self.tunnels[name] = self.stack.enter_context(
                Tunnel(self.kayad, key))
        return self.tunnels[name].port

    def client(self, name, level="5.0", **options):
        return self.stack.enter_context(
            Client(self.port(name), WITH_31[level], **options))

    def change_policy(self, text):
        self.kayad.replace(self.policy, text)


class Client:
    """Paho: what it is answered, in order."""

    def __init__(self, port, protocol, client_id="", will=None, clean=True,
                 must_connect=True):
        self.events = queue.Queue()
        self.messages = queue.Queue()
        words = {"protocol": protocol}
        if protocol != paho.MQTTv5:
            words["clean_session"] = clean
        self.paho = paho.Client(client_id=client_id, **words)
        self.paho.on_connect = lambda c, u, f, code, *rest: \
            self.events.put(("connack", getattr(code, "value", code)))
        self.paho.on_message = lambda c, u, m: self.messages.put(m)
        self.paho.on_subscribe = lambda c, u, mid, codes, *rest: \
            self.events.put(("suback", [getattr(code, "value", code)
                                        for code in codes]))
        self.paho.on_publish = lambda c, u, mid: \
            self.events.put(("published", mid))
        if will:
            self.paho.will_set(*will)
        connect = {"clean_start": clean} if protocol == paho.MQTTv5 else {}
        self.paho.connect("127.0.0.1", port, **connect)
        self.paho.loop_start()
        self.code = self.wait("connack")
        if must_connect:
            assert self.code == 0

    def wait(self, kind):
        while True:
            found, value = self.events.get(timeout=20)
            if found == kind:
                return value

    def subscribe(self, *filters, qos=1):
        self.paho.subscribe([(name, qos) for name in filters]
                            if self.paho._protocol != paho.MQTTv5 else
                            [(name, paho.SubscribeOptions(qos=qos))
                             for name in filters])
        return self.wait("suback")

    def publish(self, topic, payload="x", qos=1, retain=False,
                properties=None):
        info = self.paho.publish(topic, payload, qos, retain, properties)
        info.wait_for_publish(20)
        assert info.is_published()

    def got(self, count):
        return [self.messages.get(timeout=20).topic for _ in range(count)]

    def got_once(self, count):
        """Of filters that overlap, a broker may send each message twice."""
        found = []
        while len(found) < count:
            topic = self.messages.get(timeout=20).topic
            if topic not in found:
                found.append(topic)
        return found

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.paho.disconnect()
        self.paho.loop_stop()


class Raw:
    """MQTT by hand."""

    def __init__(self, port, level, behind_connect=b"", will=None):
        self.level = 5 if level == "5.0" else 4
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        self.socket.settimeout(20)
        properties = b"\0" if self.level == 5 else b""
        body = b"\0\4MQTT" + bytes([self.level, 6 if will else 2, 0, 60])
        body += properties + text("")
        if will:
            body += properties + text(will[0]) + text(will[1])
        self.send(packet(0x10, body) + behind_connect)
        assert self.read()[0] == 0x20

    def publish_bytes(self, topic, packet_id, payload=b"x", qos=1):
        return publish_bytes(self.level, topic, packet_id, payload, qos)

    def subscribe(self, packet_id, filters):
        body = struct.pack("!H", packet_id)
        if self.level == 5:
            body += b"\0"
        self.send(packet(0x82, body + b"".join(
            text(name) + b"\0" for name in filters)))

    def send(self, data):
        self.socket.sendall(data)

    def exactly(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            assert more, "the connection is closed"
            data += more
        return data

    def read(self):
        kind = self.exactly(1)[0]
        size = shift = 0
        while True:
            byte = self.exactly(1)[0]
            size |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return kind, self.exactly(size)

    def read_ack(self):
        kind, body = self.read()
        return kind, struct.unpack("!H", body[:2])[0], body[2:3]

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.socket.close()


def publish_bytes(level, topic, packet_id, payload=b"x", qos=1):
    body = text(topic) + struct.pack("!H", packet_id)
    if level == 5:
        body += b"\0"
    return packet(0x30 | qos << 1, body + payload)


def text(value):
    return struct.pack("!H", len(value)) + value.encode()


def packet(kind, body):
    size, head = len(body), bytes([kind])
    while True:
        byte, size = size & 0x7f, size >> 7
        head += bytes([byte | (0x80 if size else 0)])
        if not size:
            return head + body
