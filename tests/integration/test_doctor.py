"""kaya doctor against real programs that are set up wrongly in one way.

Each test asserts the cause that is named, and that the remedy that is printed,
taken, mends it.
"""

import contextlib
import os
import re
import signal
import socket
import socketserver
import subprocess
import sys
import threading

import pytest

import peers
from devices import Server, home, know  # noqa: F401
from patients import Clinic, clinic, doctor  # noqa: F401
from peers import free_port, make_key, wait_until


def assert_well(diagnosis):
    assert diagnosis.status == 0, diagnosis
    assert diagnosis.json["ok"] is True


# ---- all is well ----

@pytest.mark.parametrize("kind", ["kayad", "sshd", "dropbear"])
def test_nothing_is_wrong_with_what_works(kind, tmp_path, home, doctor):
    with Server(kind, tmp_path, home) as server:
        well = doctor("-i", server.key, "-b", server.target, server.dest)
        assert_well(well)
        assert [finding["layer"] for finding in well.json["findings"]] == [
            "dns", "tcp", "banner", "kex", "host-key", "auth", "forwarding",
            "mqtt", "message", "keepalive", "local"]
        assert well.seen("mqtt") == "MQTT 3.1.1 and 5.0 accepted"
        assert re.search(r"came back in [\d.]+ ms", well.seen("message"))


def test_a_pipe_gets_lines_without_colours(clinic):
    clinic.sshd.admit(clinic.public)
    done = clinic.doctor.text("-i", clinic.key, "-b", clinic.target,
                              clinic.dest)
    assert done.returncode == 0
    assert "\033" not in done.stdout
    lines = done.stdout.splitlines()
    assert len(lines) == 11
    assert all(re.match(r"(ok|not known) +[a-z-]+ +\S", line)
               for line in lines), done.stdout


# ---- dns, tcp, banner ----

def test_a_name_that_does_not_exist(clinic):
    wrong = clinic.doctor("no-such-host.invalid")
    assert (wrong.status, wrong.layer) == (3, "dns"), wrong
    # Where no DNS server answers at all that is what is said.
    assert wrong.code in ("no-such-name", "dns-silent")
    assert "no-such-host.invalid" in wrong.cause or "DNS" in wrong.cause
    assert wrong.seen("tcp") is None


def test_an_alias_of_another_ssh_config(clinic, tmp_path):
    config = tmp_path / "config"
    config.write_text(
        f"Host field.invalid\n HostName 127.0.0.1\n Port "
        f"{clinic.sshd.port}\n User {clinic.user}\n IdentityFile "
        f"{clinic.key}\n UserKnownHostsFile {clinic.home}/.ssh/known_hosts\n")
    clinic.sshd.admit(clinic.public)
    wrong = clinic.doctor("-b", clinic.target, "field.invalid")
    if wrong.code == "dns-silent":
        pytest.skip("no DNS server answers here")
    assert "alias" in wrong.cause
    again = clinic.doctor.take(wrong, r"kaya doctor -F FILE .*",
                               {"FILE": config})
    assert again.returncode == 0, again.stdout


def test_nothing_listens(clinic):
    clinic.sshd.admit(clinic.public)
    clinic.sshd.stop()
    wrong = clinic.visit()
    assert (wrong.status, wrong.layer, wrong.code) == (3, "tcp",
                                                       "port-closed"), wrong
    assert "systemctl start ssh" in wrong.remedy
    with peers.Process([peers.find("sshd"), "-D", "-e", "-f",
                        clinic.tmp_path / "sshd/sshd_config"]) as started:
        started.wait_for_log("Server listening")
        assert_well(clinic.visit())


def test_the_server_listens_on_another_port(clinic):
    clinic.sshd.admit(clinic.public)
    wrong = clinic.doctor("-i", clinic.key, "-b", clinic.target, "-l",
                          clinic.user, "-p", free_port(), "127.0.0.1")
    assert wrong.code == "port-closed"
    again = clinic.doctor.take(wrong, r"kaya doctor -p PORT .*",
                               {"PORT": clinic.sshd.port})
    assert again.returncode == 0, again.stdout


