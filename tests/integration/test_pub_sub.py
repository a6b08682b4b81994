"""kaya pub and kaya sub in pipes, on full disks, interrupted, and left alone."""

import json
import os
import signal
import socket
import subprocess

import pytest

import peers
from devices import (  # noqa: F401
    KAYA, Kaya, Server, home, know, run, with_config)
from peers import wait_until
from tunnels import Subscriber, publish

HERE = "127.0.0.1"


@pytest.fixture
def server(tmp_path, home):
    with Server("sshd", tmp_path, home,
                broker_lines="log_type all") as server:
        yield server


def words(server, command, *more):
    return with_config([command, server.dest, "--key", server.key, "--broker",
                        server.target, *more])


def sub_until(server, command, end, **options):
    """Messages are published until the subscriber, in `command`, has ended."""
    shell = subprocess.Popen(["bash", "-c", command, "bash",
                              *words(server, "sub", "-t", "t/#")],
                             text=True, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, **options)

    def ended():
        publish(server.broker.port, "t/a", "message")
        return shell.poll() is not None
    wait_until(ended, end)
    return shell.communicate()


def test_sub_into_a_full_disk_is_1_and_says_so(server):
    out, told = sub_until(server, '"$@" >/dev/full; echo "status $?"',
                          "sub gives up")
    assert out == "status 1\n"
    assert "not all could be printed" in told
    assert "No space left" in told and "remedy:" in told


def test_sub_with_a_closed_stdout_prints_into_no_connection(server):
    out, told = sub_until(server, '"$@" >&-; echo "status $?"',
                          "sub gives up")
    assert out == "status 1\n"
    assert "Bad file descriptor" in told


def test_sub_ends_when_the_reader_of_its_pipe_has_enough(server):
    command = '"$@" 2>&1 | head -1; echo "${PIPESTATUS[0]}"'
    shell = subprocess.Popen(["bash", "-c", command, "bash",
                              *words(server, "sub", "-t", "t/#")],
                             text=True, stdout=subprocess.PIPE)
    # A single message that is kept: no second one makes it look.
    publish(server.broker.port, "t/a", "message", "-r")
    try:
        assert shell.communicate(timeout=30)[0] == "message\n0\n"
    finally:
        shell.kill()


