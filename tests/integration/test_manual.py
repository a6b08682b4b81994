"""The table of commands, --help, the man pages and the completions agree."""

import re
import shutil
import subprocess

import pytest

from peers import BUILD, KAYA


def commands():
    text = subprocess.run([KAYA, "--help"], capture_output=True, text=True,
                          check=True).stdout
    return re.findall(r"^  (\w+) ", text, re.M)


def words_of_help(command):
    text = subprocess.run([KAYA, command, "--help"], capture_output=True,
                          text=True, check=True).stdout
    options = text[text.rindex("\n\n"):]
    words = set()
    for line in options.splitlines():
        match = re.match(r"  ((?:-\w, )?(?:--[\w-]+)|-\w|    --[\w-]+)", line)
        if match:
            words |= set(re.findall(r"(?<!\w)--?[\w-]+", match.group(1)))
    return words


@pytest.mark.parametrize("command", commands())
def test_help_man_page_and_completions_name_the_same_options(command):
    words = words_of_help(command)
    assert "--help" in words and len(words) > 2
    page = (BUILD / f"src/cli/kaya-{command}.1.scd").read_text()
    named = set()
    for line in page.splitlines():
        if line.startswith("*-"):
            named |= set(re.findall(r"\*(--?[\w-]+)\*", line))
    assert named == words
    bash = (BUILD / "src/cli/kaya.bash").read_text()
    listed = re.search(rf"^\t{command}\) .*?'(.*)'", bash, re.M).group(1)
    assert set(listed.split()) == words
    fish = (BUILD / "src/cli/kaya.fish").read_text()
    zsh = (BUILD / "src/cli/_kaya").read_text()
    for word in words - {"--help"}:
        name = word.lstrip("-")
        assert re.search(rf"seen_subcommand_from {command}'.* "
                         rf"-{'l' if word[1] == '-' else 's'} {name} ", fish)
        if word[1] == "-":
            assert f"'*--{name}[" in zsh


@pytest.mark.parametrize("shell,file", [("bash", "kaya.bash"),
                                        ("zsh", "_kaya"),
                                        ("fish", "kaya.fish")])
def test_the_completions_are_well_formed(shell, file):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n", BUILD / "src/cli" / file], check=True)


@pytest.mark.parametrize("command", commands())
def test_each_man_page_is_there_and_has_its_sections(command):
    text = (BUILD / f"src/cli/kaya-{command}.1").read_text()
    for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"):
        assert f".SH {section}" in text
    assert "xit status" in text or "EXIT STATUS" in text
