"""kaya enroll and the server's file: always the old or the new one."""

import concurrent.futures
import os
import re
import stat
import subprocess

import pytest

import peers
from accounts import (  # noqa: F401
    SERVER_TOOLS, Account, account, dan_logs_in, rows, state, tools_folder,
    wrap)
from devices import home  # noqa: F401
from machines import machine, needs_root  # noqa: F401


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


SSH = "/home/dan/.ssh"
KEYS = f"{SSH}/authorized_keys"


def remedy_of(done):
    return re.search("remedy: .*?at the server[^:]*: (.*); then enroll again",
                     done.stderr).group(1)


@pytest.fixture
def dans(machine, tmp_path, state):
    """Enrols at dan's account, by a login key that stands elsewhere."""
    login, known = tmp_path / "login", tmp_path / "known_hosts"
    dan_logs_in(machine, login)
    known.write_text("127.0.0.1 " +
                     (machine.ssh / "host_key.pub").read_text())

    def enroll(*words):
        return machine.run(
            peers.KAYA, "enroll", "--ssh-config", "none", "--state", state,
            "-o", f"UserKnownHostsFile={known}", "-i", login, *words,
            "dan@127.0.0.1", check=False)
    return enroll


@needs_root
@pytest.mark.parametrize("spoil,cause", [
    (f"touch {SSH}", f"{SSH} is no folder"),
    (f"install -d -o dan {KEYS}; chown dan {SSH}", f"{KEYS} is not a file"),
    (f"mkdir -m 700 {SSH}", f"may not enter {SSH}"),
    (f"mkdir -m 755 {SSH}", f"may not write in {SSH}"),
    ("chown root /home/dan", "may not make a folder in its home, /home/dan"),
    (f"install -d -o dan {SSH}; install -m 600 /dev/null {KEYS}",
     f"{KEYS} cannot be read by the account"),
    (f"install -d -o dan {SSH}; install -o dan /dev/null {KEYS}",
     f"group or access list of {KEYS} cannot be kept"),
    (f"install -d -o dan {SSH}; install -o nobody /dev/null {KEYS}",
     f"{KEYS} belongs neither to the account nor to root"),
    (f"install -d -o dan -m 770 {SSH}", f"{SSH} may be written by others"),
], ids=["file-for-folder", "folder-for-file", "closed-folder",
        "roots-folder", "roots-home", "roots-file", "roots-group",
        "strangers-file", "open-folder"])
def test_what_is_in_the_way_is_named_and_the_remedy_mends_it(
        machine, dans, spoil, cause):
    machine.run("sh", "-ec", spoil)
    done = dans()
    assert done.returncode == 1
    assert cause in done.stderr
    machine.run("sh", "-ec", remedy_of(done))
    done = dans()
    assert done.returncode == 0, done.stderr


def give_shell(machine, path):
    text = machine.passwd.read_text()
    machine.passwd.write_text(
        text.replace("/home/dan:/bin/sh", f"/home/dan:{path}"))


@needs_root
@pytest.mark.parametrize("shell", ["/usr/sbin/nologin", "/bin/false"])
def test_an_account_for_tunnels_alone_has_its_line_put_in_by_root(
        machine, dans, state, shell):
    give_shell(machine, shell)
    done = dans()
    assert done.returncode == 1
    assert "gives no shell" in done.stderr
    machine.run("bash", "-ec", remedy_of(done))
    # The key is let in now: that is all that was missing.
    done = dans("--json")
    assert done.returncode == 0, done.stdout
    assert rows(done)["message"]["state"] == "ok"
    assert rows(done)["record"]["seen"] == \
        f"from now on: kaya tunnel --state {state} 127.0.0.1"
    keys = machine.home / "dan/.ssh/authorized_keys"
    assert "KAYA_ID=" in keys.read_text()
    done = dans("--revoke", "--json")
    assert done.returncode == 1
    command = rows(done)["line"]["remedy"].partition("as root: ")[2]
    machine.run("bash", "-ec", command)
    assert keys.read_text() == ""
    assert not (state / "hosts/127.0.0.1").exists()


@needs_root
def test_half_a_command_is_not_told(machine, dans):
    give_shell(machine, "/usr/sbin/nologin")
    addresses = ",".join(f"192.0.2.{i}" for i in range(99))
    done = dans("--from", addresses)
    assert done.returncode == 1
    assert "echo" not in done.stderr
    assert done.stderr.rstrip().endswith(
        "kaya keys add --help has the same options")


@needs_root
def test_a_restricted_shell_is_shell_enough(machine, dans):
    give_shell(machine, "/bin/rbash")
    done = dans()
    assert done.returncode == 0, done.stderr
    done = dans("--revoke", "--json")
    assert done.returncode == 0, done.stderr
    assert rows(done)["sessions"]["state"] == "ok"


@pytest.mark.parametrize("command", ["/bin/false", "/bin/echo go away"])
def test_an_account_without_shell_is_told(tmp_path, home, state, command):
    with Account(tmp_path, f"ForceCommand {command}\n") as account:
        done = account.enroll(state)
        assert done.returncode == 1
        assert "gives no shell" in done.stderr
        assert account.file.read_text() == account.original


# ---- crashes, races, a full disk ----

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
    # Only what goes into a file is cut off.
    ("sed", "[ -f /proc/$$/fd/1 ] || exec /bin/sed \"$@\"\n"
     "/bin/sed \"$@\" | /usr/bin/head -c 30"),
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


def test_a_disk_for_reading_only_is_told_where_there_is_no_file_yet(
        small_disk, tmp_path, home, state):
    keys = tmp_path / "first"
    with Account(tmp_path, f"AuthorizedKeysFile {keys} "
                 f"{small_disk}/authorized_keys\n") as account:
        keys.write_text(account.original)
        account.file.unlink()
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
        done = account.enroll(state)
        assert done.returncode == 1
        assert f"cannot be written in {small_disk} (disk full, or read-only?)" \
            in done.stderr
        subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
        assert account.enroll(state).returncode == 0
