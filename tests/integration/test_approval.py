"""Commands that need two people, at the gateway: stock clients in front, a real
mosquitto behind."""

import concurrent.futures
import contextlib
import hashlib
import json
import os
import resource
import signal
import socket
import subprocess
import time

import pytest

import peers
import rawssh
from approvals import (ME, POLICY, Listener, Plant, pub, publish, read_reason)
from disks import fill, small_disk  # noqa: F401
from mqttclients import (
    LEVELS, Client, Raw, packet, publish_bytes, text)
from peers import wait_until
from tunnels import Tunnel

VALVE = "plant/1/valve"


@pytest.fixture
def plant(tmp_path):
    with contextlib.ExitStack() as stack:
        yield Plant(tmp_path, stack)


@pytest.fixture(params=LEVELS)
def level(request):
    return request.param


def listen(plant, name, topic, level="3.1.1"):
    return plant.stack.enter_context(
        Listener(plant.port(name), level, topic))


def no_answer(raw):
    """It has been answered nothing up to now: the broker answers a ping."""
    raw.send(b"\xc0\0")
    assert raw.read() == (0xd0, b"")


# ---- hold


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_publish_is_held_until_somebody_else_agrees(plant, level, qos):
    ann = plant.client("ann", level)
    info = ann.paho.publish(VALVE, "open", qos)
    command, = wait_until(plant.pending, "it is held")
    assert (command["topic"], command["payload"], command["publisher"],
            command["rule"], command["qos"], command["bytes"]) == \
        (VALVE, "open", "ann", "valves", qos, 4)
    assert command["may_i"] is True and command["gateway"] is None
    plant.witness.saw_nothing_else(plant.client("abe"))
    answer = plant.ask("approve " + command["id"])
    assert answer["outcome"] == "released" and answer["by"] == ME
    plant.witness.saw((VALVE, "open"))
    info.wait_for_publish(20)
    assert info.is_published()
    assert plant.pending() == []


def test_it_is_not_acknowledged_while_it_is_held(plant, level):
    raw = plant.raw("ann", level)
    publish(raw, VALVE, packet_id=7)
    command_id, = plant.held()
    no_answer(raw)
    plant.ask("approve " + command_id)
    assert raw.read_ack()[:2] == (0x40, 7)


def test_a_stock_publisher_waits(plant, level):
    held = pub(plant.port("ann"), VALVE, "open", level=level)
    command_id, = plant.held()
    assert held.poll() is None
    plant.ask("approve " + command_id)
    assert held.wait(20) == 0, held.stderr.read()
    plant.witness.saw((VALVE, "open"))


def test_one_of_mqtt_3_1_is_held_too(plant):
    held = pub(plant.port("ann"), VALVE, "open", level="3.1", qos=2)
    command_id, = plant.held()
    plant.ask("approve " + command_id)
    assert held.wait(20) == 0, held.stderr.read()
    plant.witness.saw((VALVE, "open"))


# ---- the same from a plain client of MQTT


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_any_client_approves_by_a_topic_of_the_gateways(plant, level, qos):
    pending = listen(plant, "bob", "$kaya/pending", level)
    bob = plant.client("bob", level)
    raw = plant.raw("ann", level)
    publish(raw, VALVE)
    told = pending.hears(outcome="held", topic=VALVE, payload="open",
                         publisher="ann", rule="valves")
    bob.publish("$kaya/approve", told["id"], qos)
    assert raw.read_ack()[:2] == (0x40, 1)
    plant.witness.saw((VALVE, "open"))
    pending.hears(id=told["id"], outcome="released", by="bob")
    # None of it was for the broker.
    plant.witness.saw_nothing_else(plant.client("ann"))


def test_a_stock_publisher_approves(plant):
    held = pub(plant.port("ann"), VALVE, "open")
    command_id, = plant.held()
    agreed = pub(plant.port("bob"), "$kaya/approve", command_id, level="5.0")
    assert agreed.wait(20) == 0, agreed.stderr.read()
    assert held.wait(20) == 0
    plant.witness.saw((VALVE, "open"))


def test_any_client_denies(plant, level):
    result = listen(plant, "ann", "$kaya/result/ann")
    raw = plant.raw("ann", level)
    publish(raw, VALVE)
    command_id, = plant.held()
    plant.client("bob", level).publish(
        "$kaya/deny", command_id + " not before noon")
    result.hears(id=command_id, topic=VALVE, outcome="denied",
                 cause="abortion-by-cancel", by="bob",
                 reason="not before noon")
    assert raw.read()[0] == 0x40


def test_who_approves_in_vain_hears_why_in_5_0(plant):
    held = plant.raw("ann")
    publish(held, VALVE)
    command_id, = plant.held()
    bob = plant.raw("bob")
    publish(bob, "$kaya/approve", "0123456789abcdef", 1)
    assert read_reason(bob) == (1, 0x87, "no command of that id is waiting")
    publish(bob, "$kaya/approve", command_id, 2, qos=2)
    assert read_reason(bob) == (2, 0, "let go")
    publish(bob, "$kaya/approve", command_id, 3)
    assert read_reason(bob)[1] == 0x87
    plant.witness.saw((VALVE, "open"))


@pytest.mark.parametrize("name", ["ann", "abe", "cy"])
def test_only_who_the_policy_lets_approves_there(plant, name):
    publish(plant.raw("ann"), VALVE)
    command_id, = plant.held()
    other = plant.raw(name)
    publish(other, "$kaya/approve", command_id, 2)
    assert read_reason(other)[:2] == (2, 0x87)
    assert plant.held() == [command_id]


