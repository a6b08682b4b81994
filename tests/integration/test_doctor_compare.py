"""kaya doctor --compare: two ways to one server, and why one of them fails.

One way works and the other does not, for one reason; the test asserts that the
closing sentence names that reason, and that the remedy, taken, mends it.
"""

import json
import re
import shlex
import subprocess

import pytest

import peers
from commands import Desk, desk  # noqa: F401
from devices import KAYA, Server, home  # noqa: F401
from peers import free_port, make_key


class Comparison:
    def __init__(self, done):
        assert done.stdout, done.stderr
        self.status = done.returncode
        self.json = json.loads(done.stdout)
        self.cause, self.remedy = self.json["cause"], self.json["remedy"]
        self.first, self.second = self.json["first"], self.json["second"]
        self.settings = [d["setting"] for d in self.json["differences"]]

    def __str__(self):
        return json.dumps(self.json, indent=1)


def compare(*words, form="--json"):
    done = subprocess.run(
        [KAYA, "doctor", form, "--compare", *[str(word) for word in words]],
        capture_output=True, text=True, timeout=90, stdin=subprocess.DEVNULL)
    return Comparison(done) if form == "--json" else done


def put_alias(desk, name="field", **settings):
    """An alias that works, in the config that commands and aliases read."""
    usual = {"HostName": "127.0.0.1", "Port": desk.server.port,
             "User": desk.server.user, "IdentityFile": desk.key,
             "IdentitiesOnly": "yes",
             "LocalForward": f"127.0.0.1:{desk.port} {desk.target}"}
    usual.update(settings)
    before = desk.config.read_text()
    desk.config.write_text(
        f"Host {name}\n" + "".join(
            f" {word} {value}\n" for word, value in usual.items()
            if value is not None) + "Host *\n" + before)
    return ["-F", desk.config]


def command(desk, *more, key=True, target=None, port=None):
    words = ["ssh", "-N", "-F", desk.config, "-p", port or desk.server.port,
             "-L", f"127.0.0.1:{desk.port}:{target or desk.target}"]
    if key:
        words += ["-i", desk.key]
    return shlex.join(str(word) for word in [*words, *more, desk.dest])


def fingerprint(key):
    said = subprocess.run(["ssh-keygen", "-lf", f"{key}.pub"],
                          capture_output=True, text=True, check=True).stdout
    return said.split()[1]


def test_two_ways_that_are_the_same(desk):
    alias = put_alias(desk)
    well = compare(*alias, command(desk), "field")
    assert well.status == 0, well
    assert "same key" in well.cause
    assert well.first["fingerprint"] == fingerprint(desk.key)
    assert well.first["line"] == well.second["line"] == 1
    assert well.first["file"] == str(desk.server.server.authorized_keys)


def test_differences_come_the_gravest_first(desk):
    alias = put_alias(desk, ServerAliveInterval=17)
    well = compare(*alias, command(desk, "-o", "Ciphers=aes128-ctr"), "field")
    expected = ["identitiesonly", "sessiontype", "serveraliveinterval",
                "ciphers"]
    assert [s for s in well.settings if s in expected] == expected, well
    row = well.json["differences"][well.settings.index(
        "serveraliveinterval")]
    assert (row["first"], row["second"]) == ("0", "17")


def test_the_key_that_only_the_config_names(desk):
    alias = put_alias(desk)
    other = desk.home / "other"
    make_key(other)
    wrong = compare(*alias, command(desk, "-i", other, key=False), "field")
    assert wrong.status == 4, wrong
    assert f"does not offer the key {desk.key}" in wrong.cause
    assert fingerprint(desk.key) in wrong.cause
    assert str(other) in wrong.cause
    assert desk.carries(shlex.split(wrong.remedy))


def test_the_key_and_the_spelling_that_only_the_config_has(desk):
    """One remedy mends both: with the key alone the next one would fail."""
    port = desk.target.rpartition(":")[2]
    desk.server.server.authorized_keys.write_text(
        f'restrict,port-forwarding,permitopen="127.0.0.1:{port}" ' +
        desk.key.with_suffix(".pub").read_text())
    alias = put_alias(desk)
    wrong = compare(*alias, command(desk, key=False,
                                    target=f"localhost:{port}"), "field")
    assert "does not offer the key" in wrong.cause, wrong
    assert f":{desk.target}" in wrong.remedy
    assert desk.carries(shlex.split(wrong.remedy))


def test_the_agents_key_that_comes_first(desk, tmp_path, monkeypatch):
    """By command it fails, by config it works."""
    first = tmp_path / "first"
    server = desk.server.server
    server.authorized_keys.write_text(
        "# lines\n"
        f'restrict,port-forwarding,permitopen="127.0.0.1:1" '
        f'{make_key(first)}\n' + server.authorized_keys.read_text())
    path = tmp_path / "agent"
    alias = put_alias(desk)
    with peers.Process(["ssh-agent", "-D", "-a", path]):
        peers.wait_until(path.exists, "the agent listens")
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        subprocess.run(["ssh-add", "-q", first], check=True)
        words = command(desk)
        assert not desk.carries(shlex.split(words))
        wrong = compare(*alias, words, "field")
        assert wrong.status == 4, wrong
        assert (wrong.first["line"], wrong.second["line"]) == (2, 3)
        assert wrong.first["permits"].startswith("tunnel to 127.0.0.1:1")
        assert "another key lets it in" in wrong.cause
        assert f"by line 2 of {server.authorized_keys}" in wrong.cause
        assert f"by line 3 of {server.authorized_keys}" in wrong.cause
        assert wrong.cause.startswith(
            "the command fails where field works because")
        assert desk.carries(shlex.split(wrong.remedy))


