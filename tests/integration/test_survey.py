"""kaya survey in networks that let out this and not that.

Each fault is made by real means (nftables, another server behind the same
address, a proxy, a narrow cable), and the command that is recommended is run:
a message goes through.
"""

import json
import os
import re
import shlex
import signal
import socket
import subprocess

import pytest

import peers
from hosts import Names, Network, needs_root
from peers import KAYA, make_key

HOST = "broker.example"
NAMES = ("--host-record=broker.example,10.2.0.2,fd02::2", "--local=/example/")
DIRECT = {**os.environ, "PATH": f"{KAYA.parent}:{os.environ['PATH']}"}
for word in list(DIRECT):
    if word.lower().endswith("_proxy"):
        del DIRECT[word]

pytestmark = needs_root


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

    def survey(self, *words, env=None, status=0):
        """What a survey says, as JSON."""
        done = self.client.run(
            KAYA, "survey", "--json", "--timeout", "2", "-F", self.config,
            "-i", self.key, *words, HOST, check=False,
            env={**DIRECT, **(env or {})})
        print(done.stdout, done.stderr)
        assert done.returncode == status, done.stdout + done.stderr
        said = json.loads(done.stdout)
        assert said["status"] == status and said["ok"] == (status == 0)
        assert (said["command"] is None) == (status != 0)
        return Said(said, done.stdout + done.stderr)

    def take(self, finding, pattern, swap=None, at=None):
        """Type the remedy that matches, with a user's own words in it."""
        command = re.search(pattern, finding["remedy"]).group(0)
        for word, value in (swap or {}).items():
            assert word in command, (word, command)
            command = command.replace(word, value)
        return (at or self.client).run("sh", "-c", command, env={
            **DIRECT, "PATH": DIRECT["PATH"] + ":/usr/sbin:/sbin"})

    def carries_by_address(self):
        """What a survey of the server's address recommends."""
        done = self.client.run(
            KAYA, "survey", "--json", "-F", self.config, "-i", self.key,
            "-p", "2222", "10.2.0.2", env=DIRECT)
        return self.carries(json.loads(done.stdout)["command"])

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


# ---- ways ----

def test_the_usual_way_is_taken_where_it_is_open(scene):
    said = scene.survey("-p", "2222")
    assert said.command == (f"kaya tunnel -F {scene.config} -i {scene.key} "
                            f"-p 2222 {HOST}")
    assert {way["state"] for way in said.ways(2222)} == {"way"}
    assert {way["family"] for way in said.ways(2222)} == {"ipv4", "ipv6"}
    assert {way["code"] for way in said.ways(80)} == {"refused"}
    assert said.codes == set()
    assert scene.carries(said.command)


def test_443_is_found_where_a_firewall_drops_all_else(scene):
    serve_on(scene, 443)
    drop(scene, "tcp dport != 443")
    said = scene.survey()
    assert said.command == (
        f"kaya tunnel -F {scene.config} -i {scene.key} -p 443 --host-key "
        f"{scene.kayad.fingerprint} {HOST}")
    assert "known for port 2222" in said.why
    assert "port 22 of 10.2.0.2: no answer" in said.why
    assert {way["code"] for way in said.ways(2222)} == {"filtered"}
    assert scene.carries(said.command)


def test_a_reject_names_the_firewall_and_a_reset_is_a_refusal(scene):
    scene.router.nft("""table inet wall { chain on_the_way {
        type filter hook forward priority 0
        tcp dport 22 reject
        tcp dport 443 reject with icmpx type admin-prohibited
        tcp dport 8883 reject with tcp reset
    }
    }""")
    said = scene.survey("--ports", "22,443,8883,2222")
    for family, router in (("ipv4", "10.1.0.1"), ("ipv6", "fd01::1")):
        assert said.way(22, family)["code"] == "rejected"
        assert router in said.way(22, family)["seen"]
        assert said.way(443, family)["code"] in ("unreachable", "rejected")
        assert router in said.way(443, family)["seen"]
        assert said.way(8883, family)["code"] == "refused"
    assert scene.carries(said.command)


def test_nothing_passes_is_unreachable(scene):
    drop(scene, "meta l4proto tcp")
    said = scene.survey(status=3)
    assert said.said["code"] == "nothing-passes"
    assert {way["code"] for way in said.ways()} == {"filtered"}


def test_ports_that_pass_are_named_where_no_ssh_server_listens(scene):
    drop(scene, "tcp dport { 22, 2222, 8883, 1883, 80 }")
    said = scene.survey(status=3)
    assert said.said["code"] == "no-ssh"
    remedy = said.said["remedy"]
    assert "kayad --listen 0.0.0.0:443 --listen '[::]:443'" in remedy
    # As it says: the gateway listens there.
    serve_on(scene, 443)
    assert scene.carries(scene.survey().command)


