"""kaya doctor, on a server that is set up wrongly in one way.

Each test spoils one thing on a machine of its own, asserts the cause that is
named, types the remedy that is printed, and asks again.
"""

import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest

import peers
from machines import (  # noqa: F401
    MOSQUITTO_CONF, OUTSIDE, TIGHT, Health, machine, needs_root)

pytestmark = needs_root

LIBFAKETIME = next(map(str, pathlib.Path("/usr/lib").glob(
    "*/faketime/libfaketime.so.1")), None)


@pytest.fixture
def served(machine):
    """sshd and mosquitto run, one device is let in, and nothing is wrong."""
    machine.admit()
    machine.start_sshd()
    machine.start_mosquitto()
    return machine


def test_nothing_is_wrong_with_a_good_server(served):
    well = served.doctor()
    assert well.codes() == [], well
    assert well.status == 0
    assert {row["layer"] for row in well.findings} == {
        "broker", "sshd", "keys", "reach", "kayad", "versions", "clock",
        "limits", "firewall"}
    assert "127.0.0.1:1883: this machine alone" in \
        well.layer("broker")[0]["seen"]
    assert "/home/tunnel/.ssh/authorized_keys: 1 key of tunnel" in [
        row["seen"] for row in well.layer("keys")]


def test_nothing_runs_here(machine):
    machine.mosquitto_conf.unlink()
    none = machine.doctor()
    assert none.status == 0
    assert none.find("no-broker")["state"] == "not-known"
    assert none.find("no-kayad")["state"] == "not-known"
    assert none.codes("sshd") == ["sshd-stopped"]
    machine.take(none.find("sshd-stopped")["remedy"])
    assert machine.doctor().codes("sshd") == []


# ---- the broker ----

OPEN = {
    "listener": "listener 1883\nallow_anonymous true\n",
    "all of IPv4": "listener 1883 0.0.0.0\nallow_anonymous true\n",
    "one outer address": f"listener 1883 {OUTSIDE}\nallow_anonymous true\n",
    "port": "port 1883\nallow_anonymous true\n",
    "bind_address": f"bind_address {OUTSIDE}\nport 1883\n"
                    "allow_anonymous true\n",
    "per listener": "per_listener_settings true\nlistener 1883\n"
                    "allow_anonymous true\n",
}


@pytest.mark.parametrize("conf", OPEN)
def test_a_broker_that_is_open_to_the_network_is_the_worst(conf, served):
    served.broker.stop()
    served.mosquitto_conf.write_text("# ours\n" + OPEN[conf])
    served.start_mosquitto()
    # A second, lesser fault in an earlier place of the walk's order.
    served.sshd_config.write_text(
        "PermitEmptyPasswords yes\n" + served.sshd_config.read_text())
    assert served.reaches_broker(OUTSIDE)
    wrong = served.doctor()
    assert wrong.status == 1
    assert wrong.json["layer"] == "broker"
    assert wrong.json["code"] == "broker-open-to-all", wrong
    assert wrong.findings[0]["code"] == "broker-open-to-all"
    assert "without a password, without TLS" in wrong.findings[0]["seen"]
    assert "/etc/mosquitto/mosquitto.conf:" in wrong.json["cause"]
    served.take(wrong.json["remedy"])
    assert not served.reaches_broker(OUTSIDE)
    assert served.reaches_broker("127.0.0.1")
    assert served.doctor().codes("broker") == []


def test_an_open_listener_of_an_included_file(served):
    served.broker.stop()
    (served.mosquitto / "conf.d").mkdir()
    (served.mosquitto / "conf.d/lan.conf").write_text(
        "# for the workshop\nlistener 1884\n")
    served.mosquitto_conf.write_text(
        MOSQUITTO_CONF + "include_dir /etc/mosquitto/conf.d\n")
    served.start_mosquitto()
    wrong = served.doctor()
    assert "/etc/mosquitto/conf.d/lan.conf:2" in wrong.json["cause"], wrong
    served.take(wrong.json["remedy"])
    assert not served.reaches_broker(OUTSIDE, "-p", "1884")
    assert served.doctor().codes("broker") == []


def test_of_two_listeners_the_one_that_is_open_is_mended(served):
    """One line for loopback, another for the network: both on one port, so
    that neither may become the other."""
    served.broker.stop()
    served.mosquitto_conf.write_text(
        f"listener 1883 127.0.0.1\nlistener 1883 {OUTSIDE}\n"
        "allow_anonymous true\n")
    served.start_mosquitto()
    wrong = served.doctor()
    assert "mosquitto.conf:2)" in wrong.json["cause"], wrong
    assert "sed" not in wrong.json["remedy"]
    served.take("nft " + wrong.json["remedy"].split(": nft ", 1)[1])
    assert served.reaches_broker("127.0.0.1")
    assert "port 1883 (mosquitto): closed to other machines" in [
        row["seen"] for row in served.doctor().layer("firewall")]


