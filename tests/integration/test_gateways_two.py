"""Two gateways before one broker: an approval that is given at one counts at
the other; stock clients in front, a real mosquitto behind."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

import peers
from approvals import ME, Listener, publish, read_reason
from mqttclients import LEVELS, Client
from peers import wait_until
from tunnels import channels
from twins import Twins, Witness

VALVE = "plant/1/valve"


@pytest.fixture
def both(tmp_path):
    with contextlib.ExitStack() as stack:
        yield Twins(tmp_path, stack)


@pytest.fixture(params=["north", "south"])
def holder(request):
    """Either of them."""
    return request.param


def hold(twin, name="ann", topic=VALVE, packet_id=1):
    """Somebody asks for a command there; his connection, and its id."""
    before = {command["id"] for command in twin.pending()}
    raw = twin.raw(name, "3.1.1")
    publish(raw, topic, packet_id=packet_id)
    fresh = wait_until(
        lambda: [command["id"] for command in twin.pending()
                 if command["id"] not in before and
                 command["gateway"] is None],
        "it is held")
    return raw, fresh[0]


# ---- one at each


def test_what_one_holds_is_pending_at_the_other(both, holder):
    _, command_id = hold(both[holder])
    shown = both[both.other(holder)].shows(command_id)
    assert shown["gateway"] == holder
    assert (shown["topic"], shown["payload"], shown["publisher"],
            shown["rule"], shown["qos"], shown["bytes"]) == \
        (VALVE, "open", "ann", "valves", 1, 4)
    assert shown["may_i"] is True
    assert 0 < shown["left_ms"] <= 60000
    own = both[holder].shows(command_id)
    assert own["gateway"] is None
    assert own["payload_sha256"] == shown["payload_sha256"]


def test_a_yes_at_one_lets_go_at_the_other(both, holder):
    raw, command_id = hold(both[holder])
    other = both[both.other(holder)]
    other.shows(command_id)
    answer = other.ask("approve " + command_id)
    assert answer["outcome"] == "released", answer
    assert (answer["topic"], answer["publisher"], answer["by"]) == \
        (VALVE, "ann", ME)
    both.witness.saw((VALVE, "open"))
    assert raw.read_ack()[:2] == (0x40, 1)
    wait_until(lambda: other.pending() == [], "it is over there, too")
    both.witness.saw_nothing_else(both["north"].client("abe"))
    line, = both[holder].audit("release")
    assert line["by"] == ME
    line, = both[holder].audit("peer-word")
    assert (line["gateway"], line["identity"], line["id"]) == \
        (both.other(holder), ME, command_id)


def test_a_no_at_one_denies_at_the_other(both, holder):
    raw, command_id = hold(both[holder])
    other = both[both.other(holder)]
    other.shows(command_id)
    answer = other.ask(f"deny {command_id} not before noon")
    assert answer["outcome"] == "denied", answer
    assert raw.read_ack()[:2] == (0x40, 1)
    both.witness.saw_nothing_else(both["north"].client("abe"))
    line, = both[holder].audit("deny")
    assert line["reason"] == "not before noon"


def test_plain_clients_of_one_hear_and_approve_what_the_other_holds(both):
    north, south = both["north"], both["south"]
    pending = south.stack.enter_context(
        Listener(south.port("bob"), "5.0", "$kaya/pending"))
    raw, command_id = hold(north)
    told = pending.hears(outcome="held", id=command_id, gateway="north",
                         topic=VALVE, payload="open", publisher="ann")
    bob = south.client("bob")
    bob.publish("$kaya/approve", told["id"])
    both.witness.saw((VALVE, "open"))
    assert raw.read_ack()[:2] == (0x40, 1)
    pending.hears(outcome="released", id=command_id, by="bob",
                  gateway="north")


def test_the_same_identity_at_two_gateways_is_one(both):
    north, south = both["north"], both["south"]
    _, command_id = hold(north, "both")
    south.shows(command_id)
    # 5.0 says so; and nothing is let go.
    info = south.client("both").paho.publish("$kaya/approve", command_id, 1)
    info.wait_for_publish(20)
    both.witness.saw_nothing_else(north.client("abe"))
    assert north.held() == [command_id]


def test_who_may_not_agree_may_not_at_the_other_either(both):
    _, command_id = hold(both["north"])
    south = both["south"]
    south.shows(command_id)
    south.client("abe").publish("free/there", "x")
    both.witness.saw(("free/there", "x"))
    info = south.client("abe").paho.publish("$kaya/deny", command_id, 1)
    info.wait_for_publish(20)
    both.witness.saw_nothing_else(south.client("abe"))
    assert both["north"].held() == [command_id]


def test_both_hold_commands_of_one_topic(both):
    raws, ids = {}, {}
    for name in ("north", "south"):
        raws[name], ids[name] = hold(both[name])
    for name in ("north", "south"):
        wait_until(lambda n=name: len(both[n].pending()) == 2,
                   "both are pending at both")
    # Each at the other one, and each once.
    for name in ("north", "south"):
        answer = both[both.other(name)].ask("approve " + ids[name])
        assert answer["outcome"] == "released", answer
        both.witness.saw((VALVE, "open"))
        assert raws[name].read_ack()[:2] == (0x40, 1)
    both.witness.saw_nothing_else(both["north"].client("abe"))


def test_two_yeses_at_once_let_go_once(both):
    _, command_id = hold(both["north"])
    both["south"].shows(command_id)
    answers = []
    asking = [threading.Thread(
        target=lambda n=name: answers.append(
            both[n].ask("approve " + command_id)))
        for name in ("north", "south")]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(30)
    both.witness.saw((VALVE, "open"))
    both.witness.saw_nothing_else(both["north"].client("abe"))
    assert any(answer.get("outcome") == "released" for answer in answers)


def test_a_stop_at_one_ends_what_the_other_holds(both, holder):
    raw, command_id = hold(both[holder])
    other = both[both.other(holder)]
    other.shows(command_id)
    other.client("abe").publish(VALVE, "close")
    both.witness.saw((VALVE, "close"))
    assert raw.read_ack()[:2] == (0x40, 1)
    wait_until(lambda: both[holder].pending() == [], "it is superseded")
    both.witness.saw_nothing_else(both["north"].client("abe"))
    line, = both[holder].audit("supersede")
    assert line["id"] == command_id


def kaya(*words):
    return subprocess.run([peers.KAYA, *words], capture_output=True,
                          text=True, timeout=60)


def test_kaya_shows_and_approves_what_the_other_one_holds(both):
    north, south = both["north"], both["south"]
    raw, command_id = hold(north)
    south.shows(command_id)
    state = ("--state", south.kayad.state)
    done = kaya("pending", *state)
    assert done.returncode == 0, done.stderr
    assert "held at north" in done.stdout, done.stdout
    done = kaya("approve", *state, command_id)
    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stdout.endswith("\nreleased\n")
    assert raw.read_ack()[:2] == (0x40, 1)
    both.witness.saw((VALVE, "open"))
    done = kaya("status", *state)
    assert "gateway north: heard" in done.stdout, done.stdout + done.stderr


def test_a_gateway_is_named_and_forgotten_without_a_restart(both):
    north, south = both["north"], both["south"]
    _, command_id = hold(south)
    north.shows(command_id)
    config = north.kayad.config.read_text()
    north.kayad.config.write_text(config[:config.index("gateway:")])
    north.kayad.signal(signal.SIGHUP)
    wait_until(lambda: north.state() is None, "it knows of no other")
    assert north.pending() == []
    wait_until(lambda: not south.hears("north"), "it is silent")
    north.kayad.config.write_text(config)
    north.kayad.signal(signal.SIGHUP)
    north.shows(command_id)
    assert north.ask("approve " + command_id)["outcome"] == "released"
    both.witness.saw((VALVE, "open"))


# ---- the topics between them


@pytest.mark.parametrize("level", LEVELS)
def test_no_client_of_a_gateway_gets_at_what_they_say(tmp_path, level):
    policy_of_all = """\
