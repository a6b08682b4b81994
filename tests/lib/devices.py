"""devices: kaya against stock servers and kayad, with a home of its own."""

import os
import shutil
import subprocess
import tempfile

import pytest

import peers
from peers import KAYA, free_port, make_key


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder of its own: no agent, known hosts of its own.

    As OpenSSH, libssh asks the password file for the home, not HOME: an
    ssh_config leads it here (with_config).
    """
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    (home / ".ssh/config").write_text(
        f"UserKnownHostsFile {home}/.ssh/known_hosts\n"
        "GlobalKnownHostsFile /dev/null\n")
    monkeypatch.setenv("HOME", str(home))
    # Short: the path of a UNIX socket has 107 bytes at most.
    runtime = tempfile.mkdtemp(prefix="kaya-")
    monkeypatch.setenv("RUNTIME_DIRECTORY", runtime)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    yield home
    shutil.rmtree(runtime)


# Commands that make a connection.
TALKS = ("tunnel", "pub", "sub", "request", "pending", "approve", "deny",
         "permit")


def with_config(words):
    """The command's words, with the test's own ssh_config among them."""
    words = [str(word) for word in words]
    if words and words[0] in TALKS \
            and "-F" not in words[:2] and "--ssh-config" not in words:
        words[1:1] = ["--ssh-config", os.environ["HOME"] + "/.ssh/config"]
    return [str(KAYA), *words]


class Kaya(peers.Process):
    """kaya, running."""

    def __init__(self, *words, **options):
        super().__init__(with_config(words), **options)


class Typed(peers.Process):
    """A command as kaya prints it: the shell becomes the tunnel."""

    def __init__(self, command):
        assert command.count("kaya tunnel ") == 1, command
        super().__init__(["sh", "-c", command.replace(
            "kaya tunnel ", "exec kaya tunnel ")], env=typing_env())


def typing_env():
    return {**os.environ, "PATH": f"{KAYA.parent}:{os.environ['PATH']}"}


def type_it(command):
    """What comes of a command as kaya prints it."""
    return subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL, env=typing_env())


def run(*words, **options):
    return subprocess.run(with_config(words), capture_output=True,
                          text=True, timeout=60, stdin=subprocess.DEVNULL,
                          **options)


def know(home, port):
    """Write the server's host key into known_hosts, as ssh-keyscan has it."""
    scan = subprocess.run(
        ["ssh-keyscan", "-t", "ed25519", "-p", str(port), "127.0.0.1"],
        capture_output=True, text=True, check=True).stdout
    with open(home / ".ssh/known_hosts", "a") as file:
        file.write(scan)


class Server:
    """A stock server or kayad, a broker behind it, a key that it lets in."""

    def __init__(self, kind, tmp_path, home, sshd_lines="", kayad=None,
                 broker_lines=""):
        if kind == "dropbear":
            need_dropbear()
        self.key = tmp_path / "device"
        public = make_key(self.key)
        self.broker = peers.Mosquitto(tmp_path / "broker",
                                      extra=broker_lines)
        if kind == "kayad":
            self.server = peers.Kayad(tmp_path, config=kayad, arguments=[
                "--broker", f"127.0.0.1:{self.broker.port}"])
            self.server.admit(public, "dan")
            self.target = "127.0.0.1:1883"
            self.user = "dan"
        elif kind == "sshd":
            self.server = peers.Sshd(tmp_path / "sshd", sshd_lines)
            self.server.admit(public)
            self.target = f"127.0.0.1:{self.broker.port}"
            self.user = self.server.user
        else:
            self.server = peers.Dropbear(tmp_path / "dropbear")
            self.server.admit(public)
            self.target = f"127.0.0.1:{self.broker.port}"
            self.user = self.server.user
        self.kind = kind
        self.port = self.server.port
        self.dest = f"{self.user}@127.0.0.1:{self.port}"
        know(home, self.port)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.server.stop()
        self.broker.stop()


def need_dropbear():
    """Skip the test where dropbear's server can have no home of its own."""
    missing = peers.Dropbear.missing()
    if missing is not None:
        pytest.skip(missing)


class Tunnel(Kaya):
    def __init__(self, server, *words, port=None, dest=None):
        self.port = port or free_port()
        super().__init__("tunnel", "-i", server.key, "-b", server.target,
                         "-L", f"127.0.0.1:{self.port}", *words,
                         dest or server.dest)
        try:
            self.wait_for_log(r"event=up")
        except BaseException:
            self.stop()
            raise
