"""kaya doctor, where it is a certificate that is to let the device in.

Each test makes one thing wrong, by ssh-keygen and at a stock sshd
(cert-authority in authorized_keys, TrustedUserCAKeys) or at kayad, takes the
remedy that is printed, and finds that it mends.
"""

import subprocess

import pytest

import peers
from certificates import Authority
from devices import home  # noqa: F401
from patients import Gateway, Stock, doctor  # noqa: F401
from peers import make_key
from test_doctor import assert_well
from test_doctor_auth import assert_refused


@pytest.fixture(params=["sshd", "kayad"])
def place(request, tmp_path, home, doctor):
    made = (Stock if request.param == "sshd" else Gateway)(
        tmp_path, home, doctor)
    with made as place:
        yield place


@pytest.fixture
def ca(tmp_path):
    return Authority(tmp_path / "ca")


@pytest.fixture
def signed(place, ca):
    """Its authority's line is at the server; the certificate may be spoilt."""
    place.admit(line_of(place, ca))
    return place


def line_of(place, ca, options=""):
    return (f"cert-authority,restrict,port-forwarding,permitopen="
            f'"{place.target}"{options} {ca.public.strip()}')


def test_a_certificate_that_lets_in(signed, ca):
    ca.sign(signed.key, names=signed.user)
    well = signed.visit()
    assert_well(well)
    assert f"{signed.key}-cert.pub" in well.seen("auth")


# ---- what is wrong with the certificate itself ----

@pytest.mark.parametrize("code,words,options", [
    ("certificate-expired", "has expired", {"valid": "-2h:-1h"}),
    ("certificate-not-yet", "is not valid yet", {"valid": "+1h:+2h"}),
    ("certificate", "is not a user's", {"words": ["-h"]}),
    ("certificate", "a critical option that is not known",
     {"words": ["-O", "critical:colour@example.com=red"]}),
    ("certificate-source", "source-address is 192.0.2.0/24",
     {"words": ["-O", "source-address=192.0.2.0/24"]}),
], ids=["expired", "not yet", "of a host", "critical", "source-address"])
def test_a_certificate_that_no_server_takes(signed, ca, code, words, options):
    options = {"names": signed.user, **options}
    ca.sign(signed.key, *options.pop("words", []), identity="pump 7's",
            **options)
    wrong = signed.visit()
    assert_refused(wrong, code)
    assert words in wrong.cause and f"{signed.key}-cert.pub" in wrong.cause
    signed.mend(wrong, r"ssh-keygen -s CA .*?\.pub",
                {"-s CA": f"-q -s {ca.path}"})
    assert_well(signed.visit())


def test_a_certificate_of_as_many_names_as_can_be_shown(signed, ca):
    """Whose text is just as long as what it is kept in."""
    names = ["a" * 79, "b" * 79, signed.user]
    names += ["c" * (175 - len(", ".join(names)) - 2), "d" * 79]
    ca.sign(signed.key, names=",".join(names), valid="-2h:-1h")
    wrong = signed.visit()
    assert_refused(wrong, "certificate-expired")
    assert f" -n {','.join(names)} -V " in wrong.remedy, wrong


def test_a_certificate_whose_id_would_move_the_cursor(signed, ca):
    ca.sign(signed.key, names=signed.user, identity="\033[2Jpump",
            valid="-2h:-1h")
    wrong = signed.visit()
    assert_refused(wrong, "certificate-expired")
    assert f"ssh-keygen -s CA -I {signed.user} -n" in wrong.remedy, wrong


@pytest.mark.parametrize("place", ["kayad"], indirect=True)
def test_a_certificate_for_nobody_at_kayad(signed, ca):
    """sshd takes it for everybody's, by such a line."""
    ca.sign(signed.key, names=None)
    wrong = signed.visit()
    assert_refused(wrong, "certificate")
    assert "names no principal" in wrong.cause
    signed.mend(wrong, r"ssh-keygen -s CA .*", {"-s CA": f"-q -s {ca.path}"})
    assert_well(signed.visit())


def test_a_certificate_that_was_signed_without_forwarding(signed, ca):
    ca.sign(signed.key, "-O", "no-port-forwarding", names=signed.user)
    wrong = signed.visit()
    assert (wrong.status, wrong.layer, wrong.code) == (
        4, "forwarding", "certificate-no-forwarding"), wrong
    assert "permit-port-forwarding" in wrong.cause
    signed.mend(wrong, r"ssh-keygen -s CA .*", {"-s CA": f"-q -s {ca.path}"})
    assert_well(signed.visit())


