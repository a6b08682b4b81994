"""Who may publish and subscribe to what, at the gateway, by stock clients."""

import contextlib
import struct
import subprocess

import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

import peers
from mqttclients import (WITH_31, Client, Gateway, Raw,  # noqa: F401
                         level, packet, publish_bytes)
from peers import make_key, wait_until
from tunnels import Tunnel, channels

POLICY = """\
roles:
  - name: sensor
    publish: ["sensors/%i/#", "$meta/%i"]
    subscribe: ["commands/%i/#", "shared/+"]
  - name: desk
    publish: ["commands/#", "shared/#"]
    subscribe: ["sensors/#", "shared/#"]
  - name: slow
    publish: ["slow/#"]
    subscribe: ["slow/#"]
    qos: 1
    retain: no
    payload: 64B
    rate: 5
    rate_interval: 1h
  - name: strict
    publish: ["strict/%c"]
    subscribe: ["strict/%c"]
    client_ids: ["%i-*"]
  - name: meta
    publish: ["#", "$meta/#"]
    subscribe: ["#", "$meta/#"]
    retain: yes
  - name: named
    publish: ["named/%c"]
    subscribe: ["named/%c"]
identities:
  - names: named
    roles: named
  - names: meta
    roles: meta
  - names: [dan, eve]
    roles: sensor
  - names: desk
    roles: desk
  - names: slow
    roles: slow
  - names: strict
    roles: strict
"""


@pytest.fixture
def gateway(tmp_path):
    with contextlib.ExitStack() as stack:
        yield Gateway(tmp_path, stack, POLICY)


def wait_for_refusal(gateway, topic, words):
    gateway.kayad.wait_for_log(
        f"event=refuse.*action=publish.*topic={topic}.*{words}")


every_level = pytest.mark.parametrize("level", WITH_31)


@every_level
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_what_a_role_permits_goes_and_the_rest_does_not(gateway, level, qos):
    desk = gateway.client("desk", level)
    assert desk.subscribe("sensors/#", qos=2) == [2]
    dan = gateway.client("dan", level)
    dan.publish("sensors/dan/load", qos=qos)
    dan.publish("sensors/eve/load", qos=qos)
    dan.publish("commands/dan/valve", qos=qos)
    dan.publish("sensors/dan/end", qos=qos)
    assert desk.got(2) == ["sensors/dan/load", "sensors/dan/end"]
    wait_for_refusal(gateway, "sensors/eve/load", "no rule permits it")


@every_level
def test_refused_filters_are_told_in_their_place(gateway, level):
    refused = 0x87 if level == "5.0" else 0x80
    dan = gateway.client("dan", level)
    assert dan.subscribe("commands/eve/#", "commands/dan/#", "#",
                         "shared/a", "shared/#") == [
        refused, 1, refused, 1, refused]
    assert dan.subscribe("sensors/#") == [refused]
    desk = gateway.client("desk", level)
    desk.publish("commands/eve/x")
    desk.publish("shared/a/b")
    desk.publish("commands/dan/x")
    desk.publish("shared/a")
    assert dan.got(2) == ["commands/dan/x", "shared/a"]


def test_a_shared_subscription_is_judged_by_the_filter_in_it(gateway):
    dan = gateway.client("dan")
    assert dan.subscribe("$share/g/commands/dan/#",
                         "$share/g/commands/#") == [1, 0x87]


@every_level
def test_a_topic_that_begins_with_a_dollar_needs_to_be_named(gateway, level):
    dan = gateway.client("dan", level)
    refused = 0x87 if level == "5.0" else 0x80
    assert dan.subscribe("$SYS/#") == [refused]
    # By name it may be published to, and read: # does not lead there.
    meta = gateway.client("meta", level)
    assert meta.subscribe("$meta/+", "#") == [1, 1]
    dan.publish("$meta/dan")
    dan.publish("$meta/eve")
    dan.publish("sensors/dan/end")
    assert meta.got(2) == ["$meta/dan", "sensors/dan/end"]


