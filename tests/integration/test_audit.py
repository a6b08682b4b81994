"""kaya audit verify, on logs that a real kayad wrote, and was killed at."""

import json
import subprocess

import pytest

import auditlog
from peers import KAYA


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
