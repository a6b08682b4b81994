"""kaya tunnel, pub, sub and status against stock servers and kayad."""

import contextlib
import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import threading
import time

import pytest

import peers
from devices import (Kaya, Server, Tunnel, Typed, home, know, run,  # noqa: F401
                     type_it, with_config)
from peers import free_port, make_key, wait_until
from tunnels import Subscriber, publish


@pytest.fixture(params=["kayad", "sshd", "dropbear"])
def server(request, tmp_path, home):
    with Server(request.param, tmp_path, home) as server:
        yield server


@pytest.fixture
def sshd_server(tmp_path, home):
    with Server("sshd", tmp_path, home) as server:
        yield server


# ---- against each server ----

@pytest.mark.parametrize("qos", ["0", "1", "2"])
def test_messages_go_round(server, qos):
    with Tunnel(server) as tunnel, \
            Subscriber(tunnel.port, "t/#", "-q", qos) as sub:
        publish(tunnel.port, "t/a", "hello", "-q", qos)
        sub.wait_for_log("hello")


def test_a_large_payload_goes_both_ways_unharmed(server, tmp_path):
    payload = tmp_path / "payload"
    payload.write_bytes(os.urandom(1 << 20))
    with Tunnel(server) as tunnel:
        subprocess.run(
            ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(tunnel.port),
             "-t", "big", "-q", "2", "-r", "-f", payload], check=True,
            timeout=60)
        got = subprocess.run(
            ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(tunnel.port),
             "-t", "big", "-q", "2", "-C", "1", "-N", "-W", "30"],
            capture_output=True, check=True, timeout=60)
        assert got.stdout == payload.read_bytes()


def test_a_client_without_a_file_for_it_is_sent_away_at_once(sshd_server):
    """Left in the queue, it would keep the tunnel busy at nothing."""
    def connect():
        return socket.create_connection(("127.0.0.1", tunnel.port), 20)

    with Tunnel(sshd_server) as tunnel:
        files = pathlib.Path(f"/proc/{tunnel.pid}/fd")
        with connect() as first:
            first.sendall(b"\x10\x0c\0\4MQTT\4\2\0\0\0\0")
            assert first.recv(4) == b"\x20\x02\0\0"
            _, hard = resource.prlimit(tunnel.pid, resource.RLIMIT_NOFILE)
            few = len(list(files.iterdir()))
            resource.prlimit(
                tunnel.pid, resource.RLIMIT_NOFILE, (few, hard))
            for _ in range(3):
                with pytest.raises(ConnectionResetError), connect() as late:
                    late.recv(1)
            tunnel.wait_for_log("event=no-files .*raise the limit")
            assert tunnel.log().count("event=no-files") == 1
            # The first one is served.
            first.sendall(b"\xc0\0")
            assert first.recv(2) == b"\xd0\0"
        wait_until(lambda: len(list(files.iterdir())) < few, "there is room")
        publish(tunnel.port, "t/a", "again")


def test_the_link_is_made_again_when_it_is_cut(server):
    with peers.Relay(server.port) as relay:
        home = os.environ["HOME"]
        with open(f"{home}/.ssh/known_hosts") as file:
            known = file.read().replace(
                f"[127.0.0.1]:{server.port}", f"[127.0.0.1]:{relay.port}")
        with open(f"{home}/.ssh/known_hosts", "a") as file:
            file.write(known)
        dest = f"{server.user}@127.0.0.1:{relay.port}"
        with Tunnel(server, dest=dest) as tunnel:
            publish(tunnel.port, "t", "before")
            relay.cut()
            tunnel.wait_for_log("event=down")
            tunnel.wait_for_log(r"(?s)event=up.*event=up")
            publish(tunnel.port, "t", "after")


def test_pub_and_sub_need_no_port(server):
    common = ["--key", server.key, "--broker", server.target]
    with Kaya("sub", server.dest, *common, "-t", "t/#", "-v", "-q", "1",
              "-C", "2") as sub:
        def heard():
            done = run("pub", server.dest, *common, "-t", "t/1", "-m", "hi",
                       "-q", "1")
            assert done.returncode == 0, done.stderr
            return sub.logged("t/1 hi")
        wait_until(heard, "the message comes")
        if sub.is_running():
            run("pub", server.dest, *common, "-t", "t/2", "-n")
        assert sub.wait() == 0


