"""kaya request at a gateway: it waits for the outcome, and ends with it."""

import contextlib
import json

import pytest

import devices
from approvals import ME, POLICY, Plant
from devices import home  # noqa: F401

VALVE = "plant/1/valve"


class Desk(Plant):
    """kaya at such a gateway."""

    def request(self, name, *words, topic=VALVE, payload="open"):
        self.port(name)  # lets the key in
        return self.stack.enter_context(devices.Kaya(
            "request", "--key", self.folder / f"key-{name}", "-t", topic,
            "-m", payload, *words, f"{name}@127.0.0.1:{self.kayad.port}"))


@pytest.fixture
def stack(home):  # noqa: F811
    with contextlib.ExitStack() as stack:
        yield stack


def at(plant, home):  # noqa: F811
    devices.know(home, plant.kayad.port)
    return plant


@pytest.fixture
def plant(tmp_path, stack, home):  # noqa: F811
    return at(Desk(tmp_path, stack), home)


def test_what_was_agreed_to_is_done(plant):
    request = plant.request("ann")
    command_id, = plant.held()
    assert request.is_running()
    plant.ask("approve " + command_id)
    assert request.wait() == 0
    assert request.log() == f"done: {command_id}, {ME} agreed\n"
    plant.witness.saw((VALVE, "open"))


def test_what_was_denied_is_4(plant):
    request = plant.request("ann", "--json")
    command_id, = plant.held()
    plant.ask(f"deny {command_id} not today")
    assert request.wait() == 4
    assert request.logged(f"denied by {ME}: not today")
    assert request.logged("remedy: ")
    result = json.loads(next(line for line in request.log().splitlines()
                             if line.startswith("{")))
    assert (result["id"], result["outcome"], result["cause"]) == (
        command_id, "denied", "abortion-by-cancel")
    plant.witness.saw_nothing_else(plant.client("ann"))


def test_what_nobody_agreed_to_in_time_is_1(plant):
    request = plant.request("ann", topic="plant/quick")
    assert request.wait() == 1
    assert request.logged("expired.*time-limit-over")


def test_what_a_stop_came_before_is_1(plant):
    request = plant.request("ann")
    plant.held()
    stop = plant.request("abe", payload="close")
    assert stop.wait() == 0
    assert stop.log() == "kaya: the broker has it\n"
    assert request.wait() == 1
    assert request.logged("superseded")


@pytest.mark.parametrize("second", ["open wide", "open"])
def test_one_who_asks_twice_hears_of_each_what_became_of_it(plant, second):
    """For the same topic at two desks; by the payload, or the answer to each."""
    first = plant.request("ann")
    its, = plant.held()
    other = plant.request("ann", payload=second)
    plant.held(2)
    others, = {c["id"] for c in plant.pending()} - {its}
    plant.ask("approve " + others)
    assert other.wait() == 0
    assert other.log() == f"done: {others}, {ME} agreed\n"
    assert first.is_running(), first.log()
    plant.ask(f"deny {its} not today")
    assert first.wait() == 4
    assert first.logged("not today")


def test_what_may_not_be_asked_for_is_4(plant):
    request = plant.request("cy", topic="free/1")
    assert request.wait() == 4
    assert request.logged("no rule|no access|not let through")


def test_without_the_right_to_read_results_the_reason_tells(tmp_path, stack,
                                                            home):  # noqa: F811
    plant = at(Desk(tmp_path, stack, POLICY.replace(
        ', "$kaya/result/%i"]\n    retain', "]\n    retain")), home)
    request = plant.request("ann")
    command_id, = plant.held()
    plant.ask(f"deny {command_id} not today")
    assert request.wait() == 4
    assert request.logged("not let through.*not today")
    agreed = plant.request("ann")
    command_id, = plant.held()
    plant.ask("approve " + command_id)
    assert agreed.wait() == 0
    assert agreed.log() == "kaya: the broker has it\n"


@pytest.mark.xdist_group("rabbit")
def test_before_rabbitmq_which_speaks_3_1_1(
        tmp_path, stack, home, rabbit):  # noqa: F811
    """There a denied publish is acknowledged like others: results tell."""
    plant = at(Desk(tmp_path, stack, broker=rabbit), home)
    request = plant.request("ann")
    command_id, = plant.held()
    plant.ask(f"deny {command_id} not today")
    assert request.wait() == 4
    assert request.logged("not today")
    agreed = plant.request("ann")
    command_id, = plant.held()
    plant.ask("approve " + command_id)
    assert agreed.wait() == 0, agreed.log()
    assert agreed.logged(f"done: {command_id}")
