"""What kaya keys lint --fix writes, before a running sshd.

Each rule that knows what was meant is given a file that it mends. sshd lets the
key in by the mended one, from the addresses that were meant; opens the channels
that were meant and no others; and of all the rest gives nothing that the
author's line, written as he meant it, would not have given.
"""

import contextlib
import functools
import json
import subprocess

import pytest

import rawssh
from doors import Door, patient, what_sshd_gives
from peers import KAYA

OPEN = 'permitopen="127.0.0.1:1883"'
SAID = "This key carries MQTT only"
# What a line for a tunnel comes to. The names of loopback are one host.
TIGHT = (f'restrict,port-forwarding,{OPEN},permitopen="localhost:1883",'
         'permitopen="[::1]:1883",permitlisten="localhost:1",'
         f'command="echo {SAID}" ')
TUNNEL = TIGHT + "{key}"

# The code; the file; the line, or lines, that its author meant.
RULES = [
    # ---- characters that look like others ----
    ("byte-order-mark", "\ufeff" + OPEN + " {key}", TUNNEL),
    ("no-break-space", OPEN + "\u00a0{key}", TUNNEL),
    ("no-break-space", OPEN + " ssh-ed25519\u3000{base64}", TUNNEL),
    ("curly-quote", "permitopen=\u201c127.0.0.1:1883\u201d {key}", TUNNEL),
    ("dash", "no\u2013pty," + OPEN + " {key}", TUNNEL),
    ("invisible", "restrict\u200b,port-forwarding," + OPEN + " {key}", TUNNEL),
    ("fullwidth", "restrict\uff0cport-forwarding," + OPEN + " {key}", TUNNEL),
    ("fullwidth", "permitopen\uff1d\"127.0.0.1\uff1a1883\" {key}", TUNNEL),
    # ---- where options and key meet ----
    ("comma-before-key", OPEN + ",{key}", TUNNEL),
    ("comma-before-key", "restrict;{key}", "restrict {key}"),
    ("blank-missing", OPEN + "{key}", TUNNEL),
    ("blank-missing", "restrict{key}", "restrict {key}"),
    ("blank-missing", "restrict ssh-ed25519,{base64}", "restrict {key}"),
    ("blank-missing", "restrict ssh-ed25519{base64}", "restrict {key}"),
    ("quote-missing", 'permitopen=127.0.0.1:1883" {key}', TUNNEL),
    ("quote-open", 'permitopen="127.0.0.1:1883 {key}', TUNNEL),
    ("quote-open", 'restrict,command="echo forced {key}',
     'restrict,command="echo forced" {key}'),
    # Options that the open quote seems to hold.
    ("quote-open", 'command="echo forced,no-pty,no-port-forwarding {key}',
     'command="echo forced",no-pty,no-port-forwarding {key}'),
    ("quote-open", 'from="127.0.0.1,no-agent-forwarding {key}',
     'from="127.0.0.1",no-agent-forwarding {key}'),
    ("value-unquoted", "command=echo forced,no-pty,restrict {key}",
     'command="echo forced",no-pty,restrict {key}'),
    ("value-unquoted", "restrict,command=echo forced {key}",
     'restrict,command="echo forced" {key}'),
    ("value-unquoted", "permitopen=127.0.0.1:1883 {key}", TUNNEL),
    ("value-unquoted", "permitopen='127.0.0.1:1883',no-pty {key}", TUNNEL),
    ("blank-after-comma", "restrict, port-forwarding," + OPEN + " {key}",
     TUNNEL),
    ("blank-before-comma", "restrict ,port-forwarding," + OPEN + " {key}",
     TUNNEL),
    ("blank-around-equals", 'permitopen = "127.0.0.1:1883" {key}', TUNNEL),
    ("blank-between-options", "restrict port-forwarding " + OPEN + " {key}",
     TUNNEL),
    ("options-behind-type",
     "ssh-ed25519 restrict,port-forwarding," + OPEN + " {base64}", TUNNEL),
    ("options-behind-type", 'ssh-ed25519 command="echo a b" {base64}',
     'command="echo a b" {key}'),
    ("type-missing", OPEN + " {base64}", TUNNEL),
    ("type-missing", "{base64}", "{key}"),
    ("key-type", OPEN + " ssh-rsa {base64}", TUNNEL),
    ("key-type", "restrict ed25519 {base64}", "restrict {key}"),
    ("wrapped", OPEN + " ssh-ed25519\n{base64}", TUNNEL),
    ("wrapped", OPEN + " ssh-ed25519 {first}\n{second}", TUNNEL),
    ("wrapped", OPEN + " ssh-ed25519 {first}\r\n{second}\r\n", TUNNEL),
    ("wrapped", 'restrict,command="echo\nforced" {key}',
     'restrict,command="echo forced" {key}'),
    ("options-alone", "restrict,port-forwarding," + OPEN + "\n{key}", TUNNEL),
    ("options-alone", "restrict\n{key}", "restrict {key}"),
    # ---- options ----
    ("option-unknown", "restrict,port-fowarding," + OPEN + " {key}", TUNNEL),
    ("option-unknown", "no-ptty," + OPEN + " {key}", TUNNEL),
    ("option-unknown", "restict {key}", "restrict {key}"),
    ("option-unknown", "permit-open=\"127.0.0.1:1883\" {key}", TUNNEL),
    ("value-missing", 'permitopen"127.0.0.1:1883" {key}', TUNNEL),
    ("comma-missing", OPEN + ";no-pty {key}", TUNNEL),
    ("comma-missing", OPEN + "no-pty {key}", TUNNEL),
    ("option-double", 'from="127.0.0.1",from="127.1.2.3" {key}',
     'from="127.0.0.1,127.1.2.3" {key}'),
    ("permit-list", 'permitopen="127.0.0.1:1883, localhost:1883" {key}',
     TUNNEL),
    ("ipv6-brackets", 'permitopen="::1:1883" {key}', TUNNEL),
    ("permit-none", OPEN + ',permitlisten="none" {key}', TUNNEL),
    ("permit-service", 'permitopen="127.0.0.1:discard" {key}',
     TUNNEL.replace("1883", "9")),
    ("expiry-time", 'expiry-time="2099-12-31" {key}',
     'expiry-time="20991231" {key}'),
    ("expiry-time", 'expiry-time="2099-12-31 23:59Z" {key}',
     'expiry-time="209912312359Z" {key}'),
    # ---- lines that let in and do something else ----
    ("options-behind-key", "{key} restrict", "restrict {key}"),
    ("options-behind-key", "{key} restrict,port-forwarding," + OPEN + " me",
     TUNNEL),
    ("options-behind-key", 'no-pty {key} command="echo forced"',
     'no-pty,command="echo forced" {key}'),
    ("two-keys", "restrict {key} me {other}", "restrict {key}\n"
     "restrict {other}"),
    ("two-keys", OPEN + " {key} {other}", TUNNEL + "\n" + TIGHT + "{other}"),
    ("restrict-order", "port-forwarding," + OPEN + ",restrict {key}", TUNNEL),
    ("restrict-order", "pty,agent-forwarding,port-forwarding," + OPEN
     + ",restrict {key}", TUNNEL),
    ("no-forwarding", "restrict," + OPEN + " {key}", TUNNEL),
    ("loopback-spelling", "restrict,port-forwarding,"
     'permitopen="localhost:1883" {key}', TUNNEL),
    ("remote-forwarding", f'restrict,port-forwarding,{OPEN} {{key}}', TUNNEL),
    ("shell", f'restrict,port-forwarding,{OPEN},permitlisten="localhost:1" '
     "{key}", TUNNEL),
    ("unrestricted", OPEN + " {key}", TUNNEL),
    # ---- from where ----
    ("from-block", 'from="127.0.0.1/16" {key}', 'from="127.0.0.0/16" {key}'),
    ("from-block", 'from="!127.1.2.3/16,*" {key}',
     'from="!127.1.0.0/16,*" {key}'),
    ("from-block", 'from="::1/64,127.0.0.1" {key}',
     'from="::/64,127.0.0.1" {key}'),
    ("from-empty", 'from="127.0.0.1,,::1" {key}', 'from="127.0.0.1,::1" {key}'),
    ("from-empty", 'from="!,!127.1.2.3,127.*," {key}',
     'from="!127.1.2.3,127.*" {key}'),
    ("from-only-negated", 'from="!127.1.2.3" {key}',
     'from="!127.1.2.3,*" {key}'),
    ("from-blank", 'from="127.0.0.1, 127.1.2.3" {key}',
     'from="127.0.0.1,127.1.2.3" {key}'),
    ("from-blank", 'from="127.1.2. 3, 127.0.0.1" {key}',
     'from="127.0.0.1" {key}'),
    ("from-blank", 'from="! 127.1.2.3,127.*" {key}',
     'from="!127.1.2.3,127.*" {key}'),
    # ---- the file ----
    ("carriage-return", OPEN + " {key}\r\nrestrict {other}\r\n",
     TUNNEL + "\nrestrict {other}"),
    ("no-final-newline", OPEN + " {key}", TUNNEL),
]
ADDRESSES = ["127.0.0.1", "127.1.2.3", "::1"]
# What --fix takes from a line that is there for a tunnel, as the document says.
TAKEN = ("-R", "pty-req", "auth-agent-req@openssh.com", "x11-req")