# ---- pub and sub ----

def test_pub_takes_lines_files_and_nothing(sshd_server, tmp_path):
    server = sshd_server
    common = ["--key", server.key, "--broker", server.target]
    with Subscriber(server.broker.port, "t/#", "-v", "-q", "2") as sub:
        lines = subprocess.run(
            with_config(["pub", server.dest, *common, "-t", "t/l", "-l", "-q",
                         "1"]),
            input="one\ntwo\nthree", text=True, capture_output=True,
            timeout=60)
        assert lines.returncode == 0, lines.stderr
        sub.wait_for_log(r"(?s)t/l one\n.*t/l two\n.*t/l three\n")
        file = tmp_path / "file"
        file.write_text("content of it")
        assert run("pub", server.dest, *common, "-t", "t/f", "-f",
                   file).returncode == 0
        sub.wait_for_log("t/f content of it")
        assert run("pub", server.dest, *common, "-t", "t/r", "-m", "kept",
                   "-r", "-V", "5").returncode == 0
    kept = run("sub", server.dest, *common, "-t", "t/r", "-C", "1", "-F",
               "%t|%p|%q|%r|%l|%x|%j")
    assert kept.returncode == 0, kept.stderr
    words = kept.stdout.strip().split("|")
    assert words[:6] == ["t/r", "kept", "0", "1", "4", "6b657074"]
    assert json.loads(words[6])["payload"] == "kept"


def test_sub_gives_up_after_its_time(sshd_server):
    server = sshd_server
    done = run("sub", server.dest, "--key", server.key, "--broker",
               server.target, "-t", "silence", "-W", "1")
    assert done.returncode == 1
    assert "timed out" in done.stderr


def test_a_broker_that_refuses_is_told_in_words(tmp_path, home):
    key = tmp_path / "device"
    with peers.Mosquitto(tmp_path / "b", {"dan": "password"}) as broker, \
            peers.Sshd(tmp_path / "sshd") as sshd:
        sshd.admit(make_key(key))
        know(home, sshd.port)
        common = [f"{sshd.user}@127.0.0.1:{sshd.port}", "--key", key,
                  "--broker", f"127.0.0.1:{broker.port}", "-t", "t"]
        refused = run("pub", *common, "-m", "x", "-u", "dan", "-P", "no")
        assert refused.returncode == 4
        assert "not authorised" in refused.stderr.lower()
        assert "remedy:" in refused.stderr
        assert run("pub", *common, "-m", "x", "-u", "dan", "-P",
                   "password").returncode == 0


# ---- what goes wrong, and its exit status ----

def test_an_unknown_host_key_is_5_with_the_command_that_pins_it(
        sshd_server, home):
    server = sshd_server
    (home / ".ssh/known_hosts").write_text("")
    first = run("tunnel", "--once", "-i", server.key, "-L", free_port(),
                server.dest)
    assert first.returncode == 5
    fingerprint = re.search(r"SHA256:\S+", first.stderr).group(0)
    scan = subprocess.run(
        ["ssh-keygen", "-lf", f"{server.server.host_key}.pub"],
        capture_output=True, text=True, check=True).stdout
    assert fingerprint in scan
    remedy = re.search(r"pin it once: (.*)", first.stderr).group(1)
    assert f"--host-key {fingerprint} {server.dest}" in remedy
    wrong = run("tunnel", "--once", "-i", server.key, "-L", free_port(),
                "--host-key", "SHA256:" + "A" * 43, server.dest)
    assert wrong.returncode == 5
    with Typed(remedy) as pinned:
        pinned.wait_for_log("event=up")
    again = run("pub", server.dest, "--key", server.key, "--broker",
                server.target, "-t", "t", "-m", "x")
    assert again.returncode == 0, again.stderr


def test_a_changed_host_key_is_5_and_never_connects(sshd_server, home):
    server = sshd_server
    other = home / "other"
    public = make_key(other).split()
    (home / ".ssh/known_hosts").write_text(
        f"[127.0.0.1]:{server.port} {public[0]} {public[1]}\n")
    changed = run("tunnel", "-i", server.key, "-L", free_port(), server.dest)
    assert changed.returncode == 5
    assert "CHANGED" in changed.stderr
    assert "Accepted" not in server.server.log()
    remedy = re.search(r"ssh-keygen -f .*", changed.stderr).group(0)
    with Typed(remedy) as pinned:
        pinned.wait_for_log("event=up")


