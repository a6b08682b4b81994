"""kaya doctor and kaya survey before those who mean them harm: servers, and
other users of the machine that root looks at.

What they say is text: it types nothing into a remedy, draws nothing on a
terminal, and nobody waits for them for ever.
"""

import contextlib
import json
import os
import resource
import shutil
import socketserver
import struct
import subprocess
import threading
import time

import paramiko
import pytest

import peers
import rawssh
from devices import home  # noqa: F401
from machines import Program, machine, needs_root  # noqa: F401
from peers import KAYA
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
        interface.transport = transport
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


class Remembering(Waiting):
    """Says, as sshd does, which line lets the key in."""

    def check_auth_publickey(self, username, key):
        said = paramiko.Message()
        said.add_byte(b"\4")  # SSH_MSG_DEBUG
        said.add_boolean(True)
        said.add_string("-:1: key options: permitopen")
        said.add_string("")
        self.transport._send_message(said)
        return paramiko.AUTH_SUCCESSFUL


def test_a_line_in_standard_input_is_not_waited_for(home, tmp_path):
    """A server at this machine that names "-" as its file of keys."""
    peers.make_key(tmp_path / "device")
    ends = threading.Event()
    ends.set()
    with ssh_server(home, Remembering(ends)) as port:
        side = (f"ssh -F {home}/.ssh/config -o IdentitiesOnly=yes -o "
                f"UserKnownHostsFile={home}/.ssh/known_hosts -i "
                f"{tmp_path}/device -N -p {port} dan@127.0.0.1")
        reads, writes = os.pipe()
        try:
            said = subprocess.run(
                [KAYA, "doctor", "--json", "--compare", side, side],
                stdin=reads, capture_output=True, text=True, timeout=100)
        finally:
            os.close(reads)
            os.close(writes)
    assert json.loads(said.stdout)["first"]["line"] == 1, said


# ---- users of a machine that root looks at ----

EVE = 1001


@pytest.fixture
def eve(machine):
    """A user of the machine, and nothing else on it."""
    machine.add_user("eve", "secret", EVE)
    machine.eve = machine.home / "eve"
    return machine


def run_as_eve(machine, *words):
    """A program of hers, which stays."""
    become = ["setpriv", f"--reuid={EVE}", "--regid=65534", "--clear-groups"]
    program = Program(machine.words(*become, *words))
    machine.programs.append(program)
    return program


def pretend(machine, name, *words):
    """A process of hers that has the name and the words of another."""
    program = machine.eve / name
    if not program.exists():
        shutil.copy("/bin/bash", program)
    run_as_eve(machine, f"/home/eve/{name}", "-c", "sleep 600 & wait", *words)
    peers.wait_until(
        lambda: machine.run("pgrep", "-x", name, check=False).stdout,
        f"eve's {name} runs")


def answer_as_eve(machine, listener, code):
    """Python of hers for each connection `c`, in a process with a name that
    clears the screen."""
    run_as_eve(machine, "python3", "-c", f"""
import socket, threading, time
open("/proc/self/comm", "wb").write(b"\\x1b[2J'$(id)'")
listener = {listener}
def serve(c):
    try:
        {code}
    except OSError:
        pass
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],)).start()
""")


def visit_past_eve(machine):
    """A visit whose remedies for sshd strike nothing of hers."""
    wrong = machine.doctor()
    remedies = [row["remedy"] for row in wrong.layer("sshd")]
    for remedy in remedies:
        assert "/home/eve" not in remedy, remedy
    return wrong


@pytest.mark.parametrize("runs", [False, True])
def test_an_sshd_of_another_user_is_not_ours(runs, eve, tmp_path):
    owned = tmp_path / "owned"
    (eve.eve / "config").write_text("PermitEmptyPasswords yes\n")
    pretend(eve, "sshd", "-f", f"/home/eve/config;touch {owned};#")
    pretend(eve, "sshd", "-f", "/home/eve/config")
    eve.sshd_config.write_text(
        eve.sshd_config.read_text().replace("ClientAliveInterval 60\n", ""))
    if runs:
        eve.start_sshd()
    wrong = visit_past_eve(eve)
    assert wrong.codes("sshd") == ([] if runs else ["sshd-stopped"]) + [
        "no-alive"], wrong
    if runs:
        eve.take(wrong.find("no-alive")["remedy"])
        assert eve.doctor().codes("sshd") == []
    assert not owned.exists()


