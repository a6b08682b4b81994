"""kaya doctor, where the way is free and the broker says no; and this side.

mosquitto is set up wrongly in that very way; the remedy, taken, mends it.
"""

import contextlib
import re
import socket
import subprocess

import pytest

import peers
from devices import Server, home  # noqa: F401
from patients import Clinic, clinic, doctor  # noqa: F401
from peers import free_port, wait_until
from test_doctor import answering, assert_well
from tunnels import publish


def admitted(clinic):
    clinic.sshd.admit(clinic.public)
    return clinic


@pytest.fixture
def guarded(tmp_path, home, doctor):
    """A broker that knows dan, and his password."""
    with Clinic(tmp_path, home, doctor, users={"dan": "secret"}) as clinic:
        yield admitted(clinic)


def assert_told(diagnosis, status, layer, code):
    assert (diagnosis.status, diagnosis.layer, diagnosis.code) == (
        status, layer, code), diagnosis


# ---- users ----

def test_a_broker_that_wants_a_user(guarded):
    wrong = guarded.visit()
    assert_told(wrong, 4, "mqtt", "broker-wants-user")
    assert "CONNACK 5" in wrong.seen("mqtt")
    again = guarded.doctor.take(
        wrong, r"kaya doctor -u USER -P PASSWORD [^;]*",
        {"USER": "dan", "PASSWORD": "secret"})
    assert "came back" in again.stdout


@pytest.mark.parametrize("user,password", [
    ("dan", "wrong"), ("eve", "secret")])
def test_a_user_or_password_that_is_wrong(guarded, tmp_path, user, password):
    wrong = guarded.visit("-u", user, "-P", password)
    assert_told(wrong, 4, "mqtt", "broker-bad-user")
    assert f"user {user}" in wrong.cause
    assert password not in wrong.cause + wrong.remedy
    # Its prompt is answered as a person would.
    command = re.search(r"mosquitto_passwd \S+ \S+", wrong.remedy).group(0)
    passwords = tmp_path / "broker/passwords"
    command = command.replace("/etc/mosquitto/passwd", str(passwords))
    subprocess.run(command.replace("mosquitto_passwd", "mosquitto_passwd -b")
                   + f" {password}", shell=True, check=True)
    passwords.chmod(0o644)
    guarded.broker.signal(peers.signal.SIGHUP)
    guarded.broker.wait_for_log("Reloading config")
    assert_well(guarded.visit("-u", user, "-P", password))


# ---- topics ----

@pytest.fixture
def walled(tmp_path, home, doctor):
    """A broker whose access rules leave one topic free."""
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite free/#\ntopic read half/#\n"
                   "topic write one/#\n")
    acl.chmod(0o644)
    with Clinic(tmp_path, home, doctor,
                broker_lines=f"acl_file {acl}") as clinic:
        clinic.acl = acl
        yield admitted(clinic)


@pytest.mark.parametrize("topic,code", [
    ("nobody/knows", "may-not-publish"),
    ("half/way", "may-not-publish"),
    # mosquitto lets anybody subscribe, and delivers nothing.
    ("one/way", "message-lost"),
])
def test_a_message_that_the_rules_swallow(walled, topic, code):
    wrong = walled.visit("-t", topic)
    assert_told(wrong, 4, "message", code)
    assert topic in wrong.cause
    # To a topic that is free; and with the rule that is printed.
    again = walled.doctor.take(wrong, r"kaya doctor -t TOPIC [^;]*",
                               {"TOPIC": "free/here"})
    assert "came back" in again.stdout
    take_rule(walled, wrong, r"sed -i .*")
    assert_well(walled.visit("-t", topic))


def take_rule(clinic, wrong, pattern):
    """The command at the broker, whose configuration is elsewhere."""
    assert wrong.remedy.endswith("&& systemctl reload mosquitto")
    clinic.doctor.take(wrong, pattern + "(?= && systemctl)",
                       {"/etc/mosquitto": clinic.tmp_path / "broker"})
    clinic.broker.signal(peers.signal.SIGHUP)
    clinic.broker.wait_for_log("Reloading config")


def test_a_long_topic_is_asked_for_whole(clinic):
    clinic.sshd.admit(clinic.public)
    topic = "a/" * 200 + "end"
    with peers.Process(["stdbuf", "-oL", "mosquitto_sub", "-d", "-p",
                        str(clinic.broker.port), "-t", topic]) as listener:
        listener.wait_for_log("Subscribed")
        assert clinic.visit("-t", topic).status == 0
        listener.wait_for_log("kaya-doctor-")
    done = clinic.doctor.text("-t", "a" * 512, clinic.dest)
    assert done.returncode == 2 and "less than 512 bytes" in done.stderr


