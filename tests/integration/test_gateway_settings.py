"""Words of kayad.conf(5) that say who kayad is and how it is reached."""

import os
import pathlib
import pwd
import re
import signal
import subprocess

import pytest

import peers
import rawssh
from peers import free_port, make_key
from rawssh import Client, string, u8
from tunnels import Subscriber, Tunnel, publish


def fingerprint(path):
    done = subprocess.run(["ssh-keygen", "-l", "-f", path], check=True,
                          capture_output=True, text=True)
    return done.stdout.split()[1]


def test_it_shows_the_host_keys_that_are_named(tmp_path):
    peers.let_through(tmp_path)
    names = []
    for kind in ("rsa", "ed25519"):
        path = tmp_path / f"host_{kind}"
        make_key(path, kind)
        peers.give_away(path)
        names.append(path)
    with peers.Kayad(tmp_path, config=f"host_keys: [{names[0]}, {names[1]}]\n"
                     ) as kayad:
        for path, kind in zip(names, ("rsa", "ed25519")):
            scan = subprocess.run(
                ["ssh-keyscan", "-t", kind, "-p", str(kayad.port),
                 "127.0.0.1"], capture_output=True, text=True, check=True)
            key = path.with_suffix(".pub").read_text().split()[1]
            assert key in scan.stdout
            assert f"host_key={fingerprint(path)}" in kayad.log()
        assert not (kayad.state / "host_key_ed25519").exists()


def test_a_state_folder_with_blanks_has_a_broker(tmp_path, key):
    """mosquitto's own configuration knows no quotes."""
    folder = tmp_path / "at the plant"
    folder.mkdir()
    with peers.Kayad(folder) as kayad:
        assert f"broker={folder}/state/broker/mosquitto.sock" in kayad.log()
        kayad.admit(key.with_suffix(".pub").read_text(), "dan")
        with Tunnel(kayad, key) as tunnel, Subscriber(tunnel.port, "t") as sub:
            publish(tunnel.port, "t", "through")
            sub.wait_for_log("through")


def test_a_state_folder_that_cannot_be_made_is_told_with_a_remedy():
    done = subprocess.run([*peers.WRAP, peers.KAYAD, "--state", "/proc/kaya"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "--state DIR" in done.stderr


def test_a_state_folder_may_be_named_from_where_one_is(tmp_path, monkeypatch):
    """Also behind its private broker's socket, which has to have a path."""
    peers.let_through(tmp_path)
    monkeypatch.chdir(tmp_path)
    with peers.Kayad(pathlib.Path()) as kayad:
        assert f"state={tmp_path}/state\n" in kayad.log()
        with Client(kayad.port) as client:
            client.handshake()


def test_it_listens_wherever_it_is_told(tmp_path):
    with peers.Kayad(tmp_path, config="threads: 2\n", arguments=[
            "--listen", "127.0.0.1:0", "--listen", "127.0.0.2:0",
            "--listen", "[::1]:0"]) as kayad:
        line = kayad.wait_for_log(r"ready .*\n").group(0)
        ports = [word.rsplit(":", 1)[1] for word in line.split()
                 if word.startswith("listen=")]
        for host, port in zip(("127.0.0.1", "127.0.0.2", "::1"), ports):
            with Client(int(port), host) as client:
                client.handshake()


def test_as_many_ports_as_may_be_named_are_served(tmp_path):
    """A port alone is two addresses: 32 sockets a thread."""
    ports = set()
    while len(ports) < 16:
        ports.add(free_port())
    words = [word for port in ports for word in ("--listen", str(port))]
    with peers.Kayad(tmp_path, arguments=words) as kayad:
        line = kayad.wait_for_log(r"ready .*\n").group(0)
        assert len(re.findall(" listen=", line)) in (16, 32)
        for port in ports:
            with Client(port) as client:
                client.handshake()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give it up")
def test_started_as_root_it_becomes_whom_it_is_told(tmp_path):
    with peers.Kayad(tmp_path, config="user: games\nnet_user: backup\n"
                     ) as kayad:
        users = set()
        for pid in kayad.children():
            if open(f"/proc/{pid}/comm").read() == "kayad\n":
                users.add(pwd.getpwuid(os.stat(f"/proc/{pid}").st_uid).pw_name)
        with open(f"/proc/{kayad.pid}/status") as file:
            words = dict(line.split(":", 1) for line in file)
        assert pwd.getpwuid(int(words["Uid"].split()[0])).pw_name == "games"
        assert kayad.state.owner() == "games"
        key = rawssh.Key()
        kayad.admit(key.line(), "dan")
        with Client(kayad.port) as client:
            client.login(key)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give it up")
def test_started_as_root_by_hand_it_reads_its_files_again(tmp_path):
    """As `sudo kayad`, with root's HOME, and the system's state folder."""
    with peers.Process(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c",
             "mount -t tmpfs tmpfs /var/lib && "
             f"exec {peers.KAYAD} --listen 127.0.0.1:0"],
            env={**os.environ, "HOME": "/root",
                 "XDG_STATE_HOME": "/root/state"}) as kayad:
        kayad.wait_for_log(r"ready .* state=/var/lib/kayad\n")
        key = make_key(tmp_path / "key").strip()
        subprocess.run(
            ["nsenter", "-t", str(kayad.pid), "-m", "tee", "-a",
             "/var/lib/kayad/authorized_keys"], input=key + "\n", text=True,
            check=True, stdout=subprocess.DEVNULL)
        kayad.signal(signal.SIGHUP)
        kayad.wait_for_log("event=reloaded")
        assert "reload-refused" not in kayad.log()


@pytest.mark.kayad(config="log: {level: warn}\n")
def test_no_more_is_logged_than_asked_for(kayad, key):
    kayad.authorized_keys.write_text(
        'restrict,permitopn="a:1" ' + key.with_suffix(".pub").read_text())
    kayad.wait_for_log(r" warn keys event=void ")
    with Client(kayad.port) as client:
        client.handshake()
    assert " info " not in kayad.log()


@pytest.mark.kayad(config="limits: {output: 160KiB}\n")
def test_who_reads_nothing_of_what_he_asks_for_is_cut_off(kayad):
    key = rawssh.Key()
    kayad.admit(key.line(), "dan")
    ask = u8(rawssh.GLOBAL_REQUEST) + string("keepalive@openssh.com") + u8(1)
    with Client(kayad.port) as client:
        client.login(key)
        with pytest.raises(ConnectionError):
            for _ in range(2000):
                client.send_bytes(b"".join(
                    client.packet(ask) for _ in range(500)))
    kayad.wait_for_log(r"event=close .*identity=dan ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's kayad is two users")
def test_keys_of_roots_own_are_told_with_what_makes_them_kayads(tmp_path):
    peers.let_through(tmp_path)
    keys = tmp_path / "keys"
    keys.write_text("")
    keys.chmod(0o600)
    config = f"authorized_keys: {keys}\n"
    with peers.Kayad(tmp_path, config=config, wait=False) as kayad:
        assert kayad.wait(20) == 2
        remedy = re.search(r"remedy: kayad runs as \S+: (chown \S+ \S+)\n",
                           kayad.log()).group(1)
    subprocess.run(remedy.split(), check=True)
    with peers.Kayad(tmp_path, config=config) as kayad, \
            Client(kayad.port) as client:
        client.handshake()