@pytest.mark.parametrize("verdict", [
    "reject", "reject with icmpx type admin-prohibited"])
def test_this_machines_own_firewall_is_told_and_opened(scene, verdict):
    scene.client.nft(f"""table inet filter {{ chain output {{
        type filter hook output priority 0
        meta l4proto tcp oifname n1 {verdict}
    }}
    }}""")
    said = scene.survey("--ports", "2222", status=3)
    assert said.said["code"] == "own-firewall"
    scene.take(said.finding("own-firewall"), r"nft insert rule .*")
    said = scene.survey("--ports", "2222")
    assert said.codes == set()
    assert scene.carries(said.command)


@pytest.mark.parametrize("family,number", [("ipv6", 6), ("ipv4", 4)])
def test_one_family_alone_is_enough(scene, family, number):
    other = 10 - number
    scene.client.run("ip", f"-{other}", "route", "del", "default")
    said = scene.survey("-p", "2222")
    assert {way["code"] for way in said.ways(2222)} == {"ssh", "no-route"}
    assert said.way(2222, family)["state"] == "way"
    assert scene.carries(said.command)


def test_stock_sshd_is_a_way_like_any_other(scene, monkeypatch):
    folder = scene.folder / "sshd"
    folder.mkdir()
    make_key(folder / "host_key")
    (folder / "keys").write_text(scene.key.with_suffix(".pub").read_text())
    scene.known_hosts.write_text(
        f"{HOST} {public_half(folder / 'host_key')}\n")
    scene.config.write_text(scene.config.read_text().replace(
        "User dan", "User root"))
    monkeypatch.setattr(peers, "WRAP", [])
    with scene.server.start(
            peers.find("sshd"), "-D", "-e", "-f", "/dev/null", "-h",
            folder / "host_key", "-o", f"AuthorizedKeysFile={folder}/keys",
            "-o", "StrictModes=no", "-o", "UsePAM=no", "-o",
            "PidFile=none") as sshd, \
            scene.server.start("mosquitto", "-p", "1883"):
        sshd.wait_for_log("listening on :: port 22")
        scene.server.wait_for_port(1883)
        said = scene.survey()
        assert said.command.endswith(f" {scene.key} {HOST}")
        assert scene.carries(said.command)


# ---- the proxy ----

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


@pytest.mark.parametrize("variable", ["https_proxy", "http_proxy",
                                      "ALL_PROXY"])
def test_the_proxy_is_the_way_where_nothing_else_is(scene, variable):
    serve_on(scene, 443)
    drop(scene, "meta l4proto tcp")
    with Proxy(scene) as proxy:
        said = scene.survey(env={variable: str(proxy)})
        assert said.way(443, proxy=True)["state"] == "way"
        assert said.way(22, proxy=True)["code"] == "proxy-forbids"
        assert {way["code"] for way in said.ways()} == {"filtered"}
        assert shlex.split(said.command)[6:8] == [
            "-o", "ProxyCommand=kaya survey --proxy http://10.1.0.1:3128 "
            "--relay %h %p"]
        # The command needs nothing of the environment.
        assert scene.carries(said.command)


def test_credentials_reach_the_proxy_and_nobody_else(scene):
    serve_on(scene, 443)
    drop(scene, "meta l4proto tcp")
    with Proxy(scene, "BasicAuth dan s3cr3t") as proxy:
        env = {"https_proxy": "http://dan:s3cr3t@10.1.0.1:3128"}
        said = scene.survey(env=env)
        assert said.way(443, proxy=True)["state"] == "way"
        assert "s3cr3t" not in said.text and "ZGFuOnMzY3IzdA" not in said.text
        assert "credentials stay in the environment" in said.why
        assert scene.carries(said.command, env=env)
        for wrong in ("http://dan:wr0ng@10.1.0.1:3128", str(proxy)):
            said = scene.survey(env={"https_proxy": wrong}, status=4)
            assert said.said["code"] == "proxy-login"
            assert "wr0ng" not in said.text
            assert "407" in said.way(443, proxy=True)["seen"] or \
                "401" in said.way(443, proxy=True)["seen"]
            # As it says: with user and password in the URL.
            url = re.search(r"http://USER:\S+", said.said["remedy"]).group(0)
            env = {"https_proxy": url.replace("USER:PASSWORD", "dan:s3cr3t")}
            said = scene.survey(env=env)
            assert said.codes == set()
            assert scene.carries(said.command, env=env)


def test_a_proxy_that_forbids_every_port_is_a_refusal(scene):
    drop(scene, "meta l4proto tcp")
    with Proxy(scene) as proxy:
        said = scene.survey("--ports", "22,2222", status=4,
                            env={"https_proxy": str(proxy)})
        assert said.said["code"] == "proxy-forbids"
        assert f"CONNECT to {HOST}:443" in said.said["remedy"]
        assert "kayad --listen 0.0.0.0:443" in said.said["remedy"]
        # As it says: the gateway listens where the proxy connects to.
        serve_on(scene, 443)
        said = scene.survey(env={"https_proxy": str(proxy)})
        assert said.codes == set()
        assert said.way(443, proxy=True)["state"] == "way"
        assert scene.carries(said.command)