def test_a_host_key_of_another_type_is_5_with_the_commands_that_pin_it(
        sshd_server, home):
    server = sshd_server
    public = make_key(home / "other", "ecdsa").split()
    (home / ".ssh/known_hosts").write_text(
        f"[127.0.0.1]:{server.port} {public[0]} {public[1]}\n")
    other = run("tunnel", "-i", server.key, "-L", free_port(), server.dest)
    assert other.returncode == 5
    assert "of another type" in other.stderr
    remedy = re.search(r"ssh-keygen -f .*", other.stderr).group(0)
    with Typed(remedy) as pinned:
        pinned.wait_for_log("event=up")


def test_a_message_with_an_unknown_host_key_is_sent_by_the_command_it_prints(
        sshd_server, home):
    server = sshd_server
    (home / ".ssh/known_hosts").write_text("")
    first = run("pub", "--key", server.key, "--broker", server.target, "-t",
                "test/o'ne", "-m", "$HOME; two  words", server.dest)
    assert first.returncode == 5
    remedy = re.search(r"pin it once: (kaya pub .*)", first.stderr).group(1)
    with Subscriber(server.broker.port, "test/#", "-v") as subscriber:
        done = type_it(remedy)
        assert done.returncode == 0, done.stderr
        subscriber.wait_for_log(r"test/o'ne \$HOME; two  words")


def test_a_refused_key_is_4_and_is_named(sshd_server, tmp_path):
    server = sshd_server
    other = tmp_path / "other"
    make_key(other)
    refused = run("tunnel", "--once", "-i", other, "-L", free_port(),
                  server.dest)
    assert refused.returncode == 4
    assert str(other) in refused.stderr
    assert "kaya keys add" in refused.stderr


def test_a_key_file_that_is_not_there_is_2_before_anything_is_tried(
        sshd_server, tmp_path):
    server = sshd_server
    before = server.server.log().count("Connection from")
    for words in (["tunnel", "-i"], ["pub", "-t", "t", "-m", "x", "--key"]):
        missing = run(*words, tmp_path / "missing", server.dest)
        assert missing.returncode == 2
        assert f"cannot read the key {tmp_path}/missing" in missing.stderr
        assert "remedy:" in missing.stderr
    assert server.server.log().count("Connection from") == before


def test_nobody_there_is_3(home):
    port = free_port()
    for words in (["--once"], ["-f"]):
        nobody = run("tunnel", *words, "-L", free_port(), f"127.0.0.1:{port}")
        assert nobody.returncode == 3
        assert "refused" in nobody.stderr


def test_an_unreachable_host_is_tried_for_ever(tmp_path, home):
    port = free_port()
    with Kaya("tunnel", "-L", free_port(), f"127.0.0.1:{port}") as tunnel:
        tunnel.wait_for_log(r"(?s)event=down.*event=down.*trying again")
        assert tunnel.is_running()
        assert peers.stop_by_signal(tunnel) == 0


def test_an_address_that_is_taken_is_named_with_its_holder(sshd_server):
    server = sshd_server
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        taken = run("tunnel", "-i", server.key, "-L", port, server.dest)
    assert taken.returncode == 1
    assert f"127.0.0.1:{port}" in taken.stderr
    assert f"(pid {os.getpid()})" in taken.stderr


def test_the_other_family_taken_is_a_failure_too(sshd_server):
    """ssh binds one of the two and stays up; kaya keeps its promise."""
    server = sshd_server
    try:
        holder = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with holder:
        port = holder.getsockname()[1]
        taken = run("tunnel", "-i", server.key, "-L", port, server.dest)
        assert taken.returncode == 1
        assert f"[::1]:{port}" in taken.stderr
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("path,told", [
    ("file", "there is a file"), (".", "it is a folder"),
    ("nowhere/socket", "make its folder first")])
def test_where_no_socket_can_be_the_reason_is_told(
        path, told, sshd_server, tmp_path):
    (tmp_path / "file").write_text("mine")
    done = run("tunnel", "--once", "-i", sshd_server.key, "-L",
               f"{tmp_path}/{path}", sshd_server.dest)
    assert done.returncode == 1
    assert told in done.stderr
    assert (tmp_path / "file").read_text() == "mine"