def test_the_private_half_of_another_key(signed, ca, tmp_path):
    ca.sign(signed.key, names=signed.user)
    make_key(tmp_path / "other")
    (tmp_path / "other").rename(signed.key)
    wrong = signed.visit()
    assert_refused(wrong, "other-half")
    signed.mend(wrong, r"ssh-keygen -y -f \S+ > [^\s,]+")
    ca.sign(signed.key, names=signed.user)
    assert_well(signed.visit())


@pytest.fixture
def agent(tmp_path, monkeypatch):
    path = tmp_path / "agent"
    with peers.Process(["ssh-agent", "-D", "-a", path]):
        peers.wait_until(path.exists, "the agent listens")
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        yield lambda *words: subprocess.run(
            ["ssh-add", *words], check=True, capture_output=True)


def test_a_certificate_in_the_agent(signed, ca, agent):
    """The agent took it with its key; of the file it knows nothing."""
    def visit():
        return signed.doctor("-b", signed.target, signed.dest)
    ca.sign(signed.key, names=signed.user, valid="-2h:-1h")
    agent("-q", signed.key)
    wrong = visit()
    assert_refused(wrong, "certificate-expired")
    signed.mend(wrong, r"ssh-keygen -s CA .*", {
        "-s CA": f"-q -s {ca.path}", "KEY.pub": f"{signed.key}.pub"})
    agent("-D")
    agent("-q", signed.key)
    assert_well(visit())


# ---- whom it is for ----

def test_a_certificate_for_somebody_else(place, ca):
    place.admit(line_of(place, ca))
    ca.sign(place.key, names="ann,pump-7")
    if isinstance(place, Stock):
        wrong = place.visit()
        assert_refused(wrong, "certificate-user")
        assert f"is for ann, pump-7, and none of these is the user " \
            f"{place.user}" in wrong.cause
    wrong = place.with_file()
    assert_refused(wrong, "certificate-user")
    if isinstance(place, Gateway):
        again = place.doctor.take(wrong, r"kaya doctor -l NAME .*",
                                  {"NAME": "pump-7"})
        assert "came back" in again.stdout
    place.mend(wrong, r"ssh-keygen -s CA [^;]*",
               {"-s CA": f"-q -s {ca.path}"})
    assert_well(place.with_file())


def test_a_line_that_is_for_others(place, ca):
    place.admit(line_of(place, ca, ',principals="pump-8,pump-9"'))
    ca.sign(place.key, names=f"{place.user},pump-7")
    wrong = place.with_file()
    assert_refused(wrong, "line-principals")
    assert "names none of " + place.user + ", pump-7" in wrong.cause
    place.mend(wrong, r"sed -i .*")
    assert f'principals="{place.user},pump-7"' in place.file.read_text()
    assert_well(place.with_file())


# ---- who has signed it ----

def test_an_authority_that_the_server_does_not_know(place, ca):
    ca.sign(place.key, names=place.user)
    wrong = place.visit()
    assert_refused(wrong, "certificate-refused")
    # Where its file is on a machine of that kind; "~dan" of a test is not.
    usual = ("/var/lib/kayad/authorized_keys" if isinstance(place, Gateway)
             else f"~{place.user}/.ssh/authorized_keys")
    assert usual in wrong.remedy
    wrong.remedy = wrong.remedy.replace(usual, str(place.file))
    place.mend(wrong, r"echo 'cert-authority[^;]*", {})
    assert_well(place.visit())


def test_an_authority_that_the_servers_file_does_not_have(place, ca):
    ca.sign(place.key, names=place.user)
    wrong = place.with_file()
    assert_refused(wrong, "authority-not-in-file")
    place.mend(wrong, r"echo 'cert-authority.*")
    assert_well(place.with_file())


