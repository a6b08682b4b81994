"""kaya tunnel --guard: a command reaches the actuator when two have signed."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from unittest import mock

import pytest

import devices
import peers
from devices import Server, home, run  # noqa: F401
from guards import RULES, TOPIC, Plant, has_moved, verifies
from peers import wait_until
from test_audit import fill, small_disk  # noqa: F401
from tunnels import Subscriber


@pytest.fixture(params=["sshd", "kayad"])
def any_server(request, tmp_path, home):  # noqa: F811
    with Server(request.param, tmp_path, home) as server:
        yield server


@pytest.fixture
def server(tmp_path, home):  # noqa: F811
    with Server("sshd", tmp_path, home) as server:
        yield server


@pytest.fixture
def plant(server, tmp_path):
    with Plant(server, tmp_path) as plant:
        yield plant


def outcome(request):
    """The last line of --json."""
    return json.loads(request.log().strip().splitlines()[-1])


# ---- the way that it goes ----

def test_two_people_open_a_valve(any_server, tmp_path):
    with Plant(any_server, tmp_path) as plant, plant.request() as request:
        command = plant.requested(request)
        assert plant.moved() == []
        approve = plant.approve(command)
        assert approve.returncode == 0, approve.stderr
        assert approve.stdout == "done\n"
        # What is signed is shown.
        assert f"topic: {TOPIC}\n" in approve.stderr
        assert "payload: open\n" in approve.stderr
        assert request.wait() == 0
        assert request.logged(f"done: {command} on {TOPIC}, signed by ann "
                              "and bob")
        has_moved(plant, f"{TOPIC} open")


def test_what_waits_is_listed(plant):
    with plant.request(payload="open 40 %") as request:
        command = plant.requested(request)
        words = ["pending", "--key", plant.server.key, "--broker",
                 plant.server.target, plant.server.dest]
        # A stock server is no gateway: what waits is at guards.
        listed = run(*words, "--json")
        assert listed.returncode == 0, listed.stderr
        pending, = json.loads(listed.stdout)
        assert pending["id"] == command
        assert pending["actuator"] == "valve-1"
        assert (pending["topic"], pending["payload"], pending["publisher"],
                pending["rule"]) == (TOPIC, "open 40 %", "ann", "valve")
        assert 0 < pending["left_ms"] <= 60000
        text = run(*words, "--actuator", "valve-1").stdout
        assert command in text and "open 40 %" in text
        # Another actuator's guard is not there.
        other = run(*words, "--actuator", "valve-9")
        assert other.returncode == 3
        assert "no guard answers" in other.stderr


def test_what_waits_is_listed_through_kayad(tmp_path, home):  # noqa: F811
    with Server("kayad", tmp_path, home) as server, \
            Plant(server, tmp_path) as plant, plant.request() as request:
        command = plant.requested(request)
        for words in ([], ["--guards"], ["--actuator", "valve-1"]):
            listed = run("pending", "--key", server.key, *words, "--json",
                         server.dest)
            assert listed.returncode == 0, listed.stderr
            pending, = json.loads(listed.stdout)
            assert pending["id"] == command


BOTH = """
roles:
  - {name: person, publish: ["#"], subscribe: ["#"]}
  - {name: supervisor, publish: ["$kaya/approve"]}
identities: [{names: dan, roles: [person, supervisor]},
             {names: eve, roles: person}]
