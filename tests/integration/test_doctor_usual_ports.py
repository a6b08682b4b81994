"""kaya doctor -- ssh ...: corrected commands with the ports that people use.

22883 here and 1883 at the server are free in a network of its own: there the
command stands as it is printed, and is typed so.
"""

import pathlib
import re
import shutil
import subprocess

import pytest

import peers
from commands import Diagnosis
from devices import KAYA, home  # noqa: F401
from networks import network  # noqa: F401
from patients import Place

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


@pytest.fixture
def place(tmp_path, home, network):
    with Place(tmp_path, home, network) as place:
        yield place


def words(place, *more, host="root@broker.test"):
    """A command with nothing wrong, but for what is left out."""
    return ["ssh", "-F", place.doctor.config, "-i", place.key, "-o",
            "ExitOnForwardFailure=yes", "-o", "ServerAliveInterval=30", "-N",
            *more, host]


def examine(place, command, program=KAYA, become=()):
    return Diagnosis(subprocess.run(
        [*place.network.device.prefix, *become, program, "doctor", "--json",
         "--", *map(str, command)], capture_output=True, text=True,
        timeout=60, stdin=subprocess.DEVNULL))


def carries(place, command):
    """Typed, it makes a tunnel that a message goes through."""
    device = place.network.device
    with peers.Process([*device.prefix, "sh", "-c", f"exec {command}"]) as ssh:
        peers.wait_until(
            lambda: not ssh.is_running() or
            f"pid={ssh.pid}," in device.run("ss", "-Hltnp", "sport = :22883"),
            "ssh listens or ends")
        assert ssh.is_running(), (command, ssh.log())
        return subprocess.run(
            [*device.prefix, "mosquitto_pub", "-h", "127.0.0.1", "-p",
             "22883", "-t", "t", "-m", "m", "-q", "1"],
            timeout=30).returncode == 0


def corrected(wrong):
    """The line that was said last, as text."""
    return [row["seen"] for row in wrong.findings
            if row["code"] == "corrected"][-1]


@pytest.mark.parametrize("code,more", [
    ("no-forward", ()),
    ("option-as-argument", ("-L", "-N")),
    ("ports-swapped", ("-L", "1883:127.0.0.1:22883")),
    ("l-was-meant", ("-R", "22883:localhost:1883")),
])
def test_the_corrected_command_works_as_it_is_printed(place, code, more):
    command = words(place, *more)
    if more[-1:] == ("-N",):
        command.remove("-N")
    wrong = examine(place, command)
    assert code in wrong.codes, wrong
    assert carries(place, corrected(wrong))


def test_a_server_called_by_its_outer_name(place):
    """Perhaps the broker listens there: only the remedy changes it."""
    given = ("-L", "22883:broker.test:1883")
    wrong = examine(place, words(place, *given))
    remedy = wrong.find("outer-name")["remedy"]
    assert not carries(place, corrected(wrong))
    better = re.match(r"-L (\S+)", remedy).group(1)
    assert carries(place, corrected(wrong).replace(given[1], better))


def test_the_port_of_an_ordinary_user_is_another(place):
    """Not below 1024: it is one that root may use, too."""
    peers.let_through(place.doctor.config.parent)
    folder = pathlib.Path("/tmp") / f"kaya-user-{place.tmp_path.name}"
    folder.mkdir(mode=0o755)
    try:
        shutil.copy(KAYA, folder)
        wrong = examine(place, words(place, "-L", "883:127.0.0.1:1883"),
                        folder / "kaya", NOBODY)
    finally:
        shutil.rmtree(folder)
    assert "may not listen on 883" in wrong.find("port-of-root")["seen"]
    assert carries(place, corrected(wrong))
