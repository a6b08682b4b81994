"""kaya survey where large packets vanish and idle connections die."""

import re
import signal
import subprocess

import pytest

import peers
from hosts import needs_root
from networks import is_missing
from peers import make_key
from scenes import (  # noqa: F401
    DIRECT, HOST, drop, names, network, public_half, scene)

pytestmark = needs_root


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


@pytest.fixture
def forgetful(scene):
    """A router that hides the device, and forgets what idles for 3 s."""
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
    conntrack(scene, "loose", 0)
    conntrack(scene, "timeout_established", 3)
    return scene


def conntrack(scene, setting, value):
    scene.router.set("net.netfilter.nf_conntrack_tcp_" + setting, value)


def known_links(scene):
    """Those that the router has not forgotten."""
    return scene.router.run(
        "conntrack", "-L", "-p", "tcp", "--dport", "2222", "--state",
        "ESTABLISHED").stdout.splitlines()


def outlives(scene, command, up):
    """Typed, the command keeps a connection that another one loses."""
    careless = re.sub(r"ServerAliveInterval=\d+", "ServerAliveInterval=0",
                      scene.ssh_command).replace("-L 22883:", "-L 22884:")
    # Nobody is forgotten while he logs in, however slow the machine is: the
    # time counts from the next packet.
    conntrack(scene, "timeout_established", 600)
    with scene.client.start("sh", "-c", f"exec {command}", env=DIRECT) as kept, \
            scene.client.start("sh", "-c", f"exec {careless} -v") as lost:
        up(kept)
        lost.wait_for_log("Entering interactive session")
        assert len(known_links(scene)) == 2
        conntrack(scene, "timeout_established", 3)
        publish(scene, 22884)
        publish(scene, 22883)
        peers.wait_until(lambda: len(known_links(scene)) == 1, "one forgotten")
        publish(scene, 22883)
        assert kept.log().count("event=up") <= 1
        with pytest.raises(subprocess.TimeoutExpired):
            publish(scene, 22884, timeout=2)


def publish(scene, port, timeout=30):
    scene.client.run("mosquitto_pub", "-h", "127.0.0.1", "-p", port, "-t",
                     "test/load", "-m", "through", "-q", "1", timeout=timeout)


def is_up(tunnel):
    tunnel.wait_for_log("event=up")


# How often kaya tunnel asks without a word: as ssh_config says, or each 15 s.
@pytest.mark.skipif(is_missing("conntrack"),
                    reason="conntrack is not installed")
@pytest.mark.parametrize("line,code,own", [
    ("", "idle-forgotten-early", 15),
    ("ServerAliveInterval 1\n", "idle-forgotten", 1)])
def test_a_nat_that_forgets_is_timed_and_outlived(forgetful, line, code, own):
    scene = forgetful
    with open(scene.config, "a") as config:
        config.write(line)
    said = scene.survey("-p", "2222", "--ports", "2222", "--idle", "5")
    assert said.codes == {code}
    assert 1000 <= said.said["idle_lived_ms"] < 3000
    assert 3000 < said.said["idle_died_ms"] <= 5000
    finding = said.finding(code)
    assert f"{own} s" in finding["cause"] + finding["remedy"]
    if code == "idle-forgotten-early":
        assert f"have it ask sooner: {said.command};" in finding["remedy"]
    # The other family is a way to wait for.
    assert " -4 " in finding["remedy"]
    scene.ssh_command = re.search(r"ssh -N .*", finding["remedy"]).group(0)
    outlives(scene, said.command, is_up)
    outlives(scene, scene.ssh_command,
             lambda ssh: scene.client.wait_for_port(22883))


def test_idle_connections_live_where_nobody_forgets(scene):
    said = scene.survey("-p", "2222", "--ports", "2222", "--idle", "2s")
    assert said.codes == set()
    assert said.said["idle_died_ms"] == 0


@pytest.mark.kayad(config="limits:\n  login_grace: 2s\n")
def test_the_servers_own_patience_is_not_the_networks(scene):
    said = scene.survey("-p", "2222", "--ports", "2222", "--idle", "5s")
    assert said.codes == {"login-grace"}
    assert said.said["idle_died_ms"] == 0


# What sshd says then, and what a survey makes of it.
TURNED_AWAY = {
    "Exceeded MaxStartups": (3, "max-startups"),
    # Since 9.8, of an address that is shut out, too.
    "Not allowed at this time": (4, "locked-out"),
}


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
            status, code = TURNED_AWAY[words.strip()]
            said = scene.survey("--ports", "22", status=status)
            assert said.said["code"] == code
            assert "MaxStartups" in said.said["cause"]
            # As it says: a higher one, and try again.
            assert "a higher MaxStartups" in said.said["remedy"]
            again = scene.again(said.finding(code), status=status)
            assert again.said["code"] == code
            config.write_text("MaxStartups 100:30:1000\n")
            (folder / "pid").unlink()
            sshd.signal(signal.SIGHUP)
            peers.wait_until((folder / "pid").exists, "sshd listens anew")
            assert holder.is_running()
            said = scene.survey("--ports", "22")
            assert said.codes == set()
            assert said.way(22, "ipv4")["state"] == "way"
