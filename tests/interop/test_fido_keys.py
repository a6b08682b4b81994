"""Keys in a FIDO token -> kayad: by OpenSSH, and by kaya through ssh-agent."""

import subprocess

import pytest

import peers
from devices import Server, home, run  # noqa: F401
from devices import Kaya
from peers import free_port, wait_until
from tunnels import Tunnel, publish

TOKEN = peers.BUILD / "tests/interop/fido_token.so"
KINDS = ["ed25519-sk", "ecdsa-sk"]


def make_token_key(path, kind, *words):
    """ssh-keygen, and a person's finger; the public key's line."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-w", TOKEN, "-N", "",
                    "-C", "test", "-f", path, *words], check=True,
                   stdin=subprocess.DEVNULL, capture_output=True)
    return path.with_suffix(".pub").read_text().strip()


def is_let_in(kayad, key):
    """By ssh: False where all that it offers is refused."""
    done = subprocess.run(
        ["ssh", "-F", "none", "-N", "-i", key, "-p", str(kayad.port),
         "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
         "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes",
         "-o", f"SecurityKeyProvider={TOKEN}", "-o", "ConnectTimeout=10",
         # Ended at once, from this side, by a port that is taken.
         "-o", "ExitOnForwardFailure=yes",
         "-L", f"127.0.0.1:{kayad.port}:127.0.0.1:1883",
         "user@127.0.0.1"], capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL)
    if "Permission denied" in done.stderr:
        return False
    assert "cannot listen to port" in done.stderr, done.stderr
    return True


def admit(kayad, option, public):
    kayad.admit(public, "dan", options="restrict,port-forwarding"
                + ("," if option else "") + option)


@pytest.mark.parametrize("kind", KINDS)
def test_messages_go_round_with_a_key_in_a_token(kind, kayad, tmp_path):
    key = tmp_path / "token"
    kayad.admit(make_token_key(key, kind), "dan")
    with Tunnel(kayad, key, extra=[
            "-o", f"SecurityKeyProvider={TOKEN}"]) as tunnel:
        publish(tunnel.port, "t", "x")


@pytest.mark.parametrize("option,lets_in", [
    ("", False), ("no-touch-required", True)])
def test_a_token_that_was_not_touched(option, lets_in, kayad, tmp_path):
    """sshd(8): without the option a signature must say so."""
    key = tmp_path / "token"
    public = make_token_key(key, "ed25519-sk", "-O", "no-touch-required")
    admit(kayad, option, public)
    assert is_let_in(kayad, key) is lets_in


def test_a_token_that_asked_for_no_pin_where_one_is_demanded(
        kayad, tmp_path):
    key = tmp_path / "token"
    admit(kayad, "verify-required", make_token_key(key, "ed25519-sk"))
    assert not is_let_in(kayad, key)


@pytest.fixture
def agent(tmp_path, monkeypatch):
    path = tmp_path / "agent"
    with peers.Process(["ssh-agent", "-D", "-P", TOKEN, "-a", path]):
        wait_until(path.exists, "the agent's socket")
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        yield path


@pytest.mark.parametrize("named", [True, False], ids=["named", "any"])
@pytest.mark.parametrize("server_kind", ["kayad", "sshd"])
@pytest.mark.parametrize("kind", KINDS)
def test_kaya_logs_in_by_a_token_that_the_agent_asks(
        kind, server_kind, named, tmp_path, home, agent):
    key = tmp_path / "token"
    public = make_token_key(key, kind)
    subprocess.run(["ssh-add", "-q", "-S", TOKEN, key], check=True,
                   stdin=subprocess.DEVNULL)
    with Server(server_kind, tmp_path, home) as server:
        if server_kind == "kayad":
            server.server.admit(public, "token")
        else:
            server.server.admit(public)
        port = free_port()
        words = ["-i", key] if named else []
        with Kaya("tunnel", *words, "-b", server.target, "-L", port,
                  server.dest) as tunnel:
            tunnel.wait_for_log("event=up")
            publish(port, "t", "x")


def test_kaya_without_an_agent_says_what_a_token_needs(tmp_path, home):
    key = tmp_path / "token"
    public = make_token_key(key, "ed25519-sk")
    with Server("kayad", tmp_path, home) as server:
        server.server.admit(public, "token")
        told = run("tunnel", "--once", "-i", key, "-L", free_port(),
                   server.dest)
    assert told.returncode == 2
    assert f"the key {key} is in a FIDO token" in told.stderr
    assert "ssh-add" in told.stderr
