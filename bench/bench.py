"""bench: kayad measured against sshd, dropbear and mosquitto's own TLS.

All in one run and in turns: what the machine does to one it does to all.
README.md tells what is measured and how. Progress goes to stderr; the
tables, or with --json all of it, to stdout.
"""

import argparse
import json
import sys
import tempfile

import machine
import measure
import report
import servers
import works

PLANS = {
    "full": {"rounds": 3, "devices": 1, "publish_s": 4, "bulk_mb": 1000,
             "turns": 8, "slow_trips": 100},
    "quick": {"rounds": 1, "devices": 0.25, "publish_s": 1, "bulk_mb": 250,
              "turns": 2, "slow_trips": 20},
}

KINDS = (servers.Sshd, servers.Dropbear, servers.Tls, servers.Kayad)

# What a round trip goes through: by site, the path's name and its tunnel.
PATHS = {
    "sshd": {"sshd": "ssh", "kaya tunnel, sshd": "kaya"},
    "dropbear": {"dropbear": "ssh"},
    "kayad": {"kayad": "ssh", "kaya tunnel, kayad": "kaya"},
}


def run(bench, kinds, rounds):
    for number in range(1, rounds + 1):
        def say(what, kind):
            bench.say(f"round {number} of {rounds}: {what}, {kind.title}")
        for kind in kinds:
            say("devices", kind)
            bench.devices(kind)
        for kind in kinds:
            say("64-byte publishes of 100 devices", kind)
            bench.publish(kind, "publish", 100)
        for kind in kinds:
            say("64-byte publishes of one device", kind)
            bench.publish(kind, "publish_one", 1)
        for kind in kinds:
            say("bulk", kind)
            bench.bulk(kind)
        bench.say(f"round {number} of {rounds}: round trips, all")
        bench.trips((servers.Plain, *kinds), PATHS)
        bench.say(f"round {number} of {rounds}: verdicts of the policy")
        bench.policy()
        if servers.Kayad in kinds:
            both = (servers.Kayad, servers.KayadWithPolicy)
            bench.say(f"round {number} of {rounds}: kayad with a policy")
            bench.devices(both[1])
            bench.publish(both[1], "publish", 100)
            bench.burst(both)


def main():
    parser = argparse.ArgumentParser(
        prog="bench/run", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true",
                        help="one short round: a first look, under a minute")
    parser.add_argument("--json", action="store_true",
                        help="print everything as JSON")
    parser.add_argument("--only", metavar="PEER", action="append",
                        help="measure this one only (may be repeated)")
    parser.add_argument("--no-cgroup", action="store_true",
                        help="count by /proc, as where no group can be made")
    options = parser.parse_args()
    plan = PLANS["quick" if options.quick else "full"]
    kinds, skipped = [], {}
    for kind in KINDS:
        if options.only and kind.title not in options.only:
            continue
        why = kind.missing()
        if why is None:
            kinds.append(kind)
        else:
            skipped[kind.title] = why
    limit = servers.raise_limits()
    most = max(works.DEVICES.values())
    with tempfile.TemporaryDirectory(prefix="kaya-bench-") as folder, \
            measure.Accounts(not options.no_cgroup) as accounts:
        bench = works.Works(plan, servers.Files(folder, most),
                            accounts)
        conditions = machine.conditions(accounts.method, limit)
        for title, why in skipped.items():
            bench.say(f"skipped: {title}: {why}")
        run(bench, kinds, plan["rounds"])
    found = report.gather(bench, conditions, skipped)
    if options.json:
        json.dump(found, sys.stdout, indent=1)
        print()
    else:
        print(report.text(found))


if __name__ == "__main__":
    main()
