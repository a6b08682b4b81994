"""servers: what is measured: a broker, and a server of each kind before it.

Everything listens on loopback, keeps its files in a temporary folder and is
ended by its pid. A site is one broker with one kind of door to it; each of
the two has an account of its own.
"""

import contextlib
import os
import pathlib
import pwd
import resource
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests/lib"))
import peers  # noqa: E402  (it lives with the tests)

LOAD = peers.BUILD / "bench/load"
POLICY_COST = peers.BUILD / "bench/policy_cost"

SSHD_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
MaxStartups 10000
# What Debian's own file says:
UsePAM {pam}
KbdInteractiveAuthentication no
X11Forwarding yes
PrintMotd no
"""

TLS_CONFIG = """\
listener {port} 127.0.0.1
cafile {files}/tls.crt
certfile {files}/tls.crt
keyfile {files}/tls.key
require_certificate true
allow_anonymous true
log_dest stdout
"""


class Files:
    """What all sites share: keys and certificates, made once a run."""

    def __init__(self, folder, count):
        self.folder = pathlib.Path(folder)
        peers.let_through(self.folder)
        self.folder.chmod(0o755)
        self.keys = self.folder / "keys"
        self.keys.mkdir()
        told = subprocess.run(
            [LOAD, "keys", "--key", self.keys, "--count", str(count)],
            capture_output=True, text=True, check=True)
        self.public = told.stdout.splitlines()
        self.count = 0
        # One certificate for both ends: P-256, the commonest choice.
        self.tls_key = self.folder / "tls.key"
        self.tls_certificate = self.folder / "tls.crt"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", "/CN=127.0.0.1", "-addext",
             "subjectAltName=IP:127.0.0.1", "-keyout", self.tls_key,
             "-out", self.tls_certificate], check=True, capture_output=True)
        # mosquitto reads it as a user of its own.
        self.tls_key.chmod(0o644)

    def new_folder(self):
        self.count += 1
        folder = self.folder / str(self.count)
        folder.mkdir(mode=0o755)
        return folder


class Server(peers.Process):
    """A server of our own configuration, on a port of loopback."""

    def __init__(self, command, port):
        self.port = port
        super().__init__(command)
        try:
            peers.wait_until(lambda: peers.is_listening(port) or
                             not self.is_running(), f"{command[0]} listens")
            if not self.is_running():
                raise AssertionError(f"{command[0]} ended:\n{self.log()}")
        except BaseException:
            self.stop()
            raise


class Site:
    """A broker and one kind of door; a context manager."""

    kind = None
    title = None
    is_ssh = True

    def __init__(self, files, accounts, devices=1):
        self.devices = devices  # each has a key of its own
        self.files = files
        self.accounts = accounts
        self.broker = self.broker_account = None
        self.server = self.account = None
        self.user = "dan"
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *unused):
        self.stack.close()

    def start(self):
        self.broker, self.broker_account = self.begin(
            lambda: self.make_broker(self.files.new_folder()))
        self.server, self.account = self.begin(self.make_server)

    def make_broker(self, folder):
        return peers.Mosquitto(folder)

    def begin(self, make):
        server, account = self.accounts.start(make)
        self.stack.callback(account.close)
        self.stack.callback(server.stop)
        return server, account

    def way(self):
        """How `load` gets to the broker through the door."""
        return ["--ssh", f"127.0.0.1:{self.server.port}",
                "--user", self.user, "--key", str(self.files.keys),
                "--keys", str(self.devices),
                "--target", self.target()]

    def target(self):
        return f"127.0.0.1:{self.broker.port}"

    def authorized_keys(self):
        return "".join(f"{line}\n"
                       for line in self.files.public[:self.devices])

    @classmethod
    def missing(cls):
        """Why it cannot be measured here, or None."""
        try:
            peers.find(cls.kind)
        except AssertionError as error:
            return str(error)
        return None


class Kayad(Site):
    kind = title = "kayad"

    def make_broker(self, folder):
        """With a door as the private broker's, which needs no TCP."""
        self.socket = folder / "socket"
        folder.chmod(0o777)  # mosquitto has an account of its own
        return peers.Mosquitto(
            folder, extra=f"allow_anonymous true\nlistener 0 {self.socket}\n")

    def target(self):
        return "127.0.0.1:1883"

    def make_server(self):
        peers.wait_until(self.socket.exists, "mosquitto's socket")
        self.socket.chmod(0o666)
        folder = self.files.new_folder()
        server = peers.Kayad(folder, config=self.config(folder), arguments=[
            "--broker", str(self.socket)])
        try:
            server.admit(self.authorized_keys(), options="")
        except BaseException:
            server.stop()
            raise
        return server

    def config(self, folder):
        return None

    @classmethod
    def missing(cls):
        return None


