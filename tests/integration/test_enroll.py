"""kaya enroll against a real sshd: the line, the file, the proof."""

import concurrent.futures
import json
import os
import pathlib
import pty
import re
import signal
import stat
import subprocess

import pytest

import peers
from devices import Kaya, add_line, home, remove_line, run  # noqa: F401
from peers import free_port, make_key
from tunnels import Subscriber, publish

HEADERS = "# the owner's own lines\n"


class Account:
    """An account of a stock sshd, with a broker behind it.

    Its home is a folder of the test's: sshd is told to read the
    authorized_keys there, and to tell the login shell of that home.
    """

    def __init__(self, tmp_path, extra="", path=None, command_path=None):
        self.home = tmp_path / "account"
        self.ssh = self.home / ".ssh"
        self.ssh.mkdir(parents=True, mode=0o700, exist_ok=True)
        self.home.chmod(0o755)
        self.file = self.ssh / "authorized_keys"
        self.login = tmp_path / "login"
        public = make_key(self.login)
        self.original = f"{HEADERS}{public}\n"
        self.file.write_text(self.original)
        self.file.chmod(0o600)
        self.broker = peers.Mosquitto(tmp_path / "broker")
        words = f"HOME={self.home}"
        if command_path:
            words += f" PATH={command_path}"
        self.sshd = peers.Sshd(
            tmp_path / "sshd",
            f"{extra}AuthorizedKeysFile {self.file}\nSetEnv {words}\n"
            f"MaxStartups 200\nSubsystem sftp internal-sftp\n")
        self.port = self.sshd.port
        self.dest = f"{self.sshd.user}@127.0.0.1:{self.port}"
        self.target = f"127.0.0.1:{self.broker.port}"
        print_ = subprocess.run(
            ["ssh-keygen", "-lf", f"{self.sshd.host_key}.pub"],
            capture_output=True, text=True, check=True).stdout
        self.fingerprint = print_.split()[1]

    def __enter__(self):
        return self

    def __exit__(self, kind, *unused):
        if kind is not None:
            print(self.sshd.log())
        self.sshd.stop()
        self.broker.stop()

    def enroll(self, state, *words, host_key=True, **options):
        pin = ["--host-key", self.fingerprint] if host_key else []
        return run("enroll", "--ssh-config", "none", "--state", state,
                   "-i", self.login, "--target", self.target, *pin, *words,
                   self.dest, **options)

    def lines(self):
        return self.file.read_text().splitlines()

    def ours(self):
        return [line for line in self.lines() if "KAYA_ID" in line]


@pytest.fixture
def account(tmp_path, home):
    with Account(tmp_path) as account:
        yield account


@pytest.fixture
def state(tmp_path):
    return tmp_path / "kaya"


def rows(done):
    return {row["layer"]: row for row in json.loads(done.stdout)["findings"]}


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
    done = account.enroll(state, host_key=False)
    assert done.returncode == 5
    assert f"--host-key {account.fingerprint} {account.dest}" in done.stderr
    assert "kaya enroll" in done.stderr
    assert account.file.read_text() == account.original
    assert not state.exists()


def test_another_host_key_than_the_one_named_is_5(account, state):
    done = account.enroll(state, "--host-key", "SHA256:" + "A" * 43,
                          host_key=False)
    assert done.returncode == 5
    assert account.fingerprint in done.stderr
    assert account.file.read_text() == account.original


def test_at_a_terminal_it_asks_for_the_host_key(account, state):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(peers.KAYA, [
            str(word) for word in (
                "kaya", "enroll", "--ssh-config", "none", "--state", state,
                "-i", account.login, "--target", account.target,
                account.dest)])
    said = b""
    try:
        while b"[yes/no]" not in said:
            said += os.read(terminal, 4096)
        os.write(terminal, b"yes\n")
        while True:
            said += os.read(terminal, 4096)
    except OSError:  # the end of a terminal
        pass
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0, said
    assert account.fingerprint.encode() in said
    assert len(account.ours()) == 1


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


