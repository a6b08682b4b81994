"""auditlog: what stands in an audit log, read and verified independently."""

import hashlib
import json
import re


def lines(path):
    """The lines of an audit file, each as a dict."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def events(path, kind):
    return [line for line in lines(path) if line["event"] == kind]


def check_chain(*paths):
    """The files, oldest first, are one chain; how many lines it has."""
    last = "0" * 64
    number = 0
    for path in paths:
        for line in path.read_bytes().splitlines():
            found = json.loads(line)
            body = re.sub(rb',"hash":"[0-9a-f]{64}"}$', b"", line)
            assert hashlib.sha256(body).hexdigest() == found["hash"]
            assert found["prev"] == last
            number += 1
            assert found["seq"] == number
            last = found["hash"]
    return number
