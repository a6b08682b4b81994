"""report: the figures as tables, kayad's as ratios of the others'."""

PEERS = ("sshd", "dropbear", "mosquitto TLS", "kayad")

# name, what it says, digits
ROWS = (
    ("memory_kb", "idle memory per device, PSS kB", 2),
    ("broker_memory_kb", "  broker's share beside it, kB", 2),
    ("kernel_kb", "  kernel's for its sockets beside it, kB", 2),
    ("connect_ms", "CPU per connect, ms", 3),
    ("broker_connect_ms", "  broker's share beside it, ms", 3),
    ("connects_per_s", "  connects per second, 4 at a time", 0),
    ("publish_s", "CPU per million 64-byte publishes, s", 1),
    ("broker_publish_s", "  broker's share beside it, s", 1),
    ("publish_rate", "  publishes per second, 100 devices", 0),
    ("publish_one_s", "the same from one device, s", 1),
    ("broker_publish_one_s", "  broker's share beside it, s", 1),
    ("publish_one_rate", "  publishes per second, one device", 0),
    ("bulk_s", "bulk: CPU per GB, s", 3),
    ("broker_bulk_s", "  broker's share beside it, s", 3),
    ("bulk_mb_per_s", "  MB per second", 0),
)
RATIOS = ("memory_kb", "connect_ms", "publish_s", "publish_one_s", "bulk_s")

TRIPS = ("plain TCP", "mosquitto TLS", "sshd", "dropbear", "kayad",
         "kaya tunnel, sshd", "kaya tunnel, kayad")
TRIP_COLUMNS = (
    ("trip_p50_us", "p50"), ("trip_p99_us", "p99"),
    ("slow_trip_p50_us", "p50 at 10/s"), ("slow_trip_p99_us", "p99 at 10/s"),
)

# kayad without a policy, and with one: name, what it says, digits.
POLICY_PEERS = ("kayad", "kayad, with a policy")
POLICY_ROWS = (
    ("memory_kb", "idle memory per device, PSS kB", 2),
    ("connect_ms", "CPU per connect, ms", 3),
    ("publish_s", "CPU per million 64-byte publishes, s", 1),
    ("burst_rate", "64-byte publishes per second, as fast as they go", 0),
)
POLICY_AIM = 0.9

# What src/policy's verdicts cost, name and words.
VERDICTS = (("publish_ns", "publish"), ("deliver_ns", "deliver"),
            ("subscribe_ns", "subscribe"), ("session_ns", "begin of session"))
VERDICT_AIM_NS = 200

# What kayad is to reach against sshd: at most so much of sshd's figure.
AIMS = (
    ("memory_kb", "memory per device", 1 / 500),
    ("connect_ms", "CPU per connect", 1 / 40),
    ("bulk_s", "CPU per GB", 1),
    ("trip_p50_us", "round trip p50", 1),
)


def gather(bench, conditions, skipped):
    """Everything as one object for JSON."""
    names = [row[0] for row in (*ROWS, *POLICY_ROWS)] + [name for name, _ in TRIP_COLUMNS]
    figures = {}
    for name in names:
        figures[name] = {peer: bench.value(name, peer)
                         for peer in dict.fromkeys(PEERS + POLICY_PEERS + TRIPS)
                         if bench.value(name, peer) is not None}
    return {
        "conditions": conditions,
        "skipped": skipped,
        "ciphers": bench.told("cipher"),
        "devices": bench.told("devices"),
        "seconds": round(bench.seconds()),
        "figures": figures,
        "verdicts": bench.verdicts,
        "samples": {f"{name} {peer}": values
                    for (name, peer), values in bench.samples.items()},
        "aims": [aim(figures, *each) for each in AIMS],
    }


def aim(figures, name, words, limit):
    ours = figures[name].get("kayad")
    theirs = figures[name].get("sshd")
    if not ours or not theirs:
        return {"what": words, "is": None, "aim": limit, "met": None}
    return {"what": words, "is": ours / theirs, "aim": limit,
            "met": ours / theirs <= limit}


def fraction(value):
    """A ratio as people say it: 1/734, 0.93, 2.1."""
    if value is None or value <= 0:
        return "-"
    if value <= 0.5:
        return f"1/{1 / value:.0f}" if value < 0.1 else f"1/{1 / value:.1f}"
    return f"{value:.2f}"