def test_a_message_of_a_user_that_the_rules_swallow(tmp_path, home, doctor):
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite free/#\nuser eve\ntopic readwrite #")
    acl.chmod(0o644)
    with Clinic(tmp_path, home, doctor, users={"dan": "secret"},
                broker_lines=f"acl_file {acl}") as clinic:
        admitted(clinic)
        visit = "-u", "dan", "-P", "secret", "-t", "out/here"
        assert_told(clinic.visit(*visit), 4, "message", "may-not-publish")
        take_rule(clinic, clinic.visit(*visit), r"printf .*")
        assert_well(clinic.visit(*visit))
        assert clinic.visit(*visit[:-1], "another").status == 4


def test_a_broker_that_ends_the_connection_at_the_message(
        tmp_path, home, doctor):
    with Clinic(tmp_path, home, doctor,
                broker_lines="max_packet_size 100") as clinic:
        admitted(clinic)
        wrong = clinic.visit("-t", 150 * "t")
        assert_told(wrong, 4, "message", "message-closed")
        assert wrong.seen("message") == "DISCONNECT 0x95 (Packet too large)"
        assert "larger than the receiver accepts" in wrong.cause
        assert_well(clinic.visit("-t", "short"))


POLICY = """\
roles:
  - name: sensor
    publish: ["out/#", "both/#"]
    subscribe: ["both/#"]
identities:
  - names: dan
    roles: sensor
"""


@pytest.fixture
def gateway(tmp_path, home):
    """A gateway whose policy lets dan read one topic."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    policy.chmod(0o644)
    tmp_path.chmod(0o755)  # its folder is watched
    with Server("kayad", tmp_path, home, kayad=f"policy: {policy}\n") as server:
        server.policy = policy
        yield server


def change_policy(gateway, was, is_now):
    text = gateway.policy.read_text()
    assert was in text
    gateway.server.replace(gateway.policy, text.replace(was, is_now))


def test_a_gateway_whose_policy_forbids_to_subscribe(gateway, doctor):
    visit = "-i", gateway.key, "-t", "out/here", gateway.dest
    wrong = doctor(*visit)
    assert_told(wrong, 4, "message", "may-not-subscribe")
    assert "out/here" in wrong.cause
    # By a topic that it may use; and at the gateway, as its policy says.
    again = doctor.take(wrong, r"kaya doctor -t TOPIC [^;]*",
                        {"TOPIC": "both/here"})
    assert "came back" in again.stdout
    there = {"/var/lib/kayad/policy.yaml": gateway.policy, "NAME": "dan"}
    said = doctor.take(wrong, r"kaya policy test [^;]*", there, status=4)
    assert "no rule lets dan subscribe to" in said.stdout
    assert wrong.remedy.endswith(
        "under publish and subscribe of a role that NAME has: out/here")
    change_policy(gateway, "subscribe: [", "subscribe: [out/here, ")
    doctor.take(wrong, r"kaya policy test [^;]*", there)
    assert_well(doctor(*visit))


def test_a_gateway_whose_policy_wants_another_client_id(gateway, doctor):
    change_policy(gateway, "    publish", '    client_ids: "%i-*"\n    publish')
    wrong = doctor("-i", gateway.key, "-t", "both/here", gateway.dest)
    assert_told(wrong, 4, "mqtt", "broker-client-id")
    assert "CONNACK 2" in wrong.seen("mqtt")
    assert "kaya-doctor-..." in wrong.cause
    again = doctor.take(wrong, r"kaya doctor --client-id ID .*",
                        {"ID": "dan-7"})
    assert "came back" in again.stdout
    assert_told(doctor("--client-id", "eve-7", "-i", gateway.key,
                       gateway.dest), 4, "mqtt", "broker-client-id")


# ---- what is no broker ----

@pytest.fixture
def behind(clinic):
    """A clinic, and a visit to another port than its broker's."""
    admitted(clinic)

    def visit(port):
        return clinic.doctor("-i", clinic.key, "-b", f"127.0.0.1:{port}",
                             clinic.dest)
    clinic.visit_port = visit
    return clinic


def assert_mended(clinic, diagnosis):
    """By the broker's real port, as the remedy has it."""
    words = re.search(r"kaya tunnel (-b HOST:PORT [^;]*)",
                      diagnosis.remedy).group(1)
    local = free_port()
    with clinic.doctor.tunnel(
            *words.replace("HOST:PORT", clinic.target).split(), "-L", local):
        publish(local, "t", "through")


@pytest.mark.parametrize("reply,words", [
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "a web server"),
    (b"220 mail ESMTP\r\n", "a mail or FTP server"),
    (b"\x15\x03\x01\x00\x02\x02\x46", "a TLS server"),
    (b"what?\r\n", "something else"),
])
def test_something_that_answers_and_is_no_broker(behind, reply, words):
    with answering(reply, wait=True) as port:
        wrong = behind.visit_port(port)
    assert_told(wrong, 1, "mqtt", "not-mqtt")
    assert words in wrong.cause
    assert_mended(behind, wrong)


def test_an_ssh_server_behind(behind):
    wrong = behind.visit_port(behind.sshd.port)
    assert_told(wrong, 1, "mqtt", "not-mqtt")
    assert "an SSH server" in wrong.cause
    assert_mended(behind, wrong)


