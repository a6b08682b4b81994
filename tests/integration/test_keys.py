"""kaya keys: files edited and judged, and what sshd and kayad make of them."""

import base64
import contextlib
import getpass
import json
import os
import pathlib
import re
import signal
import stat
import subprocess
import tempfile

import pytest

import peers
from peers import KAYA, make_key, wait_until

# MQTT 3.1.1: CONNECT, client id "t", clean session; the CONNACK that lets in.
CONNECT = bytes.fromhex("100d00044d5154540402003c000174")
CONNACK = bytes.fromhex("20020000")


def keys(*words, **run_options):
    """kaya keys, with what it says."""
    if "input" not in run_options:
        run_options["stdin"] = subprocess.DEVNULL
    return subprocess.run(
        [KAYA, "keys", *words], capture_output=True, text=True, timeout=60,
        **run_options)


def add(file, name, public_key, *words):
    result = keys("add", file, "--name", name, *words, input=public_key + "\n")
    assert result.returncode == 0, result.stderr
    return result


@pytest.fixture
def folder(tmp_path):
    """A folder that is nobody else's."""
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def public_key(key):
    return key.with_suffix(".pub").read_text().strip()


@pytest.fixture
def other_key(tmp_path):
    return make_key(tmp_path / "other", kind="ecdsa")


def options(key):
    """What every client of OpenSSH is told here."""
    return ["-F", "/dev/null", "-i", key, "-o", "IdentitiesOnly=yes",
            "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
            "-o", "UserKnownHostsFile=/dev/null"]


def ssh_command(server, key, *words, command=()):
    return ["ssh", *options(key), "-p", str(server.port),
            "-l", getattr(server, "user", "anybody"), *words, "127.0.0.1",
            *command]


def ssh(server, key, *words, command=(), **run_options):
    return subprocess.run(ssh_command(server, key, *words, command=command),
                          capture_output=True, timeout=30, **run_options)


def strict_sshd(folder, authorized_keys):
    """An sshd that looks at the modes of its files, as it does by default."""
    make_key(folder / "host_key")
    port = peers.free_port()
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nPidFile none\nUsePAM no\n"
        f"HostKey {folder}/host_key\nAuthorizedKeysFile {authorized_keys}\n")
    server = peers.Process([peers.find("sshd"), "-D", "-e", "-f",
                            folder / "sshd_config"])
    server.port, server.user = port, getpass.getuser()
    server.wait_for_log("Server listening")
    return server


