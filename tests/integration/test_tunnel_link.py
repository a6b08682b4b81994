"""How kaya tunnel's link is made, watched and made again."""

import contextlib
import ctypes
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest

import peers
from devices import (Kaya, Server, Tunnel, home, know, run,  # noqa: F401
                     with_config)
from peers import free_port, make_key, wait_until
from tunnels import publish

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="namespaces are root's to make")


@pytest.fixture
def server(tmp_path, home):
    with Server("sshd", tmp_path, home) as server:
        yield server


def dest(server, host, port=None):
    return f"{server.user}@{host}:{port or server.port}"


def know_as(home, server, host, port=None):
    """Let the server's host key be known by another name and port, too."""
    known = home / ".ssh/known_hosts"
    lines = [f"[{host}]:{port or server.port} {line.split(' ', 1)[1]}"
             for line in known.read_text().splitlines() if line[0] == "["]
    known.write_text(known.read_text() + "\n".join(lines) + "\n")


# ---- a link that dies ----

@pytest.mark.takes(46)
def test_a_link_gone_silent_is_noticed_and_made_again(server, home):
    """Three keepalives without an answer, 15 s apart: 45 s."""
    with peers.Relay(server.port) as relay:
        know_as(home, server, "127.0.0.1", relay.port)
        with Tunnel(server, dest=dest(server, "127.0.0.1",
                                      relay.port)) as tunnel:
            publish(tunnel.port, "t", "before")
            relay.stalled.set()
            silent = time.monotonic()
            tunnel.wait_for_log("event=down", deadline=60)
            # 45 s, and a second for a machine that is busy.
            assert time.monotonic() - silent < 46
            assert tunnel.logged("event=down.*no sign of life for 45 s")
            relay.stalled.clear()
            tunnel.wait_for_log(r"(?s)event=up.*event=up")
            publish(tunnel.port, "t", "after")


def sockets(process):
    folder = f"/proc/{process.pid}/fd"
    found = 0
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            found += os.readlink(f"{folder}/{name}").startswith("socket:")
    return found


def test_links_that_died_leave_no_descriptor_behind(server, home):
    """libssh closes none that it was given, where it says good-bye itself."""
    with peers.Relay(server.port) as relay:
        know_as(home, server, "127.0.0.1", relay.port)
        with Tunnel(server, "-o", "ServerAliveInterval=1", "-o",
                    "ServerAliveCountMax=2", dest=dest(
                        server, "127.0.0.1", relay.port)) as tunnel:
            publish(tunnel.port, "t", "before")
            first = sockets(tunnel)
            for n in range(1, 5):
                relay.stalled.set()
                tunnel.wait_for_log("(?s)" + ".*".join(n * ["event=down"]))
                relay.stalled.clear()
                tunnel.wait_for_log("(?s)" + ".*".join((n + 1) * ["event=up"]))
            wait_until(lambda: sockets(tunnel) <= first,
                       "the descriptors of dead links are closed")


def test_the_keepalive_of_ssh_config_is_kept(server, home):
    with peers.Relay(server.port) as relay:
        know_as(home, server, "127.0.0.1", relay.port)
        with Tunnel(server, "-o", "ServerAliveInterval=1", "-o",
                    "ServerAliveCountMax=2", dest=dest(
                        server, "127.0.0.1", relay.port)) as tunnel:
            relay.stalled.set()
            tunnel.wait_for_log("event=down.*no sign of life for 2 s", deadline=20)


