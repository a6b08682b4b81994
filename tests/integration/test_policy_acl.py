"""kaya and a running mosquitto read the same acl_file: they must agree.

Files, names, client ids and topics are made at random, from few words, so that
rules meet. mosquitto is asked by what it does: whether it acknowledges a
publish with 0x87, and whether a message comes to who subscribed to its topic.

    KAYA_ACL_FILES=200 KAYA_SEED=1 ... how many files, which ones
"""

import json
import os
import random
import socket
import subprocess

import pytest

import peers
from peers import KAYA

FILES = int(os.environ.get("KAYA_ACL_FILES", "24"))
SEED = int(os.environ.get("KAYA_SEED", "1"))
CLIENTS_A_FILE = 3
TOPICS_A_CLIENT = 12

USERS = ["ann", "bob", "pump-7"]
OTHER_USERS = ["Ann", "ann bob", "ann/x", "a+b"]
CLIENT_IDS = ["dev", "b", "ann", "bob", "a/b", "b/", "/", "a+b", "x#", "$x",
              "%u", "long-client-id"]
WORDS = ["a", "b", "", "ann", "bob", "pump-7", "dev", "$x", "a b"]
# In a filter. %u and %c mean something in patterns only.
FILTER_WORDS = WORDS + ["+", "+", "%u", "%c", "x%u", "%cx", "%u%c", "%"]
ACCESS = ["", "read ", "write ", "readwrite ", "deny ", "read  "]
# Who publishes what the others are to read: his own lines come first.
SENDER = "user sender\n" + "".join(
    f"topic write {top}\n" for top in ("#", "$x/#", "$xx/#"))


# ---- files at random ----

def some_filter(rng):
    levels = [rng.choice(FILTER_WORDS) for _ in range(rng.choice([1, 2, 2, 3]))]
    if rng.random() < 0.06:
        levels[:1] = rng.choice(
            [["$SYS"], ["$share", "a"], ["$SYS", "broker", "connection"],
             ["$x"]])
    if rng.random() < 0.35:
        levels.append("#")
    return "/".join(levels)


def some_line(rng):
    kind = rng.random()
    if kind < 0.18:
        user = rng.choice(USERS * 4 + OTHER_USERS)
        return "user" + rng.choice([" ", "  "]) + user
    if kind < 0.22:
        return rng.choice(["", "# topic #", "#", "   "])
    topic = some_filter(rng)
    access = rng.choice(ACCESS)
    if access == "" and (" " in topic or topic == ""):
        access = "readwrite "
    word = "topic" if kind < 0.75 else "pattern"
    return (word + rng.choice([" ", " ", "  "]) + access + topic +
            rng.choice([""] * 6 + [" ", "\r", "\t"]))


def some_file(rng):
    lines = [some_line(rng) for _ in range(rng.randrange(3, 22))]
    return "\n".join(lines) + "\n"


def fitting_topic(rng, filters, user, client_id):
    """One that a line of the file is about, or nearly so."""
    levels = rng.choice(filters).split("/")
    if levels[-1] == "#":
        levels[-1:] = rng.choices(WORDS, k=rng.randrange(3))
    levels = [rng.choice(WORDS) if level == "+" else
              level.replace("%u", user).replace("%c", client_id)
              for level in levels]
    if rng.random() < 0.15 and levels:
        levels[rng.randrange(len(levels))] = rng.choice(WORDS)
    return levels


def some_topic(rng, filters, user, client_id):
    words = WORDS + [user, client_id, "x" + user, client_id + "x"]
    if rng.random() < 0.7:
        levels = fitting_topic(rng, filters, user, client_id)
    else:
        levels = rng.choices(words, k=rng.choice([1, 2, 2, 3, 4]))
    if rng.random() < 0.03:
        levels[:1] = rng.choice(
            [["$SYS"], ["$share", "a"],
             ["$SYS", "broker", "connection", "b", "state"]])
    topic = "/".join(levels)
    if topic == "" or "+" in topic or "#" in topic:
        return "a/b"
    return topic


def filters_of(path, user):
    """What the lines for this user, and for all, are about."""
    filters, mine = ["a/b"], False
    for line in path.read_text().splitlines():
        words = line.split(None, 1)
        if len(words) < 2 or line.startswith("#"):
            continue
        if words[0] == "user":
            mine = words[1].strip() == user
        elif mine or words[0] == "pattern":
            about = words[1].split(None, 1)
            filters.append(about[-1].strip())
    return filters


# ---- as much of an MQTT 5.0 client as it takes ----

def text(value):
    value = value.encode()
    return len(value).to_bytes(2, "big") + value