@contextlib.contextmanager
def answering(reply, wait=False):
    """A server that says one thing."""
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            with contextlib.suppress(OSError):
                if wait:
                    self.request.recv(4096)
                self.request.sendall(reply)
                self.request.shutdown(socket.SHUT_WR)
                while self.request.recv(4096):
                    pass

    class TheServer(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def shutdown_request(self, request):
            request.close()

    with TheServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.parametrize("reply,wait,code,words", [
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", True, "http", "web server"),
    (b"220 mail.example ESMTP\r\n", False, "mail", "mail"),
    (b"Exceeded MaxStartups\r\n", False, "max-startups", "MaxStartups"),
    (b"Not allowed at this time\r\n", False, "locked-out",
     "PerSourcePenalties"),
    (b"hello there\r\n", False, "not-ssh", "no SSH server"),
    (b"", False, "closed-at-once", "hosts.deny"),
])
def test_what_answers_is_named_by_its_first_words(
        doctor, reply, wait, code, words):
    with answering(reply, wait) as port:
        wrong = doctor("-p", port, "127.0.0.1")
    assert (wrong.layer, wrong.code) == ("banner", code), wrong
    assert words in wrong.cause
    assert wrong.seen("kex") is None


@contextlib.contextmanager
def web_server():
    with peers.Process([sys.executable, "-u", "-m", "http.server", "--bind",
                        "127.0.0.1", port := free_port()]) as server:
        server.wait_for_log("Serving HTTP")
        yield port


@pytest.mark.parametrize("other,code", [
    (web_server, "http"),
    (lambda: answering(b"220 mail.example ESMTP\r\n"), "mail"),
    (lambda: answering(b"hello there\r\n"), "not-ssh"),
], ids=["http", "mail", "something"])
def test_another_server_on_the_port(clinic, other, code):
    clinic.sshd.admit(clinic.public)
    with other() as port:
        wrong = clinic.doctor("-i", clinic.key, "-b", clinic.target, "-l",
                              clinic.user, "-p", port, "127.0.0.1")
    assert (wrong.status, wrong.layer, wrong.code) == (
        1, "banner", code), wrong
    again = clinic.doctor.take(wrong, r"kaya doctor -p PORT .*",
                               {"PORT": clinic.sshd.port})
    assert again.returncode == 0, again.stdout


@pytest.mark.parametrize("behind,status,code,words", [
    (b"", 3, "kex-closed", "after the banners"),
    (b"\xff" * 64, 1, "not-ssh-behind", "changes what is sent"),
], ids=["nothing", "no packet"])
def test_what_stands_behind_a_banner(doctor, behind, status, code, words):
    with answering(b"SSH-2.0-OpenSSH_9.2\r\n" + behind) as port:
        wrong = doctor("-p", port, "127.0.0.1")
    assert (wrong.status, wrong.layer, wrong.code) == (
        status, "kex", code), wrong
    assert words in wrong.cause and "kaya survey 127.0.0.1" in wrong.remedy


def test_the_broker_itself_on_the_port(clinic):
    clinic.sshd.admit(clinic.public)
    wrong = clinic.doctor("-i", clinic.key, "-b", clinic.target, "-l",
                          clinic.user, "-p", clinic.broker.port, "127.0.0.1")
    assert (wrong.status, wrong.layer, wrong.code) == (1, "banner", "mqtt")
    assert "broker itself" in wrong.cause
    again = clinic.doctor.take(wrong, r"kaya doctor -p PORT .*",
                               {"PORT": clinic.sshd.port})
    assert again.returncode == 0, again.stdout


def test_a_tls_server_on_the_port(clinic, tmp_path):
    clinic.sshd.admit(clinic.public)
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
         "/CN=x", "-keyout", key, "-out", certificate], check=True,
        capture_output=True)
    port = free_port()
    with peers.Process(["openssl", "s_server", "-accept",
                        f"127.0.0.1:{port}", "-cert", certificate, "-key",
                        key], stdin=subprocess.PIPE) as server:
        server.wait_for_log("ACCEPT")
        wrong = clinic.doctor("-i", clinic.key, "-b", clinic.target, "-l",
                              clinic.user, "-p", port, "127.0.0.1")
    assert (wrong.layer, wrong.code) == ("banner", "tls"), wrong
    again = clinic.doctor.take(wrong, r"kaya doctor -p PORT .*",
                               {"PORT": clinic.sshd.port})
    assert again.returncode == 0, again.stdout


