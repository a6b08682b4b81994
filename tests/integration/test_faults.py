"""doc/faults.md holds: each of its faults is made, and ssh and kaya asked.

What they say has to be what stands there. After a change of words

    KAYA_WRITE_FAULTS=1 pytest tests/integration/test_faults.py

writes the rows anew; look at the difference before you believe it. Names,
addresses and fingerprints of the test are replaced by those of the document.
"""

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

import peers
from certificates import Authority
from devices import home  # noqa: F401
from machines import TIGHT as TIGHT_LINE, machine  # noqa: F401
from networks import ROUTER, SERVER, network  # noqa: F401
from patients import Place
from peers import ROOT, make_key, openssh, wait_until

DOCUMENT = ROOT / "doc/faults.md"
TIGHT = ('restrict,port-forwarding,permitopen="127.0.0.1:1883",'
         'permitlisten="localhost:1"')
# Whose words of ssh stand in the document: all but those of the rows that are
# of a newer server alone.
DOCUMENTED, DOCUMENTED_NEW = (9, 2), (10, 0)


class Bed(Place):
    """A place whose people know ssh and nothing else."""

    host = "broker.test"

    def write(self, *lines):
        """The server's authorized_keys."""
        self.sshd.authorized_keys.write_text("".join(
            line + "\n" for line in lines))

    @property
    def public(self):
        return self.key.with_suffix(".pub").read_text().strip()

    def configure(self, text):
        """Lines of sshd_config before the others."""
        config = pathlib.Path(self.sshd.command[-1])
        config.write_text(f"{text}\n{config.read_text()}")
        self.sshd.reload()

    def serve(self, line):
        """Another broker, with a line of its own."""
        self.broker.stop()
        config = self.tmp_path / "other-broker.conf"
        config.write_text(f"listener 1883 127.0.0.1\n{line}\n")
        self.broker = self.start_at("server", peers.find("mosquitto"), "-v",
                                    "-c", config, log="running")

    def start_at(self, where, *words, log):
        program = self.programs.enter_context(peers.Process(
            [*getattr(self.network, where).prefix, *words]))
        program.wait_for_log(log)
        return program

    def start_stranger(self, port):
        """Another sshd, on the router."""
        make_key(self.tmp_path / "stranger")
        self.start_at("router", peers.find("sshd"), "-D", "-e", "-f",
                      "/dev/null", "-h", self.tmp_path / "stranger", "-o",
                      "PidFile=none", "-o", "UsePAM=no", "-o",
                      f"ListenAddress={ROUTER}:{port}", log="Server listening")

    def ssh(self, *words, key=True, target="127.0.0.1:1883"):
        """What ssh and a client of its tunnel say, line by line."""
        command = [*self.network.device.prefix, "ssh", "-F",
                   self.doctor.config, "-o", "ConnectTimeout=5", "-N",
                   "-L", f"22883:{target}", *(["-i", self.key] * key), *words,
                   f"root@{self.host}"]
        with peers.Process(command) as ssh:
            wait_until(lambda: not ssh.is_running() or self.is_up(ssh),
                       "ssh listens or ends")
            client = [] if not ssh.is_running() else self.publish()
        return ssh.log().splitlines() + client

    def is_up(self, ssh):
        """It listens on both addresses of loopback, or says that it cannot."""
        listeners = self.network.device.run("ss", "-Hltnp", "sport = :22883")
        return listeners.count(f"pid={ssh.pid},") + ssh.log().count(
            "in use") == 2

    def publish(self):
        done = subprocess.run(
            [*self.network.device.prefix, "mosquitto_pub", "-h", "127.0.0.1",
             "-p", "22883", "-t", "t", "-m", "m", "-q", "1"], timeout=30,
            capture_output=True, text=True)
        return [f"mosquitto_pub: {line}"
                for line in (done.stdout + done.stderr).splitlines()]

    def diagnose(self, *words, key=True):
        return self.doctor(*(["-i", self.key] * key), "-b", "127.0.0.1:1883",
                           *words, f"root@{self.host}")

    def lint(self):
        """The first fault of a line."""
        done = subprocess.run(
            [peers.KAYA, "keys", "lint", "--json",
             self.sshd.authorized_keys], capture_output=True, text=True)
        return next(row for row in json.loads(done.stdout)
                    if row["line"] is not None and row["severity"] != "note")


    def survey(self, *words):
        return self.survey_of("-F", self.doctor.config, "-i", self.key, "-l",
                              "root", "--ports", "22,443", "--timeout", "2",
                              *words, self.host)

    def survey_of(self, *words):
        done = subprocess.run(
            [*self.network.device.prefix, peers.KAYA, "survey", "--json",
             *words], capture_output=True, text=True, timeout=60)
        said = json.loads(done.stdout)
        if said["status"] == 0:
            return {"cause": said["why"], "remedy": said["command"]}
        return next(row for row in said["findings"]
                    if row["state"] == "fault")

    def names(self):
        """Those of the test, and those of the document."""
        return [(f" -F {self.doctor.config}", ""),
                (" --json", ""), (" --ports 22,443 --timeout 2", ""),
                (f" -L {self.doctor.port}", ""),
                (str(self.key), "~/.ssh/device"),
                (str(self.sshd.authorized_keys), "authorized_keys"),
                (str(self.known_hosts), "~/.ssh/known_hosts"),
                ("by-dns.test", "broker"), ("broker.elsewhere", "broker"),
                ("borker.test", "borker"),
                ("broker.test", "broker"), ("device.test", "device"),
                ("-n root", "-n dan"), ("the user root", "the user dan"),
                ("for root:", "for dan:"),
                ("root@", "dan@"), ("~root", "~dan"), ("as root", "as dan"),
                ("user=root", "user=dan"), ("-l root", "-l dan"),
                (SERVER, "192.0.2.7"), (ROUTER, "198.51.100.1"),
                ("10.77.1.2", "198.51.100.7"), ("10.77.9.9", "192.0.2.7")]