def test_a_star_is_every_address_of_both_families(sshd_server):
    port = free_port()
    with Kaya("tunnel", "-i", sshd_server.key, "-b", sshd_server.target,
              "-L", f"*:{port}", sshd_server.dest) as tunnel:
        tunnel.wait_for_log("event=up")
        for address in ("127.0.0.1", "::1"):
            publish(port, "t", "x", "-h", address)


@pytest.mark.parametrize("option,words", [
    ('permitopen="localhost:{port}"', "does not let this key go to"),
    ("no-port-forwarding", "does not let this key go to"),
])
def test_a_refused_channel_is_told_with_cause_and_remedy(
        tmp_path, home, option, words):
    key = tmp_path / "device"
    with peers.Mosquitto(tmp_path / "b") as broker, \
            peers.Sshd(tmp_path / "sshd") as sshd:
        sshd.admit(make_key(key), option.format(port=broker.port))
        know(home, sshd.port)
        port = free_port()
        with Kaya("tunnel", "-i", key, "-b", f"127.0.0.1:{broker.port}",
                  "-L", port, f"{sshd.user}@127.0.0.1:{sshd.port}") as tunnel:
            tunnel.wait_for_log("event=up")
            publish(port, "t", "x", check=False)
            tunnel.wait_for_log(words)
            tunnel.wait_for_log(r"remedy=.*permitopen")


def test_no_broker_behind_is_told(sshd_server):
    server = sshd_server
    nobody = free_port()
    port = free_port()
    with Kaya("tunnel", "-i", server.key, "-b", f"127.0.0.1:{nobody}", "-L",
              port, server.dest) as tunnel:
        tunnel.wait_for_log("event=up")
        publish(port, "t", "x", check=False)
        tunnel.wait_for_log(f"cannot reach 127.0.0.1:{nobody}")
        tunnel.wait_for_log("remedy=.*broker")


# ---- listeners ----

def test_several_listeners_share_one_connection(sshd_server, tmp_path):
    server = sshd_server
    first, second = free_port(), free_port()
    path = tmp_path / "mqtt.sock"
    with Kaya("tunnel", "-i", server.key, "-L", first, "-L",
              f"127.0.0.1:{second}:{server.target}", "-L",
              f"{path}:{server.target}", "-b", server.target,
              server.dest) as tunnel:
        tunnel.wait_for_log("event=up")
        publish(first, "t", "x")
        publish(second, "t", "x")
        subprocess.run(["mosquitto_pub", "--unix", path, "-t", "t", "-m",
                        "x"], check=True, timeout=30)
        assert len(re.findall("Accepted publickey",
                              server.server.log())) == 1
    assert not path.exists()


def test_a_slow_client_gets_all_that_was_sent(sshd_server, tmp_path):
    """More than fits between the two, read in pieces and with pauses."""
    sent, path = os.urandom(8 << 20), tmp_path / "slow.sock"
    with socket.create_server(("127.0.0.1", 0)) as far:
        port = far.getsockname()[1]
        with Kaya("tunnel", "-i", sshd_server.key, "-L",
                  f"{path}:127.0.0.1:{port}", sshd_server.dest) as tunnel:
            tunnel.wait_for_log("event=up")
            near = socket.socket(socket.AF_UNIX)
            near.connect(str(path))
            connection, _ = far.accept()
            sender = threading.Thread(
                target=lambda: (connection.sendall(sent), connection.close()),
                daemon=True)
            sender.start()
            near.settimeout(20)
            got = b""
            time.sleep(1)  # until all rooms between are full
            while part := near.recv(100000):
                got += part
                time.sleep(0.01)
            assert got == sent
            near.close()


def test_a_client_is_refused_at_once_while_the_link_is_down(home):
    dead, port = free_port(), free_port()
    with Kaya("tunnel", "-L", port, f"127.0.0.1:{dead}") as tunnel:
        tunnel.wait_for_log("event=down")
        started = time.monotonic()
        # The refusal may be there before connect() has returned.
        with contextlib.suppress(ConnectionError), \
                socket.create_connection(("127.0.0.1", port), 10) as client:
            assert client.recv(1) == b""
        assert time.monotonic() - started < 5