class Bench:
    """An sshd, two keys, and what it gives them."""

    def __init__(self, server, folder, stack):
        self.server, self.file = server, folder / "keys"
        self.fixed = folder / "keys.fixed"
        self.keys = [rawssh.Key(), rawssh.Key()]
        self.doors = [stack.enter_context(Door(server, address))
                      for address in ADDRESSES]

    def text(self, template):
        key, other = (key.line() for key in self.keys)
        base64 = key.split()[1]
        return template.format(key=key, other=other, base64=base64,
                               first=base64[:40], second=base64[40:])

    @functools.cache  # many a line is meant more than once
    def given(self, data):
        """By a file, to each key: from where, and what."""
        self.server.authorized_keys.write_bytes(data)
        found = []
        for key in self.keys:
            froms = [door.address for door in self.doors if door.takes(key)]
            found.append((froms, what_sshd_gives(self.server, key)
                          if "127.0.0.1" in froms else {}))
        return found

    def lint(self, *words):
        return subprocess.run([KAYA, "keys", "lint", *words, self.file],
                              capture_output=True)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fix")
    with patient(folder) as server, contextlib.ExitStack() as stack:
        yield Bench(server, folder, stack)


def codes(bench):
    return {row["code"]: row["severity"]
            for row in json.loads(bench.lint("--json").stdout)}


