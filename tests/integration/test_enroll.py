"""kaya enroll against a real sshd: the line, the proof, the way back."""

import json
import os
import pathlib
import pty
import re
import signal
import stat
import subprocess
import sys
import termios

import pytest

import peers
from accounts import (  # noqa: F401
    Account, account, dan_logs_in, rows, state, tools_folder, wrap)
from devices import (  # noqa: F401
    Kaya, home, know, need_dropbear, run, type_it)
from machines import machine, needs_root  # noqa: F401
from peers import free_port, make_key
from tunnels import Subscriber, publish


def test_a_new_key_gets_one_tight_line_and_proves_it(account, state):
    done = account.enroll(state, "--name", "pump-7", "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    assert account.file.read_text().startswith(account.original)
    line, = account.ours()
    port = account.broker.port
    assert line.startswith(
        f'restrict,port-forwarding,permitopen="127.0.0.1:{port}",'
        f'permitopen="localhost:{port}",permitopen="[::1]:{port}",'
        'permitlisten="localhost:1",command="')
    assert 'environment="KAYA_ID=pump-7"' in line
    found = rows(done)
    assert found["host-key"]["seen"].startswith(account.fingerprint)
    assert re.search(r"in [\d.]+ ms", found["message"]["seen"])
    for layer in ("shell", "pty", "command", "sftp", "target"):
        assert found[layer]["state"] == "ok", found[layer]
        assert found[layer]["seen"].startswith("refused")


def test_the_tunnel_needs_nothing_more(account, state):
    assert account.enroll(state).returncode == 0
    port = free_port()
    with Kaya("tunnel", "--ssh-config", "none", "--state", state,
              "-b", account.target, "-L", f"127.0.0.1:{port}",
              "127.0.0.1") as tunnel:
        tunnel.wait_for_log("event=up")
        with Subscriber(port, "t") as sub:
            publish(port, "t", "hello", "-q", "1")
            sub.wait_for_log("hello")

def test_the_key_is_made_once_and_is_the_owners_alone(account, state):
    assert account.enroll(state).returncode == 0
    key = state / "keys/127.0.0.1"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    comment = (state / "keys/127.0.0.1.pub").read_text().split(" ", 2)[2]
    assert re.fullmatch(r"\S+ \d{4}-\d\d-\d\d\n", comment)
    done = account.enroll(state, "--json")
    assert done.returncode == 0
    assert key.read_bytes() == before
    assert rows(done)["line"]["seen"].startswith("was there")
    assert len(account.ours()) == 1


def test_done_again_with_other_wishes_it_replaces_its_line(account, state):
    assert account.enroll(state, "--name", "a").returncode == 0
    done = account.enroll(state, "--name", "b", "--from", "127.0.0.1")
    assert done.returncode == 0, done.stderr
    line, = account.ours()
    assert 'from="127.0.0.1"' in line and "KAYA_ID=b" in line
    assert account.file.read_text().startswith(account.original)


@pytest.mark.parametrize("words,told", [
    (["--from", "192.0.2.7/24"], "bits set behind its prefix"),
    (["--from", "!192.0.2.7"], "negations alone"),
    (["--from", "192.0.2.7 10.0.0.1"], '"192.0.2.7 10.0.0.1" is a name'),
    (["--target", "bro ker:1883"], "127.0.0.1:1883"),
])
def test_a_wish_that_would_not_hold_is_told_before_the_login(
        account, state, words, told):
    done = account.enroll(state, *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert not account.sshd.logged("Connection from")
    assert account.file.read_text() == account.original
    assert not state.exists()


def test_an_alias_of_ssh_config_is_a_name_too(account, state, tmp_path):
    config = tmp_path / "ssh_config"
    config.write_text(f"Host broker\n HostName 127.0.0.1\n"
                      f" Port {account.port}\n User {account.sshd.user}\n"
                      f" IdentityFile {account.login}\n")
    done = run("enroll", "--ssh-config", config, "--state", state,
               "--host-key", account.fingerprint, "--target", account.target,
               "broker")
    assert done.returncode == 0, done.stderr
    done = run("pub", "--ssh-config", "none", "--state", state, "--broker",
               account.target, "broker", "-t", "t", "-m", "hello", "-q", "1")
    assert done.returncode == 0, done.stderr


def test_a_key_in_the_agent_is_login_enough(account, state, tmp_path):
    agent = tmp_path / "agent"
    with peers.Process(["ssh-agent", "-D", "-a", agent]) as process:
        env = {**os.environ, "SSH_AUTH_SOCK": str(agent)}
        peers.wait_until(agent.exists, "the agent listens")
        subprocess.run(["ssh-add", "-q", account.login], env=env, check=True)
        assert process.is_running()
        done = run("enroll", "--ssh-config", "none", "--state", state,
                   "--host-key", account.fingerprint, "--target",
                   account.target, account.dest, env=env)
    assert done.returncode == 0, done.stderr
    assert len(account.ours()) == 1


# ---- who the server is ----

def test_an_unknown_host_key_is_5_with_the_command_that_pins_it(
        account, state):
    words = ("--name", "pump-7", "--from", "127.0.0.1,10.0.0.*", "-p",
             account.port, "-l", account.sshd.user, "-o",
             "PreferredAuthentications=publickey", "--json")
    done = account.enroll(state, *words, host_key=False)
    assert done.returncode == 5
    remedy = re.search("pin it once: (.*)", done.stderr).group(1)
    assert f"--host-key {account.fingerprint} {account.dest}" in remedy
    assert account.file.read_text() == account.original
    assert not state.exists()
    # What was typed, to be typed again.
    done = type_it(remedy)
    assert done.returncode == 0, done.stderr
    assert rows(done)["host-key"]["seen"].startswith(account.fingerprint)
    assert len(account.ours()) == 1 and state.exists()
    assert 'from="127.0.0.1,10.0.0.*"' in account.ours()[0]
    assert "KAYA_ID=pump-7" in account.ours()[0]
    assert account.target in account.ours()[0]


def test_the_command_that_pins_tells_no_password(account, state):
    done = account.enroll(state, "-u", "dan o'b", "-P", "s3cr3t",
                          host_key=False)
    assert done.returncode == 5
    remedy = re.search("pin it once: (.*)", done.stderr).group(1)
    assert "s3cr3t" not in done.stderr
    assert "-u 'dan o'\\''b' -P PASSWORD " in remedy
    done = type_it(remedy.replace("PASSWORD", "s3cr3t"))
    assert done.returncode == 0, done.stderr


def test_the_doctor_forgets_a_changed_host_key_where_it_was_pinned(
        account, state, tmp_path):
    assert account.enroll(state).returncode == 0
    pinned = state / "known_hosts/127.0.0.1"
    place = pinned.read_text().split()[0]
    pinned.write_text(f"{place} {make_key(tmp_path / 'other')}\n")
    done = run("doctor", "--ssh-config", "none", "--state", state, "-b",
               account.target, "-L", free_port(), "127.0.0.1")
    assert done.returncode == 5, done.stdout
    assert f"ssh-keygen -f {pinned} -R" in done.stdout
    done = type_it(done.stdout.rpartition("only if that is the same: ")[2])
    assert done.returncode == 0, done.stdout + done.stderr


def test_another_host_key_than_the_one_named_is_5(account, state):
    done = account.enroll(state, "--host-key", "SHA256:" + "A" * 43,
                          host_key=False)
    assert done.returncode == 5
    assert account.fingerprint in done.stderr
    assert account.file.read_text() == account.original


def at_terminal(words, answers):
    """Run it at a terminal; the status and what stood there.

    `answers` are pairs of what is asked and what is typed then.
    """
    pid, terminal = pty.fork()
    if pid == 0:
        # What runs in the background of a script ignores it, with its heirs.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execvp(str(words[0]), [str(word) for word in words])
    said, seen = b"", 0
    try:
        for question, answer in answers:
            while question not in said[seen:]:
                said += os.read(terminal, 4096)
            seen = len(said)
            # Who reads a password switches the echo off after the question.
            if b"assword" in question:
                peers.wait_until(lambda: not termios.tcgetattr(terminal)[3]
                                 & termios.ECHO, "the echo is off")
            os.write(terminal, answer + b"\n")
        while True:
            said += os.read(terminal, 4096)
    except OSError:  # the end of a terminal
        pass
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), said


def test_at_a_terminal_it_asks_for_the_host_key(account, state):
    status, said = at_terminal(
        [peers.KAYA, "enroll", "--ssh-config", "none", "--state", state,
         "-i", account.login, "--target", account.target, account.dest],
        [(b"[yes/no]", b"yes")])
    assert status == 0, said
    assert account.fingerprint.encode() in said
    assert len(account.ours()) == 1


def with_passphrase(account, tmp_path):
    """A copy of the account's login key that wants "right-one"."""
    key = tmp_path / "locked"
    key.write_bytes(account.login.read_bytes())
    key.chmod(0o600)
    key.with_suffix(".pub").write_text(
        account.login.with_suffix(".pub").read_text())
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "right-one",
                    "-f", key], check=True, stdout=subprocess.DEVNULL)
    return key


