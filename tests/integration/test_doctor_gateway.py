"""kaya doctor, where kayad lets no key in, or a key go nowhere.

It is given the gateway's authorized_keys; each test takes the remedy that is
printed, and finds that it mends.
"""

import re

import pytest

from devices import home  # noqa: F401
from patients import Gateway, doctor  # noqa: F401
from peers import make_key
from test_doctor import assert_well
from test_doctor_auth import assert_refused


@pytest.fixture
def gateway(tmp_path, home, doctor):
    with Gateway(tmp_path, home, doctor) as gateway:
        yield gateway


def write(gateway, line):
    """A line that the gateway may pass over, and has read."""
    before = gateway.kayad.log().count("event=reloaded")
    with open(gateway.file, "a") as file:
        file.write(line.format(key=gateway.public) + "\n")
    gateway.wait_until_read(before)


def test_a_key_that_its_file_does_not_have(gateway):
    wrong = gateway.with_file()
    assert_refused(wrong, "key-not-in-file")
    gateway.mend(wrong, r"kaya keys add .*",
                 {"NAME": f"pump --broker {gateway.target}"})
    assert_well(gateway.with_file())


@pytest.mark.parametrize("line,code,words", [
    ("restrict,port-forwarding,{key}", "line-void",
     "sshd passes over line 3"),
    ("restrict,port-forwadring {key}", "line-void", "sshd passes over line 3"),
    ('from="192.168.1.0/24" {key}', "line-from",
     "does not let in who comes from 127.0.0.1"),
    ('expiry-time="20200101" {key}', "line-expired", "has expired"),
    ("cert-authority,restrict,port-forwarding {key}", "line-authority",
     "as cert-authority"),
], ids=["comma", "misspelt", "from", "expired", "authority"])
def test_a_line_that_does_not_let_its_key_in(gateway, line, code, words):
    write(gateway, line)
    wrong = gateway.with_file()
    assert_refused(wrong, code)
    assert words in wrong.cause and str(gateway.file) in wrong.cause
    gateway.mend(wrong, r"(kaya keys lint --fix|sed -i) .*")
    assert_well(gateway.with_file())


def test_a_line_that_sshd_would_take_and_kayad_does_not(gateway):
    write(gateway, 'restrict,port-forwarding,environment="KAYA_ID=pump/7" '
          '{key}')
    wrong = gateway.with_file()
    assert_refused(wrong, "line-void")
    assert "kayad passes over line 3" in wrong.cause
    assert "KAYA_ID is no identity" in wrong.cause
    # What it says to write there.
    assert wrong.remedy.endswith(
        f"on line 3 of {gateway.file}: use 1 to 64 of A-Z a-z 0-9 . _ -")
    before = gateway.kayad.log().count("event=reloaded")
    gateway.file.write_text(gateway.file.read_text().replace(
        "pump/7", "pump-7"))
    gateway.wait_until_read(before)
    assert_well(gateway.with_file())


def test_a_file_that_would_let_it_in_and_is_not_the_one_read(
        gateway, tmp_path):
    copy = tmp_path / "copy"
    copy.write_text(gateway.public + "\n")
    wrong = gateway.visit("--server-file", copy)
    assert_refused(wrong, "other-file")
    assert "the gateway reads another file" in wrong.cause
    # Where it sends to: there it stands.
    assert "event=refuse" in wrong.remedy
    gateway.kayad.wait_for_log("event=refuse .*no line has this key")


@pytest.mark.parametrize("options,code,lacks", [
    ("restrict", "line-no-forwarding", "restrict without port-forwarding"),
    ("no-port-forwarding", "line-no-forwarding", "no-port-forwarding"),
    ('restrict,port-forwarding,permitopen="127.0.0.1:1"', "line-other-target",
     "no permitopen of it names {target}"),
])
def test_a_line_that_lets_its_key_go_nowhere(gateway, options, code, lacks):
    write(gateway, options + " {key}")
    # Without the file: in the gateway's own words.
    wrong = gateway.visit()
    assert (wrong.status, wrong.layer, wrong.code) == (
        4, "forwarding", "prohibited"), wrong
    assert re.search("the key's line (allows no forwarding|does not name)",
                     wrong.cause)
    again = gateway.doctor.take(
        wrong, r"kaya doctor --server-file FILE .*", {"FILE": gateway.file},
        status=4)
    assert f"line 3 of {gateway.file}" in again.stdout
    wrong = gateway.with_file()
    assert (wrong.status, wrong.layer, wrong.code) == (
        4, "forwarding", code), wrong
    assert lacks.format(target=gateway.target) in wrong.cause
    gateway.mend(wrong, r"sed -i .*")
    assert_well(gateway.with_file())


def test_a_broker_that_the_gateway_does_not_have(gateway, tmp_path):
    """Its line says nothing against it."""
    write(gateway, "{key}")
    wrong = gateway.doctor("-i", gateway.key, "-b", "127.0.0.1:8883",
                           "--server-file", gateway.file, gateway.dest)
    assert (wrong.status, wrong.layer, wrong.code) == (
        4, "forwarding", "prohibited"), wrong
    assert "among brokers, 127.0.0.1:8883" in wrong.remedy