class Ward:
    """A server of its own, looked at from within: ssh has no part in it."""

    def __init__(self, machine):
        self.machine = machine
        machine.admit()
        machine.start_sshd()

    def serve(self, text):
        self.machine.mosquitto_conf.write_text(text)
        self.machine.start_mosquitto()

    def configure(self, line):
        config = self.machine.sshd_config
        config.write_text(f"{line}\n{config.read_text()}")

    def find(self, code):
        return [], self.machine.doctor().find(code)

    def names(self):
        return []


FAULTS = {}


def fault(name, where="bed", since=(0, 0), until=(999, 0)):
    """A row of the document by that name; returns what ssh and kaya say.

    It is of the servers of OpenSSH `since` that version and before `until`.
    """
    def enter(function):
        assert name not in FAULTS
        FAULTS[name] = function, where, since, until
        return function
    return enter


# ---- the way to the server ----

@fault("The name is misspelt")
def misspelt(bed):
    bed.host = "borker.test"
    with bed.dns():
        return bed.ssh(), bed.diagnose()


@fault("The DNS server does not answer")
def dns_silent(bed):
    bed.host = "by-dns.test"
    bed.network.server.filter("input", "udp dport 53 drop")
    return bed.ssh(), bed.diagnose()


@fault("The DNS server cannot find out")
def dns_refuses(bed):
    bed.host = "broker.elsewhere"
    with bed.dns():
        return bed.ssh(), bed.diagnose()


@fault("No sshd runs")
def nothing_listens(bed):
    bed.sshd.stop()
    return bed.ssh(), bed.diagnose()


@fault("A firewall at the server drops")
def dropped(bed):
    bed.network.server.filter("input", "tcp dport 22 drop")
    return bed.ssh(), bed.diagnose()


@fault("A firewall on the way rejects")
def rejected(bed):
    bed.network.router.filter(
        "forward", "tcp dport 22 reject with icmp type admin-prohibited")
    return bed.ssh(), bed.diagnose()


@fault("A router knows no way")
def no_way(bed):
    bed.network.router.run("ip", "route", "replace", "unreachable",
                           "10.77.9.0/24")
    bed.host = "10.77.9.9"
    return bed.ssh(), bed.diagnose()


@fault("The device's own firewall forbids it")
def own_firewall(bed):
    bed.network.device.filter("output", "tcp dport 22 reject")
    return bed.ssh(), bed.diagnose()