approval: [{name: gate, topics: "plant/gate", from: person, by: supervisor}]
"""


def test_what_a_gateway_and_guards_hold_is_listed_together(
        tmp_path, home):  # noqa: F811
    policy = tmp_path / "policy.yaml"
    policy.write_text(BOTH)
    policy.chmod(0o644)
    tmp_path.chmod(0o755)
    with Server("kayad", tmp_path, home,
                kayad=f"policy: {policy}\n") as server, \
            Plant(server, tmp_path) as plant, plant.request() as request:
        command = plant.requested(request)
        other = tmp_path / "other"
        server.server.admit(peers.make_key(other), "eve")
        with devices.Kaya("request", "--key", other, "-t", "plant/gate",
                          "-m", "open", server.dest):
            listed = wait_until(lambda: (lambda ids: len(ids) == 2 and ids)(
                [each["id"] for each in json.loads(
                    run("pending", "--key", server.key, "--json",
                        server.dest).stdout or "[]")]), "both are listed")
            assert command in listed
            # Who may not ask the gateway sees what guards hold.
            alone, = json.loads(run("pending", "--key", other, "--json",
                                    server.dest).stdout)
            assert alone["id"] == command


def test_every_client_that_is_subscribed_gets_it_once(plant):
    with Subscriber(plant.tunnel.port, TOPIC, "-V", "mqttv5") as five, \
            Subscriber(plant.tunnel.port, "plant/valve-2/#") as other, \
            plant.request() as request:
        assert plant.approve(plant.requested(request)).returncode == 0
        assert request.wait() == 0
        five.wait_for_log("(?m)^open$")
        has_moved(plant, f"{TOPIC} open")
        assert not other.logged("open")


def test_of_those_who_share_a_subscription_one_is_given_it(plant):
    shared = "$share/workers/plant/valve-1/#"
    with Subscriber(plant.tunnel.port, shared) as one, \
            Subscriber(plant.tunnel.port, shared) as other, \
            plant.request() as request:
        assert plant.approve(plant.requested(request)).returncode == 0
        assert request.wait() == 0
        has_moved(plant, f"{TOPIC} open")
        plant.stop_gets_through()
        assert one.logged("(?m)^open$") != other.logged("(?m)^open$")


def test_who_was_given_it_is_not_given_it_again(plant):
    """While another is not ready, and whatever becomes of that one."""
    with Subscriber(plant.tunnel.port, "plant/#") as slow, \
            plant.request() as request:
        os.kill(slow.pid, signal.SIGSTOP)
        plant.publish("20 C", topic="plant/temperature")
        plant.actuator.wait_for_log("20 C")
        assert plant.approve(plant.requested(request)).returncode == 0
        assert request.wait() == 0
        os.kill(slow.pid, signal.SIGCONT)
        slow.wait_for_log("20 C")
        plant.stop_gets_through()
        assert plant.moved() == ["plant/temperature 20 C", f"{TOPIC} open",
                                 f"{TOPIC} close"]
        assert not slow.logged("(?m)^open$")


@pytest.mark.parametrize("payload", [
    "", " ", "line one\nactuator: valve-9\n", "quote \" and \\ back",
    "開ける", "\u202eneddih", "x" * 4096])
def test_any_payload_is_signed_and_delivered_as_it_is(plant, payload):
    with Subscriber(plant.tunnel.port, TOPIC, "-F", "HEX %x END") as raw, \
            plant.request(payload=payload) as request:
        command = plant.requested(request)
        assert plant.approve(command).returncode == 0
        assert request.wait() == 0, request.log()
        raw.wait_for_log(f"HEX {payload.encode().hex()} END")


def test_what_is_not_protected_passes_as_before(plant):
    plant.publish("20 C", topic="plant/temperature")
    has_moved(plant, "plant/temperature 20 C")


def test_a_denial_ends_it(plant):
    with plant.request() as request:
        command = plant.requested(request)
        deny = plant.deny(command)
        assert deny.returncode == 0, deny.stderr
        assert request.wait() == 4
        assert request.logged("abortion-by-cancel")
        assert plant.approve(command).returncode == 1
    assert plant.moved() == []


def test_who_asked_may_take_it_back_and_others_may_not_deny(plant):
    with plant.request() as request:
        command = plant.requested(request)
        refused = plant.deny(command, "pump-7")
        assert refused.returncode == 4
        assert "no-access-authority" in refused.stderr
        assert plant.deny(command, "ann").returncode == 0
        assert request.wait() == 4


def test_a_stop_needs_nobody_and_ends_what_waits(plant):
    with plant.request(words=["--json"]) as request:
        command = plant.requested(request)
        plant.stop_gets_through()
        assert request.wait() == 1
        assert outcome(request)["cause"] == "blocked-by-command"
        assert plant.approve(command).returncode == 1
    has_moved(plant, f"{TOPIC} close")


def test_the_time_for_both_ends(server, tmp_path):
    with Plant(server, tmp_path, within="5s") as plant, \
            plant.request(words=["--json"]) as request:
        assert request.wait() == 1
        assert outcome(request)["cause"] == "time-limit-over"
        assert plant.moved() == []


def test_no_client_of_the_actuator_is_no_success(plant):
    plant.actuator.stop()
    with plant.request(words=["--json"]) as request:
        plant.approve(plant.requested(request))
        assert request.wait() == 1
        assert outcome(request)["cause"] == "abortion-by-communication-loss"


def test_the_audit_says_who_signed_what(plant):
    with plant.request() as request:
        command = plant.requested(request)
        assert plant.approve(command).returncode == 0
        assert request.wait() == 0
    lines = [line for line in plant.audited() if line.get("id") == command]
    assert [line["event"] for line in lines] == ["hold", "release", "done"]
    assert (lines[1]["first"], lines[1]["second"]) == ("ann", "bob")
    assert f"topic: {TOPIC}\n" in lines[1]["statement"]


def guard_status(plant):
    return next(each["guard"] for each in
                json.loads(run("status", "--json").stdout)
                if each["pid"] == plant.tunnel.pid)


def test_status_tells_of_the_guard(plant):
    told = guard_status(plant)
    assert (told["actuator"], told["connected"], told["unsigned"],
            told["waiting"], told["last"]) == ("valve-1", True, 0, 0, None)
    assert told["protect"][0] == {"name": "valve",
                                  "topics": ["plant/valve-1/#"]}
    with plant.request() as request:
        command = plant.requested(request)
        assert guard_status(plant)["waiting"] == 1
        text = run("status").stdout
        assert "guard of valve-1, connected: 1 wait for their second" in text
        assert "protects plant/valve-1/#" in text
        assert plant.approve(command).returncode == 0
        assert request.wait() == 0
    last = guard_status(plant)["last"]
    assert (last["id"], last["topic"], last["outcome"], last["cause"],
            last["first"], last["second"]) == (
                command, TOPIC, "done", "none", "ann", "bob")
    assert re.search(rf"\d s ago {command} was done, on {TOPIC}, "
                     "first signed by ann, then by bob", run("status").stdout)


# ---- signing ----

def test_ssh_keygen_takes_both_signatures(plant, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    with plant.request(words=["--statement", first]) as request:
        command = plant.requested(request)
        assert plant.approve(
            command, words=["--statement", second]).returncode == 0
        assert request.wait() == 0
    assert first.read_bytes() == second.read_bytes()
    assert verifies(plant, "ann", first, f"{first}.sig")
    assert verifies(plant, "bob", second, f"{second}.sig")
    assert not verifies(plant, "bob", first, f"{first}.sig")
    assert not verifies(plant, "ann", first, f"{first}.sig", "kaya-deny")


def by_ssh_keygen(process, statement, key, namespace="kaya-command"):
    process.wait_for_log("ssh-keygen -Y sign")
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f",
                    key, statement], check=True, capture_output=True)


def test_ssh_keygen_makes_both_signatures(plant, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    with plant.request("eve", words=[
            "--statement", first, "--signature", f"{first}.sig"]) as request:
        by_ssh_keygen(request, first, plant.keys["ann"])
        command = plant.requested(request)
        with devices.Kaya(*plant.words("approve", "eve"), command,
                          "--statement", second,
                          "--signature", f"{second}.sig") as approve:
            by_ssh_keygen(approve, second, plant.keys["bob"])
            assert approve.wait() == 0, approve.log()
        assert request.wait() == 0
    has_moved(plant, f"{TOPIC} open")


@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
def test_any_kind_of_key_signs_by_file_and_by_agent(plant, tmp_path, kind):
    key = tmp_path / kind
    public = peers.make_key(key, kind)
    plant.write(plant.signers, plant.signers.read_text().replace(
        (plant.keys["bob"].with_suffix(".pub")).read_text().split()[1],
        public.split()[1]).replace("bob ssh-ed25519", f"bob {public.split()[0]}"))
    plant.keys["bob"] = key
    with plant.request() as request:
        assert plant.approve(plant.requested(request)).returncode == 0
        assert request.wait() == 0
    with agent(tmp_path, key):
        key.unlink()
        with plant.request() as request:
            approve = plant.approve(plant.requested(request))
            assert approve.returncode == 0, approve.stderr
            assert request.wait() == 0
    has_moved(plant, f"{TOPIC} open", f"{TOPIC} open")


def certify(plant, key, principals, authority="ca"):
    """A certificate of a key, as the key of --sign-key."""
    authority = plant.folder / authority
    if not authority.exists():
        peers.make_key(authority)
    subprocess.run(["ssh-keygen", "-q", "-s", authority, "-I", "x", "-n",
                    principals, f"{key}.pub"], check=True)
    return key.with_name(key.name + "-cert.pub")


def test_certificates_sign_for_their_principals(plant, tmp_path):
    """By the file, by the agent, and as ssh-keygen -Y verify has it."""
    statement = tmp_path / "statement"
    for person in ("ann", "bob"):
        certificate = certify(plant, plant.keys[person], person)
    authority = (plant.folder / "ca.pub").read_text()
    plant.write(plant.signers,
                f'ann,bob namespaces="kaya-*",cert-authority {authority}')
    plant.tunnel.wait_for_log("event=changed")
    assert plant.tunnel.logged("make both who sign")
    plant.keys["ann"] = plant.keys["ann"].with_name("ann-cert.pub")
    with plant.request(words=["--statement", statement]) as request, \
            agent(tmp_path, plant.keys["bob"]):
        command = plant.requested(request)
        assert verifies(plant, "ann", statement, f"{statement}.sig")
        # A certified key is none that is listed.
        refused = plant.approve(command)
        assert refused.returncode == 4, refused.stderr
        assert "in no line" in refused.stderr
        plant.keys["bob"].unlink()
        plant.keys["bob"] = certificate
        approve = plant.approve(command)
        assert approve.returncode == 0, approve.stderr
        assert request.wait() == 0
        assert request.logged("signed by ann and bob")
    has_moved(plant, f"{TOPIC} open")


def test_a_key_that_is_certified_as_two_is_one(plant, tmp_path):
    mine = plant.keys["eve"]
    plant.keys["ann"] = certify(plant, mine, "ann").rename(
        plant.folder / "one-cert.pub")
    (plant.folder / "one").symlink_to(mine)
    plant.keys["bob"] = certify(plant, mine, "bob")
    authority = (plant.folder / "ca.pub").read_text()
    plant.write(plant.signers, f"* cert-authority {authority}")
    plant.tunnel.wait_for_log("event=changed")
    with plant.request() as request:
        refused = plant.approve(plant.requested(request))
        assert refused.returncode == 4
        assert "same-identity" in refused.stderr
    assert plant.moved() == []


class agent:
    """An ssh-agent with a key."""

    def __init__(self, folder, key=None, words=()):
        self.path = str(folder / "agent")
        self.process = subprocess.Popen(
            ["ssh-agent", "-D", "-a", self.path, *words],
            stdout=subprocess.DEVNULL)
        wait_until(lambda: os.path.exists(self.path), "the agent is there")
        self.before = os.environ.get("SSH_AUTH_SOCK")
        os.environ["SSH_AUTH_SOCK"] = self.path
        if key is not None:
            subprocess.run(["ssh-add", "-q", key], check=True)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        self.process.wait()
        del os.environ["SSH_AUTH_SOCK"]
        if self.before is not None:
            os.environ["SSH_AUTH_SOCK"] = self.before


# ---- a device's own permission ----

def permit(plant, *words, person="pump-7", topic="plant/#"):
    process = devices.Kaya(*plant.words("permit", person), "--actuator",
                           plant.name, "-t", topic, *words)
    try:
        process.wait_for_log("event=ready")
    except BaseException:
        process.stop()
        raise
    return process


def test_a_device_permits_while_its_file_says_so(plant, tmp_path):
    gpio = tmp_path / "value"
    gpio.write_text("0\n")
    with permit(plant, "--while-file", gpio) as device, \
            plant.request() as request:
        command = plant.requested(request)
        device.wait_for_log(f"event=not-now .*{command}")
        assert plant.moved() == []
        gpio.write_text("1\n")
        device.wait_for_log(f"event=signed .*{command}")
        assert request.wait() == 0
        has_moved(plant, f"{TOPIC} open")


def test_a_device_permits_by_a_command_that_is_told_of_what(plant):
    with permit(plant, "--while-command",
                'test "$KAYA_PAYLOAD" = low && test -n "$KAYA_ID"'), \
            plant.request(payload="high") as high, \
            plant.request(payload="low") as low:
        assert low.wait() == 0
        assert high.is_running()
        has_moved(plant, f"{TOPIC} low")


@pytest.mark.parametrize("between, holds", [
    ("00:00-23:59", True), ("12:00-11:59", True), ("now+2", False)])
def test_a_device_permits_at_times(plant, between, holds):
    if between == "now+2":
        hour = subprocess.run(["date", "-d", "+2 hours", "+%H"], text=True,
                              capture_output=True, check=True).stdout.strip()
        between = f"{hour}:00-{hour}:30"
    with permit(plant, "--between", between) as device, \
            plant.request() as request:
        command = plant.requested(request)
        device.wait_for_log(
            rf"event={'signed' if holds else 'not-now'} .*{command}")


def test_what_waited_before_the_device_came_is_permitted(plant):
    with plant.request() as request:
        plant.requested(request)
        with permit(plant, "--while-command", "true"):
            assert request.wait() == 0


def test_a_device_permits_its_own_topics_alone(plant):
    with permit(plant, "--while-command", "true", topic="plant/pump/+"), \
            plant.request() as request, \
            plant.request(topic="plant/pump/1") as pump:
        assert pump.wait() == 0
        assert request.is_running()
        assert plant.moved() == ["plant/pump/1 open"]


def test_where_only_devices_permit_the_cause_is_an_interlock(server,
                                                             tmp_path):
    with Plant(server, tmp_path, within="5s") as plant, \
            permit(plant, "--while-command", "false"), \
            plant.request(topic="plant/pump/1",
                          words=["--json"]) as request:
        assert request.wait() == 1
        assert outcome(request)["cause"] == "blocked-by-interlocking"
        assert plant.moved() == []


@pytest.mark.parametrize("words, what", [
    ([], "a condition is needed"),
    (["--while-file", ""], "is no condition"),
    (["--between", "25:00-26:00"], "is no condition"),
    (["--between", "06:00-06:00"], "is no condition"),
    (["--between", "6:00-18:00"], "is no condition"),
])
def test_a_wrong_condition_is_told(words, what):
    result = run("permit", "nobody", "--actuator", "a", "-t", "x", *words)
    assert result.returncode == 2
    assert what in result.stderr and "remedy:" in result.stderr


# ---- what is wrong is told ----

@pytest.mark.parametrize("change, what", [
    (("actuator: valve-1", "actuator: all"), "stands for all guards"),
    (("request: operator", "request: nobody"), "there is no role"),
    (("within: 60s", "withn: 60s"), "withn"),
    (('["plant/pump/+"]', '["plant/+/set"]'), "protected by"),
    (('["plant/pump/+"]', '["plant/#/x"]'), "no topic filter"),
    (("approve: supervisor\n    permit: interlock", ""), "nobody may give"),
])
def test_a_fault_in_the_guards_file_is_told_with_its_place(
        server, tmp_path, change, what):
    plant = Plant(server, tmp_path)
    text = plant.file.read_text()
    assert change[0] in text
    plant.write(plant.file, text.replace(change[0], change[1], 1))
    result = run("tunnel", "-i", server.key, "--once", "-L",
                 f"127.0.0.1:{peers.free_port()}", "--guard", plant.file,
                 server.dest)
    assert result.returncode == 2, result.stderr
    assert what in result.stderr
    assert re.search(r"guard\.yaml:\d+:\d+", result.stderr)
    assert "remedy:" in result.stderr


@pytest.mark.parametrize("line, what", [
    ("ann,bob {ann}", "who the key's holder is"),
    ("*@plant {ann}", "who the key's holder is"),
    ("ann-at-home {ann}", "under another name"),
    ("carl restrict {eve}", "an option is not known"),
    ("carl", "no principal, or no key"),
])
def test_a_key_that_is_not_one_persons_is_refused(server, tmp_path, line,
                                                  what):
    plant = Plant(server, tmp_path)
    keys = {name: path.with_suffix(".pub").read_text().strip()
            for name, path in plant.keys.items()}
    plant.write(plant.signers, plant.signers.read_text()
                + line.format(**keys) + "\n")
    result = run("tunnel", "-i", server.key, "--once", "-L",
                 f"127.0.0.1:{peers.free_port()}", "--guard", plant.file,
                 server.dest)
    assert result.returncode == 2, result.stderr
    assert what in result.stderr and "allowed_signers:5" in result.stderr


def test_lines_for_other_purposes_are_left_alone(server, tmp_path):
    plant = Plant(server, tmp_path)
    ann = plant.keys["ann"].with_suffix(".pub").read_text().strip()
    plant.write(plant.signers, plant.signers.read_text()
                + f'*@plant namespaces="git" {ann}\n'
                + f"*@plant cert-authority {ann}\n")
    with plant, plant.request() as request:
        assert plant.approve(plant.requested(request)).returncode == 0


def test_files_that_others_may_write_are_refused(server, tmp_path):
    for name in ("file", "signers"):
        folder = tmp_path / name
        folder.mkdir()
        plant = Plant(server, folder)
        getattr(plant, name).chmod(0o666)
        result = run("tunnel", "-i", server.key, "--once", "-L",
                     f"127.0.0.1:{peers.free_port()}", "--guard", plant.file,
                     server.dest)
        assert result.returncode != 0
        assert "write" in result.stderr


def test_a_file_that_is_away_is_told_once_and_when_it_is_back(plant):
    away = plant.signers.with_name("away")
    plant.signers.rename(away)
    plant.tunnel.wait_for_log("event=fault .*allowed_signers")
    for _ in range(3):  # whoever asks is told each time
        refused = run(*plant.words("request", "ann"), "-t", TOPIC, "-m",
                      "open", "--actuator", "valve-1")
        assert "policy-changed" in refused.stderr
    time.sleep(2.5)  # the guard looks each second
    assert len(re.findall("event=fault", plant.tunnel.log())) == 1
    # Another fault is told, once.
    plant.write(plant.signers, "nonsense\n")
    plant.tunnel.wait_for_log("event=fault .*no principal")
    away.rename(plant.signers)
    plant.tunnel.wait_for_log("event=changed")
    assert len(re.findall("event=fault", plant.tunnel.log())) == 2
    assert len(re.findall("event=changed", plant.tunnel.log())) == 1
    with plant.request() as request:
        assert plant.approve(plant.requested(request)).returncode == 0


def test_what_is_taken_up_at_the_start_alone_is_told(plant):
    plant.write(plant.file, plant.file.read_text() + "user: else\n")
    plant.tunnel.wait_for_log("event=fault .*at the start alone")


def test_no_guard_answers_for_an_unknown_actuator(plant):
    result = run(*plant.words("request", "ann"), "-t", TOPIC, "-m", "open",
                 "--actuator", "valve-9")
    assert result.returncode == 3
    assert "no guard answers" in result.stderr


def test_the_guard_comes_back_when_the_link_is_made_again(server, tmp_path,
                                                          home):  # noqa: F811
    plant = Plant(server, tmp_path)
    with peers.Relay(server.port) as relay:
        devices.know(home, relay.port)
        plant.tunnel = devices.Tunnel(
            server, "--guard", plant.file,
            dest=f"{server.user}@127.0.0.1:{relay.port}")
        try:
            plant.tunnel.wait_for_log("event=ready")
            relay.cut()
            plant.tunnel.wait_for_log("(?s)event=ready.*event=ready")
            plant.actuator = Subscriber(
                plant.tunnel.port, "plant/#", "-F", "MOVED %t %p")
            with plant.request() as request:
                assert plant.approve(
                    plant.requested(request)).returncode == 0
            has_moved(plant, f"{TOPIC} open")
        finally:
            plant.stop()


def test_a_device_that_permits_comes_back_at_once(plant, home):  # noqa: F811
    """It is heard again before the broker's keepalive is over."""
    server = plant.server
    with peers.Relay(server.port) as relay:
        devices.know(home, relay.port)
        words = plant.words("permit", "pump-7")
        words[-1] = f"{server.user}@127.0.0.1:{relay.port}"
        with devices.Kaya(*words, "--actuator", plant.name, "-t", "#",
                          "--while-command", "true") as device:
            device.wait_for_log("event=ready")
            relay.cut()
            device.wait_for_log("the SSH connection was lost")
            device.wait_for_log("(?s)event=ready.*event=ready")


