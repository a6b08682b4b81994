"""kaya keys and a running sshd read the same lines: they must agree.

Lines are made at random (tests/lib/keylines.py), valid ones, broken ones and
those in between. sshd is asked over a raw connection whether it would take the
key, with the line alone in its file; of lists of addresses, from where; of
lines that let in, what a session gets and which channels open.

    KAYA_DIFFERENTIAL=2000 KAYA_SEED=1 ... how many lines, which ones
"""

import contextlib
import itertools
import json
import os
import random
import re
import subprocess

import certificates
import keylines
import peers
import rawssh
from doors import HOSTS, PORTS, Door, patient_sshd  # noqa: F401
from doors import what_sshd_gives
from peers import BUILD, KAYA

LINES = int(os.environ.get("KAYA_DIFFERENTIAL", "300"))
SEED = int(os.environ.get("KAYA_SEED", "1"))
ADDRESSES = ["127.0.0.1", "127.1.2.3", "::1"]
BATCH = 100  # texts that kaya is asked of at once


# ---- what kaya says ----

class Matcher:
    """What kaya's and kayad's matcher of addresses says."""

    def __init__(self):
        self.process = subprocess.Popen(
            [BUILD / "tests/lib/from_says"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)

    def admits(self, address, patterns):
        self.process.stdin.write(f"{address}\t{patterns}\n".encode())
        self.process.stdin.flush()
        return self.process.stdout.readline() == b"yes\n"

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait() == 0


def ask_kaya(command, folder):
    result = subprocess.run([KAYA, "keys", command, "--json", folder],
                            capture_output=True)
    assert result.returncode in (0, 1), result.stderr
    return json.loads(result.stdout)


def kaya_says(folder, texts):
    """For each text the rows of the list that let somebody in."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for number, text in enumerate(texts):
        (folder / f"{number:04}").write_bytes(text)
    void = {(fault["file"], fault["line"])
            for fault in ask_kaya("lint", folder)
            if fault["severity"] == "void"}
    rows = [[] for _ in texts]
    for row in ask_kaya("list", folder):
        if "fingerprint" in row and (row["file"], row["line"]) not in void:
            rows[int(row["file"][-4:])].append(row)
    for number in range(len(texts)):
        (folder / f"{number:04}").unlink()
    return rows


def is_let_in(rows, public, address, matcher):
    """Whether one of them lets that key in from there."""
    return any(row["fingerprint"] == public.fingerprint
               and not row["cert_authority"]
               and (row["from"] is None
                    or matcher.admits(address, row["from"]))
               for row in rows)


def batches(items):
    items = list(items)
    for start in range(0, len(items), BATCH):
        yield items[start:start + BATCH]


def compare(server, folder, cases, addresses=("127.0.0.1",)):
    """Ask both of each case, a text and the keys to ask for, from each address;
    the number of times sshd took one."""
    wrong, let_in = [], 0
    with contextlib.ExitStack() as stack:
        matcher = stack.enter_context(Matcher())
        doors = [stack.enter_context(Door(server, address))
                 for address in addresses]
        for batch in batches(cases):
            said = kaya_says(folder, [text for text, _ in batch])
            for (text, publics), rows in zip(batch, said):
                server.authorized_keys.write_bytes(text)
                for door in doors:
                    for public in publics:
                        is_in = door.takes(public)
                        let_in += is_in
                        if is_in != is_let_in(rows, public, door.address,
                                              matcher):
                            wrong.append(
                                f"{'in ' if is_in else 'out'} "
                                f"{door.address} {public.line()[:60]} "
                                f"{text[:3000]!r}")
    assert not wrong, f"{len(wrong)} wrong; sshd lets: " + "\n".join(wrong[:30])
    return let_in


def case_of_line(rng, keys):
    """A line; the key that it is of, and what else stands there as a key."""
    key, asked = rng.choice(keys), []
    written = key
    if rng.random() < 0.08:
        written, is_another = keylines.twisted(rng, key)
        asked = [written] * is_another
    text = keylines.sample(rng, written) + rng.choice(keylines.END)
    return text, [key, *asked]


def test_sshd_lets_in_by_the_lines_that_kaya_says_it_does(
        patient_sshd, tmp_path):
    rng = random.Random(SEED)
    keys = keylines.keys(rng)
    let_in = compare(patient_sshd, tmp_path / "keys",
                     [case_of_line(rng, keys) for _ in range(LINES)])
    # Neither answer is rare.
    assert LINES / 8 < let_in < LINES * 5 / 6


def test_sshd_lets_in_by_the_files_that_kaya_says_it_does(
        patient_sshd, tmp_path):
    rng = random.Random(SEED)
    count = max(LINES // 10, 5)
    cases = []
    for _ in range(count):
        keys = rng.sample(keylines.keys(rng), 2)
        cases.append((keylines.broken_file(rng, keys) + rng.choice(
            keylines.END), keys))
    let_in = compare(patient_sshd, tmp_path / "keys", cases)
    assert count / 6 < let_in < count * 2


def test_sshd_lets_in_from_where_kaya_says_it_does(patient_sshd, tmp_path):
    rng = random.Random(SEED)
    key, count = keylines.ed25519(rng), max(LINES // 4, 5)
    cases = [(f'from="{keylines.from_list(rng)}" {key.line()}\n'.encode(),
              [key]) for _ in range(count)]
    let_in = compare(patient_sshd, tmp_path / "keys", cases, ADDRESSES)
    assert count / 6 < let_in < count * 3


def once_read_differently(rng):
    """Lines of which kaya once said the opposite, each with its key."""
    ed, ec = keylines.ed25519(rng), keylines.ecdsa(rng, "nistp256")
    rsa, big = keylines.rsa(rng, 2048), keylines.rsa(rng, 16384)
    token = keylines.token(ec)
    for options in (
            'expiry-time="2099 1 1"', 'expiry-time="209901 1 1 1"',
            'tunnel="-0"', f'permitopen="[{"a" * 1022}]:1"',
            f'permitopen="[{"a" * 1023}]:1"', 'permitopen="a:ssh"',
            'permitlisten="ssh"', 'permitopen="a:no-such-service"',
            ",".join(f'environment="A{n}=b"' for n in range(1025)),
            ",".join(f'environment="A{n}=b"' for n in range(1026))):
        yield f"{options} {ed.line()}", ed
    # Another fault of the same line is told first.
    yield f'restrict,permitopen="a:ssh" {ed.line()} restrict', ed
    yield "webauthn-" + token.line(), token
    for key, zeros in ((rsa, 1), (rsa, 9), (big, 1), (big, 2)):
        exponent, modulus = key.fields
        yield keylines.Public("ssh-rsa", [exponent, rawssh.string(
            b"\0" * zeros + modulus[4:])]).line(), key
    for word in ("ssh-ed25519\0", "\0ssh-ed25519", "ssh-rsa"):
        blob = keylines.Public(word, ed.fields).line().split()[1]
        yield f"ssh-ed25519 {blob}", ed
    beside = bytearray(ec.fields[1])
    beside[-1] ^= 1
    beside = keylines.Public(ec.word, [ec.fields[0], bytes(beside)])
    yield beside.line(), beside
    yield f'permitopen="a:ssh" {beside.line()}', beside


def test_sshd_and_kaya_read_alike_what_they_did_not(patient_sshd, tmp_path):
    cases = [(f"{line}\n".encode(), [key])
             for line, key in once_read_differently(random.Random(SEED))]
    let_in = compare(patient_sshd, tmp_path / "keys", cases)
    assert len(cases) / 3 < let_in < len(cases)


def test_a_prefix_too_long_is_void_from_sshd_10_on(patient_sshd, tmp_path):
    key = keylines.ed25519(random.Random(SEED))
    file = tmp_path / "keys"
    file.write_text(f'from="10.0.0.0/129,127.0.0.1" {key.line()}\n')
    patient_sshd.authorized_keys.write_text(file.read_text())
    with Door(patient_sshd) as door:
        assert door.takes(key) == (peers.openssh() < (10, 0))
    # So it is no void line, and no good one.
    assert [row["severity"] for row in ask_kaya("lint", file)
            if row["code"] == "from-block"] == ["error"]


# ---- certificates ----

class Certificate:
    """As a key that is asked for."""

    def __init__(self, path, names):
        text = path.read_text().split()
        self.algorithm, self.names = text[0], names
        self.blob = keylines.base64.b64decode(text[1])

    def fits(self, row, user, matcher):
        if not row["cert_authority"] or (
                row["from"] is not None
                and not matcher.admits("127.0.0.1", row["from"])):
            return False
        if row["principals"] is not None:
            # sshd reads no further than an empty name.
            wanted = list(itertools.takewhile(
                bool, row["principals"].split(",")))
        elif self.names:
            wanted = [user]
        else:  # one that is for nobody is for everybody here
            return True
        return any(name in wanted for name in self.names)


def test_sshd_takes_the_certificates_that_kaya_says_it_does(
        patient_sshd, tmp_path):
    rng, user = random.Random(SEED), patient_sshd.user
    authority = certificates.Authority(tmp_path / "ca")
    peers.make_key(tmp_path / "key")
    all_certificates = [
        Certificate(authority.sign(tmp_path / "key", names=",".join(names)),
                    names)
        for names in ([user], ["a"], ["b", user], [])]
    crowded = ",".join(["x"] * 100 + ["a", "b"])
    texts, asked, taken = [], max(LINES // 10, 5), 0
    for _ in range(asked):
        options = rng.sample(["cert-authority", keylines.option(rng),
                              keylines.option(rng)], rng.choice([1, 2, 3]))
        if rng.random() < 0.05:
            options.append(f'principals="{crowded}"')
        texts.append(f"{','.join(options)} {authority.public}\n".encode())
    with Door(patient_sshd) as door, Matcher() as matcher:
        for batch in batches(texts):
            for text, rows in zip(batch, kaya_says(tmp_path / "keys", batch)):
                patient_sshd.authorized_keys.write_bytes(text)
                for certificate in all_certificates:
                    is_in = door.takes(certificate)
                    taken += is_in
                    assert is_in == any(
                        certificate.fits(row, user, matcher) for row in rows
                    ), (is_in, certificate.names, text)
    assert asked / 6 < taken < asked * 3


# ---- what a session gets, and what opens ----

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


def what_is_given(row):
    """By the list's words."""
    command = row["command"]
    if command is None:
        named = row["identity"].startswith("pump-")
        printed = row["identity"] if named else ""
    else:
        printed = subprocess.run(["/bin/sh", "-c", command],
                                 capture_output=True, text=True).stdout.strip()
    return {"-R": row["remote_forwarding"], "pty-req": row["pty"],
            "auth-agent-req@openssh.com": row["agent_forwarding"],
            "x11-req": row["x11_forwarding"], "printed": printed,
            **{(host, port): is_permitted(row, host, port)
               for host in HOSTS for port in PORTS}}


def test_sshd_gives_what_kaya_says_it_does(patient_sshd, tmp_path):
    rng, key = random.Random(SEED), rawssh.Key()
    count, wrong, opened, told = max(LINES // 10, 5), [], 0, 0
    lines = [f"{keylines.forwarding_options(rng)} {key.line()}\n".encode()
             for _ in range(count)]
    for batch in batches(lines):
        for line, rows in zip(batch, kaya_says(tmp_path / "keys", batch)):
            if not rows:
                continue
            patient_sshd.authorized_keys.write_bytes(line)
            given, meant = what_sshd_gives(patient_sshd, key), what_is_given(
                rows[0])
            told += len(given)
            opened += sum(map(bool, given.values()))
            wrong += [(line, what, given[what], meant[what])
                      for what in given if given[what] != meant[what]]
    assert not wrong, "\n".join(map(repr, wrong[:20]))
    assert count < told / 10 < opened < told
