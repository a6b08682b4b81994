"""tunnels: stock clients through a gateway: ssh in front, mosquitto's behind.

The fixtures are for tests that use one gateway and one key: import what is
needed of them.
"""

import json
import socket
import subprocess

import pytest

import peers


class Tunnel(peers.Process):
    """`ssh -N -L`, as people type it."""

    def __init__(self, kayad, key, target="127.0.0.1:1883", extra=(),
                 port=None):
        self.port = peers.free_port()
        super().__init__([
            "ssh", "-F", "none", "-N", "-v", "-i", key,
            "-p", str(port or kayad.port),
            "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
            "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes",
            "-o", "ExitOnForwardFailure=yes",
            "-L", f"127.0.0.1:{self.port}:{target}", *extra,
            "user@127.0.0.1"])
        try:
            self.wait_for_log("Entering interactive session")
        except BaseException:
            self.stop()
            raise


def publish(port, topic, message, *words, check=True):
    return subprocess.run(
        ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-t", topic,
         "-m", message, *words], check=check, capture_output=True, text=True,
        timeout=30)


class Subscriber(peers.Process):
    """mosquitto_sub, subscribed."""

    def __init__(self, port, topic, *words):
        super().__init__(["stdbuf", "-oL", "mosquitto_sub", "-d", "-h",
                          "127.0.0.1", "-p", str(port), "-t", topic, *words])
        self.wait_for_log("Subscribed")


def status(kayad):
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(str(kayad.state / "control.sock"))
        control.sendall(b"status\n")
        return json.loads(control.makefile().read())


def admit(kayad, path, name="dan"):
    """Make a key at `path` and let it in; the path."""
    kayad.admit(peers.make_key(path), name)
    return path


def channels(kayad, identity):
    """What status tells of the MQTT clients of an identity."""
    return [channel for device in status(kayad)["gateway"]["devices"]
            if device["identity"] == identity
            for channel in device["channels"] if "client_id" in channel]


@pytest.fixture
def dan(kayad, key):
    """The key, let in as dan."""
    kayad.admit(key.with_suffix(".pub").read_text(), "dan")
    return key


@pytest.fixture
def tunnel(kayad, dan):
    with Tunnel(kayad, dan) as tunnel:
        yield tunnel