@pytest.mark.parametrize("words,answered", [([], False), (["--wait"], True)])
def test_a_client_waits_for_the_link_only_where_it_is_told_to(
        server, home, words, answered):
    with peers.Relay(server.port) as relay:
        know_as(home, server, "127.0.0.1", relay.port)
        with Tunnel(server, *words, dest=dest(
                server, "127.0.0.1", relay.port)) as tunnel:
            relay.stop()
            tunnel.wait_for_log("event=down")
            with contextlib.ExitStack() as stack:
                said = subprocess.Popen(
                    ["mosquitto_pub", "-h", "127.0.0.1", "-p",
                     str(tunnel.port), "-t", "t", "-m", "x", "-q", "1"],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                stack.callback(said.wait)
                stack.callback(said.kill)
                if not answered:
                    assert said.wait(30) != 0
                    return
                with pytest.raises(subprocess.TimeoutExpired):
                    said.wait(1)
                relay.open()
                assert said.wait(90) == 0


# ---- where the keys come from ----

@pytest.fixture
def agent(tmp_path, monkeypatch):
    path = tmp_path / "agent"
    with peers.Process(["ssh-agent", "-D", "-a", path]):
        wait_until(path.exists, "the agent's socket")
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        yield path


def load(key):
    subprocess.run(["ssh-add", "-q", key], check=True,
                   stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("kind,bits", [
    ("ed25519", None), ("ecdsa", 256), ("rsa", 3072)])
def test_a_key_that_only_the_agent_has(server, tmp_path, agent, kind, bits):
    key = tmp_path / "in_agent"
    server.server.admit(make_key(key, kind, bits))
    load(key)
    key.unlink()
    port = free_port()
    with Kaya("tunnel", "-b", server.target, "-L", port,
              server.dest) as tunnel:
        tunnel.wait_for_log("event=up")
        publish(port, "t", "x")


def test_a_public_key_file_chooses_among_the_agents_keys(
        server, tmp_path, agent):
    """As with ssh -i KEY.pub: the agent holds the other half."""
    for name in ("first", "second", "third"):
        server.server.admit(make_key(tmp_path / name))
        load(tmp_path / name)
        (tmp_path / name).unlink()
    wanted = subprocess.run(
        ["ssh-keygen", "-lf", tmp_path / "second.pub"], check=True,
        capture_output=True, text=True).stdout.split()[1]
    port = free_port()
    with Kaya("tunnel", "-i", tmp_path / "second.pub", "-b", server.target,
              "-L", port, server.dest) as tunnel:
        tunnel.wait_for_log("event=up")
        publish(port, "t", "x")
    accepted = re.findall(r"Accepted publickey.*(SHA256:\S+)",
                          server.server.log())
    assert accepted == [wanted]


def test_a_key_with_a_passphrase_is_taken_from_the_agent(
        server, tmp_path, agent):
    key = tmp_path / "sealed"
    server.server.admit(make_key(key))
    load(key)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "a passphrase", "-f",
                    key], check=True)
    port = free_port()
    with Kaya("tunnel", "-i", key, "-b", server.target, "-L", port,
              server.dest) as tunnel:
        tunnel.wait_for_log("event=up")
        publish(port, "t", "x")
    subprocess.run(["ssh-add", "-q", "-D"], check=True, capture_output=True)
    sealed = run("tunnel", "--once", "-i", key, "-L", port, server.dest)
    assert sealed.returncode == 2
    assert f"the key {key} cannot be used" in sealed.stderr
    assert "ssh-add" in sealed.stderr


def test_an_agent_that_has_no_right_key_is_a_refusal(server, tmp_path, agent):
    make_key(tmp_path / "other")
    load(tmp_path / "other")
    refused = run("tunnel", "--once", "-b", server.target, "-L", free_port(),
                  server.dest)
    assert refused.returncode == 4
    assert "remedy:" in refused.stderr


# ---- addresses ----

@pytest.fixture
def no_ipv6():
    """A network of its own, with IPv4 only, for this test and its children."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_network = 0x40000000
    with open("/proc/thread-self/ns/net") as before:
        if libc.unshare(new_network) != 0:
            pytest.skip("no network namespace: "
                        + os.strerror(ctypes.get_errno()))
        try:
            with open("/proc/sys/net/ipv6/conf/all/disable_ipv6",
                      "w") as file:
                file.write("1")
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield
        finally:
            assert libc.setns(before.fileno(), new_network) == 0


@needs_root
def test_a_host_without_ipv6_is_no_fault(no_ipv6, tmp_path, home):
    with pytest.raises(OSError):
        socket.create_server(("::1", 0), family=socket.AF_INET6)
    with Server("sshd", tmp_path, home) as server:
        port = free_port()
        with Kaya("tunnel", "-i", server.key, "-b", server.target, "-L",
                  port, server.dest) as tunnel:
            tunnel.wait_for_log("event=up")
            publish(port, "t", "x")
            assert not tunnel.logged("level=(warning|error)")


class Named:
    """kaya where /etc/hosts, for it alone, is a file of the test's."""

    def __init__(self, tmp_path, *addresses):
        self.hosts = tmp_path / "hosts"
        self.name = "broker.test"
        self.has(*addresses)

    def has(self, *addresses):
        self.hosts.write_text(
            "".join(f"{address} {self.name}\n" for address in addresses))

    def tunnel(self, *words):
        return peers.Process([
            "unshare", "--mount", "sh", "-c",
            'mount --bind "$1" /etc/hosts; shift; exec "$@"', "-", self.hosts,
            *with_config(["tunnel", *words])])