def test_who_may_not_agree_hears_of_nothing_that_waits(plant):
    assert plant.client("ann").subscribe("$kaya/pending") == [0x87]
    assert plant.client("ann", "3.1.1").subscribe("$kaya/#") == [0x80]
    assert plant.client("bob").subscribe("$kaya/result/ann") == [0x87]


# ---- what else goes on


def test_the_rest_goes_on_and_acknowledgements_wait(plant, level):
    raw = plant.raw("ann", level)
    publish(raw, VALVE, packet_id=1)
    command_id, = plant.held()
    publish(raw, "free/a", "1", packet_id=2)
    publish(raw, "free/b", "2", packet_id=3, qos=2)
    plant.witness.saw(("free/a", "1"))
    no_answer(raw)
    publish(raw, VALVE, "close", packet_id=4)
    # The stop has overtaken it.
    assert raw.read_ack()[:2] == (0x40, 1)
    assert [raw.read_ack()[:2] for _ in range(3)] == \
        [(0x40, 2), (0x50, 3), (0x40, 4)]
    plant.witness.saw((VALVE, "close"))
    assert plant.ask("approve " + command_id)["error"]


def test_acknowledgements_come_in_the_order_of_the_publishes(plant, level):
    raw = plant.raw("ann", level)
    publish(raw, VALVE, packet_id=1)
    command_id, = plant.held()
    for packet_id in range(2, 60):
        publish(raw, "free/x", packet_id=packet_id, qos=1 + packet_id % 2)
    no_answer(raw)
    plant.ask("approve " + command_id)
    assert [raw.read_ack()[1] for _ in range(1, 60)] == list(range(1, 60))


def test_a_held_client_is_kept_alive_by_its_pings(plant):
    """The broker would end a client that is silent for 1.5 times 1 s."""
    raw = plant.raw("ann")
    client = Client(plant.port("ann"), LEVELS["3.1.1"])
    client.paho.disconnect()
    client.paho.loop_stop()
    client.paho.connect("127.0.0.1", plant.port("ann"), keepalive=1)
    client.paho.loop_start()
    assert client.wait("connack") == 0
    info = client.paho.publish(VALVE, "open", 1)
    command_id, = plant.held()
    end = time.monotonic() + 4
    while time.monotonic() < end:
        no_answer(raw)
        time.sleep(0.1)
    plant.ask("approve " + command_id)
    info.wait_for_publish(20)
    assert info.is_published()
    client.paho.loop_stop()


def test_a_second_one_is_refused(plant):
    raw = plant.raw("ann")
    result = listen(plant, "ann", "$kaya/result/ann")
    publish(raw, VALVE, packet_id=1)
    command_id, = plant.held()
    publish(raw, "plant/2/valve", packet_id=2)
    result.hears(id=None, topic="plant/2/valve", outcome="refused",
                 cause="1-of-n-control")
    assert plant.held() == [command_id]
    plant.ask("approve " + command_id)
    assert read_reason(raw)[:2] == (1, 0)
    assert read_reason(raw)[:2] == (2, 0x97)
    plant.witness.saw((VALVE, "open"))


def test_a_second_one_before_5_0_is_acknowledged_and_goes_nowhere(plant):
    raw = plant.raw("ann", "3.1.1")
    publish(raw, VALVE, packet_id=1)
    command_id, = plant.held()
    publish(raw, "plant/2/valve", qos=0)
    publish(raw, "plant/3/valve", packet_id=2)
    plant.kayad.wait_for_log("event=refuse .*topic=plant/3/valve")
    plant.ask("approve " + command_id)
    assert [raw.read_ack()[1] for _ in range(2)] == [1, 2]
    plant.witness.saw((VALVE, "open"))
    plant.witness.saw_nothing_else(plant.client("ann"))


# ---- outcomes


def test_a_denied_publish_is_acknowledged_and_its_client_stays(plant, level):
    raw = plant.raw("ann", level)
    result = listen(plant, "ann", "$kaya/result/ann", level)
    publish(raw, VALVE, packet_id=5)
    command_id, = plant.held()
    answer = plant.ask(f"deny {command_id} too early")
    assert answer["outcome"] == "denied"
    if level == "5.0":
        assert read_reason(raw) == (5, 0x87, f"denied by {ME}: too early")
    else:
        assert raw.read() == (0x40, b"\0\5")
    result.hears(id=command_id, outcome="denied", by=ME, reason="too early")
    publish(raw, "free/x", packet_id=6)
    assert raw.read_ack()[:2] == (0x40, 6)
    plant.witness.saw(("free/x", "open"))


def test_a_denied_publish_at_qos_2_ends_its_exchange(plant, level):
    raw = plant.raw("ann", level)
    publish(raw, VALVE, packet_id=5, qos=2)
    command_id, = plant.held()
    plant.ask("deny " + command_id)
    if level == "5.0":
        assert read_reason(raw)[:2] == (5, 0x87)
    else:
        assert raw.read() == (0x50, b"\0\5")
        raw.send(packet(0x62, b"\0\5"))
        assert raw.read() == (0x70, b"\0\5")
    plant.witness.saw_nothing_else(plant.client("ann"))


def test_the_publisher_may_call_it_off(plant):
    raw = plant.raw("ann")
    publish(raw, VALVE)
    command_id, = plant.held()
    plant.client("ann").publish("$kaya/deny", command_id)
    assert read_reason(raw) == (1, 0x87, "denied by ann")