def test_questions_are_asked_at_the_terminal_wherever_the_output_goes(
        account, state, tmp_path):
    out, complaints = tmp_path / "out.json", tmp_path / "complaints"
    key = with_passphrase(account, tmp_path)
    status, said = at_terminal(
        ["sh", "-c", f'exec "$@" >{out} 2>{complaints}', "sh", peers.KAYA,
         "enroll", "--ssh-config", "none", "--state", state, "-i", key,
         "--target", account.target, "--json", account.dest],
        [(b"[yes/no]", b"yes"), (b"the key " + bytes(key), b"right-one")])
    assert status == 0, said
    assert json.loads(out.read_text())["status"] == 0
    assert complaints.read_text() == ""
    assert account.fingerprint.encode() in said and b"right-one" not in said


def test_a_mistyped_passphrase_is_asked_for_again_and_then_told(
        account, state, tmp_path):
    key = with_passphrase(account, tmp_path)
    words = [peers.KAYA, "enroll", "--ssh-config", "none", "--state", state,
             "--host-key", account.fingerprint, "-i", key, "--target",
             account.target, account.dest]
    status, said = at_terminal(
        words, [(b"Passphrase of the key", word) for word in
                (b"wrong-one", b"wrong-two", b"wrong-three")])
    assert status == 4, said
    assert said.count(b"That is not it. Passphrase") == 2
    assert f"no passphrase of the key {key}".encode() in said
    assert not account.ours()
    status, said = at_terminal(
        words, [(b"Passphrase of the key", word) for word in
                (b"wrong-one", b"right-one")])
    assert status == 0, said


