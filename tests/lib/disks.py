"""disks: file systems that are full when a test wants it.

The fixture is imported by the tests that use it.
"""

import contextlib
import os
import subprocess

import pytest


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, 256 KiB."""
    if os.geteuid() != 0:
        pytest.skip("a file system can be mounted by root alone")
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=777",
                    "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill(place):
    filler = place / "filler"
    with open(filler, "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 512)
    return filler
