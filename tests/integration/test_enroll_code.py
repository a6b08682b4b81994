"""kaya enroll --code: what the device says to a gateway, and to others.

The gateway here is a small one of paramiko's, which writes down all that it
is told; behind it stands a broker.
"""

import base64
import hashlib
import json
import os
import socket
import subprocess
import threading

import paramiko
import pytest

import peers
from devices import home, run  # noqa: F401
from peers import free_port

ALPHABET = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
                         "0123456789abcdefghjkmnpqrstvwxyz")


def make_code(host_key_blob, secret=None):
    body = (secret or os.urandom(16)) + \
        hashlib.sha256(host_key_blob).digest()[:12]
    body += hashlib.sha256(body).digest()[:2]
    text = base64.b32encode(body).decode().translate(ALPHABET)
    return "-".join(text[i:i + 6] for i in range(0, 48, 6))


class Session(paramiko.ServerInterface):
    def __init__(self, gateway, transport):
        self.gateway = gateway
        self.transport = transport
        self.key = None

    def get_allowed_auths(self, username):
        return "publickey,keyboard-interactive"

    def check_auth_publickey(self, username, key):
        self.gateway.told.append(("key", username))
        if username == "enroll" and self.gateway.takes_codes:
            self.key = key
            return paramiko.AUTH_PARTIALLY_SUCCESSFUL
        if key.asbytes() in self.gateway.keys:
            return paramiko.AUTH_SUCCESSFUL
        return paramiko.AUTH_FAILED

    def check_auth_interactive(self, username, submethods):
        return paramiko.InteractiveQuery(
            "kaya", "the key SHA256:... is about to be let in",
            ("code: ", False))

    def check_auth_interactive_response(self, responses):
        self.gateway.told.append(("code", *responses))
        if responses == [self.gateway.code] and self.key is not None:
            self.gateway.code = None
            self.gateway.keys.append(self.key.asbytes())
            self.banner("kaya: enrolled as pump-7 (SHA256:...)\r\n")
        else:
            self.banner("kaya: no such code\x1b[31m\r\n")
        return paramiko.AUTH_FAILED

    def banner(self, text):
        message = paramiko.Message()
        message.add_byte(paramiko.common.cMSG_USERAUTH_BANNER)
        message.add_string(text)
        message.add_string("")
        self.transport._send_message(message)

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_direct_tcpip_request(self, chanid, origin, target):
        if target != ("127.0.0.1", 1883):
            return paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        return paramiko.OPEN_SUCCEEDED

    def check_port_forward_request(self, address, port):
        return self.gateway.listens