def test_strict_fails_until_the_block_that_it_prints_is_there(
        account, state, tmp_path):
    done = account.enroll(state, "--strict", "--json")
    assert done.returncode == 1
    remedy = rows(done)["remote-unix"]["remedy"]
    block = remedy[remedy.index("\n") + 1:]
    assert block.startswith("Match User ")
    assert not list(pathlib.Path("/tmp").glob("kaya-proof-*"))
    config = pathlib.Path(account.sshd.command[-1])
    config.write_text(config.read_text() + block + "\n")
    account.sshd.signal(signal.SIGHUP)
    account.sshd.wait_for_log(r"(?s)Server listening.*Server listening")
    done = account.enroll(state, "--strict", "--json")
    assert done.returncode == 0, done.stdout
    found = rows(done)
    assert found["remote-unix"]["state"] == "ok"
    assert found["remote-tcp"]["state"] == "ok"
    assert found["message"]["state"] == "ok"


def test_without_an_ssh_program_the_socket_is_told_as_not_tried(
        account, state):
    done = account.enroll(state, "--json",
                          env={**os.environ, "PATH": "/nowhere"})
    assert done.returncode == 0
    assert rows(done)["remote-unix"]["state"] == "not-known"


def test_a_broker_that_wants_a_password_is_told_and_served(
        account, state, tmp_path):
    with peers.Mosquitto(tmp_path / "asks", users={"dan": "secret"}) as asks:
        words = ["--target", f"127.0.0.1:{asks.port}", "--json"]
        done = account.enroll(state, *words)
        assert done.returncode == 0
        assert rows(done)["message"]["code"] == "broker-refuses"
        done = account.enroll(state, *words, "-u", "dan", "-P", "secret")
        assert rows(done)["message"]["state"] == "ok"