def test_time_is_over(plant, level):
    raw = plant.raw("ann", level)
    result = listen(plant, "ann", "$kaya/result/ann")
    publish(raw, "plant/quick")
    command_id, = plant.held()
    told = result.hears(id=command_id, outcome="expired",
                        cause="time-limit-over", by=None)
    assert told["topic"] == "plant/quick"
    if level == "5.0":
        assert read_reason(raw) == (
            1, 0x87, "time-limit-over: nobody agreed in time")
    else:
        assert raw.read() == (0x40, b"\0\1")
    assert "not-selected" in plant.ask("approve " + command_id)["error"]
    assert plant.audit("expire")[0]["id"] == command_id
    plant.witness.saw_nothing_else(plant.client("ann"))


def test_a_publish_that_expires_first_is_held_no_longer(plant):
    raw = plant.raw("ann")
    publish(raw, VALVE, expiry=1)
    plant.kayad.wait_for_log("event=hold ")
    assert read_reason(raw) == (
        1, 0x87, "time-limit-over: nobody agreed in time")


# ---- one identity


def test_the_same_identity_by_another_session_is_the_same(plant):
    raw = plant.raw("both")
    publish(raw, VALVE)
    command_id, = plant.held()
    again = plant.raw("both")
    publish(again, "$kaya/approve", command_id, 2)
    assert read_reason(again) == (2, 0x87, "somebody else has to agree")
    assert plant.held() == [command_id]


def test_the_same_identity_by_another_key_is_the_same(plant):
    raw = plant.raw("both")
    publish(raw, VALVE)
    command_id, = plant.held()
    key = plant.folder / "another-key"
    plant.kayad.admit(peers.make_key(key), "both")
    tunnel = plant.stack.enter_context(Tunnel(plant.kayad, key))
    again = plant.stack.enter_context(Raw(tunnel.port, "5.0"))
    publish(again, "$kaya/approve", command_id, 2)
    assert read_reason(again) == (2, 0x87, "somebody else has to agree")
    assert plant.held() == [command_id]
    assert plant.audit("refuse-approve")[0]["cause"] == "same-identity"


def test_a_will_agrees_to_nothing(plant, level):
    publish(plant.raw("both"), VALVE)
    command_id, = plant.held()
    refused = plant.client("both", level, must_connect=False,
                           will=("$kaya/approve", command_id, 1))
    assert refused.code == (0x87 if level == "5.0" else 5)


def test_a_will_on_a_protected_topic_is_refused(plant, level):
    refused = plant.client("ann", level, must_connect=False,
                           will=(VALVE, "open", 1))
    assert refused.code == (0x87 if level == "5.0" else 5)
    plant.client("ann", level, will=(VALVE, "close", 1))


# ---- nothing is swapped


def test_an_alias_is_not_another_command(plant):
    """Its meaning is changed while it is held, at either end."""
    raw = plant.raw("ann")
    publish(raw, VALVE, "open", packet_id=1, alias=1)
    command_id, = plant.held()
    publish(raw, "free/x", "a", qos=0, alias=1)
    publish(raw, "", "b", qos=0, alias=1)
    plant.witness.saw(("free/x", "a"), ("free/x", "b"))
    plant.ask("approve " + command_id)
    plant.witness.saw((VALVE, "open"))
    publish(raw, "", "c", qos=0, alias=1)
    plant.witness.saw(("free/x", "c"))


def test_a_packet_id_that_is_held_is_used_for_nothing_else(plant, level):
    raw = plant.raw("ann", level)
    publish(raw, VALVE, packet_id=1)
    plant.held()
    publish(raw, "free/x", packet_id=1)
    with pytest.raises(AssertionError, match="closed"):
        raw.read()
    plant.kayad.wait_for_log("event=lose .*cause=abortion-by-comm")
    plant.witness.saw_nothing_else(plant.client("ann"))


def test_the_same_again_changes_nothing(plant, level):
    raw = plant.raw("ann", level)
    publish(raw, VALVE, packet_id=1)
    command_id, = plant.held()
    publish(raw, VALVE, packet_id=1, dup=True)
    no_answer(raw)
    assert plant.held() == [command_id]
    plant.ask("approve " + command_id)
    assert raw.read_ack()[:2] == (0x40, 1)
    plant.witness.saw((VALVE, "open"))
    plant.witness.saw_nothing_else(plant.client("ann"))


def test_what_was_lost_and_is_sent_again_is_stale(plant):
    """A client with a session sends it again when it comes back."""
    result = listen(plant, "ann", "$kaya/result/ann")
    raw = plant.raw("ann", "3.1.1")
    publish(raw, VALVE, packet_id=1, dup=True)
    assert raw.read() == (0x40, b"\0\1")
    result.hears(outcome="refused", cause="abortion-by-communication-loss",
                 topic=VALVE)
    plant.witness.saw_nothing_else(plant.client("ann"))


def test_nothing_retained_on_a_protected_topic(plant, level):
    raw = plant.raw("ann", level)
    publish(raw, VALVE, retain=True)
    kind, packet_id, code = raw.read_ack()
    assert (kind, packet_id) == (0x40, 1)
    assert code == (b"\x87" if level == "5.0" else b"")
    publish(raw, VALVE, "", retain=True, packet_id=2)
    assert raw.read_ack()[:2] == (0x40, 2)
    assert plant.pending() == []
    plant.witness.saw_nothing_else(plant.client("ann"))