def test_lines_that_are_indented(served):
    """Settings below a listener, as many write them."""
    served.broker.stop()
    put_passwords(served)
    served.mosquitto_conf.write_text(
        "".join(f"  {line}\n" for line in [
            "listener 8883", *put_certificate(served).splitlines(),
            "allow_anonymous false", "password_file /etc/mosquitto/passwords"]))
    served.start_mosquitto()
    well = served.doctor()
    assert well.codes("broker") == [], well
    assert "with TLS (/etc/mosquitto/mosquitto.conf:1)" in \
        well.layer("broker")[0]["seen"]


def put_passwords(machine):
    passwords = machine.mosquitto / "passwords"
    passwords.write_text("dan:secret\n")
    subprocess.run(["mosquitto_passwd", "-U", passwords], check=True)
    passwords.chmod(0o644)


def test_a_password_in_the_clear(served):
    served.broker.stop()
    put_passwords(served)
    served.mosquitto_conf.write_text(
        "listener 1883\npassword_file /etc/mosquitto/passwords\n")
    served.start_mosquitto()
    wrong = served.doctor()
    assert set(wrong.codes("broker")) == {"broker-plain"}, wrong
    served.take(wrong.find("broker-plain")["remedy"])
    assert served.doctor().codes("broker") == []


def put_certificate(machine):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
         "/CN=broker", "-keyout", machine.mosquitto / "key.pem", "-out",
         machine.mosquitto / "cert.pem"], check=True, capture_output=True)
    (machine.mosquitto / "key.pem").chmod(0o644)
    return ("certfile /etc/mosquitto/cert.pem\n"
            "keyfile /etc/mosquitto/key.pem\n")


def test_tls_and_a_password_are_well(served):
    served.broker.stop()
    put_passwords(served)
    served.mosquitto_conf.write_text(
        "listener 8883\n" + put_certificate(served) +
        "password_file /etc/mosquitto/passwords\n")
    served.start_mosquitto()
    well = served.doctor()
    assert well.codes("broker") == [], well
    assert "with TLS" in well.layer("broker")[0]["seen"]


def test_tls_that_lets_everybody_in(served):
    served.broker.stop()
    served.mosquitto_conf.write_text(
        "listener 8883\n" + put_certificate(served) +
        "allow_anonymous true\n")
    served.start_mosquitto()
    wrong = served.doctor()
    assert set(wrong.codes("broker")) == {"broker-tls-open"}, wrong
    served.take(wrong.find("broker-tls-open")["remedy"])
    assert served.doctor().codes("broker") == []


@pytest.mark.takes(20)
def test_a_listener_that_says_nothing_is_doubtful(served):
    served.broker.stop()
    served.mosquitto_conf.write_text("listener 1883\nallow_anonymous false\n")
    served.start_mosquitto()
    pid = served.run("pgrep", "-x", "mosquitto").stdout.strip()
    served.run("kill", "-STOP", pid)
    wrong = served.doctor()
    served.run("kill", "-CONT", pid)
    row = wrong.find("broker-outside")
    assert "0.0.0.0:1883" in row["cause"] or "[::]:1883" in row["cause"]
    served.take(row["remedy"])
    assert served.doctor().codes("broker") == []


def test_a_broker_that_does_not_run(served):
    served.broker.stop()
    wrong = served.doctor()
    assert (wrong.json["code"], wrong.status) == ("broker-stopped", 3)
    served.take(wrong.json["remedy"].split(";")[0])
    assert served.doctor().codes("broker") == []


# ---- sshd ----

SETTINGS = {
    "no-publickey": "PubkeyAuthentication no",
    "no-forwarding": "AllowTcpForwarding no",
    "empty-passwords": "PermitEmptyPasswords yes",
    "passwords": "PasswordAuthentication yes",
    "not-strict": "StrictModes no",
    "gateway-ports": "GatewayPorts yes",
    "no-alive": "ClientAliveInterval 0",
}


