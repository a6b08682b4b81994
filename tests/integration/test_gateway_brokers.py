"""kayad's way to brokers of the user's own: which, how, and as whom."""

import os
import re
import signal
import socket
import struct

import pytest

import peers
import rawssh
from peers import free_port, wait_until
from tunnels import Subscriber, Tunnel, admit, publish, status

CONNECT = bytes.fromhex("101000044d5154540402003c000468696869")
CONNACK = bytes.fromhex("20020000")


class FakeBroker:
    """Takes one connection and keeps what each read brings."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(20)
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.listener.close()

    def take(self):
        """The first read of the next connection; it is answered.  One that
        says nothing was kayad's, that looked whether there is a broker."""
        data = b""
        while not data:
            connection, _ = self.listener.accept()
            with connection:
                connection.settimeout(20)
                data = connection.recv(65536)
                if data:
                    connection.sendall(CONNACK)
        return data


def with_config(tmp_path, config):
    return peers.Kayad(tmp_path, config=config)


def again(broker):
    """The same broker, on the same port, once more."""
    fresh = peers.Process(broker.command)
    wait_until(lambda: peers.is_listening(broker.port), "mosquitto listens")
    return fresh


# ---- as whom ----

def test_a_secret_goes_with_the_identity(tmp_path):
    """The broker asks for user and password; devices know neither."""
    secret = tmp_path / "secret"
    secret.write_text("s3cret\nnot this\n")
    secret.chmod(0o600)
    peers.let_through(tmp_path)
    with peers.Mosquitto(tmp_path / "broker", {"pump-7": "s3cret"},
                         extra="log_type all") as broker:
        peers.give_away(secret)
        with with_config(tmp_path, f"""
brokers:
- address: 127.0.0.1:{broker.port}
  identity: username-with-secret
  secret_file: {secret}
""") as kayad:
            key = admit(kayad, tmp_path / "key", "pump-7")
            with Tunnel(kayad, key) as tunnel:
                publish(tunnel.port, "t", "x", "-u", "root", "-P", "theirs")
            broker.wait_for_log(r"u'pump-7'")
            assert "s3cret" not in kayad.log()
            secret.write_text("wrong\n")
            kayad.signal(signal.SIGHUP)
            kayad.wait_for_log(r"(?s)event=reloaded.*event=reloaded")
            with Tunnel(kayad, key) as tunnel:
                refused = publish(tunnel.port, "t", "x", check=False)
                assert refused.returncode != 0


def test_a_proxy_header_names_the_client_before_its_first_byte(tmp_path):
    with FakeBroker() as broker, with_config(tmp_path, f"""
brokers:
- address: 127.0.0.1:{broker.port}
  identity: proxy-v2
""") as kayad:
        key = rawssh.Key()
        kayad.admit(key.line(), "pump-7")
        with rawssh.Client(kayad.port) as client:
            client.login(key)
            channel, _, _ = client.open()
            client.data(channel, CONNECT)
            came = broker.take()
            port = client.socket.getsockname()[1]
    assert came.startswith(b"\r\n\r\n\0\r\nQUIT\n\x21\x11")
    length, = struct.unpack(">H", came[14:16])
    header, rest = came[16:16 + length], came[16 + length:]
    assert header[:8] == b"\x7f\0\0\1" * 2
    assert struct.unpack(">HH", header[8:12]) == (port, kayad.port)
    assert header[12] == 0x20 and header[15:20] == b"\x07\0\0\0\0"
    assert header.endswith(b"\x22\0\x06pump-7")
    assert rest == CONNECT


