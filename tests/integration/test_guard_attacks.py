"""The guard under attack.

Whoever attacks owns the broker, the gateway (a stock sshd keeps nothing back),
the network, and one key that may sign (dora's, who may request and approve, or
another's). Each attack of the list below is tried with all of that; the
actuator, a stock mosquitto_sub, moves in none, and a stop gets through in all.
doc/guard-attacks.md has the same list in words.
"""

import base64
import hashlib
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import time

import pytest

import devices
import evil
import peers
from devices import Server, home  # noqa: F401
from guards import RULES, TOPIC, Plant
from peers import wait_until

PUMP = "plant/pump/1"


def escape(value):
    """As kaya-guard(5) has it; written here a second time, from its words."""
    out = ""
    for character in value:
        if character in '"\\':
            out += "\\" + character
        elif character == "\n":
            out += "\\n"
        elif ord(character) < 32 or ord(character) == 127 or \
                0x80 <= ord(character) < 0xa0:
            out += "".join(f"\\x{byte:02x}" for byte in character.encode())
        else:
            out += character
    return out


def statement_of(actuator, topic, payload, challenge):
    return ("kaya-command v1\n"
            f"actuator: {actuator}\n"
            f"topic: {escape(topic)}\n"
            f"payload-sha256: {hashlib.sha256(payload.encode()).hexdigest()}\n"
            f"payload: {escape(payload)}\n"
            f"challenge: {challenge}\n")


def id_of(statement):
    name = re.search("actuator: (.*)", statement).group(1)
    return f"{name}.{hashlib.sha256(statement.encode()).hexdigest()[:16]}"