def words_to_one_too_many(port):
    """Since 9.8 sshd says the same to an address that it has shut out."""
    with socket.create_connection(("127.0.0.1", port)) as refused:
        return refused.makefile().readline()


def test_too_many_wait_to_log_in(tmp_path, home, doctor):
    with Clinic(tmp_path, home, doctor, "MaxStartups 2:100:2") as clinic:
        clinic.sshd.admit(clinic.public)
        with contextlib.ExitStack() as stack:
            for _ in range(2):
                waiting = stack.enter_context(socket.create_connection(
                    ("127.0.0.1", clinic.sshd.port)))
                assert waiting.recv(4)
            words = words_to_one_too_many(clinic.sshd.port)
            wrong = clinic.visit()
        assert (wrong.status, wrong.layer, wrong.code) == {
            "Exceeded MaxStartups\n": (3, "banner", "max-startups"),
            "Not allowed at this time\n": (4, "banner", "locked-out"),
        }[words], wrong
        assert "MaxStartups" in wrong.cause
        clinic.take_at_server(wrong, r"sed -i")
        with contextlib.ExitStack() as stack:
            for _ in range(2):
                waiting = stack.enter_context(socket.create_connection(
                    ("127.0.0.1", clinic.sshd.port)))
                assert waiting.recv(4)
            assert_well(clinic.visit())


class Door:
    """Before a real server: after so many connections it lets none in."""

    def __init__(self, port, count, words):
        self.behind, self.left, self.words = port, count, words
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.left == 0:
                with client, contextlib.suppress(OSError):
                    client.sendall(self.words)
                continue
            self.left -= 1
            server = socket.create_connection(("127.0.0.1", self.behind))
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=pair,
                                 daemon=True).start()

    @staticmethod
    def _pass_on(source, sink):
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                sink.sendall(piece)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


# What each of the doctor's connections is for at first, in their order.
CONNECTIONS = ["banner", "kex"]


def test_a_visit_costs_few_connections(clinic):
    """Each one that nobody logs in on counts against this address."""
    clinic.sshd.admit(clinic.public)
    assert_well(clinic.visit())
    clinic.sshd.wait_for_log("Accepted publickey")
    assert clinic.sshd.log().count("Connection from") == len(CONNECTIONS)


@pytest.mark.parametrize("words,code", [
    (b"Not allowed at this time\r\n", "locked-out"),
    (b"Exceeded MaxStartups\r\n", "max-startups")])
@pytest.mark.parametrize("let_in", range(len(CONNECTIONS)))
def test_a_server_that_shuts_us_out_while_we_look(clinic, let_in, words, code):
    """As sshd may after each of our connections, for those before it."""
    clinic.sshd.admit(clinic.public)
    with Door(clinic.sshd.port, let_in, words) as door:
        wrong = clinic.doctor("-i", clinic.key, "-l", clinic.user, "-p",
                              door.port, "127.0.0.1")
    assert (wrong.layer, wrong.code) == (CONNECTIONS[let_in], code), wrong
    assert wrong.seen(wrong.layer) == words.decode().strip()
    assert wrong.states(wrong.layer) == ["fault"]
    assert "MaxStartups" in wrong.cause


def test_a_server_that_shuts_us_out_before_the_right_key_is_offered(
        tmp_path, home, doctor):
    """The agent has more keys than it takes, and then it takes us no more."""
    with Clinic(tmp_path, home, doctor, "MaxAuthTries 1") as clinic:
        clinic.sshd.admit(clinic.public)
        make_key(tmp_path / "other")
        with Door(clinic.sshd.port, len(CONNECTIONS),
                  b"Not allowed at this time\r\n") as door:
            (home / ".ssh/known_hosts").write_text(
                (home / ".ssh/known_hosts").read_text().replace(
                    str(clinic.sshd.port), str(door.port)))
            wrong = doctor("-i", tmp_path / "other", "-i", clinic.key, "-l",
                           clinic.user, "-p", door.port, "127.0.0.1")
    assert (wrong.status, wrong.layer, wrong.code) == (
        4, "auth", "locked-out"), wrong
    assert wrong.states("auth") == ["fault"]