def connack(server, key, target):
    """What the broker answers through the server, and what ssh says."""
    with subprocess.Popen(
            ssh_command(server, key, "-W", target), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            process.stdin.write(CONNECT)
            process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = process.stdout.read(len(CONNACK))
        process.kill()
        return answer, process.stderr.read().decode()


# ---- the line that is written, before those who read it ----

def test_sshd_gives_the_line_the_broker_and_nothing_else(
        sshd, mosquitto, key, public_key, tmp_path):
    add(sshd.authorized_keys, "pump-7", public_key,
        "--broker", f"127.0.0.1:{mosquitto.port}")
    for host in ("127.0.0.1", "localhost", "[::1]"):
        answer, said = connack(sshd, key, f"{host}:{mosquitto.port}")
        # The broker listens on IPv4 alone; what counts is who refuses.
        if host == "[::1]":
            assert "prohibited" not in said and "refused" in said
        else:
            assert answer == CONNACK, said
    for target in (f"127.0.0.1:{sshd.port}", "127.0.0.2:1883",
                   f"localhost.:{mosquitto.port}"):
        answer, said = connack(sshd, key, target)
        assert answer == b"" and "administratively prohibited" in said
    session = ssh(sshd, key, input=b"id\n")
    assert session.stdout == b"This key carries MQTT only\n"
    terminal = ssh(sshd, key, "-tt", input=b"id\n")
    assert terminal.stdout == b""
    assert b"PTY allocation request failed" in terminal.stderr
    remote = ssh(sshd, key, "-N", "-o", "ExitOnForwardFailure=yes",
                 "-R", f"{peers.free_port()}:127.0.0.1:9")
    assert remote.returncode == 255
    assert b"remote port forwarding failed" in remote.stderr
    copied = subprocess.run(
        ["sftp", *options(key), "-P", str(sshd.port), "-b", "/dev/null",
         f"{sshd.user}@127.0.0.1"], capture_output=True, timeout=30)
    assert copied.returncode != 0
    command = ssh(sshd, key, command=["id"])
    assert command.stdout == b"This key carries MQTT only\n"


def test_sshd_refuses_the_line_a_unix_socket_of_the_server(
        sshd, mosquitto, key, public_key, tmp_path):
    add(sshd.authorized_keys, "pump-7", public_key,
        "--broker", f"127.0.0.1:{mosquitto.port}")
    local, remote = tmp_path / "local.sock", tmp_path / "remote.sock"
    with peers.socket.socket(peers.socket.AF_UNIX) as server, peers.Process(
            ssh_command(sshd, key, "-N", "-L", f"{local}:{remote}")) as tunnel:
        server.bind(str(remote))
        server.listen()
        wait_until(local.exists, "the tunnel listens")
        with peers.socket.socket(peers.socket.AF_UNIX) as client:
            client.connect(str(local))
            assert client.recv(1) == b""
        tunnel.wait_for_log("open failed")
        sshd.wait_for_log(f"connect to path {remote}, but the request was "
                          "denied")


def test_sshd_refuses_a_line_from_elsewhere_and_one_that_has_expired(
        sshd, key, public_key, tmp_path):
    add(sshd.authorized_keys, "pump-7", public_key, "--from", "192.0.2.0/24")
    assert b"Permission denied" in ssh(sshd, key).stderr
    sshd.authorized_keys.write_text("")
    add(sshd.authorized_keys, "pump-7", public_key,
        "--from", "127.0.0.0/8,192.0.2.1", "--expires", "20990101")
    assert b"MQTT only" in ssh(sshd, key).stdout
    line = sshd.authorized_keys.read_text()
    sshd.authorized_keys.write_text(line.replace("20990101", "20010101"))
    assert b"Permission denied" in ssh(sshd, key).stderr


def test_kayad_lets_the_key_in_under_its_name(kayad, key, public_key):
    owner = kayad.state.stat().st_uid
    reloads = kayad.log().count("event=reloaded")
    add(kayad.authorized_keys, "pump-7", public_key, "--role", "pumps")
    assert kayad.authorized_keys.stat().st_uid == owner
    wait_until(lambda: kayad.log().count("event=reloaded") > reloads,
               "the keys are read")
    answer, said = connack(kayad, key, "localhost:1883")
    assert answer == CONNACK, said
    kayad.wait_for_log("pump-7")


# ---- list ----

def test_a_list_for_people_names_line_identity_fingerprint_and_rights(
        folder, public_key, other_key):
    file = folder / "authorized_keys"
    add(file, "pump-7", public_key)
    with open(file, "a") as end:
        end.write("# the office\n" + other_key.replace("test", "me@desk") +
                  "\nrestrict,," + public_key + "\n")
    result = keys("list", file)
    assert result.returncode == 0
    head, first, second, third = result.stdout.splitlines()
    assert head.split() == ["LINE", "IDENTITY", "TYPE", "FINGERPRINT", "MAY",
                            "COMMENT"]
    assert re.match(r"  1 +pump-7 +ssh-ed25519 +SHA256:\S{43} +"
                    r"tunnel to 127.0.0.1:1883 +test$", first)
    assert re.match(r"  3 +key-[0-9a-f]{32} +ecdsa-sha2-nistp256 +SHA256:\S+ +"
                    r"tunnel anywhere, listen \(-R\), any command, terminal, "
                    r"agent, X11 +me@desk$", second)
    assert re.match(r"! 4 .*lets nobody in: ", third)
    assert "kaya keys lint" in result.stderr
    assert "\x1b" not in result.stdout


def test_a_list_for_programs_is_an_array_of_objects(
        folder, public_key, other_key):
    file = folder / "authorized_keys"
    add(file, "pump-7", public_key, "--role", "pumps", "--from", "10.0.0.*")
    with open(file, "ab") as end:
        end.write(b"restrict " + other_key.encode() + b" \xff\n")
        end.write(b"restrict," + other_key.encode() + b"\n")
    first, second, third = json.loads(keys("list", "--json", file).stdout)
    fingerprint = subprocess.run(
        ["ssh-keygen", "-lf", "-"], input=public_key, capture_output=True,
        text=True, check=True).stdout.split()[1]
    assert first["fingerprint"] == fingerprint
    assert (first["identity"], first["role"]) == ("pump-7", "pumps")
    assert first["from"] == "10.0.0.*" and first["faults"] == []
    assert first["permitopen"][0] == "127.0.0.1:1883"
    assert second["comment"] == "test \\xff" and not second["port_forwarding"]
    assert third["line"] == 3 and third["identity"] is None
    assert third["faults"]


def test_authorities_are_shown_as_such(folder, public_key):
    file = folder / "authorized_keys"
    file.write_text('cert-authority,restrict,port-forwarding,permitopen='
                    f'"127.0.0.1:1883",principals="a,b" {public_key}\n')
    shown = keys("list", file).stdout.splitlines()[1]
    assert re.search(r" 1 +\(certificates\) +ssh-ed25519 +SHA256:\S{43} +"
                     r"signs certificates of a,b, tunnel to 127.0.0.1:1883",
                     shown)
    row, = json.loads(keys("list", "--json", file).stdout)
    assert row["identity"] is None and row["cert_authority"] is True
    assert row["principals"] == "a,b"
    assert re.search(r":1: \(certificates\) \(SHA256:\S{43}\) may: signs "
                     r"certificates of a,b", keys("lint", file).stdout)


# ---- add ----

def test_adding_leaves_every_other_byte_as_it_was(folder, public_key):
    file = folder / "authorized_keys"
    before = b"# \xff\r\nno key at all\0\n\n  last, without an end"
    file.write_bytes(before)
    file.chmod(0o644)
    add(file, "pump-7", public_key)
    assert file.read_bytes().startswith(before + b"\nrestrict,port-forwarding")
    assert file.read_bytes().count(b"\n") == before.count(b"\n") + 2
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert os.listdir(folder) == ["authorized_keys"]


def test_a_file_that_is_missing_is_made_for_its_owner_alone(
        folder, public_key):
    add(folder / "authorized_keys", "pump-7", public_key)
    assert stat.S_IMODE((folder / "authorized_keys").stat().st_mode) == 0o600
    result = keys("add", folder / "no" / "keys", "--name", "a",
                  input=public_key)
    assert result.returncode == 1 and "mkdir" in result.stderr


def test_a_private_key_is_refused_and_not_repeated(folder, key):
    for text in (key.read_text(), "\n" + key.read_text()):
        result = keys("add", folder / "a", "--name", "a", input=text)
        assert result.returncode == 1
        assert "private key" in result.stderr and ".pub" in result.stderr
        for line in key.read_text().splitlines()[1:-1]:
            assert line[:20] not in result.stderr
    assert not (folder / "a").exists()


def test_a_key_or_a_name_that_is_there_already_is_refused(
        folder, public_key, other_key):
    file = folder / "authorized_keys"
    file.write_text("# mine\n")
    add(file, "pump-7", public_key)
    before = file.read_bytes()
    result = keys("add", file, "--name", "pump-8", input=public_key)
    assert result.returncode == 1
    assert f"{file}:2" in result.stderr and "already" in result.stderr
    result = keys("add", file, "--name", "pump-7", input=other_key)
    assert result.returncode == 1
    assert f"{file}:2" in result.stderr and "--also" in result.stderr
    assert file.read_bytes() == before
    add(file, "pump-7", other_key, "--also")
    assert file.read_bytes().startswith(before)


@pytest.mark.parametrize("words", [
    ["--name", "a b"], ["--name", "a" * 65], ["--name", ""],
    ["--name", 'x",command="y'], [],
    ["--name", "a", "--role", "b/c"],
    ["--name", "a", "--from", '*",command="id'],
    ["--name", "a", "--expires", '2099"'],
    ["--name", "a", "--broker", 'x",command="id:1'],
])
def test_words_that_are_none_are_refused_as_wrong_usage(
        folder, public_key, words):
    result = keys("add", folder / "a", *words, input=public_key)
    assert result.returncode == 2 and "remedy" in result.stderr
    assert not (folder / "a").exists()


@pytest.mark.parametrize("words,said", [
    (["--from", "10.0.0.1/8"], "prefix"), (["--from", "!10.0.0.1"], "nobody"),
    (["--from", "gate.example"], "name"), (["--expires", "20010101"], "expired"),
    (["--expires", "20991301"], ""),
])
def test_a_line_that_would_not_do_what_it_should_is_refused(
        folder, public_key, words, said):
    result = keys("add", folder / "a", "--name", "a", *words, input=public_key)
    assert result.returncode == 1 and said in result.stderr
    assert "remedy" in result.stderr and not (folder / "a").exists()


def test_a_file_that_others_may_write_is_refused_with_the_chmod(
        folder, public_key):
    file = folder / "authorized_keys"
    file.touch()
    file.chmod(0o664)
    result = keys("add", file, "--name", "a", input=public_key)
    assert result.returncode == 1
    remedy = re.search("remedy: (chmod .*)", result.stderr).group(1)
    subprocess.run(remedy.split(), check=True)
    add(file, "a", public_key)


def test_many_at_once_lose_no_line(folder, key):
    file = folder / "authorized_keys"
    fields = key.with_suffix(".pub").read_text().split()
    blob = bytearray(base64.b64decode(fields[1]))
    started = []
    for i in range(30):
        blob[-1] = i
        started.append(subprocess.Popen(
            [KAYA, "keys", "add", file, "--name", f"pump-{i}"],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE))
        started[-1].stdin.write(
            b"ssh-ed25519 " + base64.b64encode(blob) + b"\n")
        started[-1].stdin.close()
    for process in started:
        assert process.wait(60) == 0, process.stderr.read()
        process.stderr.close()
    names = [row["identity"]
             for row in json.loads(keys("list", "--json", file).stdout)]
    assert sorted(names) == sorted(f"pump-{i}" for i in range(30))


# What changes something on the way, and what stands between.
STEPS = ["openat", "flock", "write", "fchmod", "fsync", "renameat",
         "unlinkat", "close"]


def killed_at(call, number, *words, **options):
    """kaya keys, killed when it makes that call for the nth time."""
    return subprocess.run(
        [peers.find("strace"), "-f", "-qq", "-o", "/dev/null", "-e",
         f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}",
         KAYA, "keys", *words], capture_output=True, text=True, timeout=60,
        # Who is traced cannot look for leaks.
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}, **options)