def test_localhost_by_command_and_digits_by_config(desk):
    alias = put_alias(desk)
    line = desk.server.server.authorized_keys
    line.write_text(f'restrict,port-forwarding,permitopen="{desk.target}" '
                    + line.read_text())
    target = f"localhost:{desk.server.broker.port}"
    wrong = compare(*alias, command(desk, target=target), "field")
    assert wrong.status == 4
    assert f"asks for {target}" in wrong.cause, wrong
    assert f"field asks for {desk.target}" in wrong.cause
    forward = re.search(r"-L (\S+)", wrong.remedy).group(1)
    assert desk.carries(shlex.split(command(desk).replace(
        f"127.0.0.1:{desk.port}:{desk.target}", forward)))


def test_another_port_of_the_broker(desk):
    alias = put_alias(desk)
    wrong = compare(*alias, "field",
                    command(desk, target=f"127.0.0.1:{free_port()}"))
    assert wrong.status == 3
    assert "nothing listens on" in wrong.cause, wrong
    assert desk.target in wrong.remedy


def test_another_port_of_the_server(desk):
    alias = put_alias(desk)
    port = free_port()
    wrong = compare(*alias, command(desk, port=port), "field")
    assert wrong.status == 3
    assert f"goes to {desk.dest}:{port}" in wrong.cause, wrong
    assert f"go to {desk.dest}:{desk.server.port}" in wrong.remedy


def test_other_known_hosts(desk, tmp_path):
    alias = put_alias(desk)
    other = tmp_path / "known"
    make_key(tmp_path / "stranger")
    kind, key, _ = (tmp_path / "stranger.pub").read_text().split()
    other.write_text(f"[127.0.0.1]:{desk.server.port} {kind} {key}\n")
    wrong = compare(*alias,
                    command(desk, "-o", f"UserKnownHostsFile={other}"),
                    "field")
    assert wrong.status == 5
    assert str(other) in wrong.cause, wrong
    assert desk.carries(shlex.split(command(desk, *shlex.split(
        wrong.remedy))))


def test_a_command_that_never_starts(desk):
    alias = put_alias(desk)
    words = command(desk).replace("ssh -N", "ssh -f")
    wrong = compare(*alias, words, "field")
    assert wrong.status == 1
    assert "Cannot fork into background" in wrong.cause, wrong
    again = subprocess.run([KAYA, *shlex.split(wrong.remedy.split(
        "kaya ", 1)[1])], capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL)
    corrected = re.search(r"ok +corrected +(ssh .*)", again.stdout).group(1)
    assert desk.carries(shlex.split(corrected))


def test_two_keys_that_both_work(desk, tmp_path):
    alias = put_alias(desk)
    second = tmp_path / "second"
    desk.server.server.admit(make_key(second), "no-pty")
    well = compare(*alias, command(desk, "-i", second, key=False), "field")
    assert well.status == 0
    assert (well.first["line"], well.second["line"]) == (2, 1)
    assert "by two keys" in well.cause


def test_neither_works(desk):
    alias = put_alias(desk, Port=free_port())
    wrong = compare(*alias, command(desk, port=free_port()), "field")
    assert wrong.status == 3
    assert wrong.cause.startswith("neither works"), wrong


def test_two_commands_are_told_apart_by_their_order(desk):
    wrong = compare(command(desk), command(desk, port=free_port()))
    assert wrong.cause.startswith("the second fails where the first works")


def test_a_host_that_was_enrolled(desk, tmp_path):
    state = tmp_path / "state"
    (state / "hosts").mkdir(parents=True)
    (state / "hosts/gate").write_text(
        f"host 127.0.0.1\nport {desk.server.port}\nuser {desk.server.user}\n"
        f"key {desk.key}\nknown_hosts {desk.home}/.ssh/known_hosts\n")
    other = tmp_path / "other"
    make_key(other)
    wrong = compare("--state", state, "-b", desk.target,
                    command(desk, "-i", other, key=False), "gate")
    assert wrong.status == 4, wrong
    assert wrong.second["key"] == str(desk.key)
    assert wrong.second["target"] == desk.target
    assert "where gate works" in wrong.cause


def test_a_server_that_tells_no_line(tmp_path, home):
    """kayad says nothing of its file: a copy of it does."""
    with Server("kayad", tmp_path, home) as server:
        desk = Desk(server, home)
        alias = put_alias(desk)
        well = compare(*alias, command(desk), "field")
        assert well.status == 0, well
        assert well.first["line"] is None
        well = compare(*alias, "--server-file", server.server.authorized_keys,
                       command(desk), "field")
        assert well.first["line"] == 1
        assert well.first["permits"]


def test_as_text_there_is_a_table_and_a_closing_sentence(desk):
    put_alias(desk, ServerAliveInterval=17)
    done = compare("-F", desk.config, command(desk), "field", form="-v")
    assert done.returncode == 0, done
    lines = done.stdout.splitlines()
    assert lines[0].startswith("setting")
    assert any(re.match(r"serveraliveinterval +0 +17$", line)
               for line in lines)
    assert f"  let in   by {desk.key} ({fingerprint(desk.key)})" in lines
    assert lines[-1].startswith("cause:  ")


def test_what_is_no_pair(desk):
    for words in (["field"], ["a", "b", "c"]):
        done = compare(*words, form="-v")
        assert done.returncode == 2
        assert "--compare takes two" in done.stderr
    done = compare("ssh -Z h", "field", form="-v")
    assert done.returncode == 2
    assert "kaya doctor -- 'ssh -Z h'" in done.stderr
