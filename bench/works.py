"""works: each thing that is measured, on one server at a time."""

import contextlib
import json
import statistics
import subprocess
import sys
import time

import servers

# Devices at a time: as many as give a clear figure within seconds.
DEVICES = {"sshd": 60, "dropbear": 200, "mosquitto TLS": 400, "kayad": 2000,
           "kayad, with a policy": 2000}
WARM_UP = 4
# That connect at once: more from one address are turned away by dropbear.
AT_ONCE = 4
RATE = 20000
TRIPS = 700
BULK_BYTES = 256 * 1024
GB = 1000000000


class Load:
    """The generator, at the point where its work can begin."""

    def __init__(self, mode, way, **numbers):
        words = [servers.LOAD, mode, *way]
        for name, value in numbers.items():
            words += [f"--{name}", str(value)]
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            self.close()
            raise AssertionError(f"load {mode} did not get ready")

    def go(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def result(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("load gave no result")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(60)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()


class Works:
    def __init__(self, plan, files, accounts):
        self.plan = plan
        self.files = files
        self.accounts = accounts
        self.samples = {}  # (measure, peer) -> values, one a round
        self.verdicts = []  # one row a size of policy
        self.facts = {}  # what is told beside: (name, peer) -> text
        self.started = time.monotonic()

    def say(self, text):
        print(f"[{self.seconds():4.0f} s] {text}",
              file=sys.stderr, flush=True)

    def add(self, name, peer, value):
        if value is not None:
            self.samples.setdefault((name, peer), []).append(value)

    def value(self, name, peer):
        """The median of the rounds, None where nothing was measured."""
        values = self.samples.get((name, peer))
        return statistics.median(values) if values else None

    def told(self, name):
        return {peer: value for (each, peer), value in self.facts.items()
                if each == name}

    def seconds(self):
        return time.monotonic() - self.started

    # ---- what is measured ----

    def policy(self):
        """What a verdict costs, the least of the rounds."""
        rows = json.loads(subprocess.run(
            [servers.POLICY_COST], capture_output=True, text=True,
            check=True).stdout)
        if self.verdicts:
            for row, before in zip(rows, self.verdicts):
                for name in row:
                    if name.endswith("_ns"):
                        row[name] = min(row[name], before[name])
        self.verdicts = rows

    def devices(self, kind):
        """Idle memory, and CPU for each that connects."""
        count = max(10, int(DEVICES[kind.title] * self.plan["devices"]))
        with kind(self.files, self.accounts, count) as site:
            self.warm_up(site)
            before = self.state(site)
            with Load("devices", site.way(), count=count,
                      concurrency=AT_ONCE) as load:
                load.go()
                result = load.result()
                if result["failed"]:
                    raise AssertionError(f"{kind.title}: {result}")
                after = self.state(site)
                self.facts["cipher", kind.title] = result["cipher"]
                self.facts["devices", kind.title] = count
            for name, value in after.items():
                if value is not None:
                    self.add(name, kind.title,
                             (value - before[name]) / count)
            self.add("connects_per_s", kind.title,
                     count / result["seconds"])

    def state(self, site):
        cpu = site.account.settled_cpu_s()
        found = {"memory_kb": site.account.pss_kb(),
                 "kernel_kb": site.account.kernel_kb(),
                 "connect_ms": cpu * 1000}
        if site.broker is not None:
            found["broker_memory_kb"] = site.broker_account.pss_kb("Pss_Anon")
            found["broker_connect_ms"] = \
                site.broker_account.settled_cpu_s() * 1000
        return found

    def warm_up(self, site):
        with Load("devices", site.way(), count=WARM_UP,
                  concurrency=AT_ONCE) as load:
            load.go()
            load.result()

    def spend(self, site, load, per, name):
        """Let the load work; the CPU of server and broker, divided."""
        account = site.account
        before = account.settled_cpu_s()
        broker = site.broker_account
        broker_before = broker.settled_cpu_s() if broker else None
        load.go()
        result = load.result()
        self.add(f"{name}_s", site.title,
                 (account.settled_cpu_s() - before) / per)
        if broker:
            self.add(f"broker_{name}_s", site.title,
                     (broker.settled_cpu_s() - broker_before) / per)
        return result

    def publish(self, kind, name, count):
        """CPU for a million publishes of 64 bytes, by `count` devices."""
        messages = int(RATE * self.plan["publish_s"])
        with kind(self.files, self.accounts, count) as site, \
                Load("publish", site.way(), count=count, rate=RATE,
                     concurrency=AT_ONCE, messages=messages) as load:
            result = self.spend(site, load, messages / 1e6, name)
        self.add(f"{name}_rate", kind.title, messages / result["seconds"])

    def burst(self, kinds):
        """64-byte publishes of 100 devices as fast as they go, in turns."""
        messages = int(RATE * self.plan["publish_s"])
        for kind in kinds * self.plan["turns"]:
            with kind(self.files, self.accounts, 100) as site, \
                    Load("publish", site.way(), count=100,
                         concurrency=AT_ONCE, messages=messages) as load:
                load.go()
                self.add("burst_rate", kind.title,
                         messages / load.result()["seconds"])

    def bulk(self, kind):
        """CPU for a GB of payload in large messages, by a stock client."""
        messages = self.plan["bulk_mb"] * 1000000 // BULK_BYTES
        with contextlib.ExitStack() as stack:
            site = stack.enter_context(kind(self.files, self.accounts))
            way = site.way()
            if site.is_ssh:
                way = stack.enter_context(servers.Tunnel(site, "ssh")).way()
            load = stack.enter_context(Load(
                "publish", way, count=1, messages=messages, size=BULK_BYTES))
            result = self.spend(site, load, messages * BULK_BYTES / GB,
                                "bulk")
        self.add("bulk_mb_per_s", kind.title,
                 messages * BULK_BYTES / 1e6 / result["seconds"])

    def trips(self, kinds, paths):
        """Round trips of QoS 1: at full speed one path at a time, at ten a
        second all at once, for each is idle nearly all the time."""
        with contextlib.ExitStack() as stack:
            ways = {}
            for kind in kinds:
                site = stack.enter_context(kind(self.files, self.accounts))
                if not site.is_ssh:
                    ways[kind.title] = site.way()
                for title, program in paths.get(kind.title, {}).items():
                    ways[title] = stack.enter_context(
                        servers.Tunnel(site, program)).way()
            # In short turns: a bad moment of the machine meets all alike.
            for title, way in list(ways.items()) * self.plan["turns"]:
                with Load("trip", way, messages=TRIPS) as load:
                    load.go()
                    self.add_trip("trip", title, load.result())
            loads = {title: stack.enter_context(
                Load("trip", way, rate=10,
                     messages=self.plan["slow_trips"]))
                     for title, way in ways.items()}
            for load in loads.values():
                load.go()
                time.sleep(0.1 / len(loads))
            for title, load in loads.items():
                self.add_trip("slow_trip", title, load.result())

    def add_trip(self, name, title, result):
        self.add(f"{name}_p50_us", title, result["p50_us"])
        self.add(f"{name}_p99_us", title, result["p99_us"])
