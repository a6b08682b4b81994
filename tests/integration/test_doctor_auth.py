"""kaya doctor, where the server lets no key in, or a key go nowhere.

A server tells no client why: the doctor is given the server's file. Each test
takes the remedy that is printed, and finds that it mends.
"""

import re
import shutil
import subprocess

import pytest

import peers
from devices import Server, home  # noqa: F401
from machines import machine, needs_root  # noqa: F401
from networks import network  # noqa: F401
from patients import (  # noqa: F401
    Clinic, Diagnosis, Place, clinic, doctor, strict)
from peers import free_port, make_key, wait_until
from test_doctor import assert_well
from test_enroll import at_terminal
from tunnels import publish


def assert_refused(diagnosis, code):
    assert (diagnosis.status, diagnosis.layer, diagnosis.code) == (
        4, "auth", code), diagnosis


# ---- a line of the server's file ----

def test_without_the_servers_file_the_remedy_leads_to_it(clinic):
    wrong = clinic.visit()
    assert_refused(wrong, "refused")
    assert str(clinic.key) in wrong.seen("auth")
    again = clinic.doctor.take(wrong, r"kaya doctor --server-file FILE .*",
                               {"FILE": clinic.file}, status=4)
    assert "no line of" in again.stdout


@pytest.mark.parametrize("name,said", [
    ("nowhere", "No such file"), ("empty", "is a folder: name the file in it"),
    ("full", "is a folder: name the file in it")])
def test_a_copy_that_cannot_be_read_is_told(clinic, tmp_path, name, said):
    for folder in ("empty", "full"):
        (tmp_path / folder).mkdir()
    shutil.copy(clinic.file, tmp_path / "full/keys")
    wrong = clinic.visit("--server-file", tmp_path / name)
    assert_refused(wrong, "refused")
    assert any(said in row["seen"] for row in wrong.json["findings"])
    # The other file is not named beside it.
    again = clinic.doctor.take(wrong, r"kaya doctor --server-file FILE .*",
                               {"FILE": clinic.file}, status=4)
    assert "no line of" in again.stdout
    assert wrong.remedy.count("--server-file") == 1


def test_a_gateway_that_refuses_has_the_reason_in_its_log(
        tmp_path, home, doctor):
    with Server("kayad", tmp_path, home) as server:
        other = tmp_path / "other"
        make_key(other)
        wrong = doctor("-i", other, server.dest)
        assert_refused(wrong, "refused")
        assert "journalctl -u kayad" in wrong.remedy
        assert "event=refuse" in wrong.remedy
        server.server.wait_for_log("event=refuse .*no line has this key")


@pytest.mark.parametrize("options,code", [
    ("restrict,port-forwarding,", "line-void"),
    ('from="192.0.2.9" ', "line-from"), ("restrict ", "line-no-forwarding")])
def test_a_file_whose_name_has_blanks(clinic, tmp_path, options, code):
    """A remedy is to be typed as it stands."""
    folder = tmp_path / "the server's copy"
    folder.mkdir()
    clinic.file.write_text(options + clinic.public + "\n")
    copy = shutil.copy(clinic.file, folder)
    wrong = clinic.visit("--server-file", copy)
    assert wrong.code == code, wrong
    clinic.doctor.take(wrong, r"(sed|kaya keys lint) .*")
    clinic.file.write_text((folder / clinic.file.name).read_text())
    assert_well(clinic.visit("--server-file", copy))


def test_a_key_that_is_not_in_the_file(clinic, tmp_path):
    clinic.sshd.admit(make_key(tmp_path / "other"))
    wrong = clinic.with_file()
    assert_refused(wrong, "key-not-in-file")
    assert str(clinic.file) in wrong.cause and str(clinic.key) in wrong.cause
    clinic.doctor.take(wrong, r"kaya keys add .*",
                       {"NAME": f"pump --broker {clinic.target}"})
    assert_well(clinic.with_file())


def test_a_comma_in_place_of_the_space(clinic):
    options = f'restrict,port-forwarding,permitopen="{clinic.target}"'
    clinic.file.write_text(f"# devices\n{options},{clinic.public}\n")
    wrong = clinic.with_file()
    assert_refused(wrong, "line-void")
    assert "line 2 of" in wrong.cause and '","' in wrong.cause
    clinic.doctor.take(wrong, r"kaya keys lint --fix .*")
    assert_well(clinic.with_file())


