"""revoked_keys: what lets nobody in any more, by text and by KRL."""

import json
import subprocess

import pytest

import peers
from certificates import Authority
from peers import KAYAD, make_key
from tunnels import Tunnel, publish


class Gateway(peers.Kayad):
    """With a file of revoked keys, empty at first."""

    def __init__(self, folder, text=""):
        lists = folder / "lists"
        lists.mkdir()
        lists.chmod(0o755)  # to be watched
        self.revoked = lists / "revoked_keys"
        self.put(text.encode())
        super().__init__(folder, config=f"revoked_keys: {self.revoked}\n")

    def put(self, content):
        """In the place of the file before, at once."""
        fresh = self.revoked.with_name("fresh")
        fresh.write_bytes(content)
        fresh.chmod(0o644)
        fresh.rename(self.revoked)

    def revoke(self, *lines, authority=None):
        """By a KRL of ssh-keygen's."""
        folder = self.revoked.parent.parent
        (folder / "spec").write_text("\n".join(lines) + "\n")
        subprocess.run(
            ["ssh-keygen", "-q", "-k", "-f", folder / "krl",
             *(["-s", authority] if authority else []), folder / "spec"],
            check=True, stdin=subprocess.DEVNULL)
        self.put((folder / "krl").read_bytes())


@pytest.fixture
def gateway(tmp_path):
    with Gateway(tmp_path) as gateway:
        yield gateway
    print(gateway.log())


@pytest.fixture
def authority(gateway, tmp_path):
    made = Authority(tmp_path / "ca")
    made.let_in(gateway)
    return made


def certify(authority, path, *words, **options):
    """A device's key with its certificate; the key's path."""
    make_key(path)
    authority.sign(path, *words, **options)
    return path


def refused(gateway, key, reason):
    with pytest.raises(AssertionError, match="Permission denied"):
        Tunnel(gateway, key)
    gateway.wait_for_log(f"event=refuse .*why=.*{reason}")


def assert_cut_off(gateway, tunnel, key, reason):
    """Who is in has to leave, and stays out."""
    assert tunnel.wait(20) == 255
    gateway.wait_for_log(f"event=close .*let in any more: .*{reason}")
    refused(gateway, key, reason)


def test_a_revoked_key_leaves_and_stays_out(gateway, key, tmp_path):
    public = key.with_suffix(".pub").read_text()
    gateway.admit(public, "dan")
    other = tmp_path / "other"
    gateway.admit(make_key(other), "ann")
    with Tunnel(gateway, other) as stays:
        with Tunnel(gateway, key) as tunnel:
            gateway.put(f"# stolen\n{public}".encode())
            assert_cut_off(gateway, tunnel, key, "the key is revoked")
        gateway.wait_for_log(r"keys event=void where=\S+authorized_keys:1:\d+ "
                             'why="the key is revoked"')
        publish(stays.port, "t", "x")
        gateway.put(b"")
        gateway.admit("", None, "# reloaded")
        with Tunnel(gateway, key) as tunnel:
            publish(tunnel.port, "t", "x")


def test_a_revoked_authority_takes_all_its_certificates_along(
        gateway, authority, tmp_path):
    key = certify(authority, tmp_path / "key")
    with Tunnel(gateway, key) as tunnel:
        gateway.put(authority.public.encode())
        assert_cut_off(gateway, tunnel, key, "authority is revoked")


@pytest.mark.parametrize("line", [
    "serial: 7", "serial: 5-9", "id: pump 7", "key: {public}",
    "sha1: {public}", "sha256: {public}", "hash: {fingerprint}",
    "serial: 3\nserial: 5\nserial: 7\nserial: 11\nserial: 13\nserial: 17\n"
    "serial: 19\nserial: 23\nserial: 29",
], ids=["serial", "range", "key-id", "key", "sha1", "sha256", "hash",
        "bitmap"])
def test_a_krl_revokes_one_certificate_and_no_other(
        gateway, authority, tmp_path, line):
    key = certify(authority, tmp_path / "key", "-z", "7", identity="pump 7")
    other = certify(authority, tmp_path / "other", "-z", "4",
                    identity="pump 4", names="pump-4")
    public = f"{key}.pub"
    fingerprint = subprocess.run(
        ["ssh-keygen", "-lf", public], capture_output=True, text=True,
        check=True).stdout.split()[1]
    with Tunnel(gateway, other) as stays:
        with Tunnel(gateway, key) as tunnel:
            gateway.revoke(
                line.format(public=open(public).read().strip(),
                            fingerprint=fingerprint),
                authority=f"{authority.path}.pub")
            assert_cut_off(gateway, tunnel, key,
                           "the certificate, or its key, is revoked")
        publish(stays.port, "t", "x")
        assert stays.is_running()