def test_the_brokers_tls_listener(behind, tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
         "/CN=x", "-keyout", key, "-out", certificate], check=True,
        capture_output=True)
    key.chmod(0o644)
    port = free_port()
    config = tmp_path / "tls.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n"
                      f"certfile {certificate}\nkeyfile {key}\n")
    peers.let_through(tmp_path)
    with peers.Process([peers.find("mosquitto"), "-v", "-c",
                        config]) as broker:
        broker.wait_for_log("running")
        wrong = behind.visit_port(port)
    assert_told(wrong, 1, "mqtt", "broker-tls")
    assert "TLS" in wrong.cause
    assert_mended(behind, wrong)


def test_something_that_takes_connections_and_says_nothing(behind):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        wrong = behind.visit_port(listener.getsockname()[1])
    assert_told(wrong, 3, "mqtt", "broker-silent")


def test_something_that_closes_when_it_sees_mqtt(behind):
    with answering(b"", wait=True) as port:
        wrong = behind.visit_port(port)
    assert_told(wrong, 4, "mqtt", "broker-closed")
    assert "max_connections" in wrong.cause and "no broker" in wrong.cause


def test_a_broker_that_is_full(tmp_path, home, doctor):
    """mosquitto 2.0.11 counts who left before his CONNECT as one less."""
    with Clinic(tmp_path, home, doctor, broker_lines="max_connections 1"
                ) as clinic, contextlib.ExitStack() as holders:
        admitted(clinic)
        broker = clinic.broker
        while not broker.logged("max_connections exceeded"):
            holder = holders.enter_context(peers.Process(
                ["stdbuf", "-oL", "mosquitto_sub", "-p", broker.port, "-t",
                 "t", "-d"]))
            wait_until(lambda: holder.logged("Subscribed") or broker.logged(
                "max_connections exceeded"), "it is in, or not")
        wrong = clinic.visit()
        assert_told(wrong, 4, "mqtt", "broker-closed")
        clinic.doctor.take(wrong, r"sed -i .*(?= && systemctl)", {
            "/etc/mosquitto/mosquitto.conf": broker.command[-1]})
        broker.stop()
        clinic.broker = peers.Process(broker.command)
        clinic.broker.wait_for_log("running")
        assert_well(clinic.visit())


# ---- this side's port ----

def listening(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((address, port))
    listener.listen()
    return listener


def assert_listens_elsewhere(clinic, diagnosis):
    words = re.search(r"kaya tunnel (-L \d+ [^;]*);",
                      diagnosis.remedy).group(1)
    local = int(words.split()[1])
    with clinic.doctor.tunnel("-b", clinic.target, *words.split()):
        publish(local, "t", "through")


def test_a_local_port_that_is_taken(clinic):
    admitted(clinic)
    with listening("127.0.0.1", clinic.doctor.port), \
            listening("::1", clinic.doctor.port):
        wrong = clinic.visit()
        assert_told(wrong, 1, "local", "local-taken")
        assert re.search(r"taken by \S*python\S* \(", wrong.cause), wrong
        assert_listens_elsewhere(clinic, wrong)
    assert_well(clinic.visit())


def test_the_port_to_listen_on_in_its_place_is_free(clinic):
    admitted(clinic)
    with listening("127.0.0.1", clinic.doctor.port), \
            listening("::1", clinic.doctor.port + 1):
        wrong = clinic.visit()
        assert_told(wrong, 1, "local", "local-half-taken")
        assert f"-L {clinic.doctor.port + 1} " not in wrong.remedy
        assert_listens_elsewhere(clinic, wrong)


@pytest.mark.parametrize("taken,free", [
    ("127.0.0.1", "[::1]"), ("::1", "127.0.0.1")])
def test_a_local_port_that_is_half_taken(clinic, taken, free):
    admitted(clinic)
    with listening(taken, clinic.doctor.port):
        wrong = clinic.visit()
        assert_told(wrong, 1, "local", "local-half-taken")
        assert f"listen on {free}:{clinic.doctor.port} alone" in wrong.cause
        assert_listens_elsewhere(clinic, wrong)
    assert_well(clinic.visit())


def test_a_tunnel_that_is_up_is_no_fault(clinic):
    admitted(clinic)
    with clinic.doctor.tunnel("-F", clinic.doctor.config, "-i", clinic.key,
                              "-b", clinic.target, "-L", clinic.doctor.port,
                              clinic.dest):
        well = clinic.visit()
        assert_well(well)
        assert "a tunnel is up" in well.seen("local")


def test_a_port_that_this_user_may_not_have(clinic):
    admitted(clinic)
    clinic.doctor.port = 23
    clinic.doctor.prefix = peers.find("setpriv"), "--bounding-set=-all"
    wrong = clinic.visit()
    assert_told(wrong, 1, "local", "local-forbidden")
    assert "port 23" in wrong.cause
    words = re.search(r"kaya tunnel (-L .*)", wrong.remedy).group(1).split()
    assert words[1] == "22883"
    words[1] = free_port()
    with clinic.doctor.tunnel("-b", clinic.target, *words):
        publish(words[1], "t", "through")