@pytest.mark.parametrize("exempt", [HOST, ".example", "*"])
def test_no_proxy_is_honoured(scene, exempt):
    with Proxy(scene) as proxy:
        said = scene.survey("-p", "2222", env={"https_proxy": str(proxy),
                                               "no_proxy": exempt})
        assert said.ways(proxy=True) == []
        assert not proxy.logged("Connect \\(file")
        assert scene.carries(said.command, env={"https_proxy": str(proxy)})


@pytest.mark.parametrize("url,code,remedy", [
    ("http://10.1.0.1:3129", "proxy-gone", "mend https_proxy, or unset it"),
    ("http://10.2.0.2:2222", "proxy-gone", "mend https_proxy, or unset it"),
    ("http://nobody.example:3128", "proxy-name",
     "mend https_proxy, or unset it"),
    ("socks5://10.1.0.1:1080", "proxy-kind",
     f"kaya survey --proxy http://HOST:PORT {HOST}"),
    ("http://", "proxy-url", "export https_proxy=http://HOST:PORT"),
])
def test_a_proxy_that_is_none_is_told(scene, url, code, remedy):
    wrong = {"https_proxy": url}
    said = scene.survey("-p", "2222", env=wrong)
    assert said.codes == {code}
    assert remedy in said.finding(code)["remedy"]
    with Proxy(scene) as proxy:
        if "--proxy" in remedy:
            said = scene.survey("-p", "2222", "--proxy", str(proxy),
                                env=wrong)
        else:
            said = scene.survey("-p", "2222", env={"https_proxy": str(proxy)})
        assert said.codes == set()
        assert len(said.ways(2222, proxy=True)) == 1
    if "unset" in remedy:
        said = scene.survey("-p", "2222")
        assert said.codes == set()
    assert scene.carries(said.command)


def test_the_relay_says_why_it_fails(scene):
    with Proxy(scene, "BasicAuth dan s3cr3t"):
        for words, env, status in (
                (("--relay", HOST, "443"), {}, 2),
                (("--relay", HOST), {}, 2),
                (("--relay", HOST, "443"),
                 {"https_proxy": "http://10.1.0.1:3128"}, 4),
                (("--relay", HOST, "443"),
                 {"https_proxy": "http://10.1.0.1:3129"}, 3)):
            done = scene.client.run(KAYA, "survey", *words, check=False,
                                    env={**DIRECT, **env})
            assert done.returncode == status, done.stderr
            assert done.stdout == "" and "remedy: " in done.stderr


# ---- whoever stands between ----

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


def start_portal(scene, port=8080, status=302, body=""):
    portal = scene.router.start("python3", "-c", PORTAL, str(port),
                                str(status), body)
    scene.router.wait_for_port(port)
    return portal


def sign_in(scene, finding):
    """As a browser does, at the address that the remedy names."""
    url = re.search(r"http://broker\.example/", finding["remedy"]).group(0)
    scene.client.run(
        "python3", "-c", "import sys, urllib.request as r; "
        "r.urlopen(sys.argv[1], data=b'x=secret', timeout=30)", url,
        env=DIRECT)


LOGIN = "<form action=/in><input name=x type=\"password\"></form>"


@pytest.mark.parametrize("what,status,body", [
    ("tcp dport 80", 302, ""), ("tcp dport 1-65535", 302, ""),
    ("tcp dport 80", 511, ""), ("tcp dport 80", 200, LOGIN)])
def test_a_captive_portal_is_told(scene, what, status, body):
    drop(scene, "meta l4proto tcp")
    divert(scene, what, "10.1.0.1:8080")
    with start_portal(scene, 8080, status, body):
        said = scene.survey(status=3)
        assert said.said["code"] == "captive-portal"
        assert said.way(80, "ipv4")["code"] == "http"
        if status == 302:
            assert said.way(80, "ipv4")["leads_to"] == \
                "http://portal.lan/login"
            assert "http://portal.lan/login" in said.said["remedy"]
        if what != "tcp dport 80":
            assert said.way(22, "ipv4")["code"] == "http"
        sign_in(scene, said.finding("captive-portal"))
        said = scene.survey()
        assert said.codes == set()
        assert scene.carries(said.command)


def test_a_web_server_of_the_hosts_own_is_no_portal(scene):
    with scene.server.start("python3", "-c", PORTAL.replace("10.1.0.1", ""),
                            "80", "200", "<html>pumps</html>"):
        scene.server.wait_for_port(80)
        said = scene.survey("-p", "2222")
        assert said.way(80, "ipv4")["code"] == "http"
        assert said.codes == set()


