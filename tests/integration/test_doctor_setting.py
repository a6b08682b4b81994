"""kaya doctor for a device's way, asked at the server itself.

There it may ask sshd what keeps a key from going where its line lets it.
"""

import subprocess

import pytest

from machines import machine, needs_root  # noqa: F401

pytestmark = needs_root


@pytest.fixture
def served(machine):
    """sshd and mosquitto run, and one device is let in."""
    machine.admit()
    machine.start_sshd()
    machine.start_mosquitto()
    return machine


def as_device(machine):
    """What the doctor says of the device's way, asked from here."""
    host_key = subprocess.run(
        ["ssh-keygen", "-lf", machine.ssh / "host_key.pub"], check=True,
        capture_output=True, text=True).stdout.split()[1]
    return machine.doctor("-i", machine.folder / "device", "--host-key",
                          host_key, "-b", "127.0.0.1:1883",
                          "tunnel@127.0.0.1")


@pytest.mark.parametrize("first,last,says", [
    ("AllowTcpForwarding no\n", "", "AllowTcpForwarding no"),
    ("AllowTcpForwarding remote\n", "", "AllowTcpForwarding remote"),
    ("DisableForwarding yes\n", "", "DisableForwarding yes"),
    ("PermitOpen none\n", "", "PermitOpen none"),
    ("PermitOpen 127.0.0.1:8883 [::1]:8883\n", "",
     "PermitOpen 127.0.0.1:8883 [::1]:8883"),
    ("", "Match User tunnel\n  AllowTcpForwarding no\n",
     "AllowTcpForwarding no"),
    ("", "match address 127.0.0.0/8\n  PermitOpen 127.0.0.1:8883\n",
     "PermitOpen 127.0.0.1:8883"),
], ids=["no", "remote", "disabled", "none", "another", "match user",
        "match address"])
def test_a_setting_that_keeps_a_key_whose_line_lets_it(
        served, first, last, says):
    assert as_device(served).status == 0
    config = served.sshd_config
    config.write_text(first + config.read_text() + last)
    served.reload_sshd()
    wrong = as_device(served)
    assert (wrong.status, wrong.json["layer"], wrong.json["code"]) == (
        4, "forwarding", "server-prohibits"), wrong
    assert wrong.json["cause"].endswith(f"for tunnel: {says}"), wrong
    assert "line 1 of /home/tunnel/.ssh/authorized_keys" in \
        wrong.json["cause"]
    served.take(wrong.json["remedy"].removeprefix("at the server: "))
    assert as_device(served).status == 0
