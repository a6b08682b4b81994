#!/usr/bin/python3
"""test.py [unit] [integration] [interop]: run tests, end with one line.

The line is `N passed, N failed` (`, N skipped`), over all cases of all parts.
A change to the ~/.ssh of whoever runs them is a failure, too: tests have homes
of their own.
Variables: KAYA_BUILD (build), KAYA_TEST_JOBS (how many at a time; by default a
unit test for each processor, and two of the others, which mostly wait for
somebody's time-out), KAYA_TEST_WRAP (a program that runs each unit test, as
valgrind).
"""

import json
import os
import pathlib
import pwd
import re
import subprocess
import sys
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / os.environ.get("KAYA_BUILD", "build")
PROCESSORS = len(os.sched_getaffinity(0))
JOBS = os.environ.get("KAYA_TEST_JOBS")
WRAP = os.environ.get("KAYA_TEST_WRAP", "")
PARTS = ("unit", "integration", "interop")
TEST_SECONDS = 180
MOST_WORKERS = 8  # each has ports of its own: tests/lib/peers.py


def run(command, log=None, **variables):
    return subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log,
        stderr=subprocess.STDOUT if log else None,
        env=dict(os.environ, KAYA_BUILD=str(BUILD), **variables)).returncode


def unit():
    """Meson runs cmocka's programs; each tells of its cases in TAP."""
    # Meson names the report after the wrapping program too.
    wrapped = "-" + os.path.basename(WRAP.split()[0]) if WRAP else ""
    report = BUILD / f"meson-logs/testlog{wrapped}.json"
    report.unlink(missing_ok=True)
    command = ["meson", "test", "-C", BUILD, "--suite", "unit", "--no-rebuild",
               "--num-processes", JOBS or str(PROCESSORS)]
    if WRAP:
        command += ["--wrap", WRAP, "--timeout-multiplier", "20"]
    with open(BUILD / "unit.log", "w") as log:
        status = run(command, log, CMOCKA_MESSAGE_OUTPUT="TAP")
    if not report.exists():
        print((BUILD / "unit.log").read_text())
        return 0, 1, 0
    programs = [json.loads(line) for line in report.open()]
    counts = [case_counts(program) for program in
              sorted(programs, key=lambda program: program["name"])]
    passed, failed, skipped = (sum(column) for column in zip(*counts))
    if status and not failed:
        print(f"meson test ended with {status}")
        failed = 1
    return passed, failed, skipped


def case_counts(program):
    """One program's cases: passed, failed, skipped."""
    told = program.get("stdout", "") + program.get("stderr", "")
    passed = len(re.findall(r"(?m)^ok \d+ - ", told))
    # To cmocka a skipped case is "ok # SKIP", before 1.1.7 "not ok # SKIP"; its
    # reason stands before.
    skips = re.findall(r"(?m)^(?:(?!ok|not ok|1\.\.)(.*)\n)?"
                       r"(?:not )?ok \d+ # SKIP (.*)$", told)
    # A skip that does not say why is a failure.
    failed = len(re.findall(r"(?m)^not ok \d+ - ", told))
    failed += sum(not reason for reason, _ in skips)
    # A crash, a leak, a time-out or a program without a case is a failure,
    # though no case said so.
    if not failed and (program["result"] != "OK" or not passed + len(skips)):
        failed = 1
    print(f"{'FAILED' if failed else 'ok'} {program['name']}: {passed} passed "
          f"in {program['duration']:.1f} s")
    for reason, name in skips:
        print(f"SKIPPED {name}: {reason or 'no reason given'}")
    if failed:
        print(f"{program['result']} ({program['returncode']})\n{told}")
    return passed, failed, sum(bool(reason) for reason, _ in skips)


def with_pytest(part):
    """Debian's pytest; the report in XML counts, the screen is for people."""
    if not (ROOT / "tests" / part).exists():
        print("none here")
        return 0, 0, 0
    report = BUILD / f"{part}.xml"
    report.unlink(missing_ok=True)
    jobs = JOBS or str(min(2 * PROCESSORS, MOST_WORKERS))
    status = run(["/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider",
                  "-n", jobs, "--dist", "loadgroup", "--timeout",
                  str(TEST_SECONDS), "-q", "-rs", f"--junitxml={report}",
                  f"tests/{part}"], PYTHONDONTWRITEBYTECODE="1")
    passed = failed = skipped = 0
    if report.exists():
        for suite in xml.etree.ElementTree.parse(report).iter("testsuite"):
            count = {word: int(suite.get(word)) for word in
                     ("tests", "failures", "errors", "skipped")}
            failed += count["failures"] + count["errors"]
            skipped += count["skipped"]
            passed += max(0, count["tests"] - count["failures"]
                          - count["errors"] - count["skipped"])
    if status and not failed:
        print(f"pytest ended with {status}")
        failed = 1
    return passed, failed, skipped


def ssh_files():
    """When each file of one's ~/.ssh was last written, by its path."""
    # As ssh, libssh and dropbear do: not HOME, but the password file says.
    folder = pathlib.Path(pwd.getpwuid(os.geteuid()).pw_dir, ".ssh")
    return {path: path.is_file() and path.stat().st_mtime_ns
            for path in (folder, *folder.rglob("*"))
            if path.is_file() or path.is_dir()}


def count_changes(before, after):
    """Tell of each file that somebody wrote to meanwhile."""
    changed = sorted(path for path in before.keys() | after.keys()
                     if before.get(path) != after.get(path))
    for path in changed:
        print(f"FAILED {path} was written to while the tests ran")
    return len(changed)


def main():
    parts = sys.argv[1:] or PARTS
    if not set(parts) <= set(PARTS):
        sys.exit(f"usage: test.py [{'] ['.join(PARTS)}]")
    started = time.monotonic()
    total = [0, 0, 0]
    before = ssh_files()
    for part in parts:
        print(f"== {part}", flush=True)
        counts = unit() if part == "unit" else with_pytest(part)
        total = [sum(pair) for pair in zip(total, counts)]
    passed, failed, skipped = total
    failed += count_changes(before, ssh_files())
    print(f"in {time.monotonic() - started:.0f} s")
    print(f"{passed} passed, {failed} failed"
          + (f", {skipped} skipped" if skipped else ""))
    sys.exit(failed > 0 or passed == 0)


if __name__ == "__main__":
    main()
