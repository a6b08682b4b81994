"""twins: two gateways before one broker, that know each other."""

import contextlib
import queue

import approvals
import mqttclients
import peers
from peers import wait_until

NAMES = ("north", "south")


class Witness(approvals.Witness):
    """Behind them: everything but what they say to each other, which is kept
    apart."""

    def __init__(self, port):
        self.said = []
        super().__init__(port)
        early, self.messages = self.messages, queue.Queue()
        self.paho.on_message = lambda c, u, message: self.sort(message)
        while not early.empty():
            self.sort(early.get())

    def sort(self, message):
        if message.topic.startswith("kaya/gateway/"):
            self.said.append((message.topic, message.payload))
        else:
            self.messages.put(message)


class Twin(approvals.Plant):
    """One of them."""

    def __init__(self, folder, stack, config):
        # Not a Plant's own beginning: the broker is both's.
        mqttclients.Gateway.__init__(
            self, folder, stack, approvals.POLICY, config)

    def state(self):
        return self.ask("status")["peers"]

    def hears(self, other):
        state = self.state()
        return state["connected"] and [peer["heard"] for peer in
                                       state["others"]
                                       if peer["name"] == other] == [True]

    def shows(self, command_id):
        """What pending says of it, once it is there."""
        return wait_until(
            lambda: next((command for command in self.pending()
                          if command["id"] == command_id), None),
            f"{command_id} is pending")


class Twins:
    """Both, a broker, and a witness behind them. `via`: what the gateways
    reach the broker through, by its port. `identity`: how it learns who they
    are."""

    def __init__(self, folder, stack, via=None, broker=None, identity="",
                 own=""):
        self.folder, self.stack = folder, stack
        self.identity, self.own = identity, own
        self.broker = broker or stack.enter_context(
            peers.Mosquitto(folder / "broker"))
        self.port = via(self.broker.port) if via else self.broker.port
        self.keys = {}
        for name in NAMES:
            (folder / name / "state").mkdir(parents=True)
            key = folder / name / "host_key"
            self.keys[name] = " ".join(peers.make_key(key).split()[:2])
            peers.give_away(key)
            peers.give_away(folder / name / "state")
        self.running = {}
        for name in NAMES:
            self.start(name)
        self.wait_until_they_know_each_other()
        self.witness = stack.enter_context(Witness(self.broker.port))

    def config(self, name):
        other = self.other(name)
        return (f"host_keys: {self.folder / name / 'host_key'}\n"
                f"brokers: [{{address: \"127.0.0.1:{self.port}\", "
                f"health_interval: 500ms{self.identity}}}]\n"
                f"gateway:\n  name: {name}\n{self.own}  peers:\n"
                f"    - {{name: {other}, host_key: \"{self.keys[other]}\"}}\n")

    def start(self, name):
        self.running[name] = Twin(
            self.folder / name, self.stack, self.config(name))
        return self.running[name]

    def __getitem__(self, name):
        return self.running[name]

    @staticmethod
    def other(name):
        return NAMES[1 - NAMES.index(name)]

    def wait_until_they_know_each_other(self):
        for name in NAMES:
            wait_until(lambda n=name: self[n].hears(self.other(n)),
                       f"{name} hears the other one")


@contextlib.contextmanager
def twins(folder, **options):
    with contextlib.ExitStack() as stack:
        yield Twins(folder, stack, **options)