@fault("The device's own firewall drops without a word")
def own_drop(bed):
    bed.network.device.filter("output", "tcp dport 22 drop")
    return bed.ssh(), bed.diagnose()


@fault("Something on the way resets connections")
def reset(bed):
    bed.network.router.filter(
        "forward", "tcp dport 22 tcp flags != syn reject with tcp reset")
    said, kaya = bed.ssh(), bed.diagnose()
    # On a busy machine the reset may come a moment after the connection.
    if said[0].startswith("kex_exchange_identification: read:"):
        said = ["ssh: connect to host broker.test port 22: Connection reset "
                "by peer"]
    return said, kaya


@fault("The server hangs")
def hangs(bed):
    bed.sshd.signal(signal.SIGSTOP)
    said = bed.ssh(), bed.diagnose()
    bed.sshd.signal(signal.SIGCONT)
    return said


KEX_RESET = "kex_exchange_identification: read: Connection reset by peer"


@fault("Too many wait to log in at an older server", until=(9, 8))
@fault("Too many wait to log in at a server of OpenSSH 9.8 or later",
       since=(9, 8))
def max_startups(bed):
    bed.configure("MaxStartups 1:100:1")
    bed.start_at("device", "bash", "-c", f"exec 3<>/dev/tcp/{SERVER}/22; "
                 "head -n1 <&3; sleep infinity", log="SSH-2.0")
    # It says so, and few clients show it. It is chance whether they see the end
    # or a reset of the connection, and whether they have greeted by then: if
    # not, ssh leaves the first line out.
    said = [line.replace("closed by", "reset by") for line in bed.ssh()]
    said = [KEX_RESET, *said[-1:]]
    return said, bed.diagnose()


@fault("A firewall ends what is SSH")
def knows_ssh(bed):
    bed.network.router.filter(
        "forward", "tcp dport 22 @ih,0,32 0x5353482d reject with tcp reset")
    return bed.ssh(), bed.diagnose()


@fault("Something on the way changes what is sent")
def changes(bed):
    bed.network.router.filter(
        "forward", "tcp sport 22 meta length > 500 @ih,0,32 set 0xffffffff")
    return bed.ssh(), bed.diagnose()


# ---- who the server is ----

@fault("The server is too old")
def too_old(bed):
    bed.configure("KexAlgorithms diffie-hellman-group1-sha1")
    return bed.ssh(), bed.diagnose()


@fault("The host key is not known, and nobody is there to ask")
def host_key_unknown(bed):
    bed.known_hosts.unlink()
    return bed.ssh(), bed.diagnose()


@fault("The host key has changed")
def host_key_changed(bed):
    other = make_key(bed.tmp_path / "other").rsplit(" ", 1)[0]
    bed.known_hosts.write_text(f"broker.test {other}\n")
    return bed.ssh(), bed.diagnose()


# ---- who the device is ----

def judged(bed, *words, **options):
    """The server's file is at hand."""
    return bed.ssh(**options), bed.diagnose(
        "--server-file", bed.sshd.authorized_keys, *words)


@fault("The key is not in the server's file")
def not_in_file(bed):
    bed.write(make_key(bed.tmp_path / "other"))
    return judged(bed)


@fault("The server's file is not at hand")
def no_file_at_hand(bed):
    bed.write(make_key(bed.tmp_path / "other"))
    return bed.ssh(), bed.diagnose()


@fault("A comma stands between the options and the key")
def comma(bed):
    bed.write(f"{TIGHT},{bed.public}")
    return judged(bed)


@fault("The key was wrapped over two lines")
def wrapped(bed):
    bed.write(bed.public[:40], bed.public[40:])
    return judged(bed)


@fault("`from` does not hold the device's address")
def from_elsewhere(bed):
    bed.write(f'from="192.168.1.0/24" {bed.public}')
    return judged(bed)


@fault("The line has expired")
def expired(bed):
    bed.write(f'expiry-time="20200101" {bed.public}')
    return judged(bed)


@fault("Others may write to the file")
def others_write(bed):
    with own_folder() as folder:
        keys = folder / "authorized_keys"
        keys.write_text(bed.public + "\n")
        keys.chmod(0o666)
        bed.configure(f"StrictModes yes\nAuthorizedKeysFile {keys}")
        return bed.ssh(), bed.diagnose("--server-file", keys)


