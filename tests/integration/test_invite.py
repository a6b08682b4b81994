"""kaya invite: a code lets one new key in, once."""

import base64
import concurrent.futures
import fcntl
import hashlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import peers
from devices import Kaya, home, run  # noqa: F401
from peers import free_port, make_key, wait_until

OPTIONS = ["-o", "StrictHostKeyChecking=no", "-o", "IdentitiesOnly=yes",
           "-o", "GlobalKnownHostsFile=/dev/null"]
CODE = re.compile(r"^([0-9a-hjkmnp-tv-z]{6}-){7}[0-9a-hjkmnp-tv-z]{6}\n$")
NO_ENTRY = ("this code lets nobody in: it is wrong, used already, or has "
            "expired")


CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def make_code(body):
    """Of a secret and a part of a host key."""
    body += hashlib.sha256(body).digest()[:2]
    text = base64.b32encode(body).decode().translate(
        str.maketrans(BASE32, CROCKFORD))
    return "-".join(text[i:i + 6] for i in range(0, 48, 6))


def read_code(code):
    return base64.b32decode(code.replace("-", "").translate(
        str.maketrans(CROCKFORD, BASE32)))


def secret_of(code):
    return read_code(code)[:16]


def ask_gateway(gateway, *words):
    return run("invite", "--state", gateway.state, *words)


def invite(gateway, name, *words):
    done = ask_gateway(gateway, *words, name)
    assert done.returncode == 0, done.stderr
    assert CODE.match(done.stdout)
    return done.stdout.strip()


def enroll(gateway, state, code, *words):
    return run("enroll", "--ssh-config", "none", "--state", state, "--code",
               code, *words, f"127.0.0.1:{gateway.port}")


def fingerprint(key):
    return subprocess.run(
        ["ssh-keygen", "-l", "-f", key], capture_output=True, text=True,
        check=True).stdout.split()[1]


def key_lines(gateway):
    return [line for line in
            gateway.authorized_keys.read_text().splitlines() if line]