@needs_root
@pytest.mark.parametrize("dead", [
    ["127.0.0.9", "127.0.0.8"], ["::1"], ["::1", "127.0.0.9"]])
def test_all_addresses_of_a_name_are_tried(server, tmp_path, home, dead):
    """sshd listens on 127.0.0.1 only."""
    named = Named(tmp_path, *dead, "127.0.0.1")
    know_as(home, server, named.name)
    port = free_port()
    with named.tunnel("-i", server.key, "-b", server.target, "-L", port,
                      dest(server, named.name)) as tunnel:
        tunnel.wait_for_log("event=up")
        publish(port, "t", "x")
        assert not tunnel.logged("event=down")


@needs_root
def test_a_name_is_resolved_again_for_each_try(server, tmp_path, home):
    named = Named(tmp_path, "127.0.0.9")
    know_as(home, server, named.name)
    port = free_port()
    with named.tunnel("-i", server.key, "-b", server.target, "-L", port,
                      dest(server, named.name)) as tunnel:
        tunnel.wait_for_log("event=down")
        named.has("127.0.0.1")
        tunnel.wait_for_log("event=up")
        publish(port, "t", "x")


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_tunnel_whose_terminal_goes_leaves_nothing(server, number):
    with Tunnel(server) as tunnel:
        runtime = pathlib.Path(os.environ["RUNTIME_DIRECTORY"])
        assert [path.name for path in runtime.iterdir()] == [
            f"tunnel-{tunnel.pid}.sock"]
        tunnel.signal(number)
        assert tunnel.wait() == 0
        assert list(runtime.iterdir()) == []


def test_a_tunnel_under_nohup_outlives_the_terminal(server):
    port = free_port()
    with peers.Process(["nohup", *with_config(
            ["tunnel", server.dest, "-i", server.key, "-b", server.target,
             "-L", port])]) as tunnel:
        tunnel.wait_for_log("event=up")
        tunnel.signal(signal.SIGHUP)
        publish(port, "t", "after")
        assert tunnel.is_running()


def test_an_agent_with_too_many_keys_is_told_and_the_remedy_lets_in(
        server, tmp_path, agent):
    """sshd counts each key that is offered: six, where nobody said more."""
    for i in range(8):
        make_key(tmp_path / f"other{i}")
        load(tmp_path / f"other{i}")
    load(server.key)
    done = run("pub", server.dest, "--broker", server.target, "-t", "t", "-m",
               "x")
    # sshd 10 resets the connection behind its word, which is lost by that.
    heard = "Too many authentication failures" in done.stderr
    assert heard or "Socket error" in done.stderr, done.stderr
    assert done.returncode == (4 if heard else 3)
    assert "many keys here, the server may have had enough" in done.stderr or \
        heard
    assert "-i KEY" in done.stderr
    port = free_port()
    with Tunnel(server, "-i", server.key, port=port):
        publish(port, "t", "x")


def test_each_file_of_known_hosts_in_ssh_config_counts(
        server, tmp_path, home):
    # The command that forgets it is told whole, however long its paths are.
    blank = tmp_path / ("with a blank, and " + "long " * 30).strip()
    (home / ".ssh/known_hosts").rename(blank)
    config = tmp_path / "config"
    config.write_text(
        f"UserKnownHostsFile {tmp_path}/none \"{tmp_path}/none two\" "
        f"\"{blank}\"\nGlobalKnownHostsFile /dev/null\n")

    def publish_one():
        return run("pub", "--ssh-config", config, server.dest, "--key",
                   server.key, "--broker", server.target, "-t", "t", "-m", "x")
    done = publish_one()
    assert done.returncode == 0, done.stderr
    # A key that has changed is found there, too.
    other = make_key(tmp_path / "other").split()
    blank.write_text(f"[127.0.0.1]:{server.port} {other[0]} {other[1]}\n")
    done = publish_one()
    assert done.returncode == 5
    assert "has CHANGED" in done.stderr
    assert f"'{blank}'" in done.stderr
    assert re.search(r"-R '\[127.0.0.1\]:\d+' && kaya pub --ssh-config .* "
                     r"--host-key SHA256:\S{43} \S+$", done.stderr.strip())


