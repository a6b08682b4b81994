"""faultcodes: what kaya can say is wrong, read from the tables that say it.

A row of src/diagnose is {FACT, FINDING_..., ERR_..., "code", seen, cause,
remedy}: strings side by side, some of them by a #define.
"""

import ast
import collections
import functools
import re

from peers import ROOT

TABLES = ROOT / "src/diagnose"
TESTS = ROOT / "tests/integration"
STATES = {"FINDING_FAULT": "fault", "FINDING_WARNING": "warning"}

Fault = collections.namedtuple("Fault", "area code state cause remedy")

TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|(\w+)|(.)', re.S)
DEFINE = re.compile(r"^#define[ \t]+(\w+)[ \t]+((?:.*\\\n)*.*)", re.M)
COMMENT = re.compile(r"/\*.*?\*/", re.S)
ROW = re.compile(r"\{\s*[A-Z]\w+,\s*(FINDING_\w+),\s*ERR_\w+,(.*?)\}(?=[,;\s])",
                 re.S)


def strings(text, defines):
    """The comma-separated strings of a row or a #define; None for NULL."""
    found, here = [], []
    for string, word, other in TOKEN.findall(text):
        if other == ",":
            found.append(here)
            here = []
        elif word in defines:
            here += strings(defines[word], defines)[0]
        elif not other and word != "NULL":
            here.append(string)
    return [*found, here]


def defined(path):
    """What stands for strings there."""
    return {name: value.replace("\\\n", "")
            for name, value in DEFINE.findall(path.read_text())
            if '"' in value}


@functools.cache
def shared_defines():
    found = {}
    for path in TABLES.rglob("*.h"):
        found.update(defined(path))
    return found


def rows(path):
    """Of one file: (state, code, cause, remedy)."""
    text = COMMENT.sub("", path.read_text())
    defines = dict(shared_defines(), **defined(path))
    # A brace in a string is none of the row's.
    plain = re.sub(r'"(?:[^"\\]|\\.)*"', lambda m: re.sub(
        r"[{}]", lambda b: {"{": "\1", "}": "\2"}[b.group(0)], m.group(0)),
        text)
    for state, rest in ROW.findall(plain):
        cells = ["".join(cell).replace("\1", "{").replace("\2", "}")
                 .replace('\\"', '"').replace("\\\\", "\\")
                 .replace("\\n", "\n")
                 for cell in strings(rest, defines)]
        yield state, cells[0], cells[2], cells[3]


@functools.cache
def faults():
    """All faults and warnings, each code of an area with its rows."""
    found = []
    for path in sorted(TABLES.rglob("*.c")):
        area = path.parent.name
        for state, code, cause, remedy in rows(path):
            if state in STATES:
                found.append(Fault(area, code, STATES[state], cause, remedy))
    return found


# ---- which tests assert them ----

FILES = {"survey": "test_survey*.py", "doctor": "test_doctor*.py",
         "command": "test_doctor*.py", "server": "test_doctor*.py"}
ASKS = {"find", "finding", "assert_refused", "parametrize"}


def words(tree):
    return {node.value for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def asserted(tree):
    """Strings in asserts, in tables of cases, and what findings are asked."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            found |= words(node.test)
        elif isinstance(node, ast.Compare):
            found |= words(node)
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in ASKS or name.startswith("assert_"):
                for argument in node.args:
                    found |= words(argument)
    for node in tree.body:
        if isinstance(node, ast.Assign):
            found |= words(node.value)
    return found


@functools.cache
def asserted_in(area):
    found = set()
    for path in TESTS.glob(FILES[area]):
        found |= asserted(ast.parse(path.read_text()))
    return found


# ---- which rows of doc/faults.md have been tried ----

DOCUMENT = ROOT / "doc/faults.md"
OTHERS = "## All the others"
SECTIONS = {"The command": "command", "The network": "survey",
            "The server": "server",
            "Lines of authorized_keys": "lint"}  # else the doctor's


def tried():
    """The faults that have been made for the document: (area, code)."""
    found, area = set(), None
    for line in DOCUMENT.read_text().split(OTHERS)[0].splitlines():
        if line.startswith("## "):
            area = SECTIONS.get(line[3:], "doctor")
        elif match := re.search(r" \| `([^`]+)` \|$", line):
            found.add((area, match.group(1)))
    return found


# ---- the rest of it ----

HEADINGS = {"doctor": "By `kaya doctor DEST`", "command":
            "By `kaya doctor -- ssh ...`, of the very command",
            "server": "By `kaya doctor`, at the server",
            "survey": "By `kaya survey HOST`"}


def others():
    """The end of the document: what no row above has."""
    lines, known = [OTHERS, "", *INTRODUCTION], tried()
    for area, heading in HEADINGS.items():
        lines += ["", f"### {heading}", "", "| code | kaya says |", "|---|---|"]
        lines += [f"| `{fault.code}` | {cell(fault)} |" for fault in faults()
                  if fault.area == area and (area, fault.code) not in known]
    return "\n".join(lines) + "\n"


def cell(fault):
    return "<br>".join(f"`{text}`" for text in (fault.cause, fault.remedy)
                       if text).replace("|", "\\|").replace("\n", "\\n")


INTRODUCTION = """\
What kaya finds beside those, as its own tables have it; each code stands in
`--json`, and a test makes the fault and asks for it. {words} in braces differ
from case to case. What ssh says has not been written down for these.""".split(
    "\n")