def invitations(gateway):
    done = ask_gateway(gateway, "--list", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Typist:
    """What types codes where ssh asks for one, each in its turn.

    A slow one waits for its word, `go`.
    """

    def __init__(self, folder, *codes, slow=False):
        folder.mkdir(exist_ok=True)
        for name in os.listdir(folder):
            (folder / name).unlink()
        self.gate = folder / "gate"
        os.mkfifo(self.gate)
        for number, code in enumerate(codes):
            (folder / f"code-{number}").write_text(code + "\n")
        self.asked = folder / "asked"
        self.program = folder / "askpass"
        self.program.write_text(
            f"#!/bin/sh\nprintf '%s\\n' \"$1\" >>{self.asked}\n"
            f"{f'read go <{self.gate}' if slow else ''}\n"
            f"for code in {folder}/code-*; do\n"
            "[ -e \"$code\" ] || exit 1\n"
            "cat \"$code\"; rm \"$code\"; exit 0\ndone\n")
        self.program.chmod(0o755)
        self.env = dict(os.environ, SSH_ASKPASS=str(self.program),
                        SSH_ASKPASS_REQUIRE="force")

    def wait_until_asked(self):
        wait_until(self.asked.exists, "the code is asked for")

    def go(self):
        with open(self.gate, "w") as gate:
            gate.write("go\n")


def stock(gateway, key, typist, *words, user="enroll"):
    return subprocess.run(
        ["ssh", "-F", "none", "-p", str(gateway.port), "-T", *OPTIONS, "-o",
         f"UserKnownHostsFile={key}.hosts", "-i", key, *words,
         f"{user}@127.0.0.1"],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60,
        env=typist.env)


def is_let_in(gateway, key):
    """Whether a tunnel of a stock ssh comes up with this key."""
    done = subprocess.run(
        ["ssh", "-F", "none", "-p", str(gateway.port), *OPTIONS, "-o",
         f"UserKnownHostsFile={key}.hosts", "-o", "BatchMode=yes", "-i", key,
         "-W", "127.0.0.1:1883", "x@127.0.0.1"],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    return done.returncode == 0


# ---- at the gateway ----

def test_the_code_alone_is_on_standard_output(kayad, home):
    done = ask_gateway(kayad, "pump-7")
    assert done.returncode == 0
    assert CODE.match(done.stdout)
    code = done.stdout.strip()
    assert f":{kayad.port} --code {code}\n" in done.stderr
    assert re.search(rf"ssh -p {kayad.port} -o IdentitiesOnly=yes -i KEY "
                     r"enroll@\S+\n", done.stderr)
    assert kayad.fingerprint in done.stderr


def test_the_answer_as_json(kayad, home):
    before = time.time()
    done = ask_gateway(kayad, "--json", "--for", "2h", "--role", "member",
                       "pump-7")
    answer = json.loads(done.stdout)
    assert CODE.match(answer["code"] + "\n")
    assert answer["name"] == "pump-7" and answer["role"] == "member"
    assert answer["port"] == kayad.port
    assert answer["host_key"] == kayad.fingerprint
    assert before + 7199 <= answer["until"] <= time.time() + 7201


def test_the_code_knows_the_gateway_and_the_file_knows_its_hash_alone(
        kayad, home):
    code = invite(kayad, "pump-7")
    body = read_code(code)
    host = base64.b64decode(kayad.fingerprint.split(":")[1] + "=")
    assert body[16:28] == host[:12]
    path = kayad.state / "invitations"
    assert path.stat().st_mode & 0o777 == 0o600
    state, name, role, until, keys, digest = path.read_text().split()
    assert (state, name, role, keys) == ("open", "pump-7", "-", "one")
    assert digest == hashlib.sha256(body[:16]).hexdigest()


def test_those_invited_are_listed_and_cancelled(kayad, home, tmp_path):
    code = invite(kayad, "pump-7", "--role", "member")
    invite(kayad, "pump-8")
    assert [(each["name"], each["role"], each["state"])
            for each in invitations(kayad)] == [
        ("pump-7", "member", "open"), ("pump-8", None, "open")]
    assert "pump-7 " in ask_gateway(kayad, "--list").stdout
    done = ask_gateway(kayad, "--cancel", "pump-7")
    assert done.returncode == 0 and done.stdout == ""
    assert [each["state"] for each in invitations(kayad)] == [
        "cancelled", "open"]
    done = enroll(kayad, tmp_path / "device", code)
    assert done.returncode == 4
    kayad.wait_for_log("event=enroll-refused .*the code was cancelled")
    done = ask_gateway(kayad, "--cancel", "pump-7")
    assert done.returncode == 1
    assert "no invitation of pump-7 is open" in done.stderr


def test_a_new_code_takes_the_place_of_the_one_before(kayad, home, tmp_path):
    old = invite(kayad, "pump-7")
    done = ask_gateway(kayad, "pump-7")
    assert "the code before it is cancelled" in done.stderr
    assert enroll(kayad, tmp_path / "device", old).returncode == 4
    assert enroll(kayad, tmp_path / "device",
                  done.stdout.strip()).returncode == 0


def test_a_name_that_a_key_has_is_told_at_once(kayad, home, key):
    kayad.admit(pathlib.Path(f"{key}.pub").read_text(), "pump-7")
    done = ask_gateway(kayad, "pump-7")
    assert done.returncode == 1
    assert "a key goes by the name pump-7 already" in done.stderr
    assert "kaya keys revoke" in done.stderr and "--also" in done.stderr
    invite(kayad, "pump-7", "--also")


@pytest.mark.parametrize("words,cause", [
    ([], "name the one who is invited"),
    (["a b"], "is no name"),
    (["a\nb"], "is no name"),
    (["--role", "no role", "pump"], "is no name"),
    (["--for", "1", "pump"], "is no time"),
    (["--for", "31d", "pump"], "is no time"),
    (["--for", "0s", "pump"], "is no time"),
    (["--for", "18446744073709551615d", "pump"], "is no time"),
    (["--list", "--cancel", "pump"], "two things"),
    (["--list", "pump"], "unexpected word"),
])
def test_wrong_words_are_2(tmp_path, home, words, cause):
    done = run("invite", "--state", tmp_path, *words)
    assert done.returncode == 2
    assert cause in done.stderr


def test_a_role_that_the_policy_has_not_is_told(kayad):
    done = ask_gateway(kayad, "--role", "membr", "pump-7")
    assert done.returncode == 1
    assert 'policy.yaml has no role "membr"' in done.stderr
    assert json.loads(ask_gateway(kayad, "--list", "--json").stdout) == []


def test_without_a_kayad_it_is_3(tmp_path, home):
    done = run("invite", "--state", tmp_path, "pump-7")
    assert done.returncode == 3
    assert "no kayad answers" in done.stderr and done.stdout == ""


# ---- kaya enroll ----

def test_kaya_enrolls_and_the_tunnel_needs_nothing_more(
        kayad, home, tmp_path):
    code = invite(kayad, "pump-7", "--role", "member")
    device = tmp_path / "device"
    done = enroll(kayad, device, code)
    assert done.returncode == 0, done.stdout + done.stderr
    line, = key_lines(kayad)
    assert line.startswith(
        'restrict,port-forwarding,permitopen="127.0.0.1:1883",'
        'permitopen="localhost:1883",permitopen="[::1]:1883",'
        'permitlisten="localhost:1",')
    assert 'environment="KAYA_ID=pump-7",environment="KAYA_ROLE=member" ' \
        "ssh-ed25519 " in line
    assert run("keys", "lint", kayad.authorized_keys).returncode == 0
    port = free_port()
    with Kaya("tunnel", "--ssh-config", "none", "--state", device, "-L",
              f"127.0.0.1:{port}", "127.0.0.1") as tunnel:
        tunnel.wait_for_log(r"event=up")
        subprocess.run(["mosquitto_pub", "-p", str(port), "-t", "t", "-m",
                        "hello", "-q", "1", "-r"], check=True, timeout=30)
        got = subprocess.run(
            ["mosquitto_sub", "-p", str(port), "-t", "t", "-C", "1"],
            capture_output=True, text=True, check=True, timeout=30)
        assert got.stdout == "hello\n"
    kayad.wait_for_log(r"event=enrolled from=127\.0\.0\.1 identity=pump-7")


def test_a_code_works_once(kayad, home, tmp_path):
    code = invite(kayad, "pump-7")
    assert enroll(kayad, tmp_path / "one", code).returncode == 0
    done = enroll(kayad, tmp_path / "two", code)
    assert done.returncode == 4
    assert NO_ENTRY in done.stderr
    assert len(key_lines(kayad)) == 1
    kayad.wait_for_log("event=enroll-refused .*the code has been used")


def test_a_code_expires(kayad, home, tmp_path):
    code = invite(kayad, "pump-7", "--for", "1s")
    until = invitations(kayad)[0]["until"]
    wait_until(lambda: time.time() >= until, "the code has expired")
    done = enroll(kayad, tmp_path / "device", code)
    assert done.returncode == 4
    assert NO_ENTRY in done.stderr
    assert key_lines(kayad) == []
    kayad.wait_for_log("event=enroll-refused .*the code has expired")
    assert invitations(kayad)[0]["state"] == "expired"


# ---- a stock ssh ----

def test_a_stock_ssh_asks_for_the_code_and_shows_the_key(
        kayad, home, key, tmp_path):
    code = invite(kayad, "pump-7")
    typist = Typist(tmp_path / "typist", code)
    done = stock(kayad, key, typist)
    assert done.returncode == 255
    print_ = fingerprint(key)
    assert f"The key {print_} is about to be let in." in done.stderr
    assert f"kaya: enrolled as pump-7 ({print_})\n" in done.stderr
    assert "Permission denied" not in done.stderr
    assert typist.asked.read_text().count("Invitation code: ") == 1
    # It works at once.
    assert is_let_in(kayad, key)
    assert len(key_lines(kayad)) == 1


def test_a_stock_ssh_may_try_again_three_times(kayad, home, key, tmp_path):
    code = invite(kayad, "pump-7")
    slip = ("0" if code[0] != "0" else "1") + code[1:]
    typist = Typist(tmp_path / "typist", "not a code", slip, code)
    done = stock(kayad, key, typist)
    assert "kaya: that is no code" in done.stderr
    assert "kaya: the code was mistyped" in done.stderr
    assert "kaya: enrolled as pump-7" in done.stderr
    typist = Typist(tmp_path / "typist", "one", "two", "three", "four")
    make_key(tmp_path / "other")
    done = stock(kayad, tmp_path / "other", typist,
                 "-o", "NumberOfPasswordPrompts=9")
    assert done.returncode == 255
    assert typist.asked.read_text().count("Invitation code: ") == 3
    assert done.stderr.count("kaya: that is no code") == 3
    assert ":14: that is no code" in done.stderr


def test_capitals_and_blanks_are_forgiven(kayad, home, key, tmp_path):
    code = invite(kayad, "pump-7").upper().replace("-", " ")
    code = code.replace("0", "O").replace("1", "l")
    assert "enrolled as pump-7" in stock(
        kayad, key, Typist(tmp_path / "typist", code)).stderr


def test_a_key_that_is_let_in_is_told_so(kayad, home, key, tmp_path):
    kayad.admit(pathlib.Path(f"{key}.pub").read_text(), "dan")
    code = invite(kayad, "pump-7")
    typist = Typist(tmp_path / "typist", code)
    done = stock(kayad, key, typist)
    assert done.returncode == 255
    assert "kaya: this key is let in already, as dan\n" in done.stderr
    assert len(key_lines(kayad)) == 1
    assert invitations(kayad)[0]["state"] == "open"


def test_an_answer_that_was_lost_is_told_again(kayad, home, key, tmp_path):
    code = invite(kayad, "pump-7")
    assert "enrolled" in stock(
        kayad, key, Typist(tmp_path / "typist", code)).stderr
    done = stock(kayad, key, Typist(tmp_path / "typist", code))
    assert "kaya: this key is let in already, as pump-7\n" in done.stderr


def test_who_was_cut_off_behind_the_code_enrols_with_it_again(
        kayad, home, tmp_path):
    state = tmp_path / "state"
    code = invite(kayad, "pump-7")
    assert enroll(kayad, state, code).returncode == 0
    # As when the cut came before the record was written.
    for folder in ("hosts", "known_hosts"):
        (state / folder / "127.0.0.1").unlink()
    done = enroll(kayad, state, code)
    assert done.returncode == 0, done.stderr
    assert "the key is in already, as pump-7" in done.stdout
    assert (state / "hosts/127.0.0.1").exists()
    assert len(key_lines(kayad)) == 1


def test_a_key_that_is_in_only_from_elsewhere_is_not_let_in_twice(
        kayad, home, key, tmp_path):
    kayad.admit(pathlib.Path(f"{key}.pub").read_text(), "dan",
                'restrict,port-forwarding,from="192.0.2.1"')
    code = invite(kayad, "pump-7")
    done = stock(kayad, key, Typist(tmp_path / "typist", code))
    assert "kaya: this key has a line at the gateway already; the code is " \
        "still good" in done.stderr
    assert len(key_lines(kayad)) == 1


def test_the_second_of_two_keys_of_one_connection_is_not_looked_at(
        kayad, home, key, tmp_path):
    code = invite(kayad, "pump-7")
    other = tmp_path / "other"
    make_key(other)
    done = stock(kayad, key, Typist(tmp_path / "typist", code), "-i", other)
    assert f"enrolled as pump-7 ({fingerprint(key)})" in done.stderr
    assert not is_let_in(kayad, other)


def test_other_users_are_asked_for_no_code(kayad, home, key, tmp_path):
    code = invite(kayad, "pump-7")
    typist = Typist(tmp_path / "typist", code)
    done = stock(kayad, key, typist, user="enroll2")
    assert done.returncode == 255
    assert "Permission denied (publickey)" in done.stderr
    assert not typist.asked.exists()
    kayad.admit(pathlib.Path(f"{key}.pub").read_text(), "dan")
    assert is_let_in(kayad, key)


def test_a_code_without_a_key_is_not_asked_for(kayad, home, key, tmp_path):
    typist = Typist(tmp_path / "typist", invite(kayad, "pump-7"))
    done = stock(kayad, key, typist, "-o", "PubkeyAuthentication=no", "-o",
                 "PreferredAuthentications=keyboard-interactive,password")
    assert "Permission denied (publickey)" in done.stderr
    assert not typist.asked.exists()


@pytest.mark.parametrize("kind", [["ecdsa", "-b", "521"],
                                  ["rsa", "-b", "4096"]])
def test_other_kinds_of_keys_come_in(kayad, home, tmp_path, kind):
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-f", key, "-t", *kind],
                   check=True, timeout=60)
    code = invite(kayad, "pump-7")
    done = stock(kayad, key, Typist(tmp_path / "typist", code))
    assert "enrolled as pump-7" in done.stderr
    assert is_let_in(kayad, key)


def test_plink_is_let_in(kayad, home, tmp_path):
    key = tmp_path / "key.ppk"
    subprocess.run(["puttygen", "-q", "-t", "ed25519", "-o", key,
                    "--new-passphrase", "/dev/null"], check=True, timeout=60)
    code = invite(kayad, "pump-7")
    done = subprocess.run(
        ["plink", "-ssh", "-no-antispoof", "-hostkey", kayad.fingerprint, "-P",
         str(kayad.port), "-i", key, "-N", "enroll@127.0.0.1"],
        input=code + "\n", capture_output=True, text=True, timeout=60)
    said = done.stdout + done.stderr
    # It shows no banner that comes last, but why it was disconnected.
    assert "enrolled as pump-7 (SHA256:" in said, said
    assert "is about to be let" in said
    assert len(key_lines(kayad)) == 1


def test_dropbears_client_is_let_in(kayad, home, tmp_path):
    key = tmp_path / "key"
    subprocess.run(["dropbearkey", "-t", "ed25519", "-f", key], check=True,
                   capture_output=True, timeout=60)
    code = invite(kayad, "pump-7")
    done = subprocess.run(
        ["dbclient", "-y", "-p", str(kayad.port), "-i", key, "-N",
         "enroll@127.0.0.1"],
        input=code + "\n", capture_output=True, text=True, timeout=60,
        start_new_session=True)
    assert "kaya: enrolled as pump-7" in done.stdout + done.stderr, done
    assert len(key_lines(kayad)) == 1


# ---- races, guesses, traces ----

def test_of_many_who_race_with_a_code_one_gets_in(kayad, home, tmp_path):
    code = invite(kayad, "pump-7")
    racers = []
    for i in range(8):
        key = tmp_path / f"racer-{i}"
        make_key(key)
        racers.append((key, Typist(tmp_path / f"typist-{i}", code)))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        said = list(pool.map(
            lambda racer: stock(kayad, *racer).stderr, racers))
    winners = [text for text in said if "kaya: enrolled as pump-7" in text]
    assert len(winners) == 1
    assert sum(NO_ENTRY in text for text in said) == 7
    assert len(key_lines(kayad)) == 1
    assert [is_let_in(kayad, key) for key, _ in racers].count(True) == 1


def test_many_at_once_with_a_code_each_get_in(kayad, home, tmp_path):
    racers = []
    for i in range(8):
        key = tmp_path / f"racer-{i}"
        make_key(key)
        code = invite(kayad, f"pump-{i}")
        racers.append((key, Typist(tmp_path / f"typist-{i}", code)))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        said = list(pool.map(
            lambda racer: (stock(kayad, *racer).stderr,
                           is_let_in(kayad, racer[0])), racers))
    for i, (text, works) in enumerate(said):
        assert f"kaya: enrolled as pump-{i} " in text
        assert works
    assert len(key_lines(kayad)) == 8


def wrong_code(gateway):
    """One that this gateway might have made."""
    return make_code(os.urandom(16) + base64.b64decode(
        gateway.fingerprint.split(":")[1] + "=")[:12])


@pytest.mark.kayad(config="limits:\n  refusals: 2\n  refusal_delay: 2s\n")
def test_who_guesses_is_told_ever_later(kayad, home, key, tmp_path):
    invite(kayad, "pump-7")
    started = time.monotonic()
    for _ in range(3):
        done = stock(kayad, key, Typist(
            tmp_path / "typist", *[wrong_code(kayad) for _ in range(3)]))
        assert done.stderr.count(NO_ENTRY) == 3
    # 100, 200, 400, ... ms; seven of nine were late.
    kayad.wait_for_log("told_after_ms=100$|told_after_ms=100\n")
    kayad.wait_for_log("told_after_ms=1600")
    assert time.monotonic() - started > 4
    assert key_lines(kayad) == []
    assert invitations(kayad)[0]["state"] == "open"
    # A neighbour of the same address is not touched by it.
    other = tmp_path / "other"
    make_key(other)
    code = invite(kayad, "pump-8")
    started = time.monotonic()
    done = stock(kayad, other, Typist(tmp_path / "typist", code))
    assert "enrolled as pump-8" in done.stderr
    assert time.monotonic() - started < 4


def test_another_gateways_code_is_told_apart(kayad, home, key, tmp_path):
    code = make_code(os.urandom(28))
    done = stock(kayad, key, Typist(tmp_path / "typist", code))
    assert "kaya: this code is another gateway's" in done.stderr


@pytest.mark.kayad(arguments=("--log-level", "debug"))
def test_a_code_is_in_no_log_and_in_no_file(kayad, home, key, tmp_path):
    codes = [invite(kayad, "pump-7"), invite(kayad, "pump-8")]
    assert "enrolled" in stock(
        kayad, key, Typist(tmp_path / "typist", codes[0])).stderr
    stock(kayad, key, Typist(tmp_path / "typist", codes[1]))
    traces = [kayad.log().encode()]
    for folder, _, names in os.walk(kayad.state):
        for name in names:
            path = pathlib.Path(folder) / name
            if path.is_file():
                traces.append(path.read_bytes())
    traces = [text.lower().replace(b"-", b"") for text in traces]
    for code in codes:
        whole = code.replace("-", "").encode()
        secret = secret_of(code)
        for text in traces:
            assert whole[:24] not in text
            assert secret not in text
            assert secret.hex().encode() not in text
    for pid in kayad.children():
        assert codes[0] not in pathlib.Path(
            f"/proc/{pid}/cmdline").read_text()


def memory(pid):
    """All that a process may write, as bytes."""
    with open(f"/proc/{pid}/maps") as maps, \
            open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
        for line in maps:
            span, rights, *_ = line.split()
            if not rights.startswith("rw"):
                continue
            start, end = (int(word, 16) for word in span.split("-"))
            while start < end:
                try:
                    file.seek(start)
                    data = file.read(min(end - start, 1 << 20))
                except (OSError, ValueError, OverflowError):
                    break
                if not data:
                    break
                yield data
                start += len(data)


@pytest.mark.skipif(os.geteuid() != 0, reason="root may read others' memory")
@pytest.mark.skipif("asan" in str(peers.BUILD), reason="a vast shadow memory")
def test_no_copy_of_a_code_stays_in_memory(kayad, home, key, tmp_path):
    code = invite(kayad, "pump-7")
    secret = secret_of(code)
    pids = [pid for pid in kayad.children()
            if pathlib.Path(f"/proc/{pid}/comm").read_text() == "kayad\n"]
    assert len(pids) == 2

    def copies(what):
        return [pid for pid in pids
                for data in memory(pid) if what in data]
    # What it should find it finds.
    assert copies(b"authorized_keys")
    assert not copies(code.encode()) and not copies(secret)
    wrong = wrong_code(kayad)
    typist = Typist(tmp_path / "typist", wrong, code)
    assert "enrolled" in stock(kayad, key, typist).stderr
    for each in (wrong, code):
        assert not copies(each[:27].encode())
        assert not copies(secret_of(each))


def test_a_damaged_list_lets_nobody_in_and_says_so(
        kayad, home, key, tmp_path):
    code = invite(kayad, "pump-7")
    path = kayad.state / "invitations"
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size - 5)
    done = stock(kayad, key, Typist(tmp_path / "typist", code))
    assert "kaya: the gateway cannot read its list of invitations" in \
        done.stderr
    kayad.wait_for_log("invitations: line 1 is no invitation|"
                        "line 1 is no invitation")
    done = ask_gateway(kayad, "--list")
    assert done.returncode == 1
    assert "line 1 is no invitation" in done.stderr
    path.unlink()
    code = invite(kayad, "pump-7")
    assert "enrolled" in stock(
        kayad, key, Typist(tmp_path / "typist", code)).stderr