def test_what_is_retained_is_given_to_who_may_read_it_alone(gateway, level):
    keeper = gateway.client("meta", level)
    for topic in ("commands/dan/x", "commands/eve/x", "shared/a"):
        keeper.publish(topic, retain=True)
    dan = gateway.client("dan", level)
    dan.subscribe("#", "commands/#", "commands/+/x", "commands/eve/x",
                  "commands/dan/#", "shared/+")
    assert sorted(dan.got(2)) == ["commands/dan/x", "shared/a"]
    keeper.publish("commands/eve/x")
    keeper.publish("commands/dan/end")
    assert dan.got(1) == ["commands/dan/end"]


@pytest.mark.parametrize("client_id,code", [
    ("dan", 0), ("dan-2", 0), ("anything", 0), ("", 0), ("danger", 0),
    ("eve", 0x85), ("eve-1", 0x85), ("eve/1", 0x85)])
def test_a_client_id_of_another_identity_is_refused(
        gateway, level, client_id, code):
    gateway.port("eve")
    client = gateway.client("dan", level, client_id=client_id,
                            must_connect=False)
    assert client.code == (code if level == "5.0" or code == 0 else 2)


def test_a_role_may_want_client_ids_of_a_pattern(gateway):
    assert gateway.client("strict", client_id="mine",
                          must_connect=False).code == 0x85
    good = gateway.client("strict", client_id="strict-7")
    assert good.subscribe("strict/strict-7", "strict/+") == [1, 0x87]


def test_an_empty_client_id_is_allowed_as_mqtt_has_it(gateway, level):
    """Before 5.0 nobody but the broker knows what it made of it."""
    client = gateway.client("named", level, client_id="")
    if level == "5.0":
        given = wait_until(lambda: channels(gateway.kayad, "named"),
                           "it is there")[0]["client_id"]
        assert client.subscribe(f"named/{given}", "named/x") == [1, 0x87]
    else:
        assert client.subscribe("named/#", "named/+") == [0x80, 0x80]
    # A pattern is for ids that a client chose; no other stands for %c.
    strict = gateway.client("strict", level, client_id="")
    assert strict.subscribe("strict/+", "strict/")[0] >= 0x80


@every_level
def test_a_will_is_judged_as_a_publish_is(gateway, level):
    refused = gateway.client("dan", level, will=("commands/dan/x", "bye", 1),
                             must_connect=False)
    assert refused.code == (0x87 if level == "5.0" else 5)
    gateway.client("dan", level, will=("sensors/dan/gone", "bye", 1))


NO_SENSORS = POLICY.replace('"sensors/%i/#", ', "")


def test_a_will_that_is_allowed_no_more_is_not_published(gateway, level):
    """The broker would, where the connection is just cut."""
    desk = gateway.client("desk", level)
    desk.subscribe("sensors/#")
    for will in ("sensors/dan/gone", "sensors/eve/gone"):
        gateway.client(will.split("/")[1], level, will=(will, "bye", 1))
    gateway.change_policy(POLICY.replace("[dan, eve]", "[eve, clara]"))
    gateway.kayad.wait_for_log(
        "event=channel-close .*identity=dan .*its will any more")
    # What may stay does stay, and its will too.
    gateway.tunnels["eve"].stop()
    assert desk.got(1) == ["sensors/eve/gone"]


def test_nor_is_it_from_the_middle_of_a_message(gateway, level):
    """Nothing can be said to the broker before that is over."""
    desk = gateway.client("desk", level)
    desk.subscribe("sensors/#")
    with Raw(gateway.port("dan"), level,
             will=("sensors/dan/gone", "bye")) as raw:
        long = raw.publish_bytes("sensors/dan/x", 1, b"x" * 600000)
        raw.send(long[:400000])
        wait_until(lambda: [
            channel for channel in channels(gateway.kayad, "dan")
            if channel["in"] >= 400000], "half of it is there")
        gateway.change_policy(NO_SENSORS)
        raw.send(long[400000:])
        gateway.kayad.wait_for_log(
            "event=channel-close .*identity=dan .*its will any more")
    # What was begun under the old policy was let through.
    assert desk.got(1) == ["sensors/dan/x"]
    gateway.change_policy(POLICY)
    gateway.client("eve", level).publish("sensors/eve/end")
    assert desk.got(1) == ["sensors/eve/end"]