def test_one_that_is_too_large_to_be_held_is_refused(plant):
    raw = plant.raw("ann")
    for packet_id, size in (1, 70_000), (2, 300_000):
        publish(raw, VALVE, "x" * size, packet_id=packet_id)
        assert read_reason(raw) == (
            packet_id, 0x97, "it is too large to be held")
    plant.witness.saw_nothing_else(plant.client("ann"))


def test_bytes_that_are_no_text_are_shown_by_their_digest(plant):
    ann = plant.client("ann")
    ann.paho.publish(VALVE, b"\0\1\xff", 1)
    command, = wait_until(plant.pending, "it is held")
    assert command["payload"] is None and command["bytes"] == 3
    assert command["payload_sha256"] == \
        hashlib.sha256(b"\0\1\xff").hexdigest()


# ---- safe states


def test_a_stop_is_never_held(plant, level):
    for payload in "close", "0":
        plant.client("ann", level).publish(VALVE, payload)
        plant.witness.saw((VALVE, payload))


def test_a_stop_of_another_session_overtakes_what_is_held(plant, level):
    result = listen(plant, "ann", "$kaya/result/ann")
    raw = plant.raw("ann", level)
    publish(raw, VALVE)
    command_id, = plant.held()
    bob = plant.client("bob")
    bob.publish(VALVE, "close")
    plant.witness.saw((VALVE, "close"))
    result.hears(id=command_id, outcome="superseded", cause="superseded")
    assert raw.read_ack()[:2] == (0x40, 1)
    assert plant.ask("approve " + command_id)["error"]
    plant.witness.saw_nothing_else(plant.client("ann"))


def test_a_stop_gets_through_a_rate_that_is_used_up(tmp_path):
    policy = POLICY.replace("publish: [\"plant/#\", \"free/#\", \"$kaya/deny\"]",
                            "publish: [\"plant/#\"]\n    rate: 1\n"
                            "    rate_interval: 1h")
    with contextlib.ExitStack() as stack:
        plant = Plant(tmp_path, stack, policy)
        ann = plant.client("ann")
        ann.publish("plant/other", "1")
        ann.publish("plant/other", "2")
        ann.publish(VALVE, "close")
        plant.witness.saw(("plant/other", "1"), (VALVE, "close"))


def test_a_topic_that_is_too_long_in_json_is_left_out_of_it(plant):
    """MQTT allows control characters: six letters each, in JSON."""
    topic = "plant/" + "\1" * 900 + "/valve"
    pending = listen(plant, "bob", "$kaya/pending")
    result = listen(plant, "ann", "$kaya/result/ann")
    raw = plant.raw("ann")
    publish(raw, topic)
    command_id, = plant.held()
    pending.hears(outcome="held", id=command_id, topic=None, payload=None)
    assert plant.pending()[0]["topic"] == topic
    publish(raw, topic, packet_id=2)
    result.hears(outcome="refused", id=None, topic=None,
                 cause="1-of-n-control")
    assert plant.ask("approve " + command_id)["outcome"] == "released"
    result.hears(outcome="released", id=command_id, topic=None)
    pending.hears(outcome="released", id=command_id, topic=None)


# ---- who asks too often


def test_who_floods_with_answers_is_answered_so_many(plant):
    """By all connections of the identity together; others go on."""
    began = time.monotonic()
    raws = [plant.raw("bob") for _ in range(4)]
    for packet_id in range(1, 101):
        for raw in raws:
            publish(raw, "$kaya/approve", "0123456789abcdef",
                    packet_id=packet_id)
    codes = [read_reason(raw)[1] for raw in raws for _ in range(100)]
    seconds = time.monotonic() - began
    assert set(codes) == {0x87, 0x97}, set(codes)
    assert codes.count(0x87) <= 64 + 20 * seconds + 1
    raw = plant.raw("ann")
    publish(raw, VALVE)
    command_id, = plant.held()
    plant.client("bea").publish("$kaya/approve", command_id)
    assert read_reason(raw)[:2] == (1, 0)
    plant.witness.saw((VALVE, "open"))


def test_who_asks_too_often_is_told_so(tmp_path):
    """Each of these costs a wait for the disk."""
    policy = POLICY.replace("break_glass: chief", "break_glass: operator")
    with contextlib.ExitStack() as stack:
        plant = Plant(tmp_path, stack, policy)
        raws = [plant.raw("ann") for _ in range(4)]
        for packet_id in range(1, 31):
            for raw in raws:
                publish(raw, VALVE, packet_id=packet_id)
        reasons = [read_reason(raw)[1:] for raw in raws for _ in range(30)]
        assert (0x97, "this identity asks more often than is answered") in \
            reasons
        plant.kayad.wait_for_log("event=refuse .*asks more often")
        # A stop is not one too many.
        publish(raws[0], VALVE, "close", packet_id=99)
        assert read_reason(raws[0])[:2] == (99, 0)


# ---- break-glass


def test_break_glass_passes_and_shouts(plant, level):
    plant.client("cy", level).publish(VALVE, "open")
    plant.witness.saw((VALVE, "open"))
    plant.kayad.wait_for_log(
        r" error approval event=break-glass .*publisher=cy")
    line, = plant.audit("break-glass")
    assert (line["publisher"], line["topic"], line["payload"]) == \
        ("cy", VALVE, "open")


# ---- twice


