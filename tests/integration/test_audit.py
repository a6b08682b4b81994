"""kaya audit verify, on logs that a real kayad wrote, and was killed at."""

import contextlib
import json
import os
import random
import signal
import subprocess

import paramiko
import pytest

import auditlog
import peers
from disks import fill, small_disk  # noqa: F401
from mqttclients import Gateway
from peers import KAYA, make_key, wait_until


def verify(*words):
    return subprocess.run([KAYA, "audit", "verify", *map(str, words)],
                          capture_output=True, text=True, timeout=60)


@pytest.fixture
def log(kayad):
    """The log of a gateway that has ended."""
    kayad.terminate()
    assert kayad.wait() == 0
    return kayad.state / "audit.log"


def test_a_log_as_it_was_written(log):
    done = verify(log)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("whole: 4 lines in 1 file, from 20")
    auditlog.check_chain(log)
    assert [line["event"] for line in auditlog.lines(log)] == [
        "log-begins", "start", "policy", "stop"]


def test_json(log):
    done = verify("--json", log)
    found = json.loads(done.stdout)
    assert found["whole"] is True and found["lines"] == 4
    assert found["head"]["hash"] == auditlog.lines(log)[-1]["hash"]
    assert found["head_compared"] is True


def test_a_shell_says_the_same_of_a_line(log):
    shell = ("sed -n '2s/,\"hash\":.*$//p' \"$1\" | tr -d '\\n' | sha256sum")
    done = subprocess.run(["sh", "-c", shell, "sh", log], text=True,
                          capture_output=True, check=True)
    assert done.stdout.split()[0] == auditlog.lines(log)[1]["hash"]


@pytest.mark.parametrize("harm,line,word", [
    (lambda lines: lines[:1] + [lines[1].replace("kayad", "kayed")] +
     lines[2:], 2, "altered"),
    (lambda lines: lines[:2] + lines[3:], 3, "removed"),
    (lambda lines: [lines[0], lines[2], lines[1], lines[3]], 2, "reordered"),
    (lambda lines: lines[:3] + lines[2:], 4, "reordered"),
    (lambda lines: lines[:3], 4, "cut"),
    (lambda lines: [], 1, "cut"),
    (lambda lines: lines[:3] + [lines[3][:60]], 4, "cut"),
])
def test_what_was_done_to_it_is_named(log, harm, line, word):
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(harm(lines)))
    done = verify(log)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{log}:{line}: {word}: ")
    found = json.loads(verify("--json", log).stdout)
    assert (found["whole"], found["finding"], found["line"]) == (
        False, word, line)


def test_without_its_head_a_cut_is_seen_by_one_noted_elsewhere(log):
    head = auditlog.lines(log)[-1]["hash"]
    log.with_name("audit.log.head").unlink()
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[:3]))
    done = verify(log)
    assert done.returncode == 0
    assert "a cut at the end would not be seen" in done.stdout
    done = verify("--head", head, log)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{log}:4: cut: ")
    assert verify("--head", json.loads(lines[1])["hash"], log).returncode == 0


def test_the_head_in_kayads_log_is_that_of_the_file(kayad, log):
    head = kayad.wait_for_log(r"event=audit-head .*seq=4 hash=(\w+)").group(1)
    assert verify("--head", head, log).returncode == 0


@pytest.mark.parametrize("words,status,text", [
    ([], 2, "name an audit log"),
    (["--head", "12", "x"], 2, "64 digits"),
    (["/nowhere/audit.log"], 1, "cannot read /nowhere/audit.log"),
    (["/"], 1, "cannot read /"),
])
def test_a_wrong_use_is_told(words, status, text):
    done = verify(*words)
    assert done.returncode == status
    assert text in done.stderr


def test_two_logs_are_not_taken_for_one(log, tmp_path):
    other = tmp_path / "other.log"
    other.write_bytes(log.read_bytes())
    done = verify(log, other)
    assert done.returncode == 2
    assert "are two logs" in done.stderr


# ---- what kayad writes ----

def ssh(kayad, key, *words):
    return ["ssh", "-F", "none", "-i", key, "-p", str(kayad.port),
            "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
            "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes",
            *words]


@contextlib.contextmanager
def refusals(kayad, key):
    """A function that has a channel refused, which is a line each time."""
    with contextlib.closing(
            paramiko.Transport(("127.0.0.1", kayad.port))) as transport:
        transport.connect(username="any", pkey=paramiko.Ed25519Key(
            filename=str(key)))

        def refuse():
            with pytest.raises(paramiko.ChannelException):
                transport.open_channel("direct-tcpip", ("10.0.0.1", 22),
                                       ("127.0.0.1", 1))
        yield refuse


