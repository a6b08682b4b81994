"""Each limit of kayad.conf(5) that a client can come up against."""

import pathlib
import re
import resource
import socket
import time

import pytest

import peers
import rawssh
from rawssh import Client, Gone
from peers import wait_until
from tunnels import Subscriber, Tunnel, publish, status


@pytest.fixture
def key(kayad):
    """A key that the gateway lets in."""
    key = rawssh.Key()
    kayad.admit(key.line(), "dan")
    return key


@pytest.fixture
def key_file(kayad, tmp_path):
    path = tmp_path / "key"
    kayad.admit(peers.make_key(path), "dan")
    return path


def is_closed_at_once(port):
    with socket.create_connection(("127.0.0.1", port), 20) as late:
        return late.recv(1) == b""


@pytest.mark.kayad(config="limits: {sessions: 2}\n")
def test_connections_past_the_limit_are_closed_and_logged(kayad, key):
    with Client(kayad.port) as one, Client(kayad.port) as two:
        one.login(key)
        two.login(key)
        assert is_closed_at_once(kayad.port)
        kayad.wait_for_log(r"event=refuse .*limits.sessions is reached")
    peers.wait_until(lambda: not is_closed_at_once(kayad.port),
                     "there is room again")


@pytest.mark.kayad(config="limits: {unauthenticated_per_source: 2}\n")
def test_one_source_has_so_many_places_to_show_a_key_in(kayad, key):
    with Client(kayad.port) as one, Client(kayad.port) as two:
        one.version()
        two.version()
        assert is_closed_at_once(kayad.port)
        kayad.wait_for_log(
            r"event=refuse .*limits.unauthenticated_per_source is reached")
        one.send_kexinit()
        one.exchange()
        one.service()
        one.send(one.auth_request(key))
        one.expect(rawssh.USERAUTH_SUCCESS)
        assert not is_closed_at_once(kayad.port)


@pytest.mark.kayad(config="limits: {unauthenticated: 1}\nthreads: 1\n")
def test_past_all_places_the_next_waits_and_is_served(kayad, key):
    with Client(kayad.port) as one, Client(kayad.port) as two:
        one.version()
        two.send_bytes(two.our_version + b"\r\n")
        two.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            two.socket.recv(1)
        two.socket.settimeout(20)
        one.socket.close()
        line = two.read_bytes(8)
        assert line == b"SSH-2.0-"


@pytest.mark.kayad(config="limits: {auth_tries: 2}\n")
def test_a_connection_may_try_so_many_keys(kayad):
    with Client(kayad.port) as client:
        client.handshake()
        client.service()
        with pytest.raises((rawssh.Disconnected, Gone)):
            for _ in range(3):
                client.send(client.auth_request(rawssh.Key()))
                client.expect(rawssh.USERAUTH_FAILURE)


@pytest.mark.kayad(config="limits: {channels: 2}\n")
def test_a_connection_may_have_so_many_channels(kayad, key):
    with Client(kayad.port) as client:
        client.login(key)
        client.open()
        client.open(number=1)
        client.send(client.open_request(number=2))
        client.expect(rawssh.OPEN_FAILURE)


@pytest.mark.kayad(config="limits: {window: 64KiB}\n")
def test_the_window_is_what_it_says(kayad, key):
    with Client(kayad.port) as client:
        client.login(key)
        assert client.open()[1] == 64 * 1024


@pytest.mark.kayad(
    config="limits: {keepalive_interval: 1s, keepalive_count: 1}\n")
def test_who_gives_no_sign_of_life_is_given_up(kayad, key_file):
    with peers.Relay(kayad.port) as relay, \
            Tunnel(kayad, key_file, port=relay.port) as tunnel:
        publish(tunnel.port, "t", "x")
        relay.stalled.set()
        kayad.wait_for_log(r"event=close .*no sign of life", 10)


@pytest.mark.kayad(config="limits: {keepalive_interval: 1s}\n")
def test_who_answers_is_kept(kayad, key_file):
    with Tunnel(kayad, key_file) as tunnel:
        tunnel.wait_for_log("client_input_global_request: rtype "
                            "keepalive@openssh.com want_reply 1")
        publish(tunnel.port, "t", "x")


@pytest.mark.kayad(config="rekey: {interval: 1s}\n")
def test_keys_are_exchanged_again_when_their_time_is_over(kayad, key_file):
    with Tunnel(kayad, key_file) as tunnel:
        tunnel.wait_for_log("(?s)(SSH2_MSG_NEWKEYS received.*){2}")
        publish(tunnel.port, "t", "x")


@pytest.mark.kayad(config="rekey: {bytes: 64KiB}\n")
def test_keys_are_exchanged_again_after_so_many_bytes(kayad, key_file):
    with Tunnel(kayad, key_file) as tunnel:
        publish(tunnel.port, "t", "x" * 100000)
        tunnel.wait_for_log("(?s)(SSH2_MSG_NEWKEYS received.*){2}")
        publish(tunnel.port, "t", "x")