class Client:
    def __init__(self, port, user, client_id):
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb")
        self.send(0x10, text("MQTT") + bytes([5, 0x82, 0, 0, 0]) +
                  text(client_id) + text(user))
        kind, body = self.receive()
        assert (kind, body[1]) == (0x20, 0), (user, client_id, body)

    def send(self, kind, body=b""):
        assert len(body) < 128
        self.socket.sendall(bytes([kind, len(body)]) + body)

    def receive(self):
        kind, length, shift = self.stream.read(1)[0], 0, 0
        while True:
            byte = self.stream.read(1)[0]
            length |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return kind, self.stream.read(length)

    def may_publish(self, topic):
        """Whether its PUBACK is not 0x87."""
        self.send(0x32, text(topic) + b"\x00\x01\x00")
        kind, body = self.receive()
        while kind >> 4 == 3:
            kind, body = self.receive()
        assert kind == 0x40
        code = body[2] if len(body) > 2 else 0
        assert code in (0, 0x10, 0x87), hex(code)
        return code != 0x87

    def subscribe(self, topic):
        self.send(0x82, b"\x00\x02\x00" + text(topic) + b"\x00")
        kind, body = self.receive()
        assert kind == 0x90 and body[-1] == 0, (topic, body)

    def unsubscribe(self, topic):
        self.send(0xa2, b"\x00\x03\x00" + text(topic))
        assert self.receive()[0] == 0xb0

    def came(self):
        """Whether a message was there before the answer to a question."""
        self.send(0xc0)
        found = False
        while True:
            kind, _ = self.receive()
            if kind == 0xd0:
                return found
            assert kind >> 4 == 3
            found = True

    def may_read(self, topic, sender):
        self.subscribe(topic)
        assert sender.may_publish(topic), topic
        found = self.came()
        self.unsubscribe(topic)
        return found

    def close(self):
        self.stream.close()
        self.socket.close()


# ---- both asked ----

def ask_kaya(path, user, client_id, action, topic):
    result = subprocess.run(
        [KAYA, "policy", "test", "--json", "--client-id", client_id, "--",
         path, user, action, topic], capture_output=True, text=True)
    assert result.returncode in (0, 4), result.stderr
    answer = json.loads(result.stdout)
    assert answer["allowed"] == (result.returncode == 0)
    return answer


def compare(broker, path, user, client_id, topic):
    """The two accesses of one topic: (kaya's, mosquitto's) of each."""
    client = Client(broker.port, user, client_id)
    sender = Client(broker.port, "sender", "the-sender")
    found = []
    try:
        found.append(("publish", client.may_publish(topic)))
        if not topic.startswith(("$SYS", "$share")):
            found.append(("deliver", client.may_read(topic, sender)))
    finally:
        client.close()
        sender.close()
    for action, allowed in found:
        answer = ask_kaya(path, user, client_id, action, topic)
        assert answer["verdict"] != "client-id"
        assert answer["allowed"] == allowed, (
            f"{user} as {client_id!r} {action} {topic!r}: mosquitto says "
            f"{allowed}, kaya {answer}\n{path.read_text()}")
        if answer["allowed"]:
            assert answer["rule"]["line"] > 0
    return [allowed for _, allowed in found]


def own_client_id(path, user, rng):
    """One that belongs to nobody else who is named in the file."""
    named = [line.split(None, 1)[1].strip()
             for line in path.read_text().splitlines()
             if line.startswith("user ")]
    while True:
        client_id = rng.choice(CLIENT_IDS)
        if client_id == user or client_id not in named:
            return client_id


def is_accepted(path, folder):
    """Whether mosquitto starts by this file."""
    try:
        with peers.Mosquitto(folder, extra=f"acl_file {path}"):
            return True
    except AssertionError:
        return False


@pytest.mark.takes(26)
def test_kaya_and_mosquitto_permit_the_same(tmp_path):
    rng = random.Random(SEED)
    verdicts, cases = [], set()
    for number in range(FILES):
        path = tmp_path / f"acl{number}"
        path.write_text(some_file(rng) + SENDER)
        path.chmod(0o644)
        peers.let_through(tmp_path)
        with peers.Mosquitto(tmp_path / f"broker{number}",
                             extra=f"acl_file {path}") as broker:
            for _ in range(CLIENTS_A_FILE):
                user = rng.choice(USERS)
                client_id = own_client_id(path, user, rng)
                filters = filters_of(path, user)
                for _ in range(TOPICS_A_CLIENT):
                    topic = some_topic(rng, filters, user, client_id)
                    cases.add((number, user, client_id, topic))
                    verdicts += compare(broker, path, user, client_id, topic)
    # The samples must say something: enough of them, and of both kinds.
    if FILES >= 24:
        assert len(verdicts) >= 1000 and len(cases) >= 500
    assert 0.1 < sum(verdicts) / len(verdicts) < 0.9


@pytest.mark.parametrize("line,is_sound", [
    ("topic a", True),
    (" topic a", True),
    ("topic  read   x y ", True),
    ("topic deny", True),
    ("pattern %u/#", True),
    ("pattern x", True),
    ("topic read $share/x", True),
    ("user ann bob ", True),
    ("", True),
    ("#", True),
    ("topic\tread a", False),
    (" # x", False),
    ("topics a", False),
    ("Topic a", False),
    ("topic", False),
    ("pattern", False),
    ("user", False),
    ("user  ", False),
    ("topic a b", False),
    ("topic rad x", False),
    ("topic read a/#/b", False),
    ("topic a#", False),
    ("pattern x/%u+", False),
    ("pattern +%u", False),
])
def test_both_refuse_the_same_lines(tmp_path, line, is_sound):
    path = tmp_path / "acl"
    path.write_text(f"user x\n{line}\n")
    path.chmod(0o644)
    peers.let_through(tmp_path)
    result = subprocess.run([KAYA, "policy", "test", path, "x", "publish", "b"],
                            capture_output=True, text=True)
    assert result.returncode == (4 if is_sound else 2), result.stderr
    if not is_sound:
        assert f"{path}:2:" in result.stderr
        assert "remedy: " in result.stderr
    assert is_accepted(path, tmp_path / "broker") == is_sound
