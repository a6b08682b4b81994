"""How kayad begins and ends under others' eyes: SIGTERM, systemd."""

import os
import re
import signal
import socket
import sys
import time

import pytest

import peers
import rawssh
from peers import KAYAD, wait_until
from rawssh import Client, u32, u8

CONNECT = bytes.fromhex("101000044d5154540402003c000468696869")
CONNACK = bytes.fromhex("20020000")
PUBLISH = b"\x30\xfd\x07\x00\x01t" + b"x" * (1021 - 3)


@pytest.fixture
def key(kayad):
    """A key that the gateway lets in."""
    key = rawssh.Key()
    kayad.admit(key.line(), "dan")
    return key


@pytest.fixture
def slow_broker():
    """A broker that answers CONNECT and then reads when the test does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        yield listener


def gateway(tmp_path, listener, drain):
    kayad = peers.Kayad(tmp_path, config=f"""
brokers: [{{address: '127.0.0.1:{listener.getsockname()[1]}'}}]
shutdown: {{drain: {drain}}}
""")
    # It has looked whether its broker is there.
    listener.accept()[0].close()
    return kayad


def flood(client, channel, window):
    """Send PUBLISHes until nobody takes more; how many bytes that were."""
    sent = 0
    client.socket.settimeout(0.5)
    while True:
        while window >= len(PUBLISH):
            client.data(channel, PUBLISH)
            sent += len(PUBLISH)
            window -= len(PUBLISH)
        try:
            payload = client.expect(rawssh.WINDOW_ADJUST)
        except TimeoutError:
            client.socket.settimeout(20)
            return sent
        window += int.from_bytes(payload[5:9], "big")


def stuck(kayad, key, listener):
    """A client whose broker takes no more; what it sent, the broker's end."""
    client = Client(kayad.port)
    client.login(key)
    channel, window, _ = client.open()
    broker, _ = listener.accept()
    broker.settimeout(20)
    client.data(channel, CONNECT)
    assert broker.recv(len(CONNECT)) == CONNECT
    broker.sendall(CONNACK)
    assert client.read_data(4) == CONNACK
    return client, broker, flood(client, channel, window - len(CONNECT))


def test_what_was_taken_reaches_a_slow_broker_before_the_end(
        tmp_path, slow_broker):
    key = rawssh.Key()
    with gateway(tmp_path, slow_broker, "20s") as kayad:
        kayad.admit(key.line(), "dan")
        client, broker, sent = stuck(kayad, key, slow_broker)
        with client, broker:
            kayad.signal(signal.SIGTERM)
            kayad.wait_for_log("event=stop")
            got = 0
            while data := broker.recv(1 << 20):
                got += len(data)
            assert got == sent
            assert client.end().code == 11
        assert kayad.wait(30) == 0


def test_a_broker_that_takes_nothing_delays_the_end_by_so_much(
        tmp_path, slow_broker):
    key = rawssh.Key()
    with gateway(tmp_path, slow_broker, "1s") as kayad:
        kayad.admit(key.line(), "dan")
        client, broker, _ = stuck(kayad, key, slow_broker)
        with client, broker:
            started = time.monotonic()
            kayad.signal(signal.SIGTERM)
            assert client.end().code == 11
            assert time.monotonic() - started >= 0.9
            assert kayad.wait(30) == 0
            assert time.monotonic() - started < 4


@pytest.mark.kayad(config="shutdown: {drain: 1s}\n")
def test_a_reader_that_does_not_read_holds_nobody_back(kayad, key):
    with Client(kayad.port) as idle, Client(kayad.port) as other:
        idle.login(key)
        channel, _, _ = idle.open(window=2**31)
        idle.data(channel, CONNECT)
        idle.read_data(4)
        idle.data(channel, bytes.fromhex("820600010001") + b"t\0")
        idle.read_data(5)
        # Its own publishes come back to it, and it does not read them.
        idle.socket.settimeout(2)
        with pytest.raises((TimeoutError, ConnectionError)):
            for _ in range(50000):
                idle.data(channel, PUBLISH)
        other.login(key)
        started = time.monotonic()
        assert peers.stop_by_signal(kayad) == 0
        assert time.monotonic() - started < 6
        assert other.end().code == 11