@contextlib.contextmanager
def own_folder():
    """One that nobody else can get at."""
    folder = pathlib.Path(tempfile.mkdtemp(
        prefix="kaya-faults-", dir=os.path.expanduser("~root")))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def certified(bed, line="cert-authority", **options):
    """By an authority that the file has, or not."""
    ca = Authority(bed.tmp_path / "ca")
    bed.write(*([f"{line} {ca.public.strip()}"] if line else []))
    ca.sign(bed.key, **{"names": "root", "identity": "device", **options})
    return judged(bed)


@fault("The certificate has expired")
def certificate_expired(bed):
    return certified(bed, valid="-2h:-1h")


@fault("The certificate is for somebody else")
def certificate_of_another(bed):
    return certified(bed, names="pump-7")


@fault("The server's file does not have the certificate's authority")
def certificate_of_a_stranger(bed):
    return certified(bed, line=None)


@fault("The agent has many keys, and the right one comes last")
def many_keys(bed):
    path = bed.tmp_path / "agent"
    bed.write(bed.public)
    with peers.Process(["ssh-agent", "-D", "-a", path]), \
            pytest.MonkeyPatch.context() as patch:
        wait_until(path.exists, "the agent listens")
        patch.setenv("SSH_AUTH_SOCK", str(path))
        for number in range(7):
            make_key(bed.tmp_path / f"other{number}")
            subprocess.run(["ssh-add", "-q", bed.tmp_path / f"other{number}"],
                           check=True, capture_output=True)
        subprocess.run(["ssh-add", "-q", bed.key], check=True,
                       capture_output=True)
        return bed.ssh(key=False), bed.diagnose(key=False)


@fault("Others may read the private key")
def open_key(bed):
    bed.write(bed.public)
    bed.key.chmod(0o644)
    return bed.ssh(), bed.diagnose()


@fault("The key has a passphrase, and nobody is there to type it")
def passphrase(bed):
    bed.write(bed.public)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f",
                    bed.key], check=True, capture_output=True)
    return bed.ssh(), bed.diagnose()


# ---- where the key may go ----

@fault("`localhost` is asked for where `permitopen` says `127.0.0.1`")
def localhost(bed):
    bed.write(f"{TIGHT} {bed.public}")
    return bed.ssh(target="localhost:1883"), bed.diagnose(
        "-b", "localhost:1883")


@fault("`restrict` without `port-forwarding`")
def restrict_alone(bed):
    bed.write(f'restrict,permitopen="127.0.0.1:1883" {bed.public}')
    return judged(bed)


@fault("`permitopen` names another target")
def other_target(bed):
    bed.write(f'restrict,port-forwarding,permitopen="127.0.0.1:8883" '
              f'{bed.public}')
    return judged(bed)


@fault("The server forwards nothing")
def no_forwarding(bed):
    bed.write(bed.public)
    bed.configure("AllowTcpForwarding no")
    return judged(bed)


@fault("The key goes nowhere, and the server's file is not at hand")
def nowhere(bed):
    bed.write(f"restrict {bed.public}")
    return bed.ssh(), bed.diagnose()


@fault("No broker runs there")
def no_broker(bed):
    bed.write(bed.public)
    bed.broker.stop()
    return bed.ssh(), bed.diagnose()


@fault("The connection is lost when the broker is asked for")
def lost(bed):
    bed.write(bed.public)
    bed.configure("UnusedConnectionTimeout 3s")
    # Longer than that, and not for long.
    bed.network.server.run("sysctl", "-qw", "net.ipv4.tcp_syn_retries=2")
    bed.network.server.filter("output", "tcp dport 1883 drop")
    return bed.ssh(), bed.diagnose()


@fault("The broker wants a user and a password")
def broker_user(bed):
    bed.write(bed.public)
    nobody = bed.tmp_path / "passwords"
    nobody.touch()
    peers.let_through(bed.tmp_path)
    bed.serve(f"password_file {nobody}")
    return bed.ssh(), bed.diagnose()