def test_a_path_of_a_configuration_is_one_word_of_a_command(eve, tmp_path):
    """An sshd of root's own, in a folder whose name is a command."""
    owned = tmp_path / "owned"
    folder = eve.ssh / "a';touch${IFS}$OWNED;'"
    folder.mkdir()
    own = folder / "sshd_config"
    own.write_text(
        eve.sshd_config.read_text().replace("ClientAliveInterval 60\n", ""))
    eve.start_sshd("-f", f"/etc/ssh/{folder.name}/sshd_config")
    wrong = eve.doctor()
    assert wrong.codes("sshd") == ["no-alive"], wrong
    eve.take(wrong.find("no-alive")["remedy"], f"OWNED={owned}")
    assert not owned.exists()
    assert own.read_text().startswith("ClientAliveInterval 60\n")


def test_a_program_s_name_draws_nothing(eve):
    answer_as_eve(eve, 'socket.create_server(("0.0.0.0", 1883))',
                  "c.recv(100); c.close()")
    peers.wait_until(lambda: "1883" in eve.run("ss", "-ltn").stdout,
                     "eve's program listens")
    for said in (eve.text(), json.dumps(eve.doctor().json,
                                        ensure_ascii=False)):
        assert "x1b[2J" in said
        assert "\033" not in said


def test_a_broker_that_answers_bit_by_bit_is_not_waited_for(eve):
    """A CONNACK of 16,383 bytes, one each second."""
    answer_as_eve(
        eve, 'socket.create_server(("127.0.0.1", 1883))',
        "[(c.sendall(bytes([b])), time.sleep(1)) for b in "
        "bytes([0x20, 0xff, 0x7f]) + bytes(16383)]")
    peers.wait_until(lambda: "1883" in eve.run("ss", "-ltn").stdout,
                     "eve's program listens")
    begun = time.monotonic()
    said = eve.doctor()
    assert time.monotonic() - begun < 30
    assert said.layer("broker"), said


@pytest.mark.parametrize("code", [
    "[(c.sendall(b' '), time.sleep(1)) for _ in range(600)]",
    "[c.sendall(b' ' * 65536) for _ in range(1000000)]",
    "c.sendall(b'{\"brokers\":[' + b','.join([b'{\"up\":false,\"address\":"
    "\"\\x5cu001b[2J\"}'] * 100000) + b']}'); c.close()",
], ids=["bit by bit", "endless", "many brokers"])
def test_a_gateway_of_another_user_that_means_harm(code, eve):
    (eve.eve / "state").mkdir()
    os.chown(eve.eve / "state", EVE, 65534)
    pretend(eve, "kayad", "--state", "/home/eve/state")
    answer_as_eve(
        eve, 'socket.socket(socket.AF_UNIX); '
        'listener.bind("/home/eve/state/control.sock"); listener.listen()',
        code)
    peers.wait_until((eve.eve / "state/control.sock").exists,
                     "eve's socket is there")
    begun = time.monotonic()
    said = eve.run(KAYA, "doctor", check=False, preexec_fn=lambda:
                   resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)))
    assert time.monotonic() - begun < 50
    assert said.returncode in (0, 1, 3), said
    assert "kayad" in said.stdout and "firewall" in said.stdout
    assert "\033" not in said.stdout
    assert len(said.stdout) < 100000


def put_keys(machine, make):
    folder = machine.eve / ".ssh"
    folder.mkdir()
    make(folder / "authorized_keys")
    for path in (folder, folder / "authorized_keys"):
        os.chown(path, EVE, 65534, follow_symlinks=False)


@pytest.mark.parametrize("make", [
    lambda path: path.mkdir(),
    lambda path: os.mkfifo(path),
    lambda path: path.symlink_to("/dev/zero"),
    lambda path: path.symlink_to("/proc/self/mem"),
], ids=["a folder", "a pipe", "a device", "no plain file"])
def test_what_is_no_file_of_keys_is_not_read(make, eve):
    eve.admit()
    put_keys(eve, make)
    said = eve.doctor()
    assert said.findings[-1]["layer"] == "firewall", said
    seen = [row["seen"] for row in said.layer("keys")]
    assert any("1 key of tunnel" in each for each in seen), seen
    assert any("/home/eve/.ssh/authorized_keys of eve cannot be read" in each
               for each in seen), seen


def test_a_flood_of_faults_is_told_in_few_lines(eve):
    put_keys(eve, lambda path: path.write_text("x\n" * 50000))
    said = eve.run(KAYA, "doctor", check=False, preexec_fn=lambda:
                   resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29)))
    lines = [line for line in said.stdout.splitlines() if " keys  " in line]
    assert 3 < len(lines) < 40, said
    assert "49984 more" in lines[-1], lines[-1]
    assert "kaya keys lint /home/eve/.ssh/authorized_keys" in said.stdout
