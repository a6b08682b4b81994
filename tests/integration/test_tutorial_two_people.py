"""doc/tutorial-two-people: its files do what it says, in both languages."""

import re
import shutil
import os

import pytest

import devices
import peers
from devices import home, run  # noqa: F401
from tunnels import Subscriber

TOPIC = "plant/valve-1/set"


def blocks(language):
    """The pieces that stand four columns in."""
    text = (peers.ROOT / f"doc/tutorial-two-people{language}.md").read_text()
    found = re.findall(r"(?:^(?:    .*)?\n)+", text, re.M)
    return [re.sub("^    ", "", block, flags=re.M).strip() + "\n"
            for block in found if block.strip()]


def block(language, first, which=0):
    return [each for each in blocks(language)
            if each.startswith(first)][which]


def write(path, text, like=None):
    fresh = path.with_name(path.name + "~")
    fresh.write_text(text)
    fresh.chmod(0o600)
    if like is not None and os.geteuid() == 0:
        shutil.chown(fresh, like.owner())
    fresh.rename(path)


def set_policy(kayad, text):
    before = len(re.findall("event=reloaded", kayad.log()))
    write(kayad.state / "policy.yaml", text, kayad.state)
    peers.wait_until(lambda: len(re.findall(
        "event=reloaded", kayad.log())) > before, "the policy is read")


class Stage:
    def __init__(self, kayad, folder, home):  # noqa: F811
        self.dest, self.keys = f"127.0.0.1:{kayad.port}", {}
        for name in ("ann", "bob", "valve-1", "pump-7"):
            self.keys[name] = folder / name
            kayad.admit(peers.make_key(self.keys[name]), name)
        devices.know(home, kayad.port)

    def words(self, command, name, *words):
        return [command, "--key", self.keys[name], self.dest, *words]


@pytest.fixture
def stage(kayad, tmp_path, home):  # noqa: F811
    return Stage(kayad, tmp_path, home)


def test_both_languages_show_the_same():
    assert blocks("") == blocks(".ja")


def test_the_gateway_holds_the_command(kayad, stage):
    set_policy(kayad, block("", "roles:", 0))
    with devices.Kaya(*stage.words("sub", "valve-1", "-t", TOPIC)) as valve:
        assert run(*stage.words("pub", "ann", "-t", TOPIC, "-m",
                                "close")).returncode == 0
        peers.wait_until(lambda: run(*stage.words(
            "pub", "ann", "-t", TOPIC, "-m", "close")).returncode == 0 and
            valve.logged("close"), "the valve listens")
        with devices.Kaya(*stage.words("request", "ann", "-t", TOPIC, "-m",
                                       "open")) as request:
            pending = peers.wait_until(
                lambda: run(*stage.words("pending", "bob")).stdout,
                "the command waits")
            command = re.search("id ([0-9a-f]{16})", pending).group(1)
            assert f"{TOPIC}: open" in pending and not valve.logged("open")
            own = run(*stage.words("approve", "ann", command))
            assert own.returncode == 4
            assert run(*stage.words("approve", "bob",
                                    command)).stdout.endswith("released\n")
            assert request.wait() == 0
            assert request.log() == f"done: {command}, bob agreed\n"
            valve.wait_for_log("open")


def test_the_valve_judges_for_itself(kayad, stage, tmp_path):
    set_policy(kayad, block("", "roles:", 1).replace(
        "[ann, bob]", "[ann, bob, pump-7]"))
    write(tmp_path / "allowed_signers", "".join(
        f"{name} {stage.keys[name].with_suffix('.pub').read_text()}"
        for name in ("ann", "bob", "pump-7")))
    rules = block("", "actuator:")
    write(tmp_path / "guard.yaml", rules)
    port = peers.free_port()
    with devices.Kaya("tunnel", "-i", stage.keys["valve-1"], "-L", port,
                      "--guard", tmp_path / "guard.yaml",
                      stage.dest) as tunnel:
        tunnel.wait_for_log("event=ready")
        with Subscriber(port, TOPIC, "-F", "MOVED %p") as valve:
            assert run(*stage.words("pub", "ann", "-t", TOPIC, "-m",
                                    "open")).returncode == 0
            tunnel.wait_for_log("event=refuse .*came without signatures")
            with devices.Kaya(*stage.words(
                    "request", "ann", "-t", TOPIC, "-m", "open",
                    "--actuator", "valve-1")) as request:
                command = request.wait_for_log(
                    r"(valve-1\.[0-9a-f]{16}) waits").group(1)
                assert command in run(*stage.words(
                    "pending", "bob", "--guards")).stdout
                assert not valve.logged("MOVED")
                approve = run(*stage.words("approve", "bob", command))
                assert approve.stdout == "done\n", approve.stderr
                assert request.wait() == 0
            valve.wait_for_log("MOVED open")
            # A role and a word more, and a pump agrees.
            head = rules[:rules.index("roles:")]
            write(tmp_path / "guard.yaml", head + block("", "roles:", 2))
            tunnel.wait_for_log("event=changed")
            flow = tmp_path / "flow"
            flow.write_text("0\n")
            with devices.Kaya(*stage.words(
                    "permit", "pump-7", "--actuator", "valve-1", "-t", TOPIC,
                    "--while-file", f"{flow}=1")) as pump:
                pump.wait_for_log("event=ready")
                with devices.Kaya(*stage.words(
                        "request", "ann", "-t", TOPIC, "-m", "open",
                        "--actuator", "valve-1")) as request:
                    pump.wait_for_log("event=not-now")
                    flow.write_text("1\n")
                    assert request.wait() == 0
                    assert request.logged("signed by ann and pump-7")
            assert run(*stage.words("pub", "bob", "-t", TOPIC, "-m",
                                    "close")).returncode == 0
            valve.wait_for_log("MOVED close")
    verify = run("audit", "verify", tmp_path / "guard.log")
    assert verify.returncode == 0 and verify.stdout.startswith("whole: ")
