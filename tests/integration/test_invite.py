"""kaya invite: a code lets one new key in, once."""

import base64
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import signal
import subprocess
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
    """What types codes where ssh asks for one, each in its turn."""

    def __init__(self, folder, *codes):
        folder.mkdir(exist_ok=True)
        for name in os.listdir(folder):
            (folder / name).unlink()
        for number, code in enumerate(codes):
            (folder / f"code-{number}").write_text(code + "\n")
        self.asked = folder / "asked"
        self.program = folder / "askpass"
        self.program.write_text(
            f"#!/bin/sh\nprintf '%s\\n' \"$1\" >>{self.asked}\n"
            f"for code in {folder}/code-*; do\n"
            "[ -e \"$code\" ] || exit 1\n"
            "cat \"$code\"; rm \"$code\"; exit 0\ndone\n")
        self.program.chmod(0o755)
        self.env = dict(os.environ, SSH_ASKPASS=str(self.program),
                        SSH_ASKPASS_REQUIRE="force")


def stock(gateway, key, typist, *words, user="enroll"):
    return subprocess.run(
        ["ssh", "-F", "none", "-p", str(gateway.port), "-T", *OPTIONS, "-o",
         f"UserKnownHostsFile={key}.hosts", *words, "-i", key,
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
    done = ask_gateway(kayad, "--json", "--for", "2h", "--role", "valve",
                       "pump-7")
    answer = json.loads(done.stdout)
    assert CODE.match(answer["code"] + "\n")
    assert answer["name"] == "pump-7" and answer["role"] == "valve"
    assert answer["port"] == kayad.port
    assert answer["host_key"] == kayad.fingerprint
    assert before + 7199 <= answer["until"] <= time.time() + 7201


def test_the_code_knows_the_gateway_and_the_file_knows_its_hash_alone(
        kayad, home):
    code = invite(kayad, "pump-7")
    digits = code.replace("-", "").upper().translate(str.maketrans(
        "0123456789ABCDEFGHJKMNPQRSTVWXYZ",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
    body = base64.b32decode(digits)
    host = base64.b64decode(kayad.fingerprint.split(":")[1] + "=")
    assert body[16:28] == host[:12]
    path = kayad.state / "invitations"
    assert path.stat().st_mode & 0o777 == 0o600
    state, name, role, until, keys, digest = path.read_text().split()
    assert (state, name, role, keys) == ("open", "pump-7", "-", "one")
    assert digest == hashlib.sha256(body[:16]).hexdigest()


def test_those_invited_are_listed_and_cancelled(kayad, home, tmp_path):
    code = invite(kayad, "pump-7", "--role", "valve")
    invite(kayad, "pump-8")
    assert [(each["name"], each["role"], each["state"])
            for each in invitations(kayad)] == [
        ("pump-7", "valve", "open"), ("pump-8", None, "open")]
    assert "pump-7 " in ask_gateway(kayad, "--list").stdout
    done = ask_gateway(kayad, "--cancel", "pump-7")
    assert done.returncode == 0 and done.stdout == ""
    assert [each["state"] for each in invitations(kayad)] == [
        "cancelled", "open"]
    done = enroll(kayad, tmp_path / "device", code)
    assert done.returncode == 4
    assert kayad.logged("event=enroll-refused .*the code was cancelled")
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


def test_without_a_kayad_it_is_3(tmp_path, home):
    done = run("invite", "--state", tmp_path, "pump-7")
    assert done.returncode == 3
    assert "no kayad answers" in done.stderr and done.stdout == ""


# ---- kaya enroll ----

def test_kaya_enrolls_and_the_tunnel_needs_nothing_more(
        kayad, home, tmp_path):
    code = invite(kayad, "pump-7", "--role", "valve")
    device = tmp_path / "device"
    done = enroll(kayad, device, code)
    assert done.returncode == 0, done.stdout + done.stderr
    line, = key_lines(kayad)
    assert line.startswith(
        'restrict,port-forwarding,permitopen="127.0.0.1:1883",'
        'permitopen="localhost:1883",permitopen="[::1]:1883",'
        'permitlisten="localhost:1",')
    assert 'environment="KAYA_ID=pump-7",environment="KAYA_ROLE=valve" ' \
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
    assert kayad.logged(r"event=enrolled from=127\.0\.0\.1 identity=pump-7")


def test_a_code_works_once(kayad, home, tmp_path):
    code = invite(kayad, "pump-7")
    assert enroll(kayad, tmp_path / "one", code).returncode == 0
    done = enroll(kayad, tmp_path / "two", code)
    assert done.returncode == 4
    assert NO_ENTRY in done.stderr
    assert len(key_lines(kayad)) == 1
    assert kayad.logged("event=enroll-refused .*the code has been used")


def test_a_code_expires(kayad, home, tmp_path):
    code = invite(kayad, "pump-7", "--for", "1s")
    until = invitations(kayad)[0]["until"]
    wait_until(lambda: time.time() >= until, "the code has expired")
    done = enroll(kayad, tmp_path / "device", code)
    assert done.returncode == 4
    assert NO_ENTRY in done.stderr
    assert key_lines(kayad) == []
    assert kayad.logged("event=enroll-refused .*the code has expired")
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