def test_limits_of_a_role(gateway):
    slow = gateway.client("slow")
    assert slow.subscribe("slow/#", qos=2) == [1]
    slow.publish("slow/1")
    slow.publish("slow/retained", retain=True)
    slow.publish("slow/twice", qos=2)
    slow.publish("slow/long", "x" * 65)
    slow.publish("slow/2")
    assert slow.got(2) == ["slow/1", "slow/2"]


def test_more_messages_than_a_role_may_send_go_nowhere(gateway):
    slow = gateway.client("slow")
    assert slow.subscribe("slow/#") == [1]
    for i in range(8):
        slow.publish(f"slow/{i}")
    assert slow.got(5) == [f"slow/{i}" for i in range(5)]
    slow.paho.publish("slow/0", "x", 0)
    assert slow.messages.empty()
    wait_for_refusal(gateway, "slow/5", "the role permits fewer messages")


def test_an_identity_has_its_rate_once_however_many_connections(gateway):
    """Three at a time, and one that comes after they have gone."""
    listener = gateway.client("slow")
    assert listener.subscribe("slow/#") == [1]
    sent = 0
    for _ in range(2):
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                tunnel = stack.enter_context(
                    Tunnel(gateway.kayad, gateway.folder / "key-slow"))
                slow = stack.enter_context(
                    Client(tunnel.port, WITH_31["5.0"]))
                for _ in range(3):
                    slow.publish(f"slow/{sent}")
                    sent += 1
    assert listener.got(5) == [f"slow/{i}" for i in range(5)]
    listener.publish("slow/fence")
    assert listener.messages.empty()
    wait_for_refusal(gateway, "slow/15", "the role permits fewer messages")


def alias(number):
    properties = Properties(PacketTypes.PUBLISH)
    properties.TopicAlias = number
    return properties


def test_topic_aliases_are_followed(gateway):
    """Paho sends the empty topic itself; so does this, by hand."""
    desk = gateway.client("desk")
    desk.subscribe("sensors/#")
    dan = gateway.client("dan")
    dan.publish("sensors/dan/a", properties=alias(1))
    dan.publish("", properties=alias(1))
    dan.publish("sensors/eve/a", properties=alias(1))
    dan.publish("", "hidden", properties=alias(1))
    dan.publish("sensors/dan/b", properties=alias(1))
    assert desk.got(3) == ["sensors/dan/a"] * 2 + ["sensors/dan/b"]


def test_an_alias_whose_first_packet_was_refused_is_mended(gateway):
    """The broker never saw the topic: it has to be written out."""
    desk = gateway.client("desk")
    desk.subscribe("slow/#")
    slow = gateway.client("slow")
    slow.subscribe("slow/#")
    slow.publish("slow/a", "x" * 65, properties=alias(3))
    slow.publish("", "short", properties=alias(3))
    slow.publish("", "again", properties=alias(3))
    assert slow.got(2) == ["slow/a"] * 2


def test_acknowledgements_come_in_order(gateway, level):
    """A refusal waits for what was sent before it."""
    port = gateway.port("dan")
    with Raw(port, level) as raw:
        wanted = []
        data = b""
        for packet_id in range(1, 200):
            topic = "sensors/dan/x" if packet_id % 3 else "sensors/eve/x"
            data += raw.publish_bytes(topic, packet_id)
            wanted.append(packet_id)
        raw.send(data)
        assert [raw.read_ack()[1] for _ in wanted] == wanted


def test_who_goes_on_before_he_is_let_in_hears_of_that_first(gateway, level):
    """CONNECT and a PUBLISH that is refused, by one write."""
    refused = publish_bytes(5 if level == "5.0" else 4, "no/1", 1)
    with Raw(gateway.port("dan"), level, behind_connect=refused) as raw:
        assert raw.read_ack()[:2] == (0x40, 1)