POLICY = """\
roles:
  - name: sensor
    publish: ["sensors/%i/#"]
identities:
  - {names: pump-7, roles: sensor}
"""


@pytest.fixture
def gateway(tmp_path):
    with contextlib.ExitStack() as stack:
        yield Gateway(tmp_path, stack, POLICY)


def wait_for(path, kind, count=1):
    wait_until(lambda: len(auditlog.events(path, kind)) >= count,
               f"{kind} is in the audit log")
    return auditlog.events(path, kind)


def test_who_is_let_in_and_who_is_not(gateway, tmp_path):
    log = gateway.kayad.state / "audit.log"
    gateway.port("pump-7")
    entered, = wait_for(log, "connect")
    assert entered["identity"] == "pump-7"
    assert entered["from"] == "127.0.0.1" and entered["port"] > 0
    assert entered["key"].startswith("SHA256:")
    assert entered["client"].startswith("SSH-2.0-")
    stranger = tmp_path / "stranger"
    make_key(stranger)
    subprocess.run(
        ssh(gateway.kayad, stranger, "who@127.0.0.1"), capture_output=True, timeout=60)
    refused = wait_for(log, "refuse")[0]
    assert refused["why"] == "no line has this key"
    assert refused["offered"].startswith("SHA256:")
    assert refused["user"] == "who" and "identity" not in refused
    auditlog.check_chain(log)


def test_what_an_identity_may_not_do(gateway):
    log = gateway.kayad.state / "audit.log"
    pump = gateway.client("pump-7")
    pump.publish("sensors/pump-9/load", qos=1)
    refused, = wait_for(log, "refuse-access")
    assert (refused["identity"], refused["action"], refused["topic"]) == (
        "pump-7", "publish", "sensors/pump-9/load")
    assert refused["why"] == "no rule permits it"
    gateway.client("pump-7", client_id="pump-7-b")
    other = gateway.folder / "key-pump-9"
    gateway.kayad.admit(make_key(other), "pump-9")
    gateway.client("pump-7", client_id="pump-9", must_connect=False)
    refused = wait_for(log, "refuse-access", 2)[1]
    assert (refused["action"], refused["client_id"]) == ("connect", "pump-9")


def test_a_target_that_a_line_does_not_name(gateway):
    log = gateway.kayad.state / "audit.log"
    key = gateway.folder / "tight"
    gateway.kayad.admit(make_key(key), "tight",
                        'restrict,port-forwarding,permitopen="[::1]:1884"')
    subprocess.run(
        ssh(gateway.kayad, key, "-W", "10.0.0.1:22", "any@127.0.0.1"),
        capture_output=True, timeout=60)
    refused, = wait_for(log, "refuse-channel")
    assert (refused["identity"], refused["target"]) == ("tight",
                                                        "10.0.0.1:22")


def test_a_quiet_log_does_not_make_the_audit_quiet(tmp_path):
    with contextlib.ExitStack() as stack:
        gateway = Gateway(tmp_path, stack, POLICY, "log: {level: error}")
        key = tmp_path / "key"
        make_key(key)
        subprocess.run(
            ssh(gateway.kayad, key, "who@127.0.0.1"), capture_output=True, timeout=60)
        wait_for(gateway.kayad.state / "audit.log", "refuse")
        assert not gateway.kayad.logged("no line has this key")


def test_another_policy_is_in_the_log_before_it_is_in_force(gateway):
    log = gateway.kayad.state / "audit.log"
    first, = auditlog.events(log, "policy")
    gateway.change_policy(POLICY.replace("sensors", "other"))
    changed, = wait_for(log, "policy-change")
    assert changed["policy"] == str(gateway.policy)
    assert changed["policy_sha256"] != first["policy_sha256"]
    gateway.change_policy(POLICY + "nonsense: [\n")
    refused, = wait_for(log, "policy-refused")
    assert refused["policy_sha256"] != changed["policy_sha256"]
    # Read again, the one in force is no change.
    gateway.change_policy(POLICY.replace("sensors", "other"))
    gateway.kayad.terminate()
    gateway.kayad.wait()
    assert len(auditlog.events(log, "policy-change")) == 1


# ---- rotation ----