def test_no_broker_is_a_failure_that_names_it(account, state):
    done = account.enroll(state, "--target", f"127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert "cannot reach a broker" in done.stdout


def test_a_key_that_is_not_let_in_leaves_no_record(tmp_path, home, state):
    with Account(tmp_path, f"AuthorizedKeysFile {tmp_path}/other\n") as other:
        (tmp_path / "other").write_text(other.original)
        done = other.enroll(state)
        assert done.returncode == 4
        assert "AuthorizedKeysFile" in done.stderr
        assert not (state / "hosts/127.0.0.1").exists()


# ---- the file ----

def test_a_last_line_without_newline_stays_a_line(account, state):
    account.file.write_text(account.original.rstrip("\n"))
    assert account.enroll(state).returncode == 0
    assert account.file.read_text().startswith(account.original)
    assert len(account.lines()) == 3


def test_other_lines_stay_byte_for_byte(account, state):
    odd = (b"#caf\xe9 \t trailing  \n\n  ssh-ed25519 AAAA broken\\n 'q' \"\n"
           b"# $(touch x) `touch y` %s\r\n")
    account.file.write_bytes(account.original.encode() + odd)
    assert account.enroll(state).returncode == 0
    assert account.file.read_bytes().startswith(
        account.original.encode() + odd)


def test_mode_and_owner_stay_and_nothing_is_left_beside(account, state):
    account.file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(account.file, 0, 12345)
    before = account.file.stat()
    assert account.enroll(state).returncode == 0
    after = account.file.stat()
    assert after.st_ino != before.st_ino
    assert (after.st_mode, after.st_uid, after.st_gid) == \
        (before.st_mode, before.st_uid, before.st_gid)
    assert os.listdir(account.ssh) == ["authorized_keys"]


def test_a_symbolic_link_stays_one(account, state):
    real = account.home / "keys/real"
    real.parent.mkdir(mode=0o700)
    account.file.rename(real)
    account.file.symlink_to("../keys/link")
    (real.parent / "link").symlink_to(real)
    assert account.enroll(state).returncode == 0
    assert os.readlink(account.file) == "../keys/link"
    assert real.is_file() and not real.is_symlink()
    assert len(account.ours()) == 1


@pytest.mark.parametrize("which", ["file", "ssh", "home"])
@pytest.mark.parametrize("bits", [0o020, 0o002])
def test_what_others_may_write_is_refused(account, state, which, bits):
    path = getattr(account, which)
    path.chmod(path.stat().st_mode | bits)
    done = account.enroll(state)
    assert done.returncode == 1
    assert f"{path} may be written by others" in done.stderr
    assert "chmod go-w" in done.stderr
    assert account.file.read_text() == account.original


def test_what_is_missing_is_made_for_the_owner_alone(tmp_path, home, state):
    keys = tmp_path / "first"
    with Account(tmp_path, f"AuthorizedKeysFile {keys} "
                 f"{tmp_path}/account/.ssh/authorized_keys\n") as account:
        account.file.rename(keys)
        account.ssh.rmdir()
        assert account.enroll(state).returncode == 0
        assert stat.S_IMODE(account.ssh.stat().st_mode) == 0o700
        assert stat.S_IMODE(account.file.stat().st_mode) == 0o600
        assert len(account.lines()) == 1


@pytest.mark.parametrize("command", ["/bin/false", "/bin/echo go away"])
def test_an_account_without_shell_is_told(tmp_path, home, state, command):
    with Account(tmp_path, f"ForceCommand {command}\n") as account:
        done = account.enroll(state)
        assert done.returncode == 1
        assert "gives no shell" in done.stderr
        assert account.file.read_text() == account.original


# ---- crashes, races, a full disk ----

SERVER_TOOLS = ["basename", "cat", "chmod", "cmp", "cp", "dd", "env",
                "flock", "grep", "id", "kill", "ls", "ln", "mkdir", "mv", "ps",
                "readlink", "rm", "sed", "sh", "sleep", "sync", "tail", "wc"]


def tools_folder(tmp_path, leave_out=()):
    """A PATH of the server's that has what is needed and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in SERVER_TOOLS:
        if name not in leave_out:
            (folder / name).symlink_to(peers.find(name))
    return folder


def wrap(folder, name, text):
    """Another program in a tool's place; what it is given is its text's."""
    (folder / name).unlink()
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_a_death_before_any_step_leaves_the_old_file_or_the_new(
        tmp_path, home, state):
    """Each program that the script starts dies in turn, with the script."""
    folder = tools_folder(tmp_path)
    count = tmp_path / "count"
    deadly = tmp_path / "deadly"
    for name in SERVER_TOOLS:
        if name in ("sh", "dd", "env", "basename"):
            continue
        real = peers.find(name)
        wrap(folder, name, f"echo {name} >>{count}\n"
             f"[ $(/usr/bin/wc -l <{count}) -lt $(/bin/cat {deadly}) ] || "
             f"kill -9 0\nexec {real} \"$@\"")
    with Account(tmp_path, command_path=folder) as account:
        states = set()
        for step in range(1, 100):
            deadly.write_text(str(step))
            count.write_text("")
            done = account.enroll(state)
            text = account.file.read_text()
            assert text.startswith(account.original)
            assert len(account.ours()) == len(account.lines()) - 2
            assert len(account.ours()) <= 1
            states.add((done.returncode == 0, len(account.ours())))
            assert done.returncode in (0, 1), done.stderr
            if done.returncode == 0:
                break
        assert step > 15
        # Killed with the old file, killed with the new one, done.
        assert states == {(False, 0), (False, 1), (True, 1)}
        assert os.listdir(account.ssh) == ["authorized_keys"]


@pytest.mark.parametrize("name,text", [
    ("sed", "/bin/sed \"$@\" | /usr/bin/head -c 30"),
    ("cp", "/bin/cp \"$@\"; kill -9 0"),
    ("mv", "exit 1"),
    ("sync", "echo '# me too' >>$HOME/.ssh/authorized_keys"),
])
def test_a_new_file_that_is_not_what_was_meant_is_not_taken(
        tmp_path, home, state, name, text):
    folder = tools_folder(tmp_path)
    wrap(folder, name, text)
    with Account(tmp_path, command_path=folder) as account:
        assert account.enroll(state).returncode == 1
        assert account.ours() == []
        assert account.file.read_text().startswith(account.original)


def test_fifty_at_once_lose_no_line(account, tmp_path):
    many = 50
    with concurrent.futures.ThreadPoolExecutor(many) as pool:
        done = list(pool.map(
            lambda i: account.enroll(tmp_path / f"kaya{i}", "--name",
                                     f"pump-{i}"), range(many)))
    assert [each.stderr for each in done if each.returncode != 0] == []
    assert account.file.read_text().startswith(account.original)
    names = re.findall(r"KAYA_ID=(pump-\d+)", account.file.read_text())
    assert sorted(names) == sorted(f"pump-{i}" for i in range(many))
    assert len(account.lines()) == many + 2


def test_without_flock_a_lock_of_the_dead_is_taken_over(
        tmp_path, home):
    folder = tools_folder(tmp_path, leave_out=["flock"])
    dead = subprocess.Popen(["true"])
    dead.wait()
    many = 8
    with Account(tmp_path, command_path=folder) as account:
        lock = account.ssh / "authorized_keys.kaya-lock~"
        lock.symlink_to(f"pid-{dead.pid}")
        with concurrent.futures.ThreadPoolExecutor(many) as pool:
            done = list(pool.map(
                lambda i: account.enroll(tmp_path / f"kaya{i}"), range(many)))
        assert [each.stderr for each in done if each.returncode != 0] == []
        assert len(account.ours()) == many
        assert os.listdir(account.ssh) == ["authorized_keys"]


def test_busybox_does_it_too(tmp_path, home, state):
    busybox = peers.find("busybox")
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in SERVER_TOOLS:
        (folder / name).symlink_to(busybox)
    with Account(tmp_path, command_path=folder) as account:
        account.file.write_text(account.original.rstrip("\n"))
        assert account.enroll(state).returncode == 0
        assert account.file.read_text().startswith(account.original)
        assert len(account.ours()) == 1
        assert account.enroll(state, "--revoke").returncode == 0
        assert account.file.read_text() == account.original


@pytest.fixture
def small_disk(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    disk = tmp_path / "account/.ssh"
    disk.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700",
                       "kaya-test", disk]).returncode != 0:
        pytest.skip("no file system may be mounted here")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_leaves_the_old_file(small_disk, tmp_path, home, state):
    with Account(tmp_path) as account:
        filler = small_disk / "filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(512))
            except OSError:
                pass
        done = account.enroll(state)
        assert done.returncode == 1
        assert "disk full" in done.stderr
        assert account.file.read_text() == account.original
        assert sorted(os.listdir(small_disk)) == ["authorized_keys", "filler"]
        filler.unlink()
        assert account.enroll(state).returncode == 0
        assert len(account.ours()) == 1


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
        assert "--revoke 127.0.0.1" in done.stderr
    assert (state / "hosts/127.0.0.1").read_text() == before


def test_dropbear_is_told_apart(tmp_path, home, state):
    login = tmp_path / "login"
    public = make_key(login)
    user = os.environ.get("USER") or "root"
    account = os.path.expanduser(f"~{user}")
    mine = add_line(account, public)
    try:
        with peers.Dropbear(tmp_path / "dropbear") as dropbear:
            known = subprocess.run(
                ["dropbearkey", "-y", "-f", dropbear.host_key], check=True,
                capture_output=True, text=True).stdout
            (tmp_path / "host.pub").write_text(
                re.search(r"^ssh-.*$", known, re.M).group(0) + "\n")
            fingerprint = subprocess.run(
                ["ssh-keygen", "-lf", tmp_path / "host.pub"], check=True,
                capture_output=True, text=True).stdout.split()[1]
            done = run("enroll", "--ssh-config", "none", "--state", state,
                       "-i", login, "--host-key", fingerprint,
                       f"{user}@127.0.0.1:{dropbear.port}")
    finally:
        remove_line(account, mine)
    assert done.returncode == 1
    assert "dropbear" in done.stderr
