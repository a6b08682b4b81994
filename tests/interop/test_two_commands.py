"""What people type today, letter by letter, with kayad where sshd was.

    ssh -f -N -L 22883:127.0.0.1:1883 user@broker        (with -p 2222)
    mosquitto_sub -h 127.0.0.1 -p 22883 -u dan -P password -t 'test/#'

In a network of the test's own, where the ports are free and `broker` is a name
that leads to the gateway.
"""

import os
import pathlib
import subprocess
import sys

import pytest

import peers
from peers import BUILD, ROOT, make_key

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="a network of its own needs root")

SCENE = r"""
set -eu
ip link set lo up
printf '127.0.0.1 localhost broker\n::1 localhost\n' >"$FOLDER/hosts"
mount --bind "$FOLDER/hosts" /etc/hosts
mount -t tmpfs tmpfs "$HOMES"
mkdir -m 700 "$HOMES/.ssh"
cp "$FOLDER/key" "$HOMES/.ssh/id_ed25519"
chmod 600 "$HOMES/.ssh/id_ed25519"
exec /usr/bin/python3 "$SCRIPT" inside "$BROKER"
"""


@pytest.mark.parametrize("broker", ["private", "own"])
def test_they_work_letter_by_letter(broker, tmp_path):
    make_key(tmp_path / "key")
    home = os.path.expanduser("~")  # ssh asks the password file, not HOME
    done = subprocess.run(
        ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child",
         "--mount-proc", "bash", "-c", SCENE],
        env=dict(os.environ, FOLDER=str(tmp_path), HOMES=home, BROKER=broker,
                 SCRIPT=__file__, KAYA_BUILD=str(BUILD),
                 PYTHONPATH=str(ROOT / "tests/lib")),
        cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=90)
    assert done.returncode == 0, done.stdout


def shell(line):
    """A line as it is typed; where it goes to the background, not for ever."""
    print("$", line, flush=True)
    return subprocess.run(["bash", "-c", line], stdin=subprocess.DEVNULL,
                          timeout=60).returncode


def inside(broker):
    """In the network of our own."""
    folder = pathlib.Path(os.environ["FOLDER"])
    arguments = ["--listen", "2222"]
    if broker == "own":
        own = peers.Mosquitto(folder / "b", {"dan": "password"})
        arguments += ["--broker", f"127.0.0.1:{own.port}"]
    kayad = peers.Kayad(folder, arguments=arguments)
    kayad.admit((folder / "key.pub").read_text(), "pump-7")
    known = pathlib.Path(os.path.expanduser("~root/.ssh/known_hosts"))
    known.write_text(subprocess.run(
        ["ssh-keyscan", "-p", "2222", "-t", "ed25519", "broker"],
        capture_output=True, text=True, check=True).stdout)
    assert shell("ssh -f -N -L 22883:127.0.0.1:1883 user@broker -p 2222") == 0
    line = "mosquitto_sub -h 127.0.0.1 -p 22883 -u dan -P password -t 'test/#'"
    print("$", line, flush=True)
    with peers.Process(["bash", "-c", "exec " + line]) as subscriber:
        def heard():
            sent = shell("mosquitto_pub -h 127.0.0.1 -p 22883 -u dan "
                         "-P password -q 1 -t test/load -m 0.42")
            assert sent == 0
            return "0.42" in subscriber.log()
        peers.wait_until(heard, "the message comes")
    wrong = shell("mosquitto_pub -h 127.0.0.1 -p 22883 -u dan -P wrong "
                  "-t test/load -m 0.42")
    # A private broker knows the key alone; one's own knows the password.
    assert (wrong != 0) == (broker == "own")
    assert "identity=pump-7" in kayad.log()


if __name__ == "__main__":
    inside(sys.argv[2])