def interrupted(tmp_path, *words):
    """How it ends, and leaves the terminal, by ^C amid a passphrase.

    In a file: a terminal drops what was not read yet when ^C is typed.
    """
    ended = tmp_path / "ended"
    status, said = at_terminal(
        ["sh", "-c", f'trap : INT; "$@"; echo status $? >{ended}; '
         f"stty -a >>{ended}", "sh", peers.KAYA, *words],
        [(b"Passphrase of the key", b"half of it\x03")])
    assert status == 0, said
    return ended.read_text(), said


def test_who_interrupts_a_question_finds_the_terminal_as_it_was(
        account, state, tmp_path):
    key = with_passphrase(account, tmp_path)
    ended, said = interrupted(
        tmp_path, "enroll", "--ssh-config", "none", "--state", state,
        "--host-key", account.fingerprint, "-i", key, account.dest)
    assert "status 130\n" in ended, said
    assert re.search("[^-]echo ", ended), said


def test_a_tunnel_that_asks_is_ended_like_any_other(
        account, state, tmp_path, home):
    """It asks in the thread that connects, and signals go to any of them."""
    key = with_passphrase(account, tmp_path)
    know(home, account.port)
    ended, said = interrupted(
        tmp_path, "tunnel", "-F", home / ".ssh/config", "--state", state,
        "-L", f"127.0.0.1:{free_port()}", "-i", key, account.dest)
    assert "status 0\n" in ended, said
    assert re.search("[^-]echo ", ended), said


# By what sshd itself asks for the password, or has PAM ask.
PASSWORD = "PasswordAuthentication yes\n"
QUESTIONS = ("UsePAM yes\nKbdInteractiveAuthentication yes\n"
             "PasswordAuthentication no\n")


@pytest.fixture
def asked(machine, state):
    """Enrols dan, whose password is right-one, at a terminal."""
    def enroll(config, *typed):
        machine.add_user("dan", "right-one")
        machine.sshd_config.write_text(config +
                                       machine.sshd_config.read_text())
        machine.start_sshd()
        machine.start_mosquitto()
        return at_terminal(
            machine.words(peers.KAYA, "enroll", "--ssh-config", "none",
                          "--state", state, "dan@127.0.0.1"),
            [(b"[yes/no]", b"yes"),
             *((b"assword:", word) for word in typed)])
    return enroll