roles: [{name: all, publish: "#", subscribe: "#", retain: yes}]
identities: [{names: "*", roles: all}]
"""
    with contextlib.ExitStack() as stack:
        both = Twins(tmp_path, stack)
        north = both["north"]
        north.change_policy(policy_of_all)
        client = north.client("eve", level)
        # Which the broker would grant, and 5.0 says so.
        assert client.subscribe("kaya/gateway/#")[0] >= 0x80
        assert client.subscribe("kaya/gateway/south")[0] >= 0x80
        assert client.subscribe("kaya/gateway/+")[0] >= 0x80
        # Wider ones are granted, and do not reach there.
        assert client.subscribe("#", "kaya/#", "+/gateway/+")[0] <= 2
        said = len(both.witness.said)
        client.publish("kaya/gateway/south", "let me in")
        client.publish("kaya/other", "fence")
        assert client.messages.get(timeout=20).topic == "kaya/other"
        wait_until(lambda: len(both.witness.said) > said,
                   "the gateways go on")
        assert b"let me in" not in [what for _, what in both.witness.said]
        client.publish("kaya/other", "fence")
        while not client.messages.empty():
            assert not client.messages.get().topic.startswith("kaya/gateway")


def forge(port, topic, payloads):
    """A plain client of the broker says all this."""
    with Client(port, LEVELS["3.1.1"]) as client:
        for payload in payloads:
            client.paho.publish(topic, payload, 0)
        client.publish(topic, b"", 1)


def test_a_client_of_the_broker_forges_nothing(both):
    north, south = both["north"], both["south"]
    _, command_id = hold(north)
    south.shows(command_id)
    # A word that was said, with its signature, and every byte of it changed.
    south.ask("approve " + command_id)
    both.witness.saw((VALVE, "open"))
    words = [what for topic, what in both.witness.said
             if topic == "kaya/gateway/north" and b"valves" not in what]
    _, command_id = hold(north, "abe")
    south.shows(command_id)
    changed = []
    for word in words[-3:]:
        for i in range(0, len(word), 5):
            changed.append(word[:i] + bytes([word[i] ^ 1]) + word[i + 1:])
    forge(both.broker.port, "kaya/gateway/north",
          [b"approve " + command_id.encode(), *changed])
    north.kayad.wait_for_log("peers event=refuse")
    both.witness.saw_nothing_else(north.client("ann"))
    assert north.held() == [command_id]


def test_a_client_of_the_broker_repeats_what_was_said_in_vain(both):
    north, south = both["north"], both["south"]
    raw, first = hold(north)
    south.shows(first)
    south.ask("approve " + first)
    both.witness.saw((VALVE, "open"))
    raw.read_ack()
    _, second = hold(north)
    south.shows(second)
    for name in ("north", "south"):
        said = [what for topic, what in both.witness.said
                if topic == "kaya/gateway/" + name]
        forge(both.broker.port, "kaya/gateway/" + name, said + said[::-1])
    both.witness.saw_nothing_else(north.client("abe"))
    assert north.held() == [second]
    # And they still understand each other.
    both.wait_until_they_know_each_other()
    assert south.ask("approve " + second)["outcome"] == "released"


def test_a_flood_on_the_topics_stops_nothing_here(both):
    north, south = both["north"], both["south"]
    stop = threading.Event()

    def flood():
        with Client(both.broker.port, LEVELS["3.1.1"]) as client:
            while not stop.is_set():
                for _ in range(200):
                    client.paho.publish("kaya/gateway/north", b"x" * 900, 0)
                time.sleep(0.01)

    flooding = threading.Thread(target=flood)
    flooding.start()
    try:
        north.kayad.wait_for_log("peers event=flood")
        # What is approved here goes on as ever.
        raw, command_id = hold(north)
        assert north.ask("approve " + command_id)["outcome"] == "released"
        assert raw.read_ack()[:2] == (0x40, 1)
    finally:
        stop.set()
        flooding.join(30)
    both.wait_until_they_know_each_other()
    _, command_id = hold(north)
    south.shows(command_id)
    assert south.ask("approve " + command_id)["outcome"] == "released"


# ---- what breaks


def test_a_holder_that_is_killed_lets_nothing_go(both):
    north, south = both["north"], both["south"]
    _, command_id = hold(north)
    south.shows(command_id)
    for pid in north.kayad.children():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    answer = south.ask("approve " + command_id)
    assert answer["code"] == "unreachable" and "north" in answer["error"], \
        answer
    assert "hint" in answer
    north.kayad.stop()
    fresh = both.start("north")
    both.wait_until_they_know_each_other()
    assert fresh.pending() == []
    wait_until(lambda: south.pending() == [], "it is forgotten")
    assert "error" in south.ask("approve " + command_id)
    both.witness.saw_nothing_else(fresh.client("abe"))
    # A new one is a new one.
    _, command_id = hold(fresh, "abe")
    south.shows(command_id)
    assert south.ask("approve " + command_id)["outcome"] == "released"
    both.witness.saw((VALVE, "open"))


def test_an_approver_that_was_restarted_learns_what_is_held(both):
    north, south = both["north"], both["south"]
    _, command_id = hold(north)
    south.shows(command_id)
    south.kayad.stop()
    fresh = both.start("south")
    fresh.shows(command_id)
    assert fresh.ask("approve " + command_id)["outcome"] == "released"
    both.witness.saw((VALVE, "open"))


def twins_by_relays(tmp_path, stack):
    """Two that reach their broker by relays; the first one's is relays[0]."""
    relays = []

    def via(port):
        relays.append(stack.enter_context(peers.Relay(port)))
        return relays[0].port

    return Twins(tmp_path, stack, via=via), relays


