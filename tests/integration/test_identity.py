"""Who a client is: told to the broker, shown by status, written to the log."""

import contextlib
import json
import re
import subprocess
import time

import pytest

import peers
from mqttclients import Gateway, Raw, level  # noqa: F401
from peers import wait_until
from tunnels import Subscriber, channels, publish, status

STRICT = """\
roles:
  - {name: device, publish: "devices/%i/#", subscribe: "commands/%i/#"}
identities:
  - {names: "*", roles: device}
"""


def wait_for_channel(gateway, identity, condition):
    return wait_until(lambda: [c for c in channels(gateway.kayad, identity)
                               if condition(c)], "status tells it")[0]


@pytest.fixture(params=["private", "pass-through"])
def gateway(tmp_path, request, mosquitto):
    """The private broker by a policy; a broker of one's own without one."""
    with contextlib.ExitStack() as stack:
        arguments = ["--broker", f"127.0.0.1:{mosquitto.port}"] \
            if request.param == "pass-through" else []
        gateway = Gateway(tmp_path, stack, arguments=arguments)
        gateway.user = "dan" if request.param == "private" else "me"
        yield gateway


def test_status_tells_all_of_a_client(gateway):
    before = time.monotonic()
    port = gateway.port("dan")
    with Subscriber(port, "test/#", "-t", "more/+", "-i", "sub-1", "-u", "me",
                    "-U", "more/+", "-q", "1"):
        publish(port, "test/load", "x")
        channel = wait_for_channel(
            gateway, "dan", lambda c: c["messages_out"] == 1)
        assert channel["client_id"] == "sub-1"
        assert channel["user"] == gateway.user
        assert channel["mqtt"] == "3.1.1"
        assert channel["messages_in"] == 0
        assert channel["subscribed"] == ["test/#"]
        assert channel["published"] == []
        assert 0 < channel["in"] < channel["in"] + channel["out"] < 500
        assert channel["since_ms"] <= (time.monotonic() - before) * 1000
        device = status(gateway.kayad)["gateway"]["devices"][0]
        assert device["address"] == "127.0.0.1"


def test_status_tells_what_is_published(gateway, level):
    client = gateway.client("dan", level, client_id="dan-1")
    for topic in ("a", "b/c", "a"):
        client.publish(topic, qos=2)
    channel = wait_for_channel(
        gateway, "dan", lambda c: c["messages_in"] == 3)
    assert channel["published"] == ["a", "b/c"]
    assert channel["mqtt"] == level


def test_an_id_that_the_broker_made_up_is_told(gateway):
    """5.0's CONNACK names it; before 5.0 nobody but the broker knows it."""
    gateway.client("dan", "5.0")
    assert wait_for_channel(gateway, "dan", lambda c: c["client_id"])
    gateway.client("eve", "3.1.1")
    assert wait_for_channel(gateway, "eve", lambda c: c["mqtt"])[
        "client_id"] == ""


def test_what_is_refused_is_not_told_as_if_it_were_not(tmp_path, level):
    with contextlib.ExitStack() as stack:
        gateway = Gateway(tmp_path, stack, STRICT)
        client = gateway.client("dan", level)
        client.subscribe("#", "commands/dan/#")
        client.publish("devices/dan/x")
        client.publish("devices/eve/x")
        channel = wait_for_channel(
            gateway, "dan", lambda c: c["messages_in"] == 2)
        assert channel["subscribed"] == ["commands/dan/#"]
        assert channel["published"] == ["devices/dan/x"]
        assert channel["refused"] == 1


def test_the_log_tells_of_a_client_when_it_comes_and_when_it_goes(gateway):
    port = gateway.port("dan")
    with Subscriber(port, "test/#", "-t", "more/+", "-i", "sub-1", "-u", "me",
                    "--will-topic", "gone", "--will-payload", "x",
                    "-C", "1") as subscriber:
        publish(port, "test/load", "x")
        subscriber.wait()
    who = (r"identity=dan .*client_id=sub-1 user=" + gateway.user +
           r" mqtt=3\.1\.1")
    gateway.kayad.wait_for_log(
        r"event=mqtt-connect .*from=127.0.0.1 .*" + who + r".* will=gone")
    gateway.kayad.wait_for_log(
        r"event=channel-close .* in=\d+ out=\d+ ms=\d+ client_id=sub-1 "
        r"user=" + gateway.user + r" mqtt=3\.1\.1 messages_in=0 "
        r'messages_out=1 subscribed="test/# more/\+"')
    gateway.kayad.wait_for_log(
        r"event=channel-close .*messages_in=1 messages_out=0 "
        r"published=test/load")


def test_kaya_status_is_for_people(gateway):
    client = gateway.client("dan", client_id="dan\u00e9-1")
    client.subscribe("test/#", "more/#")
    client.publish("mine")
    wait_for_channel(gateway, "dan", lambda c: c["messages_in"] == 1)
    words = [peers.KAYA, "status", "--state", gateway.kayad.state]
    told = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert re.search(
        r'\n  dan +127\.0\.0\.1 .*\n    client "dan\u00e9-1", user ".*", '
        r"MQTT 5.0, messages 1 in 0 out, \d+ s\n"
        r"      subscribed to test/#, more/#\n"
        r"      published to mine\n", told.stdout), told.stdout
    told = json.loads(subprocess.run(
        [*words, "--json"], capture_output=True, text=True,
        timeout=30).stdout)
    gateways = [each for each in told if "gateway" in each]
    assert gateways[-1]["gateway"]["devices"][0]["channels"][0][
        "subscribed"] == ["test/#", "more/#"]


def test_what_a_peer_sends_is_told_escaped(gateway):
    gateway.client("dan", client_id='dan-"\\', will=('a"b', "x"))
    wait_for_channel(gateway, "dan", lambda c: c["client_id"] == 'dan-"\\')
    told = subprocess.run(
        [peers.KAYA, "status", "--state", gateway.kayad.state],
        capture_output=True, text=True, timeout=30)
    assert r'client "dan-\"\\", user' in told.stdout
    gateway.kayad.wait_for_log(r'event=mqtt-connect .*will="a\\"b"')


def test_a_hostile_client_cannot_make_it_keep_much(gateway):
    """Ten thousand filters, and names as long as MQTT has them."""
    with Raw(gateway.port("dan"), "5.0") as raw:
        for n in range(100):
            raw.subscribe(n + 1, [f"{n}/{i}/" + "x" * 200
                                  for i in range(100)])
        for n in range(100):
            assert raw.read()[0] == 0x90
    gateway.kayad.wait_for_log(
        r"event=channel-close .*subscribed_more=99\d\d")