def test_a_web_server_that_leads_elsewhere_is_no_fault_where_ssh_passes(scene):
    with scene.server.start("python3", "-c", PORTAL.replace("10.1.0.1", ""),
                            "80", "302", ""):
        scene.server.wait_for_port(80)
        said = scene.survey("-p", "2222")
        assert said.codes == {"redirect"}
        assert said.finding("redirect")["state"] == "warning"
        assert scene.carries(said.command)


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


def test_ssh_that_somebody_intercepts_is_no_way(scene):
    drop(scene, "ip6 nexthdr tcp")
    divert(scene, "tcp dport 2222", "10.1.0.1:2200")
    with Stranger(scene) as stranger:
        said = scene.survey("--ports", "2222", status=5)
        assert said.said["code"] == "host-key-changed"
        assert said.way(2222, "ipv4")["host_key"] == stranger.fingerprint
        assert said.way(2222, "ipv4")["state"] == "fault"
        assert stranger.fingerprint in said.said["cause"]
        assert said.codes == {"host-key-changed", "dns-private"}
        # As it says: it is not the server's own, so from another network.
        assert stranger.fingerprint != scene.kayad.fingerprint
        assert "do not log in from this network" in said.said["remedy"]
        undivert(scene)
        said = scene.survey("--ports", "2222")
        assert said.codes == set()
        assert scene.carries(said.command)


def test_a_server_that_was_set_up_anew_is_learned_anew(scene):
    former = scene.folder / "former"
    make_key(former)
    scene.known_hosts.write_text(f"[{HOST}]:2222 {public_half(former)}\n")
    said = scene.survey("--ports", "2222", status=5)
    changed = [finding for finding in said.said["findings"]
               if finding["code"] == "host-key-changed"]
    # It is the server's own: compared, as it says.
    assert scene.kayad.fingerprint in changed[0]["seen"]
    done = scene.take(changed[0], r"ssh-keygen -R .*", {
        "ssh-keygen": f"ssh-keygen -f {scene.known_hosts}",
        "kaya survey": f"kaya survey -F {scene.config} -i {scene.key} "
                       "--json"})
    # ssh-keygen says what it takes out, before it.
    said = Said(json.loads(done.stdout[done.stdout.index("{"):]), done.stdout)
    assert said.codes == set()
    assert scene.carries(said.command)


def test_the_way_beside_the_intercepted_one_is_taken(scene):
    serve_on(scene, 443)
    drop(scene, "ip6 nexthdr tcp")
    divert(scene, "tcp dport 2222", "10.1.0.1:2200")
    with Stranger(scene) as stranger:
        said = scene.survey()
        assert said.codes == {"ssh-intercepted"}
        assert stranger.fingerprint in said.finding("ssh-intercepted")["seen"]
        assert f"-p 443 --host-key {scene.kayad.fingerprint}" in said.command
        assert "take the one below" in said.finding("ssh-intercepted")["remedy"]
        assert scene.carries(said.command)
        said = scene.survey("--ports", "443", "-p", "443", "--host-key",
                            scene.kayad.fingerprint)
        assert said.codes == set()


def test_where_one_address_is_intercepted_the_other_is_named(scene):
    divert(scene, "tcp dport 2222", "10.1.0.1:2200")
    with Stranger(scene):
        said = scene.survey("--ports", "2222", "-p", "2222")
        assert said.codes == {"ssh-intercepted"}
        assert said.command.endswith(" fd02::2") or \
            said.command.endswith(" [fd02::2]")
        assert scene.carries(said.command)


def test_a_demanded_host_key_counts_and_is_not_remembered(scene):
    scene.known_hosts.write_text("")
    said = scene.survey("-p", "2222", "--host-key", scene.kayad.fingerprint)
    assert said.way(2222, "ipv4")["host_key_is"] == "pinned"
    assert scene.known_hosts.read_text() == ""
    said = scene.survey("-p", "2222", "--host-key", "SHA256:" + 43 * "A",
                        status=5)
    assert said.said["code"] == "host-key-changed"
    assert scene.known_hosts.read_text() == ""


def test_a_host_key_that_nobody_knows_is_to_be_compared(scene):
    scene.known_hosts.write_text("")
    said = scene.survey("-p", "2222")
    assert said.codes == {"host-key-unknown"}
    assert f"compare {scene.kayad.fingerprint}" in said.why
    assert scene.known_hosts.read_text() == ""
    assert scene.carries(said.command)