@needs_root
@pytest.mark.parametrize("config", [PASSWORD, QUESTIONS],
                         ids=["password", "keyboard-interactive"])
def test_a_password_is_login_enough_and_is_never_shown(
        machine, asked, config):
    status, said = asked(config, b"wrong-one", b"right-one")
    assert status == 0, said
    assert b"wrong-one" not in said and b"right-one" not in said
    assert said.count(b"That is not it.") == 1
    keys = (machine.home / "dan/.ssh/authorized_keys").read_text()
    assert keys.startswith("restrict,port-forwarding,permitopen=")
    how = "password" if config == PASSWORD else "keyboard-interactive/pam"
    assert machine.sshd.logged(f"Accepted {how} for dan")


@needs_root
def test_three_wrong_answers_are_enough(machine, asked):
    status, said = asked(QUESTIONS, b"wrong-one", b"wrong-two", b"wrong-three")
    assert status == 4, said
    assert b"the password at a terminal" in said and b"wrong-" not in said
    assert b"nor does it take what was typed" in said
    # Whose question it is stands before it.
    assert said.count(b"(dan@127.0.0.1:22) Password: ") == 3
    assert not (machine.home / "dan/.ssh").exists()


@needs_root
def test_nobody_is_asked_by_a_server_that_has_had_enough(
        machine, state, tmp_path):
    machine.add_user("dan", "right-one")
    machine.sshd_config.write_text(PASSWORD + machine.sshd_config.read_text())
    machine.start_sshd()
    agent = tmp_path / "agent"
    with peers.Process(["ssh-agent", "-D", "-a", agent]):
        env = {**os.environ, "SSH_AUTH_SOCK": str(agent)}
        peers.wait_until(agent.exists, "the agent listens")
        for i in range(20):
            make_key(tmp_path / f"key-{i}")
            subprocess.run(["ssh-add", "-q", tmp_path / f"key-{i}"], env=env,
                           check=True)
        status, said = at_terminal(
            machine.words("env", f"SSH_AUTH_SOCK={agent}", peers.KAYA,
                          "enroll", "--ssh-config", "none", "--state", state,
                          "dan@127.0.0.1"), [(b"[yes/no]", b"yes")])
    # sshd 10 resets the connection, and its word may be lost by that.
    assert status in (3, 4), said
    assert b"assword:" not in said and b"-i KEY" in said


def printed(page, user):
    """What a page says that `kaya enroll USER@broker` prints."""
    text = (peers.ROOT / page).read_text()
    block = re.search(
        rf"\$ kaya enroll {user}@broker\n(.*?kaya tunnel broker)\n", text,
        re.DOTALL).group(1)
    return [line[4:] for line in block.splitlines()]


def told(said, state, user):
    """The same of a terminal, with the names of the page."""
    text = said.decode().replace("\r", "").expandtabs(8)
    for real, shown in ((f"--state {state} ", ""),
                        (str(state), "/home/pi/.local/state/kaya"),
                        ("dan@127.0.0.1", f"{user}@broker"),
                        ("/127.0.0.1", "/broker"),
                        ("tunnel 127.0.0.1", "tunnel broker"),
                        ("/home/dan/", f"/home/{user}/"),
                        ("User dan", f"User {user}")):
        text = text.replace(real, shown)
    return text.splitlines()


def without_figures(lines):
    return [re.sub(r"SHA256:[\w+/]+", "SHA256:...",
                   re.sub(r"in [\d.]+ ms", "in ... ms", line))
            for line in lines]


@needs_root
def test_the_pages_show_what_is_printed_today(machine, state, tmp_path):
    login = tmp_path / "login"
    dan_logs_in(machine, login)
    words = machine.words("env", "NO_COLOR=1", peers.KAYA, "enroll",
                          "--ssh-config", "none", "--state", state,
                          "-i", login, "dan@127.0.0.1")
    done = subprocess.run(words, capture_output=True, timeout=60,
                          stdin=subprocess.DEVNULL)
    cause, _ = without_figures(told(done.stderr, state, "dan"))
    for page in ("doc/tutorial-letting-in.md", "doc/tutorial-letting-in.ja.md"):
        lines = (peers.ROOT / page).read_text().splitlines()
        assert f"    {cause}" in without_figures(lines), page
    status, said = at_terminal(words, [(b"[yes/no]", b"yes")])
    assert status == 0, said
    for page, user in (("README.md", "user"), ("README.ja.md", "user"),
                       ("doc/tutorial-letting-in.md", "dan"),
                       ("doc/tutorial-letting-in.ja.md", "dan")):
        assert without_figures(printed(page, user)) == \
            without_figures(told(said, state, user)), page


