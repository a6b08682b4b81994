"""kayad with real clients: stock ssh in front, mosquitto behind."""

import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

import peers
import rawssh
from peers import free_port, make_key, wait_until
from tunnels import (Subscriber, Tunnel, dan, publish, status,  # noqa: F401
                     tunnel)


@pytest.mark.parametrize("version", ["31", "311", "5"])
@pytest.mark.parametrize("qos", ["0", "1", "2"])
def test_messages_go_round(tunnel, version, qos):
    with Subscriber(tunnel.port, "test/#", "-q", qos, "-V",
                    f"mqttv{version}", "-u", "dan", "-P", "password") as sub:
        publish(tunnel.port, "test/a", "hello", "-q", qos, "-V",
                f"mqttv{version}", "-u", "dan", "-P", "password")
        sub.wait_for_log("hello")


@pytest.mark.kayad(arguments=["--log-level", "debug"])
def test_the_log_says_who_did_what_and_why_it_ended(kayad, tunnel):
    publish(tunnel.port, "t", "x")
    kayad.wait_for_log(r"session event=accept .*identity=dan key=SHA256:\S+ "
                       r"client=\S*.*kex=\S+ cipher=\S+")
    kayad.wait_for_log(r"event=channel-open .*identity=dan")
    kayad.wait_for_log(r"event=channel-close .*in=\d+ out=\d+ ms=\d+")
    tunnel.stop()
    kayad.wait_for_log(r"event=close .*why=.* in=\d+ out=\d+ "
                       r"exchanges=1 ms=\d+")
    assert "password" not in kayad.log()


def test_a_large_payload_goes_both_ways_unharmed(tunnel, tmp_path):
    payload = tmp_path / "payload"
    payload.write_bytes(os.urandom(1 << 20))
    got = tmp_path / "got"
    with open(got, "wb") as file:
        sub = subprocess.Popen(
            ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(tunnel.port),
             "-t", "big", "-q", "2", "-C", "1", "-N", "-W", "30"],
            stdout=file)
    wait_for_subscriber(tunnel.port, "big")
    subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p",
                    str(tunnel.port), "-t", "big", "-q", "2", "-f", payload],
                   check=True, timeout=30)
    assert sub.wait(30) == 0
    assert got.read_bytes() == payload.read_bytes()


def wait_for_subscriber(port, topic):
    """Until a retained-free probe would be seen: the broker counts it."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        answer = subprocess.run(
            ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-V",
             "mqttv5", "-q", "1", "-d", "-t", f"{topic}/none", "-n"],
            capture_output=True, text=True)
        if answer.returncode == 0:
            return
    raise AssertionError("the broker does not answer")


def test_the_identity_is_the_user_name_and_the_password_stays_here(tmp_path):
    """The private broker sees the key's name, whatever the client said."""
    gateway = peers.Kayad(tmp_path, config="""
private_broker:
  extra_lines:
    - log_type all
""")
    with gateway as kayad:
        key = tmp_path / "key"
        kayad.admit(make_key(key), "pump-7")
        with Tunnel(kayad, key) as tunnel:
            publish(tunnel.port, "t", "x", "-u", "root", "-P", "secret",
                    "-i", "client-9")
        kayad.wait_for_log(r"as client-9 \(.*u'pump-7'")
        assert "secret" not in kayad.log()


def test_a_key_without_a_name_is_known_by_its_fingerprint(kayad, key):
    kayad.admit(key.with_suffix(".pub").read_text())
    with Tunnel(kayad, key) as tunnel:
        publish(tunnel.port, "t", "x")
    kayad.wait_for_log(r"identity=key-[0-9a-f]{32} ")


def test_a_broker_of_ones_own_sees_user_and_password(tmp_path, key):
    """The two stock commands, letter by letter."""
    with peers.Mosquitto(tmp_path / "broker", {"dan": "password"}) as broker, \
            peers.Kayad(tmp_path, arguments=[
                "--broker", f"127.0.0.1:{broker.port}"]) as kayad:
        kayad.admit(key.with_suffix(".pub").read_text(), "other")
        with Tunnel(kayad, key) as tunnel:
            with Subscriber(tunnel.port, "test/#", "-u", "dan", "-P",
                            "password") as sub:
                publish(tunnel.port, "test/1", "in", "-u", "dan", "-P",
                        "password")
                sub.wait_for_log("in")
            wrong = publish(tunnel.port, "test/1", "in", "-u", "dan", "-P",
                            "wrong", check=False)
            assert wrong.returncode != 0
            assert "not authorised" in (wrong.stderr + wrong.stdout).lower()


