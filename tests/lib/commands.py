"""commands: ssh commands as people type them, before kaya doctor and for real.
"""

import contextlib
import os
import re
import shlex
import signal
import subprocess

import pytest

from devices import KAYA, Server
from findings import Findings
from peers import free_port, wait_until


class Diagnosis(Findings):
    """What it says of a command."""

    @property
    def codes(self):
        return [row["code"] for row in self.findings
                if row["state"] in ("fault", "warning")]

    @property
    def corrected(self):
        """The words of the corrected command that was said last."""
        rows = [row for row in self.findings if row["code"] == "corrected"]
        return shlex.split(rows[-1]["seen"])


class Desk:
    """A desk from which people type ssh commands to a server with a broker."""

    def __init__(self, server, home):
        self.server = server
        self.home = home
        self.config = home / ".ssh/config"
        self.port = free_port()
        self.key = server.key
        self.dest = f"{server.user}@127.0.0.1"
        self.target = server.target

    def words(self, *more, forward=True, key=True, good=True):
        """A command with nothing wrong, but for what is left out."""
        words = ["ssh", "-F", str(self.config), "-p", str(self.server.port)]
        if forward:
            words += ["-L", f"127.0.0.1:{self.port}:{self.target}"]
        if key:
            words += ["-i", str(self.key)]
        if good:
            words += ["-o", "ExitOnForwardFailure=yes",
                      "-o", "ServerAliveInterval=30"]
        return words + [str(word) for word in more]

    def doctor(self, *words, ask=(), become=()):
        done = subprocess.run(
            [*become, KAYA, "doctor", "--json", "-b", self.target, *ask, "--",
             *[str(word) for word in words]],
            capture_output=True, text=True, timeout=60,
            stdin=subprocess.DEVNULL)
        return Diagnosis(done)

    def text(self, *words):
        return subprocess.run(
            [KAYA, "doctor", "-b", self.target, "--",
             *[str(word) for word in words]],
            capture_output=True, text=True, timeout=60,
            stdin=subprocess.DEVNULL)

    def carries(self, words):
        """Run the command for real: does a message reach the broker?"""
        with tunnel(words) as port:
            done = subprocess.run(
                ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-t",
                 "t", "-m", "m", "-q", "1"], capture_output=True, timeout=30)
            return done.returncode == 0


def near_port(words):
    """Where the command listens."""
    forward = words[words.index("-L") + 1]
    return int(re.match(r"(?:[^:]*:)?(\d+):[^:]*:\d+$", forward).group(1))


def holders(port):
    """The pids of those that listen there."""
    said = subprocess.run(["ss", "-Hltnp", f"sport = :{port}"],
                          capture_output=True, text=True).stdout
    return {int(pid) for pid in re.findall(r'"ssh",pid=(\d+)', said)}


@contextlib.contextmanager
def tunnel(words):
    """The command, running; the port that it listens on."""
    port = near_port(words)
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    try:
        # By who holds the port: another program may have been quicker.
        wait_until(lambda: holders(port) or process.poll() not in
                   (None, 0), "the command listens")
        assert process.poll() in (None, 0), process.stderr.read()
        yield port
    finally:
        for pid in holders(port) | ({process.pid} if process.poll() is None
                                    else set()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        process.wait(10)
        process.stderr.close()


@pytest.fixture
def desk(tmp_path, home):
    with Server("sshd", tmp_path, home) as server:
        yield Desk(server, home)