@pytest.mark.parametrize("call", STEPS)
def test_a_death_at_any_step_leaves_the_old_file_or_the_new(
        folder, public_key, other_key, call):
    file = folder / "authorized_keys"
    add(file, "pump-7", public_key)
    old = file.read_bytes()
    for number in range(1, 300):
        done = killed_at(call, number, "add", file, "--name", "pump-8",
                         input=other_key)
        new = file.read_bytes()
        assert new == old or (new.startswith(old) and b"KAYA_ID=pump-8" in
                              new[len(old):] and new.endswith(b"\n"))
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        if new != old:
            assert keys("revoke", file, "pump-8").returncode == 0
            assert file.read_bytes() == old
    assert number > 1, f"nobody was killed at {call}"
    assert done.returncode == 0 and new != old
    # What the dead left beside it is gone.
    assert os.listdir(folder) == ["authorized_keys"]


def test_a_full_disk_leaves_the_old_file(folder, public_key, other_key):
    if os.geteuid() != 0 or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "kaya-test",
             folder]).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    try:
        file = folder / "authorized_keys"
        add(file, "pump-7", public_key)
        old = file.read_bytes()
        with open(folder / "filler", "wb", buffering=0) as filler:
            with contextlib.suppress(OSError):
                while True:
                    filler.write(bytes(512))
        full = keys("add", file, "--name", "pump-8", input=other_key)
        assert full.returncode == 1 and "No space left" in full.stderr
        assert file.read_bytes() == old
        assert sorted(os.listdir(folder)) == ["authorized_keys", "filler"]
        (folder / "filler").unlink()
        add(file, "pump-8", other_key)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_folder_has_a_file_for_each_identity(
        folder, public_key, other_key):
    add(folder, "pump-7", public_key)
    add(folder, "pump-8", other_key)
    assert sorted(os.listdir(folder)) == ["pump-7", "pump-8"]
    result = keys("add", folder, "--name", "pump-9", input=public_key)
    assert result.returncode == 1 and "pump-7:1" in result.stderr
    for name in ("..", ".pump"):
        result = keys("add", folder, "--name", name, input=make_key(
            folder.parent / f"key{name}"))
        assert result.returncode == 2 and "dot" in result.stderr
    rows = json.loads(keys("list", "--json", folder).stdout)
    assert [row["file"] for row in rows] == [
        str(folder / "pump-7"), str(folder / "pump-8")]
    assert keys("revoke", folder, "pump-7").returncode == 0
    assert (folder / "pump-7").read_text() == ""
    assert "pump-8" in (folder / "pump-8").read_text()