def test_refusals_have_codes_in_5_and_thanks_before(gateway, level):
    with Raw(gateway.port("dan"), level) as raw:
        raw.send(raw.publish_bytes("no/1", 1, qos=1))
        kind, packet_id, code = raw.read_ack()
        assert (kind, packet_id) == (0x40, 1)
        assert code == (b"\x87" if level == "5.0" else b"")
        raw.send(raw.publish_bytes("no/2", 2, qos=2))
        kind, packet_id, code = raw.read_ack()
        assert (kind, packet_id) == (0x50, 2)
        assert code == (b"\x87" if level == "5.0" else b"")
        if level == "3.1.1":
            raw.send(packet(0x62, struct.pack("!H", 2)))
            assert raw.read_ack()[:2] == (0x70, 2)


def test_what_the_broker_kept_is_withheld_after_a_change(gateway, level):
    """A subscription of a kept session outlives the right to read it."""
    words = {"client_id": "dan-1", "clean": False}
    with gateway.client("dan", level, **words) as dan:
        assert dan.subscribe("shared/+", "commands/dan/#", qos=2) == [2, 2]
        gateway.change_policy(POLICY.replace(', "shared/+"', ""))
        desk = gateway.client("desk", level)
        for qos in (0, 1, 2):
            desk.publish("shared/a", "secret", qos=qos)
        desk.publish("commands/dan/end", qos=2)
        assert dan.got(1) == ["commands/dan/end"]


def test_a_policy_with_a_fault_leaves_the_one_before_in_force(gateway):
    desk = gateway.client("desk")
    desk.subscribe("sensors/#")
    gateway.change_policy(POLICY.replace("publish:", "publsh:"))
    gateway.kayad.wait_for_log("policy event=refused")
    dan = gateway.client("dan")
    dan.publish("sensors/eve/x")
    dan.publish("sensors/dan/x")
    assert desk.got(1) == ["sensors/dan/x"]