# A server whose question paints, and wants the answer to be seen.
PAINTER = """
import socket, sys, paramiko

class Painter(paramiko.ServerInterface):
    def get_allowed_auths(self, user):
        return "keyboard-interactive"

    def check_auth_interactive(self, user, methods):
        return paramiko.InteractiveQuery(
            "\\033[2Jname", "\\033]0;instruction\\a",
            ("\\033[31mPassword: ", True))

    def check_auth_interactive_response(self, answers):
        print("answered", answers, flush=True)
        return paramiko.AUTH_FAILED

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("there", flush=True)
transport = paramiko.Transport(listener.accept()[0])
transport.add_server_key(paramiko.RSAKey.generate(2048))
transport.start_server(server=Painter())
transport.join()
"""


def test_a_servers_question_neither_paints_nor_shows_the_answer(home, state):
    pytest.importorskip("paramiko")
    port = free_port()
    with peers.Process([sys.executable, "-c", PAINTER, port]) as painter:
        painter.wait_for_log("there")
        status, said = at_terminal(
            [peers.KAYA, "enroll", "--ssh-config", "none", "--state", state,
             f"dan@127.0.0.1:{port}"],
            [(b"[yes/no]", b"yes"), *3 * [(b"assword:", b"my-secret")]])
        assert painter.log().count("answered ['my-secret']") == 3
    assert status == 4
    assert b"\\x1b[2Jname" in said and b"\\x1b[31mPassword: " in said
    assert b"my-secret" not in said and b"\033" not in said


@needs_root
def test_nobody_is_asked_where_there_is_no_terminal(machine, state):
    machine.add_user("dan", "right-one")
    machine.sshd_config.write_text(QUESTIONS + machine.sshd_config.read_text())
    machine.start_sshd()
    fingerprint = subprocess.run(
        ["ssh-keygen", "-lf", machine.ssh / "host_key.pub"], check=True,
        capture_output=True, text=True).stdout.split()[1]
    done = machine.run(
        peers.KAYA, "enroll", "--ssh-config", "none", "--state", state,
        "--host-key", fingerprint, "dan@127.0.0.1", check=False,
        input="right-one\n")
    assert done.returncode == 4
    assert "assword:" not in done.stdout + done.stderr


def test_the_pinned_host_key_counts_from_then_on(account, state):
    assert account.enroll(state).returncode == 0
    assert account.enroll(state, host_key=False).returncode == 0


# ---- what it proves ----

@pytest.fixture
def two_files(tmp_path, home):
    """An account whose second file may hold other lines of a key."""
    loose = tmp_path / "loose"
    loose.touch()
    with Account(tmp_path, f"AuthorizedKeysFile {loose} "
                 f"{tmp_path}/account/.ssh/authorized_keys\n") as account:
        account.loose = loose
        yield account


def test_a_key_that_can_do_more_fails_with_the_line_for_its_place(
        two_files, state):
    assert two_files.enroll(state).returncode == 0
    two_files.loose.write_text(
        (state / "keys/127.0.0.1.pub").read_text())
    done = two_files.enroll(state, "--json")
    assert done.returncode == 1
    found = rows(done)
    for layer in ("shell", "command", "sftp", "target", "remote-tcp"):
        assert found[layer]["state"] == "fault", done.stdout
    # Only root's sshd has terminals to give; another one dies of it.
    assert found["pty"]["state"] == \
        ("fault" if os.geteuid() == 0 else "not-known")
    line, = two_files.ours()
    assert line in found["shell"]["remedy"]
    assert line in json.loads(done.stdout)["remedy"]


def test_a_shell_behind_a_long_greeting_is_a_shell(two_files, state):
    assert two_files.enroll(state).returncode == 0
    greeting = two_files.home / "greeting"
    greeting.write_text("all that you do here is written down\n" * 1000)
    public = (state / "keys/127.0.0.1.pub").read_text()
    two_files.loose.write_text(
        f'restrict,command="cat {greeting}; exec sh" {public}')
    done = two_files.enroll(state, "--json")
    assert rows(done)["shell"]["code"] == "gets-shell"


