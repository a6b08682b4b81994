"""networks: a device, a router and a server, each in a network of its own.

    device 10.77.1.2, fd77:1::2 -- router -- server 10.77.2.2, fd77:2::2

They are network namespaces: only root makes them. Names are known on the
device by its own /etc/hosts ("broker.test" is the server), its DNS server is
one that the test starts, or nobody.
"""

import os
import pathlib
import shutil
import subprocess

import pytest

import peers

DEVICE, SERVER = "10.77.1.2", "10.77.2.2"
DEVICE_6, SERVER_6 = "fd77:1::2", "fd77:2::2"
ROUTER, ROUTER_6 = "10.77.1.1", "fd77:1::1"


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], text=True,
                          capture_output=True, **options)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


class Place:
    """One of the three: a namespace, and files of its own in /etc."""

    def __init__(self, name):
        self.name = name
        self.etc = pathlib.Path("/etc/netns") / name
        self.prefix = ["ip", "netns", "exec", name]
        run("ip", "netns", "add", name)
        self.etc.mkdir(parents=True)
        (self.etc / "hosts").write_text("127.0.0.1 localhost\n")
        (self.etc / "resolv.conf").write_text(
            f"nameserver {SERVER}\noptions timeout:1 attempts:1\n")
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *command, **options):
        return run(*self.prefix, *command, **options)

    def nft(self, text):
        self.run("nft", "-f", "-", input=text)

    def filter(self, chain, *rules):
        """Debian's own table and chains, with rules in one of them."""
        self.nft("table inet filter {\n" + "".join(
            f" chain {name} {{ type filter hook {name} priority filter;\n"
            + ("\n".join(rules) if name == chain else "") + "\n }\n"
            for name in ("input", "forward", "output")) + "}\n")

    def knows(self, *lines):
        with open(self.etc / "hosts", "a") as file:
            file.write("".join(line + "\n" for line in lines))

    def program(self, path, target):
        """A script that is `target`, here."""
        path.write_text(f'#!/bin/sh\nexec {" ".join(self.prefix)} {target} '
                        f'"$@"\n')
        path.chmod(0o755)
        return path

    def remove(self):
        peers.end_all_in(os.stat(f"/run/netns/{self.name}"))
        subprocess.run(["ip", "netns", "del", self.name], check=False)
        shutil.rmtree(self.etc)


class Network:
    count = 0

    def __init__(self):
        Network.count += 1
        self.places = []
        self.id = f"{os.getpid() % 100000:x}{Network.count:x}"
        try:
            self.device, self.router, self.server = (
                self.place(name) for name in ("device", "router", "server"))
            self.connect(self.device, 1)
            self.connect(self.server, 2)
            for word in ("net.ipv4.ip_forward=1",
                         "net.ipv6.conf.all.forwarding=1"):
                self.router.run("sysctl", "-qw", word)
            self.device.knows(f"{SERVER} broker.test",
                              f"{SERVER} four.test", f"{SERVER_6} six.test")
        except BaseException:
            self.remove()
            raise

    def place(self, name):
        place = Place(f"kaya-{self.id}-{name}")
        self.places.append(place)
        return place

    def connect(self, place, number):
        """A cable to the router, addresses and routes; nobody waits."""
        end = f"kaya{number}"
        place.run("ip", "link", "add", end, "type", "veth", "peer", "name",
                  end, "netns", self.router.name)
        for who, last in ((place, 2), (self.router, 1)):
            who.run("ip", "link", "set", end, "up")
            who.run("ip", "addr", "add", f"10.77.{number}.{last}/24", "dev",
                    end)
            who.run("ip", "addr", "add", f"fd77:{number}::{last}/64", "dev",
                    end, "nodad")
        place.run("ip", "route", "add", "default", "via", f"10.77.{number}.1")
        place.run("ip", "route", "add", "default", "via",
                  f"fd77:{number}::1")

    def remove(self):
        for place in self.places:
            place.remove()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.remove()


@pytest.fixture
def network():
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces")
    with Network() as network:
        yield network


def is_missing(*programs):
    """For skipif: what a test needs and is not here."""
    return [program for program in programs if not peers.shutil.which(
        program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")]
