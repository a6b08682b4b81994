"""kaya keys and a running sshd read the same lines: they must agree.

Lines are made at random, valid ones, broken ones and those in between. sshd is
asked over a raw connection whether it would take the key, with the line alone
in its file, and of lines that let in, which channels it opens.

    KAYA_DIFFERENTIAL=2000 KAYA_SEED=1 ... how many lines, which ones
"""

import base64
import hashlib
import json
import os
import random
import re
import subprocess

import pytest

import peers
import rawssh
from peers import KAYA

LINES = int(os.environ.get("KAYA_DIFFERENTIAL", "300"))
SEED = int(os.environ.get("KAYA_SEED", "1"))

# The address that every sample is asked from is among those of a good `from`.
FROMS = ["127.0.0.1", "127.0.0.*", "127.0.0.0/8", "*", "!10.0.0.1,*",
         "10.0.0.1,127.0.0.1", "127.0.0.?", "::1,127.0.0.1", "127.0.0.1/32",
         "0.0.0.0/0"]
BAD_FROMS = ["127.0.0.1/8", "!10.0.0.1", "", "127.0.0.1,", ",127.0.0.1",
             "127.0.0.1/33", " 127.0.0.1", "!127.0.0.1,*", "127.0.0.0/8,!*"]
VALUES = {
    "command": ["true", "echo a b", 'echo \\"a\\"', "", "a,b=c", "x\\y"],
    "environment": ["A=b", "KAYA_ID=pump-7", "KAYA_ID=a b", "A=", "_=1",
                    "A", "=b", "A-B=c", "", "1A=b", "A==b"],
    "permitopen": ["127.0.0.1:1883", "localhost:1883", "[::1]:1883", "*:*",
                   "*:1883", "localhost:*", "::1:1883", "localhost",
                   "localhost:", ":1883", "localhost:0", "localhost:65536",
                   "localhost:-1", "localhost:1883x", "localhost:01883", "",
                   "[::1]", "a/1883", "[::1]/1", "/1883", "a/b:1", "none", "any", "[localhost]:1883",
                   " localhost:1883", "localhost:1883 "],
    "permitlisten": ["localhost:1", "1883", "*:1883", "localhost:*", "*",
                     "none", "0", "any", "localhost:0", "[::1]:8080",
                     "localhost:99999", "localhost/1", "[::1]/1", ""],
    "from": FROMS + BAD_FROMS,
    "expiry-time": ["20991231", "209912312359", "20991231235959", "20200101",
                    "2099", "20991301", "20990231", "20991231Z",
                    "209912312359Z", "", "2099-12-31", "99999999",
                    "20991231 ", "209912312360", "209912312460"],
    "tunnel": ["0", "any", "1", "x", "", "-1", "2147483647"],
    "principals": ["a", "a,b", ""],
}
FLAGS = ["restrict", "cert-authority", "port-forwarding", "agent-forwarding",
         "X11-forwarding", "pty", "user-rc", "touch-required",
         "verify-required"]
STRANGE = ["no-restrict", "no-cert-authority", "no-command", "ptyy", "",
           "zos-key-permit", "no-", "permitopen", "restrict=yes",
           "no-pty=\"\"", "command=true", "command =\"true\"",
           "command=\"true\"x", "RESTRICT", "No-Pty", "from='127.0.0.1'",
           "\u201crestrict\u201d"]
BETWEEN = [",", ",", ",", ",", ",", ",", ",", ",", ", ", " ,", ",,", " "]
BEFORE_KEY = [" "] * 12 + ["\t", "  ", ",", "", ", ", " \t ", "\u00a0"]
LETTERS = list('", \t\\=#\r!*-aA0\x00\x7f') + ["\u00a0", "restrict,", "no-"]


def option(rng):
    kind = rng.random()
    if kind < 0.35:
        return rng.choice(["", "no-"]) * (rng.random() < 0.7) + \
            rng.choice(FLAGS)
    if kind < 0.93:
        name = rng.choice(list(VALUES))
        if rng.random() < 0.1:
            name = name.upper()
        return f'{name}="{rng.choice(VALUES[name.lower()])}"'
    return rng.choice(STRANGE)


