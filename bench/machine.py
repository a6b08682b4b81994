"""machine: the conditions of a run, without the machine's name."""

import json
import os
import pathlib
import platform
import re
import subprocess

from servers import peers


def first_line(*command):
    done = subprocess.run(command, capture_output=True, text=True,
                          check=False)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else ""


def versions():
    """Of every program that takes part and is there."""
    asked = {"ssh, sshd": ("ssh", "-V"), "mosquitto": ("mosquitto", "-h"),
             "dropbear": ("dropbear", "-V"), "openssl": ("openssl", "version")}
    found = {"kayad": first_line(peers.KAYAD, "--version")}
    for name, (program, word) in asked.items():
        try:
            found[name] = first_line(peers.find(program), word)
        except AssertionError:
            continue
    return found


def build_type():
    told = subprocess.run(
        ["meson", "introspect", "--buildoptions", peers.BUILD],
        capture_output=True, text=True, check=False)
    if told.returncode != 0:
        return "unknown"
    options = {each["name"]: each["value"] for each in json.loads(told.stdout)}
    return (f"{options['buildtype']}, -O{options['optimization']}, "
            f"{options['b_sanitize']} sanitizer".replace(
                ", none sanitizer", ""))


def processor():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", text, re.M)
    virtual = " (virtual)" if re.search(r"^flags.*\bhypervisor\b", text,
                                        re.M) else ""
    return (model.group(1) if model else platform.machine()) + virtual


def conditions(method, descriptors):
    memory = re.search(r"MemTotal:\s+(\d+)",
                       pathlib.Path("/proc/meminfo").read_text())
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(int(memory.group(1)) / 1e6, 1),
        "kernel": re.match(r"[\d.]*", platform.release()).group(),
        "cpu_counted_by": method,
        "descriptors": descriptors,
        "as_root": os.geteuid() == 0,
        "build": build_type(),
        "versions": versions(),
    }