@pytest.mark.parametrize("line", [
    "restrict, port-forwarding {key}",
    "restrict,port-forwadring {key}",
    "from=127.0.0.1 {key}",
])
def test_other_lines_that_sshd_passes_over(clinic, line):
    clinic.file.write_text(line.format(key=clinic.public) + "\n")
    wrong = clinic.with_file()
    assert_refused(wrong, "line-void")
    assert "line 1 of" in wrong.cause
    clinic.doctor.take(wrong, r"kaya keys lint --fix .*")
    assert_well(clinic.with_file())


def test_a_key_that_was_wrapped(clinic):
    half = len(clinic.public) - 30
    clinic.file.write_text(
        f"{clinic.public[:half]}\n{clinic.public[half:]}\n")
    wrong = clinic.with_file()
    assert_refused(wrong, "line-void")
    clinic.doctor.take(
        wrong, r"(kaya keys lint --fix|sed -i).*",
        {} if "--fix" in wrong.remedy else {"NAME": "pump --broker "
                                            + clinic.target})
    assert_well(clinic.with_file())


def test_a_from_list_that_does_not_hold_this_address(clinic):
    clinic.sshd.admit(clinic.public, 'from="192.168.1.*",restrict,'
                      'port-forwarding')
    wrong = clinic.with_file()
    assert_refused(wrong, "line-from")
    assert "127.0.0.1" in wrong.cause
    clinic.doctor.take(wrong, r"sed -i .*")
    assert 'from="127.0.0.1",restrict' in clinic.file.read_text()
    assert_well(clinic.with_file())


def test_a_key_whose_path_is_many_words(clinic, tmp_path):
    key = tmp_path / "my $(touch owned) key"
    clinic.sshd.admit(make_key(key))
    key.chmod(0o644)
    doubtful = clinic.doctor("-i", key, "-b", clinic.target, clinic.dest)
    assert doubtful.code == "key-file-open", doubtful
    clinic.doctor.take(doubtful, r"chmod 600 .*")
    assert key.stat().st_mode & 0o777 == 0o600
    assert_well(clinic.doctor("-i", key, "-b", clinic.target, clinic.dest))


def test_a_command_that_is_too_long_is_not_cut(clinic):
    """What is cut off leads elsewhere."""
    wrong = clinic.visit("-o", "SetEnv=A=" + 2000 * "x")
    assert "xxx" not in wrong.remedy
    assert wrong.remedy.endswith("--server-file FILE ..."), wrong


@pytest.mark.parametrize("options", [
    'expiry-time="20200101"',
    'expiry-time="20200101",restrict,port-forwarding,expiry-time="20210101"'])
def test_a_line_that_has_expired(clinic, options):
    clinic.sshd.admit(clinic.public, options)
    wrong = clinic.with_file()
    assert_refused(wrong, "line-expired")
    # sshd 9.2 knows no Z behind a day: what is printed must suit it.
    clinic.doctor.take(wrong, r"sed -i .*")
    assert_well(clinic.with_file())


@pytest.mark.parametrize("options", [
    "cert-authority,restrict,port-forwarding",
    "restrict,port-forwarding,cert-authority",
    'Cert-Authority,principals="a,b",restrict,port-forwarding',
    'restrict,principals="a",cert-authority,port-forwarding',
    "cert-authority"])
def test_a_key_as_certificate_authority(clinic, options):
    clinic.sshd.admit(clinic.public, options)
    wrong = clinic.with_file()
    assert_refused(wrong, "line-authority")
    clinic.doctor.take(wrong, r"sed -i .*")
    assert_well(clinic.with_file())


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_file_that_others_may_write(strict, what):
    with strict() as clinic:
        clinic.sshd.admit(clinic.public)
        assert_well(clinic.with_file())
        (clinic.file if what == "file" else clinic.file.parent).chmod(0o777)
        wrong = clinic.with_file()
        assert_refused(wrong, "others-may-write")
        assert "StrictModes" in wrong.cause
        clinic.doctor.take(wrong, r"chmod go-w .*")
        assert_well(clinic.with_file())