def test_two_unknown_keys_on_one_port_are_suspicious(scene):
    scene.known_hosts.write_text("")
    divert(scene, "tcp dport 2222", "10.1.0.1:2200")
    with Stranger(scene):
        said = scene.survey("-p", "2222")
        assert "host-key-differs" in said.codes
        # As it says: name the server's own, once compared.
        remedy = said.finding("host-key-differs")["remedy"]
        assert f"kaya survey --host-key SHA256:... {HOST}" in remedy
        said = scene.survey("-p", "2222", "--host-key",
                            scene.kayad.fingerprint)
        assert said.way(2222, "ipv6")["state"] == "way"
        assert said.way(2222, "ipv4")["state"] == "fault"
        assert scene.carries(said.command)


# ---- TLS ----

def make_certificate(folder, name, host=HOST):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "9", "-subj",
         f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}", "-keyout",
         folder / f"{name}.key", "-out", folder / f"{name}.crt"],
        check=True, capture_output=True)
    (folder / f"{name}.key").chmod(0o644)


def pin_of(folder, name):
    """Of the public key, as RFC 7469 has it."""
    done = subprocess.run(
        f"openssl x509 -in {folder}/{name}.crt -pubkey -noout | "
        "openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | "
        "base64", shell=True, capture_output=True, text=True, check=True)
    return "SHA256:" + done.stdout.strip().rstrip("=")


class SecureBroker(peers.Process):
    """mosquitto with a TLS listener on 8883."""

    def __init__(self, host, folder, name, address="0.0.0.0"):
        peers.let_through(folder)
        config = folder / f"{name}.conf"
        config.write_text(
            f"listener 8883 {address}\nallow_anonymous true\n"
            f"certfile {folder}/{name}.crt\nkeyfile {folder}/{name}.key\n"
            "log_dest stderr\n")
        super().__init__([*host.prefix, peers.find("mosquitto"), "-c",
                          str(config)])
        try:
            host.wait_for_port(8883)
        except BaseException:
            self.stop()
            raise


def test_a_certificate_that_cannot_be_checked_can_be_pinned(scene):
    make_certificate(scene.folder, "own")
    with SecureBroker(scene.server, scene.folder, "own"):
        said = scene.survey("-p", "2222")
        assert said.codes == {"tls-not-valid"}
        way = said.way(8883, "ipv4")
        assert (way["code"], way["state"]) == ("tls", "open")
        assert way["tls_pin"] == pin_of(scene.folder, "own")
        # The remedy: pin it.
        words = shlex.split(re.search(
            r"kaya survey (--tls-pin \S+)",
            said.finding("tls-not-valid")["remedy"]).group(1))
        said = scene.survey("-p", "2222", *words)
        assert said.way(8883, "ipv4")["certificate_is"] == "pinned"
        assert said.codes == set()


def test_a_certificate_of_a_known_authority_is_valid(scene):
    make_certificate(scene.folder, "own")
    with SecureBroker(scene.server, scene.folder, "own"):
        said = scene.survey("-p", "2222", env={
            "SSL_CERT_FILE": str(scene.folder / "own.crt")})
        assert said.way(8883, "ipv4")["certificate_is"] == "valid"
        assert said.codes == set()
    make_certificate(scene.folder, "else", "other.example")
    with SecureBroker(scene.server, scene.folder, "else"):
        said = scene.survey("-p", "2222", env={
            "SSL_CERT_FILE": str(scene.folder / "else.crt")})
        assert "mismatch" in said.finding("tls-not-valid")["seen"]


def test_tls_that_somebody_intercepts_is_told(scene):
    drop(scene, "ip6 nexthdr tcp")
    make_certificate(scene.folder, "own")
    make_certificate(scene.folder, "strange")
    divert(scene, "tcp dport 8883", "10.1.0.1:8883")
    with SecureBroker(scene.server, scene.folder, "own"), \
            SecureBroker(scene.router, scene.folder, "strange"):
        pin = pin_of(scene.folder, "own")
        said = scene.survey("-p", "2222", "--tls-pin", pin)
        assert said.codes == {"tls-intercepted"}
        assert said.way(8883, "ipv4")["state"] == "fault"
        assert pin_of(scene.folder, "strange") in \
            said.finding("tls-intercepted")["seen"]
        said = scene.survey("--ports", "8883", "--tls-pin", pin, status=5)
        assert said.said["code"] == "tls-intercepted"
        assert "do not use TLS from this network" in said.said["remedy"]
        undivert(scene)
        said = scene.survey("-p", "2222", "--tls-pin", pin)
        assert said.codes == set()
        assert said.way(8883, "ipv4")["certificate_is"] == "pinned"


def test_a_certificate_that_was_renewed_is_pinned_anew(scene):
    make_certificate(scene.folder, "former")
    make_certificate(scene.folder, "own")
    with SecureBroker(scene.server, scene.folder, "own"):
        said = scene.survey("-p", "2222", "--tls-pin",
                            pin_of(scene.folder, "former"))
        assert said.codes == {"tls-intercepted"}
        words = shlex.split(re.search(
            r"kaya survey (--tls-pin \S+)",
            said.finding("tls-intercepted")["remedy"]).group(1))
        said = scene.survey("-p", "2222", *words)
        assert said.codes == set()
        assert said.way(8883, "ipv4")["certificate_is"] == "pinned"