@pytest.mark.parametrize("code,broken,meant", RULES,
                         ids=[f"{n}-{rule[0]}" for n, rule in enumerate(RULES)])
def test_what_is_mended_gives_what_was_meant_and_no_more(
        bench, code, broken, meant):
    was = bench.text(broken).encode()
    bench.file.write_bytes(was)
    bench.fixed.unlink(missing_ok=True)
    found = codes(bench)
    assert code in found
    bench.lint("--fix")
    mended = bench.fixed.read_bytes()
    bench.fixed.unlink()
    wanted = bench.given(bench.text(meant).encode() + b"\n")
    # The mending is needed: sshd makes something else of what was written.
    if found[code] != "note":
        assert bench.given(was) != wanted
    for (froms, has), (meant_froms, means) in zip(
            bench.given(mended), wanted):
        assert froms == meant_froms, mended
        for what in has:
            if what == "printed":
                assert has[what] in (means[what], SAID), mended
            elif what in TAKEN:
                assert has[what] <= means[what], (what, mended)
            else:
                assert has[what] == means[what], (what, mended)


@pytest.mark.parametrize("line", [
    # Whether rights within an open quote are rights nobody can know.
    'restrict,command="echo forced,port-forwarding {key}',
    "restrict,command=echo forced,pty {key}",
    'expiry-time="2030-01-31 12:00-05" {key}',
    'command="a",command="b" {key}', 'permitopen="127.0.0.1" {key}',
    'permitopen="none" {key}', "no-restrict {key}", "nopty {key}",
    "restrict,no-por,-forwarding {key}",
    "ssh-ed25519 {first}"])
def test_what_nobody_can_know_is_not_guessed(bench, line):
    bench.file.write_text(bench.text(line) + "\n")
    bench.lint("--fix")
    assert not bench.fixed.exists()
    assert bench.given(bench.file.read_bytes()) == [([], {}), ([], {})]


def test_restrict_behind_a_right_to_go_anywhere_is_left_there(bench):
    bench.file.write_text(bench.text("port-forwarding,restrict {key}\n"))
    assert codes(bench)["restrict-order"] == "error"
    bench.lint("--fix")
    assert not bench.fixed.exists()


def test_a_date_that_is_past_stays_so(bench):
    bench.file.write_text(bench.text('expiry-time="2020-01-01" {key}\n'))
    bench.lint("--fix")
    mended = bench.fixed.read_bytes()
    bench.fixed.unlink()
    assert b'expiry-time="20200101"' in mended
    assert bench.given(mended) == [([], {}), ([], {})]


def test_what_is_mended_has_no_fault_that_could_be_mended(bench):
    for _, broken, _ in RULES:
        bench.file.write_bytes(bench.text(broken).encode())
        bench.lint("--fix")
        bench.file.write_bytes(bench.fixed.read_bytes())
        bench.fixed.unlink()
        bench.lint("--fix")
        assert not bench.fixed.exists(), bench.file.read_bytes()
