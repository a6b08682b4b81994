"""peers: the real programs that the tests run, started and stopped for them.

Each is a context manager; each listens on a free port of loopback, keeps its
files in a folder of its own, shows its log when a test fails, and is ended by
its pid. Nothing waits by sleeping: everything waits for a condition, with a
deadline.
"""

import contextlib
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("KAYA_BUILD", "build")
KAYAD = BUILD / "src/gateway/kayad"
KAYA = BUILD / "src/cli/kaya"
# What kayad is run by, as valgrind: KAYA_WRAP="valgrind --quiet ..."
WRAP = os.environ.get("KAYA_WRAP", "").split()
DEADLINE = 30


def wait_until(condition, what, deadline=DEADLINE):
    """Wait for a condition to be true; its value."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline} s: {what}")
        time.sleep(0.02)


def _ports():
    """Below those that the kernel gives to whoever connects somewhere.

    Between being found free and being used, such a one might go to another.
    Each of pytest's workers has ports of its own, side by side: kaya proposes
    the next one where one is taken.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % WORKERS
    count = (32768 - 10000) // WORKERS
    first = os.getpid() % count
    while True:
        for i in range(count):
            yield 10000 + worker * count + (first + i) % count


WORKERS = 8
TAKEN_BY_NAME = range(22880, 22900)  # kaya tunnel's own, and its neighbours
ports = _ports()


def free_port():
    """A port of loopback that nobody listens on now."""
    for port in ports:
        if port in TAKEN_BY_NAME:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def end_all_in(network):
    """End what a server left in a network of the test's own, by its stat.

    As sshd's child does that speaks for somebody who is gone without a word.
    """
    for path in pathlib.Path("/proc").glob("[0-9]*/ns/net"):
        with contextlib.suppress(OSError):
            if os.path.samestat(path.stat(), network):
                os.kill(int(path.parts[2]), signal.SIGKILL)


class Process:
    """A program of ours: its output, its end."""

    def __init__(self, command, env=None, cwd=None, stdin=subprocess.DEVNULL):
        self.command = [str(word) for word in command]
        self.lines = []
        self.condition = threading.Condition()
        self.process = subprocess.Popen(
            self.command, stdin=stdin, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=env, cwd=cwd)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self.condition:
                self.lines.append(line.decode(errors="replace"))
                self.condition.notify_all()
        with self.condition:
            self.condition.notify_all()

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        with self.condition:
            return "".join(self.lines)

    def logged(self, pattern):
        return re.search(pattern, self.log())

    def wait_for_log(self, pattern, deadline=DEADLINE):
        """Wait for a line that matches; the match."""
        end = time.monotonic() + deadline
        with self.condition:
            while True:
                match = re.search(pattern, "".join(self.lines))
                if match:
                    return match
                left = end - time.monotonic()
                if left <= 0 or not self.reader.is_alive():
                    raise AssertionError(
                        f"{self.command[0]} never said {pattern!r}, but:\n"
                        + "".join(self.lines))
                self.condition.wait(min(left, 1))

    def is_running(self):
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, deadline=DEADLINE):
        """Wait for its end; the exit status."""
        status = self.process.wait(deadline)
        self.reader.join(5)
        return status

    def terminate(self):
        self.process.terminate()

    def stop(self):
        """End it.

        It is asked again each second: mosquitto forgets a SIGTERM that comes
        between its word that it runs and its first turn.
        """
        for _ in range(15):
            if not self.is_running():
                break
            self.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1)
        else:
            self.process.kill()
            self.process.wait()
            self.reader.join(5)
            raise AssertionError(
                f"it does not end on SIGTERM: {' '.join(self.command)}\n"
                f"{self.log()}")
        self.reader.join(5)

    def __enter__(self):
        return self

    def __exit__(self, kind, *unused):
        self.stop()
        if kind is not None:
            print(f"---- {' '.join(self.command)}\n{self.log()}")