@pytest.mark.kayad(config="audit: {max_size: 64KiB, keep: 2}\n")
def test_files_set_aside_are_one_chain_with_what_goes_on(kayad, tmp_path):
    log = kayad.state / "audit.log"
    key = tmp_path / "key"
    kayad.admit(make_key(key), "pump-7")
    with refusals(kayad, key) as refuse:
        while not list(kayad.state.glob("audit.log.0*")):
            refuse()
    kayad.stop()
    # What was still on its way may have filled a second one.
    files = [*sorted(kayad.state.glob("audit.log.0*")), log]
    first, second, *_ = files
    assert first.name == "audit.log.000000000001"
    auditlog.check_chain(*files)
    done = verify(log)
    assert done.returncode == 0, done.stdout
    assert f"in {len(files)} files" in done.stdout, done.stdout
    assert auditlog.lines(second)[0]["from"] == first.name
    # Cut the end of the old one: the new one tells.
    lines = first.read_text().splitlines(keepends=True)
    first.write_text("".join(lines[:-1]))
    done = verify(log)
    assert done.returncode == 1
    assert f"{second}:1: removed" in done.stdout


def test_a_file_that_logrotate_moves_away_is_followed(kayad):
    log = kayad.state / "audit.log"
    moved = kayad.state / "audit.log.1"
    log.rename(moved)
    kayad.signal(signal.SIGHUP)
    wait_until(log.exists, "a new file is begun")
    auditlog.check_chain(moved, log)
    first = auditlog.lines(log)[0]
    assert (first["why"], first["from"]) == ("moved", "audit.log.1")
    assert verify(log).returncode == 0


# ---- kill -9 ----

def test_kill_9_again_and_again_loses_nothing_that_was_decided(tmp_path):
    """Whatever stands in the log when it dies stands there for ever."""
    key = tmp_path / "key"
    public = make_key(key)
    rng = random.Random(7)
    log = tmp_path / "state" / "audit.log"
    before = b""
    for _ in range(12):
        kayad = peers.Kayad(tmp_path)
        with kayad:
            if not before:
                kayad.admit(public, "pump-7")
            clients = [subprocess.Popen(
                ssh(kayad, key, "-N", "any@127.0.0.1"),
                stderr=subprocess.DEVNULL) for _ in range(3)]
            wanted = rng.randrange(1, 4)
            old = before.count(b'"event":"connect"')
            wait_until(lambda: log.read_bytes().count(b'"event":"connect"') >=
                       old + wanted, "some are let in")
            kayad.signal(signal.SIGKILL)
            kayad.process.wait()
            for client in clients:
                client.kill()
                client.wait()
        now = log.read_bytes()
        assert now.startswith(before)
        # The child, which dies a moment later, writes nothing here.
        before = now if now.endswith(b"\n") else now[:now.rindex(b"\n") + 1]
    with peers.Kayad(tmp_path):
        pass
    assert verify(log).returncode == 0
    auditlog.check_chain(log)
    assert len(auditlog.events(log, "start")) == 13


# ---- a full disk ----

def test_a_full_disk_refuses_another_policy_and_goes_on_by_itself(
        tmp_path, small_disk):
    with contextlib.ExitStack() as stack:
        gateway = Gateway(tmp_path, stack, POLICY,
                          f"audit: {{file: {small_disk}/audit.log}}")
        log = small_disk / "audit.log"
        kayad = gateway.kayad
        pump = gateway.client("pump-7")
        filler = fill(small_disk)
        tight = POLICY.replace("sensors", "other")
        gateway.policy.with_suffix(".new~").write_text(tight)
        gateway.policy.with_suffix(".new~").chmod(0o644)
        # Until the rest of the last page is full, lines go in.
        with refusals(kayad, tmp_path / "key-pump-7") as refuse:
            while not kayad.logged("event=audit-unwritable"):
                refuse()
        gateway.policy.with_suffix(".new~").rename(gateway.policy)
        kayad.wait_for_log("event=reload-refused.*the policy is not changed")
        # Those who are let in are still served.
        pump.publish("sensors/pump-7/load")
        filler.unlink()
        kayad.wait_for_log("event=audit-resumed")
        resumed, = wait_for(log, "log-resumed")
        # A channel and a policy.
        assert resumed["lost"] >= 2
        assert "No space left" in resumed["cause"]
        kayad.signal(signal.SIGHUP)
        wait_for(log, "policy-change")
        assert verify(log).returncode == 0
