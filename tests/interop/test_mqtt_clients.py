"""Each MQTT client through kaya tunnel and kayad, keys changing.

Once to the gateway's private broker, which takes the key's name for the user;
once to a broker of one's own that checks user and password.
"""

import contextlib
import json
import os
import subprocess

import pytest

import mqttclients
import peers
import roundtrip
from devices import Server, Tunnel, home, run  # noqa: F401
from forwarders import HERE, node_modules
from peers import BUILD, make_key

REKEY = "rekey: {bytes: 256KiB}\n"
USER = ["-u", "dan", "-P", "password"]
VERSIONS = ["311", "5"]
QOS = [0, 1, 2]


class Gateway(Server):
    """kayad with its private broker, or with one that asks for a password."""

    def __init__(self, kind, folder, known):
        self.kind = kind
        self.key = folder / "device"
        self.broker = None
        arguments = []
        if kind == "own":
            self.broker = peers.Mosquitto(folder / "b", {"dan": "password"})
            arguments = ["--broker", f"127.0.0.1:{self.broker.port}"]
        self.server = peers.Kayad(folder, config=REKEY, arguments=arguments)
        self.server.admit(make_key(self.key), "dan")
        self.target = "127.0.0.1:1883"
        self.user = "dan"
        self.port = self.server.port
        self.dest = f"dan@127.0.0.1:{self.port}"
        with open(known / ".ssh/known_hosts", "a") as file:
            file.write(self.server.host_key_line())

    def __exit__(self, *unused):
        self.server.stop()
        if self.broker is not None:
            self.broker.stop()


@pytest.fixture(params=["private", "own"])
def gateway(request, tmp_path, home):  # noqa: F811
    with Gateway(request.param, tmp_path, home) as gateway:
        yield gateway


@pytest.fixture
def port(gateway):
    with Tunnel(gateway) as tunnel:
        yield tunnel.port
    assert roundtrip.key_exchanges(gateway.server) > 3


@pytest.fixture
def modules():
    """Asked for before `port`: without them nothing is to be started."""
    return node_modules()


def must(command, **options):
    ended = subprocess.run([str(word) for word in command], text=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=60, **options)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_mosquitto_pub_and_sub(version, port, tmp_path):
    roundtrip.go_round_at_each_qos(port, tmp_path,
                                   [*USER, "-V", f"mqttv{version}"])


@pytest.mark.parametrize("version", VERSIONS)
def test_paho_in_c(version, port):
    program = BUILD / "tests/interop/paho_roundtrip"
    if not program.exists():
        pytest.skip("libpaho-mqtt-dev was not there when it was built")
    for qos in QOS:
        must([program, port, version, qos, roundtrip.MIB, "dan", "password"])


def test_paho_in_python(port, tmp_path):
    roundtrip.go_round_in_one_connection(port, tmp_path, "dan", "password")


@pytest.mark.xdist_group("node")
@pytest.mark.parametrize("version", VERSIONS)
def test_mqtt_js(version, modules, port):
    for qos in QOS:
        must(["node", HERE / "node/mqtt_roundtrip.js", port, version, qos,
              roundtrip.MIB, "dan", "password"],
             env=dict(os.environ, NODE_PATH=str(modules)))


POLICY = """\
roles:
  - {name: own, publish: "own/#", subscribe: "own/#"}
identities:
  - {names: dan, roles: own}
"""


@pytest.mark.xdist_group("node")
@pytest.mark.parametrize("version", VERSIONS)
def test_mqtt_js_understands_a_refusal(version, modules, tmp_path):
    """5.0 says why; before, what is refused looks as if it were published."""
    with contextlib.ExitStack() as stack:
        gateway = mqttclients.Gateway(tmp_path, stack, POLICY)
        ended = subprocess.run(
            ["node", HERE / "node/mqtt_refused.js", str(gateway.port("dan")),
             version], capture_output=True, text=True, timeout=60,
            env=dict(os.environ, NODE_PATH=str(modules)))
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    refused, code = (0x87, 0x87) if version == "5" else (0x80, 0)
    assert told["granted"] == [refused, 2, refused]
    assert told["published"] == [0, 0, code, code, 0, code, 0]
    assert told["got"] == ["own/a", "own/b", "own/end"]


@pytest.mark.parametrize("version", VERSIONS)
def test_kaya_pub_and_sub(version, gateway, tmp_path):
    payload = tmp_path / "payload"
    payload.write_bytes(roundtrip.PAYLOAD)
    common = [gateway.dest, "--key", gateway.key, "-V", f"mqttv{version}",
              *USER, "-t", "test/kaya"]
    for qos in QOS:
        sent = run("pub", *common, "-q", qos, "-r", "-f", payload)
        assert sent.returncode == 0, sent.stderr
        got = run("sub", *common, "-q", qos, "-C", "1", "-F", "%q %x")
        assert got.returncode == 0, got.stderr
        level, digits = got.stdout.split()
        assert level == str(qos)
        assert bytes.fromhex(digits) == roundtrip.PAYLOAD
    assert roundtrip.key_exchanges(gateway.server) > 1