class World(Plant):
    """All that the attacker has, and the actuator that he wants to move."""

    def __init__(self, folder, home, **options):  # noqa: F811
        self.broker = evil.Broker()
        server = Server("sshd", folder, home)
        server.broker.stop()
        server.broker = self.broker
        server.target = f"127.0.0.1:{self.broker.port}"
        super().__init__(server, folder, **options)
        self.requests = 0

    def __exit__(self, *details):
        super().__exit__(*details)
        self.server.server.stop()
        self.broker.stop()

    # ---- speaking to the guard, as its broker ----

    def say(self, message, **options):
        self.broker.say(f"kaya/guard/{self.name}/ask", json.dumps(message),
                        **options)

    def tell(self, message, **options):
        """Say it, and wait for the answer."""
        self.requests += 1
        request = f"r{self.requests}"
        self.say({**message, "request": request}, **options)
        _, answer = self.broker.wait_for(
            lambda topic, payload:
            topic == f"kaya/guard/{self.name}/answer/{request}",
            f"the guard answers {message}")
        return json.loads(answer)

    def answer_to(self, request):
        """What it has answered by now, or None."""
        with self.broker.lock:
            return next((payload for topic, payload in self.broker.heard if
                         topic == f"kaya/guard/{self.name}/answer/{request}"),
                        None)

    def ask(self, payload="open", topic=TOPIC):
        """A challenge: the id and the statement."""
        answer = self.tell({"do": "ask", "topic": topic, "payload": payload})
        if "challenge" not in answer:
            return answer["cause"], None
        statement = statement_of(self.name, topic, payload,
                                 answer["challenge"])
        assert id_of(statement) == answer["id"]
        return answer["id"], statement

    def signature(self, person, statement, namespace="kaya-command"):
        return subprocess.run(
            ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f",
             self.keys[person]], input=statement, capture_output=True,
            text=True, check=True).stdout

    def sign(self, command, signature, do="sign"):
        """What the guard says of it: its cause, "none" where it took it."""
        return self.tell({"do": do, "id": command,
                          "signature": signature})["cause"]

    def result(self, command):
        _, result = self.broker.wait_for(
            lambda topic, payload: topic == f"kaya/guard/{self.name}/result"
            and json.loads(payload).get("id") == command,
            f"what became of {command}")
        return json.loads(result)["cause"]

    def open_legally(self, payload="open"):
        """A command that two have signed; all that was said for it."""
        command, statement = self.ask(payload)
        said = []
        for person in ("ann", "bob"):
            signature = self.signature(person, statement)
            said.append({"do": "sign", "id": command, "request": "again",
                         "signature": signature})
            assert self.sign(command, signature) == "none"
        assert self.result(command) == "none"
        self.actuator.wait_for_log(f"MOVED {TOPIC} {payload}")
        return command, statement, said

    def actuators(self):
        return self.broker.client(TOPIC)

    def refused(self, count=1):
        """So many messages were kept from the actuator, one a second told."""
        self.tunnel.wait_for_log("(?s)" + "event=refuse .*" * count)

    def carried(self):
        """Bytes that came through the tunnel."""
        status = json.loads(devices.run("status", "--json").stdout)
        return next(each["in"] for each in status
                    if each.get("pid") == self.tunnel.pid)

    def memory(self):
        """Bytes that the tunnel has in memory."""
        status = pathlib.Path(f"/proc/{self.tunnel.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) << 10

    def restart(self):
        self.stop()
        self.start()


# ---- the list ----

ATTACKS = {}


def attack(words, **options):
    def keep(function):
        ATTACKS[function.__name__.replace("_", "-")] = (
            function, words, options)
        return function
    return keep


@attack("the second signature is kept back, and delivered when the time is "
        "over", within="5s")
def late_signature(world):
    command, statement = world.ask()
    assert world.sign(command, world.signature("ann", statement)) == "none"
    signature = world.signature("bob", statement)
    assert world.result(command) == "time-limit-over"
    assert world.sign(command, signature) == "not-selected"


@attack("everything that was said for a command that was done is said again")
def replay(world):
    command, statement, said = world.open_legally()
    for message in said:
        assert world.sign(command, message["signature"]) == "not-selected"
    return ["open"]


@attack("both signatures are kept back, and delivered after a restart of the "
        "guard")
def replay_after_restart(world):
    command, statement = world.ask()
    signatures = [world.signature(each, statement) for each in ("ann", "bob")]
    world.restart()
    for signature in signatures:
        assert world.sign(command, signature) == "not-selected"


@attack("the payload is swapped: signatures of one command are given for "
        "another")
def swapped_payload(world):
    _, wanted = world.ask("open 10 %")
    command, _ = world.ask("open 100 %")
    for person in ("ann", "bob"):
        assert world.sign(command, world.signature(person, wanted)) == \
            "bad-signature"


@attack("the topic is swapped: the same payload for another valve")
def other_topic(world):
    _, wanted = world.ask(topic="plant/valve-1/test")
    command, _ = world.ask(topic=TOPIC)
    assert world.sign(command, world.signature("ann", wanted)) == \
        "bad-signature"


@attack("one person signs twice, with two keys")
def one_person_two_keys(world):
    world.keys["dora-2"] = world.folder / "dora-2"
    line = peers.make_key(world.keys["dora-2"]).strip()
    world.write(world.signers, world.signers.read_text() + f"dora {line}\n")
    command, statement = world.ask()
    assert world.sign(command, world.signature("dora", statement)) == "none"
    assert world.sign(command, world.signature("dora-2", statement)) == \
        "same-identity"


@attack("one person who may request and approve signs twice, with one key")
def same_key_twice(world):
    command, statement = world.ask()
    assert world.sign(command, world.signature("dora", statement)) == "none"
    assert world.sign(command, world.signature("dora", statement)) == \
        "same-identity"


@attack("a permit is forged, with a key that nobody knows")
def forged_permit(world):
    command, statement = world.ask(topic=PUMP)
    assert world.sign(command, world.signature("ann", statement)) == "none"
    assert world.sign(command, world.signature("eve", statement)) == \
        "no-access-authority"


@attack("a permit is forged, with the stolen key of one who may only request")
def permit_by_a_requester(world):
    command, statement = world.ask(topic=PUMP)
    assert world.sign(command, world.signature("ann", statement)) == "none"
    for person in ("dora", "bob"):
        assert world.sign(command, world.signature(person, statement)) == \
            "no-access-authority"


@attack("who may approve begins: the first signature is not of one who may "
        "request")
def approver_first(world):
    command, statement = world.ask()
    for person in ("bob", "pump-7"):
        assert world.sign(command, world.signature(person, statement)) == \
            "no-access-authority"


@attack("signatures for another actuator are given to this one")
def other_actuator(world):
    command, statement = world.ask()
    other = statement.replace("actuator: valve-1", "actuator: valve-2")
    for person in ("ann", "bob"):
        signature = world.signature(person, other)
        assert world.sign(command, signature) == "bad-signature"
        assert world.sign(id_of(other), signature) == "not-selected"


@attack("signatures for other purposes are given: of files, of git, of a "
        "denial")
def other_namespace(world):
    command, statement = world.ask()
    for namespace in ("file", "git", "kaya-deny", "kaya-command2"):
        assert world.sign(command, world.signature(
            "ann", statement, namespace)) == "bad-signature"


@attack("a challenge is used again, for the next command")
def challenge_again(world):
    _, first, _ = world.open_legally()
    command, statement = world.ask()
    old = re.search("challenge: (.*)", first).group(1)
    new = re.search("challenge: (.*)", statement).group(1)
    assert old != new
    for person in ("ann", "bob"):
        assert world.sign(command, world.signature(person, first)) == \
            "bad-signature"
    return ["open"]


@attack("sixteen commands are outstanding, and a seventeenth is asked for")
def seventeenth(world):
    commands = [world.ask(f"open {i}") for i in range(16)]
    assert len({command for command, _ in commands}) == 16
    assert world.ask("open 16") == ("table-full", None)
    # Those that were there first are not pushed out.
    command, statement = commands[0]
    assert world.sign(command, world.signature("ann", statement)) == "none"


@attack("the second signature comes twice, as QoS 1 may bring it")
def delivered_twice(world):
    command, statement = world.ask()
    assert world.sign(command, world.signature("ann", statement)) == "none"
    message = {"do": "sign", "id": command, "request": "twice",
               "signature": world.signature("bob", statement)}
    guard = world.broker.client(f"kaya/guard/{world.name}/ask")
    number = guard.publish(f"kaya/guard/{world.name}/ask",
                           json.dumps(message), qos=1)
    for _ in range(5):
        guard.publish(f"kaya/guard/{world.name}/ask", json.dumps(message),
                      qos=1, dup=True, packet_id=number)
    assert world.result(command) == "none"
    assert world.tell({"do": "list"})["pending"] == []
    return ["open"]


@attack("commands are retained: on the actuator's topic, and to the guard")
def retained(world):
    command, statement = world.ask()
    assert world.sign(command, world.signature("ann", statement)) == "none"
    world.say({"do": "sign", "id": command, "request": "kept",
               "signature": world.signature("bob", statement)}, retain=True)
    world.tunnel.wait_for_log("a retained message to the guard")
    world.broker.say(TOPIC, "open", retain=True)
    world.refused()
    pending, = world.tell({"do": "list"})["pending"]
    assert pending["id"] == command


@attack("the outcome is made up, and another command shown under its id")
def spoofed(world):
    # Who approves is shown "open 10 %" as "close"; kaya does not sign it.
    with world.request(payload="open 10 %") as request:
        command = world.requested(request)

        def judge(topic, payload):
            said = json.loads(payload)
            if "answer" not in topic or not said.get("pending"):
                return True
            said["pending"][0]["payload"] = "close"
            world.broker.say(topic, json.dumps(said), qos=1)
            return False

        world.broker.judge = judge
        approve = world.approve(command)
        assert approve.returncode == 1
        assert "another command" in approve.stderr
        world.broker.say(f"kaya/guard/{world.name}/result", json.dumps(
            {"id": command, "topic": TOPIC, "outcome": "done",
             "cause": "none", "by": ["ann", "bob"]}), qos=1)
        assert request.wait() == 0  # it is lied to; nothing has moved


@attack("who requests is given another actuator's challenge to sign")
def misled(world):
    other = statement_of("valve-2", TOPIC, "open", "5a" * 32)

    def judge(topic, payload):
        said = json.loads(payload)
        if "challenge" not in said or "answer" not in topic:
            return True
        said.update(id=id_of(other), challenge="5a" * 32)
        world.broker.say(topic, json.dumps(said), qos=1)
        return False

    world.broker.judge = judge
    with world.request(payload="open") as request:
        assert request.wait() == 1
        assert request.logged("a command for valve-2")
    assert not any(b"SIGNATURE" in payload
                   for _, payload in world.broker.heard)


@attack("a payload holds lines of a statement")
def injected_lines(world):
    inner = statement_of("valve-1", TOPIC, "close", "00" * 32)
    command, statement = world.ask("open\n" + inner)
    assert statement.count("\n") == 6
    # As it would read if the lines were taken as they are.
    forged = statement.replace(escape("open\n" + inner), "open\n" + inner)
    assert world.sign(command, world.signature("ann", forged)) == \
        "bad-signature"
    _, statement = world.ask("open", topic=TOPIC + "/\nactuator: valve-9")
    assert statement.count("\n") == 6


@attack("one of the two is taken out of allowed_signers in between")
def signer_removed(world):
    command, statement = world.ask()
    assert world.sign(command, world.signature("ann", statement)) == "none"
    signature = world.signature("bob", statement)
    world.write(world.signers, "".join(
        line for line in world.signers.read_text().splitlines(True)
        if not line.startswith("ann ")))
    assert world.sign(command, signature) == "not-selected"
    assert world.result(command) == "policy-changed"


@attack("allowed_signers is damaged: a key stands under two names")
def signers_damaged(world):
    command, statement = world.ask()
    assert world.sign(command, world.signature("dora", statement)) == "none"
    line = world.keys["dora"].with_suffix(".pub").read_text()
    good = world.signers.read_text()
    world.write(world.signers, good + f"bob {line}")
    assert world.sign(command, world.signature("dora", statement)) == \
        "policy-changed"
    # Until it is mended there is neither a challenge nor a list.
    before = len(world.broker.heard)
    assert world.ask() == ("policy-changed", None)
    assert world.tell({"do": "list"})["cause"] == "policy-changed"
    assert not any(b"challenge" in payload or b"pending" in payload
                   for topic, payload in world.broker.heard[before:]
                   if "/answer/" in topic)
    world.write(world.signers, good)
    assert world.sign(command, world.signature("bob", statement)) == \
        "not-selected"


REVOKED = RULES + "revoked_keys: {folder}/revoked_keys\n"


@attack("one of the two has lost her certificate, and the thief signs with it",
        rules=REVOKED)
def revoked(world):
    """A list that cannot be read is no reason to let one sign."""
    authority, key = world.folder / "authority", world.keys["ann"]
    line = peers.make_key(authority).strip()
    subprocess.run(["ssh-keygen", "-q", "-s", authority, "-I", "ann's",
                    "-z", "7", "-n", "ann", f"{key}.pub"], check=True)
    world.keys["ann"] = f"{key}-cert.pub"
    world.write(world.signers, "".join(
        f"ann cert-authority {line}\n" if each.startswith("ann ") else each
        for each in world.signers.read_text().splitlines(True)))
    command, statement = world.ask()
    assert world.sign(command, world.signature("ann", statement)) == "none"
    krl, what = world.folder / "krl", world.folder / "what"
    what.write_text("serial: 7\n")
    subprocess.run(["ssh-keygen", "-q", "-k", "-f", krl, "-s",
                    f"{authority}.pub", what], check=True)
    krl.chmod(0o600)
    krl.rename(world.folder / "revoked_keys")
    # What she had signed before is signed no more.
    assert world.sign(command, world.signature("bob", statement)) == \
        "not-selected"
    assert world.result(command) == "policy-changed"
    command, statement = world.ask()
    assert world.sign(command, world.signature("ann", statement)) == \
        "no-access-authority"
    (world.folder / "revoked_keys").unlink()
    assert world.sign(command, world.signature("ann", statement)) == \
        "policy-changed"


@attack("a key whose time is over signs")
def signer_over(world):
    world.write(world.signers, world.signers.read_text().replace(
        "bob ", 'bob valid-before="20200101" '))
    command, statement = world.ask()
    assert world.sign(command, world.signature("ann", statement)) == "none"
    assert world.sign(command, world.signature("bob", statement)) == \
        "no-access-authority"


@attack("signatures are cut off, put together and changed in every byte")
def damaged_signature(world):
    command, statement = world.ask()
    assert world.sign(command, world.signature("ann", statement)) == "none"
    good = world.signature("bob", statement)
    lines = good.splitlines()
    blob = base64.b64decode("".join(lines[1:-1]))

    def armour(bytes):
        return "\n".join([lines[0], base64.b64encode(bytes).decode(),
                          lines[-1], ""])

    def flip(at):
        return armour(blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1:])

    bad = [good[:len(good) // 2], "", good + good, armour(b""),
           *(armour(blob[:cut]) for cut in (6, 50, 100, len(blob) - 1)),
           *(flip(at) for at in (0, 9, 65, 80, len(blob) - 70,
                                 len(blob) - 1))]
    for signature in bad:
        assert world.sign(command, signature) == "bad-signature"
    # In the key: then it is another's, who is nobody.
    assert world.sign(command, flip(40)) == "no-access-authority"


@attack("signatures are tried out without end")
def tried_out(world):
    command, statement = world.ask()
    assert world.sign(command, world.signature("ann", statement)) == "none"
    other = world.signature("bob", statement + "x")
    for signature in ("x", other) * 20:
        assert world.sign(command, signature) == "bad-signature"
        assert world.sign(command, signature, do="deny") == "bad-signature"
    # Neither can they end what others have begun, nor fill the log.
    pending, = world.tell({"do": "list"})["pending"]
    assert pending["id"] == command
    assert len(re.findall("event=refuse", world.tunnel.log())) < 30


@attack("commands are published to the actuator directly, at every QoS")
def published_directly(world):
    client = world.actuators()
    for qos in (0, 1, 2):
        number = client.publish(TOPIC, "open", qos=qos)
        client.publish(TOPIC, "open", qos=qos, dup=qos > 0, packet_id=number)
        # It is acknowledged in the actuator's place.
        if qos:
            kind = 4 if qos == 1 else 7
            wait_until(lambda: (kind, number) in client.acknowledged,
                       f"an acknowledgement of QoS {qos}")
    for payload in ("close ", "CLOSE", "close\0", "", "0 ", "x" * 300000):
        client.publish(TOPIC, payload)
    for topic in ("plant/valve-1", "plant/valve-1/", "plant/valve-1/a/b"):
        client.publish(topic, "open")
    world.refused()
    # Whoever published it can read why it was not done.
    _, told = world.broker.wait_for(
        lambda topic, payload: topic == f"kaya/guard/{world.name}/result",
        "the guard says so")
    told = json.loads(told)
    assert (told["topic"], told["outcome"], told["cause"]) == \
        (TOPIC, "refused", "not-selected")


@attack("a topic alias leads from a free topic to a protected one",
        client=["-V", "mqttv5"])
def topic_alias(world):
    client = world.actuators()
    assert client.level == 5
    alias = b"\x23\0\x01"
    client.publish("plant/free", "first", properties=alias)
    world.actuator.wait_for_log("MOVED plant/free first")
    client.publish(TOPIC, "open", properties=alias)
    client.publish("", "open", properties=alias)
    client.publish("", "close", properties=alias)
    world.actuator.wait_for_log(f"MOVED {TOPIC} close")
    client.publish("", "open", properties=alias)
    world.refused()
    return ["plant/free first", f"{TOPIC} close"]


FREE = "f" * 300000


def stall(world):
    """The actuator amid a message; what ends that."""
    client = world.actuators()
    before = world.carried()
    whole = evil.packet(0x30, evil.text("plant/free") + FREE.encode())
    client.send(whole[:-1])
    wait_until(lambda: world.carried() > before + len(FREE),
               "all but the last byte has come")
    return lambda: client.send(whole[-1:])


@attack("the actuator's connection is stalled amid a message until long after "
        "a command")
def stalled(world):
    go_on = stall(world)
    command, statement = world.ask()
    for person in ("ann", "bob"):
        assert world.sign(command, world.signature(person, statement)) == \
            "none"
    assert world.result(command) == "abortion-by-communication-loss"
    go_on()
    world.actuator.wait_for_log("MOVED plant/free f")
    return [f"plant/free {FREE}"]


@attack("what is free is published faster than the actuator reads, so that a "
        "command waits in its socket")
def backlog(world):
    client = world.actuators()
    os.kill(world.actuator.pid, signal.SIGSTOP)
    try:
        for i in range(100):
            client.publish("plant/free", f"{i}")
        command, statement = world.ask()
        for person in ("ann", "bob"):
            assert world.sign(command, world.signature(person, statement)) \
                == "none"
        assert world.result(command) == "abortion-by-communication-loss"
    finally:
        os.kill(world.actuator.pid, signal.SIGCONT)
    return [f"plant/free {i}" for i in range(100)]


@attack("the actuator's connection is stalled, and the guard is asked without end "
        "meanwhile, to keep it from looking at the time")
def asked_without_end(world):
    go_on = stall(world)
    command, statement = world.ask()
    for person in ("ann", "bob"):
        assert world.sign(command, world.signature(person, statement)) == \
            "none"
    until = time.monotonic() + 4
    is_told = False
    while time.monotonic() < until and not is_told:
        # The same each time, so that the table does not fill up.
        world.say({"do": "ask", "topic": TOPIC, "payload": "more",
                   "request": "again"})
        time.sleep(0.02)
        is_told = any(topic.endswith("/result") and
                      json.loads(payload).get("id") == command
                      for topic, payload in list(world.broker.heard))
    assert is_told  # while it is asked
    go_on()
    world.actuator.wait_for_log("MOVED plant/free f")
    assert world.result(command) == "abortion-by-communication-loss"
    return [f"plant/free {FREE}"]


@attack("the second signature is said again while the command is being "
        "delivered")
def amid_delivery(world):
    go_on = stall(world)
    command, statement = world.ask()
    second = [world.signature(each, statement) for each in ("bob", "pump-7")]
    assert world.sign(command, world.signature("ann", statement)) == "none"
    assert world.sign(command, second[0]) == "none"
    for signature in second:
        assert world.sign(command, signature) == "not-selected"
    go_on()
    assert world.result(command) == "none"
    return [f"plant/free {FREE}", "open"]


@attack("the wall clock is set back, by years", wall_clock=True)
def clock_set_back(world):
    command, statement = world.ask()
    assert world.sign(command, world.signature("ann", statement)) == "none"
    signature = world.signature("bob", statement)
    world.clock.write_text("-100000000\n")
    assert world.result(command) == "time-limit-over"
    assert world.sign(command, signature) == "not-selected"


@attack("a stop is followed by what was signed before it")
def start_after_stop(world):
    command, statement = world.ask()
    assert world.sign(command, world.signature("ann", statement)) == "none"
    signature = world.signature("bob", statement)
    world.stop_gets_through()
    assert world.result(command) == "blocked-by-command"
    assert world.sign(command, signature) == "not-selected"
    return ["close"]


@attack("the guard is asked without end, and nothing that it says is taken")
def nothing_taken(world):
    guard = world.broker.client(f"kaya/guard/{world.name}/ask")
    before = world.memory()
    world.broker.listens.clear()
    message = evil.packet(
        0x32, evil.text(f"kaya/guard/{world.name}/ask") + b"\0\x01"
        + json.dumps({"do": "list", "request": "x"}).encode())
    left = memoryview(message * 2000000)
    while left and select.select([], [guard.connection], [], 2)[1]:
        left = left[guard.connection.send(left[:65536],
                                          socket.MSG_DONTWAIT):]
    assert left  # it does not read for ever
    assert world.memory() < before + (16 << 20)
    world.tunnel.wait_for_log("event=mqtt-full")
    world.stop_gets_through()
    # It comes back by itself when it is heard again.
    world.broker.listens.set()
    guard.connection.shutdown(socket.SHUT_WR)
    world.tunnel.wait_for_log("(?s)event=ready.*event=ready")
    # What was not taken is said again first: it is full until that is.
    assert json.loads(wait_until(lambda: world.answer_to("again") or world.say(
        {"do": "list", "request": "again"}), "it answers again")
    )["pending"] == []
    return ["close"]


@attack("nonsense is said to the guard")
def nonsense(world):
    good = {"do": "ask", "request": "x", "topic": TOPIC, "payload": "open"}
    for message in (b"", b"{", b"[]", b"null", b"\xff\xfe", b"{}" * 40000,
                    b'{"do":"ask","do":"sign","request":"x"}',
                    b"[" * 5000,
                    *(json.dumps(each).encode() for each in (
                        {**good, "request": "../../x"},
                        {**good, "request": "x" * 65},
                        {**good, "do": "open"},
                        {**good, "topic": "plant/#"},
                        {**good, "topic": 7},
                        {**good, "payload": "x" * 5000},
                        {**good, "payload_base64": "AA=="},
                        {"do": "sign", "request": "x", "id": 3},
                        {"do": "sign", "request": "x",
                         "id": "valve-1.0000000000000000",
                         "signature": "y" * 60000}))):
        world.broker.say(f"kaya/guard/{world.name}/ask", message)
        world.broker.say("kaya/guard/all/ask", message)
    world.broker.say("kaya/guard/all/ask",
                     json.dumps({**good, "request": "to-all"}))
    _, told = world.broker.wait_for(
        lambda topic, payload: topic.endswith("/answer/to-all"),
        "it is answered")
    assert json.loads(told)["cause"] == "inconsistent-parameters"
    assert world.tell({"do": "list"})["pending"] == []


# ---- each of them ----

CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long shift(void)
{
	FILE *file = fopen(getenv("KAYA_TEST_CLOCK"), "re");
	long seconds = 0;

	if (file != NULL) {
		if (fscanf(file, "%ld", &seconds) != 1)
			seconds = 0;
		fclose(file);
	}
	return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int (*real)(clockid_t, struct timespec *) =
	    dlsym(RTLD_NEXT, "clock_gettime");
	int result = real(clock, now);

	if (clock == CLOCK_REALTIME)
		now->tv_sec += shift();
	return result;
}

time_t time(time_t *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (out != NULL)
		*out = now.tv_sec;
	return now.tv_sec;
}
"""


def fake_clock(tmp_path, monkeypatch):
    """Have the wall clock, and no other, follow a file."""
    source, library = tmp_path / "clock.c", tmp_path / "clock.so"
    source.write_text(CLOCK)
    subprocess.run([shutil.which("cc") or "gcc", "-shared", "-fPIC", "-o",
                    library, source, "-ldl"], check=True)
    clock = tmp_path / "clock"
    clock.write_text("0\n")
    monkeypatch.setenv("KAYA_TEST_CLOCK", str(clock))
    monkeypatch.setenv("LD_PRELOAD", str(library))
    return clock


@pytest.fixture
def world(request, tmp_path, home, monkeypatch):  # noqa: F811
    _, _, options = ATTACKS[request.param]
    within = options.get("within", "60s")
    if options.get("wall_clock"):
        within = "5s"
    with_clock = options.get("wall_clock")
    world = World(tmp_path, home, within=within, client=options.get("client", ()),
                  rules=options.get("rules", RULES))
    try:
        if with_clock:
            world.clock = fake_clock(tmp_path, monkeypatch)
        world.start()
        if with_clock:
            monkeypatch.delenv("LD_PRELOAD")
        yield world
        print(world.tunnel.log(), world.actuator.log(),
              [client.filters for client in world.broker.clients],
              world.broker.ended)
    finally:
        world.__exit__(None, None, None)


@pytest.mark.parametrize("world", ATTACKS, indirect=True)
def test_the_actuator_does_not_move_and_a_stop_gets_through(world, request):
    name = request.node.callspec.params["world"]
    moved = ATTACKS[name][0](world) or []
    world.broker.judge = None
    world.stop_gets_through()
    expected = [each if " " in each else f"{TOPIC} {each}" for each in moved]
    assert world.moved() == expected + [f"{TOPIC} close"]


@pytest.mark.parametrize("world", ["nonsense"], indirect=True)
def test_a_device_that_permits_considers_so_many_commands(world):
    """A broker may show any number, and each asks for a program's run."""
    asked = world.folder / "asked"
    with devices.Kaya(*world.words("permit", "pump-7"), "--actuator",
                      world.name, "-t", "#", "--while-command",
                      f"echo $KAYA_ID >>{asked}; false") as device:
        device.wait_for_log("event=ready")
        for i in range(200):
            statement = statement_of(world.name, TOPIC, "open", f"{i:064x}")
            world.broker.say(f"kaya/guard/{world.name}/pending", json.dumps(
                {"id": id_of(statement), "topic": TOPIC, "payload": "open",
                 "challenge": f"{i:064x}", "by": "ann", "rule": "valve",
                 "left_ms": 10**12}), qos=1)
        wait_until(lambda: asked.exists() and
                   len(asked.read_text().split()) > 300, "some rounds")
        assert len(set(asked.read_text().split())) <= 64


def test_the_list_of_attacks_is_the_manuals():
    page = (pathlib.Path(peers.ROOT) / "doc/guard-attacks.md").read_text()
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (.*?) \|", page, re.M)
    assert rows == [(name, words) for name, (_, words, _) in ATTACKS.items()]
    assert len(rows) >= 20
