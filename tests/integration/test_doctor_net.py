"""kaya doctor in networks that are set up wrongly.

A device, a router and a server are network namespaces: names, firewalls,
missing ways and a NAT that forgets are the kernel's own. The remedies are
typed where they say that they belong.
"""

import json
import re
import signal
import subprocess

import pytest

import networks
import peers
from devices import home  # noqa: F401
from networks import DEVICE, DEVICE_6, ROUTER, SERVER, SERVER_6, network  # noqa: F401
from patients import Doctor, Place
from test_doctor import assert_well


@pytest.fixture
def place(tmp_path, home, network):
    with Place(tmp_path, home, network) as place:
        yield place


# ---- names ----

def test_a_name_that_dns_does_not_know(place):
    with place.dns():
        wrong = place.visit("borker.test")
    assert (wrong.status, wrong.layer, wrong.code) == (
        3, "dns", "no-such-name"), wrong
    assert "misspelt" in wrong.cause
    place.doctor.take(wrong, r"getent ahosts [\w.-]+", status=2)
    place.doctor.take(wrong, r"getent ahosts [\w.-]+",
                      {"borker": "broker"})


def test_dns_that_answers(place):
    with place.dns("--address=/by-dns.test/" + SERVER):
        place.know("by-dns.test")
        assert_well(place.visit("by-dns.test"))


def test_dns_that_does_not_answer(place):
    place.network.server.filter("input", "udp dport 53 drop")
    wrong = place.visit("by-dns.test")
    assert (wrong.status, wrong.layer, wrong.code) == (
        3, "dns", "dns-silent"), wrong
    place.know("by-dns.test", SERVER)
    again = place.doctor.take(wrong, r"kaya doctor -o HostName=.*",
                              {"ADDRESS": SERVER})
    assert "came back" in again.stdout


def test_dns_that_cannot_find_out(place):
    """It answers at once: that it refuses to look the name up."""
    place.know("broker.elsewhere", SERVER)
    with place.dns(), place.dns(f"--address=/broker.elsewhere/{SERVER}",
                                where="router"):
        wrong = place.visit("broker.elsewhere")
        assert (wrong.status, wrong.layer, wrong.code) == (
            3, "dns", "dns-silent"), wrong
        assert "cannot find out" in wrong.cause
        again = place.doctor.take(wrong, r"kaya doctor -o HostName=.*",
                                  {"ADDRESS": SERVER})
        assert "came back" in again.stdout
        place.doctor.take(wrong, r"echo 'nameserver [^(]*",
                          {"RESOLVER": ROUTER})
        assert_well(place.visit("broker.elsewhere"))


@pytest.mark.parametrize("dead,alive,word", [
    (SERVER_6, SERVER, "inet"), (SERVER, SERVER_6, "inet6")])