@pytest.mark.skipif(peers.openssh() < (9, 8),
                    reason="sshd knows penalties since 9.8")
def test_a_server_that_has_penalties(tmp_path, home, doctor):
    """For the doctor's own connections, too, where they are dear enough."""
    with Clinic(tmp_path, home, doctor, "PerSourcePenalties yes\n"
                "PerSourcePenalties noauth:20 min:15") as clinic:
        clinic.sshd.admit(clinic.public)
        # It counts a connection when its process has ended.
        wrong = peers.wait_until(
            lambda: (visit := clinic.visit()).status and visit,
            "it shuts us out")
        assert (wrong.status, wrong.code) == (4, "locked-out"), wrong
        assert wrong.layer in CONNECTIONS, wrong
        assert "PerSourcePenalties" in wrong.cause
        # Its log tells which of the two it was.
        assert "grep 'drop connection'" in wrong.remedy
        clinic.sshd.wait_for_log("drop connection .* penalty: ")
        clinic.take_at_server(wrong, r"echo 'PerSourcePenaltyExemptList")
        assert_well(clinic.visit())
        assert_well(clinic.visit())


# ---- key exchange, host key ----

@pytest.mark.parametrize("line,option", [
    ("KexAlgorithms diffie-hellman-group14-sha1", "KexAlgorithms"),
    ("Ciphers aes128-cbc", "Ciphers"),
    ("Ciphers aes128-ctr\nMACs hmac-sha1", "MACs"),
])
def test_a_server_that_knows_only_old_algorithms(
        tmp_path, home, doctor, line, option):
    with Clinic(tmp_path, home, doctor, line) as clinic:
        clinic.sshd.admit(clinic.public)
        wrong = clinic.visit()
        if wrong.status == 0:
            pytest.skip("libssh offers it still")
        assert (wrong.status, wrong.layer) == (1, "kex"), wrong
        assert wrong.code == "algorithm-not-offered"
        assert line.split()[-1] in wrong.cause
        words = re.search(rf"-o {option}=\S+", wrong.remedy).group(0).split()
        assert_well(clinic.visit(*words))
        clinic.tunnels(wrong, r"kaya tunnel [^,]*(?=, until)")


def test_a_server_that_knows_only_what_kaya_does_not(tmp_path, home, doctor):
    with Clinic(tmp_path, home, doctor,
                "KexAlgorithms sntrup761x25519-sha512@openssh.com") as clinic:
        clinic.sshd.admit(clinic.public)
        wrong = clinic.visit()
        assert (wrong.status, wrong.layer) == (1, "kex"), wrong
        assert wrong.code == "algorithm-unknown"
        clinic.take_at_server(wrong, r"echo")
        assert_well(clinic.visit())


def test_a_tunnel_in_a_remedy_has_what_the_doctor_was_given(clinic):
    """But for a -L whose target is the fault."""
    host, port = clinic.target.split(":")
    clinic.sshd.admit(clinic.public, f'permitopen="{clinic.target}"')

    def remedy(*words):
        wrong = clinic.doctor("-i", clinic.key, *words, clinic.dest)
        assert wrong.code == "other-spelling", wrong
        assert f"kaya tunnel -b {clinic.target} " in wrong.remedy
        return wrong.remedy.partition(" (ssh")[0]

    near = clinic.doctor.port
    assert f"-L {near}" in remedy("-b", f"localhost:{port}")
    assert "-L" not in remedy("-L", f"{near}:localhost:{port}")


def test_a_host_key_that_is_not_known(clinic, home):
    clinic.sshd.admit(clinic.public)
    (home / ".ssh/known_hosts").unlink()
    wrong = clinic.visit()
    assert (wrong.status, wrong.layer, wrong.code) == (
        5, "host-key", "host-key-unknown"), wrong
    assert wrong.seen("auth") is None
    again = clinic.doctor.take(wrong, r"kaya doctor --host-key SHA256.*")
    assert again.returncode == 0, again.stdout
    assert_well(clinic.visit())