class Gateway:
    """Takes one code; lets the keys that it let in through to a broker."""

    def __init__(self, broker):
        self.broker = broker
        self.host_key = paramiko.ECDSAKey.generate()
        self.code = make_code(self.host_key.asbytes())
        self.takes_codes = True
        self.listens = False
        self.keys, self.told, self.transports = [], [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(peer)
            transport.local_version = "SSH-2.0-kaya_test"
            transport.add_server_key(self.host_key)
            self.transports.append(transport)
            threading.Thread(target=self.serve, args=(transport,),
                             daemon=True).start()

    def serve(self, transport):
        try:
            transport.start_server(server=Session(self, transport))
        except (paramiko.SSHException, EOFError):
            return
        while transport.is_active():
            channel = transport.accept(1)
            if channel is not None:
                threading.Thread(target=self.carry, args=(channel,),
                                 daemon=True).start()

    def carry(self, channel):
        with socket.create_connection(
                ("127.0.0.1", self.broker.port)) as broker:
            def back():
                try:
                    while data := broker.recv(4096):
                        channel.sendall(data)
                except OSError:
                    pass
                channel.close()
            threading.Thread(target=back, daemon=True).start()
            try:
                while data := channel.recv(4096):
                    broker.sendall(data)
            except OSError:
                pass

    def stop(self):
        self.listener.close()
        for transport in self.transports:
            transport.close()


@pytest.fixture
def gateway(mosquitto):
    gateway = Gateway(mosquitto)
    yield gateway
    gateway.stop()


@pytest.fixture
def state(tmp_path):
    return tmp_path / "kaya"


def enroll(gateway, state, code, *words, **options):
    return run("enroll", "--ssh-config", "none", "--state", state, "--code",
               code, *words, f"127.0.0.1:{gateway.port}", **options)


def record(state):
    return dict(line.split(" ", 1) for line in
                (state / "hosts/127.0.0.1").read_text().splitlines()
                if not line.startswith("#"))


def test_a_code_lets_the_key_in_and_all_is_remembered(gateway, state, home):
    done = enroll(gateway, state, gateway.code, "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    found = {row["layer"]: row for row in json.loads(done.stdout)["findings"]}
    assert "pump-7" in found["code"]["seen"]
    assert found["message"]["state"] == "ok"
    for layer in ("shell", "pty", "command", "sftp", "target", "remote-tcp",
                  "remote-unix"):
        assert found[layer]["state"] == "ok", found[layer]
    written = record(state)
    assert written["host"] == "127.0.0.1"
    assert written["port"] == str(gateway.port)
    assert written["user"] == "pump-7"
    done = run("pub", "--ssh-config", "none", "--state", state, "127.0.0.1",
               "-t", "t", "-m", "hello", "-q", "1")
    assert done.returncode == 0, done.stderr


def test_nothing_is_sent_to_another_gateway(gateway, state, home):
    strange = make_code(paramiko.ECDSAKey.generate().asbytes())
    done = enroll(gateway, state, strange)
    assert done.returncode == 5
    assert "is not the gateway where the code was made" in done.stderr
    assert gateway.told == []
    assert not state.exists()


def test_a_code_that_is_spent_is_4_with_what_the_gateway_said(
        gateway, state, home):
    code = gateway.code
    gateway.code = None
    done = enroll(gateway, state, code)
    assert done.returncode == 4
    assert r"no such code\x1b[31m" in done.stderr
    assert "kaya invite" in done.stderr
    assert not (state / "hosts").exists()
    assert ("code", code) in gateway.told


def test_after_a_failure_the_same_key_is_offered_again(gateway, state, home):
    code, gateway.code = gateway.code, None
    assert enroll(gateway, state, code).returncode == 4
    before = (state / "keys/127.0.0.1").read_bytes()
    gateway.code = code
    assert enroll(gateway, state, code).returncode == 0
    assert (state / "keys/127.0.0.1").read_bytes() == before


def test_a_server_that_takes_no_codes_is_4(gateway, state, home):
    gateway.takes_codes = False
    done = enroll(gateway, state, gateway.code)
    assert done.returncode == 4
    assert "takes no new keys by code" in done.stderr
    assert [what for what, *_ in gateway.told if what == "code"] == []


def test_a_gateway_that_allows_more_is_found(gateway, state, home):
    gateway.listens = 4711
    done = enroll(gateway, state, gateway.code, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["code"] == "listens"


@pytest.mark.parametrize("spoil,cause", [
    (lambda code: code[:-1], "is no code"),
    (lambda code: code[:-1] + ("0" if code[-1] != "0" else "1"), "mistyped"),
])
def test_a_slip_is_found_before_anything_is_connected(
        state, home, spoil, cause):
    code = spoil(make_code(b"some host key"))
    done = run("enroll", "--state", state, "--code", code,
               f"127.0.0.1:{free_port()}")
    assert done.returncode == 2
    assert cause in done.stderr


@pytest.mark.parametrize("words", [
    ["-i", "/key"], ["--name", "a"], ["--from", "127.0.0.1"], ["--revoke"]])
def test_what_the_gateway_decides_is_not_asked_for(state, home, words):
    done = run("enroll", "--state", state, "--code", make_code(b"key"),
               *words, "127.0.0.1")
    assert done.returncode == 2


def test_a_code_that_was_pasted_with_blanks_wants_quotes(gateway, state, home):
    pasted = gateway.code.replace("-", " ")
    dest = f"127.0.0.1:{gateway.port}"
    done = run("enroll", dest, "--code", *pasted.split())
    assert done.returncode == 2
    assert "wants quotes: --code '...'" in done.stderr
    done = run("enroll", "--ssh-config", "none", "--state", state, dest,
               "--code", pasted)
    assert done.returncode == 0, done.stderr


def test_the_code_may_come_on_stdin_in_capitals(gateway, state, home):
    typed = gateway.code.upper().replace("-", " ").replace("0", "O")
    done = subprocess.run(
        [peers.KAYA, "enroll", "--ssh-config", "none", "--state", state,
         "--code", "-", f"127.0.0.1:{gateway.port}"],
        input=typed + "\n", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_code_does_not_stay_on_the_command_line(state, home):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        code = make_code(b"some host key")
        with peers.Process([peers.KAYA, "enroll", "--ssh-config", "none",
                            "--state", state, "--code", code,
                            f"127.0.0.1:{port}"]) as kaya:
            peer, _ = silent.accept()
            with open(f"/proc/{kaya.pid}/cmdline") as file:
                assert code not in file.read()
            peer.close()


def test_revoke_at_a_gateway_names_the_half_that_is_done_there(
        gateway, state, home):
    assert enroll(gateway, state, gateway.code).returncode == 0
    done = run("enroll", "--ssh-config", "none", "--state", state, "--revoke",
               "127.0.0.1")
    assert done.returncode == 1
    assert "kaya keys revoke DIR/authorized_keys pump-7" in done.stdout
    assert not (state / "hosts/127.0.0.1").exists()
    assert not (state / "keys/127.0.0.1").exists()


def test_a_kayad_without_a_code_is_told_apart(kayad, state, home):
    done = run("enroll", "--ssh-config", "none", "--state", state,
               "--host-key", kayad.fingerprint, f"127.0.0.1:{kayad.port}")
    assert done.returncode == 1
    assert "keys come in by code" in done.stderr
    assert not state.exists()