@pytest.mark.xdist_group("rabbit")
def test_behind_rabbitmq(server, tmp_path, rabbit):
    """MQTT 3.1.1, QoS 0 and 1."""
    with mock.patch.object(server, "broker", rabbit), \
            mock.patch.object(server, "target", f"127.0.0.1:{rabbit.port}"), \
            Plant(server, tmp_path) as plant, plant.request() as request:
        plant.publish("open", "-q", "1")
        assert plant.approve(plant.requested(request)).returncode == 0
        assert request.wait() == 0
        plant.stop_gets_through()
        assert plant.moved() == [f"{TOPIC} open", f"{TOPIC} close"]


def test_on_a_full_disk_nothing_moves_but_a_stop(server, tmp_path,
                                                 small_disk):  # noqa: F811
    rules = RULES.replace("{folder}/guard.log", f"{small_disk}/guard.log")
    with Plant(server, tmp_path, rules=rules) as plant:
        filler = fill(small_disk)
        moved = []
        # Until the rest of the last page is full, lines go in.
        while True:
            with plant.request(words=["--json"]) as request:
                match = request.wait_for_log(
                    rf"(audit-failed|kaya approve \S+ ({plant.name}\S+))")
                if match.group(2) is None:
                    assert request.wait() == 1
                    break
                plant.approve(match.group(2))
                if request.wait() == 0:
                    moved.append(f"{TOPIC} open")
                else:
                    assert outcome(request)["cause"] == "audit-failed"
                    break
        assert plant.moved() == moved
        plant.stop_gets_through()
        moved.append(f"{TOPIC} close")
        filler.unlink()
        with plant.request() as request:
            assert plant.approve(plant.requested(request)).returncode == 0
            assert request.wait() == 0
        has_moved(plant, *moved, f"{TOPIC} open")


def test_nothing_moves_before_its_release_is_on_the_disk(
        server, tmp_path, small_disk):  # noqa: F811
    """Signed by one while there is room, by the other when there is none."""
    rules = RULES.replace("{folder}/guard.log", f"{small_disk}/guard.log")
    with Plant(server, tmp_path, rules=rules) as plant, \
            contextlib.ExitStack() as stack:
        requests = [stack.enter_context(
            plant.request(payload=f"open {i}", words=["--json"]))
            for i in range(5)]
        commands = [plant.requested(request) for request in requests]
        fill(small_disk)
        for command in commands:  # a page's rest takes a line or two
            plant.approve(command)
        statuses = [request.wait() for request in requests]
        released = [line["id"] for line in map(
            json.loads, (small_disk / "guard.log").read_text().splitlines())
            if line["event"] == "release"]
        assert 1 in statuses
        assert plant.moved() == [
            f"{TOPIC} open {i}" for i, command in enumerate(commands)
            if command in released]
        plant.stop_gets_through()
