"""A fleet by certificate: kayad with what ssh-keygen signs, and stock ssh."""

import datetime
import subprocess
import time

import pytest

import peers
from certificates import Authority
from peers import KAYAD, make_key, wait_until
from tunnels import Subscriber, Tunnel, publish, status


@pytest.fixture
def authority(kayad, tmp_path):
    """One whose certificates are let in."""
    made = Authority(tmp_path / "ca")
    made.let_in(kayad)
    return made


def as_user(name):
    return ["-l", name]


def refused(kayad, key, reason, *words):
    """Nobody is let in, and the log says why not."""
    with pytest.raises(AssertionError, match="Permission denied"):
        Tunnel(kayad, key, extra=words)
    kayad.wait_for_log(r"event=refuse .*cert-v01\S* .*why=.*" + reason)


def test_a_certificate_is_let_in_under_its_principal(tmp_path):
    with peers.Kayad(tmp_path, config="""
private_broker:
  extra_lines:
    - log_type all
""") as kayad:
        ca, key = Authority(tmp_path / "ca"), tmp_path / "key"
        make_key(key)
        ca.sign(key, "-z", "42", identity="pump 7 of plant 3")
        ca.let_in(kayad)
        with Tunnel(kayad, key) as tunnel:  # as the user "user"
            with Subscriber(tunnel.port, "t") as subscriber:
                publish(tunnel.port, "t", "x", "-u", "root", "-i", "client-9")
                subscriber.wait_for_log("(?m)^x$")
            told = status(kayad)["gateway"]["devices"][0]
        kayad.wait_for_log(r"as client-9 \(.*u'pump-7'")
        accepted = kayad.wait_for_log(r"event=accept .*")[0]
    public = subprocess.run(
        ["ssh-keygen", "-lf", f"{ca.path}.pub"], capture_output=True,
        text=True, check=True).stdout.split()[1]
    assert "identity=pump-7" in accepted
    assert f"authority={public} serial=42" in accepted
    assert 'key_id="pump 7 of plant 3"' in accepted
    assert told["identity"] == "pump-7"
    assert told["certificate"]["key_id"] == "pump 7 of plant 3"
    assert told["certificate"]["serial"] == 42
    assert told["certificate"]["authority"] == public
    assert told["certificate"]["valid_before"] > time.time()


@pytest.mark.parametrize("kind,bits,words", [
    ("ed25519", None, []), ("ecdsa", 256, []), ("ecdsa", 384, []),
    ("ecdsa", 521, []), ("rsa", 2048, []),
    ("rsa", 2048, ["-o", "PubkeyAcceptedAlgorithms="
                   "rsa-sha2-256-cert-v01@openssh.com"])])
def test_each_kind_of_key(kayad, authority, tmp_path, kind, bits, words):
    key = tmp_path / "key"
    make_key(key, kind, bits)
    authority.sign(key)
    with Tunnel(kayad, key, extra=words) as tunnel:
        publish(tunnel.port, "t", "x")


