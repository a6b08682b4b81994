"""The gateway itself is asked through SSH, at control.kaya, by stock ssh."""

import contextlib
import json
import os
import socket
import subprocess

import pytest

import auditlog
from mqttclients import Gateway
from peers import KAYA, free_port, make_key, wait_until

POLICY = """\
roles:
  - name: watcher
    control: status
  - name: admin
    control: [status, invite, revoke]
  - name: sensor
    publish: ["sensors/%i/#"]
identities:
  - {names: wendy, roles: watcher}
  - {names: ada, roles: admin}
  - {names: "pump-*", roles: sensor}
"""

# As `kaya keys add` writes it: permitopen names the broker alone.
STRICT = ('restrict,port-forwarding,permitopen="127.0.0.1:1883",'
          'permitlisten="localhost:1",command="echo no"')


def ssh(kayad, key, *words):
    return ["ssh", "-F", "none", "-i", str(key), "-p", str(kayad.port),
            "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
            "-o", "UserKnownHostsFile=/dev/null",
            "-o", "BatchMode=yes", *words, "any@127.0.0.1"]


@pytest.fixture
def gateway(tmp_path):
    with contextlib.ExitStack() as stack:
        yield Gateway(tmp_path, stack, POLICY)


class Asker:
    def __init__(self, gateway, name, options=STRICT):
        self.gateway = gateway
        self.key = gateway.folder / f"asker-{name}"
        gateway.kayad.admit(make_key(self.key), name, options)

    def run(self, text, target="control.kaya:1"):
        return subprocess.run(
            ssh(self.gateway.kayad, self.key, "-W", target), input=text,
            capture_output=True, text=True, timeout=60)

    def ask(self, request):
        done = self.run(request + "\n")
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith("\n") and done.stdout.count("\n") == 1
        return json.loads(done.stdout)


def log_of(gateway):
    return gateway.kayad.state / "audit.log"


def test_who_may_sees_how_the_gateway_is(gateway):
    answer = Asker(gateway, "wendy").ask("status")
    assert answer["program"] == "kayad"
    device, = answer["gateway"]["devices"]
    assert device["identity"] == "wendy"
    assert device["channels"][0]["broker"] == "control"


def test_a_role_may_what_its_words_say_and_no_more(gateway):
    wendy, ada = Asker(gateway, "wendy"), Asker(gateway, "ada")
    for request in ("invitations", "invite pump-1 60 - one",
                    "cancel-invitation pump-1"):
        answer = wendy.ask(request)
        assert answer["code"] == "refused"
        assert "wendy may not" in answer["error"]
        assert "control" in answer["hint"]
    assert ada.ask("invite pump-1 60 - one")["name"] == "pump-1"
    assert [row["name"] for row in ada.ask("invitations")["invitations"]] == [
        "pump-1"]
    assert ada.ask("cancel-invitation pump-1") == {"cancelled": True}
    made, = auditlog.events(log_of(gateway), "invited")
    assert (made["identity"], made["by"], made["from"]) == (
        "pump-1", "ada", "127.0.0.1")
    gone, = auditlog.events(log_of(gateway), "invitation-cancelled")
    assert gone["by"] == "ada"


