"""kaya doctor for a device's way, asked at the server itself.

There it may ask sshd what keeps a key from going where its line lets it.
"""

import re
import subprocess

import pytest

from machines import machine, needs_root  # noqa: F401

pytestmark = needs_root


@pytest.fixture
def served(machine):
    """sshd and mosquitto run, and one device is let in."""
    machine.admit()
    machine.start_sshd()
    machine.start_mosquitto()
    return machine


def as_device(machine, *words):
    """What the doctor says of the device's way, asked from here."""
    host_key = subprocess.run(
        ["ssh-keygen", "-lf", machine.ssh / "host_key.pub"], check=True,
        capture_output=True, text=True).stdout.split()[1]
    return machine.doctor("-i", machine.folder / "device", "--host-key",
                          host_key, "-b", "127.0.0.1:1883",
                          *words, "tunnel@127.0.0.1")


@pytest.mark.parametrize("first,last,says", [
    ("AllowTcpForwarding no\n", "", "AllowTcpForwarding no"),
    ("AllowTcpForwarding remote\n", "", "AllowTcpForwarding remote"),
    ("DisableForwarding yes\n", "", "DisableForwarding yes"),
    ("PermitOpen none\n", "", "PermitOpen none"),
    ("PermitOpen 127.0.0.1:8883 [::1]:8883\n", "",
     "PermitOpen 127.0.0.1:8883 [::1]:8883"),
    ("", "Match User tunnel\n  AllowTcpForwarding no\n",
     "AllowTcpForwarding no"),
    ("", "match address 127.0.0.0/8\n  PermitOpen 127.0.0.1:8883\n",
     "PermitOpen 127.0.0.1:8883"),
], ids=["no", "remote", "disabled", "none", "another", "match user",
        "match address"])
def test_a_setting_that_keeps_a_key_whose_line_lets_it(
        served, first, last, says):
    assert as_device(served).status == 0
    config = served.sshd_config
    config.write_text(first + config.read_text() + last)
    served.reload_sshd()
    wrong = as_device(served)
    assert (wrong.status, wrong.json["layer"], wrong.json["code"]) == (
        4, "forwarding", "server-prohibits"), wrong
    number = served.sshd_config.read_text().splitlines().index(
        says if first else f"  {says}") + 1
    assert wrong.json["cause"].endswith(
        f"for tunnel: {says} (/etc/ssh/sshd_config:{number})"), wrong
    assert "line 1 of /home/tunnel/.ssh/authorized_keys" in \
        wrong.json["cause"]
    served.take(wrong.json["remedy"].removeprefix("at the server: "))
    assert as_device(served).status == 0


@pytest.mark.parametrize("permitted", [
    "*:1883", "127.0.0.1:*", "[::1]:1 127.0.0.1:1883", "any"])
def test_a_setting_that_lets_it_is_not_at_fault(served, tmp_path, permitted):
    """The file that is at hand is not the one that the server reads."""
    copy = tmp_path / "copy"
    copy.write_text(served.keys.read_text())
    served.keys.write_text(f"restrict {served.public}\n")
    served.sshd_config.write_text(
        f"PermitOpen {permitted}\n{served.sshd_config.read_text()}")
    served.reload_sshd()
    wrong = as_device(served, "--server-file", copy)
    assert (wrong.status, wrong.json["layer"], wrong.json["code"]) == (
        4, "forwarding", "other-file"), wrong
    assert "reads another file of keys" in wrong.json["cause"]
    _, which, again = re.fullmatch(
        "at the server: (.*); if it stays, see which file it reads: (.*); "
        "then, with that one: (.*)", wrong.json["remedy"]).groups()
    assert "authorizedkeysfile .ssh/authorized_keys" in served.run(
        "sh", "-c", f"PATH=$PATH:/usr/sbin; {which}").stdout
    # By that file it is named, and mended.
    words = again.replace("FILE", str(served.keys), 1).split()
    wrong = served.doctor(*words[2:])
    assert wrong.json["code"] == "line-no-forwarding", wrong
    served.take(wrong.json["remedy"].removeprefix("at the server: "))
    assert as_device(served).status == 0


