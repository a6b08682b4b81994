"""Fixtures: the real programs of tests/lib/peers.py, one set a test."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))

import peers  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "kayad(config, arguments): how the gateway is started")


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
