#!/usr/bin/python3
"""demo.py: the main job of kaya, done on this machine for a person to watch.

A gateway with its private broker, a device's key, a tunnel, stock MQTT clients
at the ends, what the key may not do, and a network that breaks. Everything
lives in one folder below /tmp and is gone afterwards. Each step is checked: the
exit status is 0 only when all of it happened.
"""

import contextlib
import os
import pathlib
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests/lib"))

from peers import (KAYA, KAYAD, Kayad, Process,  # noqa: E402
                   Relay, let_through, wait_until)

COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
DEVICE = "pump-7"
TUNNEL_PORT = 22883
PAUSE = 2  # seconds to read what a step has shown


class Fault(Exception):
    """Something that should have been seen was not."""


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


class Screen:
    """What the person sees: numbered steps, commands, output, checks."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.step = 0
        self.shown = []

    def title(self, text):
        if self.step and sys.stdout.isatty():
            time.sleep(PAUSE)
        self.step += 1
        print(f"\n{paint('1', f'{self.step}. {text}')}", flush=True)

    def command(self, words):
        line = " ".join(shlex.quote(str(word)) for word in words)
        line = line.replace(self.folder + "/", "").replace(
            str(KAYA), "kaya").replace(str(KAYAD), "kayad")
        print(f"   {paint('36', '$ ' + line)}", flush=True)

    def output(self, text):
        for line in text.strip().splitlines():
            print("     " + line.replace(self.folder + "/", ""), flush=True)

    def seen(self, text):
        self.shown.append(text)
        print(f"   {paint('32', 'ok')} {text}", flush=True)


def is_free(port):
    """Whether nobody listens there, on either loopback."""
    for family, address in ((socket.AF_INET, "127.0.0.1"),
                            (socket.AF_INET6, "::1")):
        with contextlib.suppress(OSError), socket.socket(family) as probe:
            if probe.connect_ex((address, port)) == 0:
                return False
    return True


def readings():
    """What this machine can say of itself: (topic, value)."""
    found = [("test/load", pathlib.Path("/proc/loadavg").read_text().split()[0])]
    memory = dict(re.findall(r"(\w+):\s+(\d+) kB",
                             pathlib.Path("/proc/meminfo").read_text()))
    found.append(("test/memory/available",
                  f"{int(memory['MemAvailable']) // 1024} MiB"))
    for zone in sorted(pathlib.Path("/sys/class/thermal").glob("*/temp")):
        with contextlib.suppress(OSError, ValueError):
            found.append(("test/temperature",
                          f"{int(zone.read_text()) / 1000:.1f} C"))
            break
    return found


class Demo:
    def __init__(self, folder, stack):
        self.folder = folder
        self.stack = stack
        self.screen = Screen(folder)

    def run(self, *words):
        """A command that ends; its status and everything that it said."""
        self.screen.command(words)
        ended = subprocess.run([str(word) for word in words], text=True,
                               stdin=subprocess.DEVNULL, cwd=self.folder,
                               stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, timeout=20)
        self.screen.output(ended.stdout)
        return ended.returncode, ended.stdout

    def must(self, *words):
        status, told = self.run(*words)
        if status != 0:
            raise Fault(f"{pathlib.Path(words[0]).name} ended with {status}")
        return told

    def start(self, *words):
        self.screen.command(words)
        return self.stack.enter_context(Process(words, cwd=self.folder))

    def gateway(self):
        self.screen.title("The gateway, with a private broker behind it")
        self.screen.command([KAYAD, "--state", "state",
                             "--listen", "127.0.0.1:0"])
        self.kayad = self.stack.enter_context(Kayad(self.folder))
        self.screen.output(re.search(r"ready .*", self.kayad.log()).group())
        self.link = self.stack.enter_context(Relay(self.kayad.port))
        (self.folder / "ssh_config").write_text(
            "Host gateway\n"
            f"  HostName 127.0.0.1\n  Port {self.link.port}\n"
            f"  IdentityFile {self.folder}/device_key\n"
            "  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {self.folder}/known_hosts\n")
        self.screen.seen("kayad runs, with no configuration; nothing but it "
                         "reaches its mosquitto")

    def device_key(self):
        self.screen.title(f"A key of its own for the device {DEVICE}")
        self.must("ssh-keygen", "-q", "-t", "ed25519", "-N", "",
                  "-C", DEVICE, "-f", "device_key")
        keys = self.kayad.authorized_keys
        before = self.kayad.log().count("event=reloaded")
        self.must(KAYA, "keys", "add", keys, "--name", DEVICE,
                  "device_key.pub")
        wait_until(lambda: self.kayad.log().count("event=reloaded") > before,
                   "the gateway reads its keys again")
        self.screen.output(keys.read_text())
        self.screen.seen("one line lets the key in, as tight as a line can be")

    def tunnel(self):
        self.screen.title("The tunnel")
        self.port = TUNNEL_PORT
        listen = []
        while not is_free(self.port):
            self.port += 1
        if self.port != TUNNEL_PORT:
            print(f"   Port {TUNNEL_PORT} is taken on this machine: "
                  f"{self.port} in its place.")
            listen = ["-L", self.port]
        self.holder = self.start(
            KAYA, "tunnel", "-F", "ssh_config",
            "--host-key", self.kayad.fingerprint, *listen, "gateway")
        wait_until(lambda: not is_free(self.port), "the tunnel listens", 10)
        self.holder.wait_for_log("event=up", 10)
        self.screen.output(self.holder.log())
        self.screen.seen(f"127.0.0.1:{self.port} is the broker now, "
                         "through SSH")

    def messages(self):
        self.screen.title("Stock MQTT clients, and kaya's own")
        words = ["mosquitto_sub", "-h", "127.0.0.1", "-p", self.port, "-u",
                 "dan", "-P", "password", "-t", "test/#", "-v"]
        self.screen.command(words)
        # -d tells when it has subscribed, stdbuf lets it tell at once.
        self.subscriber = self.stack.enter_context(
            Process(["stdbuf", "-oL", *words, "-d"]))
        self.subscriber.wait_for_log("received SUBACK")
        for topic, value in readings():
            self.must("mosquitto_pub", "-h", "127.0.0.1", "-p", self.port,
                      "-q", "1", "-t", topic, "-m", value)
            self.received(topic, value)
        value = time.strftime("%H:%M:%S")
        self.must(KAYA, "pub", "gateway", "--ssh-config", "ssh_config",
                  "-q", "1", "-t", "test/clock", "-m", value)
        self.received("test/clock", value)
        self.screen.seen("this machine's readings arrived, published by "
                         "mosquitto_pub and by kaya pub")

    def received(self, topic, value):
        line = f"{topic} {value}"
        self.subscriber.wait_for_log(f"(?m)^{re.escape(line)}$", 15)
        print(f"     {paint('33', 'mosquitto_sub: ' + line)}", flush=True)

    def refusals(self):
        self.screen.title("What the same key may not do")
        ssh = ["ssh", "-F", "ssh_config"]
        for what, words in (
                ("a shell", [*ssh, "-T", "gateway"]),
                ("a remote forward", [*ssh, "-N", "-o",
                                      "ExitOnForwardFailure=yes",
                                      "-R", "9000:127.0.0.1:22", "gateway"]),
                ("another target", [*ssh, "-W", "127.0.0.1:22",
                                    "gateway"])):
            status, told = self.run(*words)
            if status == 0 or not told.strip():
                raise Fault(f"{what} was not refused")
            self.screen.seen(f"{what}: refused")

    def heal(self):
        self.screen.title("The network breaks")
        lines = len(self.holder.lines)
        connects = self.kayad.log().count("event=accept")
        print("   (the tunnel's TCP connection is cut)")
        began = time.monotonic()
        self.link.cut()
        wait_until(lambda: self.kayad.log().count("event=accept") > connects,
                   "the tunnel heals", 15)
        taken = time.monotonic() - began
        self.screen.output("".join(self.holder.lines[lines:]))
        wait_until(lambda: self.subscriber.log().count("received SUBACK") > 1,
                   "mosquitto_sub has connected again", 15)
        self.must(KAYA, "status")
        value = f"back after {taken:.1f} s"
        self.must("mosquitto_pub", "-h", "127.0.0.1", "-p", self.port,
                  "-q", "1", "-t", "test/network", "-m", value)
        self.received("test/network", value)
        self.screen.seen(f"the tunnel healed by itself in {taken:.1f} s, and "
                         "the clients with it")

    def end(self):
        self.screen.title("The end")
        for process in (self.subscriber, self.holder, self.kayad):
            process.stop()
        if self.kayad.process.returncode != 0:
            raise Fault(f"kayad ended with {self.kayad.process.returncode}")
        if not is_free(self.port):
            raise Fault(f"something still listens on {self.port}")
        self.screen.seen("all is stopped, and nothing listens any more")


def main():
    began = time.monotonic()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kaya-demo-"))
    let_through(folder)
    # Its tunnel, and none of this user's others.
    os.environ["RUNTIME_DIRECTORY"] = str(folder / "run")
    status = 1
    demo = None
    try:
        with contextlib.ExitStack() as stack:
            demo = Demo(folder, stack)
            for step in (demo.gateway, demo.device_key, demo.tunnel,
                         demo.messages, demo.refusals, demo.heal, demo.end):
                step()
        status = 0
    except (Fault, AssertionError, OSError,
            subprocess.SubprocessError) as fault:
        print(f"\n{paint('31', 'The demo failed')}: {fault}", file=sys.stderr)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if status == 0:
        print(f"\n{paint('1', 'Shown')}, in "
              f"{time.monotonic() - began:.0f} s; all files are removed:")
        for text in demo.screen.shown:
            print(f"  - {text}")
        print(f"\nThe programs are {os.path.relpath(KAYAD)} and "
              f"{os.path.relpath(KAYA)}; the README tells how to go on.")
    return status


if __name__ == "__main__":
    sys.exit(main())