def test_without_the_broker_nothing_is_moved_and_all_goes_on_after_it(
        tmp_path):
    with contextlib.ExitStack() as stack:
        both, relays = twins_by_relays(tmp_path, stack)
        north, south = both["north"], both["south"]
        _, command_id = hold(north)
        south.shows(command_id)
        relays[0].stalled.set()
        answer = south.ask("approve " + command_id)
        assert answer["code"] == "unreachable", answer
        # The word may be on its way: cut it off, with everything else.
        relays[0].stop()
        wait_until(lambda: south.state()["connected"] is False and
                   north.state()["connected"] is False, "both have noticed")
        relays[0].open()
        both.wait_until_they_know_each_other()
        # Its publisher's connection went through the relay, too.
        wait_until(lambda: north.pending() == [], "it is lost")
        both.witness.saw_nothing_else(north.client("abe"))
        _, command_id = hold(north)
        south.shows(command_id)
        assert south.ask("approve " + command_id)["outcome"] == "released"
        both.witness.saw((VALVE, "open"))


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_broker_that_is_started_again_brings_them_together_again(both, how):
    north, south = both["north"], both["south"]
    _, first = hold(north)
    _, second = hold(south, "abe")
    south.shows(first)
    north.shows(second)
    both.broker.signal(how)
    both.broker.wait()
    for name in ("north", "south"):
        wait_until(lambda n=name: both[n].state()["connected"] is False,
                   f"{name} has noticed")
        # What it held itself went with its publisher's connection.
        wait_until(lambda n=name: both[n].pending() == [], "all is lost")
    assert "error" in south.ask("approve " + first)
    broker = both.stack.enter_context(
        peers.Mosquitto(both.folder / "broker", port=both.broker.port))
    both.wait_until_they_know_each_other()
    witness = both.stack.enter_context(Witness(broker.port))
    assert "error" in south.ask("approve " + first)
    raw, command_id = hold(north)
    south.shows(command_id)
    assert south.ask("approve " + command_id)["outcome"] == "released"
    assert raw.read_ack()[:2] == (0x40, 1)
    witness.saw((VALVE, "open"))
    witness.saw_nothing_else(south.client("abe"))