HAPROXY = """\
global
    log stdout format raw local0
defaults
    mode tcp
    timeout connect 20s
    timeout client 1m
    timeout server 1m
frontend gateways
    bind 127.0.0.1:{port} accept-proxy
    log global
    log-format "came from=%ci:%cp to=%fi:%fp"
    default_backend brokers
backend brokers
    server one 127.0.0.1:{broker}
"""


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_haproxy_takes_the_header_and_knows_the_client(
        tmp_path, mosquitto, address):
    """Debian 12's mosquitto cannot read it: HAProxy does, in between."""
    config = tmp_path / "haproxy.cfg"
    port = free_port()
    config.write_text(HAPROXY.format(port=port, broker=mosquitto.port))
    kayad_port = free_port()
    listen = f"[::1]:{kayad_port}" if ":" in address \
        else f"127.0.0.1:{kayad_port}"
    with peers.Process([peers.find("haproxy"), "-db", "-f", config]) as proxy:
        wait_until(lambda: peers.is_listening(port), "haproxy listens")
        with peers.Kayad(tmp_path, config=f"""
brokers:
- address: 127.0.0.1:{port}
  identity: proxy-v2
  open_as: 127.0.0.1:1883
""", arguments=["--listen", listen]) as kayad:
            key = rawssh.Key()
            kayad.admit(key.line(), "pump-7")
            with rawssh.Client(kayad_port, host=address) as client:
                client.login(key)
                channel, _, _ = client.open()
                client.data(channel, CONNECT)
                assert client.read_data(len(CONNACK)) == CONNACK
                came_from = client.socket.getsockname()[1]
            proxy.wait_for_log(
                rf"came from={address}:{came_from} to={address}:{kayad_port}")


def test_to_a_broker_of_ones_own_everything_passes_as_it_is(tmp_path):
    with FakeBroker() as broker, with_config(
            tmp_path, f"brokers: [{{address: '127.0.0.1:{broker.port}'}}]\n"
    ) as kayad:
        key = rawssh.Key()
        kayad.admit(key.line(), "pump-7")
        with rawssh.Client(kayad.port) as client:
            client.login(key)
            channel, _, _ = client.open()
            client.data(channel, CONNECT)
            assert broker.take() == CONNECT


def test_a_client_and_its_broker_may_leave_in_one_moment(tmp_path):
    """The thread goes on, whichever of them it hears of first."""
    with FakeBroker() as broker, with_config(tmp_path, f"""
threads: 1
brokers: [{{address: '127.0.0.1:{broker.port}'}}]
""") as kayad:
        key = rawssh.Key()
        kayad.admit(key.line(), "dan")
        child = [pid for pid in kayad.children()[1:]
                 if open(f"/proc/{pid}/comm").read() == "kayad\n"][0]
        client = rawssh.Client(kayad.port)
        client.login(key)
        client.open()
        behind, _ = broker.listener.accept()
        os.kill(child, signal.SIGSTOP)
        behind.close()
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 struct.pack("ii", 1, 0))
        client.socket.close()
        os.kill(child, signal.SIGCONT)
        kayad.wait_for_log("event=close session=1 ", 10)
        with rawssh.Client(kayad.port) as other:
            other.login(key)


# ---- which ----

def test_brokers_that_share_a_name_are_tried_in_turn(tmp_path):
    with peers.Mosquitto(tmp_path / "one") as one, \
            peers.Mosquitto(tmp_path / "two") as two, \
            with_config(tmp_path, f"""
brokers:
- {{name: one, address: '127.0.0.1:{one.port}', health_interval: 500ms}}
- {{name: two, address: '127.0.0.1:{two.port}', health_interval: 500ms}}
""") as kayad:
        key = admit(kayad, tmp_path / "key")
        with Tunnel(kayad, key) as tunnel:
            publish(tunnel.port, "t", "x")
            kayad.wait_for_log(r"event=channel-open .*broker=one")
            one.stop()
            for _ in range(3):
                publish(tunnel.port, "t", "x")
            kayad.wait_for_log(r"event=channel-open .*broker=two")
            told = status(kayad)["brokers"]
            assert [b["up"] for b in told] == [False, True]
            assert [b["name"] for b in told] == ["one", "two"]
            assert told[0]["why"] == "Connection refused"
            with again(one):
                kayad.wait_for_log(r"broker event=up name=one")
                before = len(re.findall(r"broker=one", kayad.log()))
                publish(tunnel.port, "t", "x")
                assert len(re.findall(r"broker=one", kayad.log())) > before
        log = kayad.log()
        assert len(re.findall("broker event=down", log)) == 1
        assert len(re.findall("broker event=up", log)) == 1