# Takes one connection after another, and closes it.
STRANGER = """
import socket
listener = socket.create_server(("127.0.0.1", 22883))
print("there", flush=True)
while True:
    listener.accept()[0].close()
"""


@fault("Another program has half of the local port")
def half_taken(bed):
    bed.write(bed.public)
    bed.start_at("device", "python3", "-c", STRANGER, log="there")
    bed.doctor.port = 22883
    return bed.ssh(), bed.diagnose()


# ---- the command ----

@fault("`-f` without `-N`")
def n_forgotten(bed):
    bed.write(f"{TIGHT} {bed.public}")
    words = ["ssh", "-f", "-L", "22883:127.0.0.1:1883", "root@broker.test",
             "-i", bed.key]
    done = subprocess.run(
        [*bed.network.device.prefix, "ssh", "-F", bed.doctor.config,
         *words[1:]], capture_output=True, text=True, timeout=60)
    return done.stderr.splitlines(), bed.doctor(
        "-b", "127.0.0.1:1883", "--", *words)


# ---- the network, by kaya survey ----

@fault("Nothing but port 443 is let out")
def only_443(bed):
    bed.write(bed.public)
    bed.know(f"[{bed.host}]:443")
    bed.network.server.nft(
        "table inet more { chain in { type nat hook prerouting priority -100; "
        "tcp dport 443 redirect to :22\n }\n }\n")
    bed.network.router.filter("forward", "iifname kaya1 tcp dport != 443 drop")
    return bed.ssh(), bed.survey()


@fault("Somebody intercepts SSH")
def intercepted(bed):
    bed.start_stranger(2200)
    bed.network.router.nft(
        "table inet more { chain in { type nat hook prerouting priority -100; "
        f"iifname kaya1 tcp dport 22 dnat ip to {ROUTER}:2200\n }}\n }}\n")
    return bed.ssh(), bed.survey()


@fault("The DNS of the network lies")
def dns_lies(bed):
    bed.host = "by-dns.test"
    bed.know(bed.host)
    bed.start_stranger(22)
    with bed.dns(f"--address=/test/{ROUTER}"):
        return bed.ssh(), bed.survey()


# ---- the server, by kaya doctor there ----

@fault("Everybody may use the broker", "ward")
def open_broker(ward):
    ward.serve("listener 1883\nallow_anonymous true\n")
    return ward.find("broker-open-to-all")


@fault("No broker runs", "ward")
def stopped_broker(ward):
    return ward.find("broker-stopped")


@fault("sshd takes passwords, of root too", "ward")
def root_password(ward):
    ward.configure("PermitRootLogin yes\nPasswordAuthentication yes")
    return ward.find("root-password")


@fault("sshd forwards nothing", "ward")
def server_forwards_nothing(ward):
    ward.configure("AllowTcpForwarding no")
    return ward.find("no-forwarding")


@fault("A line of a device lets nobody in", "ward")
def void_line(ward):
    ward.machine.keys.write_text(f"{TIGHT_LINE},{ward.machine.public}\n")
    return ward.find("keys-line")


@fault("A device's key may reach every port", "ward")
def reaches_all(ward):
    ward.machine.keys.write_text(
        f"restrict,port-forwarding {ward.machine.public}\n")
    return ward.find("forward-anywhere")


# ---- lines that kaya keys lint finds ----

LINES = {
    "`permitopen = ` with blanks": 'permitopen = "127.0.0.1:1883" {key}',
    "A blank after a comma": "restrict, port-forwarding {key}",
    "Curly quotes": "restrict,permitopen=“127.0.0.1:1883” {key}",
    "A quote is missing": 'permitopen="127.0.0.1:1883 {key}',
    "A value without quotes": "from=10.0.0.0/8 {key}",
    "An option is misspelt": "restrict,port-fowarding {key}",
    "An option stands twice": 'command="a",command="b" {key}',
    "Options stand behind the type": "ssh-ed25519 restrict {base64}",
    "Options stand behind the key": "{key} restrict",
    "The key is cut off": "ssh-ed25519 {cut}",
    "The type is not the key's": "ssh-rsa {base64}",
    "`restrict` stands last":
        'port-forwarding,permitopen="127.0.0.1:1883",restrict {key}',
    "The port is missing": 'permitopen="127.0.0.1" {key}',
    "IPv6 without brackets": 'permitopen="::1:1883" {key}',
    "Host bits in a block": 'from="10.77.1.2/8" {key}',
    "`from` has negations alone": 'from="!10.0.0.5" {key}',
    "`from` has a name": 'from="device.test" {key}',
}


