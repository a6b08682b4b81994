"""accounts: an account of a stock sshd's, to be enrolled at."""

import json
import subprocess

import pytest

import peers
from devices import run
from peers import make_key

HEADERS = "# the owner's own lines\n"


class Account:
    """An account of a stock sshd, with a broker behind it.

    Its home is a folder of the test's: sshd is told to read the
    authorized_keys there, and to tell the login shell of that home.
    `extra` stands before the other lines of sshd_config, so that it wins;
    `command_path` is the PATH of commands.
    """

    def __init__(self, tmp_path, extra="", command_path=None):
        self.home = tmp_path / "account"
        self.ssh = self.home / ".ssh"
        self.ssh.mkdir(parents=True, mode=0o700, exist_ok=True)
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
            f"{extra}AuthorizedKeysFile {self.file}\nSetEnv {words}\n"
            f"MaxStartups 200\nSubsystem sftp internal-sftp\n")
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


def dan_logs_in(machine, login):
    """On a machine with sshd and broker; his key `login`, made here, does not
    stand in his own file, which a test may spoil."""
    machine.add_user("dan", "unused")
    (machine.ssh / "login_keys").write_text(make_key(login))
    machine.sshd_config.write_text(
        "AuthorizedKeysFile /etc/ssh/login_keys .ssh/authorized_keys\n" +
        machine.sshd_config.read_text())
    machine.start_sshd()
    machine.start_mosquitto()


def rows(done):
    return {row["layer"]: row for row in json.loads(done.stdout)["findings"]}


SERVER_TOOLS = ["basename", "cat", "chmod", "cmp", "cp", "dd", "env",
                "flock", "grep", "id", "kill", "ls", "ln", "mkdir", "mv", "ps",
                "readlink", "rm", "sed", "sh", "sleep", "sync", "tail", "wc"]


def tools_folder(tmp_path, leave_out=()):
    """A PATH of the server's that has what is needed and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in SERVER_TOOLS:
        if name not in leave_out:
            (folder / name).symlink_to(peers.find(name))
    return folder


def wrap(folder, name, text):
    """Another program in a tool's place; what it is given is its text's."""
    (folder / name).unlink()
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)