def test_a_file_that_belongs_to_somebody_else(strict):
    with strict() as clinic:
        clinic.sshd.admit(clinic.public)
        shutil.chown(clinic.file, "daemon")
        wrong = clinic.with_file()
        assert_refused(wrong, "other-owner")
        assert "belongs to daemon" in wrong.cause
        clinic.doctor.take(wrong, r"chown .*")
        assert_well(clinic.with_file())


def test_a_file_that_would_let_it_in_and_is_not_the_one_read(strict):
    with strict() as clinic:
        copy = clinic.file.with_name("copy")
        copy.write_text(clinic.public + "\n")
        copy.chmod(0o600)
        wrong = clinic.visit("--server-file", copy)
        assert_refused(wrong, "other-file")
        seen = ask_sshd(clinic, wrong)
        assert f"authorizedkeysfile {clinic.file}\n" in seen


def test_a_user_who_may_not_log_in(strict):
    with strict("DenyUsers root") as clinic:
        clinic.sshd.admit(clinic.public)
        wrong = clinic.with_file()
        assert_refused(wrong, "other-file")
        assert "forbids root to log in" in wrong.cause
        assert "denyusers root\n" in ask_sshd(clinic, wrong)


def test_a_user_who_does_not_exist(strict):
    with strict() as clinic:
        clinic.sshd.admit(clinic.public)
        wrong = clinic.with_file("-l", "nobody-is-called-so")
        assert_refused(wrong, "other-file")
        assert "no user nobody-is-called-so" in wrong.cause
        nobody = clinic.doctor.take(wrong, r"getent passwd [\w-]+", status=2)
        assert nobody.stdout == ""


def ask_sshd(clinic, wrong):
    """What the command in the remedy tells of this very server."""
    return clinic.doctor.take(wrong, r"sshd -T -C [^;]*", {
        "sshd -T": f"{peers.find('sshd')} -T -f {clinic.etc}/sshd_config"
    }).stdout


# ---- the keys of this side ----

def test_a_key_file_that_is_not_there(clinic, tmp_path):
    missing = tmp_path / "missing"
    wrong = clinic.doctor("-i", missing, "-b", clinic.target, clinic.dest)
    assert_refused(wrong, "key-file-missing")
    clinic.doctor.take(wrong, r"ssh-keygen .*")
    clinic.sshd.admit(missing.with_suffix(".pub").read_text())
    assert_well(clinic.doctor("-i", missing, "-b", clinic.target,
                              clinic.dest))


def test_a_key_file_that_is_no_key(clinic, tmp_path):
    text = tmp_path / "text"
    text.write_text("hello\n")
    wrong = clinic.doctor("-i", text, clinic.dest)
    assert_refused(wrong, "key-file-malformed")
    clinic.doctor.take(wrong, r"mv [^;]*")
    assert text.with_name("text.old").read_text() == "hello\n"
    clinic.sshd.admit(text.with_name("text.pub").read_text())
    assert_well(clinic.doctor("-i", text, "-b", clinic.target, clinic.dest))


@needs_root
def test_no_key_at_all(machine, monkeypatch):
    """dan has a password at the server and nothing else."""
    monkeypatch.setenv("HOME", "/root")
    for word in ("SSH_AUTH_SOCK", "XDG_STATE_HOME"):
        monkeypatch.delenv(word, raising=False)
    # Where root's enrolments are remembered: in the machine's own.
    machine.run("mount", "-t", "tmpfs", "none", "/var/lib")
    machine.add_user("dan", "right-one")
    machine.sshd_config.write_text("PasswordAuthentication yes\n" +
                                   machine.sshd_config.read_text())
    machine.start_sshd()
    machine.start_mosquitto()
    public = (machine.ssh / "host_key.pub").read_text()
    (machine.root / ".ssh").mkdir(mode=0o700)
    (machine.root / ".ssh/known_hosts").write_text(f"127.0.0.1 {public}")

    def visit():
        return visit_dan(machine, "-b", "localhost:1883", "-p", "22")

    wrong = visit()
    assert_refused(wrong, "no-key")
    command = re.search(r"kaya (enroll .*)", wrong.remedy).group(1)
    assert command == "enroll -b localhost:1883 -p 22 dan@127.0.0.1"
    status, said = at_terminal(
        machine.words(peers.KAYA, *command.split()),
        [(b"assword:", b"right-one")])
    assert status == 0, said
    assert_well(visit())


