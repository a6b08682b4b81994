"""scenes: a gateway behind a router, and a device that surveys the way to it."""

import json
import os
import re
import subprocess

import pytest

import peers
from hosts import Names, Network
from peers import KAYA, make_key

HOST = "broker.example"
NAMES = ("--host-record=broker.example,10.2.0.2,fd02::2", "--local=/example/")
DIRECT = {**os.environ, "PATH": f"{KAYA.parent}:{os.environ['PATH']}"}
for word in list(DIRECT):
    if word.lower().endswith("_proxy"):
        del DIRECT[word]



class Scene:
    """A gateway behind a router, and a device that knows its host key."""

    def __init__(self, folder, network, kayad):
        self.folder, self.net, self.kayad = folder, network, kayad
        self.client, self.router = network.client, network.router
        self.server = network.server
        self.key = folder / "key"
        kayad.admit(make_key(self.key), "pump")
        self.host_key = public_half(kayad.state / "host_key_ed25519")
        self.known_hosts = folder / "known_hosts"
        self.config = folder / "config"
        self.config.write_text(
            f"UserKnownHostsFile {self.known_hosts}\n"
            "GlobalKnownHostsFile /dev/null\nUser dan\n")
        self.knows(f"[{HOST}]:2222")

    def knows(self, *names):
        """Nothing but this server by these names."""
        self.known_hosts.write_text("".join(
            f"{name} {self.host_key}\n" for name in names))

    def survey(self, *words, env=None, status=0, become=(), host=HOST):
        """What a survey says, as JSON."""
        done = self.client.run(
            *become, KAYA, "survey", "--json", "--timeout", "2", "-F", self.config,
            "-i", self.key, *words, host, check=False,
            env={**DIRECT, **(env or {})})
        print(done.stdout, done.stderr)
        assert done.returncode == status, done.stdout + done.stderr
        said = json.loads(done.stdout)
        assert said["status"] == status and said["ok"] == (status == 0)
        assert (said["command"] is None) == (status != 0)
        return Said(said, done.stdout + done.stderr)

    def take(self, finding, pattern, swap=None, at=None, env=None, status=0):
        """Type the remedy that matches, with a user's own words in it."""
        command = re.search(pattern, finding["remedy"]).group(0)
        for word, value in (swap or {}).items():
            assert word in command, (word, command)
            command = command.replace(word, value)
        done = (at or self.client).run("sh", "-c", command, check=False, env={
            **DIRECT, "PATH": DIRECT["PATH"] + ":/usr/sbin:/sbin",
            **(env or {})})
        assert done.returncode == status, (command, done.stdout, done.stderr)
        return done

    def again(self, finding, swap=None, before="", **options):
        """What the survey says that the remedy names, typed as it stands."""
        typed = self.take(finding, before + r"kaya survey [^;(]*", swap,
                          **options).stdout
        # Another command before it may say something, too.
        return Said(json.loads(typed[typed.index("{"):]), typed)

    def carries_by_address(self, finding):
        """By the address that the user knows, as the remedy says."""
        return self.carries(self.again(finding, {
            "ADDRESS": "-p 2222 10.2.0.2"}).command)

    def carries(self, command, env=None, payload="0.42"):
        """The command is typed, and a message goes through."""
        with self.client.start("bash", "-c", f"exec {command}", env={
                **DIRECT, **(env or {})}) as tunnel:
            tunnel.wait_for_log("event=up")
            with self.client.start(
                    "stdbuf", "-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", "22883", "-d",
                    "-t", "test/#", "-C", "1") as heard:
                heard.wait_for_log("Subscribed")
                self.client.run(
                    "mosquitto_pub", "-h", "127.0.0.1", "-p", "22883", "-q",
                    "1", "-t", "test/load", "-s", stdin=payload)
                heard.wait()
                return payload in heard.log()


def public_half(path):
    return " ".join(subprocess.run(
        ["ssh-keygen", "-y", "-f", path], capture_output=True, text=True,
        check=True).stdout.split()[:2])


class Said:
    def __init__(self, said, text):
        self.said, self.text = said, text
        self.command, self.why = said["command"], said["why"]
        self.codes = {finding["code"] for finding in said["findings"]
                      if finding["state"] != "ok"}

    def ways(self, port=None, family=None, proxy=False):
        return [way for way in self.said["ways"]
                if (port is None or way["port"] == port)
                and (family is None or way["family"] == family)
                and (way["proxy"] is not None) == proxy]

    def way(self, *which, **words):
        found = self.ways(*which, **words)
        assert len(found) == 1, found
        return found[0]

    def finding(self, code):
        found = [finding for finding in self.said["findings"]
                 if finding["code"] == code]
        assert len(found) == 1, self.said["findings"]
        return found[0]

    def hosts_list(self):
        """What is wrong with the list of known hosts."""
        return self.finding("known-hosts")