def test_no_broker_behind_it_is_said_in_words(tmp_path, key):
    port = free_port()
    with peers.Kayad(tmp_path, arguments=[
            "--broker", f"127.0.0.1:{port}"]) as kayad:
        kayad.admit(key.with_suffix(".pub").read_text(), "dan")
        with Tunnel(kayad, key) as tunnel:
            publish(tunnel.port, "t", "x", check=False)
            tunnel.wait_for_log(r"open failed: connect failed: "
                                r"no broker answers: .*refused")


def test_permitopen_has_three_spellings_of_loopback(kayad, key):
    kayad.admit(key.with_suffix(".pub").read_text(), "dan",
                'restrict,port-forwarding,permitopen="localhost:1883"')
    for target in ("localhost:1883", "127.0.0.1:1883", "[::1]:1883"):
        with Tunnel(kayad, key, target) as tunnel:
            publish(tunnel.port, "t", "x")


@pytest.mark.parametrize("options,reason", [
    ("restrict", "allows no forwarding"),
    ('restrict,port-forwarding,permitopen="127.0.0.1:8883"',
     "does not name this host"),
])
def test_what_the_line_does_not_permit_is_refused_with_its_reason(
        kayad, key, options, reason):
    kayad.admit(key.with_suffix(".pub").read_text(), "dan", options)
    with Tunnel(kayad, key) as tunnel:
        publish(tunnel.port, "t", "x", check=False)
        tunnel.wait_for_log(f"administratively prohibited: .*{reason}")