def visit_dan(machine, *words):
    """From the machine itself."""
    return Diagnosis((), machine.run(
        peers.KAYA, "doctor", "--json", *words, "dan@127.0.0.1", check=False,
        stdin=subprocess.DEVNULL))


@needs_root
def test_an_account_that_anybody_gets_into(machine, monkeypatch):
    """dan's password is empty, and sshd takes that for one."""
    monkeypatch.setenv("HOME", "/root")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    machine.add_user("dan", "")
    (machine.folder / "own/etc-shadow").write_text("dan::19000::::::\n")
    machine.sshd_config.write_text(
        "PermitEmptyPasswords yes\nPasswordAuthentication yes\n"
        "AuthorizedKeysFile /home/dan/keys\nStrictModes no\n"
        + machine.sshd_config.read_text())
    (machine.home / "dan/keys").write_text(machine.public + "\n")
    machine.start_sshd()
    machine.start_mosquitto()
    public = (machine.ssh / "host_key.pub").read_text()
    (machine.root / ".ssh").mkdir(mode=0o700)
    (machine.root / ".ssh/known_hosts").write_text(f"127.0.0.1 {public}")
    key = ("-i", machine.folder / "device")
    wrong = visit_dan(machine, *key)
    assert (wrong.status, wrong.layer, wrong.code) == (
        0, "auth", "anybody"), wrong
    machine.take(re.search(r"sed -i [^;]*", wrong.remedy).group(0))
    assert_well(visit_dan(machine, *key))


def test_a_key_with_a_passphrase(clinic):
    clinic.sshd.admit(clinic.public)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f",
                    clinic.key], check=True, capture_output=True)
    wrong = clinic.visit()
    assert_refused(wrong, "passphrase")
    # What ssh-keygen asks a person for.
    command = re.search(r"ssh-keygen -p [^;]*", wrong.remedy).group(0)
    subprocess.run(command.replace("-p ", "-q -p -P secret "), shell=True,
                   check=True, capture_output=True)
    assert_well(clinic.visit())


def test_a_private_key_that_others_may_read(clinic):
    clinic.sshd.admit(clinic.public)
    clinic.key.chmod(0o644)
    doubtful = clinic.visit()
    assert doubtful.status == 0
    assert doubtful.code == "key-file-open"
    clinic.doctor.take(doubtful, r"chmod 600 .*")
    well = clinic.visit()
    assert_well(well)
    assert well.code is None


def test_a_public_half_of_another_key(clinic, tmp_path):
    clinic.sshd.admit(clinic.public)
    make_key(tmp_path / "other")
    shutil.copy(tmp_path / "other", clinic.key)
    wrong = clinic.visit()
    assert_refused(wrong, "other-half")
    clinic.doctor.take(wrong, r"ssh-keygen -y -f \S+ > [^\s,]+")
    clinic.sshd.admit(clinic.key.with_suffix(".pub").read_text())
    assert_well(clinic.visit())


@pytest.fixture
def agent(tmp_path, monkeypatch):
    path = tmp_path / "agent"
    with peers.Process(["ssh-agent", "-D", "-a", path]) as agent:
        wait_until(path.exists, "the agent listens")
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        yield agent


def add_to_agent(path):
    subprocess.run(["ssh-add", "-q", path], check=True, capture_output=True)