@pytest.mark.kayad(config="threads: 3\n")
def test_every_connection_is_told_and_nobody_new_gets_in(kayad, key):
    clients = [Client(kayad.port) for _ in range(20)]
    for client in clients[:10]:
        client.login(key)
    for client in clients[10:15]:
        client.handshake()
    kayad.signal(signal.SIGTERM)
    for client in clients[:15]:
        said = client.end()
        assert (said.code, said.why) == (11, "the gateway is being stopped")
    assert kayad.wait(20) == 0
    assert not peers.is_listening(kayad.port)
    assert len(re.findall("event=close ", kayad.log())) == 20
    for client in clients:
        client.socket.close()


@pytest.mark.kayad(config="shutdown: {drain: 10s}\n")
def test_no_channel_is_opened_any_more_while_it_stops(
        tmp_path, slow_broker):
    key = rawssh.Key()
    with gateway(tmp_path, slow_broker, "10s") as kayad:
        kayad.admit(key.line(), "dan")
        client, broker, _ = stuck(kayad, key, slow_broker)
        with client, broker:
            kayad.signal(signal.SIGTERM)
            kayad.wait_for_log("event=stop")
            wait_until(lambda: not peers.is_listening(kayad.port),
                       "it listens no more")
            client.send(client.open_request(number=9))
            refused = client.expect(rawssh.OPEN_FAILURE)
            assert b"is being stopped" in refused


# ---- systemd ----

class Systemd:
    """The socket that a service tells its state by."""

    def __init__(self, folder):
        peers.let_through(folder)
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.path.chmod(0o777)
        self.socket.settimeout(20)

    def told(self):
        return self.socket.recv(4096).decode()


def test_systemd_is_told_of_ready_reload_and_stop(tmp_path, monkeypatch):
    systemd = Systemd(tmp_path)
    monkeypatch.setenv("NOTIFY_SOCKET", str(systemd.path))
    with peers.Kayad(tmp_path, config="threads: 1\n") as kayad:
        assert systemd.told() == "READY=1"
        kayad.signal(signal.SIGHUP)
        assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+",
                            systemd.told())
        assert systemd.told() == "READY=1"
        kayad.config.write_text("thread: 1\n")
        kayad.signal(signal.SIGHUP)
        assert systemd.told().startswith("RELOADING=1")
        assert systemd.told() == "READY=1"
        kayad.signal(signal.SIGTERM)
        assert systemd.told() == "STOPPING=1"
        assert kayad.wait(20) == 0


# What systemd does for a service with a socket, in few words.
ACTIVATE = """
import os, socket, sys
for fd, family, address in ((3, socket.AF_INET, "127.0.0.1"),
                            (4, socket.AF_INET6, "::1"))[:int(sys.argv[1])]:
    listener = socket.socket(family)
    listener.bind((address, 0))
    listener.listen()
    if listener.fileno() != fd:
        os.dup2(listener.fileno(), fd)
    listener.detach()
    os.set_inheritable(fd, True)
os.environ["LISTEN_FDS"] = sys.argv[1]
os.environ["LISTEN_PID"] = str(os.getpid() + int(sys.argv[2]))
os.execv(sys.argv[3], sys.argv[3:])
"""


def activated(tmp_path, sockets, off=0):
    peers.let_through(tmp_path)
    state = tmp_path / "state"
    state.mkdir()
    return peers.Process([sys.executable, "-c", ACTIVATE, str(sockets),
                          str(off), KAYAD, "--state", state,
                          "--listen", "127.0.0.1:0"])


@pytest.mark.parametrize("sockets", [1, 2])
def test_sockets_of_systemd_are_served_in_place_of_listen(tmp_path, sockets):
    with activated(tmp_path, sockets) as kayad:
        line = kayad.wait_for_log(r"ready .*\n").group(0)
        found = re.findall(r"listen=(?:127.0.0.1|\[::1\]):(\d+)", line)
        assert len(found) == sockets
        for host, port in zip(("127.0.0.1", "::1"), found):
            # As many as there are threads, and more: each serves them all.
            for _ in range(8):
                with Client(int(port), host) as client:
                    client.handshake()
        assert peers.stop_by_signal(kayad) == 0


def test_sockets_meant_for_another_process_are_left_alone(tmp_path):
    with activated(tmp_path, 1, off=1) as kayad:
        kayad.wait_for_log(r"ready listen=127.0.0.1:\d+ ")
        assert peers.stop_by_signal(kayad) == 0


def test_without_its_child_it_ends_with_1_and_says_why(kayad):
    child = [pid for pid in kayad.children()[1:]
             if open(f"/proc/{pid}/comm").read() == "kayad\n"][0]
    os.kill(child, signal.SIGKILL)
    assert kayad.wait(20) == 1
    kayad.wait_for_log("the child process ended with signal 9")
