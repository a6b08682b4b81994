"""A RabbitMQ behind the gateway: identity, and who may say and hear what."""

import contextlib
import re
import subprocess

import pytest

import peers
from devices import home  # noqa: F401
from mqttclients import Gateway, Raw
from patients import clinic, doctor  # noqa: F401
from rabbit import Rabbit, is_of_3

POLICY = """\
roles:
  - {name: device, publish: "devices/%i/#", subscribe: "commands/%i/#"}
  - {name: desk, publish: "commands/#", subscribe: "devices/#"}
identities:
  - {names: "pump-*", roles: device}
  - {names: ann, roles: desk}
"""
SECRET = "between kayad and RabbitMQ"

pytestmark = [pytest.mark.xdist_group("rabbit"), pytest.mark.takes(30)]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """RabbitMQ knows each identity, and one password for all of them."""
    folder = tmp_path_factory.mktemp("gateway")
    secret = folder / "secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    peers.give_away(secret)
    users = {name: SECRET for name in ("pump-1", "pump-2", "pump-9", "ann")}
    with contextlib.ExitStack() as stack:
        rabbit = stack.enter_context(
            Rabbit(tmp_path_factory.mktemp("rabbit"), users))
        gateway = Gateway(folder, stack, POLICY, f"""\
brokers:
- address: 127.0.0.1:{rabbit.port}
  identity: username-with-secret
  secret_file: {secret}
  open_as: 127.0.0.1:1883
""")
        gateway.rabbit = rabbit
        yield gateway


@pytest.fixture
def client(gateway):
    """A client of MQTT 3.1.1 by the name of an identity."""
    with contextlib.ExitStack() as stack:
        def make(name, **options):
            client = gateway.client(name, "3.1.1", **options)
            stack.callback(client.__exit__)
            return client
        yield make


def test_the_identity_logs_in_with_the_secret(gateway, client):
    client("pump-1")
    gateway.rabbit.wait_for_log("User 'pump-1' authenticated")
    # He is in the gateway, and nobody RabbitMQ knows.
    assert client("stranger", must_connect=False).code == 4


def test_what_the_client_says_of_itself_does_not_count(gateway):
    done = subprocess.run(
        ["mosquitto_pub", "-p", str(gateway.port("pump-9")), "-u", "ann",
         "-P", "wrong", "-t", "devices/pump-9/x", "-m", "x", "-q", "1"],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    gateway.rabbit.wait_for_log("User 'pump-9' authenticated")


@pytest.mark.parametrize("qos", [0, 1])
def test_what_a_role_permits_goes_and_the_rest_does_not(client, qos):
    ann = client("ann")
    assert ann.subscribe("devices/#", qos=1) == [1]
    pump = client("pump-1")
    pump.publish("devices/pump-1/load", qos=qos)
    pump.publish("devices/pump-2/load", qos=qos)
    pump.publish("commands/pump-1", qos=qos)
    pump.publish("devices/pump-1/end", qos=qos)
    assert ann.got(2) == ["devices/pump-1/load", "devices/pump-1/end"]


def test_refused_filters_are_told_in_their_place(client):
    """RabbitMQ gives QoS 1 where 2 is asked for; its codes stay its own."""
    pump = client("pump-1")
    assert pump.subscribe("#", "commands/pump-1/#", "commands/pump-2/#",
                          "commands/pump-1/+", qos=2) == [0x80, 1, 0x80, 1]
    ann = client("ann")
    ann.publish("commands/pump-2/x")
    ann.publish("commands/pump-1/x")
    assert pump.got(1) == ["commands/pump-1/x"]


def test_acknowledgements_come_in_order(gateway):
    """RabbitMQ gathers its own; a refusal waits for those before it."""
    with Raw(gateway.port("pump-1"), "3.1.1") as raw:
        ids = range(1, 100)
        raw.send(b"".join(
            raw.publish_bytes("devices/pump-1/x" if n % 3 else "no", n)
            for n in ids))
        assert [raw.read_ack()[1] for _ in ids] == list(ids)


def test_a_client_of_another_identity_keeps_its_session(gateway, client):
    client("pump-1", client_id="pump-1")
    thief = client("pump-2", client_id="pump-1", must_connect=False)
    assert thief.code == 2


def test_nothing_is_retained_where_the_role_does_not_permit_it(client):
    ann = client("ann")
    ann.publish("commands/pump-2/kept", retain=True)
    pump = client("pump-2")
    pump.subscribe("commands/pump-2/#")
    ann.publish("commands/pump-2/next")
    assert pump.got(1) == ["commands/pump-2/next"]


def test_the_doctor_names_a_broker_that_speaks_an_older_level_only(
        rabbit, clinic, doctor):
    """RabbitMQ before 3.13 closes the connection of who speaks MQTT 5.0."""
    if not is_of_3():
        pytest.skip("this RabbitMQ speaks MQTT 5.0")
    clinic.sshd.admit(clinic.public)
    told = doctor("-i", clinic.key, "-b", f"127.0.0.1:{rabbit.port}",
                  clinic.dest)
    assert (told.status, told.layer, told.code) == (
        0, "mqtt", "broker-level"), told
    assert told.seen("mqtt") == "MQTT 3.1.1 accepted, 5.0 not"
    assert "turns away who speaks 5.0" in told.cause

    def says(*words):
        return subprocess.run(
            ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(rabbit.port),
             "-t", "plant/level", "-m", "x", "-q", "1", *words],
            capture_output=True, timeout=60).returncode

    assert says("-V", "mqttv5") != 0
    level = re.search(r"mosquitto_sub (-V \S+),", told.remedy).group(1)
    assert says(*level.split()) == 0
