"""ssh-audit on kayad: nothing to fail, nothing to warn of that is ours."""

import shutil
import subprocess

import pytest

import peers
from peers import make_key

# Not ours to choose, each with its reason; everything else is a finding.
ALLOWED = {
    # Older versions do not know the sign of strict key exchange (the answer
    # to CVE-2023-48795), which is no algorithm at all.
    "(kex) kex-strict-s-v00@openssh.com -- [warn] unknown algorithm",
}


def findings(port):
    """The lines of all that it has against the server."""
    text = subprocess.run(
        ["ssh-audit", "-b", "-n", "-l", "warn", "-p", str(port), "127.0.0.1"],
        capture_output=True, text=True, timeout=60).stdout
    return [line for line in map(str.strip, text.splitlines())
            if ("[fail]" in line or "[warn]" in line)
            and " ".join(line.split()) not in ALLOWED]


@pytest.fixture
def rsa_kayad(tmp_path):
    host_keys = [tmp_path / "host_ed25519", tmp_path / "host_rsa"]
    make_key(host_keys[0])
    make_key(host_keys[1], "rsa", 3072)
    for path in host_keys:
        peers.give_away(path)
    listed = ", ".join(str(path) for path in host_keys)
    with peers.Kayad(tmp_path, config=f"host_keys: [{listed}]\n") as kayad:
        yield kayad


def need():
    if shutil.which("ssh-audit") is None:
        pytest.skip("ssh-audit is not installed")


def test_nothing_to_fail_and_nothing_to_warn_of(kayad):
    need()
    assert findings(kayad.port) == []


def test_nor_with_an_rsa_host_key(rsa_kayad):
    need()
    assert findings(rsa_kayad.port) == []


def test_it_would_have_told(sshd):
    """A stock sshd of Debian has findings: the check can fail."""
    need()
    assert findings(sshd.port) != []