# ---- who they are for the broker


def passwords(folder, name="secret", word="s3cret"):
    secret = folder / name
    secret.write_text(word + "\n")
    secret.chmod(0o600)
    peers.give_away(secret)
    return secret


def agree_at_the_other(both):
    raw, command_id = hold(both["north"])
    both["south"].shows(command_id)
    answer = both["south"].ask("approve " + command_id)
    assert answer["outcome"] == "released", answer
    assert raw.read_ack()[:2] == (0x40, 1)
    both.witness.saw((VALVE, "open"))


def test_the_gateways_are_known_by_name_and_secret_as_devices_are(tmp_path):
    peers.let_through(tmp_path)
    secret = passwords(tmp_path)
    users = {name: "s3cret" for name in ("north", "south", "ann")}
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(peers.Mosquitto(
            tmp_path / "broker", users,
            extra="log_type all\nallow_anonymous true"))
        both = Twins(tmp_path, stack, broker=broker,
                     identity=", identity: username-with-secret, "
                              f"secret_file: {secret}")
        agree_at_the_other(both)
        for name in ("north", "south"):
            broker.wait_for_log(rf"as kaya-gateway-{name} .*u'{name}'")
        assert "s3cret" not in both["north"].kayad.log()


def test_the_gateways_have_a_user_of_their_own_where_all_passes_through(
        tmp_path):
    peers.let_through(tmp_path)
    secret = passwords(tmp_path)
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(peers.Mosquitto(
            tmp_path / "broker", {"gateways": "s3cret"},
            extra="log_type all\nallow_anonymous true"))
        both = Twins(tmp_path, stack, broker=broker,
                     own=f"  username: gateways\n  secret_file: {secret}\n")
        agree_at_the_other(both)
        broker.wait_for_log("as kaya-gateway-north .*u'gateways'")
        # Another password, and it says what is wrong.
        passwords(tmp_path, word="wrong")
        north = both["north"]
        config = north.kayad.config.read_text()
        north.kayad.config.write_text(
            config.replace("  name: north", "  name: north # again"))
        north.kayad.signal(signal.SIGHUP)
        both.broker.stop()
        both.stack.enter_context(peers.Mosquitto(
            tmp_path / "broker", {"gateways": "other"}, port=broker.port,
            extra="allow_anonymous true"))
        north.kayad.wait_for_log("peers event=.*does not let the gateway in")