def test_a_permitopen_alone_leaves_listening_open_and_is_found(
        two_files, state):
    assert two_files.enroll(state).returncode == 0
    public = (state / "keys/127.0.0.1.pub").read_text()
    two_files.loose.write_text(
        f'restrict,port-forwarding,permitopen="{two_files.target}",'
        f'command="echo no" {public}')
    done = two_files.enroll(state, "--json")
    assert done.returncode == 1
    found = rows(done)
    assert found["remote-tcp"]["code"] == "listens"
    assert found["shell"]["state"] == found["target"]["state"] == "ok"


def proofs():
    """Folders and sockets of trials that lie about at the server."""
    return set(pathlib.Path("/tmp").glob("kaya-proof-*"))


def test_strict_fails_until_the_block_that_it_prints_is_there(
        account, state, tmp_path):
    before = proofs()
    done = account.enroll(state, "--strict", "--json")
    assert done.returncode == 1
    remedy = rows(done)["remote-unix"]["remedy"]
    block = remedy[remedy.index("\n") + 1:]
    assert block.startswith("Match User ")
    # Those of other tests that run meanwhile go by themselves.
    left = proofs() - before
    peers.wait_until(lambda: not left & proofs(), "no folder is left", 60)
    config = pathlib.Path(account.sshd.command[-1])
    config.write_text(config.read_text() + block + "\n")
    account.sshd.reload()
    done = account.enroll(state, "--strict", "--json")
    assert done.returncode == 0, done.stdout
    found = rows(done)
    assert found["remote-unix"]["state"] == "ok"
    assert found["remote-tcp"]["state"] == "ok"
    assert found["message"]["state"] == "ok"