@pytest.mark.parametrize("words", [["true"], ["-tt"], ["-s", "sftp"], []])
def test_there_is_no_shell_and_it_says_so(kayad, dan, words):
    options = [word for word in words if word.startswith("-")]
    command = [word for word in words if not word.startswith("-")]
    shell = subprocess.run(
        ["ssh", "-F", "none", "-i", dan, "-p", str(kayad.port),
         "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
         "-o", "UserKnownHostsFile=/dev/null", *options, "user@127.0.0.1",
         *command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=30)
    assert shell.returncode == 255
    assert "MQTT" in shell.stderr


def test_there_is_no_remote_forwarding(kayad, dan):
    remote = subprocess.run(
        ["ssh", "-F", "none", "-N", "-i", dan, "-p", str(kayad.port),
         "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
         "-o", "UserKnownHostsFile=/dev/null",
         "-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:22",
         "user@127.0.0.1"], stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=30)
    assert remote.returncode == 255
    assert "remote port forwarding failed" in remote.stderr


def test_a_malformed_stream_ends_the_channel_and_names_the_rule(
        kayad, tunnel):
    with socket.create_connection(("127.0.0.1", tunnel.port)) as client:
        client.sendall(bytes.fromhex("300400017478"))  # PUBLISH first
        assert client.recv(100) == b""
    kayad.wait_for_log(r"event=mqtt-fault .*rule=MQTT-3.1.0-1")


# ---- keys, reload ----

def test_a_key_taken_out_is_disconnected_and_kept_out(kayad, dan, tunnel):
    kayad.authorized_keys.write_text("")
    started = time.monotonic()
    assert tunnel.wait(10) == 255
    assert time.monotonic() - started < 5
    kayad.wait_for_log(r"event=close .*not let in any more")
    with pytest.raises(AssertionError, match="Permission denied"):
        Tunnel(kayad, dan)
    kayad.wait_for_log(r"event=refuse .*no line has this key")


def test_a_line_that_means_nothing_is_reported_with_its_place(kayad, key):
    public = key.with_suffix(".pub").read_text()
    kayad.admit(public, "dan", 'restrict,port-forwarding,permitopn="a:1"')
    kayad.wait_for_log(r"keys event=void where=\S+authorized_keys:1:\d+ why=")


def test_sighup_reads_the_configuration_and_a_bad_one_changes_nothing(
        tmp_path, key):
    with peers.Kayad(tmp_path, config="limits: {channels: 8}\n") as kayad:
        kayad.admit(key.with_suffix(".pub").read_text(), "dan")
        kayad.config.write_text("limits: {chanels: 9}\n")
        kayad.signal(signal.SIGHUP)
        kayad.wait_for_log(r"reload-refused .*where=\S+kayad.conf:1:\d+")
        with Tunnel(kayad, key) as tunnel:
            publish(tunnel.port, "t", "x")
        kayad.config.write_text("log: {level: debug}\n")
        kayad.signal(signal.SIGHUP)
        kayad.wait_for_log(r"(?s)reload-refused.*event=reloaded")
        with Tunnel(kayad, key) as tunnel:
            publish(tunnel.port, "t", "x")
            kayad.wait_for_log(r"debug session")


def test_keys_may_be_a_folder_of_files(tmp_path, key):
    folder = tmp_path / "keys"
    folder.mkdir()
    with peers.Kayad(tmp_path, config=f"authorized_keys: {folder}\n") as kayad:
        (folder / "pump").write_text(
            'restrict,port-forwarding,environment="KAYA_ID=pump" '
            + key.with_suffix(".pub").read_text())
        kayad.wait_for_log("event=reloaded")
        with Tunnel(kayad, key) as tunnel:
            publish(tunnel.port, "t", "x")
        (folder / "pump").unlink()
        kayad.wait_for_log(r"(?s)event=reloaded.*event=reloaded")
        with pytest.raises(AssertionError, match="Permission denied"):
            Tunnel(kayad, key)


# ---- beginning and end ----

def test_a_port_that_is_taken_is_an_error(kayad, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    second = peers.Kayad(other, arguments=[
        "--listen", f"127.0.0.1:{kayad.port}"], wait=False)
    assert second.wait(20) == 1
    assert f"127.0.0.1:{kayad.port}" in second.log()
    assert "in use" in second.log()


def test_an_address_of_another_machine_is_an_error(tmp_path):
    told = peers.Kayad(tmp_path, arguments=["--listen", "192.0.2.1:2222"],
                       wait=False)
    assert told.wait(20) == 1
    assert "no such address" in told.log()


def test_a_state_folder_in_use_is_an_error(kayad, tmp_path):
    second = peers.Kayad(tmp_path, wait=False)
    assert second.wait(20) == 1
    assert "another one serves" in second.log()


@pytest.mark.parametrize("config,where", [
    ("lisen: 2222\n", "1:1"),
    ("limits:\n  login_grace: forever\n", "2:16"),
    ("host_keys: /nonexistent/key\n", "1:12"),
])
def test_a_bad_configuration_is_named_by_line_and_column(
        tmp_path, config, where):
    file = tmp_path / "kayad.conf"
    file.write_text(config)
    for words in (["-t"], []):
        done = subprocess.run(
            [peers.KAYAD, *words, "-c", file, "--state", tmp_path / "state"],
            capture_output=True, text=True, timeout=30)
        assert done.returncode == 2
        assert f"kayad.conf:{where}: " in done.stderr
        assert "remedy:" in done.stderr or "allowed" in done.stderr


FAULTY = "threads: 0\nlimits:\n  chanels: 9\nhost_keys: [/nonexistent]\n"


def test_all_faults_are_told_at_the_start(tmp_path):
    file = tmp_path / "kayad.conf"
    file.write_text(FAULTY)
    done = subprocess.run([peers.KAYAD, "-c", file, "--state",
                           tmp_path / "state"], capture_output=True,
                          text=True, timeout=30)
    assert done.returncode == 2
    for where in ("1:10", "3:3"):
        assert f"kayad.conf:{where}: " in done.stderr
    assert "2 faults in " in done.stderr
    assert not (tmp_path / "state").exists()


def test_all_faults_of_a_reload_are_logged_and_the_old_one_stays(
        tmp_path, key):
    with peers.Kayad(tmp_path, config="limits: {channels: 8}\n") as kayad:
        kayad.admit(key.with_suffix(".pub").read_text(), "dan")
        kayad.config.write_text(FAULTY)
        kayad.signal(signal.SIGHUP)
        for where in ("1:10", "3:3"):
            kayad.wait_for_log(
                rf"event=reload-refused .*where=\S+kayad.conf:{where}")
        # What is well formed, but names what is not there.
        kayad.config.write_text("\nhost_keys: [/nonexistent]\n")
        kayad.signal(signal.SIGHUP)
        kayad.wait_for_log(
            r"event=reload-refused .*where=\S+kayad.conf:2:13")
        with Tunnel(kayad, key) as tunnel:
            publish(tunnel.port, "t", "x")


def test_what_changes_during_a_reload_is_read_after_it(tmp_path):
    key, window = rawssh.Key(), "limits: {{window: {}KiB}}\n"
    with peers.Kayad(tmp_path, config=window.format(32),
                     arguments=["--log-level", "debug"]) as kayad:
        kayad.admit(key.line(), "dan")
        child = [pid for pid in kayad.children()[1:]
                 if open(f"/proc/{pid}/comm").read() == "kayad\n"][0]
        reloads = len(re.findall("event=reload ", kayad.log()))
        # It cannot take the first before the second has come.
        os.kill(child, signal.SIGSTOP)
        try:
            kayad.config.write_text(window.format(33))
            kayad.signal(signal.SIGHUP)
            wait_until(lambda: len(re.findall(
                "event=reload ", kayad.log())) > reloads, "it reads them")
            kayad.config.write_text(window.format(34))
            kayad.signal(signal.SIGHUP)
            wait_until(lambda: not signals_pending(kayad.pid), "it knows")
        finally:
            os.kill(child, signal.SIGCONT)

        def is_last():
            with rawssh.Client(kayad.port) as client:
                client.login(key)
                return client.open()[1] == 34 * 1024
        wait_until(is_last, "the last one is in force", 10)


def test_keys_that_change_just_before_a_reload_is_done_are_read(tmp_path):
    key = rawssh.Key()
    with peers.Kayad(tmp_path, config="threads: 1\n",
                     arguments=["--log-level", "debug"]) as kayad:
        child = [pid for pid in kayad.children()[1:]
                 if open(f"/proc/{pid}/comm").read() == "kayad\n"][0]
        os.kill(child, signal.SIGSTOP)
        try:
            kayad.signal(signal.SIGHUP)
            kayad.wait_for_log("event=reload ")
            wait_until(lambda: is_asleep(kayad.pid), "the keys are sent")
            kayad.authorized_keys.write_text(
                "restrict,port-forwarding " + key.line() + "\n")
        finally:
            os.kill(child, signal.SIGCONT)

        def is_let_in():
            with rawssh.Client(kayad.port) as client:
                client.handshake()
                client.service()
                client.send(client.auth_request(key))
                return client.expect(rawssh.USERAUTH_SUCCESS,
                                     rawssh.USERAUTH_FAILURE)[0] == \
                    rawssh.USERAUTH_SUCCESS
        wait_until(is_let_in, "the key is let in", 10)


def is_asleep(pid):
    """Whether it waits for something to happen."""
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] == "S"


def signals_pending(pid):
    """Whether a signal has not yet reached the process."""
    with open(f"/proc/{pid}/status") as file:
        words = dict(line.split(":", 1) for line in file)
    return int(words["ShdPnd"], 16) | int(words["SigPnd"], 16)


def test_what_only_a_start_can_change_is_said_at_a_reload(tmp_path):
    with peers.Kayad(tmp_path, config="threads: 1\n") as kayad:
        kayad.config.write_text("threads: 2\n"
                                "private_broker: {persistence: no}\n")
        kayad.signal(signal.SIGHUP)
        kayad.wait_for_log("event=not-yet setting=threads .*next start")
        kayad.wait_for_log("setting=private_broker.persistence")
        assert "setting=listen" not in kayad.log()


def test_the_check_tells_all_as_json(tmp_path):
    file = tmp_path / "kayad.conf"
    file.write_text(FAULTY)
    done = subprocess.run([peers.KAYAD, "-t", "--json", "-c", file],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    told = json.loads(done.stdout)
    assert [(fault["line"], fault["column"]) for fault in told["faults"]] \
        == [(1, 10), (3, 3)]
    assert all(fault["what"] and fault["remedy"] for fault in told["faults"])
    assert told["file"] == str(file)


def test_the_check_warns_of_lines_that_let_nobody_in(tmp_path, key):
    keys = tmp_path / "keys"
    keys.write_text("restrict,permitopn=\"a:1\" "
                    + key.with_suffix(".pub").read_text())
    file = tmp_path / "kayad.conf"
    file.write_text(f"authorized_keys: {keys}\n")
    words = [peers.KAYAD, "-t", "-c", file, "--broker", "127.0.0.1:1883",
             "--state", tmp_path / "state"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert f"{keys}:1:10: warning: " in done.stderr
    assert "no faults, 1 warning" in done.stderr
    done = subprocess.run([*words, "--json"], capture_output=True, text=True,
                          timeout=30)
    told = json.loads(done.stdout)
    assert told["faults"] == []
    assert told["warnings"][0]["line"] == 1


def test_sigterm_ends_in_order_and_loses_nothing(kayad, tunnel):
    with Subscriber(tunnel.port, "t", "-q", "1") as sub:
        publish(tunnel.port, "t", "last words", "-q", "1")
        assert peers.stop_by_signal(kayad) == 0
        sub.wait_for_log("last words")
    tunnel.wait_for_log("the gateway is being stopped")
    assert tunnel.wait(10) == 255
    assert not (kayad.state / "control.sock").exists()


def test_nothing_is_left_running_however_it_ends(kayad):
    pids = kayad.children()
    assert len(pids) == 3
    kayad.signal(signal.SIGKILL)
    kayad.wait()
    for pid in pids:
        wait_until(lambda: not is_alive(pid), f"{pid} ends")


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_the_private_broker_is_started_again_and_keeps_its_messages(
        kayad, tunnel):
    publish(tunnel.port, "kept", "still here", "-q", "1", "-r")
    # mosquitto acknowledges first and saves in its next turn.
    database = kayad.state / "broker/mosquitto.db"
    wait_until(lambda: database.exists()
               and b"still here" in database.read_bytes(), "it is saved")
    broker = [pid for pid in kayad.children()
              if open(f"/proc/{pid}/comm").read().strip() == "mosquitto"][0]
    os.kill(broker, signal.SIGKILL)
    kayad.wait_for_log("starting it again")

    def comes_back():
        got = subprocess.run(
            ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(tunnel.port),
             "-t", "kept", "-C", "1", "-W", "2"], capture_output=True,
            text=True)
        return got.stdout.strip() == "still here"
    wait_until(comes_back, "the retained message comes back")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give it up")
def test_started_as_root_nobody_stays_root(kayad, tunnel):
    users = set()
    for pid in kayad.children():
        with open(f"/proc/{pid}/status") as file:
            words = dict(line.split(":", 1) for line in file)
        ids = set(words["Uid"].split() + words["Gid"].split())
        assert "0" not in ids
        assert words["NoNewPrivs"].strip() == "1"
        assert int(words["CapEff"], 16) == 0
        if words["Name"].strip() == "kayad":
            users.add(words["Uid"].split()[0])
    assert len(users) == 2


def test_the_child_is_caged(kayad):
    child = kayad.children()[1:]
    modes = [line.split()[1] for pid in child
             for line in open(f"/proc/{pid}/status")
             if line.startswith("Seccomp:")]
    assert "2" in modes


def test_status_names_the_device_and_counts_its_bytes(kayad, tunnel):
    with Subscriber(tunnel.port, "t"):
        report = status(kayad)
        device = report["gateway"]["devices"][0]
        assert device["identity"] == "dan"
        assert device["address"] == "127.0.0.1"
        assert device["in"] > 0 and device["out"] > 0
        assert [c["broker"] for c in device["channels"]] == ["private"]
        assert report["brokers"][0]["up"] is True


def test_a_storm_of_connections_is_absorbed_without_one_refusal(kayad, dan):
    """Many at once, from one address: all are served, none is refused."""
    key = rawssh.Key()
    kayad.admit(key.line(), "storm")
    clients = []
    try:
        for _ in range(300):
            client = rawssh.Client(kayad.port)
            client.version()
            clients.append(client)
        for client in clients:
            client.send_kexinit()
        for client in clients:
            client.exchange()
            client.service()
            client.send(client.auth_request(key))
        for client in clients:
            client.expect(rawssh.USERAUTH_SUCCESS)
    finally:
        for client in clients:
            client.socket.close()
    assert "event=refuse" not in kayad.log()