def test_output_that_is_lost_is_a_failure_of_every_command():
    for ending in (">/dev/full", ">&-"):
        done = subprocess.run(["sh", "-c", f"{KAYA} --help {ending}"],
                              capture_output=True, text=True)
        assert done.returncode == 1, ending
        assert "not all could be printed" in done.stderr
    done = subprocess.run(["bash", "-c", f"{KAYA} --help | true; "
                           "echo ${PIPESTATUS[0]}"], capture_output=True,
                          text=True)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_lines_may_come_later_than_the_keepalive(server):
    """The broker gives a client up after one and a half times that."""
    with Subscriber(server.broker.port, "t/#", "-q", "2") as sub:
        pub = subprocess.Popen(
            words(server, "pub", "-t", "t/l", "-l", "-q", "2", "-k", "5"),
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        pub.stdin.write("early\n")
        pub.stdin.flush()
        # At QoS 2 it comes when the client has answered, without a next line.
        sub.wait_for_log("early")
        server.broker.wait_for_log(r"(?s)(PINGREQ from .*){2}", 30)
        told = pub.communicate("\nwithout an end", timeout=30)[1]
        assert pub.returncode == 0, told
        sub.wait_for_log("without an end")


def test_many_lines_are_published_in_their_order(server):
    lines = "".join(f"line {i}\n" for i in range(3000))
    with Subscriber(server.broker.port, "t/#", "-q", "1") as sub:
        done = subprocess.run(words(server, "pub", "-t", "t/l", "-l", "-q",
                                    "1"), input=lines, text=True, timeout=60)
        assert done.returncode == 0
        sub.wait_for_log("line 2999")
        heard = [line for line in sub.log().splitlines()
                 if line.startswith("line ")]
        assert "\n".join(heard) + "\n" == lines


@pytest.mark.parametrize("lost", ["ssh", "mqtt"])
@pytest.mark.parametrize("qos", ["1", "2"])
def test_lines_go_on_when_the_connection_is_lost(server, home, lost, qos):
    """None is lost, whatever was under way; one may come twice."""
    port = {"ssh": server.port, "mqtt": server.broker.port}[lost]
    with peers.Relay(port) as relay, \
            Subscriber(server.broker.port, "t/#", "-q", "2") as sub:
        know(home, relay.port if lost == "ssh" else server.port)
        dest = f"{server.user}@{HERE}:{server.port}"
        broker = f"{HERE}:{relay.port}"
        if lost == "ssh":
            dest, broker = f"{server.user}@{HERE}:{relay.port}", server.target
        pub = subprocess.Popen(
            with_config(["pub", dest, "--key", server.key, "--broker", broker,
                         "-t", "t/l", "-l", "-q", qos]),
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        pub.stdin.write("first\n")
        pub.stdin.flush()
        sub.wait_for_log("first")
        # The next ones leave, and nothing of them arrives.
        relay.stalled.set()
        pub.stdin.write("second\nthird\n")
        pub.stdin.flush()
        wait_until(lambda: relay.held_bytes > 0, "they are under way")
        relay.cut()
        relay.stalled.clear()
        told = pub.communicate("fourth\n", timeout=60)[1]
        assert pub.returncode == 0, told
        assert told.count("kaya: ") == 1, told
        sub.wait_for_log("fourth")
        heard = [line for line in sub.log().splitlines() if " " not in line]
        assert sorted(set(heard)) == ["first", "fourth", "second", "third"]
        assert heard[-1] == "fourth" and heard.count("fourth") == 1


def test_a_subscriber_sees_at_once_that_ssh_was_lost(server, home):
    """Not when the broker's keepalive is over, after a minute."""
    with peers.Relay(server.port) as relay:
        know(home, relay.port)
        with Kaya("sub", f"{server.user}@{HERE}:{relay.port}", "--key",
                  server.key, "--broker", server.target, "-t", "t/#",
                  "-v") as sub:
            def heard(words):
                publish(server.broker.port, "t/a", words)
                return sub.logged(f"t/a {words}")
            wait_until(lambda: heard("before"), "it has subscribed")
            relay.cut()
            sub.wait_for_log("the SSH connection was lost")
            wait_until(lambda: heard("after"), "it has subscribed again")


def test_lines_end_where_the_broker_refuses_them(server, tmp_path):
    """What would be refused again is not tried again."""
    pub = subprocess.Popen(
        words(server, "pub", "-t", "t/l", "-l", "-q", "1", "-u", "nobody"),
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    server.broker.wait_for_log("u'nobody'")
    server.broker.stop()
    server.broker = peers.Mosquitto(
        tmp_path / "other", users={"dan": "secret"}, port=server.broker.port)
    told = pub.communicate("line\n", timeout=60)[1]
    assert pub.returncode == 4, told
    assert "the broker refuses us" in told


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP,
                                    signal.SIGINT])
def test_nothing_is_left_of_a_client_that_is_killed(server, tmp_path, number):
    folder = tmp_path / "tmp"
    folder.mkdir()
    environment = dict(os.environ, TMPDIR=str(folder))
    with peers.Process(words(server, "sub", "-t", "t/#", "-v"),
                       env=environment) as sub:
        def heard():
            publish(server.broker.port, "t/a", "message")
            return sub.logged("t/a message")
        wait_until(heard, "it has subscribed")
        sub.signal(number)
        sub.wait()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("folder", ["/nonexistent", "/tmp/" + 80 * "long"],
                         ids=["missing", "long"])
def test_a_folder_for_temporary_files_that_is_none_is_no_fault(server, folder):
    done = subprocess.run(words(server, "pub", "-t", "t", "-m", "x"),
                          env=dict(os.environ, TMPDIR=folder),
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_on_the_way_to_a_broker_sub_ends_at_once(home):
    """Its server is silent: the handshake would be given 15 s."""
    with socket.create_server((HERE, 0)) as silent:
        dest = f"nobody@{HERE}:{silent.getsockname()[1]}"
        with Kaya("sub", dest, "-t", "t", "-W", "1") as sub:
            assert sub.wait(10) == 1
            assert sub.log() == "kaya: timed out (-W)\n"
        silent.accept()[0].close()
        with Kaya("sub", dest, "-t", "t") as sub, silent.accept()[0] as held:
            held.recv(1)
            sub.signal(signal.SIGINT)
            assert sub.wait(10) == -signal.SIGINT


def test_the_will_is_published_when_the_client_is_lost(server):
    with Subscriber(server.broker.port, "w", "-v") as heard:
        with peers.Process(
                words(server, "sub", "-t", "t/#", "-v", "--will-topic", "w",
                      "--will-payload", "lost", "--will-qos", "1",
                      "--will-retain")) as sub:
            def subscribed():
                publish(server.broker.port, "t/a", "message")
                return sub.logged("t/a message")
            wait_until(subscribed, "it has subscribed")
            sub.signal(signal.SIGKILL)
        heard.wait_for_log("w lost")
    kept = run("sub", server.dest, "--key", server.key, "--broker",
               server.target, "-t", "w", "-C", "1", "-F", "%j")
    message = json.loads(kept.stdout)
    assert message["payload"] == "lost" and message["retain"] == 1


def test_json_has_the_words_of_mosquitto_sub(server):
    publish(server.broker.port, "t/json", "kept", "-r", "-q", "1")
    theirs = subprocess.run(
        ["mosquitto_sub", "-h", HERE, "-p", str(server.broker.port), "-t",
         "t/json", "-C", "1", "-q", "1", "-F", "%j"], capture_output=True,
        text=True, check=True, timeout=30)
    ours = run("sub", server.dest, "--key", server.key, "--broker",
               server.target, "-t", "t/json", "-C", "1", "-q", "1", "-F",
               "%j")
    theirs, ours = json.loads(theirs.stdout), json.loads(ours.stdout)
    assert theirs.keys() == ours.keys()
    assert ours.pop("tst")[:17] == theirs.pop("tst")[:17]
    assert theirs == ours


@pytest.mark.parametrize("command, topic, why", [
    ("pub", b"t/\xff", "not well-formed UTF-8"),
    ("pub", b"t/+", "holds a wildcard"),
    ("pub", 65536 * b"t", "65,535 bytes at most"),
    ("sub", b"t/#/a", "# is not the last level"),
    ("sub", b"t/a+", "+ does not fill its level")],
    ids=["utf8", "wildcard", "long", "hash", "plus"])
def test_what_is_wrong_with_a_topic_is_said_before_anything_is_done(
        command, topic, why):
    more = ["-m", "x"] if command == "pub" else []
    done = subprocess.run([KAYA, command, "nobody.invalid", "-t", topic,
                           *more], capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    assert why in done.stderr
    assert len(done.stderr) < 300


@pytest.mark.parametrize("more, why", [
    (["-c"], "-c needs a client id"),
    (["--will-payload", "x"], "--will-topic"),
    (["--will-topic", "a/#"], "wildcard")])
def test_what_does_not_go_together_is_said_before_anything_is_done(more, why):
    done = run("sub", "nobody.invalid", "-t", "t", *more)
    assert done.returncode == 2
    assert why in done.stderr