def test_a_name_of_two_addresses_of_which_one_is_dead(
        place, dead, alive, word):
    place.network.device.knows(f"{SERVER} two.test", f"{SERVER_6} two.test")
    place.know("two.test")
    place.network.server.filter(
        "input", f"{'ip6' if ':' in dead else 'ip'} daddr {dead} tcp dport "
        "22 drop")
    doubtful = place.visit("two.test")
    assert doubtful.status == 0
    assert (doubtful.layer, doubtful.code) == ("tcp", "filtered"), doubtful
    assert f"{dead} port 22" in doubtful.cause
    assert sorted(doubtful.states("tcp")) == ["ok", "warning"]
    assert doubtful.states("message") == ["ok"]
    # Until somebody mends it: ssh by the family that the remedy names.
    words = re.search(r"ssh (-o AddressFamily=\w+)", doubtful.remedy).group(1)
    assert words.endswith("=" + word)
    done = subprocess.run(
        [*place.network.device.prefix, "ssh", "-F", place.doctor.config, "-v",
         "-i", place.key, *words.split(), "root@two.test", "true"],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert f"[{dead}]" not in done.stderr
    place.take_at_server(doubtful, r"nft insert [^(;]*")
    assert_well(place.visit("two.test"))
    assert place.visit("two.test").code is None


def test_a_device_that_has_ipv6_only(place):
    device = place.network.device
    device.run("ip", "-4", "route", "flush", "default")
    device.run("ip", "addr", "del", f"{DEVICE}/24", "dev", "kaya1")
    device.knows(f"{SERVER} two.test", f"{SERVER_6} two.test")
    place.know("two.test")
    well = place.visit("two.test")
    assert_well(well)
    assert sorted(well.states("tcp")) == ["not-known", "ok"]
    wrong = place.visit("four.test")
    assert (wrong.status, wrong.code) == (3, "no-route"), wrong
    lost = place.doctor.take(wrong, r"ip route get [^\s;]+", status=2)
    assert "unreachable" in lost.stderr


def test_a_device_without_a_way_out(place):
    place.network.device.run("ip", "route", "flush", "default")
    wrong = place.visit("broker.test")
    assert (wrong.status, wrong.code) == (3, "no-route"), wrong
    place.doctor.take(wrong, r"ip route add .*", {"GATEWAY": ROUTER})
    assert_well(place.visit("broker.test"))


# ---- firewalls and ways ----

def test_a_firewall_at_the_server_that_drops(place):
    place.network.server.filter("input", "tcp dport 22 drop")
    wrong = place.visit("broker.test")
    assert (wrong.status, wrong.layer, wrong.code) == (
        3, "tcp", "filtered"), wrong
    assert "no answer within 5 s" in wrong.seen("tcp")
    place.take_at_server(wrong, r"nft insert [^(;]*")
    assert_well(place.visit("broker.test"))


def test_a_firewall_that_counts_connections(place):
    """As ufw limit: the next one has to wait."""
    place.network.server.filter(
        "input", "tcp dport 22 ct state new limit rate over 1/hour burst 1 "
        "packets reject with tcp reset")
    wrong = place.visit("broker.test")
    assert (wrong.status, wrong.layer, wrong.code) == (
        3, "kex", "gone"), wrong
    assert "a firewall counts connections" in wrong.cause
    place.take_at_server(wrong, r"nft insert [^(;]*")
    assert_well(place.visit("broker.test"))


@pytest.mark.skipif("libwrap" not in subprocess.run(
    ["ldd", peers.find("sshd")], capture_output=True, text=True).stdout,
    reason="this sshd knows no hosts.deny")
@pytest.mark.parametrize("host,device", [
    ("four.test", DEVICE), ("six.test", f"[{DEVICE_6}]")])
def test_a_server_that_denies_the_address(place, host, device):
    for name, text in (("hosts.deny", "sshd: ALL\n"), ("hosts.allow", "")):
        (place.network.server.etc / name).write_text(text)
    place.restart_sshd()
    wrong = place.visit(host)
    assert (wrong.status, wrong.layer, wrong.code) == (
        3, "banner", "closed-at-once"), wrong
    assert "hosts.deny" in wrong.cause
    place.take_at_server(wrong, rf"echo 'sshd: {re.escape(device)}'.*")
    assert_well(place.visit(host))


@pytest.mark.parametrize("where,by", [("server", SERVER), ("router", ROUTER)])
def test_a_firewall_that_rejects(two_doors, where, by):
    place = two_doors
    getattr(place.network, where).filter(
        "input" if where == "server" else "forward",
        "tcp dport 22 reject with icmp type admin-prohibited")
    wrong = place.visit("broker.test")
    assert (wrong.status, wrong.layer, wrong.code) == (
        3, "tcp", "rejected"), wrong
    assert f"a firewall at {by}" in wrong.cause
    if where == "router":
        take_other_way(place, wrong)
        return
    place.take_at_server(wrong, r"nft insert [^(;]*")
    assert_well(place.visit("broker.test"))


def test_a_firewall_that_resets_what_has_been_connected(two_doors):
    place = two_doors
    place.network.router.filter(
        "forward", "tcp dport 22 tcp flags != syn reject with tcp reset")
    wrong = place.visit("broker.test")
    assert (wrong.status, wrong.layer, wrong.code) == (
        3, "tcp", "reset"), wrong
    assert "on the way" in wrong.cause and "resets" in wrong.cause
    take_other_way(place, wrong)


def test_a_server_that_hangs(place):
    place.sshd.signal(signal.SIGSTOP)
    wrong = place.visit("broker.test")
    place.sshd.signal(signal.SIGCONT)
    assert (wrong.status, wrong.layer, wrong.code) == (
        3, "banner", "silent"), wrong
    assert "systemctl restart ssh" in wrong.remedy
    assert_well(place.visit("broker.test"))


def test_a_way_that_a_router_does_not_know(place):
    place.network.router.run("ip", "route", "add", "unreachable",
                             "10.77.9.0/24")
    wrong = place.visit("10.77.9.9")
    assert (wrong.status, wrong.layer, wrong.code) == (
        3, "tcp", "unreachable"), wrong
    assert f"{ROUTER} knows no way" in wrong.cause
    # It is the server, by another name, and the router has to know.
    server = place.network.server
    server.run("ip", "addr", "add", "10.77.9.9/32", "dev", "lo")
    server.nft("table ip more { chain in { type nat hook prerouting priority "
               f"-100; ip daddr 10.77.9.9 dnat to {SERVER}\n }}\n }}\n")
    place.know("10.77.9.9")
    there = Doctor(place.doctor.config, place.network.router.prefix)
    there.take(wrong, r"ip route replace .*", {"GATEWAY": SERVER})
    assert_well(place.visit("10.77.9.9"))


def test_a_black_hole(place):
    place.network.router.run("ip", "route", "add", "blackhole",
                             "10.77.9.0/24")
    wrong = place.visit("10.77.9.9")
    assert (wrong.status, wrong.layer, wrong.code) == (
        3, "tcp", "filtered"), wrong
    assert "no such host" in wrong.cause


@pytest.fixture
def neighbour(place):
    """The router, which is a server, too: its address of the device's link."""
    router = place.network.router
    config = place.tmp_path / "sshd/sshd_config"
    own = router.run("ip", "-6", "-o", "addr", "show", "dev", "kaya1",
                     "scope", "link").split()[3].split("/")[0]
    with peers.Process([*router.prefix, peers.find("sshd"), "-D", "-e", "-f",
                        config, "-o", "PidFile=none", "-o",
                        "ListenAddress=::"]) as sshd, \
            peers.Process([*router.prefix, peers.find("mosquitto"), "-v",
                           "-c", place.tmp_path / "broker.conf"]) as broker:
        sshd.wait_for_log("Server listening on ::")
        broker.wait_for_log("running")
        place.know(f"{own}%kaya1")
        yield own


@pytest.mark.parametrize("form", ["root@{}", "root@[{}]:22"])
def test_an_address_that_means_nothing_without_its_interface(
        place, neighbour, form):
    wrong = place.doctor("-i", place.key, form.format(neighbour))
    assert (wrong.status, wrong.layer, wrong.code) == (
        3, "tcp", "no-interface"), wrong
    assert f"{neighbour} is an address of one link" in wrong.cause
    again = place.doctor.take(wrong, r"kaya doctor .*",
                              {"INTERFACE": "kaya1"})
    assert "came back" in again.stdout


# ---- firewalls that look into SSH ----

def take_survey(place, wrong):
    """The survey that the remedy orders, as JSON; the known host is known."""
    assert "kaya survey broker.test" in wrong.remedy
    done = subprocess.run(
        [*place.network.device.prefix, peers.KAYA, "survey", "--json", "-F",
         place.doctor.config, "-i", place.key, "-l", "root", "broker.test"],
        capture_output=True, text=True, timeout=120)
    return json.loads(done.stdout)


def take_other_way(place, wrong):
    """What that survey recommends, walked by the doctor."""
    said = take_survey(place, wrong)
    assert said["command"].startswith("kaya tunnel "), said
    again = place.doctor.take(wrong, r"kaya survey broker\.test", {
        "kaya survey broker.test": said["command"].replace(
            "kaya tunnel", f"kaya doctor -L {place.doctor.port}")})
    assert "came back" in again.stdout


@pytest.fixture
def two_doors(place):
    """The server is reached by port 443, too."""
    place.network.server.nft(
        "table inet more { chain in { type nat hook prerouting priority -100;"
        " tcp dport 443 redirect to :22\n }\n }\n")
    place.know("[broker.test]:443")
    return place


# The server's own banner, as the device sees it, begins with "SSH-1.5".
DOWNGRADE = ("tcp sport 22 @ih,0,56 0x5353482d322e30 @ih,32,16 set 0x312e "
             "@ih,48,16 set 0x352d")


@pytest.mark.parametrize("rule,status,code,words", [
    # What says "SSH-" becomes a reset.
    ("tcp sport 22 @ih,0,32 0x5353482d tcp flags set rst", 3, "reset",
     "as soon as it speaks SSH"),
    (DOWNGRADE, 1, "ssh-1", "only SSH 1"),
], ids=["resets it", "takes it back to SSH 1"])
def test_a_firewall_that_meddles_with_the_banner(two_doors, rule, status,
                                                 code, words):
    two_doors.network.router.filter("forward", rule)
    wrong = two_doors.visit("broker.test")
    assert (wrong.status, wrong.layer, wrong.code) == (
        status, "banner", code), wrong
    assert words in wrong.cause
    take_other_way(two_doors, wrong)


@pytest.mark.parametrize("rule,status,code,words", [
    ("tcp dport 22 @ih,0,32 0x5353482d reject with tcp reset", 3,
     "kex-closed", "a firewall that knows SSH, closes"),
    # All that is large and comes from port 22 begins with other bytes.
    ("tcp sport 22 meta length > 500 @ih,0,32 set 0xffffffff", 1,
     "not-ssh-behind", "changes what is sent"),
], ids=["ends it", "changes it"])
def test_a_firewall_that_knows_ssh(two_doors, rule, status, code, words):
    two_doors.network.router.filter("forward", rule)
    wrong = two_doors.visit("broker.test")
    assert (wrong.status, wrong.layer, wrong.code) == (
        status, "kex", code), wrong
    assert words in wrong.cause
    # The server's log tells that it was not the server.
    two_doors.sshd.wait_for_log("Connection from 10.77.1.2")
    assert not two_doors.sshd.logged("Unable to|drop|[Bb]ad|Timeout|exit")
    take_other_way(two_doors, wrong)


@pytest.mark.takes(33)
@pytest.mark.parametrize("direction,code,words", [
    ("", "kex-silent", "first large packet does not"),
    # The server's come through, ours do not.
    ("tcp dport 22", "handshake", "does not come to its end"),
], ids=["either way", "to the server"])
def test_a_way_that_takes_no_large_packets_and_does_not_say_so(
        place, direction, code, words):
    place.network.router.filter("forward",
                                f"{direction} meta length > 800 drop")
    # What was begun and never came through waits for its LoginGraceTime.
    config = place.tmp_path / "sshd/sshd_config"
    config.write_text(f"MaxStartups 200\n{config.read_text()}")
    place.sshd.reload()
    wrong = place.visit("broker.test")
    assert (wrong.layer, wrong.code) == ("kex", code), wrong
    assert words in wrong.cause
    measured = take_survey(place, wrong)["findings"]
    mend = re.search(r"ip link set dev kaya1 mtu 576", " ".join(
        finding["remedy"] or "" for finding in measured)).group(0)
    place.network.device.run(*mend.split())
    assert_well(place.visit("broker.test"))


# What of the device's own rules stops it: how they are made, and which is told.
OUTPUT = "table inet filter {{ chain output {{ type filter hook output " \
    "priority filter; {} }}\n }}\n"
OWN_RULES = {
    "rejects": (
        "nft", OUTPUT.format("tcp dport 22 reject\n"), "broker.test",
        "inet filter output: tcp dport 22 reject"),
    "by its policy": (
        "nft", OUTPUT.format("policy drop; oif lo accept\nudp dport 53 "
                             "accept\n"), "broker.test",
        "inet filter output: policy drop"),
    "to that network": (
        "nft", "table ip mine { chain way { ip daddr 10.77.2.0/24 counter "
        "drop\n }\n chain out { type filter hook output priority 0; oifname "
        '"kaya*" jump way\n }\n }\n', "broker.test",
        "ip mine way: ip daddr 10.77.2.0/24 counter"),
    "by IPv6": (
        "nft", "table ip6 mine { chain out { type filter hook postrouting "
        f"priority 0; ip6 daddr {{ {SERVER_6}, fd00::1 }} drop\n }}\n }}\n",
        "six.test", "ip6 mine out: ip6 daddr { "),
    "iptables": (
        "iptables", f"-A OUTPUT -d {SERVER} -p tcp --dport 22 -j DROP",
        "broker.test", "iptables -A OUTPUT -d 10.77.2.2/32 -p tcp -m tcp "
        "--dport 22 -j DROP"),
    "iptables' policy": (
        "iptables", "-P OUTPUT DROP", "broker.test",
        "iptables -P OUTPUT DROP"),
    "ip6tables": (
        "ip6tables", "-A OUTPUT -o kaya1 -p tcp -j DROP", "six.test",
        "ip6tables -A OUTPUT -o kaya1 -p tcp -j DROP"),
}


@pytest.mark.parametrize("program,rules,host,rule", OWN_RULES.values(),
                         ids=OWN_RULES)
def test_the_devices_own_firewall(place, program, rules, host, rule):
    device = place.network.device
    if program == "nft":
        device.nft(rules)
    else:
        device.run(program, *rules.split())
    wrong = place.visit(host)
    assert (wrong.status, wrong.layer, wrong.code) == (
        3, "tcp", "own-firewall"), wrong
    assert rule in wrong.cause.partition(" port 22: ")[2], wrong
    place.doctor.take(wrong, r"(nft insert|ip6?tables -I) .*")
    if host == "six.test":
        place.know(host)
    assert_well(place.visit(host))


@pytest.mark.parametrize("rule", [
    "ip daddr 10.77.2.3 drop", "tcp dport 22 meta skuid 12345 drop"])
def test_a_firewall_elsewhere_is_not_taken_for_the_devices_own(place, rule):
    place.network.device.filter("output", rule)
    place.network.router.filter("forward", "tcp dport 22 drop")
    wrong = place.visit("broker.test")
    assert (wrong.layer, wrong.code) == ("tcp", "filtered"), wrong


# ---- a NAT that forgets ----

def forget(place, verdict):
    """A router that hides the device and forgets it in three seconds."""
    place.network.router.nft(
        "table ip nat { chain postrouting { type nat hook postrouting "
        "priority srcnat; oifname kaya2 masquerade\n }\n }\n")
    place.network.router.filter(
        "forward", f"ct state invalid {verdict}", "ct state established "
        "accept", "tcp flags syn ct state new accept", verdict)
    conntrack(place, "tcp_loose=0")
    conntrack(place, "tcp_timeout_established=3")


def conntrack(place, setting):
    place.network.router.run("sysctl", "-qw",
                             "net.netfilter.nf_conntrack_" + setting)


@pytest.mark.parametrize("verdict", ["drop", "reject with tcp reset"])
def test_a_nat_that_forgets_idle_links(place, verdict):
    forget(place, verdict)
    wrong = place.visit("broker.test", "--idle", 5)
    assert (wrong.status, wrong.layer, wrong.code) == (
        3, "keepalive", "idle-forgotten-early"), wrong
    died, lived = map(float, re.search(
        r"idles for ([\d.]+) s is dead; one of ([\d.]+) s lives",
        wrong.seen("keepalive")).groups())
    assert lived < 3 <= died
    command = re.search(r"sysctl -w \S+", wrong.remedy).group(0)
    place.network.router.run(*command.split())
    assert_well(place.visit("broker.test", "--idle", 5))


def test_a_nat_that_forgets_later_than_kaya_asks(place):
    forget(place, "reject with tcp reset")
    assert_well(place.visit("broker.test", "--idle", 2))
    doubtful = place.visit("broker.test", "--idle", 5, "-o",
                           "ServerAliveInterval=1")
    assert doubtful.status == 0
    assert (doubtful.layer, doubtful.code) == (
        "keepalive", "idle-forgotten"), doubtful
    assert "asks each 1 s" in doubtful.remedy


@pytest.mark.skipif(networks.is_missing("conntrack"),
                    reason="conntrack is not installed")
def test_the_keepalive_to_set_keeps_a_link_alive(place):
    forget(place, "drop")
    wrong = place.visit("broker.test", "--idle", 5)
    words = re.search(r"kaya tunnel (.*?) \(", wrong.remedy).group(1).split()
    # Nobody is forgotten while he logs in, however slow the machine is: the
    # time counts from the next packet.
    conntrack(place, "tcp_timeout_established=600")
    with place.doctor.tunnel(*words, "-L", 22883), \
            peers.Process([*place.network.device.prefix, "ssh", "-F",
                           place.doctor.config, "-N", "-v", "-i", place.key,
                           "-L", "22884:127.0.0.1:1883", "root@broker.test"]
                          ) as plain:
        plain.wait_for_log("Entering interactive session")
        assert len(known_links(place)) == 2
        conntrack(place, "tcp_timeout_established=3")
        publish_at(place, 22884)
        peers.wait_until(lambda: len(known_links(place)) == 1, "one forgotten")
        publish_at(place, 22883)
        with pytest.raises(subprocess.TimeoutExpired):
            publish_at(place, 22884, timeout=2)


def known_links(place):
    """Those that the router has not forgotten."""
    return place.network.router.run(
        "conntrack", "-L", "-p", "tcp", "--dport", "22", "--state",
        "ESTABLISHED").splitlines()


def publish_at(place, port, timeout=30):
    subprocess.run(
        [*place.network.device.prefix, "mosquitto_pub", "-h", "127.0.0.1",
         "-p", str(port), "-t", "t", "-m", "through", "-q", "1"], check=True,
        timeout=timeout)