def key_text(rng, key):
    word, base64 = key.line().split()
    kind = rng.random()
    if kind < 0.80:
        pass
    elif kind < 0.84:
        word = rng.choice(["ssh-rsa", "ssh-ed25519 ", "SSH-ED25519",
                           "ecdsa-sha2-nistp256", "ed25519", "ssh-ed25519,",
                           "ssh-ed25519-cert-v01@openssh.com"])
    elif kind < 0.90:
        base64 = base64[:rng.randrange(len(base64))]
    elif kind < 0.94:
        at = rng.randrange(len(base64))
        base64 = base64[:at] + rng.choice("\r\v\f=-_ \t.") + base64[at:]
    elif kind < 0.97:
        base64 += rng.choice(["AAAA", "=", "==", "\r", "A", '"', "#"])
    else:
        return base64
    return word + rng.choice([" "] * 6 + ["\t", "  "]) + base64


def sample(rng, key):
    """One line, without its end."""
    options = ""
    for i in range(rng.choice([0, 1, 1, 2, 2, 3, 4])):
        options += rng.choice(BETWEEN) * (i > 0) + option(rng)
    line = rng.choice([""] * 12 + [" ", "\t", "#", "\ufeff"]) + options
    line += rng.choice(BEFORE_KEY) * (options != "") + key_text(rng, key)
    line += rng.choice(["", " comment", " a b \"c", "\r", " restrict", "\t"])
    if rng.random() < 0.25:
        at = rng.randrange(len(line))
        cut = rng.choice([0, 1, 1])
        line = line[:at] + rng.choice(LETTERS + [""] * 6) + line[at + cut:]
    return line.encode()


def ask_kaya(command, text):
    result = subprocess.run([KAYA, "keys", command, "--json", "-"],
                            input=text + b"\n", capture_output=True)
    assert result.returncode in (0, 1), result.stderr
    return json.loads(result.stdout)


def kaya_says(text, key):
    """The lines by which the key is let in, as the list has them."""
    fingerprint = base64.b64encode(hashlib.sha256(key.blob).digest())
    void = {fault["line"] for fault in ask_kaya("lint", text)
            if fault["severity"] == "void"}
    return [row for row in ask_kaya("list", text)
            if row.get("fingerprint", "")[7:] ==
            fingerprint.decode().rstrip("=")
            and not row["cert_authority"] and row["line"] not in void]


def is_left_to_the_address(rows):
    """Whether the lines let somebody in, but maybe not from here."""
    return rows and all(row["from"] is not None and row["from"] not in FROMS
                        for row in rows)


@pytest.fixture
def patient_sshd(tmp_path):
    # The log of thousands of refusals is in nobody's interest.
    with peers.Sshd(tmp_path / "sshd", "MaxAuthTries 1000000\n"
                    "LoginGraceTime 0\nMaxSessions 100\n") as server:
        yield server


def put(server, line):
    server.authorized_keys.write_bytes(line + b"\n")


def ask_sshd(server):
    """A function that says whether the server would take a key now."""
    client, left = None, 0

    def ask(key):
        nonlocal client, left
        if left == 0:  # sshd ends a connection after 1,024 questions
            client, left = rawssh.Client(server.port), 1000
            client.handshake()
            client.service()
        left -= 1
        client.send(client.auth_request(key, user=server.user, proof=False))
        answer = client.expect(rawssh.USERAUTH_PK_OK, rawssh.USERAUTH_FAILURE)
        return answer[0] == rawssh.USERAUTH_PK_OK

    return ask


def compare(server, texts, keys):
    """Ask both for each key by each text; the number of times sshd took one."""
    ask, wrong, let_in = ask_sshd(server), [], 0
    for text in texts:
        put(server, text)
        for key in keys:
            is_in, rows = ask(key), kaya_says(text, key)
            let_in += is_in
            if bool(rows) != is_in and not (
                    is_left_to_the_address(rows) and not is_in):
                wrong.append(f"{'in ' if is_in else 'out'} {text!r}")
    assert not wrong, f"{len(wrong)} wrong; sshd lets: " + "\n".join(wrong[:30])
    return let_in


def test_sshd_lets_in_by_the_lines_that_kaya_says_it_does(patient_sshd):
    rng, key = random.Random(SEED), rawssh.Key()
    let_in = compare(patient_sshd,
                     (sample(rng, key) for _ in range(LINES)), [key])
    # Neither answer is rare.
    assert LINES / 6 < let_in < LINES * 5 / 6


def broken_file(rng, keys):
    """A line of each key, some of them broken into two."""
    text = b"\n".join(sample(rng, key) for key in keys)
    for _ in range(rng.choice([0, 1, 1, 2])):
        at = rng.randrange(len(text))
        text = text[:at] + rng.choice([b"\n", b"\r\n", b" \n"]) + text[at:]
    return text


