"""kaya survey where somebody stands between: portals, strangers, TLS."""

import json
import re
import shlex
import subprocess

import pytest

import peers
from hosts import needs_root
from peers import make_key
from scenes import (  # noqa: F401
    DIRECT, HOST, PORTAL, Said, Stranger, divert, drop, make_certificate,
    names, network, public_half, scene, serve_on, start_portal, undivert)

pytestmark = needs_root


# ---- whoever stands between ----

# To both families at once: one of them may lead nowhere.
BROWSER = r"""
import asyncio, sys

async def post(host):
    reader, writer = await asyncio.open_connection(
        host, 80, happy_eyeballs_delay=0.25)
    writer.write(b"POST / HTTP/1.0\r\nHost: %s\r\nContent-Length: 8\r\n\r\n"
                 b"x=secret" % host.encode())
    return (await reader.readline()).split()[1]

assert asyncio.run(asyncio.wait_for(post(sys.argv[1]), 30)) == b"204"
"""


def sign_in(scene, finding):
    """As a browser does, at the address that the remedy names."""
    host = re.search(r"http://(broker\.example)/", finding["remedy"]).group(1)
    scene.client.run("python3", "-c", BROWSER, host, env=DIRECT)


LOGIN = "<form action=/in><input name=x type=\"password\"></form>"


@pytest.mark.parametrize("what,status,body", [
    ("tcp dport 80", 302, ""), ("tcp dport 1-65535", 302, ""),
    ("tcp dport 80", 511, ""), ("tcp dport 80", 200, LOGIN)])
def test_a_captive_portal_is_told(scene, what, status, body):
    drop(scene, "meta l4proto tcp")
    divert(scene, what, "10.1.0.1:8080")
    with start_portal(scene, 8080, status, body):
        said = scene.survey(status=3)
        assert said.said["code"] == "captive-portal"
        assert said.way(80, "ipv4")["code"] == "http"
        if status == 302:
            assert said.way(80, "ipv4")["leads_to"] == \
                "http://portal.lan/login"
            assert "http://portal.lan/login" in said.said["remedy"]
        if what != "tcp dport 80":
            assert said.way(22, "ipv4")["code"] == "http"
        sign_in(scene, said.finding("captive-portal"))
        said = scene.survey()
        assert said.codes == set()
        assert scene.carries(said.command)


def test_a_web_server_of_the_hosts_own_is_no_portal(scene):
    with scene.server.start("python3", "-c", PORTAL.replace("10.1.0.1", ""),
                            "80", "200", "<html>pumps</html>"):
        scene.server.wait_for_port(80)
        said = scene.survey("-p", "2222")
        assert said.way(80, "ipv4")["code"] == "http"
        assert said.codes == set()


def test_a_web_server_that_leads_elsewhere_is_no_fault_where_ssh_passes(scene):
    with scene.server.start("python3", "-c", PORTAL.replace("10.1.0.1", ""),
                            "80", "302", ""):
        scene.server.wait_for_port(80)
        said = scene.survey("-p", "2222")
        assert said.codes == {"redirect"}
        assert said.finding("redirect")["state"] == "warning"
        assert scene.carries(said.command)


def test_ssh_that_somebody_intercepts_is_no_way(scene):
    drop(scene, "ip6 nexthdr tcp")
    divert(scene, "tcp dport 2222", "10.1.0.1:2200")
    with Stranger(scene) as stranger:
        said = scene.survey("--ports", "2222", status=5)
        assert said.said["code"] == "host-key-changed"
        assert said.way(2222, "ipv4")["host_key"] == stranger.fingerprint
        assert said.way(2222, "ipv4")["state"] == "fault"
        assert stranger.fingerprint in said.said["cause"]
        assert said.codes == {"host-key-changed", "dns-private"}
        # As it says: it is not the server's own, so from another network.
        assert stranger.fingerprint != scene.kayad.fingerprint
        assert "do not log in from this network" in said.said["remedy"]
        undivert(scene)
        said = scene.survey("--ports", "2222")
        assert said.codes == set()
        assert scene.carries(said.command)


