"""kaya doctor and kaya survey before those who mean them harm: servers, and
other users of the machine that root looks at.

What they say is text: it types nothing into a remedy, draws nothing on a
terminal, and nobody waits for them for ever.
"""

import contextlib
import json
import re
import shlex
import socketserver
import struct
import subprocess
import threading
import time

import paramiko
import pytest

import devices
import peers
import rawssh
from devices import home  # noqa: F401
from patients import doctor  # noqa: F401


@contextlib.contextmanager
def serving(serve):
    """A server that does that with each connection; its port."""
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            with contextlib.suppress(OSError, EOFError):
                serve(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def plain_packet(payload):
    padding = 8 - (len(payload) + 5) % 8
    padding += 8 if padding < 4 else 0
    return (struct.pack(">IB", len(payload) + padding + 1, padding) + payload
            + bytes(padding))


def read_until_end(connection):
    while connection.recv(4096):
        pass


def greet(connection, payload):
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" + plain_packet(payload))


# ---- words of a server ----

@pytest.mark.parametrize("name", [
    "-x;touch OWNED;", "+x;touch OWNED;", "^x$(touch OWNED)"])
def test_an_algorithm_s_name_is_no_command(name, doctor, tmp_path):
    """libssh takes what follows a +, - or ^ for a change of its own list."""
    owned = tmp_path / "owned"
    name = name.replace("OWNED", str(owned))

    def serve(connection):
        greet(connection, rawssh.kexinit(kex=name))
        read_until_end(connection)

    with serving(serve) as port:
        wrong = doctor("-p", port, "127.0.0.1")
    assert (wrong.layer, wrong.code) == ("kex", "algorithm-unknown"), wrong
    subprocess.run(["sh", "-c", wrong.remedy], cwd=tmp_path,
                   capture_output=True, env={"PATH": "/bin:/usr/bin"})
    assert not owned.exists(), wrong.remedy


EVIL = b"\033]0;evil\007\033[2J"


def draw(connection):
    """An offer that nobody has anything in common with, and a drawing."""
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    connection.recv(4096)
    connection.sendall(plain_packet(rawssh.kexinit(kex=EVIL)))
    read_until_end(connection)


def test_a_survey_shows_a_server_s_offer_as_text(home):
    with serving(draw) as port:
        for form in ([], ["--json"]):
            said = subprocess.run(
                [peers.KAYA, "survey", "-F", home / ".ssh/config", "--ports",
                 str(port), *form, "127.0.0.1"], capture_output=True,
                timeout=120, stdin=subprocess.DEVNULL)
            assert b"evil" in said.stdout, said
            assert b"\033" not in said.stdout, said.stdout
            if form:
                said = json.loads(said.stdout)
                assert "\033" not in json.dumps(said, ensure_ascii=False)


# ---- servers that let one wait ----

class Waiting(paramiko.ServerInterface):
    """Lets everybody in, and answers to no channel for as long as it likes."""

    def __init__(self, ends):
        self.ends = ends

    def get_allowed_auths(self, username):
        return "publickey"

    def check_auth_publickey(self, username, key):
        return paramiko.AUTH_SUCCESSFUL

    def check_channel_direct_tcpip_request(self, chanid, origin, destination):
        self.ends.wait()
        return paramiko.OPEN_FAILED_CONNECT_FAILED


@contextlib.contextmanager
def ssh_server(home, interface, window=None):
    """A server of paramiko's, that is known; its port."""
    key = paramiko.RSAKey.generate(2048)

    def serve(connection):
        transport = paramiko.Transport(connection)
        if window is not None:
            transport._sanitize_window_size = lambda _: window
        transport.add_server_key(key)
        transport.start_server(server=interface)
        transport.join()

    with serving(serve) as port:
        (home / ".ssh/known_hosts").write_text(
            f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n")
        yield port


def test_a_server_that_never_answers_for_the_broker(doctor, home, tmp_path):
    peers.make_key(tmp_path / "device")
    ends = threading.Event()
    with ssh_server(home, Waiting(ends)) as port:
        begun = time.monotonic()
        wrong = doctor("-i", tmp_path / "device", "-p", port, "127.0.0.1")
        assert time.monotonic() - begun < 60
        ends.set()
    assert (wrong.status, wrong.layer, wrong.code) == (
        3, "forwarding", "broker-no-way"), wrong
    assert "no answer within 10 s" in wrong.seen("forwarding")


class Shut(Waiting):
    """Opens each channel, and takes nothing on it."""

    def check_channel_direct_tcpip_request(self, chanid, origin, destination):
        return paramiko.OPEN_SUCCEEDED


def test_a_channel_that_takes_nothing(doctor, home, tmp_path):
    peers.make_key(tmp_path / "device")
    with ssh_server(home, Shut(None), window=0) as port:
        begun = time.monotonic()
        wrong = doctor("-i", tmp_path / "device", "-p", port, "127.0.0.1")
        assert time.monotonic() - begun < 60
    assert (wrong.status, wrong.layer, wrong.code) == (
        3, "mqtt", "broker-silent"), wrong