@pytest.mark.parametrize("kind,bits", [
    ("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521), ("rsa", 2048)])
def test_each_kind_of_authority(kayad, key, tmp_path, kind, bits):
    ca = Authority(tmp_path / "ca", kind, bits)
    ca.let_in(kayad)
    ca.sign(key)
    with Tunnel(kayad, key) as tunnel:
        publish(tunnel.port, "t", "x")


# ---- whose name ----

def test_of_several_principals_the_user_name_says_which(
        kayad, authority, key):
    authority.sign(key, names="ann,pump-7")
    with Tunnel(kayad, key, extra=as_user("ann")):
        kayad.wait_for_log("event=accept .*identity=ann ")
    with Tunnel(kayad, key, extra=as_user("pump-7")):
        kayad.wait_for_log("event=accept .*identity=pump-7 ")
    refused(kayad, key, "several principals, and the user name user is none")


def test_the_line_says_which_names_its_authority_gives(kayad, key, tmp_path):
    ca = Authority(tmp_path / "ca")
    ca.let_in(kayad, 'restrict,port-forwarding,principals="pump-7,pump-8"')
    ca.sign(key, names="root,pump-8")
    with Tunnel(kayad, key, extra=as_user("root")):
        kayad.wait_for_log("event=accept .*identity=pump-8 ")
    ca.sign(key, names="root")
    refused(kayad, key, "none of the line's principals", *as_user("root"))


@pytest.mark.parametrize("name", ["pump/7", "#", "ann@example.com"])
def test_what_cannot_be_a_name_is_refused(kayad, authority, key, name):
    authority.sign(key, names=name)
    refused(kayad, key, "cannot be an identity")


# ---- what is refused ----

@pytest.mark.parametrize("options,reason", [
    ({"valid": "-2h:-1h"}, "the certificate has expired"),
    ({"valid": "+1h:+2h"}, "the certificate is not valid yet"),
    ({"names": None}, "names no principal"),
    ({"words": ["-O", "critical:colour@example.com=red"]},
     "a critical option that is not known"),
    ({"words": ["-O", "source-address=192.0.2.0/24"]},
     "source-address does not hold this address"),
], ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "")
def test_a_certificate_that_lets_nobody_in(
        kayad, authority, key, options, reason):
    authority.sign(key, *options.pop("words", []), **options)
    refused(kayad, key, reason)


def test_a_certificate_of_a_host_is_no_users(kayad, authority, key):
    """ssh itself does not offer one: a peer that does is made of it."""
    paramiko = pytest.importorskip("paramiko")
    authority.sign(key, "-h")
    private = paramiko.Ed25519Key.from_private_key_file(str(key))
    private.load_certificate(str(key) + "-cert.pub")
    transport = paramiko.Transport(("127.0.0.1", kayad.port))
    try:
        transport.start_client(timeout=20)
        with pytest.raises(paramiko.AuthenticationException):
            transport.auth_publickey("pump-7", private)
    finally:
        transport.close()
    kayad.wait_for_log("event=refuse .*why=.*the certificate is not a user's")


def test_an_authority_that_no_line_names(kayad, authority, key, tmp_path):
    Authority(tmp_path / "other").sign(key)
    refused(kayad, key, "no cert-authority line")


def test_an_authority_that_signs_by_sha1(kayad, key, tmp_path):
    ca = Authority(tmp_path / "ca", "rsa", 2048)
    ca.let_in(kayad)
    ca.sign(key, "-t", "ssh-rsa")
    refused(kayad, key, "SHA-1", "-o", "CASignatureAlgorithms=+ssh-rsa")


def test_a_key_and_an_authority_do_not_stand_in_for_each_other(
        kayad, authority, key, tmp_path):
    """The authority's key is no device's, a device's key no authority."""
    with pytest.raises(AssertionError, match="Permission denied"):
        Tunnel(kayad, authority.path)
    kayad.wait_for_log("event=refuse .*no line has this key")
    other = Authority(tmp_path / "other")
    kayad.admit(other.public, "dan")
    other.sign(key)
    refused(kayad, key, "no cert-authority line")
    with Tunnel(kayad, other.path):
        kayad.wait_for_log("event=accept .*identity=dan ")


def test_a_name_for_all_certificates_is_a_fault(kayad, key, tmp_path):
    ca = Authority(tmp_path / "ca")
    ca.let_in(kayad, 'restrict,environment="KAYA_ID=fleet"')
    kayad.wait_for_log(r"keys event=void where=\S+ why=.*one name")
    ca.sign(key)
    refused(kayad, key, "no cert-authority line")
    tested = subprocess.run(
        [KAYAD, "-t", "--state", kayad.state], capture_output=True,
        text=True, timeout=30)
    assert "KAYA_ID on a cert-authority line" in tested.stderr


# ---- what holds for who is in ----

@pytest.mark.parametrize("option", [
    "force-command=/bin/false", "source-address=127.0.0.0/8,192.0.2.1/32"])
def test_options_that_let_in(kayad, authority, key, option):
    """A command is never run, so that none can be forced."""
    authority.sign(key, "-O", option)
    with Tunnel(kayad, key) as tunnel:
        publish(tunnel.port, "t", "x")


def test_a_certificate_without_forwarding_opens_nothing(
        kayad, authority, key):
    authority.sign(key, "-O", "no-port-forwarding")
    with Tunnel(kayad, key) as tunnel:
        publish(tunnel.port, "t", "x", check=False)
        tunnel.wait_for_log("administratively prohibited: .*"
                            "permit-port-forwarding")


@pytest.mark.parametrize("options,target,reason", [
    ("restrict", "127.0.0.1:1883", "allows no forwarding"),
    ('permitopen="127.0.0.1:8883"', "127.0.0.1:1883", "does not name"),
])
def test_the_lines_options_hold_for_its_certificates(
        kayad, key, tmp_path, options, target, reason):
    ca = Authority(tmp_path / "ca")
    ca.let_in(kayad, options)
    ca.sign(key)
    with Tunnel(kayad, key, target) as tunnel:
        publish(tunnel.port, "t", "x", check=False)
        tunnel.wait_for_log(f"administratively prohibited: .*{reason}")


def test_the_line_says_from_where(kayad, key, tmp_path):
    ca = Authority(tmp_path / "ca")
    ca.let_in(kayad, 'from="192.0.2.0/24"')
    ca.sign(key)
    refused(kayad, key, "from list does not hold 127.0.0.1")


def test_the_lines_role_is_that_of_its_certificates(tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text("roles:\n- {name: pump, publish: [\"plant/%i/#\"], "
                      "subscribe: [\"plant/%i/#\"]}\n")
    policy.chmod(0o644)
    with peers.Kayad(tmp_path, config=f"policy: {policy}\n") as kayad:
        ca, key = Authority(tmp_path / "ca"), tmp_path / "key"
        make_key(key)
        ca.sign(key)
        ca.let_in(kayad, 'environment="KAYA_ROLE=pump"')
        with Tunnel(kayad, key) as tunnel:
            with Subscriber(tunnel.port, "plant/pump-7/#") as subscriber:
                publish(tunnel.port, "plant/pump-8/load", "no", "-q", "1")
                publish(tunnel.port, "plant/pump-7/load", "yes", "-q", "1")
                subscriber.wait_for_log("(?m)^yes$")
                assert not subscriber.logged("(?m)^no$")


# ---- how it ends ----

def test_who_is_in_leaves_when_the_certificate_expires(kayad, authority, key):
    authority.sign(key, valid="-1m:+5s")
    with Tunnel(kayad, key) as tunnel:
        assert tunnel.wait(30) == 255
    kayad.wait_for_log("event=close .*let in any more: "
                       "the certificate has expired")
    refused(kayad, key, "the certificate has expired")


def test_who_is_in_leaves_when_the_line_expires(kayad, key):
    end = datetime.datetime.now(datetime.timezone.utc) \
        + datetime.timedelta(seconds=5)
    kayad.admit(key.with_suffix(".pub").read_text(), "dan",
                f'expiry-time="{end:%Y%m%d%H%M%S}Z"')
    with Tunnel(kayad, key) as tunnel:
        assert tunnel.wait(30) == 255
    kayad.wait_for_log("event=close .*let in any more: "
                       "the line's expiry-time was")


@pytest.mark.parametrize("line,reason", [
    ("", "no cert-authority line"),
    ('cert-authority,principals="pump-8" ', "none of the line's principals"),
    ('cert-authority,from="192.0.2.1" ', "from list"),
])
def test_who_is_in_leaves_when_the_line_lets_him_in_no_more(
        kayad, authority, key, line, reason):
    authority.sign(key)
    with Tunnel(kayad, key) as tunnel:
        kayad.authorized_keys.write_text(
            f"{line}{authority.public}\n" if line else "")
        assert tunnel.wait(20) == 255
    kayad.wait_for_log(f"event=close .*let in any more: .*{reason}")


def test_who_is_in_stays_where_a_reload_changes_nothing_for_him(
        kayad, authority, key, tmp_path):
    authority.sign(key, names="ann,pump-7")
    with Tunnel(kayad, key, extra=as_user("ann")) as tunnel:
        kayad.admit(make_key(tmp_path / "other"), "dan")
        publish(tunnel.port, "t", "x")
        assert tunnel.is_running()
        assert not kayad.logged("event=close")


def test_a_renewed_certificate_takes_over_from_the_one_before(
        kayad, authority, key):
    """It is the same key, under the same name."""
    authority.sign(key)
    with Tunnel(kayad, key):
        authority.sign(key, "-z", "2")
        with Tunnel(kayad, key):
            wait_until(lambda: status(kayad)["gateway"]["accepted"] == 2, "both are in")
            devices = status(kayad)["gateway"]["devices"]
            assert len(devices) == 2
            assert devices[0]["key"] == devices[1]["key"]
            assert {row["certificate"]["serial"] for row in devices} == {0, 2}


def test_a_certificate_is_not_let_in_by_a_code(kayad, authority, key):
    """Its key may be; the certificate has its own way in."""
    authority.sign(key)
    subprocess.run(
        ["ssh", "-F", "none", "-i", key, "-p", str(kayad.port),
         "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
         "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes",
         "-o", "PubkeyAcceptedAlgorithms=ssh-ed25519-cert-v01@openssh.com",
         "enroll@127.0.0.1"], capture_output=True, timeout=30,
        stdin=subprocess.DEVNULL)
    kayad.wait_for_log("event=refuse .*user=enroll .*only its key")
    assert not kayad.logged("event=enroll ")


def test_a_fleet_that_shows_its_keys_first_is_not_late(tmp_path):
    """As ssh does it: each connection begins with a key that is refused."""
    with peers.Kayad(tmp_path, config="limits: {refusals: 1}\n") as kayad:
        ca, key = Authority(tmp_path / "ca"), tmp_path / "key"
        make_key(key)
        ca.sign(key)
        ca.let_in(kayad)
        for _ in range(5):
            with Tunnel(kayad, key):
                pass
        assert kayad.logged("event=refuse .*no line has this key")
        assert not kayad.logged("told_after_ms")


def test_nobody_takes_the_client_id_of_who_is_in(kayad, authority, tmp_path):
    keys = {name: tmp_path / name for name in ("pump-7", "pump-8")}
    for name, key in keys.items():
        make_key(key)
        authority.sign(key, names=name)
    with Tunnel(kayad, keys["pump-8"]) as tunnel:
        with Tunnel(kayad, keys["pump-7"]) as other:
            for client_id in ("pump-7", "pump-7-a"):
                publish(other.port, "t", "x", "-i", client_id)
                thief = publish(tunnel.port, "t", "x", "-i", client_id,
                                check=False)
                assert thief.returncode != 0
            publish(tunnel.port, "t", "x", "-i", "pump-8")
        wait_until(lambda: publish(tunnel.port, "t", "x", "-i", "pump-7",
                                   check=False).returncode == 0,
                   "pump-7 has left")