def test_sshd_lets_in_by_the_files_that_kaya_says_it_does(patient_sshd):
    rng, keys = random.Random(SEED), [rawssh.Key() for _ in range(3)]
    count = max(LINES // 10, 5)
    let_in = compare(patient_sshd,
                     (broken_file(rng, keys) for _ in range(count)), keys)
    assert count / 6 < let_in < count * 3


# ---- what opens ----

def is_permitted(row, host, port):
    """By the list's words: as text, `*` for anything."""
    if not row["port_forwarding"]:
        return False
    for permit in row["permitopen"]:
        named, named_port = re.fullmatch("(.*)[:/](.*)", permit).groups()
        if named.startswith("["):
            named = named[1:-1]
        if named in ("*", host) and (
                named_port == "*" or int(named_port) == port):
            return True
    return not row["permitopen"]


def forwarding_options(rng):
    words = [rng.choice(["restrict", "port-forwarding", "no-port-forwarding",
                         "no-pty", "RESTRICT"])
             for _ in range(rng.choice([0, 1, 2]))]
    for _ in range(rng.choice([0, 1, 1, 2, 3])):
        host = rng.choice(["localhost", "127.0.0.1", "[::1]", "*",
                           "LOCALHOST", "::1"])
        port = rng.choice(["1883", "*", "9", "01883"])
        words.append(f'permitopen="{host}{rng.choice(":::/")}{port}"')
    for _ in range(rng.choice([0, 0, 1, 2])):
        words.append('permitlisten="' + rng.choice(
            ["localhost:1", "1", "*:1", "localhost:*", "*"]) + '"')
    rng.shuffle(words)
    return ",".join(words)


def test_sshd_opens_the_channels_that_kaya_says_it_does(patient_sshd):
    rng, key, wrong, opened, told = (
        random.Random(SEED), rawssh.Key(), [], 0, 0)
    for _ in range(max(LINES // 10, 5)):
        line = f"{forwarding_options(rng)} {key.line()}".strip().encode()
        put(patient_sshd, line)
        rows = kaya_says(line, key)
        if not rows:
            continue
        row = rows[0]
        with rawssh.Client(patient_sshd.port) as client:
            client.handshake()
            client.service()
            client.send(client.auth_request(key, user=patient_sshd.user))
            client.expect(rawssh.USERAUTH_SUCCESS)
            for host in ("localhost", "127.0.0.1", "::1", "LOCALHOST"):
                for port in (1883, 9):
                    is_open = opens(client, host, port)
                    opened += is_open
                    told += 1
                    if is_open != is_permitted(row, host, port):
                        wrong.append((line, host, port, is_open))
            is_listening = listens(client)
            if is_listening != row["remote_forwarding"]:
                wrong.append((line, "-R", is_listening))
    assert not wrong, "\n".join(map(repr, wrong[:20]))
    assert told / 10 < opened < told


def opens(client, host, port):
    """Whether the server lets the channel; that nobody listens is another."""
    client.send(client.open_request(host=host, port=port))
    while True:
        payload = client.expect(
            rawssh.OPEN_CONFIRMATION, rawssh.OPEN_FAILURE,
            rawssh.GLOBAL_REQUEST, rawssh.DATA, rawssh.EOF, rawssh.CLOSE,
            rawssh.CHANNEL_REQUEST, rawssh.WINDOW_ADJUST)
        reader = rawssh.Reader(payload[1:])
        if payload[0] == rawssh.OPEN_FAILURE:
            reader.u32()
            return reader.u32() != 1  # administratively prohibited
        if payload[0] == rawssh.OPEN_CONFIRMATION:
            return True


def listens(client):
    client.send(rawssh.u8(rawssh.GLOBAL_REQUEST)
                + rawssh.string("tcpip-forward") + rawssh.u8(1)
                + rawssh.string("localhost")
                + rawssh.u32(peers.free_port()))
    while True:
        payload = client.expect(
            rawssh.REQUEST_SUCCESS, rawssh.REQUEST_FAILURE,
            rawssh.GLOBAL_REQUEST, rawssh.DATA, rawssh.EOF, rawssh.CLOSE)
        if payload[0] in (rawssh.REQUEST_SUCCESS, rawssh.REQUEST_FAILURE):
            return payload[0] == rawssh.REQUEST_SUCCESS