def test_ssh_config_is_honoured(sshd_server, tmp_path, home):
    server = sshd_server
    port = free_port()
    config = tmp_path / "config"
    config.write_text(
        f"UserKnownHostsFile {home}/.ssh/known_hosts\n"
        f"Host pump\n  HostName 127.0.0.1\n  Port {server.port}\n"
        f"  User {server.user}\n  IdentityFile {server.key}\n"
        f"  LocalForward {port} {server.target}\n")
    with Kaya("tunnel", "-F", config, "pump") as tunnel:
        tunnel.wait_for_log("event=up")
        publish(port, "t", "x")


def test_a_proxy_command_is_honoured(
        sshd_server, tmp_path, home):
    server = sshd_server
    config = tmp_path / "config"
    config.write_text(
        f"UserKnownHostsFile {home}/.ssh/known_hosts\n"
        f"Host pump\n  HostName 127.0.0.1\n  Port {server.port}\n"
        f"  User {server.user}\n  IdentityFile {server.key}\n"
        f"  ProxyCommand {peers.find('python3')} -c \"import socket,sys,"
        f"threading,os;s=socket.create_connection(('%h',%p));"
        f"t=threading.Thread(target=lambda:[os.write(1,d) for d in "
        f"iter(lambda:s.recv(65536),b'')]);t.start();"
        f"[s.sendall(d) for d in iter(lambda:os.read(0,65536),b'')]\"\n")
    done = run("pub", "pump", "--ssh-config", config, "--broker",
               server.target, "-t", "t", "-m", "x")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def jumps(sshd_server, tmp_path):
    """Two servers on the way, each of which lets through to the next only;
    and a configuration that knows no other way to log in to them."""
    server = sshd_server
    with peers.Sshd(tmp_path / "far") as far, \
            peers.Sshd(tmp_path / "near") as near:
        known = tmp_path / "known"
        known.write_text("".join(
            f"[127.0.0.1]:{each.port} {public_key(each.host_key)}\n"
            for each in (server.server, far, near)))
        for each, port in ((near, far.port), (far, server.port)):
            each.admit(public_key(server.key),
                       f'restrict,port-forwarding,'
                       f'permitopen="127.0.0.1:{port}"')
        config = tmp_path / "config"
        config.write_text(
            f"Host *\n  UserKnownHostsFile {known}\n"
            f"  IdentityFile {server.key}\n  IdentitiesOnly yes\n"
            f"Host far\n  HostName 127.0.0.1\n  Port {far.port}\n"
            f"Host pump two-jumps one-jump\n"
            f"  HostName 127.0.0.1\n  Port {server.port}\n"
            f"Host two-jumps\n"
            f"  ProxyJump {near.user}@127.0.0.1:{near.port},far\n"
            f"Host one-jump\n  ProxyJump far\n")
        yield server, near, far, config


def public_key(key):
    return key.with_suffix(".pub").read_text().strip()


@pytest.mark.parametrize("alias", ["one-jump", "two-jumps"])
def test_the_jump_hosts_of_ssh_config_are_gone_through(alias, jumps):
    server, near, far, config = jumps
    done = run("pub", f"{server.user}@{alias}", "--ssh-config", config,
               "--broker", server.target, "-t", "t", "-m", "x")
    assert done.returncode == 0, done.stderr
    far.wait_for_log("Accepted publickey")
    if alias == "two-jumps":
        near.wait_for_log("Accepted publickey")


@pytest.mark.parametrize("hops", [
    "far", "{user}@127.0.0.1:{far}", "ssh://{user}@127.0.0.1:{far}",
    "{user}@127.0.0.1:{near},far"])
def test_the_jump_hosts_of_the_command_line_are_gone_through(hops, jumps):
    server, near, far, config = jumps
    hops = hops.format(user=server.user, far=far.port, near=near.port)
    port = free_port()
    with Kaya("tunnel", "-F", config, "-J", hops, "-L", port, "-b",
              server.target, f"{server.user}@pump") as tunnel:
        tunnel.wait_for_log("event=up", 30)
        publish(port, "t", "x")
        far.wait_for_log("Accepted publickey")


def test_a_jump_host_that_is_not_there_is_3_and_named_as_such(jumps):
    server, _, _, config = jumps
    done = run("tunnel", "--once", "-F", config, "-J",
               f"127.0.0.1:{free_port()}", f"{server.user}@pump")
    assert done.returncode == 3
    assert "jump host" in done.stderr