def test_an_agent_with_more_keys_than_the_server_listens_to(
        clinic, home, tmp_path, agent):
    """MaxAuthTries is 6; the right key comes as the eighth."""
    for number in range(7):
        make_key(tmp_path / f"other{number}")
        add_to_agent(tmp_path / f"other{number}")
    add_to_agent(clinic.key)
    config = home / ".ssh/config"
    config.write_text(config.read_text() + f"IdentityFile {clinic.key}\n")
    clinic.sshd.admit(clinic.public)
    wrong = clinic.doctor("-b", clinic.target, clinic.dest)
    assert_refused(wrong, "too-many-keys")
    assert "MaxAuthTries" in wrong.cause
    assert "number 8" in wrong.seen("auth")
    # Where the server cannot be remembered, with its host key named.
    known = home / ".ssh/known_hosts"
    known.rename(known.with_name("put_away"))
    known.mkdir()
    unknown = clinic.doctor("-b", clinic.target, clinic.dest)
    named = clinic.doctor(
        "-b", clinic.target, "--host-key",
        re.search(r"SHA256:\S+", unknown.seen("host-key")).group(0),
        clinic.dest)
    assert_refused(named, "too-many-keys")
    known.rmdir()
    known.with_name("put_away").rename(known)
    again = clinic.doctor.take(wrong, r"kaya doctor -i [^(]*")
    assert again.returncode == 0, again.stdout


def test_the_agents_right_key_comes_in_time(clinic, home, tmp_path, agent):
    add_to_agent(clinic.key)
    clinic.sshd.admit(clinic.public)
    assert_well(clinic.doctor("-b", clinic.target, clinic.dest))


def test_a_server_that_takes_rsa_with_sha_1_only(tmp_path, home, doctor):
    with Clinic(tmp_path, home, doctor, "PubkeyAcceptedAlgorithms ssh-rsa",
                kind="rsa") as clinic:
        clinic.sshd.admit(clinic.public)
        wrong = clinic.visit()
        assert_refused(wrong, "sha1-only")
        assert "SHA-1" in wrong.cause
        words = re.search(r"-o PubkeyAcceptedAlgorithms=\S+",
                          wrong.remedy).group(0).split()
        assert_well(clinic.visit(*words))
        clinic.tunnels(wrong, r"kaya tunnel .*")


def signatures_named_by(clinic):
    """server-sig-algs (RFC 8308, section 3.1), as ssh hears it."""
    told = subprocess.run(
        ["ssh", "-F", "none", "-vv", "-o", "BatchMode=yes", "-o",
         f"UserKnownHostsFile={clinic.home}/.ssh/known_hosts", "-i",
         clinic.key, "-p", str(clinic.sshd.port), f"{clinic.user}@127.0.0.1",
         "true"], capture_output=True, text=True).stderr
    return re.search(r"server-sig-algs=<(.*)>", told).group(1).split(",")


def test_a_server_that_takes_no_rsa_at_all(strict):
    """sshd 9.2 names them all, whatever it takes: the way to see it is what is
    printed. Where sshd names what it takes, the key is not even offered."""
    with strict("PubkeyAcceptedAlgorithms ssh-ed25519", kind="rsa") as clinic:
        clinic.sshd.admit(clinic.public)
        names_rsa = "rsa-sha2-512" in signatures_named_by(clinic)
        wrong = clinic.with_file()
        if not names_rsa:
            assert_refused(wrong, "signature-algorithm")
            return
        assert_refused(wrong, "other-file")
        assert "pubkeyacceptedalgorithms ssh-ed25519\n" in ask_sshd(
            clinic, wrong)


def test_a_key_of_a_type_that_this_side_does_not_allow(
        tmp_path, home, doctor):
    with Clinic(tmp_path, home, doctor, kind="rsa") as clinic:
        clinic.sshd.admit(clinic.public)
        wrong = clinic.visit("-o", "PubkeyAcceptedAlgorithms=ssh-ed25519")
        assert_refused(wrong, "signature-algorithm")
        fresh = tmp_path / "fresh"
        clinic.doctor.take(wrong, r"ssh-keygen -t ed25519 .*",
                           {"FILE": fresh})
        clinic.sshd.admit(fresh.with_suffix(".pub").read_text())
        assert_well(clinic.doctor(
            "-o", "PubkeyAcceptedAlgorithms=ssh-ed25519", "-i", fresh, "-b",
            clinic.target, clinic.dest))


def test_a_server_that_takes_no_keys(tmp_path, home, doctor):
    with Clinic(tmp_path, home, doctor,
                "PubkeyAuthentication no\nKbdInteractiveAuthentication yes"
                ) as clinic:
        clinic.sshd.admit(clinic.public)
        wrong = clinic.visit()
        assert_refused(wrong, "no-publickey")
        clinic.take_at_server(wrong, r"echo")
        assert_well(clinic.visit())