class KayadWithPolicy(Kayad):
    """A hundred rules, the last of which lets the devices publish."""

    title = "kayad, with a policy"

    def config(self, folder):
        policy = folder / "policy.yaml"
        rules = [f'"plant/line{i}/%i/state/+"' for i in range(99)]
        policy.write_text(
            f"roles:\n  - name: device\n    publish: "
            f"[{', '.join(rules)}, 'bench/#']\n    subscribe: '#'\n"
            f"identities:\n  - {{names: '*', roles: device}}\n")
        policy.chmod(0o644)
        return f"policy: {policy}\n"


class Sshd(Site):
    kind = title = "sshd"

    def make_server(self):
        folder = self.files.new_folder()
        port = peers.free_port()
        peers.make_key(folder / "host_key")
        (folder / "authorized_keys").write_text(self.authorized_keys())
        config = folder / "sshd_config"
        config.write_text(SSHD_CONFIG.format(
            port=port, folder=folder,
            pam="yes" if os.geteuid() == 0 else "no"))
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() == 0:
            # As devices do: an account without rights.
            self.user = "nobody"
            os.makedirs("/run/sshd", exist_ok=True)
        return Server([peers.find("sshd"), "-D", "-e", "-f", str(config)],
                      port)


class Dropbear(Site):
    kind = title = "dropbear"

    def make_server(self):
        server = peers.Dropbear(self.files.new_folder())
        server.authorized_keys.write_text(self.authorized_keys())
        self.user = server.user
        return server

    @classmethod
    def missing(cls):
        return peers.Dropbear.missing() or super().missing()


class Tls(Site):
    """mosquitto's own TLS: the broker is the server."""

    kind = "mosquitto"
    title = "mosquitto TLS"
    is_ssh = False

    def start(self):
        self.server, self.account = self.begin(self.make_server)

    def make_server(self):
        port = peers.free_port()
        folder = self.files.new_folder()
        config = folder / "mosquitto.conf"
        config.write_text(
            TLS_CONFIG.format(port=port, files=self.files.folder))
        return Server([peers.find("mosquitto"), "-c", str(config)], port)

    def way(self):
        return ["--tls", f"127.0.0.1:{self.server.port}",
                "--key", str(self.files.tls_key),
                "--certificate", str(self.files.tls_certificate),
                "--authority", str(self.files.tls_certificate)]


class Plain(Site):
    """No door at all: the floor that every other figure stands on."""

    kind = "mosquitto"
    title = "plain TCP"
    is_ssh = False

    def start(self):
        self.server, self.account = self.begin(
            lambda: peers.Mosquitto(self.files.new_folder()))

    def way(self):
        return ["--tcp", f"127.0.0.1:{self.server.port}"]


class Tunnel(peers.Process):
    """A tunnel from a local port to a site's broker."""

    def __init__(self, site, program):
        self.port = peers.free_port()
        folder = site.files.new_folder()
        known = folder / "known_hosts"
        scan = subprocess.run(
            ["ssh-keyscan", "-p", str(site.server.port), "127.0.0.1"],
            capture_output=True, text=True, check=True)
        known.write_text(scan.stdout)
        config = folder / "ssh_config"
        config.write_text(f"UserKnownHostsFile {known}\n"
                          "GlobalKnownHostsFile /dev/null\n"
                          "Ciphers aes128-gcm@openssh.com,"
                          "chacha20-poly1305@openssh.com,aes128-ctr\n")
        target = site.target()
        dest = f"{site.user}@127.0.0.1"
        words = {
            "ssh": ["ssh", "-F", config, "-N", "-i", site.files.keys / "0",
                    "-p", site.server.port, "-L", f"{self.port}:{target}",
                    "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", dest],
            "kaya": [peers.KAYA, "tunnel", "-F", config, "-i",
                     site.files.keys / "0", "-L", self.port, "-b", target,
                     f"{dest}:{site.server.port}"],
        }[program]
        super().__init__(words)
        try:
            peers.wait_until(lambda: peers.is_listening(self.port) or
                             not self.is_running(), "the tunnel stands")
            if not self.is_running():
                raise AssertionError(f"no tunnel:\n{self.log()}")
        except BaseException:
            self.stop()
            raise

    def way(self):
        return ["--tcp", f"127.0.0.1:{self.port}"]


def raise_limits():
    """As many descriptors as we may have; the servers inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
