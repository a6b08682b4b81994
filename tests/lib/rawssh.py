"""rawssh: an SSH client that does what it is told, right or wrong.

For tests of a server against hostile peers: it can make the handshake as far
as a test wants it, and send any payload, any packet and any byte at any
moment. It knows one way each: curve25519-sha256, ssh-ed25519 and
aes128-gcm@openssh.com, strict key exchange.
"""

import hashlib
import os
import socket
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

DISCONNECT, IGNORE, UNIMPLEMENTED, DEBUG = 1, 2, 3, 4
SERVICE_REQUEST, SERVICE_ACCEPT, EXT_INFO = 5, 6, 7
KEXINIT, NEWKEYS, ECDH_INIT, ECDH_REPLY = 20, 21, 30, 31
USERAUTH_REQUEST, USERAUTH_FAILURE, USERAUTH_SUCCESS = 50, 51, 52
USERAUTH_BANNER, USERAUTH_PK_OK = 53, 60
GLOBAL_REQUEST, REQUEST_SUCCESS, REQUEST_FAILURE = 80, 81, 82
CHANNEL_OPEN, OPEN_CONFIRMATION, OPEN_FAILURE = 90, 91, 92
WINDOW_ADJUST, DATA, EXTENDED_DATA, EOF, CLOSE = 93, 94, 95, 96, 97
CHANNEL_REQUEST, CHANNEL_SUCCESS, CHANNEL_FAILURE = 98, 99, 100

# RFC 4253 11.1
PROTOCOL_ERROR, KEY_EXCHANGE_FAILED, MAC_ERROR = 2, 3, 5
VERSION_NOT_SUPPORTED, NO_MORE_AUTH_METHODS = 8, 14


def u8(value):
    return struct.pack(">B", value)


def u32(value):
    return struct.pack(">I", value)


def string(value):
    if isinstance(value, str):
        value = value.encode()
    return u32(len(value)) + value


def mpint(value):
    value = value.lstrip(b"\0")
    if value and value[0] & 0x80:
        value = b"\0" + value
    return string(value)


class Reader:
    """Reads a payload from the front."""

    def __init__(self, data):
        self.data = data

    def take(self, size):
        if len(self.data) < size:
            raise EOFError("the payload is cut off")
        part, self.data = self.data[:size], self.data[size:]
        return part

    def u8(self):
        return self.take(1)[0]

    def u32(self):
        return struct.unpack(">I", self.take(4))[0]

    def string(self):
        return self.take(self.u32())


class Gone(Exception):
    """The server closed the connection without a DISCONNECT."""


class Disconnected(Exception):
    """The server said DISCONNECT."""

    def __init__(self, code, why):
        super().__init__(f"DISCONNECT {code}: {why}")
        self.code = code
        self.why = why


class Key:
    """A user's ed25519 key."""

    def __init__(self):
        self.private = ed25519.Ed25519PrivateKey.generate()
        raw = self.private.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.blob = string("ssh-ed25519") + string(raw)

    def line(self):
        import base64
        return "ssh-ed25519 " + base64.b64encode(self.blob).decode()

    def sign(self, message):
        return string("ssh-ed25519") + string(self.private.sign(message))


def kexinit(**over):
    """A KEXINIT payload; lists may be put in the place of ours."""
    lists = {
        "kex": "curve25519-sha256,ext-info-c,kex-strict-c-v00@openssh.com",
        "host_key": "ssh-ed25519",
        "cipher_out": "aes128-gcm@openssh.com",
        "cipher_in": "aes128-gcm@openssh.com",
        "mac_out": "hmac-sha2-256", "mac_in": "hmac-sha2-256",
        "comp_out": "none", "comp_in": "none",
        "lang_out": "", "lang_in": "",
    }
    follows = over.pop("follows", 0)
    lists.update(over)
    return (u8(KEXINIT) + os.urandom(16)
            + b"".join(string(value) for value in lists.values())
            + u8(follows) + u32(0))


class Direction:
    """Protection of one direction; none until it has a key."""

    def __init__(self):
        self.sequence = 0
        self.key = None
        self.iv = None

    def rekey(self, key, iv):
        self.key, self.iv, self.sequence = AESGCM(key), iv, 0

    def nonce(self):
        nonce = self.iv
        count = struct.unpack(">Q", nonce[4:])[0]
        self.iv = nonce[:4] + struct.pack(">Q", (count + 1) % 2**64)
        return nonce


