"""kaya tunnel -> each SSH server: 1 MiB at QoS 0, 1 and 2, keys changing."""

import re

import pytest

import roundtrip
from devices import Server, Tunnel, home  # noqa: F401
from peers import wait_until

SMALL = ["-o", "RekeyLimit=256K"]


def carry(server, folder, *words):
    with Tunnel(server, *words) as tunnel:
        roundtrip.go_round_at_each_qos(tunnel.port, folder)
    return tunnel


def test_kayad_that_asks_for_new_keys(tmp_path, home):  # noqa: F811
    with Server("kayad", tmp_path, home,
                kayad="rekey: {bytes: 256KiB}\n") as server:
        carry(server, tmp_path)
        assert roundtrip.key_exchanges(server.server) > 6


def test_kayad_when_kaya_asks_for_new_keys(tmp_path, home):  # noqa: F811
    with Server("kayad", tmp_path, home) as server:
        carry(server, tmp_path, *SMALL)
        assert roundtrip.key_exchanges(server.server) > 3


@pytest.mark.parametrize("lines,words", [
    ("RekeyLimit 256K\nLogLevel DEBUG1", []), ("LogLevel DEBUG1", SMALL),
], ids=["the server asks", "kaya asks"])
def test_sshd(lines, words, tmp_path, home):  # noqa: F811
    with Server("sshd", tmp_path, home, sshd_lines=lines) as server:
        carry(server, tmp_path, *words)
        exchanges = len(re.findall("SSH2_MSG_NEWKEYS received",
                                   server.server.log()))
        assert exchanges > 3


def test_dropbear(tmp_path, home):  # noqa: F811
    """Its own limit is compiled in: kaya asks, libssh's log tells."""
    with Server("dropbear", tmp_path, home) as server:
        tunnel = carry(server, tmp_path, *SMALL, "-o", "LogLevel=DEBUG3")
        wait_until(lambda: len(re.findall(
            "Received SSH_MSG_NEWKEYS", tunnel.log())) > 3,
            "new keys were exchanged")