@pytest.mark.parametrize("place", ["sshd"], indirect=True)
def test_an_authority_whose_line_is_too_long_to_be_shown(place, tmp_path):
    ca = Authority(tmp_path / "ca", "rsa", 4096)
    names = [letter * 79 for letter in "abc"]
    ca.sign(place.key, names=",".join(names))
    far = ".".join(["far" * 20] * 4) + ":1883"
    wrong = place.with_file("-b", far)
    assert_refused(wrong, "authority-not-in-file")
    place.mend(wrong, r"echo .*", {"CA.pub": tmp_path / "ca.pub"})
    line = place.file.read_text()
    assert f'permitopen="{far}"' in line
    assert line.endswith(f" {ca.public.strip()}\n")


@pytest.mark.parametrize("options", ["", "restrict,port-forwarding"])
def test_an_authority_whose_line_does_not_say_so(place, ca, options):
    place.admit(f"{options} {ca.public.strip()}".strip())
    ca.sign(place.key, names=place.user)
    wrong = place.with_file()
    assert_refused(wrong, "line-not-authority")
    assert "without cert-authority" in wrong.cause
    place.mend(wrong, r"sed -i .*")
    assert_well(place.with_file())


@pytest.mark.parametrize("option,code", [
    ('from="192.168.1.*"', "line-from"),
    ('expiry-time="20200101"', "line-expired")])
def test_an_authoritys_line_that_holds_no_more(place, ca, option, code):
    place.admit(line_of(place, ca, "," + option))
    ca.sign(place.key, names=place.user)
    wrong = place.with_file()
    assert_refused(wrong, code)
    assert "the authority of" in wrong.cause
    place.mend(wrong, r"sed -i .*")
    assert_well(place.with_file())


def test_a_comma_in_place_of_the_space_on_an_authoritys_line(place, ca):
    place.admit(make_key(place.key.with_name("first")).strip())
    place.admit(f"cert-authority,restrict,port-forwarding,permitopen="
                f'"{place.target}",{ca.public.strip()}')
    ca.sign(place.key, names=place.user)
    wrong = place.with_file()
    assert_refused(wrong, "line-void")
    place.mend(wrong, r"kaya keys lint --fix .*")
    assert_well(place.with_file())


def test_an_authoritys_line_that_lets_its_certificates_go_nowhere(place, ca):
    place.admit(f"cert-authority,restrict {ca.public.strip()}")
    ca.sign(place.key, names=place.user)
    wrong = place.with_file()
    assert (wrong.status, wrong.layer, wrong.code) == (
        4, "forwarding", "line-no-forwarding"), wrong
    place.mend(wrong, r"sed -i .*")
    assert_well(place.with_file())


# ---- TrustedUserCAKeys ----

@pytest.fixture
def trusting(tmp_path, home, doctor, ca):
    """A stock sshd that trusts one authority for all its users."""
    trusted = tmp_path / "trusted"
    trusted.write_text(ca.public)
    with Stock(tmp_path, home, doctor,
               f"TrustedUserCAKeys {trusted}") as place:
        yield place


def test_an_authority_of_the_whole_server(trusting, ca):
    ca.sign(trusting.key, names=trusting.user)
    assert_well(trusting.visit())


@pytest.mark.parametrize("code,options", [
    ("certificate-expired", {"valid": "-2h:-1h"}),
    ("certificate-not-yet", {"valid": "+1h:+2h"}),
    ("certificate-user", {"names": "pump-7"}),
    ("certificate-user", {"names": None})])
def test_what_an_authority_of_the_whole_server_signed_wrongly(
        trusting, ca, code, options):
    ca.sign(trusting.key, **{"names": trusting.user, **options})
    wrong = trusting.visit()
    assert_refused(wrong, code)
    trusting.mend(wrong, r"ssh-keygen -s CA [^;]*",
                  {"-s CA": f"-q -s {ca.path}"})
    assert_well(trusting.visit())


def test_another_authority_than_the_servers(trusting, tmp_path):
    Authority(tmp_path / "other").sign(trusting.key, names=trusting.user)
    wrong = trusting.visit()
    assert_refused(wrong, "certificate-refused")
    seen = trusting.doctor.take(wrong, r"sshd -T \| [^;]*", {
        "sshd -T": f"{peers.find('sshd')} -T -f {trusting.etc}/sshd_config"})
    assert str(tmp_path / "trusted") in seen.stdout
    wrong.remedy = wrong.remedy.replace(
        f"~{trusting.user}/.ssh/authorized_keys", str(trusting.file))
    trusting.mend(wrong, r"echo 'cert-authority[^;]*")
    assert_well(trusting.visit())