@pytest.mark.parametrize("code", SETTINGS)
def test_a_setting_of_sshd(code, served):
    served.sshd_config.write_text(
        f"{SETTINGS[code]}\n{served.sshd_config.read_text()}"
        "Match User nobody\n AllowTcpForwarding yes\n")
    wrong = served.doctor()
    assert code in wrong.codes("sshd"), wrong
    assert SETTINGS[code].lower() in wrong.find(code)["seen"].lower()
    served.take(wrong.find(code)["remedy"].split("then ")[-1])
    assert code not in served.doctor().codes("sshd")


def test_all_forwarding_disabled(served):
    served.sshd_config.write_text(
        f"DisableForwarding yes\n{served.sshd_config.read_text()}")
    wrong = served.doctor()
    assert wrong.json["code"] == "no-forwarding"
    assert "DisableForwarding" in wrong.findings[1]["seen"], wrong
    served.take(wrong.json["remedy"])
    assert served.doctor().codes("sshd") == []


def test_root_with_a_password(served):
    served.sshd_config.write_text("PermitRootLogin yes\nPasswordAuthentication"
                                  " yes\n" + served.sshd_config.read_text())
    wrong = served.doctor()
    assert "root-password" in wrong.codes("sshd")
    served.take(wrong.find("root-password")["remedy"])
    assert "root-password" not in served.doctor().codes("sshd")


def test_passwords_as_answers_to_questions(served):
    """PasswordAuthentication no alone keeps no password out, with PAM."""
    served.sshd_config.write_text(
        "UsePAM yes\nKbdInteractiveAuthentication yes\n"
        "PermitRootLogin yes\n" + served.sshd_config.read_text())
    wrong = served.doctor()
    assert set(wrong.codes("sshd")) == {"passwords", "root-password"}, wrong
    for code in ("root-password", "passwords"):
        served.take(wrong.find(code)["remedy"].split("then ")[-1])
    assert served.doctor().codes("sshd") == []


def test_an_sshd_that_is_started_for_each_connection(machine):
    """As systemd's ssh.socket does: somebody else listens."""
    machine.admit()
    machine.start("python3", "-c", "import socket, time; "
                  "s = socket.create_server(('0.0.0.0', 22)); "
                  "print('listens', flush=True); time.sleep(600)",
                  log="listens")
    assert machine.doctor().codes("sshd") == []


def test_more_devices_than_sshd_starts_at_once(served):
    wrong = served.doctor("--devices", "200")
    assert "few-startups" in wrong.codes("sshd"), wrong
    assert "10:30:100" in wrong.find("few-startups")["seen"]
    served.take(wrong.find("few-startups")["remedy"])
    assert "few-startups" not in served.doctor("--devices", "200").codes()


def test_a_configuration_that_sshd_does_not_take(served):
    served.sshd_config.write_text(
        served.sshd_config.read_text() + "PermitOpne any\n")
    wrong = served.doctor()
    assert (wrong.json["code"], wrong.status) == ("sshd-config", 2), wrong
    assert "PermitOpne" in wrong.json["cause"] or \
        "bad configuration" in wrong.json["cause"]
    served.sshd_config.write_text(served.sshd_config.read_text().replace(
        "PermitOpne", "PermitOpen"))
    served.take(re.search(r"sshd -t .*", wrong.json["remedy"]).group(0))
    assert served.doctor().codes("sshd") == []


def test_a_match_that_asks_for_more_than_a_user(served):
    """sshd -T refuses to answer where it is not told all of that."""
    served.sshd_config.write_text(
        served.sshd_config.read_text() + "Match LocalPort 2222 LocalAddress "
        "192.0.2.9\n  PermitRootLogin yes\n  PasswordAuthentication yes\n")
    served.reload_sshd()
    assert served.doctor().codes("sshd") == []


def test_the_file_that_the_running_sshd_was_given(served):
    served.sshd.stop()
    (served.ssh / "other").write_text(
        "HostKey /etc/ssh/host_key\nPort 2022\nClientAliveInterval 60\n"
        "PasswordAuthentication no\nAllowTcpForwarding no\n")
    served.start_sshd("-f", "/etc/ssh/other")
    wrong = served.doctor()
    assert wrong.codes("sshd") == ["no-forwarding"], wrong
    assert "/etc/ssh/other" in wrong.json["remedy"]
    served.take(wrong.json["remedy"])
    assert served.doctor().codes("sshd") == []


# ---- keys ----

def test_a_line_that_lets_nobody_in(served):
    served.keys.write_text(f"{TIGHT},{served.public}\n")
    wrong = served.doctor()
    assert (wrong.json["code"], wrong.status) == ("keys-line", 4), wrong
    assert "/home/tunnel/.ssh/authorized_keys:1:" in \
        wrong.layer("keys")[0]["seen"]
    served.take(wrong.json["remedy"])
    assert served.doctor().codes("keys") == []