HAPROXY = """\
defaults
    mode tcp
    timeout connect 20s
    timeout client 1m
    timeout server 1m
frontend gateways
    bind 127.0.0.1:{port} accept-proxy
    default_backend brokers
backend brokers
    server one 127.0.0.1:{broker}
"""


def test_the_gateways_connect_through_what_wants_a_proxy_header(tmp_path):
    with contextlib.ExitStack() as stack:
        def via(broker):
            port = peers.free_port()
            config = tmp_path / "haproxy.cfg"
            config.write_text(HAPROXY.format(port=port, broker=broker))
            stack.enter_context(peers.Process(
                [peers.find("haproxy"), "-db", "-f", config]))
            wait_until(lambda: peers.is_listening(port), "haproxy listens")
            return port

        both = Twins(tmp_path, stack, via=via,
                     identity=", identity: proxy-v2")
        agree_at_the_other(both)


def test_the_proxy_header_of_a_gateway_names_it(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        port = listener.getsockname()[1]
        key = " ".join(peers.make_key(tmp_path / "other").split()[:2])
        with peers.Kayad(tmp_path, config=f"""
brokers: [{{address: "127.0.0.1:{port}", identity: proxy-v2}}]
gateway:
  name: north
  peers: [{{name: south, host_key: "{key}"}}]
"""):
            came = b""
            while b"kaya-gateway-north" not in came:
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(20)
                    came = connection.recv(4096)
    assert came.startswith(b"\r\n\r\n\0\r\nQUIT\n\x21\x11")
    length = int.from_bytes(came[14:16], "big")
    assert came[16:16 + length].endswith(b"\x22\0\x05north")
    # Behind it CONNECT, without a user: the header says who it is.
    connect = came[16 + length:]
    assert connect[0] == 0x10 and connect[9] & 0xc0 == 0, connect


def test_who_waits_for_another_gateway_is_told_when_it_is_named_no_more(
        tmp_path):
    """Else his PUBACK, and all behind it, would wait for ever."""
    with contextlib.ExitStack() as stack:
        both, relays = twins_by_relays(tmp_path, stack)
        north, south = both["north"], both["south"]
        _, command_id = hold(north)
        south.shows(command_id)
        bob = south.raw("bob")
        relays[0].stalled.set()
        publish(bob, "$kaya/approve", command_id)
        wait_until(lambda: any(channel["messages_in"] for channel in
                               channels(south.kayad, "bob")), "it is read")
        config = south.kayad.config.read_text()
        south.kayad.config.write_text(config[:config.index("gateway:")])
        south.kayad.signal(signal.SIGHUP)
        assert read_reason(bob) == (1, 0x87, "gateway north does not answer")


def test_a_gateway_that_nobody_named_is_not_believed(tmp_path):
    with contextlib.ExitStack() as stack:
        both = Twins(tmp_path, stack)
        north, south = both["north"], both["south"]
        # South gets another host key, as a stranger of that name would have.
        south.kayad.stop()
        key = tmp_path / "south" / "host_key"
        key.unlink()
        peers.make_key(key)
        peers.give_away(key)
        fresh = both.start("south")
        north.kayad.wait_for_log(
            "peers event=refuse from=\"?south\"? why=.*not signed")
        _, command_id = hold(fresh)
        assert north.pending() == []
        raw, here = hold(north)
        assert north.ask("approve " + here)["outcome"] == "released"
        assert raw.read_ack()[:2] == (0x40, 1)
        assert fresh.held() == [command_id]