def test_half_a_files_name_is_no_known_hosts_in_the_folder_one_is_in(
        server, tmp_path, home, monkeypatch):
    """Who could put a file there would say which host key is good."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (home / ".ssh/known_hosts").rename(tmp_path / "b/known")
    config = tmp_path / "config"
    config.write_text(f"UserKnownHostsFile {tmp_path}/none \"{tmp_path}/a "
                      "b/known\"\nGlobalKnownHostsFile /dev/null\n")
    monkeypatch.chdir(tmp_path)
    done = run("pub", "--ssh-config", config, server.dest, "--key",
               server.key, "--broker", server.target, "-t", "t", "-m", "x")
    assert done.returncode == 5, done
    assert "is not known here" in done.stderr


def test_a_host_key_alias_in_ssh_config_counts(server, tmp_path, home):
    known = home / ".ssh/known_hosts"
    known.write_text("".join(
        f"pump-house {line.split(' ', 1)[1]}\n"
        for line in known.read_text().splitlines() if line[0] == "["))
    config = tmp_path / "config"
    config.write_text(
        f"UserKnownHostsFile {known}\nGlobalKnownHostsFile /dev/null\n"
        "HostKeyAlias pump-house\n")
    done = run("pub", "--ssh-config", config, server.dest, "--key",
               server.key, "--broker", server.target, "-t", "t", "-m", "x")
    assert done.returncode == 0, done.stderr


def test_a_word_of_ssh_config_that_is_not_known_here_is_named(
        server, tmp_path, home):
    config = tmp_path / "config"
    config.write_text((home / ".ssh/config").read_text()
                      + "IdentityFile ~/.ssh/%n\n")
    done = run("pub", "--ssh-config", config, server.dest, "-t", "t", "-m",
               "x")
    assert done.returncode != 3
    assert "ssh_config has a file name" in done.stderr
    assert "-i FILE" in done.stderr


def test_an_address_of_ipv6_is_told_in_brackets(home):
    done = run("pub", "dan@[::1]:1", "-t", "t", "-m", "x")
    assert done.returncode == 3
    assert "[::1]:1" in done.stderr
    assert "@::1:1" not in done.stderr


def test_an_address_that_is_asked_for_twice_is_no_strangers(server):
    port = free_port()
    done = run("tunnel", server.dest, "-i", server.key, "-L", port, "-L",
               f"[::1]:{port}:127.0.0.1:1", "-L", f"127.0.0.1:{port}")
    assert done.returncode == 2
    assert "to be listened on twice" in done.stderr
    assert "taken by" not in done.stderr


def test_a_word_that_ssh_does_not_know_is_warned_of(server, tmp_path, home):
    """libssh passes over it: the setting would be missed in silence."""
    config = tmp_path / "config"
    config.write_text((home / ".ssh/config").read_text()
                      + "ServerAliveInteval 5\n")
    with Kaya("tunnel", "-F", config, "-i", server.key, "-b", server.target,
              "-L", free_port(), server.dest) as tunnel:
        tunnel.wait_for_log("event=up")
        assert tunnel.logged(
            rf"event=ssh-config .*{config}: line 3: Bad configuration "
            r"option: serveraliveinteval")
    with Kaya("tunnel", "-o", "Prot=22", "-i", server.key, "-b",
              server.target, "-L", free_port(), server.dest) as tunnel:
        tunnel.wait_for_log("event=up")
        assert tunnel.logged("event=ssh-config .*option: prot")


def test_a_host_key_that_is_named_need_not_be_remembered(server, tmp_path):
    config = tmp_path / "config"
    config.write_text("UserKnownHostsFile /proc/nowhere/known_hosts\n"
                      "GlobalKnownHostsFile /dev/null\n")
    fingerprint = subprocess.run(
        ["ssh-keygen", "-lf", tmp_path / "sshd/host_key.pub"], check=True,
        capture_output=True, text=True).stdout.split()[1]
    done = run("pub", "--ssh-config", config, server.dest, "--key",
               server.key, "--broker", server.target, "-t", "t", "-m", "x",
               "--host-key", fingerprint)
    assert done.returncode == 0, done.stderr