def listening_ssh(tmp_path, text):
    """Where `ssh -R` is a script: its folder, and the environment."""
    folder = tmp_path / "desk"
    folder.mkdir()
    (folder / "ssh").write_text(
        f'#!/bin/sh\nreal={peers.find("ssh")}\n'
        f'case "$*" in *" -R "*) ;; *) exec $real "$@" ;; esac\n{text}\n')
    (folder / "ssh").chmod(0o755)
    return folder, {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def not_tried(done):
    assert done.returncode == 0, done.stderr
    row = rows(done)["remote-unix"]
    assert (row["state"], row["code"]) == ("not-known", "not-tried")
    return row["seen"]


def test_what_asks_too_late_finds_no_folder_to_listen_in(
        account, state, tmp_path):
    """Given up on, it asks all the same: nothing is left at the server."""
    folder, env = listening_ssh(
        tmp_path, '(sleep 1; exec $real "$@") >/dev/null 2>$0.said &')
    assert not_tried(account.enroll(state, "--json", env=env))
    said = folder / "ssh.said"
    peers.wait_until(lambda: "remote forward" in said.read_text() or
                     "remote port" in said.read_text(), "it asked")
    path, = set(re.findall(r"/tmp/kaya-proof-[^:\s]+", said.read_text()))
    assert not any(path.startswith(str(left)) for left in proofs())


def test_without_a_folder_to_listen_in_it_is_not_tried(
        tmp_path, home, state):
    folder = tools_folder(tmp_path)
    wrap(folder, "mkdir", "exit 1")
    with Account(tmp_path, command_path=folder) as account:
        seen = not_tried(account.enroll(state, "--json"))
    assert seen.endswith("nowhere to try it: no folder can be made in /tmp")


def test_a_folder_that_went_too_early_makes_no_refusal(
        tmp_path, home, state):
    """Nobody can listen there, whether it is allowed or not."""
    folder = tools_folder(tmp_path)
    lent = tmp_path / "lent"
    wrap(folder, "mkdir", f'echo "shell=$PPID folder=$1" >{lent}\n'
         f'exec {peers.find("mkdir")} "$@"')
    unused, env = listening_ssh(
        tmp_path, f'. {lent}; kill -9 $shell; rm -r ${{folder%/in}}\n'
        'exec $real "$@"')
    with Account(tmp_path, command_path=folder) as account:
        seen = not_tried(account.enroll(state, "--json", env=env))
    assert seen.endswith("the folder to try it in went too early")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_enrolment_that_is_killed_leaves_nothing_at_the_server(
        account, state, tmp_path, number):
    folder, env = listening_ssh(
        tmp_path, 'echo "$$ $*" >$0.tmp; mv $0.tmp $0.runs\n'
        'until [ -e $0.go ]; do sleep 0.1; done; exec $real "$@"')
    words = ["enroll", "--ssh-config", "none", "--state", state, "-i",
             account.login, "--host-key", account.fingerprint, "--target",
             account.target, account.dest]
    with Kaya(*words, env=env) as enrolment:
        runs = folder / "ssh.runs"
        peers.wait_until(runs.exists, "ssh runs")
        pid, *said = runs.read_text().split()
        path, = [word.split(":")[0] for word in said
                 if word.startswith("/tmp/kaya-proof-")]
        # Halfway: the server listens, and it has not heard of it yet.
        os.kill(enrolment.process.pid, signal.SIGSTOP)
        (folder / "ssh.go").touch()
        peers.wait_until(lambda: os.path.lexists(path), "it listens")
        os.kill(enrolment.process.pid, number)
        os.kill(enrolment.process.pid, signal.SIGCONT)
        assert enrolment.process.wait(10) == -number
    peers.wait_until(lambda: not os.path.exists(f"/proc/{pid}"),
                     "its ssh has ended")
    peers.wait_until(
        lambda: not any(path.startswith(str(left)) for left in proofs()),
        "nothing is left")


def test_without_an_ssh_program_the_socket_is_told_as_not_tried(
        account, state):
    done = account.enroll(state, "--json",
                          env={**os.environ, "PATH": "/nowhere"})
    assert done.returncode == 0
    assert rows(done)["remote-unix"]["state"] == "not-known"


def test_what_is_said_of_later_can_be_typed_wherever_the_state_is(
        account, tmp_path):
    state = tmp_path / "蚊帳's state"
    done = account.enroll(state, "--json")
    command = re.search("kaya tunnel (.*)", rows(done)["record"]["seen"])
    tried = type_it(f"kaya doctor -L {free_port()} {command.group(1)}")
    assert tried.returncode == 0, tried.stdout + tried.stderr


def test_a_broker_that_wants_a_password_is_told_and_served(
        account, state, tmp_path):
    with peers.Mosquitto(tmp_path / "asks", users={"dan": "secret"}) as asks:
        words = ["--target", f"127.0.0.1:{asks.port}", "--json"]
        done = account.enroll(state, *words)
        assert done.returncode == 0
        assert rows(done)["message"]["code"] == "broker-refuses"
        command = re.search("kaya doctor .*", rows(done)["message"]["remedy"])
        proved = type_it(command.group(0).replace("USER", "dan")
                         .replace("PASSWORD", "secret -L " + str(free_port())))
        assert proved.returncode == 0, proved.stdout
        done = account.enroll(state, *words, "-u", "dan", "-P", "secret")
        assert rows(done)["message"]["state"] == "ok"


def test_no_broker_is_a_failure_that_names_it(account, state):
    done = account.enroll(state, "--target", f"127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert "cannot reach a broker" in done.stdout


def test_a_broker_that_says_nothing_is_told(account, state):
    """Who hangs is connected to all the same, by the kernel."""
    account.broker.signal(signal.SIGSTOP)
    done = account.enroll(state, "--json")
    account.broker.signal(signal.SIGCONT)
    assert done.returncode == 1
    told = rows(done)["message"]
    assert told["code"] == "no-message", told
    assert told["cause"] == "what answers at the broker's address says nothing"
    assert account.enroll(state).returncode == 0


def test_a_key_that_is_not_let_in_leaves_no_record(tmp_path, home, state):
    with Account(tmp_path, f"AuthorizedKeysFile {tmp_path}/other\n") as other:
        (tmp_path / "other").write_text(other.original)
        done = other.enroll(state)
        assert done.returncode == 4
        assert "AuthorizedKeysFile" in done.stderr
        assert not (state / "hosts/127.0.0.1").exists()


# ---- the way back ----

def test_revoke_takes_out_the_line_and_says_who_lives_on(account, state):
    assert account.enroll(state).returncode == 0
    port = free_port()
    with Kaya("tunnel", "--ssh-config", "none", "--state", state,
              "-b", account.target, "-L", f"127.0.0.1:{port}",
              "127.0.0.1") as tunnel:
        tunnel.wait_for_log("event=up")
        done = account.enroll(state, "--revoke", "--json")
        assert done.returncode == 0, done.stderr
        assert account.file.read_text() == account.original
        found = rows(done)
        assert found["sessions"]["code"] == "sessions-live-on"
        pids = re.search(r"kill( \d+)+$", found["sessions"]["remedy"])
        assert pids
    assert not (state / "hosts/127.0.0.1").exists()
    assert not (state / "keys/127.0.0.1").exists()
    aside, = [path for path in (state / "keys").iterdir()
              if path.suffix != ".pub"]
    assert str(aside) in found["key"]["seen"]
    # And a new key may be made.
    assert account.enroll(state).returncode == 0


def test_revoke_says_where_sessions_cannot_be_seen(tmp_path, home, state):
    folder = tools_folder(tmp_path, leave_out=["ps"])
    with Account(tmp_path, command_path=folder) as account:
        assert account.enroll(state).returncode == 0
        done = account.enroll(state, "--revoke", "--json")
        assert done.returncode == 0
        assert rows(done)["sessions"]["state"] == "not-known"


def test_remedies_of_a_state_folder_with_blanks_can_be_typed(
        account, tmp_path):
    state = tmp_path / "state of mine"
    none = account.enroll(state, "--revoke")
    assert f"ls '{state}'/hosts" in none.stderr
    assert account.enroll(state).returncode == 0
    done = account.enroll(state, "--revoke")
    remedy = re.search(r"(rm '.*)", done.stdout).group(1)
    assert list((state / "keys").iterdir()) != []
    subprocess.run(["sh", "-c", remedy], check=True)
    assert list((state / "keys").iterdir()) == []


def test_a_host_key_that_is_not_known_names_the_server_once(account, tmp_path):
    done = run("enroll", f"dan@127.0.0.1:{account.port}", "--state",
               tmp_path / "state", "-F", "none")
    assert done.returncode == 5
    cause = done.stderr.splitlines()[0]
    assert cause.count(f"dan@127.0.0.1:{account.port}") == 1


def test_what_is_not_enrolled_cannot_be_revoked(account, state):
    done = account.enroll(state, "--revoke")
    assert done.returncode == 1
    assert "is not enrolled here" in done.stderr


def test_revoke_keeps_all_where_the_login_fails(account, state, tmp_path):
    assert account.enroll(state).returncode == 0
    make_key(tmp_path / "stranger")
    account.login = tmp_path / "stranger"
    done = account.enroll(state, "--revoke")
    assert done.returncode == 4
    assert (state / "hosts/127.0.0.1").exists()
    assert len(account.ours()) == 1


def test_one_name_is_for_one_account(account, state):
    assert account.enroll(state).returncode == 0
    before = (state / "hosts/127.0.0.1").read_text()
    for words in (["-p", str(account.port), "somebody@127.0.0.1"],
                  [f"{account.sshd.user}@127.0.0.1:{free_port()}"]):
        done = run("enroll", "--ssh-config", "none", "--state", state, "-i",
                   account.login, *words)
        assert done.returncode == 1
        assert "is enrolled already" in done.stderr
        assert f"--revoke --state {state} 127.0.0.1" in done.stderr
    assert (state / "hosts/127.0.0.1").read_text() == before


def test_dropbear_is_told_apart(tmp_path, home, state):
    need_dropbear()
    login = tmp_path / "login"
    public = make_key(login)
    with peers.Dropbear(tmp_path / "dropbear") as server:
        server.admit(public)
        known = subprocess.run(
            ["dropbearkey", "-y", "-f", server.host_key], check=True,
            capture_output=True, text=True).stdout
        (tmp_path / "host.pub").write_text(
            re.search(r"^ssh-.*$", known, re.M).group(0) + "\n")
        fingerprint = subprocess.run(
            ["ssh-keygen", "-lf", tmp_path / "host.pub"], check=True,
            capture_output=True, text=True).stdout.split()[1]
        done = run("enroll", "--ssh-config", "none", "--state", state,
                   "-i", login, "--host-key", fingerprint,
                   f"{server.user}@127.0.0.1:{server.port}")
    assert done.returncode == 1
    assert "dropbear" in done.stderr