@pytest.fixture
def network(tmp_path, request):
    marker = request.node.get_closest_marker("narrow")
    with Network(tmp_path, *(marker.args if marker else ())) as network:
        yield network


@pytest.fixture
def names(network):
    with Names(network.router, network.client, *NAMES) as names:
        yield names
    print(names.log())


@pytest.fixture
def scene(tmp_path, network, names, monkeypatch, request):
    marker = request.node.get_closest_marker("kayad")
    monkeypatch.setattr(peers, "WRAP", [*network.server.prefix, *peers.WRAP])
    with peers.Kayad(
            tmp_path, **(marker.kwargs if marker else {}), arguments=[
                "--listen", "0.0.0.0:2222", "--listen", "[::]:2222"]) as kayad:
        yield Scene(tmp_path, network, kayad)


def serve_on(scene, *ports):
    """The gateway is reached by these ports, too."""
    for port in ports:
        scene.server.nft(f"""table inet more {{ chain in {{
            type nat hook prerouting priority -100
            tcp dport {port} redirect to :2222
        }}
        }}""")


def drop(scene, what):
    scene.router.nft(f"""table inet wall {{ chain on_the_way {{
        type filter hook forward priority 0
        iifname n1 {what} drop
    }}
    }}""")


class Proxy(peers.Process):
    """tinyproxy on the router; it lets CONNECT go to 443 alone."""

    def __init__(self, scene, extra=""):
        config = scene.folder / "tinyproxy.conf"
        config.write_text(
            "Port 3128\nListen 10.1.0.1\nTimeout 60\nAllow 10.0.0.0/8\n"
            f"LogLevel Connect\nConnectPort 443\n{extra}\n")
        # It resolves names by itself.
        scene.router.replace("/etc/hosts", f"10.2.0.2 {HOST}\n")
        super().__init__([*scene.router.prefix, peers.find("tinyproxy"),
                          "-d", "-c", str(config)])
        try:
            scene.router.wait_for_port(3128)
        except BaseException:
            self.stop()
            raise

    def __str__(self):
        return "http://10.1.0.1:3128"


def divert(scene, what, to):
    """What the client sends to the server ends at the router."""
    scene.router.nft(f"""table ip divert {{ chain in {{
        type nat hook prerouting priority -100
        iifname n1 ip daddr 10.2.0.2 {what} dnat to {to}
    }}
    }}""")


def undivert(scene):
    """Whoever stood between is gone."""
    scene.router.run("nft", "delete", "table", "ip", "divert")


class Stranger(peers.Process):
    """Another sshd, on the router, who says he is the server."""

    def __init__(self, scene):
        folder = scene.folder / "stranger"
        folder.mkdir()
        make_key(folder / "host_key")
        super().__init__([
            *scene.router.prefix, peers.find("sshd"), "-D", "-e", "-f",
            "/dev/null", "-h", folder / "host_key", "-o", "PidFile=none",
            "-o", "UsePAM=no", "-o", "ListenAddress=10.1.0.1:2200"])
        self.fingerprint = subprocess.run(
            ["ssh-keygen", "-lf", folder / "host_key"], capture_output=True,
            text=True, check=True).stdout.split()[1]
        try:
            self.wait_for_log("Server listening")
        except BaseException:
            self.stop()
            raise


def make_certificate(folder, name, host=HOST):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "9", "-subj",
         f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}", "-keyout",
         folder / f"{name}.key", "-out", folder / f"{name}.crt"],
        check=True, capture_output=True)
    (folder / f"{name}.key").chmod(0o644)


PORTAL = r"""
import http.server, subprocess, sys

class Portal(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(sys.argv[2]))
        if sys.argv[2] == "302":
            self.send_header("Location", "http://portal.lan/login")
        body = sys.argv[3].encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        # Somebody signs in: the next connections are let through.
        subprocess.run(
            ["nft", "insert rule ip divert in accept; "
             "insert rule inet wall on_the_way accept"], check=True)
        self.send_response(204)
        self.end_headers()

http.server.ThreadingHTTPServer(("10.1.0.1", int(sys.argv[1])),
                                Portal).serve_forever()
"""


def start_portal(scene, port=8080, status=302, body=""):
    portal = scene.router.start("python3", "-c", PORTAL, str(port),
                                str(status), body)
    scene.router.wait_for_port(port)
    return portal
