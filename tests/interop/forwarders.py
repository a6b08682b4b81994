"""forwarders: stock SSH clients that hold a local port open towards a broker.

Each is a context manager with `.port`, the local port; everything sent there
comes to 127.0.0.1:1883 as the gateway sees it. `rekey_bytes` makes the client
itself ask for new keys after so many bytes, where it can be told to.
"""

import os
import pathlib
import re
import shutil
import subprocess
import threading

import pytest

import peers
import roundtrip
from peers import BUILD, free_port, wait_until

HERE = pathlib.Path(__file__).parent
TARGET = ("127.0.0.1", 1883)
PYTHON = "/usr/bin/python3"


class Forwarder(peers.Process):
    """A client program that listens on `port` once it is ready."""

    carry = staticmethod(roundtrip.go_round_at_each_qos)

    def __init__(self, command, env=None):
        super().__init__(command, env=env)
        try:
            wait_until(lambda: peers.is_listening(self.port) or
                       not self.is_running(), f"{command[0]} listens")
            assert self.is_running(), self.log()
        except BaseException:
            self.stop()
            print(self.log())
            raise


class OpenSSH(Forwarder):
    def __init__(self, kayad, key, folder, rekey_bytes=None, options=()):
        self.port = free_port()
        if rekey_bytes:
            options = [*options, f"RekeyLimit={rekey_bytes}"]
        super().__init__([
            "ssh", "-F", "none", "-N", "-i", key, "-p", kayad.port,
            "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
            "-o", f"UserKnownHostsFile={folder}/known_hosts",
            "-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes",
            *(word for option in options for word in ("-o", option)),
            "-L", f"127.0.0.1:{self.port}:{TARGET[0]}:{TARGET[1]}",
            "user@127.0.0.1"])


class Dropbear(Forwarder):
    """dbclient; its limit for new keys is compiled in."""

    def __init__(self, kayad, key, folder, rekey_bytes=None):
        assert rekey_bytes is None
        self.port = free_port()
        own = folder / "dropbear_key"
        subprocess.run(["dropbearconvert", "openssh", "dropbear", key, own],
                       check=True, capture_output=True)
        super().__init__([
            "dbclient", "-N", "-y", "-y", "-i", own, "-p", kayad.port,
            "-L", f"127.0.0.1:{self.port}:{TARGET[0]}:{TARGET[1]}",
            "user@127.0.0.1"])


class PuTTY(Forwarder):
    """plink; limits stand in a saved session."""

    def __init__(self, kayad, key, folder, rekey_bytes=None,
                 certificate=None):
        self.port = free_port()
        own = folder / "putty.ppk"
        words = ["--certificate", certificate] if certificate else []
        subprocess.run(["puttygen", key, "-O", "private", *words, "-o", own],
                       check=True, stdin=subprocess.DEVNULL,
                       env=dict(os.environ, HOME=str(folder)))
        sessions = folder / ".putty/sessions"
        sessions.mkdir(parents=True)
        (sessions / "kaya").write_text(
            "Protocol=ssh\nUserName=user\n"
            + (f"RekeyBytes={rekey_bytes}\n" if rekey_bytes else ""))
        super().__init__([
            "plink", "-load", "kaya", "-batch", "-N", "-i", own,
            "-P", kayad.port, "-hostkey", kayad.fingerprint,
            "-L", f"127.0.0.1:{self.port}:{TARGET[0]}:{TARGET[1]}",
            "127.0.0.1"], env=dict(os.environ, HOME=str(folder)))


class LibSSH(Forwarder):
    """A small program on libssh, tests/interop/libssh_forward.c."""

    def __init__(self, kayad, key, folder, rekey_bytes=None):
        self.port = free_port()
        program = BUILD / "tests/interop/libssh_forward"
        assert program.exists(), f"{program} is not built"
        super().__init__([program, "127.0.0.1", kayad.port, key, self.port,
                          *TARGET, rekey_bytes or 0])


class Script(Forwarder):
    """A library's client, in a program of its own."""

    interpreter, name = [PYTHON], None

    def __init__(self, kayad, key, folder, rekey_bytes=None):
        self.port = free_port()
        super().__init__([
            *self.interpreter, HERE / self.name, kayad.port, key, self.port,
            *TARGET, rekey_bytes or 0], env=self.environment())

    def environment(self):
        return None


class Paramiko(Script):
    """A CLOSE that comes while keys are exchanged locks paramiko 2.12 up.

    Its reader answers it, waits for the exchange to be over, and is the one
    who would read on: all messages go through one channel here.
    """

    name = "paramiko_forward.py"
    carry = staticmethod(roundtrip.go_round_in_one_connection)


class AsyncSSH(Script):
    name = "asyncssh_forward.py"


class NodeSSH2(Script):
    interpreter, name = ["node"], "node/ssh2_forward.js"

    def environment(self):
        return dict(os.environ, NODE_PATH=str(node_modules()))


CLIENTS = {
    "openssh": OpenSSH,
    "dropbear": Dropbear,
    "putty": PuTTY,
    "libssh": LibSSH,
    "paramiko": Paramiko,
    "asyncssh": AsyncSSH,
    "node-ssh2": NodeSSH2,
}
installing = threading.Lock()
out_of_reach = []  # why, once it was tried


def node_modules():
    """npm's packages, as the lock file has them, in the build folder."""
    folder = BUILD / "interop-node"
    lock = HERE / "node/package-lock.json"
    done = folder / "node_modules/installed"
    with installing:
        if done.exists() and done.read_text() == lock.read_text():
            return folder / "node_modules"
        if out_of_reach:
            pytest.skip(f"npm's packages are out of reach: {out_of_reach[0]}")
        if shutil.which("npm") is None:
            pytest.skip("npm is not installed")
        folder.mkdir(exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / "node" / name, folder)
        # Scripts of packages would only build faster ciphers.
        install = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--omit=optional", "--no-audit",
             "--no-fund"], cwd=folder, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=150)
        if install.returncode != 0:
            told = install.stderr.strip()
            found = re.search(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT"
                              r"|\w*CERT\w*", told)
            assert found, told
            out_of_reach.append(found.group())
            pytest.skip(f"npm's packages are out of reach: {found.group()}")
        done.write_text(lock.read_text())
        return folder / "node_modules"
