"""kaya enroll against a real sshd: the line, the file, the proof."""

import json
import os
import pathlib
import re
import stat
import subprocess

import pytest

import peers
from devices import Kaya, home, know, run  # noqa: F401
from peers import free_port, make_key, wait_until
from tunnels import publish, Subscriber

HEADERS = "# the owner's own lines\n"


class Account:
    """An account of a stock sshd, with a broker behind it.

    Its home is a folder of the test's: sshd is told to read the
    authorized_keys there, and to tell the login shell of that home.
    """

    def __init__(self, tmp_path, extra="", path=None, command_path=None):
        self.home = tmp_path / "account"
        self.ssh = self.home / ".ssh"
        self.ssh.mkdir(parents=True, mode=0o700)
        self.home.chmod(0o755)
        self.file = self.ssh / "authorized_keys"
        self.login = tmp_path / "login"
        public = make_key(self.login)
        self.original = f"{HEADERS}{public}\n"
        self.file.write_text(self.original)
        self.file.chmod(0o600)
        self.broker = peers.Mosquitto(tmp_path / "broker")
        words = f"HOME={self.home}"
        if command_path:
            words += f" PATH={command_path}"
        self.sshd = peers.Sshd(
            tmp_path / "sshd",
            f"AuthorizedKeysFile {self.file}\nSetEnv {words}\n"
            f"MaxStartups 200\nSubsystem sftp internal-sftp\n{extra}")
        self.port = self.sshd.port
        self.dest = f"{self.sshd.user}@127.0.0.1:{self.port}"
        self.target = f"127.0.0.1:{self.broker.port}"
        print_ = subprocess.run(
            ["ssh-keygen", "-lf", f"{self.sshd.host_key}.pub"],
            capture_output=True, text=True, check=True).stdout
        self.fingerprint = print_.split()[1]

    def __enter__(self):
        return self

    def __exit__(self, kind, *unused):
        if kind is not None:
            print(self.sshd.log())
        self.sshd.stop()
        self.broker.stop()

    def enroll(self, state, *words, host_key=True, **options):
        pin = ["--host-key", self.fingerprint] if host_key else []
        return run("enroll", "--ssh-config", "none", "--state", state,
                   "-i", self.login, "--target", self.target, *pin, *words,
                   self.dest, **options)

    def lines(self):
        return self.file.read_text().splitlines()

    def ours(self):
        return [line for line in self.lines() if "KAYA_ID" in line]


@pytest.fixture
def account(tmp_path, home):
    with Account(tmp_path) as account:
        yield account


@pytest.fixture
def state(tmp_path):
    return tmp_path / "kaya"


def rows(done):
    return {row["layer"]: row for row in json.loads(done.stdout)["findings"]}


def test_a_new_key_gets_one_tight_line_and_proves_it(account, state):
    done = account.enroll(state, "--name", "pump-7", "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    assert account.file.read_text().startswith(account.original)
    line, = account.ours()
    port = account.broker.port
    assert line.startswith(
        f'restrict,port-forwarding,permitopen="127.0.0.1:{port}",'
        f'permitopen="localhost:{port}",permitopen="[::1]:{port}",'
        'permitlisten="localhost:1",command="')
    assert 'environment="KAYA_ID=pump-7"' in line
    found = rows(done)
    assert found["host-key"]["seen"].startswith(account.fingerprint)
    assert re.search(r"in [\d.]+ ms", found["message"]["seen"])
    for layer in ("shell", "pty", "command", "sftp", "target"):
        assert found[layer]["state"] == "ok", found[layer]
        assert found[layer]["seen"].startswith("refused")


def test_the_tunnel_needs_nothing_more(account, state):
    assert account.enroll(state).returncode == 0
    port = free_port()
    with Kaya("tunnel", "--ssh-config", "none", "--state", state,
              "-b", account.target, "-L", f"127.0.0.1:{port}",
              "127.0.0.1") as tunnel:
        tunnel.wait_for_log("event=up")
        with Subscriber(port, "t") as sub:
            publish(port, "t", "hello", "-q", "1")
            sub.wait_for_log("hello")