@pytest.mark.parametrize("first,second", [("ann", "bob"), ("bob", "ann")])
def test_two_publish_the_same(plant, level, first, second):
    one, two = plant.raw(first, level), plant.raw(second, level)
    publish(one, "plant/pair", "run")
    plant.held()
    no_answer(one)
    publish(two, "plant/pair", "run", packet_id=9, qos=1)
    assert one.read_ack()[:2] == (0x40, 1)
    kind, packet_id, code = two.read_ack()
    assert (kind, packet_id) == (0x40, 9) and code in (b"", b"\0")
    plant.witness.saw(("plant/pair", "run"))
    plant.witness.saw_nothing_else(plant.client("ann"))
    line, = plant.audit("release")
    assert (line["publisher"], line["by"]) == (first, second)


def test_another_payload_is_no_second(plant):
    publish(plant.raw("ann"), "plant/pair", "run")
    publish(plant.raw("bob"), "plant/pair", "walk")
    plant.held(2)
    plant.witness.saw_nothing_else(plant.client("ann"))


def test_one_who_publishes_twice_is_one(plant):
    publish(plant.raw("both"), "plant/pair", "run")
    command_id, = plant.held()
    again = plant.raw("both")
    publish(again, "plant/pair", "run")
    assert read_reason(again) == (1, 0x87, "somebody else has to agree")
    answer = plant.ask("approve " + command_id)
    assert "inconsistent-parameters" in answer["error"] and answer["hint"]


def test_the_first_of_two_that_leaves_is_no_first(plant):
    one = plant.raw("ann")
    publish(one, "plant/pair", "run")
    plant.held()
    one.socket.close()
    wait_until(lambda: plant.pending() == [], "it is lost")
    publish(plant.raw("bob"), "plant/pair", "run")
    plant.held()
    plant.witness.saw_nothing_else(plant.client("ann"))


# ---- permissive


def test_a_publish_passes_while_anothers_permit_lives(plant, level):
    ann, bob = plant.raw("ann", level), plant.client("bob", level)

    def turn(packet_id):
        publish(ann, "plant/lock", "turn", packet_id)
        kind, answered, code = ann.read_ack()
        assert (kind, answered) == (0x40, packet_id)
        return code in (b"", b"\0")

    result = listen(plant, "ann", "$kaya/result/ann")
    turn(1)
    result.hears(outcome="refused", cause="blocked-by-interlocking")
    bob.publish("plant/permit", "on")
    plant.kayad.wait_for_log("event=permit ")
    turn(2)
    result.hears(outcome="released", by="bob")
    plant.witness.saw(("plant/permit", "on"), ("plant/lock", "turn"))
    bob.publish("plant/permit", "off")
    plant.kayad.wait_for_log("event=permit-end .*cause=abortion-by-cancel")
    turn(3)
    result.hears(outcome="refused", cause="blocked-by-interlocking")
    plant.witness.saw(("plant/permit", "off"))
    plant.witness.saw_nothing_else(plant.client("ann"))


def test_many_pass_at_once_while_a_permit_lives(plant, level):
    plant_bob = plant.client("bob")
    plant_bob.publish("plant/permit", "on")
    plant.kayad.wait_for_log("event=permit ")
    ann = plant.raw("ann", level)
    for packet_id in range(1, 21):
        publish(ann, "plant/lock", str(packet_id), packet_id)
    acks = [ann.read_ack() for _ in range(20)]
    assert [ack[1] for ack in acks] == list(range(1, 21))
    plant.witness.saw(("plant/permit", "on"),
                      *[("plant/lock", str(i)) for i in range(1, 21)])


def test_a_permit_is_lost_with_its_givers_session(plant):
    ann = plant.raw("ann")
    bob = plant.raw("bob")
    publish(bob, "plant/permit", "on")
    plant.kayad.wait_for_log("event=permit ")
    bob.socket.close()
    plant.kayad.wait_for_log("event=permit-end .*communication-loss")
    publish(ann, "plant/lock")
    assert read_reason(ann)[1] == 0x87


def test_a_permit_ends_with_its_time(tmp_path):
    policy = POLICY.replace("    permit_topic: plant/permit\n    within: 60s",
                            "    permit_topic: plant/permit\n    within: 1s")
    with contextlib.ExitStack() as stack:
        plant = Plant(tmp_path, stack, policy)
        plant.client("bob").publish("plant/permit", "on")
        plant.kayad.wait_for_log("event=permit-end .*time-limit-over")
        ann = plant.raw("ann")
        publish(ann, "plant/lock")
        assert read_reason(ann)[1] == 0x87


def test_one_permits_nothing_for_himself(plant):
    plant.client("both").publish("plant/permit", "on")
    plant.kayad.wait_for_log("event=permit ")
    both = plant.raw("both")
    publish(both, "plant/lock")
    assert read_reason(both) == (
        1, 0x87, "no permit of another identity is live")


def test_who_may_not_agree_permits_nothing(plant):
    plant.client("abe").publish("plant/permit", "on")
    ann = plant.raw("ann")
    publish(ann, "plant/lock")
    assert read_reason(ann)[1] == 0x87
    assert not plant.kayad.logged("event=permit ")


# ---- fail-safe


def test_the_publishers_loss_moves_nothing(plant, level):
    raw = plant.raw("ann", level)
    result = listen(plant, "ann", "$kaya/result/ann")
    publish(raw, VALVE)
    command_id, = plant.held()
    raw.socket.close()
    result.hears(id=command_id, outcome="lost",
                 cause="abortion-by-communication-loss")
    assert "not-selected" in plant.ask("approve " + command_id)["error"]
    plant.kayad.wait_for_log(f"event=lose id={command_id} .*why=")
    plant.witness.saw_nothing_else(plant.client("ann"))


