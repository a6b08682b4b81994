"""machines: a server of its own: its network, processes and configuration.

A machine is a set of namespaces. Its /etc/ssh, /etc/mosquitto, /etc/passwd,
/home, /root and the package database are copies that a test may spoil; the
programs are the real ones. The network is a loopback and one address that
stands for the outside. Only root can make one.
"""

import contextlib
import os
import pathlib
import signal
import subprocess

import pytest

import peers
from devices import KAYA
from findings import Findings
from peers import wait_until

OUTSIDE = "192.0.2.1"

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can make namespaces for a machine")

SSHD_CONFIG = """\
HostKey /etc/ssh/host_key
PasswordAuthentication no
KbdInteractiveAuthentication no
ClientAliveInterval 60
PermitRootLogin prohibit-password
"""

MOSQUITTO_CONF = """\
listener 1883 127.0.0.1
allow_anonymous true
"""


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]
    except FileNotFoundError:
        return []


class Program(peers.Process):
    """A program of a machine's: nsenter waits for it, and passes no signal."""

    def terminate(self):
        """As a service manager does, so that what is stopped hears it, too."""
        for pid in children(self.pid):
            for number in (signal.SIGTERM, signal.SIGCONT):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        # It stops itself when its child is stopped.
        self.process.send_signal(signal.SIGCONT)


TIGHT = ('restrict,port-forwarding,permitopen="127.0.0.1:1883",'
         'permitopen="localhost:1883",permitopen="[::1]:1883",'
         'permitlisten="localhost:1",command="/bin/false"')


