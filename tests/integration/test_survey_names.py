"""kaya survey where the name leads astray, or the key is not known."""

import json
import os

import pytest

from hosts import Names, needs_root
from peers import KAYA
from scenes import (  # noqa: F401
    DIRECT, HOST, NAMES, Stranger, drop, names, network, scene, start_portal)

pytestmark = needs_root


# ---- names ----

def test_a_name_that_does_not_exist_is_told(scene):
    said = scene.survey(host="nobody.example", status=3)
    assert said.said["code"] == "no-such-name"
    # As it says: by its address, where the name is not known.
    scene.knows("[10.2.0.2]:2222")
    assert scene.carries_by_address(said.finding("no-such-name"))


@pytest.fixture
def honest(scene):
    """Another resolver, at the server; nobody asks it yet."""
    with Names(scene.server, scene.client, *NAMES, address="10.2.0.2"):
        ask(scene, "10.1.0.1")
        yield scene


def ask(scene, address):
    scene.client.replace("/etc/resolv.conf", f"nameserver {address}\n"
                         "options timeout:1 attempts:1\n")


def ask_the_other(scene, finding):
    """Type the remedy that names another resolver."""
    scene.take(finding, r"echo 'nameserver [^(]*", {"RESOLVER": "10.2.0.2"})
    said = scene.survey("-p", "2222")
    assert said.codes == set()
    assert scene.carries(said.command)


def test_a_resolver_that_does_not_answer_is_told(honest):
    honest.router.nft("""table ip deaf { chain in {
        type filter hook input priority 0
        udp dport 53 drop
    }
    }""")
    said = honest.survey(status=3)
    assert said.said["code"] == "dns-silent"
    ask_the_other(honest, said.finding("dns-silent"))


def test_a_resolver_that_cannot_find_out_is_told(honest, names):
    """It refuses what it has nobody to ask for."""
    names.stop()
    with Names(honest.router, honest.client):
        said = honest.survey(status=3)
        assert said.said["code"] == "dns-silent"
        assert "cannot find out" in said.said["cause"]
        ask_the_other(honest, said.finding("dns-silent"))


@pytest.mark.parametrize("portal", ["tcp dport 80", None])
def test_a_resolver_that_lies_is_told(scene, names, portal):
    names.stop()
    with Names(scene.router, scene.client, "--address=/#/10.1.0.1"), \
            start_portal(scene, 80 if portal else 2222):
        said = scene.survey(status=3)
        lie = said.finding("dns-lies")
        assert lie["state"] == "fault"
        assert "10.1.0.1" in lie["seen"]
        # What its remedy says: the address that is known.
        scene.knows("[10.2.0.2]:2222")
        assert scene.carries_by_address(lie)


def test_a_wildcard_is_a_warning_where_the_host_key_is_right(scene, names):
    names.stop()
    with Names(scene.router, scene.client, "--address=/example/10.2.0.2"):
        said = scene.survey("-p", "2222")
        assert said.codes == {"dns-answers-all"}
        assert scene.carries(said.command)


def test_a_wildcard_that_nobody_meant_is_gone_with_its_resolver(honest, names):
    names.stop()
    with Names(honest.router, honest.client, "--address=/example/10.2.0.2"):
        said = honest.survey("-p", "2222")
        assert said.codes == {"dns-answers-all"}
        ask_the_other(honest, said.finding("dns-answers-all"))


def test_a_name_that_is_led_to_this_machine_is_told(honest, names):
    names.stop()
    with Names(honest.router, honest.client,
               "--host-record=broker.example,127.0.0.1"):
        said = honest.survey(status=3)
        assert "127.0.0.1" in said.finding("dns-bogus")["seen"]
        assert "the DNS of this network" in said.finding("dns-bogus")["cause"]
        ask_the_other(honest, said.finding("dns-bogus"))


def test_a_name_that_the_hosts_file_leads_to_this_machine_is_told(scene):
    scene.client.replace(
        "/etc/hosts", "127.0.0.1 localhost # not broker.example\n\n"
        "\t127.0.0.1 broker Broker.Example\n10.9.9.9 else.example\n")
    said = scene.survey(status=3)
    bogus = said.finding("dns-bogus")
    assert "line 3 of this machine's /etc/hosts" in bogus["cause"]
    scene.take(bogus, r"rest=.*")
    assert scene.client.run("cat", "/etc/hosts").stdout == (
        "127.0.0.1 localhost # not broker.example\n\n"
        "10.9.9.9 else.example\n")
    said = scene.survey("-p", "2222")
    assert said.codes == set()
    assert scene.carries(said.command)


def test_a_private_address_where_another_answers_is_told(scene, names):
    names.stop()
    with Names(scene.router, scene.client,
               "--host-record=broker.example,10.1.0.1",
               "--local=/example/"), Stranger(scene):
        scene.knows(f"[{HOST}]:2200", "[10.2.0.2]:2222")
        said = scene.survey("-p", "2200", "--ports", "2200", status=5)
        assert said.said["code"] == "host-key-changed"
        assert "10.1.0.1" in said.finding("dns-private")["seen"]
        assert scene.carries_by_address(said.finding("dns-private"))


# ---- the list of known hosts ----

def test_a_damaged_line_that_hides_the_key_is_taken_out(scene):
    """ssh passes over it; libssh reads nothing behind it."""
    good = scene.known_hosts.read_text()
    scene.known_hosts.write_text(
        f"else.example {scene.host_key}\n"
        f"[{HOST}]:2222 ssh-ed25519 AAAAC3NzaC1lZDI1\n{good}")
    said = scene.survey("-p", "2222", "--ports", "2222", status=5)
    assert said.said["code"] == "known-hosts"
    assert f"line 2 of {scene.known_hosts}" in said.said["cause"]
    scene.take(said.hosts_list(), r"sed [^;]*")
    assert scene.known_hosts.read_text() == (
        f"else.example {scene.host_key}\n{good}")
    said = scene.survey("-p", "2222", "--ports", "2222")
    assert said.codes == set()
    assert scene.carries(said.command)


def test_a_list_that_is_none_is_moved_away(scene):
    scene.known_hosts.unlink()
    scene.known_hosts.mkdir()
    said = scene.survey("-p", "2222", "--ports", "2222", status=5)
    assert said.said["code"] == "known-hosts"
    assert "Is a directory" in said.said["cause"]
    scene.take(said.hosts_list(), r"mv [^;]*")
    said = scene.survey("-p", "2222", "--ports", "2222")
    # Nobody is known any more: that is told, with the key to compare.
    assert said.codes == {"host-key-unknown"}
    assert scene.kayad.fingerprint in said.why
    assert scene.carries(said.command)


def test_a_list_that_its_owner_may_not_read_is_opened(scene):
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    os.chown(scene.known_hosts, 65534, 65534)
    scene.known_hosts.chmod(0)
    said = scene.survey("-p", "2222", "--ports", "2222", become=nobody,
                        status=5)
    assert said.said["code"] == "known-hosts"
    assert "Permission denied" in said.said["cause"]
    scene.take(said.hosts_list(), r"chmod [^;]*")
    said = scene.survey("-p", "2222", "--ports", "2222", become=nobody)
    assert said.codes == set()