def test_a_broker_without_ssh_is_no_way(scene):
    config = scene.folder / "open.conf"
    config.write_text("listener 1883\nallow_anonymous true\n")
    peers.let_through(scene.folder)
    with scene.server.start("mosquitto", "-c", str(config)):
        scene.server.wait_for_port(1883)
        said = scene.survey("--ports", "1883", status=3)
        assert said.said["code"] == "no-ssh"
        assert {way["code"] for way in said.ways(1883)} == {"mqtt"}


# ---- names ----

def test_a_name_that_does_not_exist_is_told(scene):
    done = scene.client.run(KAYA, "survey", "--json", "nobody.example",
                            check=False, env=DIRECT)
    assert done.returncode == 3
    said = json.loads(done.stdout)
    assert said["code"] == "no-such-name"
    # As it says: by its address, where the name is not known.
    assert "kaya survey ADDRESS" in said["remedy"]
    scene.knows("[10.2.0.2]:2222")
    assert scene.carries_by_address()


@pytest.fixture
def honest(scene):
    """Another resolver, at the server; nobody asks it yet."""
    with Names(scene.server, scene.client, *NAMES, address="10.2.0.2"):
        ask(scene, "10.1.0.1")
        yield scene


def ask(scene, address):
    scene.client.replace("/etc/resolv.conf", f"nameserver {address}\n"
                         "options timeout:1 attempts:1\n")


def ask_the_other(scene, finding):
    """Type the remedy that names another resolver."""
    scene.take(finding, r"echo 'nameserver [^(]*", {"RESOLVER": "10.2.0.2"})
    said = scene.survey("-p", "2222")
    assert said.codes == set()
    assert scene.carries(said.command)


def test_a_resolver_that_does_not_answer_is_told(honest):
    honest.router.nft("""table ip deaf { chain in {
        type filter hook input priority 0
        udp dport 53 drop
    }
    }""")
    said = honest.survey(status=3)
    assert said.said["code"] == "dns-silent"
    ask_the_other(honest, said.finding("dns-silent"))


def test_a_resolver_that_cannot_find_out_is_told(honest, names):
    """It refuses what it has nobody to ask for."""
    names.stop()
    with Names(honest.router, honest.client):
        said = honest.survey(status=3)
        assert said.said["code"] == "dns-silent"
        assert "cannot find out" in said.said["cause"]
        ask_the_other(honest, said.finding("dns-silent"))


@pytest.mark.parametrize("portal", ["tcp dport 80", None])
def test_a_resolver_that_lies_is_told(scene, names, portal):
    names.stop()
    with Names(scene.router, scene.client, "--address=/#/10.1.0.1"), \
            start_portal(scene, 80 if portal else 2222):
        said = scene.survey(status=3)
        lie = said.finding("dns-lies")
        assert lie["state"] == "fault"
        assert "10.1.0.1" in lie["seen"]
        # What its remedy says: the address that is known.
        scene.knows("[10.2.0.2]:2222")
        assert scene.carries_by_address()


def test_a_wildcard_is_a_warning_where_the_host_key_is_right(scene, names):
    names.stop()
    with Names(scene.router, scene.client, "--address=/example/10.2.0.2"):
        said = scene.survey("-p", "2222")
        assert said.codes == {"dns-answers-all"}
        assert scene.carries(said.command)


def test_a_name_that_is_led_to_this_machine_is_told(honest, names):
    names.stop()
    with Names(honest.router, honest.client,
               "--host-record=broker.example,127.0.0.1"):
        said = honest.survey(status=3)
        assert "127.0.0.1" in said.finding("dns-bogus")["seen"]
        assert "the DNS of this network" in said.finding("dns-bogus")["cause"]
        ask_the_other(honest, said.finding("dns-bogus"))


def test_a_name_that_the_hosts_file_leads_to_this_machine_is_told(scene):
    scene.client.replace(
        "/etc/hosts", "127.0.0.1 localhost # not broker.example\n\n"
        "\t127.0.0.1 broker Broker.Example\n10.9.9.9 else.example\n")
    said = scene.survey(status=3)
    bogus = said.finding("dns-bogus")
    assert "line 3 of this machine's /etc/hosts" in bogus["cause"]
    scene.take(bogus, r"rest=.*")
    assert scene.client.run("cat", "/etc/hosts").stdout == (
        "127.0.0.1 localhost # not broker.example\n\n"
        "10.9.9.9 else.example\n")
    said = scene.survey("-p", "2222")
    assert said.codes == set()
    assert scene.carries(said.command)