def test_a_policy_with_a_fault_is_told_at_the_start(tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text("roles:\n  - nam: x\n")
    policy.chmod(0o644)
    kayad = peers.Kayad(tmp_path, config=f"policy: {policy}\n", wait=False)
    with kayad:
        assert kayad.wait() == 2
        assert kayad.logged("unknown word `nam`")


def test_kayad_t_tells_what_a_policy_cannot_have_meant(tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    policy.chmod(0o644)
    state = tmp_path / "state"
    state.mkdir()
    (state / "authorized_keys").write_text(
        'restrict,port-forwarding,environment="KAYA_ID=dan" '
        + make_key(tmp_path / "key") + "\n")
    (state / "authorized_keys").chmod(0o600)
    conf = tmp_path / "kayad.conf"
    conf.write_text(f"state: {state}\npolicy: {policy}\n")
    told = subprocess.run([peers.KAYAD, "-t", "-c", conf],
                          capture_output=True, text=True, timeout=30)
    assert told.returncode == 0, told.stderr
    assert "no key" in told.stderr and "eve" in told.stderr
    assert "warning" in told.stderr


def test_who_has_no_role_may_do_nothing(gateway, level):
    nobody = gateway.client("nobody", level)
    refused = 0x87 if level == "5.0" else 0x80
    assert nobody.subscribe("sensors/nobody/#") == [refused]
    nobody.publish("sensors/nobody/x")
    wait_for_refusal(gateway, "sensors/nobody/x", "no rule permits it")


def test_the_role_may_stand_in_the_line_of_the_key(gateway):
    key = gateway.folder / "key-x"
    public = make_key(key)
    gateway.kayad.admit(public, options='restrict,port-forwarding,'
                        'environment="KAYA_ID=pump",'
                        'environment="KAYA_ROLE=desk"')
    with Tunnel(gateway.kayad, key) as tunnel, \
            Client(tunnel.port, paho.MQTTv5) as client:
        assert client.subscribe("sensors/#") == [1]


def test_stock_clients_of_mosquitto_go_by_it(gateway):
    port = gateway.port("dan")
    done = subprocess.run(
        ["mosquitto_pub", "-V", "5", "-p", str(port), "-t", "no", "-m", "x",
         "-q", "1", "-d"], capture_output=True, text=True, timeout=30)
    assert "not authorized" in (done.stdout + done.stderr).lower()


# ---- mosquitto's acl_file ----

ACL = """\
topic read news/#
user dan
topic readwrite own/#
topic deny own/secret
topic deny own/locked
pattern write devices/%u/#
pattern read commands/%u/%c
"""


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_an_acl_file_is_enforced_at_delivery(tmp_path, level, qos):
    """Every SUBSCRIBE is granted, as mosquitto does."""
    with contextlib.ExitStack() as stack:
        gateway = Gateway(tmp_path, stack, ACL + "user ann\ntopic #\n")
        dan = gateway.client("dan", level, client_id="dan-1")
        assert dan.subscribe("#", "own/#", qos=2) == [2, 2]
        ann = gateway.client("ann", level)
        assert ann.subscribe("devices/#", "own/#", qos=2) == [2, 2]
        for topic in ("news/x", "own/secret", "own/x", "commands/dan/other",
                      "commands/dan/dan-1", "own/end"):
            ann.publish(topic, qos=qos)
        assert dan.got_once(3) == ["own/x", "commands/dan/dan-1", "own/end"]
        for topic in ("devices/ann/x", "devices/dan/x", "own/locked",
                      "elsewhere", "own/done"):
            dan.publish(topic, qos=qos)
        assert ann.got_once(5)[-2:] == ["devices/dan/x", "own/done"]


# ---- without a word of configuration ----

@pytest.fixture
def fresh(tmp_path):
    """A gateway that nobody has configured, and clients of its identities."""
    with contextlib.ExitStack() as stack:
        yield Gateway(tmp_path, stack)


def test_a_fresh_gateway_has_a_policy_by_which_all_goes(fresh, level):
    ann, dan = fresh.client("ann", level), fresh.client("dan", level)
    refused = 0x87 if level == "5.0" else 0x80
    assert ann.subscribe("#", "$SYS/broker/uptime", "$other/#",
                         qos=2) == [2, 2, refused]
    dan.publish("any/where", qos=2, retain=True)
    got = [m for m in iter(lambda: ann.messages.get(timeout=20).topic,
                           "any/where") if m != "$SYS/broker/uptime"]
    assert got == []


def test_a_fresh_gateway_lets_nobody_take_anothers_session(fresh, level):
    fresh.port("ann")
    thief = fresh.client("dan", level, client_id="ann-1", must_connect=False)
    assert thief.code == (0x85 if level == "5.0" else 2)
    fresh.client("dan", level, client_id="dan-1")


def test_the_policy_in_the_state_folder_is_to_be_edited(fresh):
    policy = fresh.kayad.state / "policy.yaml"
    assert "kaya-policy(5)" in policy.read_text()
    fresh.policy = policy
    fresh.change_policy(POLICY)
    dan = fresh.client("dan")
    assert dan.subscribe("#", "commands/dan/#") == [0x87, 1]
    fresh.kayad.stop()
    with peers.Kayad(fresh.folder) as again:
        assert policy.read_text() == POLICY
        assert not again.logged("fault")


def test_before_another_broker_the_client_id_alone_is_judged(
        tmp_path, mosquitto, level):
    with contextlib.ExitStack() as stack:
        gateway = Gateway(
            tmp_path, stack, arguments=["--broker",
                                        f"127.0.0.1:{mosquitto.port}"])
        assert not (gateway.kayad.state / "policy.yaml").exists()
        gateway.port("ann")
        dan = gateway.client("dan", level)
        assert dan.subscribe("$SYS/#", "#") == [1, 1]
        thief = gateway.client("dan", level, client_id="ann",
                               must_connect=False)
        assert thief.code == (0x85 if level == "5.0" else 2)