def test_a_server_that_wants_more_than_a_key(tmp_path, home, doctor):
    with Clinic(tmp_path, home, doctor,
                "KbdInteractiveAuthentication yes\n"
                "AuthenticationMethods publickey,keyboard-interactive"
                ) as clinic:
        clinic.sshd.admit(clinic.public)
        wrong = clinic.visit()
        assert_refused(wrong, "more-wanted")
        clinic.take_at_server(wrong, r"printf")
        assert_well(clinic.visit())


@pytest.mark.takes(31)
def test_a_server_that_hangs_up_while_one_logs_in(tmp_path, home, doctor):
    with Clinic(tmp_path, home, doctor, "MaxAuthTries 0") as clinic:
        clinic.sshd.admit(clinic.public)
        wrong = clinic.visit()
        assert_refused(wrong, "closed-while-logging-in")
        assert clinic.user in wrong.cause
        # Where the remedy sends to: there it stands.
        assert wrong.remedy.endswith("journalctl -u ssh -n 20")
        clinic.sshd.wait_for_log("maximum authentication attempts exceeded")
        config = clinic.etc / "sshd_config"
        config.write_text(config.read_text().replace("MaxAuthTries 0\n", ""))
        clinic.sshd.reload()
        assert_well(clinic.visit())


# ---- forwarding ----

def test_localhost_where_permitopen_says_127_0_0_1(clinic):
    clinic.sshd.admit(
        clinic.public,
        f'restrict,port-forwarding,permitopen="{clinic.target}"')
    port = clinic.broker.port
    wrong = clinic.doctor("-i", clinic.key, "-b", f"localhost:{port}",
                          clinic.dest)
    assert (wrong.status, wrong.layer, wrong.code) == (
        4, "forwarding", "other-spelling"), wrong
    assert f"lets this key go to 127.0.0.1:{port} and not to localhost:" \
        f"{port}" in wrong.cause
    # What lies behind is looked at by the spelling that is allowed.
    assert wrong.states("message") == ["ok"]
    words = re.search(r"kaya tunnel (.*?) \(ssh", wrong.remedy).group(1)
    local = free_port()
    with clinic.doctor.tunnel(*words.split(), "-L", local):
        publish(local, "t", "through")
    local = free_port()
    words = re.search(r"-L 22883:(\S+)\)", wrong.remedy).group(1)
    with peers.Process(
            ["ssh", "-F", clinic.doctor.config, "-N", "-v", "-i", clinic.key,
             "-L", f"{local}:{words}", "-p", clinic.sshd.port,
             f"{clinic.user}@127.0.0.1"]) as ssh:
        ssh.wait_for_log("Entering interactive session")
        publish(local, "t", "through")


@pytest.mark.parametrize("options", [
    "restrict",
    "no-port-forwarding",
    'restrict,permitopen="{target}"',
    'restrict,port-forwarding,permitopen="127.0.0.1:1"',
])
def test_a_line_that_lets_nothing_through(clinic, options):
    clinic.sshd.admit(clinic.public, options.format(target=clinic.target))
    wrong = clinic.visit()
    assert (wrong.status, wrong.layer, wrong.code) == (
        4, "forwarding", "prohibited"), wrong
    assert wrong.states("mqtt") == []
    meant = re.search(r'permitopen="[^"]*"', wrong.remedy).group(0)
    before = re.search(r"restrict,port-forwarding", wrong.remedy).group(0)
    clinic.file.write_text(f"{before},{meant} {clinic.public}\n")
    assert_well(clinic.visit())


