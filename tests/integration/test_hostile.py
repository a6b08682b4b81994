"""Hostile peers against a real kayad: the right end, one line in the log,
nobody else disturbed."""

import re
import time

import pytest

import peers
import rawssh
from rawssh import (Client, Disconnected, Gone, Key, Reader, string, u8, u32)

MQTT_CONNECT = bytes.fromhex("101000044d5154540402003c000468696869")
MQTT_CONNACK = bytes.fromhex("20020000")


@pytest.fixture
def key(kayad):
    """A key that the gateway lets in."""
    key = Key()
    kayad.admit(key.line(), "dan")
    return key


@pytest.fixture
def login(kayad, key):
    """A connection that has shown its key."""
    client = Client(kayad.port)
    client.login(key)
    yield client
    client.socket.close()


@pytest.fixture(scope="module")
def the_gateway(tmp_path_factory):
    with peers.Kayad(tmp_path_factory.mktemp("gateway")) as gateway:
        gateway.first = gateway.children()
        yield gateway
        assert gateway.children() == gateway.first, gateway.log()


@pytest.fixture
def gateway(the_gateway):
    """One for all who are never let in: they leave nothing in it.

    Each of them meets the processes that the first one met.
    """
    yield the_gateway
    assert the_gateway.children() == the_gateway.first, the_gateway.log()


def expect_disconnect(client, code):
    said = client.end()
    assert said is not None, "closed without DISCONNECT"
    assert said.code == code, said
    return said


def expect_served(kayad, key):
    """The gateway still serves others."""
    with Client(kayad.port) as client:
        client.login(key)
        channel, _, _ = client.open()
        client.data(channel, MQTT_CONNECT)
        assert client.read_data(4) == MQTT_CONNACK


# ---- versions ----

@pytest.mark.parametrize("line", [
    b"SSH-1.5-old\r\n", b"GET / HTTP/1.1\r\n", b"\r\n", b"SSH-2.0\r\n",
    b"SSH-3.0-new\r\n", b"\0" * 40 + b"\r\n", b"SSH-2.0-" + b"x" * 300 + b"\r\n",
    b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04hihi\r\n",
])
def test_a_wrong_version_ends_the_connection(kayad, key, line):
    with Client(kayad.port) as client:
        client.version(line)
        expect_closed(client)
    expect_served(kayad, key)


def expect_closed(client):
    """The end, whether or not a DISCONNECT can be read before it."""
    deadline = time.monotonic() + 15
    client.socket.settimeout(15)
    while time.monotonic() < deadline:
        try:
            if not client.socket.recv(65536):
                return
        except ConnectionError:
            return
    raise AssertionError("the server did not close")


@pytest.mark.parametrize("line", [b"SSH-1.99-both\r\n", b"SSH-2.0-x\n",
                                  b"SSH-2.0-with comment and more\r\n"])
def test_an_unusual_but_right_version_is_served(kayad, key, line):
    with Client(kayad.port) as client:
        client.our_version = line.rstrip(b"\r\n")
        client.version(line)
        client.send_kexinit()
        client.exchange()
        client.service()


# ---- every message in every wrong state ----

KEX_STATE = {
    # what may come without ending the connection before the first NEWKEYS,
    # under strict key exchange, when KEXINIT is due
    rawssh.KEXINIT, rawssh.DISCONNECT,
}


@pytest.mark.parametrize("number", range(1, 256))
def test_under_strict_kex_nothing_but_kexinit_comes_first(gateway, number):
    if number in KEX_STATE:
        return
    with Client(gateway.port) as client:
        client.version()
        client.send(u8(number) + b"\0" * 16)
        client.receive_kexinit()
        # Whether the exchange is strict is known from the client's KEXINIT:
        # then, at the latest, the stray message is fatal.
        try:
            client.send_kexinit()
        except ConnectionError:
            pass
        expect_closed(client)


@pytest.mark.parametrize("number", [n for n in range(1, 256) if n not in (
    rawssh.DISCONNECT, rawssh.ECDH_INIT)])
def test_under_strict_kex_nothing_comes_between(gateway, number):
    with Client(gateway.port) as client:
        client.version()
        client.send_kexinit()
        client.receive_kexinit()
        client.send(u8(number) + b"\0" * 16)
        said = client.end()
        assert said is not None and said.code in (
            rawssh.PROTOCOL_ERROR, rawssh.KEY_EXCHANGE_FAILED), said


BEFORE_AUTH = [n for n in range(1, 256) if n not in (
    rawssh.DISCONNECT, rawssh.IGNORE, rawssh.DEBUG, rawssh.UNIMPLEMENTED,
    rawssh.EXT_INFO, rawssh.KEXINIT, rawssh.SERVICE_REQUEST)]