def test_a_good_bye_loses_what_was_held(plant, level):
    """A publish at QoS 0, and DISCONNECT behind it."""
    gone = pub(plant.port("ann"), VALVE, "open", level=level, qos=0)
    assert gone.wait(20) == 0
    plant.kayad.wait_for_log("event=lose ")
    assert plant.pending() == []
    plant.witness.saw_nothing_else(plant.client("ann"))


def test_the_loss_of_the_whole_session_moves_nothing(plant):
    raw = plant.raw("ann")
    publish(raw, VALVE)
    command_id, = plant.held()
    plant.tunnels.pop("ann").stop()
    wait_until(lambda: plant.pending() == [], "it is lost")
    assert plant.audit("lose")[0]["id"] == command_id


def test_the_brokers_loss_moves_nothing(plant):
    raw = plant.raw("ann")
    publish(raw, VALVE)
    command_id, = plant.held()
    plant.broker.stop()
    wait_until(lambda: plant.pending() == [], "it is lost")
    assert plant.ask("approve " + command_id)["error"]


@pytest.fixture
def narrow(tmp_path):
    """The way to the broker is a UNIX socket: little fits into it."""
    folder = tmp_path / "broker"
    folder.mkdir()
    folder.chmod(0o777)  # mosquitto becomes another user
    path = folder / "socket"
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(peers.Mosquitto(
            folder, extra=f"listener 0 {path}"))
        path.chmod(0o777)
        yield Plant(tmp_path, stack, broker=broker, address=path)


def test_a_broker_that_stands_still_gets_nothing_late(narrow):
    """What it does not take is not in a queue when its time is over."""
    plant = narrow
    raw = plant.raw("ann")
    publish(raw, VALVE)
    command_id, = plant.held()
    plant.broker.signal(signal.SIGSTOP)
    try:
        flood(raw)
        answer = plant.ask("approve " + command_id)
        # It is kept back when its time is over, not when the broker reads.
        assert (answer["outcome"], answer["cause"]) == \
            ("expired", "time-limit-over"), answer
        assert read_reason(raw)[:2] in ((1, 0x80), (1, 0x87))
    finally:
        plant.broker.signal(signal.SIGCONT)
    fence = plant.client("abe")
    fence.publish("free/fence", "fence")
    while (message := plant.witness.messages.get(timeout=20)).topic != \
            "free/fence":
        assert message.topic == "free/flood"


def test_a_stop_overtakes_what_may_go_already(narrow):
    """It was agreed to, and waits for a broker that stands still."""
    plant = narrow
    raw, bob = plant.raw("ann"), plant.raw("bob")
    publish(raw, VALVE)
    command_id, = plant.held()
    plant.broker.signal(signal.SIGSTOP)
    try:
        flood(raw)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            agreed = pool.submit(plant.ask, "approve " + command_id)
            plant.kayad.wait_for_log("event=release ")
            publish(bob, VALVE, "close", qos=0)
            # The gateway has seen it when it answers on its own.
            publish(bob, "$kaya/approve", "none", packet_id=1)
            assert read_reason(bob)[1] == 0x87
            plant.broker.signal(signal.SIGCONT)
            answer = agreed.result(30)
    finally:
        plant.broker.signal(signal.SIGCONT)
    # In 3 s; on a machine that is slower than that it is too late for both.
    assert answer["outcome"] in ("superseded", "lost", "expired"), answer
    plant.client("abe").publish("free/fence", "fence")
    seen = set()
    while (message := plant.witness.messages.get(timeout=20)).topic != \
            "free/fence":
        seen.add((message.topic, message.payload[:9]))
    assert seen == {("free/flood", b"x" * 9), (VALVE, b"close")}


def flood(raw):
    """Publish until nothing more is taken, for seconds, at any place."""
    body = text("free/flood") + b"\0" * (raw.level == 5) + b"x" * 60000
    data = packet(0x30, body) * 500  # more than all sockets between hold
    raw.socket.settimeout(3)
    with contextlib.suppress(TimeoutError):
        while data:
            data = data[raw.socket.send(data):]
    assert data, "the broker takes it all"


def child_of(plant):
    """The process that has the connections."""
    _, child = plant.kayad.children()
    return child


def agreed_to_while_it_stands_still(plant, level="5.0"):
    """A command whose release its connection has not heard of yet."""
    raw = plant.raw("ann", level)
    publish(raw, VALVE)
    command_id, = plant.held()
    os.kill(child_of(plant), signal.SIGSTOP)
    pool = concurrent.futures.ThreadPoolExecutor(1)
    return raw, command_id, pool.submit(plant.ask, "approve " + command_id)


def test_of_what_nobody_reports_the_audit_says_unknown(plant):
    """And in truth it stays where it is, for its time is over then."""
    raw, command_id, agreed = agreed_to_while_it_stands_still(plant)
    try:
        answer = agreed.result(30)
    finally:
        os.kill(child_of(plant), signal.SIGCONT)
    assert (answer["outcome"], answer["cause"], answer["by"]) == \
        ("unknown", "unknown", ME), answer
    assert [line["event"] for line in plant.audit(
        "hold", "approve", "release", "unknown", "lose", "expire")] == \
        ["hold", "approve", "release", "unknown"]
    assert read_reason(raw)[:2] in ((1, 0x80), (1, 0x87))
    plant.witness.saw_nothing_else(plant.client("abe"))