@pytest.mark.parametrize("path", [".ssh/authorized_keys", ".ssh", ""])
def test_a_file_that_others_may_write(path, served):
    (served.home / "tunnel" / path).chmod(0o777)
    wrong = served.doctor()
    assert (wrong.json["code"], wrong.status) == ("keys-modes", 4), wrong
    assert wrong.json["remedy"].startswith("chmod go-w /home/tunnel")
    served.take(wrong.json["remedy"])
    assert served.doctor().codes("keys") == []


def test_keys_in_a_place_of_sshd_s_own(served):
    served.sshd_config.write_text("AuthorizedKeysFile /etc/ssh/keys/%u\n" +
                                  served.sshd_config.read_text())
    (served.ssh / "keys").mkdir()
    (served.ssh / "keys/tunnel").write_text(f"restrict {served.public}x y\n"
                                            "restict ssh-ed25519 AAAA\n")
    wrong = served.doctor()
    assert "/etc/ssh/keys/tunnel" in wrong.layer("keys")[0]["seen"], wrong
    assert not any("/home/tunnel" in row["seen"]
                   for row in wrong.layer("keys"))


# ---- what else can be reached ----

ANYWHERE = ('restrict,port-forwarding,permitlisten="localhost:1",'
            'command="/bin/false"')


def test_a_tunnel_s_key_that_reaches_everything(served):
    served.keys.write_text("")
    served.admit(ANYWHERE)
    other = served.start("python3", "-c", "import socket, time\n"
                         "s = socket.create_server(('127.0.0.1', 5432))\n"
                         "print('there', flush=True)\ntime.sleep(600)",
                         log="there")
    assert other
    wrong = served.doctor()
    row = wrong.find("forward-anywhere")
    assert "127.0.0.1:5432 (python3)" in row["cause"], wrong
    served.take(row["remedy"])
    after = served.doctor()
    assert after.codes("reach") == [], after
    assert f'permitopen="127.0.0.1:1883",{ANYWHERE} ' in \
        served.keys.read_text()
    assert not [row for row in after.layer("keys")
                if row["state"] == "fault"]


def test_permitopen_of_sshd_restricts_all(served):
    served.keys.write_text("")
    served.admit(ANYWHERE)
    served.sshd_config.write_text("PermitOpen 127.0.0.1:1883\n" +
                                  served.sshd_config.read_text())
    assert served.doctor().codes("reach") == []


def test_users_of_the_machine_reach_the_broker(served):
    served.passwd.write_text(served.passwd.read_text() +
                             "eve:x:1001:1001::/home/eve:/bin/sh\n")
    wrong = served.doctor()
    assert "eve" in wrong.find("local-users")["cause"], wrong
    (served.mosquitto / "conf.d").mkdir()
    served.mosquitto_conf.write_text(
        "listener 1883 127.0.0.1\ninclude_dir /etc/mosquitto/conf.d\n")
    remedy = wrong.find("local-users")["remedy"].split("; or ")[0]
    served.take(remedy.replace("NAME PASSWORD", "dan secret") +
                "; chmod 644 /etc/mosquitto/passwd")
    assert not served.reaches_broker("127.0.0.1")
    assert served.reaches_broker("127.0.0.1", "-u", "dan", "-P", "secret")
    assert served.doctor().codes("reach") == []


# ---- kayad ----

@pytest.fixture
def gateway(machine, tmp_path):
    """A machine with a gateway in place of sshd."""
    state = tmp_path / "state"
    state.mkdir()
    peers.let_through(state)
    machine.state = state
    machine.start_mosquitto()
    machine.start_kayad()
    return machine


def test_a_gateway_that_is_well(gateway):
    well = gateway.doctor()
    assert well.codes("kayad", "limits") == [], well
    assert "sessions" in well.layer("kayad")[0]["seen"]


def test_a_gateway_whose_broker_is_down(gateway):
    gateway.broker.stop()
    wrong = gateway.doctor()
    assert wrong.codes("kayad") == ["kayad-broker-down"], wrong
    assert "127.0.0.1:1883" in wrong.find("kayad-broker-down")["cause"]
    gateway.take(wrong.find("kayad-broker-down")["remedy"].split(";")[0])
    assert gateway.doctor().codes("kayad") == []


