"""What is installed beside the programs: units, users, folders, manuals."""

import os
import re
import shutil
import subprocess

import pytest

from peers import BUILD, ROOT

UNITS = ["kayad.service", "kayad.socket", "kaya-tunnel@.service"]
MANUALS = sorted((ROOT / "doc").glob("*.scd"))

# scdoc writes empty paragraphs, long lines and titles in lower case.
SCDOC = re.compile(r"skipping paragraph macro|longer than 80 bytes"
                   r"|lower case character in document title")


def need(program):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def run(*command, **options):
    return subprocess.run([str(word) for word in command], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **options)


@pytest.fixture
def units(tmp_path):
    """The units as installed, with programs that are there."""
    for name in UNITS:
        source = BUILD / "packaging" / name
        if not source.exists():
            source = ROOT / "packaging/systemd" / name
        text = re.sub(r"(?m)^(Exec\w+=)/\S*/kayad?\b", r"\1/bin/true",
                      source.read_text())
        (tmp_path / name).write_text(text)
    return tmp_path


def test_systemd_finds_nothing_wrong_in_the_units(units):
    need("systemd-analyze")
    done = run("systemd-analyze", "verify", "--man=no", *UNITS, cwd=units)
    told = [line for line in done.stdout.splitlines()
            if any(name in line for name in UNITS)]
    assert told == []


@pytest.mark.parametrize("unit, most", [("kayad.service", 2.8),
                                        ("kaya-tunnel@.service", 1.5)])
def test_the_services_are_hardened(units, unit, most):
    need("systemd-analyze")
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager",
               f"./{unit}", cwd=units)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stdout
    assert float(found[1]) <= most, done.stdout


def test_the_service_names_the_folders_of_the_build():
    text = (BUILD / "packaging/kayad.service").read_text()
    assert "@" not in re.sub(r"@system-service|(?m:^#.*)", "", text)
    assert re.search(r"(?m)^ExecStart=/\S+/sbin/kayad -c /\S+/kayad.conf$",
                     text)


@pytest.mark.skipif(os.geteuid() != 0, reason="making users takes root")
def test_users_and_folders_are_made(tmp_path):
    need("systemd-sysusers")
    need("systemd-tmpfiles")
    (tmp_path / "etc").mkdir()
    made = run("systemd-sysusers", f"--root={tmp_path}",
               BUILD / "packaging/kaya.sysusers")
    assert made.returncode == 0, made.stdout
    users = {line.split(":")[0]: line.split(":")
             for line in (tmp_path / "etc/passwd").read_text().splitlines()}
    assert {"kayad", "kayad-net", "kaya"} <= users.keys()
    assert len({users[name][2] for name in users}) == len(users)
    made = run("systemd-tmpfiles", f"--root={tmp_path}", "--create",
               BUILD / "packaging/kaya.tmpfiles")
    assert made.returncode == 0, made.stdout
    state = (tmp_path / "var/lib/kayad").stat()
    assert state.st_mode & 0o777 == 0o700
    assert str(state.st_uid) == users["kayad"][2]
    assert str((tmp_path / "var/lib/kaya").stat().st_uid) == users["kaya"][2]


@pytest.mark.parametrize("page", MANUALS, ids=lambda page: page.stem)
def test_the_manual_pages_are_well_formed(page, tmp_path):
    need("scdoc")
    made = subprocess.run(["scdoc"], stdin=page.open(), capture_output=True,
                          text=True)
    assert made.returncode == 0, made.stderr
    need("mandoc")
    (tmp_path / page.stem).write_text(made.stdout)
    told = run("mandoc", "-T", "lint", tmp_path / page.stem).stdout
    assert [line for line in told.splitlines() if not SCDOC.search(line)] == []


@pytest.mark.parametrize("page", MANUALS, ids=lambda page: page.stem)
def test_the_manual_pages_are_installed(page):
    need("scdoc")
    assert (BUILD / "doc" / page.stem).exists(), "name it in doc/meson.build"


def test_the_build_installs_everything(tmp_path):
    need("meson")
    done = run("meson", "install", "-C", BUILD, "--destdir", tmp_path,
               "--no-rebuild")
    assert done.returncode == 0, done.stdout
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    for tail in ("lib/systemd/system/kayad.service",
                 "lib/systemd/system/kayad.socket",
                 "lib/systemd/system/kaya-tunnel@.service",
                 "lib/sysusers.d/kaya.conf", "lib/tmpfiles.d/kaya.conf",
                 "doc/kaya/kayad.conf.sample"):
        assert any(name.endswith(tail) for name in files), tail


def test_an_installed_kayad_has_its_file_and_a_second_install_leaves_it(
        tmp_path):
    def install():
        done = run("meson", "install", "-C", BUILD, "--no-rebuild",
                   "--destdir", tmp_path)
        assert done.returncode == 0, done.stdout

    install()
    service, = tmp_path.rglob("kayad.service")
    named = re.search(r"ExecStart=(\S+) -c (\S+)", service.read_text())
    program, config = (tmp_path / path.lstrip("/") for path in named.groups())
    done = run(program, "-t", "-c", config)
    assert done.returncode == 0, done.stdout
    config.write_text("threads: 2\n")
    install()
    assert config.read_text() == "threads: 2\n"
