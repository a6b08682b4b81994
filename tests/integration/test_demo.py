"""make demo, as far as it is not installing and building."""

import pathlib
import socket
import subprocess
import tempfile

import pytest

from peers import ROOT

# Both want port 22883.
pytestmark = pytest.mark.xdist_group("demo")


@pytest.fixture
def folder(monkeypatch):
    """A short one: there will be UNIX sockets in it."""
    with tempfile.TemporaryDirectory(prefix="kaya-") as name:
        monkeypatch.setenv("TMPDIR", name)
        yield pathlib.Path(name)


def demo():
    return subprocess.run([ROOT / "tools/demo.py"], text=True, timeout=60,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)


def test_the_demo_shows_everything_and_leaves_nothing(folder):
    done = demo()
    assert done.returncode == 0, done.stdout
    for shown in ("a shell: refused", "a remote forward: refused",
                  "another target: refused", "healed by itself",
                  "published by mosquitto_pub and by kaya pub"):
        assert shown in done.stdout.partition("Shown")[2]
    assert list(folder.iterdir()) == []


def test_the_demo_takes_another_port_and_says_so(folder):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 22883))
        other.listen()
        done = demo()
    assert done.returncode == 0, done.stdout
    assert "Port 22883 is taken" in done.stdout
    assert "mosquitto_sub -h 127.0.0.1 -p 22884 " in done.stdout
