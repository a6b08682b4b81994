"""kaya doctor -- ssh ...: what the command does wrong, and the one that works.

Each command is wrong in one way that people get wrong. The test asserts the
fault that is named and runs the corrected command with the real ssh: a message
has to reach the broker.
"""

import os
import pathlib
import re
import shlex
import shutil
import socket
import subprocess
import time

import pytest

import peers
from commands import Desk, Diagnosis, desk, tunnel  # noqa: F401
from devices import KAYA, Server, home  # noqa: F401
from peers import free_port, make_key


def test_a_good_command_is_only_walked(desk):
    well = desk.doctor(*desk.words("-N", desk.dest))
    assert well.status == 0, well
    assert well.codes == []
    assert "nothing to say against" in well.layer("command")[-1]["seen"]
    assert [row["layer"] for row in well.findings][-2:] == [
        "message", "keepalive"]


# ---- the story: -N forgotten, options behind the host, localhost ----

def test_the_n_that_people_forget(desk):
    words = desk.words("-f", desk.dest, "-i", desk.key, key=False)
    real = subprocess.run(words, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    assert real.returncode == 255
    assert "Cannot fork into background" in real.stderr
    wrong = desk.doctor(*words)
    assert wrong.status == 1
    assert wrong.json["layer"] == "command"
    assert wrong.json["code"] == "background-without-command"
    assert "Cannot fork into background without a command" in \
        wrong.find("background-without-command")["seen"]
    assert f"-i {desk.key} behind the destination still counts" in \
        [row["seen"] for row in wrong.findings]
    assert wrong.corrected[1:3] == ["-f", "-N"]
    assert shlex.join(wrong.corrected) in wrong.json["remedy"]
    # The way itself is fine: the walk went to its end.
    assert wrong.layer("message")[0]["state"] == "ok"
    assert desk.carries(wrong.corrected)


def test_autossh_is_told_as_it_was_typed(desk):
    words = ["autossh", "-M", "20000", *desk.words("-f", desk.dest)[1:]]
    wrong = desk.doctor("AUTOSSH_GATETIME=0", *words)
    assert wrong.json["code"] == "background-without-command"
    assert wrong.corrected[:4] == ["AUTOSSH_GATETIME=0", *words[:3]]
    assert desk.carries(["ssh", *wrong.corrected[4:]])


def test_what_was_enrolled_is_nothing_to_ssh(desk):
    """As after kaya enroll: the command has another key."""
    hosts = desk.home / ".local/state/kaya/hosts"
    hosts.mkdir(parents=True)
    (hosts / "127.0.0.1").write_text(
        f"host 127.0.0.1\nport {desk.server.port}\nkey {desk.key}\n")
    other = desk.home / "other"
    make_key(other)
    words = desk.words("-N", "-i", other, desk.dest, key=False)
    wrong = desk.doctor(*words, ask=["--state", hosts.parent])
    assert wrong.json["layer"] == "auth", wrong
    assert wrong.status == 4


def test_localhost_where_the_line_says_127_0_0_1(tmp_path, home):
    with Server("sshd", tmp_path, home) as server:
        desk = Desk(server, home)
        line = server.server.authorized_keys.read_text()
        server.server.authorized_keys.write_text(
            f'restrict,port-forwarding,permitopen="{desk.target}" {line}')
        broker = f"localhost:{server.broker.port}"
        words = desk.words("-N", "-L", f"127.0.0.1:{desk.port}:{broker}",
                           desk.dest, forward=False)
        assert not desk.carries(words)
        wrong = desk.doctor(*words)
        assert wrong.status == 4
        assert wrong.json["code"] == "other-spelling"
        assert "permitopen" in wrong.find("localhost")["cause"]
        assert f"127.0.0.1:{desk.port}:{desk.target}" in wrong.corrected
        assert desk.carries(wrong.corrected)


def test_localhost_stays_where_the_line_says_so(tmp_path, home):
    with Server("sshd", tmp_path, home) as server:
        desk = Desk(server, home)
        line = server.server.authorized_keys.read_text()
        server.server.authorized_keys.write_text(
            f'permitopen="localhost:{server.broker.port}" {line}')
        forward = f"127.0.0.1:{desk.port}:localhost:{server.broker.port}"
        well = desk.doctor(*desk.words("-N", "-L", forward, desk.dest,
                                       forward=False))
        assert well.status == 0, well
        assert forward in well.corrected
        assert desk.carries(well.corrected)


# ---- slips in the words: code, and how the line goes wrong ----

SLIPS = {
    "typographic-letter": lambda d: [
        "\u2013N" if word == "-N" else word
        for word in d.words("-N", d.dest)],
    "no-n": lambda d: d.words(d.dest),
    "n-and-command": lambda d: d.words("-N", d.dest, "sleep", "60"),
    "port-in-destination": lambda d: [
        word for word in d.words("-N", f"{d.dest}:{d.server.port}")
        if word not in ("-p", str(d.server.port))],
    "capital-p": lambda d: [
        "-P" if word == "-p" else word for word in d.words("-N", d.dest)],
    "option-in-command": lambda d: d.words(d.dest, "x", "-N"),
    "bad-forward": lambda d: d.words(
        "-N", "-L", f"{d.port}:{d.server.broker.port}", d.dest,
        forward=False),
    "open-to-all": lambda d: d.words(
        "-N", "-L", f"*:{d.port}:{d.target}", d.dest, forward=False),
    "all-by-g": lambda d: d.words(
        "-N", "-g", "-L", f"{d.port}:{d.target}", d.dest, forward=False),
    "quiet": lambda d: d.words("-N", "-q", d.dest),
    "lives-without-listener": lambda d: d.words(
        "-N", "-o", "ServerAliveInterval=30", d.dest, good=False),
    "no-keepalive": lambda d: d.words(
        "-N", "-o", "ExitOnForwardFailure=yes", d.dest, good=False),
    "may-ask": lambda d: d.words("-f", "-N", d.dest),
    "host-key-unchecked": lambda d: d.words(
        "-N", "-o", "StrictHostKeyChecking=no", d.dest),
    "host-key-forgotten": lambda d: d.words(
        "-N", "-o", "UserKnownHostsFile=/dev/null", d.dest),
    "forwards-cleared": lambda d: d.words(
        "-N", "-o", "ClearAllForwardings=yes", d.dest),
    "ssh-refuses": lambda d: d.words(
        "-N", "-o", "ServerAliveIntervall=10", d.dest),
}


def test_a_machine_without_ssh_is_told_what_is_missing(desk, tmp_path):
    nothing = ("env", f"PATH={tmp_path}")
    wrong = desk.doctor(*desk.words("-N", desk.dest), become=nothing)
    assert wrong.codes == ["no-ssh-program"], wrong
    assert "apt-get install openssh-client" in \
        wrong.find("no-ssh-program")["remedy"]
    done = subprocess.run(
        [*nothing, peers.KAYA, "doctor", "--compare", "ssh a", "ssh b"],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "apt-get install openssh-client" in done.stderr


@pytest.mark.parametrize("code", SLIPS)
def test_a_slip_is_named_and_the_corrected_command_works(code, desk):
    wrong = desk.doctor(*SLIPS[code](desk))
    code = {"all-by-g": "open-to-all"}.get(code, code)
    assert code in wrong.codes, wrong
    assert wrong.find(code)["cause"] and wrong.find(code)["remedy"]
    corrected = wrong.corrected
    assert desk.carries(corrected), corrected
    again = desk.doctor(*corrected)
    assert again.codes == [], again


def test_ports_that_have_changed_places(desk):
    words = desk.words("-N", "-L", f"1883:127.0.0.1:{desk.port + 10000}",
                       desk.dest, forward=False)
    wrong = desk.doctor(*words)
    assert "ports-swapped" in wrong.codes
    assert f"-L {desk.port + 10000}:127.0.0.1:1883 " in \
        wrong.layer("corrected")[0]["seen"]


def test_r_where_l_was_meant(desk):
    if peers.is_listening(1883):
        pytest.skip("a broker listens on 1883 of this machine")
    words = desk.words("-N", "-R", f"{desk.port}:localhost:1883", desk.dest,
                       forward=False)
    wrong = desk.doctor(*words)
    assert "l-was-meant" in wrong.codes, wrong
    at = wrong.corrected.index("-L")
    assert wrong.corrected[at + 1] == f"{desk.port}:localhost:1883"
    assert "-R" not in wrong.corrected


def test_l_where_the_broker_is_here(desk):
    """The port of -L is the broker's own, here: -R was meant."""
    near = desk.server.broker.port
    words = desk.words("-N", "-L", f"127.0.0.1:{near}:{desk.target}",
                       desk.dest, forward=False)
    wrong = desk.doctor(*words)
    assert "r-was-meant" in wrong.codes, wrong
    assert f"mosquitto (pid {desk.server.broker.pid})" in \
        wrong.find("r-was-meant")["cause"]
    assert "-R 22883:127.0.0.1:" in wrong.find("r-was-meant")["remedy"]
    assert desk.carries(wrong.corrected)


@pytest.mark.parametrize("address, family", [
    ("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_a_port_that_is_taken_in_one_family(address, family, desk):
    words = desk.words("-N", "-L", f"{desk.port}:{desk.target}", desk.dest,
                       forward=False)
    with socket.create_server((address, desk.port), family=family):
        wrong = desk.doctor(*words)
        assert "port-taken" in wrong.codes, wrong
        assert f"(pid {os.getpid()})" in wrong.find("port-taken")["cause"]
        assert desk.carries(wrong.corrected)


def test_a_port_that_is_listened_on_twice(desk):
    words = desk.words("-N", "-L", f"127.0.0.1:{desk.port}:/run/other",
                       desk.dest)
    wrong = desk.doctor(*words)
    assert "port-twice" in wrong.codes, wrong
    assert desk.carries(wrong.corrected)


def test_a_server_called_by_its_outer_name(desk):
    words = desk.words(
        "-N", "-L", f"127.0.0.1:{desk.port}:myself:{desk.server.broker.port}",
        "-o", "HostName=127.0.0.1", "-o", "HostKeyAlias=x", "myself",
        forward=False)
    wrong = desk.doctor(*words)
    assert "outer-name" in wrong.codes, wrong
    assert desk.target in wrong.find("outer-name")["remedy"]


def test_nothing_is_forwarded(desk):
    wrong = desk.doctor(*desk.words("-N", desk.dest, forward=False))
    assert "no-forward" in wrong.codes
    assert "22883:127.0.0.1:1883" in wrong.corrected


# ---- what cannot be read at all ----

# What goes wrong, and what it is once one has done as the remedy says.
@pytest.mark.parametrize("code, cause, remedy, more, mended", [
    ("unknown-option", "no option -Z", "leave -Z out", ["-N", "-Z", "{dest}"],
     ["-N", "{dest}"]),
    ("unknown-option", "--port", "as -o Word=value",
     ["-N", "--port", "{port}", "{dest}"],
     ["-N", "-o", "Port={port}", "{dest}"]),
    ("argument-missing", "option requires an argument -- b",
     "behind it, or leave it out", ["-N", "{dest}", "-b"], ["-N", "{dest}"]),
    ("no-destination", "destination", "write user@host behind the options",
     ["-N"], ["-N", "{dest}"]),
    ("no-destination", "{dest}", "leave -b out, or write what belongs to it",
     ["-N", "-b", "{dest}"], ["-N", "{dest}"]),
    ("bad-port", "Bad port 'ssh2'", "write the number behind -p",
     ["-N", "-p", "ssh2", "{dest}"], ["-N", "-p", "{port}", "{dest}"]),
    ("bad-forward", "Bad", "127.0.0.1:1883",
     ["-N", "-D", "nowhere:here:1", "{dest}"], ["-N", "{dest}"]),
])
def test_a_command_that_ssh_cannot_read(code, cause, remedy, more, mended,
                                        desk):
    def words(more):
        found = desk.words(*(word.format(
            dest=desk.dest, port=desk.server.port) for word in more))
        if found.count("-p") == 2:  # the first one would count
            at = found.index("-p")
            del found[at:at + 2]
        return found

    real = subprocess.run(words(more), capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=30)
    assert real.returncode == 255
    wrong = desk.doctor(*words(more))
    assert wrong.status == 1
    assert wrong.json["code"] == code, wrong
    assert cause.format(dest=desk.dest) in wrong.json["cause"]
    assert remedy in wrong.json["remedy"], wrong
    assert desk.carries(words(mended))


def test_an_option_that_swallows_the_next(desk):
    words = desk.words("-L", "-N", desk.dest, forward=False)
    wrong = desk.doctor(*words)
    assert "option-as-argument" in wrong.codes, wrong
    assert "-N" in wrong.corrected
    assert "22883:127.0.0.1:1883" in wrong.corrected


def test_a_key_without_its_i(desk):
    words = desk.words("-N", desk.key, desk.dest, key=False)
    wrong = desk.doctor(*words)
    assert "i-forgotten" in wrong.codes, wrong
    assert desk.carries(wrong.corrected)


def test_what_is_no_ssh_command(desk):
    done = desk.text("scp", "a", "b")
    assert done.returncode == 2
    assert '"scp" is no ssh command' in done.stderr
    done = subprocess.run([KAYA, "doctor", "ssh", "-N", "dan@broker"],
                          capture_output=True, text=True)
    assert done.returncode == 2
    assert "kaya doctor -- ssh" in done.stderr


# ---- key files ----

def test_a_key_file_that_is_not_there(desk, tmp_path):
    desk.key = tmp_path / "gone"
    wrong = desk.doctor(*desk.words("-N", desk.dest))
    assert wrong.json["code"] == "key-file-missing"
    assert wrong.json["status"] == 4
    assert "only warns" in wrong.json["cause"]


def test_a_key_whose_path_is_many_words(desk, tmp_path):
    key = tmp_path / "my $(id) key"
    desk.key.rename(key)
    desk.key = key
    key.chmod(0o644)
    remedy = desk.doctor(*desk.words("-N", desk.dest)).find(
        "key-file-open")["remedy"]
    subprocess.run(["sh", "-c", remedy.split(";")[0]], check=True)
    assert key.stat().st_mode & 0o777 == 0o600


def test_a_key_that_others_may_read(desk):
    desk.key.chmod(0o644)
    words = desk.words("-N", "-o", "BatchMode=yes", desk.dest)
    wrong = desk.doctor(*words)
    assert wrong.find("key-file-open")["remedy"].startswith(
        f"chmod 600 {desk.key}")
    subprocess.run(["chmod", "600", desk.key], check=True)
    assert desk.carries(wrong.corrected)
    assert desk.doctor(*words).codes == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_key_of_somebody_else(desk, home):
    """Root without the right to read what is not its own is anybody."""
    shutil.chown(desk.key, "daemon")
    words = desk.words("-N", desk.dest)
    wrong = desk.doctor(*words, become=[
        "setpriv", "--inh-caps=-all",
        "--bounding-set=-dac_override,-dac_read_search"])
    row = wrong.find("key-file-unreadable")
    assert row["state"] == "fault" and str(desk.key) in row["cause"], wrong
    assert wrong.json["status"] == 4
    command = re.search(r"for this user: ([^;]*)", row["remedy"]).group(1)
    subprocess.run(command.replace("~", str(home)), shell=True, check=True,
                   capture_output=True, stdin=subprocess.DEVNULL)
    desk.key = home / ".ssh/id_mqtt"
    desk.server.server.admit(desk.key.with_suffix(".pub").read_text())
    assert desk.carries(desk.words("-N", desk.dest))


def test_the_public_half_in_the_place_of_the_key(desk):
    words = desk.words("-N", "-i", f"{desk.key}.pub", desk.dest, key=False)
    wrong = desk.doctor(*words)
    assert wrong.find("public-key")
    assert str(desk.key) in wrong.corrected
    assert desk.carries(wrong.corrected)


def test_a_key_of_putty(desk, tmp_path):
    ppk = tmp_path / "key.ppk"
    ppk.write_text("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n")
    ppk.chmod(0o600)
    desk.key = ppk
    wrong = desk.doctor(*desk.words("-N", desk.dest))
    assert "puttygen" in wrong.find("putty-key")["remedy"]


@pytest.mark.skipif(not shutil.which("puttygen"),
                    reason="puttygen is not installed")
def test_a_key_of_putty_becomes_one_of_openssh(desk, tmp_path):
    ppk = tmp_path / "device.ppk"
    subprocess.run(["puttygen", desk.key, "-O", "private", "-o", ppk],
                   check=True, stdin=subprocess.DEVNULL)
    desk.key = ppk
    wrong = desk.doctor(*desk.words("-N", desk.dest))
    command = re.search(r"puttygen .*(?=, then)",
                        wrong.find("putty-key")["remedy"]).group(0)
    subprocess.run(command, shell=True, check=True, stdin=subprocess.DEVNULL)
    assert desk.carries(wrong.corrected)


def test_a_file_that_is_no_key(desk, tmp_path):
    desk.key = tmp_path / "text"
    desk.key.write_text("hello\n")
    desk.key.chmod(0o600)
    wrong = desk.doctor(*desk.words("-N", desk.dest))
    row = wrong.find("key-file-malformed")
    command = re.search(r"ssh-keygen [^;]*", row["remedy"]).group(0)
    desk.key = tmp_path / "fresh"
    subprocess.run(command.replace("NAME", str(desk.key)), shell=True,
                   check=True, stdin=subprocess.DEVNULL, capture_output=True)
    desk.server.server.admit(desk.key.with_suffix(".pub").read_text())
    assert desk.carries(desk.words("-N", desk.dest))


def test_a_key_with_a_passphrase_and_nobody_to_type_it(desk):
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f",
                    desk.key], check=True, stdout=subprocess.DEVNULL)
    words = desk.words("-N", "-o", "BatchMode=yes", desk.dest)
    wrong = desk.doctor(*words)
    assert f"ssh-keygen -p -N '' -f {desk.key}" in \
        wrong.find("passphrase")["remedy"]
    subprocess.run(["ssh-keygen", "-p", "-N", "", "-P", "secret", "-f",
                    desk.key], check=True, stdout=subprocess.DEVNULL)
    assert desk.doctor(*words).status == 0
    assert desk.carries(wrong.corrected)


@pytest.fixture
def agent(tmp_path, home, monkeypatch):
    """An agent that holds three keys that nobody lets in."""
    path = tmp_path / "agent"
    with peers.Process(["ssh-agent", "-D", "-a", path]):
        peers.wait_until(path.exists, "the agent listens")
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        for name in "abc":
            make_key(tmp_path / name)
            subprocess.run(["ssh-add", "-q", tmp_path / name], check=True)
        yield path


def test_an_agent_with_other_keys(desk, agent):
    wrong = desk.doctor(*desk.words("-N", desk.dest))
    assert "3 keys" in wrong.find("agent-first")["seen"]
    assert "IdentitiesOnly=yes" in wrong.corrected
    assert desk.carries(wrong.corrected)
    assert desk.doctor(*wrong.corrected).codes == []


# ---- ssh_config ----

def test_an_alias_is_looked_at_as_ssh_reads_it(desk):
    desk.config.write_text(
        f"Host field\n HostName 127.0.0.1\n Port {desk.server.port}\n"
        f" User {desk.server.user}\n IdentityFile {desk.key}\n"
        f" LocalForward 127.0.0.1:{desk.port} {desk.target}\n"
        + desk.config.read_text())
    wrong = desk.doctor("field", ask=["-F", desk.config])
    assert wrong.codes == ["lives-without-listener", "no-keepalive"], wrong
    assert wrong.status == 0
    assert wrong.layer("message")[0]["state"] == "ok"
    words = wrong.corrected
    assert words[-1] == "field" and "-N" in words
    with subprocess.Popen(words, stdin=subprocess.DEVNULL) as process:
        peers.wait_until(lambda: peers.is_listening(desk.port), "it listens")
        process.terminate()


def test_a_missing_key_of_an_alias(desk, tmp_path):
    desk.config.write_text(
        f"Host field\n HostName 127.0.0.1\n IdentityFile {tmp_path}/none\n"
        + desk.config.read_text())
    wrong = desk.doctor("ssh", "-F", desk.config, "-N", "field")
    assert f"{tmp_path}/none" in wrong.find("key-file-missing")["seen"]


def test_a_master_connection_that_takes_the_forward(desk, tmp_path):
    runtime = os.environ["RUNTIME_DIRECTORY"]
    path = f"{runtime}/master"
    master = desk.words("-N", "-M", "-S", path, desk.dest, forward=False)
    with peers.Process(master):
        peers.wait_until(lambda: os.path.exists(path), "the master is there")
        words = desk.words("-N", "-o", f"ControlPath={path}", desk.dest)
        wrong = desk.doctor(*words)
        assert path in wrong.find("master")["seen"]
        assert "ControlPath=none" in wrong.corrected
        assert desk.carries(wrong.corrected)


# ---- the command as one text ----

def test_a_command_may_be_one_text(desk):
    text = shlex.join(desk.words("-f", desk.dest)) + " &"
    wrong = desk.doctor(text)
    assert wrong.json["code"] == "background-without-command"
    assert desk.carries(wrong.corrected)


def test_a_quote_that_stays_open(desk):
    done = desk.text("ssh -N -i 'key dan@broker")
    assert done.returncode == 2
    assert "stays open" in done.stderr


def test_as_text_each_finding_has_its_cause_below_it(desk):
    done = desk.text(*desk.words("-f", desk.dest))
    lines = done.stdout.splitlines()
    at = next(i for i, line in enumerate(lines)
              if line.startswith("fault") and "-f without -N" in line)
    assert lines[at + 1].strip().startswith("cause:")
    assert lines[at + 2].strip().startswith("remedy:")
    assert lines[-2].startswith("cause:  -f sends ssh to the background")
    assert "the whole command: ssh -f -N" in lines[-1]
    assert any(line.startswith("ok         corrected   ssh") for line in lines)


# ---- as an ordinary user ----

@pytest.mark.skipif(os.geteuid() != 0,
                    reason="to be another user one has to be root")
def test_a_port_of_roots_as_an_ordinary_user(tmp_path):
    folder = pathlib.Path("/tmp") / f"kaya-user-{os.getpid()}"
    shutil.copytree(KAYA.parent, folder, ignore=lambda *_: [
        name for name in os.listdir(KAYA.parent) if name != "kaya"])
    folder.chmod(0o755)
    try:
        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
             folder / "kaya", "doctor", "--json", "--", "ssh", "-N", "-F",
             "none", "-L", "883:127.0.0.1:1883", "127.0.0.1"],
            capture_output=True, text=True, timeout=60,
            stdin=subprocess.DEVNULL)
    finally:
        shutil.rmtree(folder)
    wrong = Diagnosis(done)
    assert "may not listen on 883" in wrong.find("port-of-root")["seen"]
    assert "22883:127.0.0.1:1883" in wrong.corrected
