"""patients: kaya doctor at work: what it says, and its remedy taken."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

import pytest

import devices
import networks
import peers
import tunnels
from devices import home  # noqa: F401

TOOLS = os.pathsep.join([str(peers.KAYA.parent), os.environ.get("PATH", ""),
                         "/usr/sbin", "/sbin"])


class Diagnosis:
    """One visit: the exit status, the JSON, the first cause."""

    def __init__(self, words, done):
        self.words = words
        self.status = done.returncode
        self.stderr = done.stderr
        assert done.stdout, done.stderr
        self.json = json.loads(done.stdout)
        assert self.json["status"] == self.status
        for field in ("layer", "code", "cause", "remedy"):
            setattr(self, field, self.json[field])

    def seen(self, layer):
        """What was seen at a layer; None where it was not looked at."""
        for finding in self.json["findings"]:
            if finding["layer"] == layer:
                return finding["seen"]
        return None

    def states(self, layer):
        return [finding["state"] for finding in self.json["findings"]
                if finding["layer"] == layer]

    def __repr__(self):
        return (f"<{self.status} {self.layer} {self.code}: {self.cause}; "
                f"remedy: {self.remedy}>")


class Doctor:
    """kaya doctor with a test's own ssh_config, as one would call it."""

    def __init__(self, config, prefix=()):
        self.config = config
        self.prefix = list(prefix)
        self.port = peers.free_port()

    def command(self, *words):
        return [*self.prefix, str(peers.KAYA), "doctor", "-F",
                str(self.config), "-L", str(self.port), *map(str, words)]

    def __call__(self, *words, **options):
        words = self.command("--json", *words)
        return Diagnosis(words, subprocess.run(
            words, capture_output=True, text=True, timeout=120,
            stdin=subprocess.DEVNULL, **options))

    def text(self, *words):
        return subprocess.run(
            self.command(*words), capture_output=True, text=True,
            timeout=120, stdin=subprocess.DEVNULL)

    def take(self, diagnosis, pattern, swap=None, status=0):
        """Type the command in the remedy that matches `pattern`.

        `swap` are words in it that stand for the user's own, as FILE, or
        that a test's server has elsewhere. It must end with `status`.
        """
        match = re.search(pattern, diagnosis.remedy)
        assert match, f"{pattern!r} is not in {diagnosis.remedy!r}"
        command = match.group(0)
        for word, value in (swap or {}).items():
            assert word in command, (word, command)
            command = command.replace(word, str(value))
        done = subprocess.run(
            [*self.prefix, "sh", "-c", command], capture_output=True,
            text=True, timeout=120, stdin=subprocess.DEVNULL,
            env={**os.environ, "PATH": TOOLS})
        assert done.returncode == status, (command, done.stdout, done.stderr)
        return done

    def tunnel(self, *words):
        """kaya tunnel, up."""
        tunnel = peers.Process([*self.prefix, peers.KAYA, "tunnel", *words])
        tunnel.wait_for_log("event=up")
        return tunnel


@pytest.fixture
def doctor(home):
    return Doctor(home / ".ssh/config")


class Clinic:
    """A stock sshd that is known, a broker, a key that is let in nowhere."""

    def __init__(self, tmp_path, home, doctor, lines="", users=None,
                 broker_lines="", kind="ed25519", keys=None):
        self.home = home
        self.doctor = doctor
        self.tmp_path = tmp_path
        self.key = tmp_path / "device"
        self.public = peers.make_key(self.key, kind)
        self.broker = peers.Mosquitto(tmp_path / "broker", users,
                                      broker_lines)
        self.etc = tmp_path / "sshd"
        (self.etc / "sshd_config.d").mkdir(parents=True)
        (self.etc / "sshd_config.d").chmod(0o755)
        try:
            self.sshd = peers.Sshd(
                self.etc, f"Include {self.etc}/sshd_config.d/*.conf\n{lines}")
        except BaseException:
            self.broker.stop()
            raise
        # ssh-keyscan would be one of MaxStartups' connections.
        public = self.sshd.host_key.with_suffix(".pub").read_text()
        (home / ".ssh/known_hosts").write_text(
            f"[127.0.0.1]:{self.sshd.port} {public}")
        self.user = self.sshd.user
        self.file = keys or self.sshd.authorized_keys
        self.sshd.authorized_keys = self.file
        self.file.chmod(0o600)
        self.target = f"127.0.0.1:{self.broker.port}"
        self.dest = f"{self.user}@127.0.0.1:{self.sshd.port}"

    def take_at_server(self, diagnosis, pattern, swap=None):
        """A remedy in /etc/ssh, which this sshd has elsewhere."""
        self.doctor.take(diagnosis, pattern + r".*?(?= && systemctl)", {
            "/etc/ssh": self.etc, **(swap or {})})
        assert "systemctl reload ssh" in diagnosis.remedy
        self.sshd.reload()

    def visit(self, *words):
        return self.doctor("-i", self.key, "-b", self.target, *words,
                           self.dest)

    def tunnels(self, diagnosis, pattern):
        """The tunnel in the remedy, typed: a message goes through it."""
        command = re.search(pattern, diagnosis.remedy).group(0)
        with devices.Typed(command) as tunnel:
            tunnel.wait_for_log("event=up")
            tunnels.publish(self.doctor.port, "t", "m", "-q", "1")

    def with_file(self, *words):
        return self.visit("--server-file", self.file, *words)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.sshd.stop()
        self.broker.stop()


class Stock(Clinic):
    """A stock sshd."""

    def admit(self, line):
        with open(self.file, "a") as file:
            file.write(line + "\n")

    def mend(self, wrong, pattern, swap=None):
        self.doctor.take(wrong, pattern, swap)


