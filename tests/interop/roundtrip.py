"""roundtrip: 1 MiB through a local port to the broker and back, unharmed."""

import hashlib
import os
import queue
import re
import subprocess
import threading

import paho.mqtt.client as paho

from peers import wait_until

MIB = 1 << 20
PAYLOAD = os.urandom(MIB)
DIGEST = hashlib.sha256(PAYLOAD).hexdigest()


class Receiver:
    """mosquitto_sub that writes one message into a file."""

    def __init__(self, port, topic, qos, folder, words=()):
        self.path = folder / f"received-{qos}"
        self.told = folder / f"receiver-{qos}.log"
        with open(self.path, "wb") as data, open(self.told, "wb") as told:
            self.process = subprocess.Popen(
                ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-t",
                 topic, "-q", str(qos), "-C", "1", "-N", "-W", "60", *words],
                stdin=subprocess.DEVNULL, stdout=data, stderr=told)

    def digest(self):
        assert self.process.wait(60) == 0, self.told.read_text()
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def go_round(port, qos, folder, words=()):
    """Publish 1 MiB on a port and receive it there, by mosquitto's clients."""
    payload = folder / "payload"
    payload.write_bytes(PAYLOAD)
    topic = f"test/{qos}"
    # Kept by the broker: it does not matter who of the two is first.
    common = ["-h", "127.0.0.1", "-p", str(port), *words]
    receiver = Receiver(port, topic, qos, folder, words)
    subprocess.run(["mosquitto_pub", *common, "-t", topic, "-q", str(qos),
                    "-r", "-f", payload], check=True, timeout=60,
                   capture_output=True)
    assert receiver.digest() == DIGEST
    subprocess.run(["mosquitto_pub", *common, "-t", topic, "-q", "1", "-r",
                    "-n"], check=True, timeout=60, capture_output=True)


def go_round_at_each_qos(port, folder, words=()):
    for qos in (0, 1, 2):
        go_round(port, qos, folder, words)


def go_round_in_one_connection(port, folder, user=None, password=None):
    """The same by Paho, which sends and receives in one connection."""
    received = queue.Queue()
    client = paho.Client()
    if user is not None:
        client.username_pw_set(user, password)
    client.on_message = lambda *words: received.put(words[-1].payload)
    subscribed = threading.Event()
    client.on_subscribe = lambda *words: subscribed.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        for qos in (0, 1, 2):
            subscribed.clear()
            client.subscribe(f"test/{qos}", qos)
            assert subscribed.wait(30)
            client.publish(f"test/{qos}", PAYLOAD, qos)
            assert received.get(timeout=60) == PAYLOAD
        client.disconnect()
    finally:
        client.loop_stop()


def key_exchanges(kayad):
    """How often the one session of a gateway's log had new keys."""
    match = wait_until(
        lambda: kayad.logged(r"event=close .*identity=.* exchanges=(\d+)"),
        "the session is closed")
    return int(match.group(1))


def sessions(kayad):
    return len(re.findall("event=accept", kayad.log()))