# ---- revoke ----

def test_what_is_revoked_is_taken_out_and_told(folder, public_key, other_key):
    file = folder / "authorized_keys"
    file.write_text("# mine\n")
    add(file, "pump-7", public_key)
    add(file, "pump-8", other_key)
    add(file, "pump-7", make_key(folder / "third"), "--also")
    keep = "".join(line for line in file.read_text().splitlines(True)
                   if "pump-7" not in line)
    result = keys("revoke", file, "pump-7")
    assert result.returncode == 0
    assert file.read_text() == keep
    assert re.findall(r":(\d): took out pump-7, ssh-ed25519 SHA256:\S{43}\n",
                      result.stdout) == ["2", "4"]
    fingerprint = json.loads(
        keys("list", "--json", file).stdout)[0]["fingerprint"]
    assert keys("revoke", file, fingerprint).returncode == 0
    assert file.read_text() == "# mine\n"


def test_nobody_of_that_name_ends_in_the_nearest_name(folder, public_key):
    file = folder / "authorized_keys"
    add(file, "pump-7", public_key)
    before = (file.stat().st_ino, file.stat().st_mtime_ns)
    result = keys("revoke", file, "pum-7")
    assert result.returncode == 1 and "pump-7" in result.stderr
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == before
    assert keys("revoke", folder / "none", "pump-7").returncode == 1
    assert not (folder / "none").exists()