def test_who_agreed_is_told_when_the_gateway_ends_in_between(plant):
    raw, command_id, agreed = agreed_to_while_it_stands_still(plant)
    plant.kayad.wait_for_log("event=release ")
    os.kill(child_of(plant), signal.SIGKILL)
    answer = agreed.result(30)
    assert (answer["id"], answer["outcome"]) == (command_id, "unknown")
    assert plant.kayad.wait() == 1
    line, = plant.audit("unknown")
    assert line["id"] == command_id
    assert not plant.audit("lose", "revoke")
    with Client(plant.broker.port, LEVELS["3.1.1"]) as direct:
        plant.witness.saw_nothing_else(direct)


def test_what_is_held_when_the_gateway_breaks_is_lost(plant):
    raw = plant.raw("ann")
    publish(raw, VALVE)
    command_id, = plant.held()
    os.kill(child_of(plant), signal.SIGKILL)
    assert plant.kayad.wait() == 1
    line, = plant.audit("lose")
    assert line["id"] == command_id


def test_another_policy_moves_nothing(plant, level):
    result = listen(plant, "ann", "$kaya/result/ann")
    raw = plant.raw("ann", level)
    publish(raw, VALVE)
    command_id, = plant.held()
    plant.change_policy(POLICY.replace("within: 60s", "within: 59s"))
    result.hears(id=command_id, outcome="revoked", cause="policy-changed")
    if level == "5.0":
        assert read_reason(raw) == (
            1, 0x87, "policy-changed: the policy was changed meanwhile")
    else:
        assert raw.read() == (0x40, b"\0\1")
    plant.kayad.wait_for_log(f"event=revoke id={command_id}")
    publish(raw, VALVE, packet_id=2)
    assert plant.held() != [command_id]


def test_other_keys_are_no_other_policy(plant):
    """A device is let in meanwhile: what is held stays so."""
    raw = plant.raw("ann")
    publish(raw, VALVE)
    command_id, = plant.held()
    plant.port("abe")
    plant.ask("approve " + command_id)
    assert read_reason(raw)[:2] == (1, 0)


def test_a_permit_does_not_outlive_its_policy(plant):
    bob = plant.client("bob")
    bob.publish("plant/permit", "on")
    plant.kayad.wait_for_log("event=permit ")
    plant.change_policy(POLICY.replace("within: 1s", "within: 2s"))
    plant.kayad.wait_for_log("event=permit-end .*policy-changed")
    ann = plant.raw("ann")
    publish(ann, "plant/lock")
    assert read_reason(ann)[1] == 0x87


def test_the_end_of_kayad_moves_nothing(plant, level):
    raw = plant.raw("ann", level)
    publish(raw, VALVE)
    plant.held()
    plant.kayad.signal(signal.SIGTERM)
    if level == "5.0":
        assert read_reason(raw) == (
            1, 0x80, "gateway-stopping: the gateway is being stopped")
    else:
        assert raw.read() == (0x40, b"\0\1")
    assert plant.kayad.wait() == 0
    assert plant.audit("revoke")[0]["cause"] == "gateway-stopping"
    publish_directly = Client(plant.broker.port, LEVELS["3.1.1"])
    with publish_directly:
        plant.witness.saw_nothing_else(publish_directly)


def test_an_id_of_before_a_restart_selects_nothing(tmp_path):
    with contextlib.ExitStack() as stack:
        plant = Plant(tmp_path, stack)
        publish(plant.raw("ann"), VALVE)
        command_id, = plant.held()
        plant.kayad.process.kill()
        plant.kayad.wait()
        again = stack.enter_context(
            peers.Kayad(tmp_path, config=plant.kayad.config.read_text()))
        plant.kayad = again
        assert plant.pending() == []
        assert "not-selected" in plant.ask("approve " + command_id)["error"]


def test_one_identity_cannot_fill_the_table(plant):
    raws = [plant.raw("ann") for _ in range(17)]
    for raw in raws:
        publish(raw, VALVE)
    plant.held(16)
    refused = [raw for raw in raws if has_input(raw)]
    assert len(refused) == 1
    assert read_reason(refused[0])[:2] == (1, 0x97)


CROWD = """\
roles:
  - {name: operator, publish: plant/valve, subscribe: "$kaya/result/%i"}
  - {name: fence, publish: "free/#"}
  - {name: supervisor, publish: $kaya/approve}
identities:
  - {names: "*", roles: operator}
  - {names: [ann, abe], roles: fence}
  - {names: bob, roles: supervisor}
approval:
  - {name: valves, topics: plant/valve, by: supervisor, within: 600s}
"""