def test_a_gateway_that_was_killed(gateway):
    gateway.run("sh", "-c", "kill -9 $(pgrep -x kayad)")
    gateway.kayad.wait()
    wrong = gateway.doctor("--state", gateway.state)
    assert wrong.codes("kayad") == ["kayad-dead"], wrong
    gateway.take(wrong.find("kayad-dead")["remedy"].split(";")[0])
    assert gateway.doctor().codes("kayad") == []


def test_a_gateway_that_hangs(gateway):
    pids = gateway.run("pgrep", "-x", "kayad").stdout.split()
    gateway.run("kill", "-STOP", *pids)
    wrong = gateway.doctor("--state", gateway.state)
    assert wrong.codes("kayad") == ["kayad-silent"], wrong
    assert wrong.status == 3
    gateway.take(wrong.find("kayad-silent")["remedy"])
    assert gateway.doctor().codes("kayad") == []


def test_a_gateway_whose_state_folder_nobody_named(machine, tmp_path):
    """That of a user's own, whom the doctor is not."""
    state = tmp_path / "own-state"
    state.mkdir()
    peers.let_through(state)
    os.chown(state, 990, 65534)
    machine.start_mosquitto()
    machine.start(
        "setpriv", "--reuid=990", "--regid=65534", "--clear-groups", "env",
        f"XDG_STATE_HOME={state}", peers.KAYAD, "--listen", "127.0.0.1:2222",
        "--broker", "127.0.0.1:1883", log="ready ")
    told = machine.doctor().find("kayad-elsewhere")
    assert told["state"] == "not-known"
    shown = machine.run("sh", "-c", re.search(
        r"\((ss .*) shows it\)", told["seen"]).group(1)).stdout
    folder = re.search(r"(/\S+)/control\.sock", shown).group(1)
    command = re.search(r"kaya doctor --state DIR", told["seen"]).group(0)
    well = machine.doctor(*command.replace("DIR", folder).split()[2:])
    assert [row["state"] for row in well.layer("kayad")] == ["ok"], well


def test_a_gateway_of_another_user_is_not_asked(gateway):
    mine = gateway.doctor("--state", gateway.state, user=990)
    assert mine.find("kayad-not-asked")["state"] == "not-known", mine
    assert "sudo kaya doctor" in mine.find("kayad-not-asked")["seen"]


# ---- versions ----

def put_versions(machine, tmp_path, **versions):
    """A package database that says so; no changelogs beside it."""
    status = pathlib_read("/var/lib/dpkg/status")
    for package, version in versions.items():
        package = package.replace("_", "-")
        status, count = re.subn(
            rf"(Package: {package}\n(?:.+\n)*?Version: ).*",
            rf"\g<1>{version}", status)
        assert count == 1
    own = tmp_path / "status"
    own.write_text(status)
    machine.run("mount", "--bind", own, "/var/lib/dpkg/status")
    (tmp_path / "empty").mkdir(exist_ok=True)
    machine.run("mount", "--bind", tmp_path / "empty", "/usr/share/doc")


def pathlib_read(path):
    with open(path) as file:
        return file.read()


needs_debian = pytest.mark.skipif(
    not os.path.exists("/var/lib/dpkg/status")
    or "bookworm" not in pathlib_read("/etc/os-release"),
    reason="the packages are those of Debian 12")


# In the place of apt-get and a mirror; what it would install is in MENDED.
APT = """#!/bin/sh
case "$*" in update|"install --only-upgrade "*) exit 0;; esac
exit 100
"""
MENDED = {"openssh-server": "1:9.2p1-2+deb12u6",
          "mosquitto": "2.0.11-1.2+deb12u2"}


@needs_debian
def test_packages_with_known_holes(served, tmp_path):
    versions = {"openssh_server": "1:9.2p1-2",
                "mosquitto": "2.0.11-1.2+deb12u1"}
    put_versions(served, tmp_path, **versions)
    apt = tmp_path / "bin/apt-get"
    apt.parent.mkdir()
    apt.write_text(APT)
    apt.chmod(0o755)
    wrong = served.doctor()
    said = [row["seen"] for row in wrong.layer("versions")
            if row["code"] == "known-hole"]
    assert "openssh-server 1:9.2p1-2: CVE-2024-6387" in said, wrong
    assert "openssh-server 1:9.2p1-2: CVE-2023-48795" in said
    assert "mosquitto 2.0.11-1.2+deb12u1: CVE-2024-8376" in said
    assert not any("CVE-2023-28366" in text for text in said)
    assert wrong.status == 1
    assert "1:9.2p1-2+deb12u3" in wrong.json["cause"]
    assert wrong.json["remedy"].endswith("--only-upgrade openssh-server")
    for left in (1, 0):
        served.take(wrong.json["remedy"], f"PATH={apt.parent}:$PATH")
        package = wrong.json["remedy"].split()[-1]
        versions[package.replace("-", "_")] = MENDED[package]
        put_versions(served, tmp_path, **versions)
        wrong = served.doctor()
        assert wrong.status == left, wrong


