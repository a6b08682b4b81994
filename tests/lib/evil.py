"""evil: a broker whose owner does as he likes with everybody's messages.

It speaks MQTT 3.1.1 and 5.0 as far as stock clients need it, and passes
messages on as a broker does, but for what the test takes out, keeps back,
changes or makes up.
"""

import socket
import struct
import threading

from peers import free_port, wait_until


def text(value):
    value = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(value)) + value


def packet(kind, body):
    size, rest = b"", len(body)
    while True:
        byte, rest = rest % 128, rest // 128
        size += bytes([byte | (128 if rest else 0)])
        if not rest:
            return bytes([kind]) + size + body


def take_text(body, at):
    size, = struct.unpack_from(">H", body, at)
    return body[at + 2:at + 2 + size], at + 2 + size


def take_varint(body, at):
    value = shift = 0
    while True:
        value |= (body[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if not body[at - 1] & 128:
            return value, at


def matches(pattern, topic):
    pattern, topic = pattern.split("/"), topic.split("/")
    for i, level in enumerate(pattern):
        if level == "#":
            return True
        if i >= len(topic) or level not in ("+", topic[i]):
            return False
    return len(pattern) == len(topic)


class Client:
    """One connection."""

    def __init__(self, broker, connection):
        self.broker, self.connection = broker, connection
        self.filters, self.level, self.next_id = [], 4, 0
        self.lock = threading.Lock()
        self.acknowledged = []  # (type, packet id) that came

    def send(self, data):
        with self.lock:
            try:
                self.connection.sendall(data)
            except OSError:
                pass

    def hears(self, topic):
        return any(matches(each, topic) for each in self.filters)

    def publish(self, topic, payload, qos=0, retain=False, dup=False,
                packet_id=None, properties=b""):
        """A PUBLISH; its packet id."""
        payload = payload.encode() if isinstance(payload, str) else payload
        body = text(topic)
        if qos:
            if packet_id is None:
                self.next_id += 1
                packet_id = self.next_id
            body += struct.pack(">H", packet_id)
        if self.level == 5:
            body += bytes([len(properties)]) + properties
        self.send(packet(0x30 | dup << 3 | qos << 1 | retain, body + payload))
        return packet_id

    def serve(self):
        stream = self.connection.makefile("rb")
        try:
            while True:
                if any("kaya/guard/" in each for each in self.filters):
                    self.broker.listens.wait()
                first = stream.read(1)
                if not first:
                    return
                size = shift = 0
                while True:
                    byte = stream.read(1)[0]
                    size |= (byte & 127) << shift
                    shift += 7
                    if byte < 128:
                        break
                self.take(first[0], stream.read(size))
        except (OSError, IndexError) as error:
            self.broker.ended.append(repr(error))
        finally:
            self.broker.forget(self)

    def take(self, kind, body):
        handler = {1: self.on_connect, 3: self.on_publish, 8: self.on_subscribe,
                   12: lambda *_: self.send(b"\xd0\0")}.get(kind >> 4)
        if kind >> 4 in (4, 5, 7):
            self.acknowledged.append(
                (kind >> 4, struct.unpack_from(">H", body)[0]))
        if kind >> 4 == 5:
            self.send(packet(0x62, body[:2]))  # PUBREL
        if handler:
            handler(kind, body)

    def on_connect(self, kind, body):
        _, at = take_text(body, 0)
        self.level = body[at]
        self.send(b"\x20\x03\0\0\0" if self.level == 5 else b"\x20\x02\0\0")

    def on_subscribe(self, kind, body):
        at, codes, fresh = 2, b"", []
        if self.level == 5:
            size, at = take_varint(body, at)
            at += size
        while at < len(body):
            each, at = take_text(body, at)
            codes += bytes([body[at] & 3])
            fresh.append(each.decode())
            at += 1
        none = b"\0" if self.level == 5 else b""
        # Who has the SUBACK hears what is said from then on.
        self.filters += fresh
        self.send(packet(0x90, body[:2] + none + codes))

    def on_publish(self, kind, body):
        topic, at = take_text(body, 0)
        if kind & 6:
            self.send(packet(0x40, body[at:at + 2]))
            at += 2
        if self.level == 5:
            size, at = take_varint(body, at)
            at += size
        self.broker.route(topic.decode(), body[at:])


class Broker:
    """It listens on a port of loopback."""

    def __init__(self):
        self.port = free_port()
        self.clients, self.heard, self.withheld = [], [], []
        self.ended = []  # why connections did, for who looks for a fault
        self.listens = threading.Event()  # cleared: guards are not read
        self.listens.set()
        self.judge = None  # called with topic, payload: pass it on?
        self.lock = threading.Condition()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        # The kernel keeps little for it: who is not read from soon notices.
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1220)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = Client(self, connection)
            with self.lock:
                self.clients.append(client)
            threading.Thread(target=client.serve, daemon=True).start()

    def forget(self, client):
        with self.lock:
            self.clients.remove(client)
        client.connection.close()

    def route(self, topic, payload):
        with self.lock:
            self.heard.append((topic, payload))
            self.lock.notify_all()
        if self.judge is not None and not self.judge(topic, payload):
            self.withheld.append((topic, payload))
            return
        self.say(topic, payload, qos=1)

    def who_hears(self, topic):
        with self.lock:
            return [client for client in self.clients if client.hears(topic)]

    def say(self, topic, payload, **options):
        """To everybody who is subscribed."""
        for client in self.who_hears(topic):
            client.publish(topic, payload, **options)

    def client(self, topic):
        """The one that hears the topic, when it is there."""
        return wait_until(lambda: self.who_hears(topic),
                          f"somebody hears {topic}")[0]

    def wait_for(self, wanted, what):
        """The first of the messages that came for which `wanted` is true."""
        def look():
            with self.lock:
                heard = list(self.heard)
            return next((each for each in heard if wanted(*each)), None)
        return wait_until(look, what)

    def stop(self):
        self.listens.set()
        # A close alone does not end an accept(2) that is under way.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            clients = list(self.clients)
        for client in clients:
            try:
                client.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