def test_a_fault_in_the_configuration_is_told_with_the_key(
        tmp_path, home, key):
    """The key is written; what cannot be read anew keeps it out of force."""
    with peers.Kayad(tmp_path, config="threads: 2\n") as kayad:
        code = invite(kayad, "pump-7")
        kayad.config.write_text("threads: many\n")
        done = stock(kayad, key, Typist(tmp_path / "typist", code))
        assert "kaya: the key is written, but the gateway could not take " \
            "its keys in force" in done.stderr
        assert "enrolled as" not in done.stderr
        kayad.config.write_text("threads: 2\n")
        kayad.signal(signal.SIGHUP)
        kayad.wait_for_log("event=reloaded")
        assert is_let_in(kayad, key)


@pytest.mark.kayad(config="limits:\n  login_grace: 1s\n")
def test_who_types_has_longer_than_the_login_grace(
        kayad, home, key, tmp_path):
    code = invite(kayad, "pump-7")
    typist = Typist(tmp_path / "typist", code, slow=True)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        done = pool.submit(stock, kayad, key, typist)
        typist.wait_until_asked()
        # As long as a connection that shows nothing may last.
        with socket.create_connection(("127.0.0.1", kayad.port)) as silent:
            silent.settimeout(30)
            while silent.recv(4096):
                pass
        typist.go()
        assert "kaya: enrolled as pump-7" in done.result().stderr