@pytest.fixture
def many_files():
    """For stock programs that are started here: a login grants 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip(f"no more than {hard} open files are granted here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_full_table_holds_no_more_and_moves_nothing(tmp_path, many_files):
    """64 identities of 16 commands each; then comes one more."""
    connect = packet(0x10, b"\0\4MQTT\5\2\0\x3c\0" + text(""))
    asks = connect + publish_bytes(5, "plant/valve", 1, b"open")
    with contextlib.ExitStack() as stack:
        plant = Plant(tmp_path, stack, CROWD)
        keys = [rawssh.Key() for _ in range(64)]
        plant.kayad.admit("\n".join(
            f'environment="KAYA_ID=dev-{i}" {key.line()}'
            for i, key in enumerate(keys)), options="")
        for key in keys:
            client = stack.enter_context(rawssh.Client(plant.kayad.port))
            client.login(key)
            channels = [client.open(number=number)[0]
                        for number in range(16)]
            for channel in channels:
                client.data(channel, asks)
        wait_until(lambda: plant.kayad.log().count("event=hold ") == 1024,
                   "the table is full", 60)
        late = plant.raw("late")
        publish(late, "plant/valve")
        assert read_reason(late)[:2] == (1, 0x97)
        plant.kayad.wait_for_log("cause=table-full")
        plant.witness.saw_nothing_else(plant.client("abe"))


def has_input(raw):
    raw.socket.settimeout(0.05)
    try:
        return raw.socket.recv(1, socket.MSG_PEEK) != b""
    except TimeoutError:
        return False
    finally:
        raw.socket.settimeout(20)


def test_a_full_disk_lets_nothing_go_but_a_stop(tmp_path, small_disk):
    with contextlib.ExitStack() as stack:
        plant = Plant(tmp_path, stack,
                      config=f"audit: {{file: {small_disk}/audit.log}}\n")
        ann, cy = plant.raw("ann"), plant.raw("cy")
        publish(ann, VALVE, "before", packet_id=1)
        command_id, = plant.held()
        filler = fill(small_disk)
        other = plant.raw("abe")
        # Until the rest of the last page is full, lines go in.
        for packet_id in range(1, 100):
            publish(other, VALVE, "never", packet_id)
            if not (refused := has_input(other)):
                publish(other, "$kaya/deny", plant.held(2)[1], qos=0)
            answer = read_reason(other)
            if refused:
                break
        assert answer == (packet_id, 0x80, "the audit cannot be written, "
                          "and so nothing is let go")
        assert "audit-failed" in plant.ask("approve " + command_id)["error"]
        assert plant.held() == [command_id]
        publish(cy, VALVE, "break", packet_id=1)
        assert read_reason(cy)[:2] == (1, 0x80)
        publish(cy, "plant/2/valve", "close", packet_id=2)
        assert read_reason(cy)[:2] == (2, 0)
        plant.witness.saw(("plant/2/valve", "close"))
        plant.kayad.wait_for_log(" error approval event=audit-failed")
        filler.unlink()
        assert plant.ask("approve " + command_id)["outcome"] == "released"
        plant.witness.saw((VALVE, "before"))


def test_a_stop_and_an_agreement_at_the_same_moment(plant):
    """Whichever comes first: it goes out once, or never, and all agree."""
    raw, bob = plant.raw("ann"), plant.raw("bob")
    witness, sent = plant.witness, 0
    for turn in range(1, 61):
        publish(raw, VALVE, f"open {turn}", packet_id=turn)
        command_id, = plant.held()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            agreed = pool.submit(plant.ask, "approve " + command_id)
            time.sleep(turn % 10 / 1000)  # now before, now after the disk
            publish(bob, VALVE, "close", packet_id=turn)
            assert bob.read_ack()[:2] == (0x40, turn)
            answer = agreed.result(30)
        code = read_reason(raw)[1]
        released = answer.get("outcome") == "released"
        assert (code == 0) == released, (answer, code)
        sent += released
    plant.client("abe").publish("free/fence", "fence")
    seen = []
    while (message := witness.messages.get(timeout=20)).topic != "free/fence":
        seen.append(message.payload.decode())
    assert seen.count("close") == 60
    assert len(set(seen)) == sent + 1 and len(seen) == sent + 60
    ends = plant.audit("lose", "supersede", "expire", "revoke")
    assert len(ends) == 60 - sent


def test_nobody_agrees_who_is_nobody(plant):
    assert plant.ask("approve")["error"]
    assert plant.ask("approve ../../etc")["error"]
    assert plant.ask("deny")["error"]
    assert plant.ask("pending")["pending"] == []


def test_an_approval_through_ssh(plant):
    """At the target control.kaya, by a key of the role."""
    publish(plant.raw("ann"), VALVE)
    command_id, = plant.held()
    plant.port("bob")
    asked = subprocess.run(
        ["ssh", "-F", "none", "-i", str(plant.folder / "key-bob"), "-p",
         str(plant.kayad.port), "-o", "IdentitiesOnly=yes", "-o",
         "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
         "-o", "BatchMode=yes", "-W", "control.kaya:1", "any@127.0.0.1"],
        input=f"approve {command_id}\n", capture_output=True, text=True,
        timeout=30)
    answer = json.loads(asked.stdout)
    assert (answer["outcome"], answer["by"]) == ("released", "bob")
    plant.witness.saw((VALVE, "open"))


def test_a_broker_cannot_speak_for_the_gateway(plant):
    """Who is behind the gateway publishes on its topics: nobody hears it."""
    pending = listen(plant, "bob", "$kaya/pending")
    with Client(plant.broker.port, LEVELS["3.1.1"]) as outside:
        outside.publish("$kaya/pending", "{}")
        outside.publish("$kaya/approve", "0123456789abcdef")
    pending.hears_nothing()


# ---- behind it: RabbitMQ


@pytest.mark.xdist_group("rabbit")
def test_before_rabbitmq(tmp_path, rabbit):
    with contextlib.ExitStack() as stack:
        plant = Plant(tmp_path, stack, broker=rabbit)
        for qos in 0, 1:
            ann = plant.client("ann", "3.1.1")
            info = ann.paho.publish(VALVE, f"open {qos}", qos)
            command_id, = plant.held()
            plant.client("bob", "3.1.1").publish("$kaya/approve", command_id)
            info.wait_for_publish(20)
            plant.witness.saw((VALVE, f"open {qos}"))
            info = ann.paho.publish(VALVE, "never", qos)
            plant.ask("deny " + plant.held()[0])
            info.wait_for_publish(20)
            ann.publish(VALVE, "close", qos)
            plant.witness.saw((VALVE, "close"))