KNOWN = {6, 20, 21, 30, 31, 50, 51, 52, 53, 60, 80, 81, 82, 90, 91, 92, 93, 94,
         95, 96, 97, 98, 99, 100}


def test_before_authentication_unknown_numbers_are_unimplemented(kayad):
    with Client(kayad.port) as client:
        client.handshake()
        for number in BEFORE_AUTH:
            if number in KNOWN or number in range(30, 50) \
                    or number in range(60, 80):
                continue
            client.send(u8(number) + b"rest")
            reader = Reader(client.expect(rawssh.UNIMPLEMENTED)[1:])
            assert reader.u32() == client.out.sequence - 1


@pytest.mark.parametrize("number", sorted(
    KNOWN - {rawssh.KEXINIT, rawssh.EXT_INFO}))
def test_before_the_service_known_messages_end_it(gateway, number):
    with Client(gateway.port) as client:
        client.handshake()
        client.send(u8(number) + b"\0" * 32)
        expect_disconnect(client, rawssh.PROTOCOL_ERROR)


@pytest.mark.parametrize("number", range(90, 101))
def test_channels_before_authentication_end_it(gateway, number):
    with Client(gateway.port) as client:
        client.handshake()
        client.service()
        client.send(u8(number) + b"\0" * 64)
        expect_disconnect(client, rawssh.PROTOCOL_ERROR)


@pytest.mark.parametrize("number", [6, 21, 30, 31, 91, 92, 94, 95, 96])
def test_after_authentication_messages_out_of_place_end_it(login, number):
    login.send(u8(number) + u32(77) + string("x"))
    expect_disconnect(login, rawssh.PROTOCOL_ERROR)


# ---- sizes ----

@pytest.mark.parametrize("head", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x00",
                                  b"\x00\x01\x00\x00", b"\x00\x00\x00\x05",
                                  b"\x80\x00\x00\x10"])
def test_a_packet_of_impossible_length_ends_it(kayad, key, head):
    with Client(kayad.port) as client:
        client.version()
        client.receive_kexinit()
        client.send_bytes(head + b"\0" * 64)
        expect_disconnect(client, rawssh.PROTOCOL_ERROR)
    with Client(kayad.port) as client:
        client.handshake()
        client.send_bytes(head + b"\0" * 64)
        said = client.end()
        assert said is not None and said.code in (
            rawssh.PROTOCOL_ERROR, rawssh.MAC_ERROR)
    expect_served(kayad, key)


@pytest.mark.parametrize("payload", [
    u8(rawssh.CHANNEL_OPEN) + u32(0xffffffff),
    u8(rawssh.CHANNEL_OPEN) + string("direct-tcpip") + u32(0),
    u8(rawssh.CHANNEL_OPEN) + string("direct-tcpip") + u32(0) + u32(9)
    + u32(9) + u32(0x7fffffff) + b"x",
    u8(rawssh.GLOBAL_REQUEST) + u32(2**31),
    u8(rawssh.CHANNEL_REQUEST) + u32(0) + u32(2**32 - 1),
])
def test_a_string_longer_than_its_packet_ends_it(login, payload):
    login.send(payload)
    expect_disconnect(login, rawssh.PROTOCOL_ERROR)


def test_a_target_of_any_length_is_refused_in_words(login):
    for host in ("", "x" * 3000, "\x1b[31mred\n", "127.0.0.1\0evil"):
        login.send(login.open_request(host=host))
        reader = Reader(login.expect(rawssh.OPEN_FAILURE)[1:])
        reader.u32()
        assert reader.u32() == 1
        assert b"127.0.0.1:1883" in reader.string()


def test_more_than_the_window_ends_it(login):
    channel, window, packet = login.open()
    sent = 0
    try:
        while sent <= window:
            login.data(channel, b"\x30" * min(packet, 16384))
            sent += 16384
    except ConnectionError:
        pass
    said = login.end()
    assert said is None or said.code == rawssh.PROTOCOL_ERROR


def test_a_window_of_no_bytes_and_a_packet_of_one_are_kept_to(login):
    channel, _, _ = login.open(window=0, packet=1)
    login.data(channel, MQTT_CONNECT)
    login.send(u8(200))
    assert login.expect(rawssh.UNIMPLEMENTED, rawssh.DATA)[0] == \
        rawssh.UNIMPLEMENTED
    got = b""
    for _ in range(4):
        login.send(u8(rawssh.WINDOW_ADJUST) + u32(channel) + u32(1))
        reader = Reader(login.expect(rawssh.DATA)[1:])
        reader.u32()
        part = reader.string()
        assert len(part) == 1
        got += part
    assert got == MQTT_CONNACK