def test_a_host_key_that_has_changed(clinic, home, tmp_path):
    clinic.sshd.admit(clinic.public)
    known = home / ".ssh/known_hosts"
    other = make_key(tmp_path / "other").rsplit(" ", 1)[0]
    known.write_text(f"[127.0.0.1]:{clinic.sshd.port} {other}\n")
    wrong = clinic.visit()
    assert (wrong.status, wrong.layer, wrong.code) == (
        5, "host-key", "host-key-changed"), wrong
    again = clinic.doctor.take(wrong, r"ssh-keygen -f .* && kaya doctor .*")
    assert again.returncode == 0, again.stdout + again.stderr
    assert_well(clinic.visit())


def test_a_host_key_of_another_type(clinic, home, tmp_path):
    clinic.sshd.admit(clinic.public)
    known = home / ".ssh/known_hosts"
    other = make_key(tmp_path / "other", "ecdsa").rsplit(" ", 1)[0]
    known.write_text(f"[127.0.0.1]:{clinic.sshd.port} {other}\n")
    wrong = clinic.visit()
    assert (wrong.status, wrong.layer, wrong.code) == (
        5, "host-key", "host-key-other-type"), wrong
    again = clinic.doctor.take(wrong, r"ssh-keygen -f .* && kaya doctor .*")
    assert again.returncode == 0, again.stdout + again.stderr
    assert_well(clinic.visit())


def test_a_host_key_that_is_not_the_one_demanded(clinic, home):
    clinic.sshd.admit(clinic.public)
    (home / ".ssh/known_hosts").unlink()
    wrong = clinic.visit("--host-key", "SHA256:" + "A" * 43)
    assert (wrong.status, wrong.code) == (5, "host-key-not-the-one"), wrong
    again = clinic.doctor.take(wrong, r"kaya doctor --host-key SHA256.*")
    assert again.returncode == 0, again.stdout


def test_a_host_key_that_cannot_be_written_down(clinic, home):
    clinic.sshd.admit(clinic.public)
    known = home / ".ssh/known_hosts"
    known.unlink()
    known.mkdir()
    unknown = clinic.visit()
    assert (unknown.status, unknown.code) == (5, "known-hosts"), unknown
    assert "Is a directory" in unknown.cause
    pin = re.search(r"SHA256:\S+", unknown.seen("host-key")).group(0)
    wrong = clinic.visit("--host-key", pin)
    assert (wrong.status, wrong.layer, wrong.code) == (
        0, "host-key", "known-hosts"), wrong
    assert str(known) in wrong.remedy
    # Each further connection of the visit is to the named key, too.
    assert clinic.visit("--host-key", pin, "--idle", 1).status == 0
    clinic.doctor.take(wrong, r"mv .*")
    assert_well(clinic.visit("--host-key", pin))
    assert_well(clinic.visit())


def test_a_damaged_line_that_hides_the_host_key(clinic, home):
    """ssh passes over it; libssh reads nothing behind it."""
    clinic.sshd.admit(clinic.public)
    known = home / ".ssh/known_hosts"
    good = known.read_text()
    known.write_text(f"[127.0.0.1]:{clinic.sshd.port} ssh-ed25519 AAAA\n{good}")
    wrong = clinic.visit()
    assert (wrong.status, wrong.layer, wrong.code) == (
        5, "host-key", "known-hosts"), wrong
    assert f"line 1 of {known}" in wrong.cause
    clinic.doctor.take(wrong, r"sed [^;]*")
    assert known.read_text() == good
    assert_well(clinic.visit())


def test_a_host_that_only_an_authority_vouches_for(clinic, home, tmp_path):
    clinic.sshd.admit(clinic.public)
    known = home / ".ssh/known_hosts"
    other = make_key(tmp_path / "other").rsplit(" ", 1)[0]
    known.write_text(f"@cert-authority 127.0.0.1 {other}\n")
    wrong = clinic.visit()
    assert (wrong.status, wrong.code) == (5, "host-certificate"), wrong
    again = clinic.doctor.take(wrong, r"kaya doctor --host-key SHA256.*")
    assert again.returncode == 0, again.stdout