class Kayad(Process):
    """The gateway, in a state folder of its own."""

    def __init__(self, folder, config=None, arguments=(), wait=True):
        folder = pathlib.Path(folder)
        let_through(folder)
        self.state = folder / "state"
        self.state.mkdir(exist_ok=True)
        self.authorized_keys = self.state / "authorized_keys"
        command = [*WRAP, KAYAD, "--state", self.state]
        if "--listen" not in arguments:
            command += ["--listen", "127.0.0.1:0"]
        if config is not None:
            self.config = folder / "kayad.conf"
            self.config.write_text(config)
            command += ["-c", self.config]
        super().__init__([*command, *arguments])
        self.port = None
        if wait:
            try:
                self.wait_until_ready()
            except BaseException:
                self.stop()
                raise

    def wait_until_ready(self):
        match = self.wait_for_log(r"ready .*listen=\S+:(\d+)")
        self.port = int(match.group(1))
        self.fingerprint = self.wait_for_log(
            r"host_key=(SHA256:\S+)").group(1)

    def host_key_line(self):
        """For known_hosts."""
        scan = subprocess.run(
            ["ssh-keyscan", "-t", "ed25519", "-p", str(self.port),
             "127.0.0.1"], capture_output=True, text=True, check=True)
        return scan.stdout

    def admit(self, public_key, name=None, options="restrict,port-forwarding"):
        """Let a key in; returns when the gateway has read it."""
        line = public_key.strip()
        if name is not None:
            options += ("," if options else "") + f'environment="KAYA_ID={name}"'
        if options:
            line = options + " " + line
        before = len(re.findall("event=reloaded", self.log()))
        text = (self.authorized_keys.read_text()
                if self.authorized_keys.exists() else "")
        fresh = self.authorized_keys.with_name("authorized_keys.new~")
        fresh.write_text(text + line + "\n")
        fresh.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(fresh, self.state.owner())
        fresh.rename(self.authorized_keys)
        try:
            wait_until(lambda: len(re.findall(
                "event=reloaded", self.log())) > before or
                not self.is_running(), "the keys are read")
            assert self.is_running(), "kayad has ended"
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{self.log()}") from error

    def replace(self, policy, text):
        """A policy by another one; returns when the gateway has read it."""
        before = self.log().count("event=reload")
        fresh = policy.with_suffix(".new~")
        fresh.write_text(text)
        fresh.chmod(0o644)
        fresh.rename(policy)
        wait_until(lambda: self.log().count("event=reload") > before,
                   "the policy is read")

    def stop(self):
        super().stop()
        # What sanitizers or valgrind found in either process.
        assert not self.logged(r"Sanitizer|runtime error:|==\d+=="), \
            self.log()

    def children(self):
        """The pids of all its processes, its own first."""
        found, todo = [], [self.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            try:
                with open(f"/proc/{pid}/task/{pid}/children") as file:
                    todo += [int(word) for word in file.read().split()]
            except FileNotFoundError:
                pass
        return found

    def memory_kb(self):
        """PSS of the gateway's two processes, the broker left out."""
        total = 0
        for pid in self.children():
            try:
                name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
                text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if name == "kayad":
                total += int(re.search(r"^Pss:\s+(\d+)", text, re.M).group(1))
        return total


def let_through(folder):
    """Let anybody pass through the folders on the way.

    A program that is started as root becomes somebody else, who must get to
    the folder that the test made for it.
    """
    if os.geteuid() != 0:
        return
    for parent in (folder, *folder.parents):
        mode = parent.stat().st_mode
        if mode & 0o011 != 0o011:
            parent.chmod(mode | 0o011)


def give_away(path):
    """To whom kayad becomes where it is started as root."""
    if os.geteuid() == 0:
        names = {line.split(":")[0] for line in open("/etc/passwd")}
        shutil.chown(path, "kayad" if "kayad" in names else "daemon")


class Mosquitto(Process):
    """A broker on a port of loopback; with users, it asks for passwords."""

    def __init__(self, folder, users=None, extra="", port=None):
        folder = pathlib.Path(folder)
        folder.mkdir(exist_ok=True)
        let_through(folder)
        self.port = port or free_port()
        config = f"listener {self.port} 127.0.0.1\nlog_dest stderr\n{extra}\n"
        if users:
            passwords = folder / "passwords"
            passwords.write_text("".join(
                f"{name}:{password}\n" for name, password in users.items()))
            passwords.chmod(0o600)
            subprocess.run(["mosquitto_passwd", "-U", passwords], check=True)
            if os.geteuid() == 0:
                passwords.chmod(0o644)
            config += f"password_file {passwords}\n"
        else:
            config += "allow_anonymous true\n"
        path = folder / "mosquitto.conf"
        path.write_text(config)
        super().__init__([find("mosquitto"), "-c", path])
        try:
            wait_until(lambda: is_listening(self.port) or
                       not self.is_running(), "mosquitto listens")
            assert self.is_running(), self.log()
        except BaseException:
            self.stop()
            raise


class Sshd(Process):
    """OpenSSH's sshd, as an ordinary program on a port of loopback."""

    def __init__(self, folder, extra="", sshd=None):
        folder = pathlib.Path(folder)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        self.port = free_port()
        self.user = os.environ.get("USER") or os.environ.get("LOGNAME")
        if os.geteuid() == 0:
            self.user = "root"
            os.makedirs("/run/sshd", exist_ok=True)
        self.host_key = folder / "host_key"
        if not self.host_key.exists():
            make_key(self.host_key)
        self.authorized_keys = folder / "authorized_keys"
        self.authorized_keys.touch()
        self.pid_file = folder / "pid"
        config = folder / "sshd_config"
        # It would shut out this machine, whose keys tests have it refuse.
        penalties = "PerSourcePenalties no\n" if openssh() >= (9, 8) else ""
        config.write_text(
            f"{extra}\n{penalties}Port {self.port}\n"
            f"ListenAddress 127.0.0.1\n"
            f"HostKey {self.host_key}\nPidFile {self.pid_file}\nUsePAM no\n"
            f"StrictModes no\nAuthorizedKeysFile {self.authorized_keys}\n"
            f"PasswordAuthentication no\nLogLevel VERBOSE\n")
        super().__init__([sshd or find("sshd"), "-D", "-e", "-f", config])
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def _wait_until_ready(self):
        """It listens on every address, and handles signals.

        It says so of each address, the one that was named last first; when all
        are done it writes its pid.
        """
        wait_until(lambda: self.pid_file.exists() or not self.is_running(),
                   "sshd is ready")
        assert self.is_running(), self.log()

    def reload(self):
        """Have it read its configuration again, and wait for that."""
        self.reload_by(lambda: self.signal(signal.SIGHUP))

    def reload_by(self, tell):
        self.pid_file.unlink()
        tell()
        self._wait_until_ready()

    def admit(self, public_key, options=""):
        line = f"{options} {public_key.strip()}\n".lstrip()
        with open(self.authorized_keys, "a") as file:
            file.write(line)


def openssh():
    """The version of this machine's."""
    said = subprocess.run(["ssh", "-V"], capture_output=True, text=True).stderr
    found = re.match(r"OpenSSH_(\d+)\.(\d+)", said)
    return int(found.group(1)), int(found.group(2))


class Dropbear(Process):
    """dropbear's server; it lets keys into root's account and no other.

    It reads the account's own ~/.ssh/authorized_keys: it is shown another
    home, by a mount that only it sees.
    """

    user = "root"

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.host_key = folder / "dropbear_host_key"
        subprocess.run(["dropbearkey", "-t", "ed25519", "-f", self.host_key],
                       check=True, capture_output=True)
        home = folder / "home"
        (home / ".ssh").mkdir(parents=True, mode=0o700)
        home.chmod(0o700)
        self.authorized_keys = home / ".ssh/authorized_keys"
        self.authorized_keys.touch(0o600)
        super().__init__([
            *as_root_of_its_mounts(), "sh", "-c",
            'mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh",
            home, pwd.getpwnam("root").pw_dir, find("dropbear"),
            "-F", "-E", "-s", "-r", self.host_key,
            "-p", f"127.0.0.1:{self.port}", "-P", folder / "pid"])
        try:
            wait_until(lambda: is_listening(self.port) or
                       not self.is_running(), "dropbear listens")
            assert self.is_running(), self.log()
        except BaseException:
            self.stop()
            raise

    @staticmethod
    def missing():
        """Why it cannot be run here, or None."""
        tried = subprocess.run([*as_root_of_its_mounts(), "true"],
                               capture_output=True, text=True)
        if tried.returncode != 0:
            return ("dropbear has no home of its own: "
                    + tried.stderr.strip())
        return None

    def admit(self, public_key):
        with open(self.authorized_keys, "a") as file:
            file.write(public_key.strip() + "\n")


def as_root_of_its_mounts():
    """Words that run a command as root, with a mount namespace of its own."""
    if os.geteuid() == 0:
        return ["unshare", "--mount"]
    return ["unshare", "--mount", "--map-root-user"]


class Relay:
    """A TCP relay on loopback that can be cut, stalled and opened again."""

    def __init__(self, port):
        self.target = port
        self.pairs = []
        self.lock = threading.Lock()
        self.stalled = threading.Event()
        self.held_bytes = 0  # that came while it is stalled
        self.port = free_port()
        self.open()

    def open(self):
        """Take connections; again, after a stop()."""
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self.listener,),
                         daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target), 5)
            except OSError:
                near.close()
                continue
            with self.lock:
                self.pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink),
                                 daemon=True).start()

    def _pump(self, source, sink):
        try:
            while True:
                data = source.recv(65536)
                if self.stalled.is_set():
                    self.held_bytes += len(data)
                while self.stalled.is_set():
                    time.sleep(0.05)
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)
        except OSError:
            pass

    def cut(self):
        """Reset every connection that goes through now."""
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for end in pair:
                try:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   b"\1\0\0\0\0\0\0\0")
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                end.close()

    def count(self):
        with self.lock:
            return len(self.pairs)

    def stop(self):
        self.stalled.clear()
        # A close alone would leave it listening for the thread's accept().
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()


def find(program):
    """A program's path, sbin included."""
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    found = shutil.which(program, path=path)
    if found is None:
        raise AssertionError(f"{program} is not installed: make deps")
    return found


def make_key(path, kind="ed25519", bits=None):
    """A key pair by ssh-keygen; the public key's line."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "test",
               "-f", str(path)]
    if bits:
        command += ["-b", str(bits)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return pathlib.Path(f"{path}.pub").read_text().strip()


def stop_by_signal(process, number=signal.SIGTERM, deadline=DEADLINE):
    process.signal(number)
    return process.wait(deadline)
