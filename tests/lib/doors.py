"""doors: what a running sshd lets in, and what it gives those inside.

All over raw connections: a question costs no login where none is needed.
"""

import contextlib

import pytest

import peers
import rawssh

# Far from UTC, and with a summer time.
ZONE = "America/St_Johns"
HOSTS = ("localhost", "127.0.0.1", "::1", "LOCALHOST", "127.0.0.2")
PORTS = (1883, 9)


@contextlib.contextmanager
def patient(folder):
    """An sshd that is asked thousands of times, and lets do what it can."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", ZONE)
        # X11 wants a program to be there; HOME is not this user's, whose shell
        # may begin with anything.
        with peers.Sshd(folder / "sshd", "MaxAuthTries 1000000\n"
                        "LoginGraceTime 0\nMaxSessions 100\n"
                        "ListenAddress ::1\nX11Forwarding yes\n"
                        "XAuthLocation /bin/true\n"
                        "PermitUserEnvironment yes\n"
                        f"SetEnv HOME={folder}\n") as server:
            yield server


@pytest.fixture
def patient_sshd(tmp_path):
    with patient(tmp_path) as server:
        yield server


class Door:
    """Asks sshd whether it would take a key now, from an address."""

    def __init__(self, server, address="127.0.0.1"):
        self.server, self.address = server, address
        self.client, self.left = None, 0

    def takes(self, public):
        if self.left == 0:  # sshd ends a connection after 1,024 questions
            self.close()
            host = "::1" if ":" in self.address else "127.0.0.1"
            self.client, self.left = rawssh.Client(
                self.server.port, host, source=self.address), 1000
            self.client.handshake()
            self.client.service()
        self.left -= 1
        self.client.send(self.client.auth_request(
            None, user=self.server.user, proof=False, blob=public.blob,
            algorithm=getattr(public, "algorithm", "ssh-ed25519")))
        answer = self.client.expect(
            rawssh.USERAUTH_PK_OK, rawssh.USERAUTH_FAILURE)
        return answer[0] == rawssh.USERAUTH_PK_OK

    def close(self):
        if self.client is not None:
            self.client.__exit__()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()


class Inside:
    """A connection that was let in."""

    OTHERS = (rawssh.GLOBAL_REQUEST, rawssh.DATA, rawssh.EXTENDED_DATA,
              rawssh.EOF, rawssh.CLOSE, rawssh.CHANNEL_REQUEST,
              rawssh.WINDOW_ADJUST)

    def __init__(self, client, user, key):
        self.client, self.channels = client, 0
        client.handshake()
        client.service()
        client.send(client.auth_request(key, user=user))
        client.expect(rawssh.USERAUTH_SUCCESS)

    def answer(self, *numbers):
        while True:
            payload = self.client.expect(*numbers, *self.OTHERS)
            if payload[0] in numbers:
                return payload

    def opens(self, host, port):
        """Whether the server lets the channel; that nobody listens is
        another."""
        self.client.send(self.client.open_request(host=host, port=port))
        payload = self.answer(rawssh.OPEN_CONFIRMATION, rawssh.OPEN_FAILURE)
        if payload[0] == rawssh.OPEN_CONFIRMATION:
            return True
        return rawssh.Reader(payload[5:]).u32() != 1  # prohibited

    def listens(self):
        self.client.send(rawssh.u8(rawssh.GLOBAL_REQUEST)
                         + rawssh.string("tcpip-forward") + rawssh.u8(1)
                         + rawssh.string("localhost")
                         + rawssh.u32(peers.free_port()))
        return self.answer(rawssh.REQUEST_SUCCESS,
                           rawssh.REQUEST_FAILURE)[0] == rawssh.REQUEST_SUCCESS

    def session(self):
        self.channels += 1
        self.client.send(
            rawssh.u8(rawssh.CHANNEL_OPEN) + rawssh.string("session")
            + rawssh.u32(self.channels) + rawssh.u32(2**20)
            + rawssh.u32(32768))
        return rawssh.Reader(
            self.answer(rawssh.OPEN_CONFIRMATION)[5:]).u32()

    def is_given(self, channel, request, data=b""):
        self.client.send(rawssh.u8(rawssh.CHANNEL_REQUEST)
                         + rawssh.u32(channel) + rawssh.string(request)
                         + rawssh.u8(1) + data)
        return self.answer(rawssh.CHANNEL_SUCCESS,
                           rawssh.CHANNEL_FAILURE)[0] == rawssh.CHANNEL_SUCCESS

    def output(self, command):
        """What a command prints, up to its channel's end."""
        assert self.is_given(self.session(), "exec", rawssh.string(command))
        said = b""
        while True:
            payload = self.client.expect(rawssh.DATA, *self.OTHERS)
            number = rawssh.Reader(payload[1:5]).u32()
            if payload[0] == rawssh.DATA and number == self.channels:
                said += rawssh.Reader(payload[5:]).string()
            elif payload[0] == rawssh.CLOSE and number == self.channels:
                return said


TERMINAL = (rawssh.string("dumb") + rawssh.u32(80) + rawssh.u32(24)
            + rawssh.u32(0) * 2 + rawssh.string(b"\0"))
X11 = (rawssh.u8(0) + rawssh.string("MIT-MAGIC-COOKIE-1")
       + rawssh.string("00" * 16) + rawssh.u32(0))


def what_sshd_gives(server, key):
    """Each of what may be asked for, and what comes of it."""
    with rawssh.Client(server.port) as client:
        inside = Inside(client, server.user, key)
        given = {(host, port): inside.opens(host, port)
                 for host in HOSTS for port in PORTS}
        given["-R"] = inside.listens()
        channel = inside.session()
        given["auth-agent-req@openssh.com"] = inside.is_given(
            channel, "auth-agent-req@openssh.com")
        given["x11-req"] = inside.is_given(channel, "x11-req", X11)
        given["pty-req"] = inside.is_given(channel, "pty-req", TERMINAL)
        given["printed"] = inside.output("printenv KAYA_ID").decode().strip()
        return given