def test_a_window_past_two_to_the_32_ends_it(login):
    channel, _, _ = login.open(window=2**32 - 1)
    login.send(u8(rawssh.WINDOW_ADJUST) + u32(channel) + u32(1))
    expect_disconnect(login, rawssh.PROTOCOL_ERROR)


def test_channels_are_limited_and_their_numbers_used_again(login):
    channels = []
    for number in range(1000):
        login.send(login.open_request(number=number))
        payload = login.expect(rawssh.OPEN_CONFIRMATION, rawssh.OPEN_FAILURE)
        reader = Reader(payload[1:])
        reader.u32()
        if payload[0] == rawssh.OPEN_FAILURE:
            assert reader.u32() == 4  # resource shortage
            break
        channels.append(reader.u32())
    else:
        raise AssertionError("1,000 channels in one connection")
    assert len(set(channels)) == len(channels)
    for channel in channels:
        login.send(u8(rawssh.CLOSE) + u32(channel))
        login.expect(rawssh.CLOSE)
    channel, _, _ = login.open()
    assert channel in channels
    login.data(channel, MQTT_CONNECT)
    assert login.read_data(4) == MQTT_CONNACK


# ---- cut off ----

def test_cut_off_at_every_byte_of_the_handshake(kayad, key):
    with Client(kayad.port) as client:
        client.handshake()
    first = b"SSH-2.0-rawssh\r\n"
    with Client(kayad.port) as client:
        client.version()
        client.our_kexinit = rawssh.kexinit()
        stream = first + client.packet(client.our_kexinit)
    for cut in range(0, len(stream), 7):
        with Client(kayad.port) as client:
            client.send_bytes(stream[:cut])
    expect_served(kayad, key)


# ---- keys ----

def test_a_key_that_no_line_has_is_refused(kayad):
    with Client(kayad.port) as client:
        client.handshake()
        client.service()
        client.send(client.auth_request(Key()))
        client.expect(rawssh.USERAUTH_FAILURE)


def test_a_signature_of_another_key_is_refused(kayad, key):
    with Client(kayad.port) as client:
        client.handshake()
        client.service()
        client.send(client.auth_request(Key(), blob=key.blob))
        client.expect(rawssh.USERAUTH_FAILURE)


def test_a_signature_over_another_session_is_refused(kayad, key):
    with Client(kayad.port) as first, Client(kayad.port) as client:
        first.handshake()
        client.handshake()
        client.service()
        client.send(client.auth_request(key, session_id=first.session_id))
        client.expect(rawssh.USERAUTH_FAILURE)


def test_a_flipped_bit_anywhere_in_the_proof_is_refused(kayad, key):
    for byte in range(-60, 0, 13):
        with Client(kayad.port) as client:
            client.handshake()
            client.service()
            request = bytearray(client.auth_request(key))
            request[byte] ^= 1
            client.send(bytes(request))
            client.expect(rawssh.USERAUTH_FAILURE)


def test_guessing_ends_after_a_few_tries(kayad):
    with Client(kayad.port) as client:
        client.handshake()
        client.service()
        with pytest.raises((Disconnected, Gone)) as caught:
            for _ in range(50):
                client.send(client.auth_request(Key()))
                client.expect(rawssh.USERAUTH_FAILURE)
        assert caught.value.code == rawssh.NO_MORE_AUTH_METHODS


@pytest.mark.parametrize("method", ["none", "password", "hostbased",
                                    "keyboard-interactive", "gssapi", ""])
def test_no_other_method_lets_anybody_in(kayad, method):
    with Client(kayad.port) as client:
        client.handshake()
        client.service()
        client.send(u8(rawssh.USERAUTH_REQUEST) + string("dan")
                    + string("ssh-connection") + string(method)
                    + u8(0) + string("secret"))
        reader = Reader(client.expect(rawssh.USERAUTH_FAILURE)[1:])
        assert reader.string() == b"publickey"


# ---- tampering ----

def test_a_replayed_packet_ends_it(login):
    packet = login.packet(u8(rawssh.IGNORE) + string("x"))
    login.send_bytes(packet)
    login.send_bytes(packet)
    said = login.end()
    assert said is not None and said.code == rawssh.MAC_ERROR


@pytest.mark.parametrize("byte", [4, 10, -1])
def test_a_changed_packet_ends_it(login, byte):
    packet = bytearray(login.packet(u8(rawssh.IGNORE) + string("hello")))
    packet[byte] ^= 0x40
    login.send_bytes(bytes(packet))
    expect_disconnect(login, rawssh.MAC_ERROR)