def test_nobody_invites_a_second_person_of_himself(tmp_path):
    """By the name, by the role that the key's line would have, by a second key
    of one who is in; at the gateway itself it is no matter."""
    policy = TWO.replace("identities:", """\
  - {name: porter, control: invite}
identities:
  - {names: pete, roles: porter}
""")
    with contextlib.ExitStack() as stack:
        gateway = Gateway(tmp_path, stack, policy)
        pete = Asker(gateway, "pete")
        for wish in ("sam 60 - one", "sam 60 - more", "pete2 60 supervisor one",
                     "pete3 60 porter one", "pete 60 - more"):
            answer = pete.ask("invite " + wish)
            assert answer["code"] == "refused", answer
            assert "at the gateway itself" in answer["hint"]
        assert pete.ask("invitations") == {"invitations": []}
        assert pete.ask("invite paul 60 operator one")["name"] == "paul"
        done = subprocess.run(
            [KAYA, "invite", "sam", "--state", gateway.kayad.state],
            capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr


def test_a_key_is_taken_out_and_its_session_ends(gateway):
    ada, wendy = Asker(gateway, "ada"), Asker(gateway, "wendy")
    assert wendy.ask("revoke ada")["code"] == "refused"
    with subprocess.Popen(ssh(gateway.kayad, wendy.key, "-N"),
                          stderr=subprocess.DEVNULL) as client:
        gateway.kayad.wait_for_log("event=accept.*identity=wendy(?s:.*)"
                                   "event=accept.*identity=wendy")
        row, = ada.ask("revoke wendy")["revoked"]
        assert row["identity"] == "wendy"
        assert row["key"].startswith("SHA256:")
        assert client.wait(20) == 255
    assert "wendy" not in gateway.kayad.authorized_keys.read_text()
    assert ada.ask("revoke wendy")["code"] == "failed"
    assert ada.ask("revoke ../x")["code"] == "usage"
    done, = auditlog.events(log_of(gateway), "revoke")
    assert (done["who"], done["by"], done["lines"]) == ("wendy", "ada", 1)


def test_who_may_ask_nothing_gets_no_channel(gateway):
    done = Asker(gateway, "pump-1").run("status\n")
    assert done.returncode != 0 and done.stdout == ""
    assert "administratively prohibited" in done.stderr
    assert "the policy lets this identity ask the gateway nothing" in \
        done.stderr


def test_without_a_policy_nobody_may(kayad, tmp_path):
    key = tmp_path / "asker"
    kayad.admit(make_key(key), "ada", STRICT)
    done = subprocess.run(
        ssh(kayad, key, "-W", "control.kaya:1"), input="status\n",
        capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "administratively prohibited" in done.stderr


def test_a_line_that_allows_no_forwarding_leads_nowhere(gateway):
    done = Asker(gateway, "ada", "restrict").run("status\n")
    assert "the key's line allows no forwarding" in done.stderr


@pytest.mark.parametrize("target", ["control.kaya:2", "control.kay:1",
                                    "xcontrol.kaya:1"])
def test_no_other_target_is_meant(gateway, target):
    done = Asker(gateway, "ada").run("status\n", target)
    assert done.returncode != 0
    assert "does not name this host and port" in done.stderr


def test_the_name_is_a_host_name(gateway):
    done = Asker(gateway, "ada").run("status\n", "CONTROL.Kaya:1")
    assert json.loads(done.stdout)["program"] == "kayad"


def test_what_is_no_request_is_told(gateway):
    ada = Asker(gateway, "ada")
    assert ada.ask("open-the-gates")["code"] == "usage"
    assert ada.ask("")["code"] == "usage"
    assert "too long" in ada.ask("status " + 2000 * "x")["error"]
    assert ada.ask("invite")["code"] == "usage"
    # MQTT is not spoken there; without an end it is no request.
    done = ada.run("\x10\x0c\0\4MQTT\4\2\0<\0\0")
    assert done.stdout == ""


def test_each_question_is_logged_with_who_asked(gateway):
    Asker(gateway, "ada").ask("status")
    Asker(gateway, "wendy").ask("invitations")
    gateway.kayad.wait_for_log(
        r"event=control identity=ada from=127.0.0.1 request=status")
    gateway.kayad.wait_for_log(
        r"event=control-refused identity=wendy .*request=invitations")
    asked, = auditlog.events(log_of(gateway), "control")
    assert (asked["by"], asked["from"], asked["request"]) == (
        "ada", "127.0.0.1", "status")
    refused, = auditlog.events(log_of(gateway), "control-refused")
    assert (refused["by"], refused["request"]) == ("wendy", "invitations")
    auditlog.check_chain(log_of(gateway))


def test_one_who_asks_much_leaves_room_for_others(gateway):
    """Channels that are open and say nothing."""
    ada, wendy = Asker(gateway, "ada"), Asker(gateway, "wendy")
    forwards = []
    for _ in range(8):
        forwards += ["-L", f"{gateway.folder}/c{len(forwards)}:control.kaya:1"]
    with subprocess.Popen(
            ssh(gateway.kayad, ada.key, "-N", *forwards),
            stderr=subprocess.DEVNULL) as client:
        try:
            sockets = []
            for path in forwards[1::2]:
                path = path.split(":")[0]
                end = socket.socket(socket.AF_UNIX)
                wait_until(lambda: end.connect_ex(path) == 0, "ssh listens")
                sockets.append(end)
            gateway.kayad.wait_for_log(
                "event=channel-refuse.*this identity is asking already")
            assert wendy.ask("status")["program"] == "kayad"
        finally:
            client.terminate()


def test_a_right_that_is_taken_away_is_gone_at_once(gateway):
    ada = Asker(gateway, "ada")
    assert "invitations" in ada.ask("invitations")
    gateway.change_policy(POLICY.replace("[status, invite, revoke]", "status"))
    gateway.kayad.wait_for_log("event=reloaded")
    wait_until(lambda: ada.ask("invitations").get("code") == "refused",
               "the right is gone")
    changed, = auditlog.events(log_of(gateway), "policy-change")
    assert len(changed["policy_sha256"]) == 64


# ---- kaya, as it asks ----

def kaya(verb, *words, key=None, gateway=None, home=None):
    """With a home of its own, known hosts too, where it talks by SSH."""
    if home is not None:
        # Not HOME but the password file is what libssh asks for the home.
        config = home / "ssh_config"
        config.write_text(f"UserKnownHostsFile {home}/known_hosts\n")
        words = ("--ssh-config", config, *words)
    if gateway is not None:
        words += ("-i", key, "--host-key", gateway.kayad.fingerprint,
                  f"127.0.0.1:{gateway.kayad.port}")
    folder = str(home or "/nonexistent")
    return subprocess.run(
        [KAYA, verb, *map(str, words)], capture_output=True, text=True,
        timeout=60,
        env={**os.environ, "HOME": folder, "XDG_STATE_HOME": folder})


def test_kaya_status_of_a_gateway_elsewhere(gateway, tmp_path):
    wendy = Asker(gateway, "wendy")
    done = kaya("status", key=wendy.key, gateway=gateway, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "kayad" in done.stdout and "wendy" in done.stdout
    done = kaya("status", "--json", key=wendy.key, gateway=gateway,
                home=tmp_path)
    assert json.loads(done.stdout)[0]["program"] == "kayad"


def test_kaya_is_told_why_not(gateway, tmp_path):
    pump = Asker(gateway, "pump-1")
    done = kaya("status", key=pump.key, gateway=gateway, home=tmp_path)
    assert done.returncode == 4 and done.stdout == ""
    assert "lets this identity ask the gateway nothing" in done.stderr
    assert "remedy" in done.stderr
    wendy = Asker(gateway, "wendy")
    done = kaya("pending", key=wendy.key, gateway=gateway, home=tmp_path)
    assert done.returncode != 0


def test_a_stock_sshd_answers_no_questions(sshd, key, tmp_path):
    sshd.admit(key.with_suffix(".pub").read_text())
    done = kaya("pending", "-i", key, "-o", "StrictHostKeyChecking=no",
                f"{sshd.user}@127.0.0.1:{sshd.port}", home=tmp_path)
    assert done.returncode in (3, 4)
    assert "control.kaya" in done.stderr


@pytest.mark.parametrize("words,text", [
    (["pending"], "name a gateway"),
    (["pending", "a", "b"], 'unexpected word "b"'),
    (["approve"], "name a gateway"),
    (["approve", "gw"], "name the command by its id"),
    (["approve", "gw", "XYZ"], "is no id"),
    (["approve", "gw", "../0123456789abcdef.1"], "is no id"),
    (["approve", "--state", "/s", "gw", "0123"], "is no id"),
    (["deny", "gw", "0123456789abcdef", "a\nb"], "one line"),
    (["deny", "gw", "0123456789abcdef", 300 * "x"], "too long"),
])
def test_a_wrong_use_is_told(words, text):
    done = kaya(*words)
    assert done.returncode == 2
    assert text in done.stderr


def test_an_unreachable_gateway_is_3(tmp_path):
    done = kaya("pending", f"127.0.0.1:{free_port()}", home=tmp_path)
    assert done.returncode == 3
    done = kaya("pending", "--state", tmp_path)
    assert done.returncode == 3


# ---- a second person, by kaya ----

TWO = """\
roles:
  - name: operator
    publish: ["plant/#"]
  - name: supervisor
    publish: ["plant/#"]
identities:
  - {names: [olga], roles: operator}
  - {names: [sam, root], roles: supervisor}
approval:
  - name: valves
    topics: ["plant/+/valve"]
    by: supervisor
    within: 60s
"""


@pytest.fixture
def two(tmp_path):
    with contextlib.ExitStack() as stack:
        yield Gateway(tmp_path, stack, TWO)


def hold(two, topic="plant/1/valve", payload="open"):
    """Olga's publish, held; the info of paho, and its id at the gateway."""
    olga = two.client("olga", "5.0")
    info = olga.paho.publish(topic, payload, 1)
    found = two.kayad.wait_for_log(r"event=hold .*id=([0-9a-f]{16})")
    return olga, info, found.group(1)


def test_a_command_is_seen_and_agreed_to_through_ssh(two, tmp_path):
    sam = Asker(two, "sam")
    olga, info, held = hold(two)
    done = kaya("pending", key=sam.key, gateway=two, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("plant/1/valve: open\n  by olga, rule valves")
    assert f"id {held}, " in done.stdout
    row, = json.loads(kaya("pending", "--json", key=sam.key, gateway=two,
                           home=tmp_path).stdout)
    assert (row["id"], row["publisher"], row["may_i"]) == (held, "olga", True)
    assert not info.is_published()
    where = f"127.0.0.1:{two.kayad.port}"
    words = ("-i", sam.key, "--host-key", two.kayad.fingerprint)
    done = kaya("approve", *words, where, held, home=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stdout.startswith("plant/1/valve: open\n")
    assert done.stdout.endswith("\nreleased\n")
    info.wait_for_publish(20)
    assert info.is_published()
    # An id is good once.
    done = kaya("approve", *words, where, held, home=tmp_path)
    assert done.returncode in (1, 4) and done.stdout == ""
    log = log_of(two)
    assert [line["event"] for line in auditlog.lines(log)
            if line.get("id") == held][:2] == ["hold", "approve"]
    auditlog.check_chain(log)


def test_a_command_is_denied_with_a_reason(two, tmp_path):
    sam = Asker(two, "sam")
    _, info, held = hold(two)
    done = kaya("deny", "-i", sam.key, "--host-key", two.kayad.fingerprint,
                "--json", f"127.0.0.1:{two.kayad.port}", held, "not", "today",
                home=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    answer = json.loads(done.stdout)
    assert answer["outcome"] == "denied"
    assert answer["command"]["topic"] == "plant/1/valve"
    denied, = auditlog.events(log_of(two), "deny")
    assert (denied["by"], denied["reason"]) == ("sam", "not today")


def test_nobody_agrees_to_his_own_command(two, tmp_path):
    olga = Asker(two, "olga")
    _, info, held = hold(two)
    done = kaya("approve", "-i", olga.key, "--host-key", two.kayad.fingerprint,
                f"127.0.0.1:{two.kayad.port}", held, home=tmp_path)
    assert done.returncode == 4
    assert not info.is_published()


@pytest.mark.skipif(os.geteuid() != 0, reason="root is whom the policy names")
def test_at_the_gateway_itself_it_is_the_user(two, tmp_path):
    _, info, held = hold(two)
    state = two.kayad.state
    done = kaya("pending", "--state", state)
    assert f"id {held}, " in done.stdout
    done = kaya("approve", "--state", state, held)
    assert done.returncode == 0, done.stderr + done.stdout
    info.wait_for_publish(20)
    approved, = auditlog.events(log_of(two), "approve")
    assert approved["by"] == "root"