def test_a_private_address_where_another_answers_is_told(scene, names):
    names.stop()
    with Names(scene.router, scene.client,
               "--host-record=broker.example,10.1.0.1",
               "--local=/example/"), Stranger(scene):
        scene.knows(f"[{HOST}]:2200", "[10.2.0.2]:2222")
        said = scene.survey("-p", "2200", "--ports", "2200", status=5)
        assert said.said["code"] == "host-key-changed"
        assert "10.1.0.1" in said.finding("dns-private")["seen"]
        remedy = said.finding("dns-private")["remedy"]
        assert "kaya survey ADDRESS" in remedy
        assert scene.carries_by_address()


# ---- packets and time ----

@pytest.fixture
def narrow(scene):
    """A cable of 1,300 bytes in the middle, and nobody who says so."""
    for host in (scene.router, scene.net.far):
        host.nft("""table inet mute { chain out {
            type filter hook output priority 0
            icmp type destination-unreachable drop
            icmpv6 type packet-too-big drop
        }
        }""")
    return scene


@pytest.mark.narrow(1300)
def test_a_black_hole_for_large_packets_is_measured_and_mended(narrow):
    scene = narrow
    said = scene.survey("-p", "2222")
    assert "path-mtu" in said.codes
    assert {way["large_packets"] for way in said.ways(2222)} == {"stalls"}
    assert said.said["path_mtu"] == 1280
    remedy = said.finding("path-mtu")["remedy"]
    mend = re.search(r"ip link set dev n1 mtu 1280", remedy).group(0)
    scene.client.run(*mend.split())
    said = scene.survey("-p", "2222")
    assert said.codes == set()
    assert {way["large_packets"] for way in said.ways(2222)} == {"passes"}
    assert scene.carries(said.command, payload=9999 * "large ")


@pytest.mark.narrow(1300)
def test_the_other_remedy_for_it_is_the_routers(narrow):
    scene = narrow
    remedy = scene.survey("-p", "2222").finding("path-mtu")["remedy"]
    rule = re.search(r"nft (insert rule inet filter forward .*)",
                     remedy).group(1)
    scene.router.nft("table inet filter { chain forward { type filter hook "
                     "forward priority 0\n}\n}\n" + rule + "\n")
    said = scene.survey("-p", "2222")
    assert said.codes == set()
    assert scene.carries(said.command, payload=9999 * "large ")


def test_large_packets_that_never_pass_are_told(scene):
    # What carries more than the first few words, whatever its size.
    scene.router.nft("""table inet filter { chain forward {
        type filter hook forward priority 0
        tcp dport 2222 meta length > 300 drop
    }
    }""")
    said = scene.survey("-p", "2222", status=3)
    assert said.said["code"] == "large-packets"
    assert {way["large_packets"] for way in said.ways(2222)} == {"stalls"}
    scene.take(said.finding("large-packets"), r"for end in .*",
               at=scene.router)
    said = scene.survey("-p", "2222")
    assert said.codes == set()
    assert scene.carries(said.command, payload=9999 * "large ")


def test_a_nat_that_forgets_is_timed(scene):
    scene.router.nft("""table ip nat { chain out {
        type nat hook postrouting priority 100
        oifname n2 masquerade
    }
    chain on_the_way {
        type filter hook forward priority 0
        ct state invalid drop
    }
    }""")
    drop(scene, "ip6 nexthdr tcp")
    scene.router.set("net.netfilter.nf_conntrack_tcp_loose", 0)
    scene.router.set("net.netfilter.nf_conntrack_tcp_timeout_established", 3)
    said = scene.survey("-p", "2222", "--ports", "2222", "--idle", "5")
    assert said.codes == {"idle-forgotten-early"}
    assert 1000 <= said.said["idle_lived_ms"] < 3000
    assert 3000 < said.said["idle_died_ms"] <= 5000
    assert re.search("mosquitto_sub -k [12];",
                     said.finding("idle-forgotten-early")["remedy"])


def test_idle_connections_live_where_nobody_forgets(scene):
    said = scene.survey("-p", "2222", "--ports", "2222", "--idle", "2s")
    assert said.codes == set()
    assert said.said["idle_died_ms"] == 0


@pytest.mark.kayad(config="limits:\n  login_grace: 2s\n")
def test_the_servers_own_patience_is_not_the_networks(scene):
    said = scene.survey("-p", "2222", "--ports", "2222", "--idle", "5s")
    assert said.codes == {"login-grace"}
    assert said.said["idle_died_ms"] == 0