@needs_debian
def test_a_patched_package_has_no_hole_whatever_its_upstream_says(
        served, tmp_path):
    put_versions(served, tmp_path, openssh_server="1:9.2p1-2+deb12u6",
                 mosquitto="2.0.11-1.2+deb12u2")
    well = served.doctor()
    assert well.codes("versions") == [], well


@needs_debian
def test_of_a_release_that_nobody_listed_nothing_is_claimed(served, tmp_path):
    put_versions(served, tmp_path, openssh_server="1:9.6p1-3ubuntu13.4")
    unknown = served.doctor()
    assert unknown.codes("versions") == []
    assert "CVE-2024-6387" in unknown.find("hole-not-known")["seen"], unknown


# ---- clock ----

class Clock:
    """A clock of the test's own: the kernel's is everybody's, and no namespace
    has another. libfaketime tells programs what stands in a file; `date -s`
    and timedatectl are functions that write there.
    """

    def __init__(self, machine, folder, stands):
        self.machine = machine
        self.file = folder / "clock"
        self.file.write_text(stands + "\n")
        self.env = {
            **os.environ, "TZ": "UTC", "LD_PRELOAD": LIBFAKETIME,
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1", "NO_FAKE_STAT": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def doctor(self):
        return Health(self.machine.run(
            peers.KAYA, "doctor", "--json", check=False, env=self.env))

    def take(self, command):
        right = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        self.machine.take(
            command.replace("YYYY-MM-DD HH:MM", right[:16]),
            'date() { test "$1 $2" = "-u -s" && '
            f'echo "@$3:00" > {self.file}; }}\n'
            'timedatectl() { test "$*" = "set-ntp true" && '
            f'echo "@{right}" > {self.file}; }}')


@pytest.mark.skipif(LIBFAKETIME is None, reason="libfaketime is not installed")
@pytest.mark.parametrize("stands,words", [
    ("@1970-01-02 00:00:00", "that time is over"),
    ("@2090-01-02 00:00:00", "that time has not come")])
@pytest.mark.parametrize("remedy", [0, 1])
def test_a_clock_that_stands_elsewhere(
        served, tmp_path, stands, words, remedy):
    clock = Clock(served, tmp_path, stands)
    row = clock.doctor().find("clock-wrong")
    assert words in row["seen"] and row["state"] == "fault"
    assert stands[1:11] in row["seen"]
    clock.take(row["remedy"].split("; or by hand: ")[remedy])
    well = clock.doctor()
    assert [row["state"] for row in well.layer("clock")] != ["fault"], well
    assert time.strftime("%Y-%m-%d", time.gmtime()) in \
        well.layer("clock")[0]["seen"]


def test_a_clock_that_nothing_keeps_right(served):
    """The kernel's clock is everybody's: strace gives its word for it, before
    and after somebody was asked to keep it right."""
    asked = ["strace", "-f", "-qq", "-o", "/dev/null", "-e",
             "trace=adjtimex,clock_adjtime", "-e",
             "inject=adjtimex,clock_adjtime:retval={}"]
    # TIME_ERROR of adjtimex(2): not synchronised
    wrong = Health(served.run(
        *[word.format(5) for word in asked], peers.KAYA, "doctor", "--json",
        check=False))
    row = wrong.find("clock-not-synchronised")
    assert row["state"] == "warning" and row["layer"] == "clock"
    assert wrong.status == 0, wrong
    kept = served.folder / "kept"
    served.take(row["remedy"].split(";")[0],
                f'timedatectl() {{ echo "$@" > {kept}; }}')
    assert kept.read_text() == "set-ntp true\n"
    well = Health(served.run(  # TIME_OK
        *[word.format(0) for word in asked], peers.KAYA, "doctor", "--json",
        check=False))
    assert [row["state"] for row in well.layer("clock")] == ["ok"], well


# ---- limits ----

def test_fewer_files_than_devices(served):
    served.broker.stop()
    # Root alone may lift the limits of other users' programs, and not
    # everywhere.
    served.mosquitto_conf.write_text(MOSQUITTO_CONF + "user root\n")
    served.broker = served.start(
        "prlimit", "--nofile=64:4096", "/usr/sbin/mosquitto", "-c",
        "/etc/mosquitto/mosquitto.conf", "-v", log="running")
    assert served.doctor().codes("limits") == []
    wrong = served.doctor("--devices", "1000")
    assert wrong.codes("limits") == ["few-files"], wrong
    assert "64 open files, 1000 devices" in wrong.find("few-files")["seen"]
    served.take(wrong.find("few-files")["remedy"].split(" (now)")[0])
    limits = served.run("sh", "-c", "prlimit --noheadings -o SOFT,HARD -n "
                        "--pid $(pgrep -x mosquitto)").stdout.split()
    assert limits == ["1032", "4096"], "the hard limit is no lower than before"
    assert served.doctor("--devices", "1000").codes("limits") == []


# As the caged half of a login is, when its other half was killed.
UNASKED = """
import os, resource, time
if os.fork() == 0:
    open("/proc/self/comm", "w").write("sshd")
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, 1))
    os._exit(0)
os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
print("it ended", flush=True)
time.sleep(600)
"""


def test_what_has_ended_needs_no_files(served):
    served.start("python3", "-c", UNASKED, log="it ended")
    assert served.doctor().codes("limits") == []


def test_fewer_connections_than_devices(served):
    (served.mosquitto / "conf.d").mkdir()
    (served.mosquitto / "conf.d/few.conf").write_text(
        "# few\n  max_connections 10\n")
    served.mosquitto_conf.write_text(
        MOSQUITTO_CONF + "max_connections -1\n"
        "include_dir /etc/mosquitto/conf.d\n")
    wrong = served.doctor("--devices", "100")
    assert "few-connections" in wrong.codes("limits"), wrong
    served.take(wrong.find("few-connections")["remedy"])
    assert "few-connections" not in served.doctor(
        "--devices", "100").codes("limits")


# ---- firewall ----

@pytest.fixture
def nft():
    if shutil.which("nft", path=os.environ["PATH"] + ":/usr/sbin") is None:
        pytest.skip("nft is not installed")


CLOSED = """\
table inet filter {
 chain input {
  type filter hook input priority 0; policy drop;
  ct state established,related accept
  iifname "lo" accept
  tcp dport { 80, 443 } accept
 }
}
"""


def put_rules(machine, tmp_path, rules):
    path = tmp_path / "rules"
    path.write_text(rules)
    machine.run("nft", "-f", path)


def test_a_firewall_that_keeps_devices_out(served, tmp_path, nft):
    put_rules(served, tmp_path, CLOSED)
    wrong = served.doctor()
    assert (wrong.json["code"], wrong.status) == ("ssh-closed", 3), wrong
    assert "inet filter input" in wrong.json["cause"]
    served.take(wrong.json["remedy"])
    after = served.doctor()
    assert after.codes("firewall") == []
    assert "port 22 (sshd): open" in after.layer("firewall")[0]["seen"]


def test_a_firewall_that_leaves_the_broker_open(served, tmp_path, nft):
    served.broker.stop()
    put_passwords(served)
    served.mosquitto_conf.write_text(
        "listener 1883\npassword_file /etc/mosquitto/passwords\n")
    served.start_mosquitto()
    put_rules(served, tmp_path, CLOSED.replace("policy drop", "policy accept"))
    wrong = served.doctor()
    assert wrong.codes("firewall") == ["broker-port-open"], wrong
    served.take(wrong.find("broker-port-open")["remedy"])
    after = served.doctor()
    assert after.codes("firewall") == []
    assert "port 1883 (mosquitto): closed" in [
        row["seen"].split(" to other")[0] for row in after.layer("firewall")]


# As they stand in nft's wiki and in many a guide.
RULES = {
    "by interface": ("""
table inet filter {
    chain world { tcp dport 80 accept; }
    chain home { tcp dport 22 accept; }
    chain input {
        type filter hook input priority 0; policy drop;
        ct state vmap { established : accept, related : accept, invalid : drop }
        iifname vmap { lo : accept, eth0 : jump world, eth1 : jump home }
    }
}""", "open to some machines"),
    "a named map": ("""
table inet filter {
    map ports { type inet_service : verdict; elements = { 22 : accept } }
    chain input {
        type filter hook input priority 0; policy drop;
        tcp dport vmap @ports
    }
}""", "open to some machines"),
    "so many a minute": ("""
table inet filter {
    set many { type ipv4_addr; flags dynamic; timeout 1m; }
    chain input {
        type filter hook input priority 0; policy accept;
        tcp dport 22 ct state new add @many { ip saddr limit rate over 10/minute } drop
    }
}""", "open to some machines"),
    "so many at once": ("""
table inet filter {
    chain input {
        type filter hook input priority 0; policy accept;
        tcp dport 22 ct count over 20 reject
    }
}""", "open to some machines"),
    "some who come back": ("""
table inet filter {
    chain input {
        type filter hook input priority 0; policy accept;
        ip saddr 10.0.0.0/8 return
        tcp dport 22 drop
    }
}""", "open to some machines"),
    "the other family's": ("""
table inet filter {
    chain input {
        type filter hook input priority 0; policy accept;
        ip6 saddr != fe80::/10 drop
    }
}""", "open to other machines"),
    "a set that only grows": ("""
table inet filter {
    set seen { type ipv4_addr; flags dynamic; timeout 1m; }
    chain input {
        type filter hook input priority 0; policy drop;
        tcp dport 22 add @seen { ip saddr } counter log accept
    }
}""", "open to other machines"),
}


@pytest.mark.parametrize("name", RULES)
def test_what_a_firewall_lets_in(name, served, tmp_path, nft):
    rules, seen = RULES[name]
    put_rules(served, tmp_path, rules)
    assert served.doctor().layer("firewall")[0]["seen"] == (
        f"port 22 (sshd): {seen}")


# As ufw writes it.
UFW = """*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:before - [0:0]
:not-local - [0:0]
:user - [0:0]
-A INPUT -j before
-A before -i lo -j ACCEPT
-A before -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A before -m conntrack --ctstate INVALID -j DROP
-A before -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A before -j not-local
-A before -j user
-A not-local -m addrtype --dst-type LOCAL -j RETURN
-A not-local -m addrtype --dst-type MULTICAST -j RETURN
-A not-local -m limit --limit 3/min -j LOG --log-prefix "[BLOCK] "
-A not-local -j DROP
-A user -p tcp -m tcp --dport 22 -m comment --comment "ssh - -p udp" -j ACCEPT
COMMIT
"""


@pytest.mark.parametrize("also", ["iptables", "ip6tables"])
def test_rules_of_iptables_for_one_family_or_both(also, served, nft):
    """sshd listens in both; a broker is as open as by the one that is open."""
    if shutil.which("iptables-restore", path="/usr/sbin:/sbin") is None:
        pytest.skip("iptables is not installed")
    served.broker.stop()
    put_passwords(served)
    served.mosquitto_conf.write_text(
        "listener 1883\npassword_file /etc/mosquitto/passwords\n")
    served.start_mosquitto()
    served.run("iptables-restore", input=UFW)
    if also == "ip6tables":
        served.run("ip6tables-restore",
                   input=UFW.replace("-p icmp -m icmp --icmp-type 8",
                                     "-p ipv6-icmp"))
    seen = {row["seen"] for row in served.doctor().layer("firewall")}
    shut = "closed" if also == "ip6tables" else "open"
    assert seen == {"port 22 (sshd): open to other machines",
                    f"port 1883 (mosquitto): {shut} to other machines"}
    if also == "ip6tables":
        served.run("iptables-restore", input=UFW.replace("22", "2"))
        served.run("ip6tables", "-D", "user", "1")
        wrong = served.doctor()
        assert wrong.find("ssh-closed"), wrong
        served.take(wrong.find("ssh-closed")["remedy"])
        assert served.doctor().codes("firewall") == []


def test_no_rules_at_all(served, nft):
    assert "no rules" in served.doctor().layer("firewall")[0]["seen"]


# ---- as an ordinary user; as text ----

def test_an_ordinary_user_is_told_what_only_root_may_see(served):
    peers.let_through(peers.KAYA.parent)
    part = served.doctor(user=65534)
    assert part.find("sshd-not-root")["state"] == "not-known"
    assert part.find("firewall-not-read")["state"] == "not-known"
    assert part.find("keys-not-read")["state"] == "not-known"
    assert part.layer("broker")[0]["seen"].startswith("127.0.0.1:1883")
    assert part.status == 0, part


def test_as_text_every_cause_is_told_and_the_first_again(served):
    served.sshd_config.write_text(
        f"AllowTcpForwarding no\n{served.sshd_config.read_text()}")
    lines = served.text().splitlines()
    at = next(i for i, line in enumerate(lines)
              if line.startswith("fault      sshd "))
    assert lines[at + 1].strip().startswith("cause:")
    assert lines[at + 2].strip().startswith("remedy:")
    assert lines[-2].startswith("cause:  sshd refuses -L")
    assert lines[-1].startswith("remedy: sed -i '1i AllowTcpForwarding local'")
