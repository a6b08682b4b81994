"""What kayad's log and kayad itself say of refusals and faults."""

import re
import subprocess

import pytest

import peers
import rawssh
from peers import free_port, make_key
from rawssh import Client, string, u8, u32
from tunnels import Tunnel, dan, publish, tunnel  # noqa: F401

CONNECT_5 = bytes.fromhex("100f00044d5154540502003c00000268 69")
CONNECT_311 = bytes.fromhex("101000044d5154540402003c000468696869")


@pytest.fixture
def login(kayad):
    """A connection that has shown its key."""
    key = rawssh.Key()
    kayad.admit(key.line(), "dan")
    with Client(kayad.port) as client:
        client.login(key)
        yield client


def ssh(kayad, key, *words):
    """A try to log in; what came of it."""
    return subprocess.run(
        ["ssh", "-F", "none", "-N", "-i", key, "-p", str(kayad.port),
         "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
         "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", *words,
         "user@127.0.0.1"], stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=30)


# ---- keys ----

def test_a_key_too_weak_is_refused_with_the_reason_in_the_log(kayad, tmp_path):
    make_key(tmp_path / "weak", "rsa", 1024)
    ssh(kayad, tmp_path / "weak", "-o", "RequiredRSASize=1024")
    kayad.wait_for_log(r"event=refuse .*from=127.0.0.1 port=\d+ "
                       r"offered=SHA256:\S+ algorithm=rsa-sha2-\d+ user=user "
                       r'why="an RSA key below 2,048 bits"')


def test_an_algorithm_that_is_not_served_is_named(kayad):
    key = rawssh.Key()
    with Client(kayad.port) as client:
        client.handshake()
        client.service()
        client.send(client.auth_request(
            key, proof=False, algorithm="ssh-rsa",
            blob=string("ssh-rsa") + string(b"\3") + string(b"\1" * 256)))
        client.expect(rawssh.USERAUTH_FAILURE)
    kayad.wait_for_log(r"event=refuse .*algorithm=ssh-rsa .*"
                       r"why=\"an algorithm that is not served")


def test_a_wrong_signature_is_logged_and_gives_no_identity(kayad):
    key, other = rawssh.Key(), rawssh.Key()
    kayad.admit(key.line(), "dan")
    with Client(kayad.port) as client:
        client.handshake()
        client.service()
        other.blob = key.blob
        client.send(client.auth_request(other))
        client.expect(rawssh.USERAUTH_FAILURE)
    kayad.wait_for_log(r"event=refuse .*offered=SHA256:\S+ .*"
                       r"why=\"the signature is not this key's\"")
    kayad.wait_for_log(r"event=close")
    assert "identity=dan" not in kayad.log()


# ---- channels ----

def test_a_channel_is_logged_with_who_asked_for_what(kayad, tunnel):
    publish(tunnel.port, "t", "x")
    who = r"from=127.0.0.1 port=\d+ identity=dan key=SHA256:\S+ "
    kayad.wait_for_log(r"event=channel-open session=\d+ " + who +
                       r"channel=0 target=127.0.0.1:1883 broker=private")
    kayad.wait_for_log(r"event=channel-close session=\d+ " + who +
                       r'channel=0 broker=private why="\S[^"]*" in=\d+ '
                       r"out=\d+ ms=\d+")


def test_a_channel_to_no_broker_is_logged_with_its_target(tmp_path, key):
    with peers.Kayad(tmp_path, arguments=[
            "--broker", f"127.0.0.1:{free_port()}"]) as kayad:
        kayad.admit(key.with_suffix(".pub").read_text(), "dan")
        with Tunnel(kayad, key) as tunnel:
            publish(tunnel.port, "t", "x", check=False)
        kayad.wait_for_log(r"event=channel-refuse .*identity=dan .*"
                           r"target=127.0.0.1:1883 why=\"no broker answers")


# ---- MQTT that breaks its standard ----

def answer_to(login, *parts, expected=b""):
    """What comes on a channel for these, before it is closed."""
    channel, _, _ = login.open()
    got = b""
    for part in parts:
        login.data(channel, part)
        if part in (CONNECT_311, CONNECT_5):
            got += login.read_data(4)
    while True:
        payload = login.expect(rawssh.DATA, rawssh.WINDOW_ADJUST,
                               rawssh.EOF, rawssh.CLOSE)
        if payload[0] == rawssh.CLOSE:
            login.send(u8(rawssh.CLOSE) + u32(channel))
            return got
        if payload[0] == rawssh.DATA:
            got += payload[9:]


def test_an_unknown_protocol_level_is_refused_by_connack(kayad, login):
    wrong = bytes.fromhex("101000044d5154540602003c000468696869")
    assert answer_to(login, wrong) == bytes.fromhex("20020001")
    kayad.wait_for_log(r"event=mqtt-fault .*identity=dan .*packet=CONNECT "
                       r"rule=MQTT-3.1.2-2 why=\"the protocol level")


def test_a_wrong_connect_of_5_0_is_refused_with_a_reason_code(kayad, login):
    wrong = bytes.fromhex("100f00044d5154540503003c0000026869")
    assert answer_to(login, wrong) == bytes.fromhex("2003008100")
    kayad.wait_for_log(r"event=mqtt-fault .*rule=MQTT-3.1.2-3 ")


def test_a_wrong_connect_of_3_1_1_that_has_no_code_is_closed(login):
    wrong = bytes.fromhex("101000044d5154540403003c000468696869")
    assert answer_to(login, wrong) == b""


def test_what_is_no_connect_is_closed_without_an_answer(login):
    assert answer_to(login, b"GET / HTTP/1.1\r\n") == b""


def test_a_wrong_packet_of_5_0_is_answered_by_disconnect(kayad, login):
    wrong = b"\x36\x06\0\1t\0\1\0"  # QoS 3
    answer = answer_to(login, CONNECT_5, wrong)
    at = answer.rindex(b"\xe0")
    assert answer[at + 2] == 0x81
    assert answer.endswith(b"the QoS is 3")
    kayad.wait_for_log(r"event=mqtt-fault .*direction=to-broker "
                       r"packet=PUBLISH rule=MQTT-3.3.1-4 ")


def test_before_5_0_a_wrong_packet_just_ends_the_channel(login):
    wrong = b"\x36\x05\0\1t\0\1"
    assert answer_to(login, CONNECT_311, wrong) == bytes.fromhex("20020000")


def test_what_stood_before_the_fault_reaches_the_broker(kayad, login):
    channel, _, _ = login.open(number=7)
    login.data(channel, CONNECT_311)
    login.read_data(4)
    login.data(channel, bytes.fromhex("820600010001") + b"t\0")
    login.read_data(5)
    good = b"\x30\x07\0\1thell"
    other = good + b"\x36\x05\0\1t\0\1"
    connect = CONNECT_311[:-4] + b"othr"
    second, _, _ = login.open(number=8)
    login.data(second, connect)
    login.read_data(4)
    login.data(second, other)
    got = login.expect(rawssh.DATA, rawssh.WINDOW_ADJUST, rawssh.EOF,
                       rawssh.CLOSE)
    seen = [got]
    while not any(p[0] == rawssh.DATA for p in seen):
        seen.append(login.expect(rawssh.DATA, rawssh.WINDOW_ADJUST,
                                 rawssh.EOF, rawssh.CLOSE))
    assert seen[-1].endswith(good)
    assert re.search("mqtt-fault", kayad.log())