def test_plain_text_after_the_keys_are_in_force_ends_it(login):
    login.send_bytes(b"\0\0\0\x0c\x0a\x02\0\0\0\0" + b"\0" * 64)
    said = login.end()
    assert said is not None and said.code in (
        rawssh.MAC_ERROR, rawssh.PROTOCOL_ERROR)


# ---- nothing but MQTT ----

@pytest.mark.parametrize("kind", ["session", "x11", "forwarded-tcpip",
                                  "direct-streamlocal@openssh.com",
                                  "auth-agent@openssh.com", "tun@openssh.com",
                                  ""])
def test_no_other_channel_is_opened(login, kind):
    login.send(u8(rawssh.CHANNEL_OPEN) + string(kind) + u32(0) + u32(9999)
               + u32(9999) + string("/bin/sh") + string("") + u32(0))
    reader = Reader(login.expect(rawssh.OPEN_FAILURE)[1:])
    reader.u32()
    assert reader.u32() in (1, 3)
    assert len(reader.string()) > 10


@pytest.mark.parametrize("name", ["tcpip-forward", "cancel-tcpip-forward",
                                  "streamlocal-forward@openssh.com", ""])
def test_no_global_request_is_granted(login, name):
    login.send(u8(rawssh.GLOBAL_REQUEST) + string(name) + u8(1)
               + string("0.0.0.0") + u32(0))
    login.expect(rawssh.REQUEST_FAILURE)


def test_unknown_channel_requests_fail_and_hurt_nothing(login):
    channel, _, _ = login.open()
    for name in ("winadj@putty.projects.tartarus.org", "exec", "shell",
                 "pty-req", "subsystem", "env"):
        login.send(u8(rawssh.CHANNEL_REQUEST) + u32(channel) + string(name)
                   + u8(1) + string("x"))
        login.expect(rawssh.CHANNEL_FAILURE)
    login.data(channel, MQTT_CONNECT)
    assert login.read_data(4) == MQTT_CONNACK


@pytest.mark.parametrize("host,port", [
    ("127.0.0.1", 22), ("10.0.0.1", 1883), ("broker.example", 1883),
    ("127.0.0.1", 65536 + 1883), ("127.0.0.1", 0), ("0.0.0.0", 1883),
    ("/run/mosquitto.sock", 1883)])
def test_no_foreign_target_is_reached(login, host, port):
    login.send(login.open_request(host=host, port=port))
    reader = Reader(login.expect(rawssh.OPEN_FAILURE)[1:])
    reader.u32()
    assert reader.u32() == 1


# ---- time, and the others ----

@pytest.mark.kayad(config="limits: {login_grace: 2s}\n")
def test_a_slow_drip_is_cut_when_the_grace_is_over(kayad):
    with Client(kayad.port) as client:
        started = time.monotonic()
        client.socket.settimeout(0.2)
        with pytest.raises((ConnectionError, Gone)):
            for byte in b"SSH-2.0-slow" + b"x" * 200:
                client.send_bytes(bytes([byte]))
                try:
                    while client.socket.recv(65536):
                        pass
                    raise Gone("closed")
                except TimeoutError:
                    pass
        assert time.monotonic() - started < 12
    kayad.wait_for_log(r"event=close .*by=us why=\"not authenticated within 2 s")


def test_a_reader_that_stops_disturbs_nobody(kayad, key):
    """One floods the broker and reads nothing; another goes on as before."""
    with Client(kayad.port) as stuck:
        stuck.login(key)
        channel, _, _ = stuck.open(window=2**31)
        stuck.data(channel, MQTT_CONNECT)
        assert stuck.read_data(4) == MQTT_CONNACK
        stuck.data(channel, bytes.fromhex("820600010001") + b"#\0")
        stuck.expect(rawssh.DATA)
        # Its own publishes come back to it, and it does not read them.
        publish = b"\x30\xff\x3f\x00\x01t" + b"x" * (8191 - 3)
        stuck.socket.settimeout(3)
        try:
            for _ in range(2000):
                stuck.data(channel, publish)
        except (TimeoutError, ConnectionError):
            pass
        for _ in range(5):
            expect_served(kayad, key)
    assert kayad.memory_kb() < 200_000


def test_each_fault_is_one_line_in_the_log(kayad, login):
    login.send(u8(rawssh.NEWKEYS))
    expect_disconnect(login, rawssh.PROTOCOL_ERROR)
    kayad.wait_for_log(r"event=close")
    lines = [line for line in kayad.log().splitlines()
             if "NEWKEYS" in line]
    assert len(lines) == 1
    assert re.search(r"session event=close .*identity=dan .*disconnect=2 by=us",
                     lines[0])
