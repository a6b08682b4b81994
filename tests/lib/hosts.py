"""hosts: small networks of the test's own, of namespaces and cables.

    client 10.1.0.2 --- 10.1.0.1 router 10.2.0.1 --- 10.2.0.2 server
           fd01::2       fd01::1        fd02::1      fd02::2

Each host is a process that holds a network and a mount namespace; nothing of
the machine's own network or files is touched. Root alone may make them.
"""

import os
import pathlib
import subprocess

import pytest

import peers

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="a network of its own needs root")


class Host(peers.Process):
    """A machine, as far as programs can tell."""

    def __init__(self, folder, name):
        self.folder = pathlib.Path(folder) / name
        self.folder.mkdir()
        super().__init__(["unshare", "--net", "--mount", "--propagation",
                          "private", "sleep", "infinity"])
        peers.wait_until(self._is_apart, f"the network of {name}")
        self.network = os.stat(f"/proc/{self.pid}/ns/net")
        self.prefix = ["nsenter", "-t", str(self.pid), "-n", "-m", "--"]
        self.run("ip", "link", "set", "lo", "up")
        # Nobody else is there who could have the same address.
        self.set("net.ipv6.conf.default.accept_dad", 0)
        self.set("net.ipv6.conf.default.router_solicitations", 0)

    def _is_apart(self):
        return (os.readlink(f"/proc/{self.pid}/ns/net")
                != os.readlink("/proc/self/ns/net") and
                pathlib.Path(f"/proc/{self.pid}/comm").read_text().strip()
                == "sleep")

    def stop(self):
        super().stop()
        peers.end_all_in(self.network)

    def run(self, *command, check=True, stdin=None, timeout=60, env=None):
        done = subprocess.run(
            [*self.prefix, *map(str, command)], input=stdin, text=True,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True, timeout=timeout, env=env)
        assert not check or done.returncode == 0, \
            f"{command}: {done.stdout}{done.stderr}"
        return done

    def start(self, *command, **options):
        return peers.Process([*self.prefix, *command], **options)

    def replace(self, path, text):
        """This host's own version of a file of the system."""
        own = self.folder / path.strip("/").replace("/", "_")
        fresh = not own.exists()
        own.write_text(text)
        if fresh:
            self.run("mount", "--bind", own, path)

    def nft(self, text):
        self.run("nft", "-f", "-", stdin=text)

    def set(self, name, value):
        self.run("sysctl", "-q", "-w", f"{name}={value}")

    def forwards(self):
        self.set("net.ipv4.ip_forward", 1)
        self.set("net.ipv6.conf.all.forwarding", 1)

    def listens(self, port, kind="-tln"):
        """Somebody listens there."""
        shown = self.run("ss", "-H", kind, f"sport = :{port}").stdout
        return shown.strip() != ""

    def wait_for_port(self, port, kind="-tln"):
        peers.wait_until(lambda: self.listens(port, kind), f"port {port}")


def cable(one, another, subnet, mtu=1500):
    """Connect two hosts: `one` is .2 of the subnet, `another` .1."""
    ends = f"n{subnet}"
    subprocess.run(
        ["ip", "link", "add", "name", ends, "mtu", str(mtu), "netns",
         str(one.pid), "type", "veth", "peer", "name", ends, "mtu", str(mtu),
         "netns", str(another.pid)], check=True)
    for host, number in ((one, 2), (another, 1)):
        host.run("ip", "address", "add", f"10.{subnet}.0.{number}/24", "dev",
                 ends)
        host.run("ip", "address", "add", f"fd0{subnet}::{number}/64", "dev",
                 ends, "nodad")
        host.run("ip", "link", "set", ends, "up")
    for host in (one, another):
        peers.wait_until(
            lambda: not host.run("ip", "-6", "address", "show",
                                 "tentative").stdout, "addresses of IPv6")


def route(host, gateway):
    """Everything else is behind `gateway`, the host .1 or .2 of a subnet."""
    subnet, number = gateway
    host.run("ip", "route", "add", "default", "via", f"10.{subnet}.0.{number}")
    host.run("ip", "-6", "route", "add", "default", "via",
             f"fd0{subnet}::{number}")


class Network:
    """The three of them, or four with a narrow place between two routers."""

    def __init__(self, folder, narrow_mtu=None):
        self.hosts = []
        try:
            self._make(pathlib.Path(folder), narrow_mtu)
        except BaseException:
            self.stop()
            raise

    def _add(self, folder, name):
        self.hosts.append(Host(folder, name))
        return self.hosts[-1]

    def _make(self, folder, narrow_mtu):
        self.client = self._add(folder, "client")
        self.router = self._add(folder, "router")
        self.server = self._add(folder, "server")
        self.router.forwards()
        cable(self.client, self.router, 1)
        route(self.client, (1, 1))
        if narrow_mtu is None:
            cable(self.server, self.router, 2)
        else:
            self.far = self._add(folder, "far")
            self.far.forwards()
            cable(self.router, self.far, 3, narrow_mtu)
            cable(self.server, self.far, 2)
            route(self.router, (3, 1))
            route(self.far, (3, 2))
        route(self.server, (2, 1))

    def stop(self):
        for host in reversed(self.hosts):
            host.stop()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()


class Names(peers.Process):
    """dnsmasq, on a host; `client` asks it, and it says what `words` say."""

    def __init__(self, host, client, *words, address="10.1.0.1"):
        client.replace("/etc/resolv.conf", f"nameserver {address}\n"
                       "options timeout:1 attempts:1\n")
        client.replace("/etc/hosts", "127.0.0.1 localhost\n")
        super().__init__([
            *host.prefix, peers.find("dnsmasq"), "--no-daemon",
            "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
            "--user=root", "--pid-file=", "--log-queries",
            f"--listen-address={address}", "--bind-interfaces", *words])
        try:
            host.wait_for_port(53, "-uln")
        except BaseException:
            self.stop()
            raise
