"""findings: what `kaya doctor --json` prints, to be asked."""

import json


class Findings:
    def __init__(self, done):
        assert done.stdout, done.stderr
        self.status = done.returncode
        self.json = json.loads(done.stdout)
        self.findings = self.json["findings"]

    def find(self, code):
        for row in self.findings:
            if row["code"] == code:
                return row
        raise AssertionError(f"no {code} in {self}")

    def layer(self, name):
        return [row for row in self.findings if row["layer"] == name]

    def __str__(self):
        return json.dumps(self.json, indent=1)