@pytest.mark.kayad(config="limits:\n  unauthenticated: 4\n")
def test_who_types_takes_nobodys_place(kayad, home, key, tmp_path):
    """A quarter of the places is one; all four are for the others."""
    kayad.admit(pathlib.Path(f"{key}.pub").read_text(), "dan")
    first, second = tmp_path / "first", tmp_path / "second"
    make_key(first)
    make_key(second)
    typist = Typist(tmp_path / "typist", invite(kayad, "pump-7"), slow=True)
    code = invite(kayad, "pump-8")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        done = pool.submit(stock, kayad, first, typist)
        typist.wait_until_asked()
        late = stock(kayad, second, Typist(tmp_path / "other", code))
        assert "kaya: too many are coming in by code" in late.stderr
        silent = [socket.create_connection(("127.0.0.1", kayad.port))
                  for _ in range(3)]
        try:
            assert is_let_in(kayad, key)
        finally:
            for each in silent:
                each.close()
        typist.go()
        assert "kaya: enrolled as pump-7" in done.result().stderr
    # Its place is free again.
    assert "kaya: enrolled as pump-8" in stock(
        kayad, second, Typist(tmp_path / "other", code)).stderr


def test_a_lock_that_somebody_holds_leaves_the_code_good(
        kayad, home, key, tmp_path):
    code = invite(kayad, "pump-7")
    lock = os.open(kayad.state, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    started = time.monotonic()
    done = stock(kayad, key, Typist(tmp_path / "typist", code))
    assert "kaya: the gateway cannot let this key in, as its log says; the " \
        "code is still good" in done.stderr
    assert time.monotonic() - started < 3
    kayad.wait_for_log("another program holds the lock")
    os.close(lock)
    assert "enrolled" in stock(
        kayad, key, Typist(tmp_path / "typist", code)).stderr


def test_who_leaves_while_he_is_asked_leaves_nothing(
        kayad, home, key, tmp_path):
    code = invite(kayad, "pump-7")
    typist = Typist(tmp_path / "typist", code, slow=True)
    with peers.Process(
            ["ssh", "-F", "none", "-p", str(kayad.port), "-T", *OPTIONS, "-o",
             f"UserKnownHostsFile={key}.hosts", "-i", key,
             "enroll@127.0.0.1"], env=typist.env) as ssh:
        typist.wait_until_asked()
        ssh.signal(signal.SIGKILL)
        typist.go()
        ssh.wait()
        kayad.wait_for_log("event=close .*the peer left before showing a key")
    assert invitations(kayad)[0]["state"] == "open"
    assert "enrolled" in stock(
        kayad, key, Typist(tmp_path / "typist", code)).stderr


def test_the_end_of_kayad_does_not_wait_for_who_types(
        tmp_path, home, key):
    with peers.Kayad(tmp_path) as kayad:
        typist = Typist(
            tmp_path / "typist", invite(kayad, "pump-7"), slow=True)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            done = pool.submit(stock, kayad, key, typist)
            typist.wait_until_asked()
            kayad.signal(signal.SIGTERM)
            assert kayad.wait(20) == 0
            typist.go()
            assert done.result().returncode == 255
    assert "open pump-7 " in (kayad.state / "invitations").read_text()


# ---- the end of kayad in the middle of it ----

def test_killed_at_any_moment_each_file_is_old_or_new(tmp_path, home):
    """The two files together, too: no key is in whose code is still good."""
    ends = set()
    for attempt in range(12):
        folder = tmp_path / f"{attempt}"
        folder.mkdir(mode=0o755)
        key = folder / "key"
        make_key(key)
        with peers.Kayad(folder) as kayad:
            code = invite(kayad, "pump-7")
            typist = Typist(folder / "typist", code)
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                pool.submit(stock, kayad, key, typist)
                wait_until(lambda: kayad.logged("event=enroll "), "a key")
                # Somewhere around the two writes.
                wait_until(lambda: (kayad.state / ".invitations.kaya~")
                           .exists() or attempt % 3 == 0 or
                           "used" in (kayad.state / "invitations")
                           .read_text(), "the code is being spent")
                time.sleep(attempt // 3 * 0.001)
                kayad.signal(signal.SIGKILL)
                kayad.wait()
        lines = [line for line in (folder / "state/authorized_keys")
                 .read_text().splitlines()]
        state, name, *_ = (folder / "state/invitations").read_text().split()
        assert name == "pump-7" and state in ("open", "used")
        assert len(lines) <= 1
        if lines:
            assert state == "used"
            assert lines[0].startswith("restrict,") and " by code" in lines[0]
        ends.add((state, len(lines)))
        # What is left is good for the next start.
        with peers.Kayad(folder) as kayad:
            assert len(invitations(kayad)) == 1
            assert is_let_in(kayad, key) == bool(lines)
            if state == "open":
                assert "enrolled" in stock(
                    kayad, key, Typist(folder / "typist", code)).stderr
    assert ends <= {("open", 0), ("used", 0), ("used", 1)}


# ---- the other end of a key ----

def live_tunnel(gateway, key):
    tunnel = peers.Process(
        ["ssh", "-F", "none", "-v", "-N", "-p", str(gateway.port), *OPTIONS,
         "-o", f"UserKnownHostsFile={key}.hosts", "-o", "BatchMode=yes", "-i",
         key, "x@127.0.0.1"])
    tunnel.wait_for_log("Authenticated to|Entering interactive session")
    return tunnel


def revoke(gateway, who):
    """The time when the command was done, and what it said."""
    done = run("keys", "revoke", gateway.authorized_keys, who)
    ended = time.monotonic()
    assert done.returncode == 0, done.stderr
    return ended


def test_a_revoked_keys_sessions_end_within_a_second(
        kayad, home, key, tmp_path):
    other = tmp_path / "other"
    make_key(other)
    for each, name in ((key, "pump-7"), (other, "pump-8")):
        code = invite(kayad, name)
        assert "enrolled" in stock(
            kayad, each, Typist(tmp_path / "typist", code)).stderr
    with live_tunnel(kayad, key) as first, live_tunnel(kayad, key) as second, \
            live_tunnel(kayad, other) as stays:
        revoked = revoke(kayad, "pump-7")
        for tunnel in (first, second):
            wait_until(lambda: not tunnel.is_running(), "it is cut", 1)
        assert time.monotonic() - revoked < 1
        assert stays.is_running()
        kayad.wait_for_log("the key is not let in any more")
        assert not is_let_in(kayad, key)
        assert is_let_in(kayad, other)


def test_a_folder_that_never_rests_does_not_put_it_off(tmp_path, home, key):
    """Somebody writes another file of keys all the time."""
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o755)
    peers.let_through(folder)
    peers.give_away(folder)
    stop = threading.Event()

    def write():
        while not stop.wait(0.03):
            (folder / "busy").write_text("# nobody\n")

    with peers.Kayad(tmp_path,
                     config=f"authorized_keys: {folder}\n") as kayad:
        kayad.authorized_keys = folder
        code = invite(kayad, "pump-7")
        assert "enrolled" in stock(
            kayad, key, Typist(tmp_path / "typist", code)).stderr
        writer = threading.Thread(target=write)
        writer.start()
        try:
            with live_tunnel(kayad, key) as tunnel:
                revoked = revoke(kayad, "pump-7")
                wait_until(lambda: not tunnel.is_running(), "it is cut", 5)
                assert time.monotonic() - revoked < 1
        finally:
            stop.set()
            writer.join()


def test_a_revoked_key_is_not_let_in_by_a_code(home, tmp_path):
    key, revoked = tmp_path / "key", tmp_path / "revoked"
    revoked.write_text(make_key(key) + "\n")
    revoked.chmod(0o644)
    with peers.Kayad(tmp_path, config=f"revoked_keys: {revoked}\n") as kayad:
        typist = Typist(tmp_path / "typist", invite(kayad, "pump-7"))
        done = stock(kayad, key, typist)
        assert "kaya: this key is revoked" in done.stderr
        kayad.wait_for_log("event=refuse .*user=enroll .*the key is revoked")
        assert not key_lines(kayad)