def test_a_server_that_was_set_up_anew_is_learned_anew(scene):
    former = scene.folder / "former"
    make_key(former)
    scene.known_hosts.write_text(f"[{HOST}]:2222 {public_half(former)}\n")
    said = scene.survey("--ports", "2222", status=5)
    changed = [finding for finding in said.said["findings"]
               if finding["code"] == "host-key-changed"]
    # It is the server's own: compared, as it says.
    assert scene.kayad.fingerprint in changed[0]["seen"]
    said = scene.again(changed[0], before="ssh-keygen -f .* && ")
    assert said.codes == set()
    assert scene.carries(said.command)


def test_the_way_beside_the_intercepted_one_is_taken(scene):
    serve_on(scene, 443)
    drop(scene, "ip6 nexthdr tcp")
    divert(scene, "tcp dport 2222", "10.1.0.1:2200")
    with Stranger(scene) as stranger:
        said = scene.survey()
        assert said.codes == {"ssh-intercepted"}
        assert stranger.fingerprint in said.finding("ssh-intercepted")["seen"]
        assert f"-p 443 --host-key {scene.kayad.fingerprint}" in said.command
        assert "take the one below" in said.finding("ssh-intercepted")["remedy"]
        assert scene.carries(said.command)
        said = scene.survey("--ports", "443", "-p", "443", "--host-key",
                            scene.kayad.fingerprint)
        assert said.codes == set()


def test_where_one_address_is_intercepted_the_other_is_named(scene):
    divert(scene, "tcp dport 2222", "10.1.0.1:2200")
    with Stranger(scene):
        said = scene.survey("--ports", "2222", "-p", "2222")
        assert said.codes == {"ssh-intercepted"}
        assert said.command.endswith(" fd02::2") or \
            said.command.endswith(" [fd02::2]")
        assert scene.carries(said.command)


def test_a_demanded_host_key_counts_and_is_not_remembered(scene):
    scene.known_hosts.write_text("")
    said = scene.survey("-p", "2222", "--host-key", scene.kayad.fingerprint)
    assert said.way(2222, "ipv4")["host_key_is"] == "pinned"
    assert scene.known_hosts.read_text() == ""
    said = scene.survey("-p", "2222", "--host-key", "SHA256:" + 43 * "A",
                        status=5)
    assert said.said["code"] == "host-key-changed"
    assert scene.known_hosts.read_text() == ""


def test_a_host_key_that_nobody_knows_is_to_be_compared(scene):
    scene.known_hosts.write_text("")
    said = scene.survey("-p", "2222")
    assert said.codes == {"host-key-unknown"}
    assert f"compare {scene.kayad.fingerprint}" in said.why
    assert scene.known_hosts.read_text() == ""
    assert scene.carries(said.command)


def test_two_unknown_keys_on_one_port_are_suspicious(scene):
    scene.known_hosts.write_text("")
    divert(scene, "tcp dport 2222", "10.1.0.1:2200")
    with Stranger(scene):
        said = scene.survey("-p", "2222")
        assert "host-key-differs" in said.codes
        # As it says: name the server's own, once compared.
        said = scene.again(said.finding("host-key-differs"), {
            "SHA256:...": scene.kayad.fingerprint})
        assert said.way(2222, "ipv6")["state"] == "way"
        assert said.way(2222, "ipv4")["state"] == "fault"
        assert scene.carries(said.command)


# ---- TLS ----

def pin_of(folder, name):
    """Of the public key, as RFC 7469 has it."""
    done = subprocess.run(
        f"openssl x509 -in {folder}/{name}.crt -pubkey -noout | "
        "openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | "
        "base64", shell=True, capture_output=True, text=True, check=True)
    return "SHA256:" + done.stdout.strip().rstrip("=")