def test_too_many_logins_at_once_are_the_servers_doing(scene):
    folder = scene.folder / "busy"
    folder.mkdir()
    make_key(folder / "host_key")
    scene.known_hosts.write_text(
        f"{HOST} {public_half(folder / 'host_key')}\n")
    config = folder / "sshd_config"
    config.write_text("MaxStartups 1\n")
    with scene.server.start(
            peers.find("sshd"), "-D", "-e", "-f", config, "-h",
            folder / "host_key", "-o", "UsePAM=no", "-o",
            f"PidFile={folder}/pid", "-o", "Port=22") as sshd:
        sshd.wait_for_log("listening on :: port 22")
        with scene.client.start("bash", "-c", "exec 3<>/dev/tcp/10.2.0.2/22; "
                                "head -n1 <&3; sleep infinity") as holder:
            holder.wait_for_log("SSH-2.0")
            # The holder is the one that may wait.
            words = scene.client.run(
                "bash", "-c",
                "exec 3<>/dev/tcp/10.2.0.2/22; head -n1 <&3").stdout
            status, code = {
                "Exceeded MaxStartups": (3, "max-startups"),
                # Since 9.8, of an address that is shut out, too.
                "Not allowed at this time": (4, "locked-out"),
            }[words.strip()]
            said = scene.survey("--ports", "22", status=status)
            assert said.said["code"] == code
            assert "MaxStartups" in said.said["cause"]
            # As it says: a higher one, and try again.
            assert "a higher MaxStartups" in said.said["remedy"]
            assert f"kaya survey {HOST}" in said.said["remedy"]
            config.write_text("MaxStartups 100:30:1000\n")
            (folder / "pid").unlink()
            sshd.signal(signal.SIGHUP)
            peers.wait_until((folder / "pid").exists, "sshd listens anew")
            assert holder.is_running()
            said = scene.survey("--ports", "22")
            assert said.codes == set()
            assert said.way(22, "ipv4")["state"] == "way"


# ---- whom it touches ----

def test_only_the_host_the_proxy_and_the_resolver_are_touched(scene):
    scene.client.nft("""table inet watch {
        counter others { }
        counter meant { }
        chain out {
            type filter hook output priority 0
            oif lo accept
            icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
            ip daddr 10.1.0.1 udp dport 53 counter name meant accept
            ip daddr 10.1.0.1 tcp dport 3128 counter name meant accept
            ip daddr 10.2.0.2 tcp dport { 22, 2222, 443 } counter name meant accept
            ip6 daddr fd02::2 tcp dport { 22, 2222, 443 } counter name meant accept
            ip6 daddr ff02::/16 icmpv6 type { nd-neighbor-solicit, mld2-listener-report } accept
            counter name others
        }
    }""")
    make_certificate(scene.folder, "own")
    with Proxy(scene) as proxy:
        scene.survey("-p", "2222", "--ports", "22,443", "--idle", "1s",
                     env={"https_proxy": str(proxy)})
    counted = scene.client.run("nft", "list", "counters").stdout
    packets = {name: int(number) for name, number in re.findall(
        r"counter (\w+) \{\s+packets (\d+)", counted)}
    assert packets["meant"] > 20 and packets["others"] == 0


# ---- as text ----

def test_a_pipe_gets_each_way_once_and_then_the_command(scene):
    done = scene.client.run(
        KAYA, "survey", "-F", scene.config, "-i", scene.key, "--ports",
        "22,2222", HOST, env=DIRECT)
    lines = done.stdout.splitlines()
    assert sorted(line.split()[:3] for line in lines[:4]) == sorted(
        [state, port, address] for port, state in
        (("22", "shut"), ("2222", "way"))
        for address in ("10.2.0.2", "fd02::2"))
    assert "\033" not in done.stdout
    assert lines[-2].startswith("use:    kaya tunnel ")
    assert lines[-1].startswith("why:    port 2222 is SSH with the known host")
    assert scene.carries(lines[-2].split(maxsplit=1)[1])


def test_a_terminal_gets_a_table_that_is_drawn_again(scene):
    command = " ".join([
        str(KAYA), "survey", "-F", str(scene.config), "--ports", "22,2222",
        HOST])
    done = scene.client.run("script", "-qec", command, "/dev/null",
                            env={**DIRECT, "TERM": "xterm"})
    assert re.search(r"\033\[4A\033\[J", done.stdout)
    last = done.stdout[done.stdout.rindex("\033[4A"):]
    assert last.count("way") >= 2 and "..." not in last.split("use:")[0]
    assert done.stdout.index("...") < done.stdout.index("SSH-2.0")


@pytest.mark.parametrize("words", [
    (), ("a", "b"), ("--ports", "x", "a"), ("--ports", "22,", "a"),
    ("--ports", "70000", "a"), ("--tls-pin", "x", "a"), ("--idle", "x", "a"),
    ("--timeout", "1h", "a"), ("-J", "b", "a")])
def test_wrong_use_is_told_and_nothing_is_tried(words):
    done = subprocess.run([KAYA, "survey", *words], capture_output=True,
                          text=True, env=DIRECT, timeout=30)
    assert done.returncode == 2
    assert done.stdout == "" and "remedy: " in done.stderr