def line_fault(template):
    def judge(bed):
        kind, blob = bed.public.split()[:2]
        bed.write(template.format(key=f"{kind} {blob}", base64=blob,
                                  cut=blob[:-10]))
        return bed.ssh(), bed.lint()
    return judge


for name, template in LINES.items():
    fault(name)(line_fault(template))


# ---- the document ----

def cell(lines):
    """Lines of a program as a cell; of many the first and the last."""
    lines = [line for line in map(str.strip, lines) if line.strip("@")]
    if len(lines) > 4:
        lines = [lines[0], "…", *lines[-2:]]
    return "<br>".join(f"`{line}`" if line != "…" else line
                       for line in lines) or "nothing"


def told(kaya):
    """Cause and remedy, of a diagnosis or of one finding."""
    if isinstance(kaya, dict):
        meant = kaya.get("meant")
        return [kaya["cause"], *([kaya["remedy"]] if kaya["remedy"] else []),
                *([f"meant: {meant}"] if meant else [])]
    return [f"{kaya.layer}: {kaya.cause}", kaya.remedy]


def code_of(kaya):
    """As --json has it; a survey that found a way has none."""
    code = kaya.get("code") if isinstance(kaya, dict) else kaya.code
    return f"`{code}`" if code else "none"


def plain(bed, text):
    """In the names of the document."""
    for was, is_now in [*bed.names(), ("|", "\\|")]:
        text = text.replace(was, is_now)
    text = re.sub(r"SHA256:[\w+/]{43}", "SHA256:...", text)
    text = re.sub(r"/root/kaya-faults-\w+/", "~/.ssh/", text)
    text = re.sub(r"AAAA[\w+/]{20,}=*", "AAAA...", text)
    text = re.sub(r'"20\d{6}Z"', '"20271128Z"', text)
    # As libssh has it.
    text = re.sub(r"kaya offers [^;]*;", "kaya offers ...;", text)
    text = re.sub(r"\d+ ms away", "... ms away", text)
    text = re.sub(r"\(pid \d+\)", "(pid 4711)", text)
    return re.sub(r"channel \d+:", "channel 2:", text)


def rows():
    """The document's, by the fault's name."""
    found = {}
    for line in DOCUMENT.read_text().splitlines():
        cells = re.split(r" (?<!\\)\| ", line.strip("| "))
        if line.startswith("| ") and len(cells) == 4:
            found[cells[0]] = cells
    return found


def write(name, cells):
    lines = DOCUMENT.read_text().splitlines()
    row = "| " + " | ".join([name, *cells]) + " |"
    at = next(i for i, line in enumerate(lines)
              if line.startswith(f"| {name} |"))
    lines[at] = row
    DOCUMENT.write_text("\n".join(lines) + "\n")


@pytest.fixture
def bed(tmp_path, home, network):
    with Bed(tmp_path, home, network) as bed:
        yield bed


@pytest.fixture
def ward(machine):
    return Ward(machine)


@pytest.mark.parametrize("name", FAULTS)
def test_the_document_says_what_ssh_and_kaya_say(name, request):
    make, where, since, until = FAULTS[name]
    version = openssh()
    if not since <= version < until:
        pytest.skip("the row is of another OpenSSH than %d.%d" % version)
    bed = request.getfixturevalue(where)
    ssh, kaya = make(bed)
    cells = [plain(bed, cell(ssh)), plain(bed, cell(told(kaya))),
             code_of(kaya)]
    if os.environ.get("KAYA_WRITE_FAULTS"):
        write(name, cells)
    known = rows()[name][1:]
    if version != (DOCUMENTED_NEW if since > DOCUMENTED else DOCUMENTED):
        known[0] = cells[0]
    assert known == cells


def test_the_document_has_no_row_that_nobody_tries():
    assert set(rows()) - {"fault"} == set(FAULTS)
