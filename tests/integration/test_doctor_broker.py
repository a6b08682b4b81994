"""kaya doctor for a device's way, where the broker itself is the fault.

At a server of its own, so that what is printed is typed there as it stands,
and the service that it names is the one that was wrong.
"""

import os
import signal

import machines
from machines import machine, needs_root  # noqa: F401
from test_doctor_setting import as_device, served  # noqa: F401

pytestmark = needs_root

# Answers each CONNECT with one CONNACK, and closes.
REFUSER = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 1883))
print("there", flush=True)
while True:
    client = listener.accept()[0]
    client.recv(4096)
    client.sendall(bytes([0x20, 2, 0, int(sys.argv[1])]))
    client.close()
"""


def put_refuser(machine, code):
    """In mosquitto's place, as the service of that name."""
    machine.broker.stop()
    machine.broker = machine.start("python3", "-c", REFUSER, str(code),
                                   log="there")


def assert_told(health, status, code, cause):
    assert (health.status, health.json["layer"], health.json["code"]) == (
        status, "mqtt", code), health
    assert cause in health.json["cause"], health


def test_a_broker_that_hangs(served):
    for pid in machines.children(served.broker.pid):
        os.kill(pid, signal.SIGSTOP)
    wrong = as_device(served)
    assert_told(wrong, 3, "broker-silent", "takes the connection and never")
    restart, _, find = wrong.json["remedy"].removeprefix(
        "at the server: ").partition("; where that is not what listens there, "
                                     "find the broker's port: ")
    assert ":1883" in served.run("sh", "-c", find).stdout
    served.take(restart)
    assert as_device(served).status == 0


def test_a_broker_of_another_level(served):
    """One from before MQTT 3.1.1. None is left that could be installed."""
    put_refuser(served, 1)
    wrong = as_device(served)
    assert_told(wrong, 1, "broker-level", "neither MQTT 3.1.1 nor 5.0")
    # mosquitto is there already: nobody asks a mirror.
    served.take(wrong.json["remedy"].partition("in its place: ")[2],
                'apt() { test "$*" = "install mosquitto"; }')
    assert as_device(served).status == 0


def test_a_broker_that_cannot_serve(served):
    put_refuser(served, 3)
    wrong = as_device(served)
    assert_told(wrong, 4, "broker-refuses", "runs, but cannot serve now")
    assert wrong.find("broker-refuses")["seen"].startswith("CONNACK 3 ")
    log, restart = wrong.json["remedy"].split("; where it does not say how "
                                              "to mend it: ")
    assert log.endswith("journalctl -u mosquitto -n 20")
    served.take(restart)
    assert as_device(served).status == 0