# ---- wrong keys, again and again ----

LATE = "limits: {refusals: 2, refusal_delay: 2s, unauthenticated: %d}\n"


def ask(port, key):
    """A connection that has asked whether this key is let in."""
    client = Client(port)
    client.handshake()
    client.service()
    client.send(client.auth_request(key, proof=False))
    return client


@pytest.mark.kayad(config=LATE % 40)
def test_a_wrong_key_is_told_ever_later_and_a_good_one_never(kayad, key):
    wrong = rawssh.Key()
    took = []
    for _ in range(6):
        started = time.monotonic()
        with ask(kayad.port, wrong) as client:
            client.expect(rawssh.USERAUTH_FAILURE)
        took.append(time.monotonic() - started)
    assert took[5] >= 0.8 and took[5] > took[0] + 0.6, took
    kayad.wait_for_log(r"event=refuse .*no line has this key.* "
                       r"told_after_ms=800")
    # From the same address, while a refusal waits.
    with ask(kayad.port, wrong) as late, Client(kayad.port) as good:
        started = time.monotonic()
        good.login(key)
        assert time.monotonic() - started < 0.8
        late.socket.settimeout(0.01)
        with pytest.raises(TimeoutError):
            late.socket.recv(1)
        late.socket.settimeout(20)
        late.expect(rawssh.USERAUTH_FAILURE)
        # It is late, and lets it in all the same.
        late.send(late.auth_request(key))
        late.expect(rawssh.USERAUTH_SUCCESS)


@pytest.mark.kayad(config=LATE % 4)
def test_those_who_wait_for_a_refusal_take_nobodys_place(kayad, key):
    wrong = rawssh.Key()
    for _ in range(5):
        with ask(kayad.port, wrong) as client:
            client.expect(rawssh.USERAUTH_FAILURE)
    with ask(kayad.port, wrong):
        kayad.wait_for_log("told_after_ms=800")
        counts = status(kayad)["gateway"]
        assert (counts["late"], counts["unauthenticated"]) == (1, 0)
        # A quarter of the places may wait: the next is told at once.
        with ask(kayad.port, wrong) as client:
            client.socket.settimeout(0.8)
            client.expect(rawssh.USERAUTH_FAILURE)
    wait_until(lambda: status(kayad)["gateway"]["late"] == 0, "they are gone")
    assert status(kayad)["gateway"]["unauthenticated"] == 0


@pytest.mark.kayad(config="limits: {refusals: 1, refusal_delay: 5s, "
                          "login_grace: 3s}\n")
def test_refusals_leave_time_for_the_good_key_behind_them(kayad, key):
    """Like an agent that offers its other keys first."""
    wrong = rawssh.Key()
    with Client(kayad.port) as client:
        client.handshake()
        client.service()
        for _ in range(12):
            client.send(client.auth_request(wrong, proof=False))
            client.expect(rawssh.USERAUTH_FAILURE)
        client.send(client.auth_request(key))
        client.expect(rawssh.USERAUTH_SUCCESS)


# ---- a key that comes again ----

TAKEOVER = "threads: 3\nlimits: {takeover: 500ms}\n"


@pytest.mark.kayad(config=TAKEOVER)
def test_a_half_dead_connection_makes_room_for_its_keys_next(kayad, key_file):
    with peers.Relay(kayad.port) as relay, \
            Tunnel(kayad, key_file, port=relay.port) as before:
        with Subscriber(before.port, "t"):
            relay.stalled.set()
            with Tunnel(kayad, key_file) as after:
                kayad.wait_for_log(r"event=close session=1 .*its key came "
                                   r"again, and it gave no sign of life", 5)
                publish(after.port, "t", "x")
        wait_until(lambda: status(kayad)["gateway"]["devices"] == [],
                   "all are gone")


@pytest.mark.kayad(config=TAKEOVER, arguments=["--log-level", "debug"])
def test_a_living_connection_stays_beside_its_keys_next(kayad, key_file):
    with peers.Relay(kayad.port) as relay, \
            Tunnel(kayad, key_file, port=relay.port) as before, \
            Subscriber(before.port, "t") as subscriber, \
            Tunnel(kayad, key_file), Tunnel(kayad, key_file) as third:
        wait_until(lambda: len(re.findall(
            "event=probe session=1 ", kayad.log())) == 2, "it is asked twice")
        before.wait_for_log("(?s)(keepalive@openssh.com want_reply 1.*){2}")
        # Longer than a dead one would have lasted, all of them talk.
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            publish(third.port, "t", "still here")
        subscriber.wait_for_log("still here")
        assert len(status(kayad)["gateway"]["devices"]) == 3
        assert "gave no sign of life" not in kayad.log()