class Gateway:
    """kayad, with the same to be done to it."""

    def __init__(self, tmp_path, home, doctor):
        self.server = devices.Server("kayad", tmp_path, home)
        self.kayad = self.server.server
        self.doctor = doctor
        self.key, self.target = self.server.key, self.server.target
        self.user, self.file = self.server.user, self.kayad.authorized_keys
        self.dest = self.server.dest

    def admit(self, line):
        options, _, key = line.partition(" ssh-")
        self.kayad.admit(f"ssh-{key}" if key else line,
                         options=options if key else "")

    def mend(self, wrong, pattern, swap=None):
        """It reads its file anew by itself: wait for that."""
        before = self.kayad.log().count("event=reloaded")
        self.doctor.take(wrong, pattern, swap)
        if str(self.file) in re.search(pattern, wrong.remedy).group(0):
            self.wait_until_read(before)

    def wait_until_read(self, before):
        """More often than so often."""
        peers.wait_until(
            lambda: self.kayad.log().count("event=reloaded") > before,
            "the keys are read")

    def visit(self, *words):
        return self.doctor("-i", self.key, "-b", self.target, *words,
                           self.dest)

    def with_file(self, *words):
        return self.visit("--server-file", self.file, *words)

    def __enter__(self):
        # Its key itself, which Server lets in, is not to be let in.
        self.kayad.authorized_keys.write_text("# nobody yet\n")
        self.admit(peers.make_key(self.key.with_name("somebody")))
        self.public = self.key.with_suffix(".pub").read_text().strip()
        return self

    def __exit__(self, *unused):
        self.server.__exit__(*unused)


@pytest.fixture
def clinic(tmp_path, home, doctor):
    with Clinic(tmp_path, home, doctor) as clinic:
        yield clinic


@pytest.fixture
def strict(home, doctor, tmp_path):
    """Makes a Clinic whose file is one that StrictModes would read."""
    if os.geteuid() != 0:
        pytest.skip("needs root: a folder that nobody else can get at")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kaya-doctor-",
                                           dir=os.path.expanduser("~root")))
    keys = folder / "authorized_keys"
    keys.touch(0o600)
    yield lambda lines="", **options: Clinic(
        tmp_path, home, doctor,
        f"StrictModes yes\nAuthorizedKeysFile {keys}\n{lines}", keys=keys,
        **options)
    shutil.rmtree(folder)


class Place:
    """The same in networks of their own: a device that asks a server.

    sshd listens on port 22 of every address, mosquitto on 127.0.0.1:1883.
    """

    def __init__(self, tmp_path, home, network):
        self.network = network
        self.tmp_path = tmp_path
        self.doctor = Doctor(home / ".ssh/config", network.device.prefix)
        self.known_hosts = home / ".ssh/known_hosts"
        self.key = tmp_path / "device"
        public = peers.make_key(self.key)
        config = tmp_path / "broker.conf"
        config.write_text("listener 1883 127.0.0.1\nallow_anonymous true\n")
        self.programs = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            self.broker = stack.enter_context(peers.Process(
                [*network.server.prefix, peers.find("mosquitto"), "-v", "-c",
                 config]))
            self.broker.wait_for_log("running")
            self.sshd = stack.enter_context(peers.Sshd(
                tmp_path / "sshd", "Port 22\n" + "".join(
                    f"ListenAddress {address}\n" for address in
                    (networks.SERVER, networks.SERVER_6)),
                network.server.program(
                    tmp_path / "sshd-there", peers.find("sshd"))))
            self.sshd.admit(public)
            self.programs = stack.pop_all()
        for name in (networks.SERVER, networks.SERVER_6, "broker.test",
                     "four.test", "six.test"):
            self.know(name)

    def restart_sshd(self):
        """It sees then which files its network has in /etc by now."""
        self.sshd.stop()
        host_key, command = self.sshd.host_key, self.sshd.command
        self.sshd = self.programs.enter_context(peers.Process(command))
        self.sshd.host_key = host_key
        self.sshd.wait_for_log("Server listening on " + networks.SERVER + " ")

    def know(self, *names):
        public = self.sshd.host_key.with_suffix(".pub").read_text()
        with open(self.known_hosts, "a") as file:
            file.write("".join(f"{name} {public}" for name in names))

    def visit(self, host, *words):
        return self.doctor("-i", self.key, "-b", "127.0.0.1:1883", *words,
                           f"root@{host}")

    def take_at_server(self, diagnosis, pattern):
        there = Doctor(self.doctor.config, self.network.server.prefix)
        return there.take(diagnosis, pattern)

    def dns(self, *words, where="server"):
        """dnsmasq, there; it knows what `words` tell it."""
        path = peers.shutil.which("dnsmasq", path=TOOLS)
        if path is None:
            pytest.skip("dnsmasq is not installed")
        server = peers.Process(
            [*getattr(self.network, where).prefix, path,
             "--keep-in-foreground",
             "--log-facility=-", "--no-resolv", "--no-hosts", "--conf-file=",
             "--pid-file=", "--user=root", "--local=/test/", *words])
        server.wait_for_log("started")
        return server

    def __enter__(self):
        return self

    def __exit__(self, kind, *unused):
        if kind is not None:
            print(self.sshd.log())
        # A session whose device is gone lives on without its sshd.
        children = pathlib.Path(
            f"/proc/{self.sshd.pid}/task/{self.sshd.pid}/children")
        sessions = (children.read_text().split()
                    if self.sshd.is_running() else [])
        self.sshd.process.terminate()
        for pid in sessions:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        self.programs.close()