class SecureBroker(peers.Process):
    """mosquitto with a TLS listener on 8883."""

    def __init__(self, host, folder, name, address="0.0.0.0"):
        peers.let_through(folder)
        config = folder / f"{name}.conf"
        config.write_text(
            f"listener 8883 {address}\nallow_anonymous true\n"
            f"certfile {folder}/{name}.crt\nkeyfile {folder}/{name}.key\n"
            "log_dest stderr\n")
        super().__init__([*host.prefix, peers.find("mosquitto"), "-c",
                          str(config)])
        try:
            host.wait_for_port(8883)
        except BaseException:
            self.stop()
            raise


def test_a_certificate_that_cannot_be_checked_can_be_pinned(scene):
    make_certificate(scene.folder, "own")
    with SecureBroker(scene.server, scene.folder, "own"):
        said = scene.survey("-p", "2222")
        assert said.codes == {"tls-not-valid"}
        way = said.way(8883, "ipv4")
        assert (way["code"], way["state"]) == ("tls", "open")
        assert way["tls_pin"] == pin_of(scene.folder, "own")
        said = scene.again(said.finding("tls-not-valid"))
        assert said.way(8883, "ipv4")["certificate_is"] == "pinned"
        assert said.codes == set()


def test_a_certificate_of_a_known_authority_is_valid(scene):
    make_certificate(scene.folder, "own")
    with SecureBroker(scene.server, scene.folder, "own"):
        said = scene.survey("-p", "2222", env={
            "SSL_CERT_FILE": str(scene.folder / "own.crt")})
        assert said.way(8883, "ipv4")["certificate_is"] == "valid"
        assert said.codes == set()
    make_certificate(scene.folder, "else", "other.example")
    with SecureBroker(scene.server, scene.folder, "else"):
        said = scene.survey("-p", "2222", env={
            "SSL_CERT_FILE": str(scene.folder / "else.crt")})
        assert "mismatch" in said.finding("tls-not-valid")["seen"]


def test_tls_that_somebody_intercepts_is_told(scene):
    drop(scene, "ip6 nexthdr tcp")
    make_certificate(scene.folder, "own")
    make_certificate(scene.folder, "strange")
    divert(scene, "tcp dport 8883", "10.1.0.1:8883")
    with SecureBroker(scene.server, scene.folder, "own"), \
            SecureBroker(scene.router, scene.folder, "strange"):
        pin = pin_of(scene.folder, "own")
        said = scene.survey("-p", "2222", "--tls-pin", pin)
        assert said.codes == {"tls-intercepted"}
        assert said.way(8883, "ipv4")["state"] == "fault"
        assert pin_of(scene.folder, "strange") in \
            said.finding("tls-intercepted")["seen"]
        said = scene.survey("--ports", "8883", "--tls-pin", pin, status=5)
        assert said.said["code"] == "tls-intercepted"
        assert "do not use TLS from this network" in said.said["remedy"]
        undivert(scene)
        said = scene.survey("-p", "2222", "--tls-pin", pin)
        assert said.codes == set()
        assert said.way(8883, "ipv4")["certificate_is"] == "pinned"


def test_a_certificate_that_was_renewed_is_pinned_anew(scene):
    make_certificate(scene.folder, "former")
    make_certificate(scene.folder, "own")
    with SecureBroker(scene.server, scene.folder, "own"):
        said = scene.survey("-p", "2222", "--tls-pin",
                            pin_of(scene.folder, "former"))
        assert said.codes == {"tls-intercepted"}
        said = scene.again(said.finding("tls-intercepted"))
        assert said.codes == set()
        assert said.way(8883, "ipv4")["certificate_is"] == "pinned"


def test_a_broker_without_ssh_is_no_way(scene):
    config = scene.folder / "open.conf"
    config.write_text("listener 1883\nallow_anonymous true\n")
    peers.let_through(scene.folder)
    with scene.server.start("mosquitto", "-c", str(config)):
        scene.server.wait_for_port(1883)
        said = scene.survey("--ports", "1883", status=3)
        assert said.said["code"] == "no-ssh"
        assert {way["code"] for way in said.ways(1883)} == {"mqtt"}