@pytest.mark.kayad(config=TAKEOVER, arguments=["--log-level", "debug"])
def test_another_key_of_the_same_name_is_not_asked(kayad, key_file, tmp_path):
    kayad.admit(peers.make_key(tmp_path / "other"), "dan")
    with Tunnel(kayad, key_file), Tunnel(kayad, tmp_path / "other"):
        assert "event=probe" not in kayad.log()


@pytest.mark.kayad(config="limits: {takeover: never}\n",
                   arguments=["--log-level", "debug"])
def test_nobody_is_asked_where_there_is_no_takeover(kayad, key_file):
    with Tunnel(kayad, key_file), Tunnel(kayad, key_file):
        assert "event=probe" not in kayad.log()


OLD = ["-o", "MACs=hmac-sha2-256", "-o", "Ciphers=aes128-ctr"]


def test_macs_of_old_are_not_offered(kayad, key_file):
    with pytest.raises(AssertionError, match="no matching MAC found"):
        Tunnel(kayad, key_file, extra=OLD)


@pytest.mark.kayad(config="legacy_macs: yes\n")
def test_macs_of_old_are_offered_where_it_says_so(kayad, key_file):
    with Tunnel(kayad, key_file, extra=OLD) as tunnel:
        publish(tunnel.port, "t", "x")


@pytest.mark.kayad(config="threads: 3\n")
def test_there_are_as_many_threads_as_it_says(kayad):
    counts = [len(list(pathlib.Path(f"/proc/{pid}/task").iterdir()))
              for pid in kayad.children()]
    # The child has one more, which speaks with the parent.
    assert 3 + 1 in counts


@pytest.mark.kayad(config="threads: 2\n")
def test_who_has_nothing_to_do_is_not_woken(kayad, key):
    """An idle device costs no processor time between its deadlines."""
    with Client(kayad.port) as client:
        client.login(key)
        kayad.wait_for_log("event=accept")

        def switches():
            """How often each thread slept, and for how long it waited."""
            found = {}
            for pid in kayad.children():
                for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                    if (task / "comm").read_text() == "kayad\n":
                        text = (task / "status").read_text()
                        found[task.name] = int(re.search(
                            r"^voluntary_ctxt_switches:\s*(\d+)", text,
                            re.M).group(1))
            return found
        def woken():
            """Two moments with nothing in between but time."""
            before = switches()
            with pytest.raises(TimeoutError):
                client.socket.settimeout(2)
                client.socket.recv(1)
            after = switches()
            return sum(after[task] - before[task] for task in before)

        # A machine that has other work wakes a thread now and then; a timer
        # would wake it each time.
        counts = []
        while not counts or (counts[-1] > 3 and len(counts) < 4):
            counts.append(woken())
        assert counts[-1] <= 3, counts


# ---- files that the system lets a process open ----

def files_limit(pid):
    """Soft and hard."""
    limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
    return tuple(map(int, re.search(
        r"^Max open files\s+(\d+)\s+(\d+)", limits, re.M).groups()))


def files_open(pid):
    return len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))


def test_kayad_takes_as_many_files_as_the_system_grants(tmp_path):
    """A login starts with 1,024: some 500 devices."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        kayad = peers.Kayad(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with kayad:
        # The child, and the private broker, too.
        assert len(kayad.children()) == 3
        for pid in kayad.children():
            assert files_limit(pid) == (min(hard, 1 << 20), hard)


def test_a_channel_without_a_file_for_it_is_refused_with_the_cause(
        tmp_path, monkeypatch):
    key = rawssh.Key()
    with peers.Kayad(tmp_path, config="threads: 1\n") as kayad:
        kayad.admit(key.line(), "dan")
        few = max(map(files_open, kayad.children())) + 4
    monkeypatch.setattr(peers, "WRAP", [
        *peers.WRAP, "prlimit", f"--nofile={few}:{few}"])
    with peers.Kayad(tmp_path, config="threads: 1\n") as kayad, \
            Client(kayad.port) as client:
        client.login(key)
        channels = [client.open(number=0)[0]]
        while True:
            client.send(client.open_request(number=len(channels)))
            answer = client.expect(
                rawssh.OPEN_CONFIRMATION, rawssh.OPEN_FAILURE)
            if answer[0] == rawssh.OPEN_FAILURE:
                break
            channels.append(int.from_bytes(answer[5:9], "big"))
        assert b"may not open more files (LimitNOFILE=)" in answer
        kayad.wait_for_log(r"event=channel-refuse .*LimitNOFILE=")
        # Those that there are are not harmed, and one's file serves the next.
        client.data(channels[0], b"\x10\x0c\0\4MQTT\4\2\0\0\0\0")
        assert client.read_data(4)[:2] == b"\x20\x02"
        client.send(rawssh.u8(rawssh.CLOSE) + rawssh.u32(channels.pop()))
        client.expect(rawssh.CLOSE)
        assert client.open(number=len(channels) + 1)
