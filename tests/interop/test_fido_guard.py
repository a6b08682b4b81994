"""A guard's commands, signed by keys in a FIDO token."""

import pytest

import peers
from devices import Server, home  # noqa: F401
from guards import TOPIC, Plant, has_moved, verifies
from peers import wait_until
from test_fido_keys import KINDS, TOKEN, make_token_key


@pytest.fixture
def plant(tmp_path, home):  # noqa: F811
    with Server("sshd", tmp_path, home) as server:
        yield Plant(server, tmp_path)


def give_token(plant, person, kind="ed25519-sk", *words):
    """The person's key is in a token from now on."""
    key = plant.keys[person] = plant.folder / f"{person}-token"
    public = make_token_key(key, kind, *words)
    plant.write(plant.signers, "".join(
        line for line in plant.signers.read_text().splitlines(True)
        if not line.startswith(person + " ")) + f"{person} {public}\n")


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_signs_through_the_agent(plant, tmp_path, monkeypatch, kind):
    give_token(plant, "bob", kind)
    path = tmp_path / "agent"
    statement = tmp_path / "command"
    with peers.Process(["ssh-agent", "-D", "-P", TOKEN, "-a", path]):
        wait_until(path.exists, "the agent's socket")
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        monkeypatch.setenv("SSH_SK_PROVIDER", str(TOKEN))
        peers.subprocess.run(["ssh-add", "-q", plant.keys["bob"]], check=True,
                             stdin=peers.subprocess.DEVNULL)
        monkeypatch.delenv("SSH_SK_PROVIDER")
        with plant, plant.request() as request:
            approve = plant.approve(plant.requested(request), words=[
                "--statement", statement])
            assert approve.returncode == 0, approve.stderr
            assert request.wait() == 0
            has_moved(plant, f"{TOPIC} open")
    assert verifies(plant, "bob", statement, f"{statement}.sig")


def test_a_token_signs_through_ssh_keygen(plant, monkeypatch):
    give_token(plant, "bob")
    monkeypatch.setenv("SSH_SK_PROVIDER", str(TOKEN))
    with plant, plant.request() as request:
        approve = plant.approve(plant.requested(request))
        assert approve.returncode == 0, approve.stderr
        assert request.wait() == 0


def test_a_token_that_nobody_touched_does_not_count(plant, monkeypatch):
    give_token(plant, "bob", "ed25519-sk", "-O", "no-touch-required")
    monkeypatch.setenv("SSH_SK_PROVIDER", str(TOKEN))
    with plant, plant.request() as request:
        approve = plant.approve(plant.requested(request))
        assert approve.returncode == 4
        assert "without being touched" in approve.stderr
        assert plant.moved() == []