@pytest.mark.parametrize("options,code,lacks,meant", [
    ("restrict", "line-no-forwarding", "restrict without port-forwarding",
     'restrict,port-forwarding,permitopen="{target}",'
     'permitlisten="localhost:1"'),
    ("no-port-forwarding,no-pty", "line-no-forwarding", "no-port-forwarding",
     'no-pty,permitopen="{target}",permitlisten="localhost:1"'),
    ('port-forwarding,permitopen="{target}",pty,restrict,'
     'command="true \\"x\\""', "line-no-forwarding",
     "restrict behind port-forwarding",
     'permitopen="{target}",pty,restrict,port-forwarding,'
     'command="true \\"x\\"",permitlisten="localhost:1"'),
    ('restrict,port-forwarding,permitopen="127.0.0.1:1",command="echo it\'s"',
     "line-other-target", "no permitopen of it names {target}",
     'restrict,port-forwarding,permitopen="127.0.0.1:1",'
     'command="echo it\'s",permitopen="{target}"'),
])
def test_with_the_servers_file_the_line_that_lets_nothing_through(
        clinic, tmp_path, options, code, lacks, meant):
    other = make_key(tmp_path / "other")
    line = f"{options.format(target=clinic.target)} {clinic.public}"
    clinic.file.write_text(f"# devices\n{other}\n{line}\n")
    wrong = clinic.with_file()
    assert (wrong.status, wrong.layer, wrong.code) == (
        4, "forwarding", code), wrong
    assert f"line 3 of {clinic.file}" in wrong.cause
    assert lacks.format(target=clinic.target) in wrong.cause
    clinic.doctor.take(wrong, r"sed -i .*")
    assert clinic.file.read_text().splitlines() == [
        "# devices", other.strip(),
        f"{meant.format(target=clinic.target)} {clinic.public}".strip()]
    assert_well(clinic.with_file())


def test_a_line_that_is_too_long_to_be_typed_again(clinic):
    clinic.file.write_text(
        f'restrict,command="echo {"x" * 2000}" {clinic.public}\n')
    wrong = clinic.with_file()
    assert wrong.code == "line-no-forwarding", wrong
    assert wrong.remedy.endswith(f'permitopen="{clinic.target}"'), wrong
    assert "line 1 of" in wrong.remedy and "port-forwarding" in wrong.remedy


def test_a_file_that_is_not_the_one_that_let_the_key_in(clinic, tmp_path):
    clinic.sshd.admit(clinic.public, "restrict")
    copy = tmp_path / "copy"
    copy.write_text(make_key(tmp_path / "other"))
    wrong = clinic.visit("--server-file", copy)
    assert wrong.code == "prohibited", wrong
    assert "reads another file" in wrong.seen("forwarding")


def test_with_the_servers_file_a_server_that_forwards_nothing(
        tmp_path, home, doctor):
    with Clinic(tmp_path, home, doctor, "AllowTcpForwarding no") as clinic:
        clinic.sshd.admit(clinic.public)
        wrong = clinic.with_file()
        assert (wrong.status, wrong.layer, wrong.code) == (
            4, "forwarding", "server-prohibits"), wrong
        assert f"line 1 of {clinic.file}" in wrong.cause
        clinic.sshd.reload_by(
            lambda: doctor.take(wrong, r"(?<=at the server: )sed .*"))
        assert_well(clinic.with_file())


def test_a_server_that_forwards_nothing(tmp_path, home, doctor):
    with Clinic(tmp_path, home, doctor, "AllowTcpForwarding no") as clinic:
        clinic.sshd.admit(clinic.public)
        wrong = clinic.visit()
        assert wrong.code == "prohibited"
        assert "AllowTcpForwarding" in wrong.cause


def test_no_broker_behind(clinic):
    clinic.sshd.admit(clinic.public)
    wrong = clinic.doctor("-i", clinic.key, "-b", f"127.0.0.1:{free_port()}",
                          clinic.dest)
    assert (wrong.status, wrong.layer, wrong.code) == (
        3, "forwarding", "no-broker"), wrong
    words = re.search(r"kaya tunnel (-b HOST:PORT .*)", wrong.remedy).group(1)
    local = free_port()
    with clinic.doctor.tunnel(
            *words.replace("HOST:PORT", clinic.target).split(), "-L", local):
        publish(local, "t", "through")