class Client:
    """One connection. Every step is a method; nothing happens by itself."""

    def __init__(self, port, host="127.0.0.1", timeout=20, source=None):
        self.socket = socket.create_connection(
            (host, port), timeout, (source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.out, self.inward = Direction(), Direction()
        self.session_id = None
        self.our_version = b"SSH-2.0-rawssh"
        self.their_version = None
        self.our_kexinit = self.their_kexinit = None

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.socket.close()

    # ---- bytes ----

    def send_bytes(self, data):
        self.socket.sendall(data)

    def read_bytes(self, size):
        while len(self.buffer) < size:
            try:
                data = self.socket.recv(65536)
            except ConnectionError as error:
                raise Gone("reset") from error
            if not data:
                raise Gone(f"closed, {len(self.buffer)} bytes left over")
            self.buffer += data
        part, self.buffer = self.buffer[:size], self.buffer[size:]
        return part

    # ---- packets ----

    def packet(self, payload, padding=None):
        """The payload as the packet that is next in order."""
        block = 16 if self.out.key else 8
        head = 1 if self.out.key else 5
        if padding is None:
            padding = block - (head + len(payload)) % block
            padding += block if padding < 4 else 0
        body = u8(padding) + payload + os.urandom(padding)
        length = u32(len(body))
        self.out.sequence += 1
        if not self.out.key:
            return length + body
        return length + self.out.key.encrypt(self.out.nonce(), body, length)

    def send(self, payload):
        self.send_bytes(self.packet(payload))

    def receive(self):
        """The next payload; DISCONNECT and the end are exceptions."""
        head = self.read_bytes(4)
        length = struct.unpack(">I", head)[0]
        if length > 40000:
            raise ValueError(f"a packet of {length} bytes")
        if self.inward.key:
            sealed = self.read_bytes(length + 16)
            try:
                body = self.inward.key.decrypt(
                    self.inward.nonce(), sealed, head)
            except InvalidTag as error:
                raise ValueError("the server's packet is not authentic"
                                 ) from error
        else:
            body = self.read_bytes(length)
        self.inward.sequence += 1
        payload = body[1:len(body) - body[0]]
        if payload[0] == DISCONNECT:
            reader = Reader(payload[1:])
            raise Disconnected(reader.u32(), reader.string().decode())
        return payload

    def expect(self, *numbers):
        """The next payload that is not IGNORE, DEBUG, EXT_INFO or a banner."""
        while True:
            payload = self.receive()
            if payload[0] in numbers:
                return payload
            if payload[0] not in (IGNORE, DEBUG, EXT_INFO, USERAUTH_BANNER):
                raise AssertionError(
                    f"message {payload[0]} came in the place of {numbers}")

    def end(self):
        """Read until the end: the Disconnected, or None for a plain close."""
        try:
            while True:
                self.receive()
        except Disconnected as said:
            return said
        except Gone:
            return None

    # ---- the handshake, step by step ----

    def version(self, line=None):
        self.send_bytes(line if line is not None
                        else self.our_version + b"\r\n")
        line = b""
        while not line.endswith(b"\n"):
            line += self.read_bytes(1)
        self.their_version = line.rstrip(b"\r\n")

    def send_kexinit(self, **over):
        self.our_kexinit = kexinit(**over)
        self.send(self.our_kexinit)

    def receive_kexinit(self):
        self.their_kexinit = self.expect(KEXINIT)

    def exchange(self):
        """From ECDH_INIT to NEWKEYS; takes their KEXINIT where it is due."""
        if self.their_kexinit is None:
            self.receive_kexinit()
        private = x25519.X25519PrivateKey.generate()
        share = private.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.send(u8(ECDH_INIT) + string(share))
        reader = Reader(self.expect(ECDH_REPLY)[1:])
        host_key, their_share = reader.string(), reader.string()
        signature = Reader(reader.string())
        secret = mpint(private.exchange(
            x25519.X25519PublicKey.from_public_bytes(their_share)))
        digest = hashlib.sha256(
            string(self.our_version) + string(self.their_version)
            + string(self.our_kexinit) + string(self.their_kexinit)
            + string(host_key) + string(share) + string(their_share)
            + secret).digest()
        blob = Reader(host_key)
        assert blob.string() == signature.string() == b"ssh-ed25519"
        ed25519.Ed25519PublicKey.from_public_bytes(blob.string()).verify(
            signature.string(), digest)
        if self.session_id is None:
            self.session_id = digest

        def derive(letter, size):
            return hashlib.sha256(
                secret + digest + letter + self.session_id).digest()[:size]

        self.send(u8(NEWKEYS))
        self.out.rekey(derive(b"C", 16), derive(b"A", 12))
        self.expect(NEWKEYS)
        self.inward.rekey(derive(b"D", 16), derive(b"B", 12))
        self.our_kexinit = self.their_kexinit = None

    def handshake(self, **over):
        self.version()
        self.send_kexinit(**over)
        self.exchange()

    def service(self, name="ssh-userauth"):
        self.send(u8(SERVICE_REQUEST) + string(name))
        return self.expect(SERVICE_ACCEPT)

    def auth_request(self, key, user="dan", session_id=None, proof=True,
                     blob=None, algorithm="ssh-ed25519"):
        """A USERAUTH_REQUEST, signed over this session or another's id."""
        request = (u8(USERAUTH_REQUEST) + string(user)
                   + string("ssh-connection") + string("publickey")
                   + u8(1 if proof else 0) + string(algorithm)
                   + string(blob if blob is not None else key.blob))
        if not proof:
            return request
        signed = string(session_id if session_id is not None
                        else self.session_id) + request
        return request + string(key.sign(signed))

    def login(self, key, **over):
        self.handshake(**over)
        self.service()
        self.send(self.auth_request(key))
        self.expect(USERAUTH_SUCCESS)

    # ---- channels ----

    def open_request(self, number=0, host="127.0.0.1", port=1883,
                     window=2**20, packet=32768, kind="direct-tcpip"):
        return (u8(CHANNEL_OPEN) + string(kind) + u32(number) + u32(window)
                + u32(packet) + string(host) + u32(port)
                + string("127.0.0.1") + u32(50000))

    def open(self, **over):
        """Open a channel; the server's number, window and packet size."""
        self.send(self.open_request(**over))
        reader = Reader(self.expect(OPEN_CONFIRMATION)[1:])
        reader.u32()
        return reader.u32(), reader.u32(), reader.u32()

    def data(self, channel, data):
        self.send(u8(DATA) + u32(channel) + string(data))

    def read_data(self, size):
        """Data of any channel until so many bytes came."""
        got = b""
        while len(got) < size:
            payload = self.expect(DATA, WINDOW_ADJUST)
            if payload[0] == DATA:
                reader = Reader(payload[1:])
                reader.u32()
                got += reader.string()
        return got
