"""Fixtures: the real programs of tests/lib/peers.py, one set a test."""

import pathlib
import shutil
import signal
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))

import peers  # noqa: E402
import rabbit as rabbits  # noqa: E402

made = pytest.StashKey()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Folders of this run's own, with short names.

    pytest's usual ones lie in a folder that each of its runs closes to others
    anew: to the gateway, too, which is started as root and becomes somebody
    else.
    """
    if hasattr(config, "workerinput"):
        # Behind nohup, too, a test's programs hear that a terminal is gone.
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if config.option.basetemp is None:
        config.option.basetemp = tempfile.mkdtemp(prefix="kaya-")
        config.stash[made] = config.option.basetemp
    config.addinivalue_line(
        "markers", "kayad(config, arguments): how the gateway is started")
    config.addinivalue_line(
        "markers", "narrow(mtu): a cable in the middle of the network")
    config.addinivalue_line(
        "markers", "takes(seconds): about as long, on a quiet machine")


def pytest_collection_modifyitems(items):
    """The longest first, so that at the end no worker waits for another.

    A group stays together, where its longest test is.
    """
    items.sort(key=lambda item: -max(
        (mark.args[0] for mark in item.iter_markers("takes")), default=0))


def pytest_sessionfinish(session, exitstatus):
    folder = session.config.stash.get(made, None)
    if folder is not None and exitstatus == 0:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def kayad(tmp_path, request):
    """A gateway with its private mosquitto, empty of keys."""
    marker = request.node.get_closest_marker("kayad")
    options = dict(marker.kwargs) if marker else {}
    with peers.Kayad(tmp_path, **options) as gateway:
        yield gateway
    print(gateway.log())


@pytest.fixture
def mosquitto(tmp_path):
    """A broker that lets everybody in."""
    with peers.Mosquitto(tmp_path / "mosquitto") as broker:
        yield broker


@pytest.fixture(scope="session")
def rabbit(tmp_path_factory):
    """A RabbitMQ that lets everybody in: one for all, as its start is long.

    The tests that want one are a group, so that a single worker starts it.
    """
    with rabbits.Rabbit(tmp_path_factory.mktemp("rabbit")) as broker:
        yield broker


@pytest.fixture
def sshd(tmp_path):
    with peers.Sshd(tmp_path / "sshd") as server:
        yield server


@pytest.fixture
def key(tmp_path):
    """A private key file's path; the public one beside it."""
    path = tmp_path / "key"
    peers.make_key(path)
    return path
