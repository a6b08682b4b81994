"""kaya policy: verdicts with the line that gave them, and what is amiss."""

import json
import subprocess

import pytest

from peers import KAYA, make_key

POLICY = """\
roles:
  - name: sensor
    publish:
      - "sensors/%i/#"
      - "shadow/%c"
    subscribe: ["commands/%i/+", "news/#"]
    qos: 1
  - name: clerk
    publish: "#"
identities:
  - {names: ["pump-*", meter], roles: sensor}
  - {names: ann, roles: clerk}
"""


def policy(*words, text=POLICY):
    return subprocess.run([KAYA, "policy", *words], input=text,
                          capture_output=True, text=True, timeout=30)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(POLICY)
    return path


@pytest.mark.parametrize("words,status,first,line", [
    (["pump-1", "publish", "sensors/pump-1/x"], 0, "allowed: ", 4),
    (["pump-1", "publish", "sensors/pump-2/x"], 4, "refused: ", None),
    (["pump-1", "publish", "shadow/pump-1"], 0, "allowed: ", 5),
    (["pump-1", "publish", "shadow/x", "--client-id", "x"], 0, "allowed: ", 5),
    (["pump-1", "publish", "shadow/x", "--client-id", "ann"], 4,
     "refused (client-id): client id \"ann\" belongs to identity ann", None),
    (["pump-1", "publish", "sensors/pump-1", "--qos", "2"], 4,
     "refused (qos): ", 4),
    (["pump-1", "publish", "sensors/pump-1", "--retain"], 4,
     "refused (retain): ", 4),
    (["pump-1", "subscribe", "news/#"], 0, "allowed: ", 6),
    (["pump-1", "subscribe", "$share/g/news/#"], 0, "allowed: ", 6),
    (["pump-1", "subscribe", "commands/#"], 4, "refused: ", 6),
    (["pump-1", "deliver", "news/x"], 0, "allowed: ", 6),
    (["zoe", "publish", "x"], 4, "refused: zoe has no role", None),
    (["zoe", "publish", "x", "--role", "clerk"], 0, "allowed: ", 9),
    (["a/b", "publish", "x"], 4, "refused: ", None),
    (["ann", "publish", "a/+"], 4, "refused (topic-invalid): ", None),
])
def test_a_verdict_comes_with_its_line(file, words, status, first, line):
    result = policy("test", file, *words)
    assert result.returncode == status, result.stderr
    assert result.stdout.startswith(first)
    told = result.stdout.splitlines()[1:]
    if line is None:
        assert told == []
    else:
        assert told[0].startswith(f"{file}:{line}:")
        kind = "subscribe: " if words[1] != "publish" else "publish: "
        assert kind in told[0]


def test_json_says_the_same(file):
    result = policy("test", file, "pump-1", "subscribe", "news/a", "--qos", "2",
                    "--json")
    answer = json.loads(result.stdout)
    assert result.returncode == 0
    assert answer["allowed"] is True and answer["verdict"] == "allowed"
    assert answer["qos"] == 1
    assert answer["rule"] == {
        "file": str(file), "line": 6, "column": 34, "role": "sensor",
        "text": "subscribe: news/#"}
    result = policy("test", file, "pump-1", "subscribe", "+/pump-1/+", "--json")
    answer = json.loads(result.stdout)
    assert result.returncode == 4
    assert answer["allowed"] is False and answer["rule"] is None
    assert [part["text"] for part in answer["parts"]] == [
        "subscribe: commands/%i/+", "subscribe: news/#"]


def test_a_subscription_is_told_its_lower_qos(file):
    result = policy("test", file, "pump-1", "subscribe", "news/a", "--qos", "2")
    assert "granted with QoS 1" in result.stdout


def test_a_policy_may_come_through_a_pipe():
    result = policy("test", "-", "ann", "publish", "x")
    assert result.returncode == 0
    assert "standard input:9:14: publish: #" in result.stdout


@pytest.mark.parametrize("text,where", [
    ("roles:\n  - {nam: x}\n", "2:6"),
    ("user x\ntopics a\n", "2:1"),
    ("roles: [{name: a, publish: \"a/#/b\"}]\n", "1:28"),
])
def test_a_fault_is_told_with_its_place(tmp_path, text, where):
    path = tmp_path / "policy"
    path.write_text(text)
    for words in (["test", path, "a", "publish", "b"], ["lint", path]):
        result = policy(*words)
        assert result.returncode == 2
        assert f"{path}:{where}: " in result.stderr
        assert "remedy: " in result.stderr


@pytest.mark.parametrize("words", [
    ["test", "FILE", "ann", "publsh", "a"],
    ["test", "FILE", "ann", "publish"],
    ["test", "FILE", "ann", "publish", "a", "b"],
    ["test", "FILE", "ann", "publish", "a", "--qos", "3"],
    ["lint"],
    ["lint", "FILE", "FILE"],
    ["frobnicate"],
])
def test_wrong_use_is_told(file, words):
    result = policy(*[file if word == "FILE" else word for word in words])
    assert result.returncode == 2
    assert "remedy: " in result.stderr


def test_what_is_not_there_is_told(tmp_path):
    result = policy("test", tmp_path / "none", "a", "publish", "b")
    assert result.returncode == 1
    assert "No such file" in result.stderr and "remedy: " in result.stderr


def test_lint_finds_what_has_no_effect(file):
    file.write_text(POLICY.replace('"shadow/%c"', '"sensors/%i/x"'))
    result = policy("lint", file)
    assert result.returncode == 1
    assert f"{file}:5:9: `publish: sensors/%i/x` has no effect" in result.stdout
    result = policy("lint", file, "--json")
    assert [(found["line"], found["code"])
            for found in json.loads(result.stdout)] == [(5, "shadowed")]


def test_lint_holds_the_names_against_the_keys(file, tmp_path):
    assert policy("lint", file).returncode == 0
    keys = tmp_path / "keys"
    lines = []
    for number, (name, role) in enumerate(
            [("pump-1", ""), ("ann", ',environment="KAYA_ROLE=boss"')]):
        key = make_key(tmp_path / f"key{number}")
        lines.append(f'restrict,port-forwarding,environment="KAYA_ID={name}"'
                     f"{role} {key}\n")
    keys.write_text("".join(lines))
    result = policy("lint", file, "--keys", keys, "--json")
    assert result.returncode == 1, result.stderr
    found = json.loads(result.stdout)
    assert [(each["code"], each["line"]) for each in found] == [
        ("no-key", 11), ("role-unknown", 0)]
    assert "meter" in found[0]["cause"] and "boss" in found[1]["cause"]