def test_kayad_ends_the_session_of_a_key_that_is_revoked(
        kayad, key, public_key):
    reloads = kayad.log().count("event=reloaded")
    add(kayad.authorized_keys, "pump-7", public_key)
    wait_until(lambda: kayad.log().count("event=reloaded") > reloads,
               "the keys are read")
    with subprocess.Popen(
            ssh_command(kayad, key, "-W", "localhost:1883"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL) as process:
        process.stdin.write(CONNECT)
        process.stdin.flush()
        assert process.stdout.read(len(CONNACK)) == CONNACK
        assert keys("revoke", kayad.authorized_keys,
                    "pump-7").returncode == 0
        process.wait(10)
    kayad.wait_for_log("identity=pump-7.*the key is not let in any more")
    answer, said = connack(kayad, key, "localhost:1883")
    assert answer == b"" and "Permission denied" in said


# ---- lint ----

def test_a_file_without_a_fault_is_told_in_a_word(folder, public_key):
    file = folder / "authorized_keys"
    add(file, "pump-7", public_key)
    result = keys("lint", file)
    assert result.returncode == 0
    assert result.stdout.splitlines()[-1] == f"{file}: 1 key, no fault"
    result = keys("lint", "-", input=file.read_text())
    assert result.returncode == 0 and result.stderr == ""
    rights, summary = result.stdout.splitlines()
    assert summary == "(standard input): 1 key, no fault"
    assert rights.startswith("(standard input):1: pump-7 (SHA256:")


def test_of_each_line_it_is_told_who_may_what_from_where(
        folder, public_key, other_key):
    good = keys("lint", "-", input=(
        f"restrict,port-forwarding,permitopen=\"127.0.0.1:1883\","
        f"permitopen=\"localhost:1883\",permitopen=\"[::1]:1883\","
        f"permitlisten=\"localhost:1\",command=\"x\",from=\"10.0.0.0/8\","
        f"environment=\"KAYA_ID=pump-7\" {public_key}\n# nobody\n"
        f"{other_key}\n"))
    rows = [re.fullmatch(r"\(standard input\):(\d): (\S+) \(SHA256:\S+\) "
                         r"may: (.*); from (.*)", row)
            for row in good.stdout.splitlines()]
    one, other = [row.groups() for row in rows if row]
    assert one == ("1", "pump-7", "tunnel to 127.0.0.1:1883", "10.0.0.0/8")
    assert other[0] == "3" and "any command" in other[2] and other[3] == "anywhere"


def test_a_fault_is_told_with_place_cause_remedy_and_the_line_meant(
        folder, public_key):
    file = folder / "authorized_keys"
    options = 'restrict,permitopen="127.0.0.1:1883"'
    file.write_text(f"# mine\n{options},{public_key}\n")
    result = keys("lint", file)
    assert result.returncode == 1
    place, *rest = [line for line in result.stdout.splitlines()
                    if not line.startswith(f"{file}: note:")][-4:]
    assert place.startswith(f"{file}:2:{len(options) + 1}: void: ")
    assert place.endswith("[comma-before-key]")
    assert rest[0] == "  sshd:   passes over the line without a word"
    assert rest[1].startswith("  remedy: ")
    assert rest[2] == f"  meant:  {options} {public_key}"
    assert "--fix" in result.stderr and "\x1b" not in result.stdout


def test_the_command_for_the_file_beside_it_can_be_typed(folder, public_key):
    file = folder / "the device's keys"
    file.write_text(f"restrict,{public_key}\n")
    assert "! 1 of them has a fault: kaya keys lint '" in \
        keys("list", file).stderr
    told = keys("lint", file).stderr
    command = re.search(r"beside it: kaya (keys lint --fix .*)", told).group(1)
    subprocess.run(f"{KAYA} {command}", shell=True, capture_output=True)
    assert (folder / "the device's keys.fixed").read_text().endswith(
        f" {public_key}\n")


def test_where_nothing_mends_itself_that_is_told(folder, public_key):
    file = folder / "authorized_keys"
    file.write_text(f"restrict,nonsense {public_key}\n")
    result = keys("lint", "--fix", file)
    assert result.returncode == 1
    assert "no file was written" in result.stderr
    assert os.listdir(folder) == ["authorized_keys"]


def test_what_stands_in_two_files_of_a_folder_is_told(
        folder, public_key, other_key):
    add(folder, "pump-7", public_key)
    line = (folder / "pump-7").read_text()
    (folder / "pump-8").write_text(line.replace(public_key, other_key))
    (folder / "pump-9").write_text(line.replace("pump-7", "pump-9"))
    result = keys("lint", "--json", folder)
    assert result.returncode == 1
    faults = {fault["code"]: fault for fault in json.loads(result.stdout)
              if fault["line"]}
    assert faults["identity-twice"]["file"] == str(folder / "pump-8")
    assert faults["key-twice"]["file"] == str(folder / "pump-9")
    assert f"{folder}/pump-7:1" in faults["key-twice"]["cause"]


def test_a_fault_is_an_object_for_programs(folder, public_key):
    file = folder / "authorized_keys"
    file.write_text(f"restrict,{public_key}\n")
    result = keys("lint", "--json", file)
    assert result.returncode == 1
    fault, = [row for row in json.loads(result.stdout)
              if row["line"] is not None]
    assert (fault["line"], fault["column"]) == (1, 9)
    assert fault["severity"] == "void" and fault["code"] == "comma-before-key"
    assert fault["meant"] == f"restrict {public_key}"
    assert fault["cause"] and fault["remedy"]
    good = keys("lint", "--json", "-", input=f"restrict {public_key}\n")
    assert good.returncode == 0 and json.loads(good.stdout) == []


def test_a_terminal_gets_a_caret_and_colours(folder, public_key):
    file = folder / "authorized_keys"
    file.write_text(f"restrict,{public_key}\n")
    for extra, is_coloured in (
            ({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False),
            ({"TERM": "xterm", "NO_COLOR": "1"}, False)):
        ours, theirs = os.openpty()
        with subprocess.Popen(
                [KAYA, "keys", "lint", file], stdout=theirs,
                stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                env={**os.environ, **extra}) as process:
            os.close(theirs)
            said = b""
            try:
                while data := os.read(ours, 4096):
                    said += data
            except OSError:
                pass
            os.close(ours)
        assert process.returncode == 1
        assert (b"\x1b[31mvoid" in said) == is_coloured
        plain = re.sub(rb"\x1b\[\d+m", b"", said).decode().splitlines()
        meant, caret = plain[-2:]
        assert meant.startswith("  meant:  restrict ssh-ed25519 AAAA")
        assert len(meant) < 80 and meant.endswith("...")
        assert caret.index("^") == meant.index(" ssh-ed25519")


def test_sshd_refuses_the_modes_that_lint_names_and_takes_its_remedy(
        key, public_key, tmp_path):
    # Below /tmp, where everybody may write, sshd trusts no file.
    with tempfile.TemporaryDirectory(dir=pathlib.Path.home()) as name:
        folder = pathlib.Path(name)
        file = folder / "authorized_keys"
        add(file, "pump-7", public_key)
        with strict_sshd(tmp_path, file) as server:
            assert b"MQTT only" in ssh(server, key).stdout
            assert keys("lint", file).returncode == 0
            for path, mode in ((file, 0o602), (folder, 0o702)):
                path.chmod(mode)
                assert b"Permission denied" in ssh(server, key).stderr
                result = keys("lint", file)
                assert result.returncode == 1
                assert "[others-may-write]" in result.stdout
                remedy = re.search("remedy: (chmod .*)", result.stdout)
                subprocess.run(remedy.group(1).split(), check=True)
                assert b"MQTT only" in ssh(server, key).stdout


def test_a_fix_is_written_beside_and_lets_the_key_in(
        sshd, mosquitto, key, public_key, tmp_path):
    file = sshd.authorized_keys
    before = (f'permitopen="127.0.0.1:{mosquitto.port}", no-ptty,{public_key}'
              "\r\n# mine")
    file.write_bytes(before.encode())
    assert b"Permission denied" in ssh(sshd, key).stderr
    result = subprocess.run([KAYA, "keys", "lint", "--fix", file],
                            stdin=subprocess.DEVNULL, capture_output=True)
    assert result.returncode == 1
    fixed = file.with_name("authorized_keys.fixed")
    assert file.read_bytes() == before.encode()
    assert fixed.stat().st_mode == file.stat().st_mode
    difference = result.stdout[result.stdout.index(b"\n--- ") + 1:]
    theirs = subprocess.run(["diff", "-u", file, fixed], capture_output=True)
    assert difference.splitlines()[2:] == theirs.stdout.splitlines()[2:]
    assert keys("lint", fixed).returncode == 0
    fixed.rename(file)
    answer, said = connack(sshd, key, f"localhost:{mosquitto.port}")
    assert answer == CONNACK, said


def test_a_fix_in_a_folder_is_no_file_of_keys(folder, public_key):
    (folder / "pump-7").write_text(f"restrict,{public_key}\n")
    assert keys("lint", "--fix", folder).returncode == 1
    assert sorted(os.listdir(folder)) == ["pump-7", "pump-7.fixed~"]
    assert len(json.loads(keys("list", "--json", folder).stdout)) == 1


def test_a_private_key_in_the_file_is_told_and_not_repeated(
        folder, key, other_key):
    file = folder / "authorized_keys"
    file.write_text(f"restrict,{other_key}\n{key.read_text()}")
    for words in (["lint"], ["lint", "--fix"], ["lint", "--json"], ["list"],
                  ["list", "--json"]):
        result = keys(*words, file)
        assert "private" in result.stdout
        for line in key.read_text().splitlines()[1:-1]:
            assert line[:20] not in result.stdout + result.stderr