def table(header, rows):
    widths = [max(len(row[i]) for row in [header, *rows])
              for i in range(len(header))]
    lines = []
    for row in [header, None, *rows]:
        if row is None:
            lines.append("  ".join("-" * width for width in widths))
            continue
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width)
                  for cell, width in zip(row[1:], widths[1:])]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def number(value, digits):
    return "-" if value is None else f"{value:,.{digits}f}"


def text(found):
    figures = found["figures"]
    told = found["conditions"]
    lines = [
        "{processor}, {cores} cores, {memory_gb} GB, Linux {kernel}".format(
            **told),
        "; ".join(f"{name}: {version}"
                  for name, version in told["versions"].items()),
        f"kayad's build: {told['build']}; CPU counted by "
        f"{told['cpu_counted_by']}; {found['seconds']} s in all",
        "devices: " + ", ".join(f"{name} {count}" for name, count in
                                found["devices"].items()),
        "ciphers: " + ", ".join(f"{name} {cipher}" for name, cipher in
                                found["ciphers"].items()),
    ]
    lines += [f"skipped: {name}: {why}"
              for name, why in found["skipped"].items()]
    lines += ["", table(["server's cost", *PEERS], [
        [words, *(number(figures[name].get(peer), digits)
                  for peer in PEERS)]
        for name, words, digits in ROWS])]
    lines += ["", table(
        ["QoS 1 round trip, us", *(words for _, words in TRIP_COLUMNS)],
        [[path, *(number(figures[name].get(path), 0)
                  for name, _ in TRIP_COLUMNS)] for path in TRIPS])]
    lines += ["", table(
        ["kayad's part of", *PEERS[:-1]],
        [ratio_row(figures, name) for name in (
            *RATIOS, "trip_p50_us", "trip_p99_us")])]
    lines += ["", *(aim_line(each) for each in found["aims"])]
    if found["verdicts"]:
        lines += ["", verdict_table(found["verdicts"]), "",
                  verdict_line(found["verdicts"])]
    if POLICY_PEERS[1] in figures["burst_rate"]:
        lines += ["", policy_table(figures), "", policy_line(figures)]
    return "\n".join(lines)


def policy_table(figures):
    return table(["what a policy costs", "without", "with", "ratio"], [
        [words, *(number(figures[name].get(peer), digits)
                  for peer in POLICY_PEERS),
         number(policy_ratio(figures, name), 2)]
        for name, words, digits in POLICY_ROWS])


def policy_ratio(figures, name):
    without, with_one = (figures[name].get(peer) for peer in POLICY_PEERS)
    return with_one / without if without and with_one else None


def policy_line(figures):
    ratio = policy_ratio(figures, "burst_rate")
    return (f"aim: a policy leaves {POLICY_AIM:.0%} of the rate: {ratio:.0%}, "
            f"{'met' if ratio >= POLICY_AIM else 'NOT met'}")


def verdict_table(verdicts):
    return table(
        ["a verdict of the policy, ns",
         *(words for _, words in VERDICTS)],
        [[f"{each['rules']:,} rules, {each['identities']:,} identities",
          *(number(each[name], 0) for name, _ in VERDICTS)]
         for each in verdicts])


def verdict_line(verdicts):
    """The dearest publish or delivery, and what few and many make of it."""
    costs = {(each["rules"], each["identities"]): each["publish_ns"]
             for each in verdicts}
    most = max(each[name] for each in verdicts
               for name in ("publish_ns", "deliver_ns"))
    few, many = min(costs), max(costs)
    return (f"aim: a verdict within {VERDICT_AIM_NS} ns: {most:.0f}, "
            f"{'met' if most <= VERDICT_AIM_NS else 'NOT met'}\n"
            f"{many[0]:,} rules and {many[1]:,} identities cost "
            f"{costs[many] / costs[few]:.2f} times what {few[0]} and "
            f"{few[1]} cost")


def ratio_row(figures, name):
    words = {row[0]: row[1] for row in ROWS}
    words.update({"trip_p50_us": "QoS 1 round trip, p50",
                  "trip_p99_us": "QoS 1 round trip, p99"})
    ours = figures[name].get("kayad")
    row = [words[name]]
    for peer in PEERS[:-1]:
        theirs = figures[name].get(peer)
        row.append(fraction(ours / theirs if ours and theirs else None))
    return row


def aim_line(each):
    limit = (f"at most {fraction(each['aim'])} of" if each["aim"] < 1
             else "below")
    words = f"aim: {each['what']} {limit} sshd's: "
    if each["is"] is None:
        return words + "not measured"
    return words + (f"{fraction(each['is'])}, "
                    f"{'met' if each['met'] else 'NOT met'}")