def test_to_the_background_after_the_first_success(sshd_server):
    server = sshd_server
    port = free_port()
    done = run("tunnel", "-f", "-i", server.key, "-b", server.target, "-L",
               port, server.dest)
    assert done.returncode == 0, done.stderr
    publish(port, "t", "x")
    [tunnel] = json.loads(run("status", "--json").stdout)
    assert tunnel["state"] == "up"
    assert str(port) in tunnel["listen"]
    os.kill(tunnel["pid"], signal.SIGTERM)
    wait_until(lambda: run("status", "--json").stdout.strip() == "[]",
               "the tunnel ends")


def test_status_of_a_gateway(tmp_path, home):
    with Server("kayad", tmp_path, home) as server, Tunnel(server) as tunnel:
        with Subscriber(tunnel.port, "t"):
            text = run("status", "--state", server.server.state)
            assert text.returncode == 0
            assert "dan" in text.stdout and "127.0.0.1" in text.stdout
            assert "tunnel, pid" in text.stdout


def test_a_message_now_and_then_is_as_quick_as_in_a_stream(sshd_server):
    """Nagle's algorithm would make it ten milliseconds."""
    import paho.mqtt.client as paho
    server = sshd_server

    def median(port):
        client = paho.Client()
        answered = []
        client.on_publish = lambda *unused: answered.append(
            time.perf_counter())
        client.connect("127.0.0.1", port)
        client.loop_start()
        wait_until(client.is_connected, "connected")
        times = []
        for number in range(12):
            time.sleep(0.1)
            sent = time.perf_counter()
            client.publish("t", b"x" * 64, qos=1)
            wait_until(lambda: len(answered) > number, "acknowledged")
            times.append(answered[number] - sent)
        client.disconnect()
        client.loop_stop()
        return sorted(times)[len(times) // 2]

    with Tunnel(server) as tunnel:
        direct = median(server.broker.port)
        through = median(tunnel.port)
    # Nagle and delayed acknowledgement cost 40 ms a message, SSH well under 5.
    assert through < direct + 0.010, (direct, through)


# ---- the command line ----

@pytest.mark.parametrize("words,told", [
    ([], "usage"),
    (["tunel"], "tunnel"),
    (["tunnel"], "destination"),
    (["tunnel", "a", "b"], "destination"),
    (["tunnel", "--onse", "a"], "--once"),
    (["tunnel", "-L", "x:y:z", "a"], "-L"),
    (["tunnel", "-p", "0", "a"], "port"),
    (["tunnel", "user@"], "destination"),
    (["tunnel", "-J", "", "a"], "-J"),
    (["tunnel", "-J", "a,,b", "a"], "-J"),
    (["tunnel", "-J", "-x", "a"], "-J"),
    (["tunnel", "-J", "a b", "a"], "-J"),
    (["tunnel", "-F", "/nowhere", "a"], "ssh_config(5)"),
    (["tunnel", "--host-key", "SHA256:short", "a"], "SHA256: and 43"),
    (["tunnel", "-L", "/" + 108 * "x", "a"], "107 bytes"),
    (["pub", "a", "-t", "", "-m", "x"], "topic"),
    (["pub", "a", "-t", "a", "-m", "x", "-i", ""], "client id"),
    (["pub", "a"], "topic"),
    (["pub", "a", "-t", "x/#", "-m", "y"], "x/#"),
    (["pub", "a", "-t", "x", "-m", "y", "-n"], "only one"),
    (["sub", "a"], "filter"),
    (["sub", "a", "-t", "a/#/b"], "a/#/b"),
    (["sub", "a", "-t", "a", "-F", "%z"], "%"),
    (["sub", "a", "-t", "a", "-q", "3"], "0 to 2"),
    (["pub", "a", "-t", "a", "-m", "x", "-V", "4"], "mqttv311"),
])
def test_a_wrong_use_is_2_and_says_what_is_right(home, words, told):
    done = run(*words)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("command", ["tunnel", "pub", "sub", "status",
                                     "pending", "approve", "deny", "audit"])
def test_each_command_has_help(command):
    done = run(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: kaya {command} ")
    assert done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 100