def test_a_serial_of_another_authority_is_nobodys(
        gateway, authority, tmp_path):
    key = certify(authority, tmp_path / "key", "-z", "7")
    other = Authority(tmp_path / "other")
    with Tunnel(gateway, key) as tunnel:
        gateway.revoke("serial: 7", authority=f"{other.path}.pub")
        gateway.admit(make_key(tmp_path / "another"), "ann")
        publish(tunnel.port, "t", "x")
        assert tunnel.is_running()


# ---- a file that is not what it should be ----

def check(folder, *words):
    return subprocess.run(
        [KAYAD, "-t", "-c", folder / "kayad.conf", "--state",
         folder / "state", *words], capture_output=True, text=True,
        timeout=30)


@pytest.mark.parametrize("content,reason", [
    (None, "No such file or directory"),
    (b"ssh-ed25519 AAAA\n", "revoked_keys:1:13: "),
    (b"serial: 7\n", "what ssh-keygen makes a KRL of"),
    (b"SSHKRL\n\0\0\0\0\1", "a malformed header"),
], ids=["missing", "no-key", "specification", "cut-off"])
def test_a_file_that_cannot_be_read_lets_nobody_in(
        tmp_path, content, reason):
    revoked, config = tmp_path / "revoked_keys", tmp_path / "kayad.conf"
    if content is not None:
        revoked.write_bytes(content)
        revoked.chmod(0o644)
    config.write_text(f"revoked_keys: {revoked}\n")
    tested = check(tmp_path)
    assert tested.returncode == 2
    assert reason in tested.stderr and "remedy: " in tested.stderr
    started = subprocess.run(
        [KAYAD, "-c", config, "--state", tmp_path / "state", "--listen",
         "127.0.0.1:0"], capture_output=True, text=True, timeout=30)
    assert started.returncode == 2
    assert reason in started.stderr
    assert "ready " not in started.stderr


def test_the_place_of_a_fault_and_revoked_lines_as_json(tmp_path):
    key, state = tmp_path / "key", tmp_path / "state"
    public = make_key(key)
    state.mkdir()
    (state / "authorized_keys").write_text("\n" + public + "\n")
    revoked = tmp_path / "revoked_keys"
    (tmp_path / "kayad.conf").write_text(f"revoked_keys: {revoked}\n")
    revoked.write_text(public + "\n\nno key\n")
    fault, = json.loads(check(tmp_path, "--json").stdout)["faults"]
    assert (fault["file"], fault["line"]) == (str(revoked), 3)
    revoked.write_text(public + "\n")
    warning, = json.loads(check(tmp_path, "--json").stdout)["warnings"]
    assert warning["what"] == "the key is revoked" and warning["line"] == 2


@pytest.mark.parametrize("spoil", [
    lambda gateway: gateway.put(b"no key\n"),
    lambda gateway: gateway.put(b"SSHKRL\n\0\0\0\0\1"),
    lambda gateway: gateway.revoked.chmod(0o666),
    lambda gateway: gateway.revoked.unlink(),
], ids=["no-key", "cut-off", "others-may-write", "missing"])
def test_a_bad_file_at_a_reload_leaves_the_one_before_in_force(
        tmp_path, spoil):
    key, other = tmp_path / "key", tmp_path / "other"
    with Gateway(tmp_path, make_key(key)) as gateway:
        gateway.admit(key.with_suffix(".pub").read_text(), "dan")
        gateway.admit(make_key(other), "ann")
        with Tunnel(gateway, other) as stays:
            spoil(gateway)
            gateway.wait_for_log("event=reload-refused ")
            refused(gateway, key, "the key is revoked")
            publish(stays.port, "t", "x")
            # And a good one is seen again.
            gateway.put(b"")
            gateway.wait_for_log("event=reload-refused [\\s\\S]*"
                                 "event=reloaded")
            with Tunnel(gateway, key) as tunnel:
                publish(tunnel.port, "t", "x")