class Machine:
    def __init__(self, folder):
        self.folder = folder
        self.programs = []
        self.keeper = subprocess.Popen(
            ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc",
             "--kill-child", "--propagation", "private", "sleep", "infinity"],
            stdin=subprocess.DEVNULL)
        try:
            self.pid = wait_until(self._first_pid, "the machine is there")
            self._set_up()
        except BaseException:
            self.stop()
            raise

    def _first_pid(self):
        for pid in children(self.keeper.pid):
            comm = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
            if comm == "sleep":
                return str(pid)
        return None

    def _put(self, path, content=None):
        """An own copy of a path, bound over it; a folder where content is
        None."""
        own = self.folder / "own" / path.strip("/").replace("/", "-")
        own.parent.mkdir(exist_ok=True)
        if content is None:
            own.mkdir()
        else:
            own.write_text(content)
        self.run("mount", "--bind", own, path)
        return own

    def _set_up(self):
        self.run("sh", "-ec", "ip link set lo up; "
                 f"ip addr add {OUTSIDE}/32 dev lo")
        self.ssh = self._put("/etc/ssh")
        self.pid_file = self.ssh / "pid"
        peers.make_key(self.ssh / "host_key")
        self.sshd_config = self.ssh / "sshd_config"
        self.sshd_config.write_text(SSHD_CONFIG)
        self.mosquitto = self._put("/etc/mosquitto")
        self.mosquitto.chmod(0o755)
        self.mosquitto_conf = self.mosquitto / "mosquitto.conf"
        self.mosquitto_conf.write_text(MOSQUITTO_CONF)
        self.home = self._put("/home")
        self.home.chmod(0o755)
        self.root = self._put("/root")
        self.root.chmod(0o700)
        users = [line for line in open("/etc/passwd")
                 if not 1000 <= int(line.split(":")[2]) < 60000]
        self.passwd = self._put("/etc/passwd", "".join(users) +
                                "tunnel:x:990:65534::/home/tunnel:"
                                "/usr/sbin/nologin\n")
        folder = self.home / "tunnel/.ssh"
        folder.mkdir(parents=True, mode=0o700)
        self.keys = folder / "authorized_keys"
        self.keys.write_text("")
        self.keys.chmod(0o600)
        for path in (folder.parent, folder, self.keys):
            os.chown(path, 990, 65534)
        peers.make_key(self.folder / "device")
        self.public = (self.folder / "device.pub").read_text().strip()
        os.makedirs("/run/sshd", exist_ok=True)

    def add_user(self, name, password, uid=1001):
        """Somebody with a shell, a home and a password."""
        digest = subprocess.run(
            ["openssl", "passwd", "-6", password], capture_output=True,
            text=True, check=True).stdout.strip()
        self.passwd.write_text(self.passwd.read_text() + f"{name}:x:{uid}:"
                               f"65534::/home/{name}:/bin/sh\n")
        self._put("/etc/shadow", f"{name}:{digest}:19000::::::\n")
        (self.home / name).mkdir()
        os.chown(self.home / name, uid, 65534)

    def admit(self, options=TIGHT):
        with open(self.keys, "a") as file:
            file.write(f"{options} {self.public}\n".lstrip())

    def words(self, *words):
        return ["nsenter", "-t", self.pid, "-m", "-n", "-p",
                *[str(word) for word in words]]

    def run(self, *words, check=True, **options):
        return subprocess.run(self.words(*words), check=check, text=True,
                              capture_output=True, timeout=60, **options)

    def start(self, *words, log=None):
        program = Program(self.words(*words))
        self.programs.append(program)
        if log:
            program.wait_for_log(log)
        return program

    def start_sshd(self, *words):
        """sshd, up: it writes its pid when it listens on all addresses."""
        self.pid_file.unlink(missing_ok=True)
        self.sshd = self.start("/usr/sbin/sshd", "-D", "-e", "-o",
                               "PidFile=/etc/ssh/pid", *words)
        self._wait_for_sshd()

    def reload_sshd(self):
        pid = self.pid_file.read_text().strip()
        self.pid_file.unlink()
        self.run("kill", "-HUP", pid)
        self._wait_for_sshd()

    def _wait_for_sshd(self):
        wait_until(lambda: self.pid_file.exists() or
                   not self.sshd.is_running(), "sshd is ready")
        assert self.sshd.is_running(), self.sshd.log()

    def start_mosquitto(self):
        self.broker = self.start(
            "/usr/sbin/mosquitto", "-c", "/etc/mosquitto/mosquitto.conf",
            "-v", log="running")

    def systemctl(self, asked):
        """What a service manager would have done."""
        for line in asked.splitlines():
            verb, *names = line.split()
            name = names[0] if names else ""
            if name == "mosquitto":
                if hasattr(self, "broker"):
                    self.broker.stop()
                self.start_mosquitto()
            elif name == "ssh" and verb == "reload":
                self.reload_sshd()
            elif name == "ssh":
                self.start_sshd()
            elif name == "kayad":
                self.start_kayad()

    def start_kayad(self):
        """A gateway; what is left of one before it is ended first."""
        if hasattr(self, "kayad"):
            self.run("sh", "-c", "kill -9 $(pgrep -x kayad)", check=False)
            # nsenter stops with whom it waits for.
            if self.kayad.is_running():
                self.kayad.signal(signal.SIGCONT)
            self.kayad.wait()
        self.kayad = self.start(
            peers.KAYAD, "--state", self.state, "--listen", "127.0.0.1:2222",
            "--broker", "127.0.0.1:1883", log="ready ")

    def take(self, command, functions=""):
        """Type a remedy at this machine; shell functions stand for what the
        machine has not of its own."""
        asked = self.folder / "asked"
        asked.write_text("")
        path = f"{KAYA.parent}:{os.environ['PATH']}:/usr/sbin:/sbin"
        done = self.run(
            "sh", "-c", f'systemctl() {{ echo "$@" >> {asked}; }}\n'
            f'{functions}\n{command}',
            check=False, env={**os.environ, "PATH": path})
        assert done.returncode == 0, (command, done)
        self.systemctl(asked.read_text())

    def doctor(self, *words, user=None):
        become = ["setpriv", f"--reuid={user}", "--regid=65534",
                  "--clear-groups"] if user else []
        done = self.run(*become, KAYA, "doctor", "--json", *words, check=False)
        return Health(done)

    def text(self, *words):
        return self.run(KAYA, "doctor", *words, check=False).stdout

    def reaches_broker(self, address, *words):
        return self.run("mosquitto_pub", "-h", address, "-t", "t", "-m", "m",
                        *words, check=False).returncode == 0

    def stop(self):
        for program in reversed(self.programs):
            program.stop()
        self.keeper.kill()
        self.keeper.wait()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()


class Health(Findings):
    """What it says of a server."""

    def codes(self, *layers):
        return [row["code"] for row in self.findings
                if row["state"] in ("fault", "warning")
                and (row["layer"] in layers if layers
                     else row["layer"] != "clock")]


@pytest.fixture
def machine(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can make namespaces for a machine")
    with Machine(tmp_path) as machine:
        yield machine