def test_a_broker_that_is_not_there_is_told_before_a_device_comes(tmp_path):
    folder = tmp_path / "sockets"
    folder.mkdir()
    folder.chmod(0o777)  # mosquitto has an account of its own
    with peers.Mosquitto(tmp_path / "one") as one, with_config(tmp_path, f"""
brokers:
- {{name: one, address: '127.0.0.1:{one.port}'}}
- {{name: two, address: {folder}/socket, health_interval: 500ms}}
""") as kayad:
        kayad.wait_for_log(r"broker event=down name=two .*"
                           r'why="No such file or directory"')
        assert [b["up"] for b in status(kayad)["brokers"]] == [True, False]
        # It is asked again and again, and its coming is told, too.
        with peers.Mosquitto(tmp_path / "two",
                             extra=f"listener 0 {folder}/socket\n"):
            peers.wait_until((folder / "socket").exists, "the socket")
            (folder / "socket").chmod(0o666)
            kayad.wait_for_log(r"broker event=up name=two")
        assert "name=one" not in kayad.log()


def test_another_broker_never_stands_in_for_the_one_that_was_meant(tmp_path):
    with peers.Mosquitto(tmp_path / "two") as two, with_config(tmp_path, f"""
brokers:
- {{name: one, address: '127.0.0.1:{free_port()}', open_as: ['one:1883']}}
- {{name: two, address: '127.0.0.1:{two.port}', open_as: ['two:1883']}}
""") as kayad:
        key = admit(kayad, tmp_path / "key")
        with Tunnel(kayad, key, "one:1883") as tunnel:
            publish(tunnel.port, "t", "x", check=False)
            tunnel.wait_for_log(r"connect failed: no broker answers: one: ")
        with Tunnel(kayad, key, "two:1883") as tunnel:
            publish(tunnel.port, "t", "x")
        assert "broker=two" in kayad.log()


def test_after_a_reload_new_channels_go_where_it_says(tmp_path):
    with peers.Mosquitto(tmp_path / "one") as one, \
            peers.Mosquitto(tmp_path / "two") as two, with_config(
                tmp_path, f"brokers: [{{address: '127.0.0.1:{one.port}'}}]\n"
            ) as kayad:
        key = admit(kayad, tmp_path / "key")
        with Tunnel(kayad, key) as tunnel, \
                Subscriber(tunnel.port, "t") as old:
            kayad.config.write_text(
                f"brokers: [{{address: '127.0.0.1:{two.port}'}}]\n")
            kayad.signal(signal.SIGHUP)
            kayad.wait_for_log(r"(?s)event=reloaded.*event=reloaded")
            with Subscriber(tunnel.port, "t") as fresh:
                publish(two.port, "t", "through two")
                fresh.wait_for_log("through two")
                # What was connected before goes on.
                publish(one.port, "t", "through one")
                old.wait_for_log("through one")


def test_a_reload_from_the_private_broker_to_another_and_back(tmp_path):
    with peers.Mosquitto(tmp_path / "two") as two, \
            with_config(tmp_path, "threads: 2\n") as kayad:
        key = admit(kayad, tmp_path / "key")
        for round, (text, name) in enumerate([
                (f"brokers: [{{address: '127.0.0.1:{two.port}', name: two}}]",
                 "two"), ("threads: 2", "private")]):
            kayad.config.write_text(text + "\n")
            kayad.signal(signal.SIGHUP)
            wait_until(lambda: len(re.findall("event=reloaded", kayad.log()))
                       >= round + 2, "it is reloaded")
            with Tunnel(kayad, key) as tunnel:
                publish(tunnel.port, "t", "x")
            kayad.wait_for_log(f"event=channel-open .*broker={name}")


# ---- how much ----

@pytest.mark.kayad(config="limits: {mqtt_packet: 2KiB}\n")
def test_a_packet_larger_than_allowed_ends_its_channel(kayad, key):
    kayad.admit(key.with_suffix(".pub").read_text(), "dan")
    with Tunnel(kayad, key) as tunnel:
        publish(tunnel.port, "t", "x" * 2000)
        publish(tunnel.port, "t", "x" * 2100, "-q", "1", check=False)
        kayad.wait_for_log(r"event=mqtt-fault .*packet=PUBLISH "
                           r"rule=\"local limit\" why=\"the packet is larger")
        assert len(re.findall("mqtt-fault", kayad.log())) >= 1