def test_a_setting_that_the_running_server_has_not_read(served):
    config = served.sshd_config.read_text()
    served.sshd_config.write_text(f"AllowTcpForwarding no\n{config}")
    served.reload_sshd()
    served.sshd_config.write_text(config)
    wrong = as_device(served)
    assert (wrong.status, wrong.json["code"]) == (4, "other-file"), wrong
    assert "not read its settings since" in wrong.json["cause"]
    served.take(re.match("at the server: ([^;]*);",
                         wrong.json["remedy"]).group(1))
    assert as_device(served).status == 0


# Files of /etc/ssh, and where the setting that is in force stands.
INCLUDED = {
    "a Match in an included file": ({
        "sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\n{rest}",
        "sshd_config.d/10-a.conf":
            "Match User other\n  AllowTcpForwarding yes\n",
        "sshd_config.d/20-b.conf":
            "# theirs\nMatch Group nogroup # all\n  AllowTcpForwarding no\n",
        "sshd_config.d/30-c.conf":
            "Match User tunnel\n  AllowTcpForwarding remote\n",
    }, "AllowTcpForwarding no", "sshd_config.d/20-b.conf:3"),
    "the first for all, in an included file": ({
        "sshd_config": "include sshd_config.d/*.conf\n{rest}"
                       "AllowTcpForwarding yes\n",
        "sshd_config.d/10-a.conf": "allowtcpforwarding=no\n",
        "sshd_config.d/20-b.conf": "AllowTcpForwarding yes\n",
    }, "AllowTcpForwarding no", "sshd_config.d/10-a.conf:1"),
    "what an Include below a Match has": ({
        "sshd_config": "{rest}Match User other\n  Include a.conf\n"
                       "Match User tunnel\n  Include b.conf \"c.conf\"\n",
        "a.conf": "DisableForwarding yes\nMatch User tunnel\n"
                  "  DisableForwarding yes\n",
        "b.conf": "Match User other\n  PermitOpen any\n",
        "c.conf": "PermitOpen 127.0.0.1:8883\n",
    }, "PermitOpen 127.0.0.1:8883", "c.conf:1"),
    "a Match below a Match": ({
        "sshd_config": "{rest}Match User tunnel\n  Include a.conf\n"
                       "Match all\n  Include b.conf\n",
        "a.conf": "Match Address 192.0.2.9\n  PermitOpen none\n"
                  "Match all\n  X11Forwarding no\n",
        "b.conf": "Match LocalPort 22 Address 127.0.0.0/8\n"
                  "  PermitOpen none\n",
    }, "PermitOpen none", "b.conf:2"),
    "for all and by a Match": ({
        "sshd_config": "AllowTcpForwarding no\n{rest}Include a.conf\n"
                       "Match User tunnel\n  AllowTcpForwarding no\n",
        "a.conf": "Match User *\n  X11Forwarding no\n",
    }, "AllowTcpForwarding no", "sshd_config:9"),
}


@pytest.mark.parametrize("files,says,place", INCLUDED.values(), ids=INCLUDED)
def test_a_setting_in_a_file_that_is_included(served, files, says, place):
    assert as_device(served).status == 0
    rest = served.sshd_config.read_text()
    for name, text in files.items():
        (served.ssh / name).parent.mkdir(exist_ok=True)
        (served.ssh / name).write_text(text.replace("{rest}", rest))
    served.reload_sshd()
    wrong = as_device(served)
    assert (wrong.status, wrong.json["code"]) == (4, "server-prohibits"), wrong
    assert wrong.json["cause"].endswith(f": {says} (/etc/ssh/{place})"), wrong
    # In force before and after for others, for whom a Match says so.
    others = of_another(served)
    served.take(wrong.json["remedy"].removeprefix("at the server: "))
    assert as_device(served).status == 0
    if "Match" in wrong.json["remedy"]:
        assert of_another(served) == others


def of_another(machine):
    """What sshd makes of somebody else in the same place."""
    said = machine.run("/usr/sbin/sshd", "-T", "-C", "user=nobody,host=x,"
                       "addr=127.0.0.1,laddr=127.0.0.1,lport=22").stdout
    return re.findall("^(?:allowtcpforwarding|disableforwarding|permitopen) .*",
                      said, re.M)