def test_a_broker_whose_name_only_the_client_knows(clinic):
    clinic.sshd.admit(clinic.public)
    wrong = clinic.doctor("-i", clinic.key, "-b", "no-such-broker.invalid:1883",
                          clinic.dest)
    assert (wrong.status, wrong.layer, wrong.code) == (
        3, "forwarding", "broker-no-name"), wrong
    assert "looked up there, not here" in wrong.cause
    clinic.doctor.take(wrong, r"getent ahosts \S+(?=;)", status=2)
    clinic.doctor.port = free_port()
    with clinic.doctor.tunnel(*re.search(
            r"kaya tunnel (-b HOST:PORT .*)", wrong.remedy).group(1).replace(
                "HOST:PORT", clinic.target).split(), "-L",
            clinic.doctor.port):
        publish(clinic.doctor.port, "t", "through")


def test_a_broker_that_listens_on_ipv6_only(clinic, tmp_path):
    port = free_port()
    config = tmp_path / "six.conf"
    config.write_text(f"listener {port} ::1\nallow_anonymous true\n")
    clinic.sshd.admit(clinic.public)
    with peers.Process([peers.find("mosquitto"), "-v", "-c",
                        config]) as broker:
        broker.wait_for_log("running")
        wrong = clinic.doctor("-i", clinic.key, "-b", f"127.0.0.1:{port}",
                              clinic.dest)
        assert (wrong.status, wrong.layer, wrong.code) == (
            3, "forwarding", "broker-elsewhere"), wrong
        local = free_port()
        with clinic.doctor.tunnel(*wrong.remedy.split()[2:], "-L", local):
            publish(local, "t", "through")


def test_a_server_that_hangs_up_while_it_asks_for_the_broker(
        tmp_path, home, network):
    """A firewall drops what sshd sends to the broker, and sshd takes the
    connection for one that nobody uses (UnusedConnectionTimeout)."""
    with Place(tmp_path, home, network) as place:
        config = tmp_path / "sshd/sshd_config"
        before = config.read_text()
        config.write_text(f"UnusedConnectionTimeout 1s\n{before}")
        place.sshd.reload()
        # Not for long, where sshd waits for it.
        place.network.server.run("sysctl", "-qw", "net.ipv4.tcp_syn_retries=1")
        place.network.server.filter("output", "tcp dport 1883 drop")
        wrong = place.visit("broker.test")
        assert (wrong.status, wrong.layer, wrong.code) == (
            3, "forwarding", "lost"), wrong
        # Where the remedy sends to: there it stands.
        assert wrong.remedy.endswith("journalctl -u ssh -n 20")
        place.sshd.wait_for_log("terminating inactive connection")
        config.write_text(before)
        place.sshd.reload()
        wrong = place.visit("broker.test")
        assert (wrong.layer, wrong.code) == (
            "forwarding", "broker-no-way"), wrong
        assert "a firewall before it" in wrong.cause
        place.network.server.run("nft", "flush", "chain", "inet", "filter",
                                 "output")
        assert_well(place.visit("broker.test"))


# ---- keepalive ----

def test_a_way_that_takes_no_more_connections(clinic, tmp_path):
    """A jump host lets so many through as the walk needs, and no more."""
    clinic.sshd.admit(clinic.public)
    jump = peers.Sshd(tmp_path / "jump")
    count = tmp_path / "count"
    script = tmp_path / "proxy"
    hop = (f"exec ssh -F {clinic.doctor.config} -o StrictHostKeyChecking=no "
           f"-o UserKnownHostsFile=/dev/null -i {clinic.key} -p {jump.port} "
           f"-W 127.0.0.1:{clinic.sshd.port} {jump.user}@127.0.0.1\n")
    script.write_text(f"#!/bin/sh\necho >> {count}\n{hop}")
    script.chmod(0o755)
    with jump:
        jump.admit(clinic.public)
        proxy = ("-o", f"ProxyCommand={script}")
        assert_well(clinic.visit(*proxy))
        needed = len(count.read_text())
        count.unlink()
        script.write_text(f"#!/bin/sh\necho >> {count}\n"
                          f"test $(wc -l < {count}) -le {needed} || exit 1\n"
                          f"{hop}")
        wrong = clinic.visit(*proxy, "--idle", "1s")
        assert wrong.states("message") == ["ok"], wrong
        assert wrong.states("keepalive") == ["not-known"], wrong
        assert "no links to let idle" in wrong.seen("keepalive")
        codes = [row["code"] for row in wrong.json["findings"]]
        assert "idle-failed" in codes and wrong.status == 0, wrong
