"""kaya survey in networks that let out this and not that.

Each fault is made by real means (nftables, another server behind the same
address, a proxy, a narrow cable), and the command that is recommended is run:
a message goes through.
"""

import re
import shlex
import subprocess

import pytest

import peers
from hosts import needs_root
from peers import KAYA, make_key
from scenes import (  # noqa: F401
    DIRECT, HOST, Proxy, drop, make_certificate, names, network, public_half,
    scene, serve_on)

pytestmark = needs_root


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
    # As it says: from a network that works it answers.
    scene.router.replace("/etc/hosts", f"10.2.0.2 {HOST}\n")
    there = scene.again(said.finding("nothing-passes"), at=scene.router)
    assert there.way(2222, "ipv4")["state"] == "way"
    # And this network's owner opens the port that it names.
    port = re.search(r"open TCP port (\d+) to it",
                     said.said["remedy"]).group(1)
    serve_on(scene, port)
    scene.router.nft("insert rule inet wall on_the_way tcp dport "
                     f"{port} accept")
    said = scene.survey()
    assert said.codes == set()
    assert scene.carries(said.command)


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
    "reject", "reject with icmpx type admin-prohibited", "drop"])
def test_this_machines_own_firewall_is_told_and_opened(scene, verdict):
    scene.client.nft(f"""table inet filter {{ chain output {{
        type filter hook output priority 0
        meta l4proto tcp oifname n1 {verdict}
    }}
    }}""")
    said = scene.survey("--ports", "2222", status=3)
    assert said.said["code"] == "own-firewall"
    assert re.search(r"inet filter output: .* oifname \"n1\" "
                     + verdict.split()[0], said.said["cause"]), said.said
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
            named = scene.survey("--proxy", wrong, env={}, status=4)
            assert "wr0ng" not in named.text
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
     f"--proxy http://HOST:PORT {HOST}"),
    ("http://", "proxy-url", "export https_proxy=http://HOST:PORT"),
])
def test_a_proxy_that_is_none_is_told(scene, url, code, remedy):
    wrong = {"https_proxy": url}
    said = scene.survey("-p", "2222", env=wrong)
    assert said.codes == {code}
    assert remedy in said.finding(code)["remedy"]
    with Proxy(scene) as proxy:
        if "--proxy" in remedy:
            said = scene.again(said.finding(code), {
                "http://HOST:PORT": str(proxy)}, env=wrong)
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


def test_a_narrow_terminal_gets_whole_lines_at_last(scene):
    command = " ".join([
        "stty cols 60;", str(KAYA), "survey", "-F", str(scene.config),
        "--ports", "22,2222", HOST])
    done = scene.client.run("script", "-qec", command, "/dev/null",
                            env={**DIRECT, "TERM": "xterm"})
    last = done.stdout[done.stdout.rindex("\033[4A"):]
    assert "host key as known" in last, done.stdout


@pytest.mark.parametrize("words", [
    (), ("a", "b"), ("--ports", "x", "a"), ("--ports", "22,", "a"),
    ("--ports", "70000", "a"), ("--tls-pin", "x", "a"), ("--idle", "x", "a"),
    ("--timeout", "1h", "a"), ("-J", "b", "a")])
def test_wrong_use_is_told_and_nothing_is_tried(words):
    done = subprocess.run([KAYA, "survey", *words], capture_output=True,
                          text=True, env=DIRECT, timeout=30)
    assert done.returncode == 2
    assert done.stdout == "" and "remedy: " in done.stderr
