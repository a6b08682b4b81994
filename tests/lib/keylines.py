"""keylines: lines of authorized_keys at random, valid ones, broken ones and
those in between; and the public keys on them, of every type and size.

No private key is needed to ask a server whether it would take a public one,
so that they are made of the generator's own chance: a seed gives its lines
again.
"""

import base64
import hashlib
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from rawssh import mpint, string

CURVES = {"nistp256": ec.SECP256R1(), "nistp384": ec.SECP384R1(),
          "nistp521": ec.SECP521R1()}


class Public:
    """A public key: its type and the fields behind it."""

    def __init__(self, word, fields, algorithm=None):
        self.word, self.fields = word, fields
        self.algorithm = algorithm or word

    @property
    def blob(self):
        return string(self.word) + b"".join(self.fields)

    @property
    def fingerprint(self):
        digest = hashlib.sha256(self.blob).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def line(self):
        return f"{self.word} {base64.b64encode(self.blob).decode()}"


def ed25519(rng):
    return Public("ssh-ed25519", [string(rng.randbytes(32))])


def point(rng, curve):
    return ec.derive_private_key(
        rng.getrandbits(200) + 1, CURVES[curve]).public_key().public_bytes(
            serialization.Encoding.X962,
            serialization.PublicFormat.UncompressedPoint)


def ecdsa(rng, curve):
    return Public(f"ecdsa-sha2-{curve}",
                  [string(curve), string(point(rng, curve))])


def number(value):
    return mpint(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def rsa(rng, bits):
    modulus = 1 << (bits - 1) | rng.getrandbits(bits - 1) | 1
    return Public("ssh-rsa", [number(rng.choice([65537, 3, 35])),
                              number(modulus)], "rsa-sha2-256")


def token(public):
    """The same as a key of a FIDO token."""
    return Public(f"sk-{public.word}@openssh.com",
                  public.fields + [string("ssh:")])


def keys(rng):
    """Some of each type and size."""
    return [*(ed25519(rng) for _ in range(6)), ecdsa(rng, "nistp256"),
            ecdsa(rng, "nistp384"), ecdsa(rng, "nistp521"),
            token(ed25519(rng)), token(ecdsa(rng, "nistp256")),
            *(rsa(rng, bits) for bits in (1016, 1023, 1024, 1025, 2047, 2048,
                                          3072, 16384, 16385))]


def twisted(rng, key):
    """A key whose bytes are not quite a key's; whether it is another one.

    No exponent of RSA is nought, for which sshd has a good word though nobody
    can sign; no type is of those short words that sshd took up to 9.8.
    """
    fields = list(key.fields)
    at = rng.randrange(len(fields))
    text = fields[at][4:]
    kind = rng.randrange(6)
    if kind == 0:  # zeros that no number needs
        fields[at] = string(b"\0" * rng.choice([1, 2, 9]) + text)
    elif kind == 1:  # another point, number, name
        text = bytearray(text)
        text[rng.randrange(len(text))] ^= 1 << rng.randrange(8)
        fields[at] = string(bytes(text))
        return Public(key.word, fields, key.algorithm), True
    elif kind == 2 and key.word != "ssh-rsa":
        fields[at] = string(b"")
    elif kind == 3:
        fields[at] = string(text + rng.choice([b"\0", b"a", b"\0a"]))
    elif kind == 4:
        fields.append(string(b"") if rng.random() < 0.5 else b"\0")
    else:
        word = rng.choice([key.word + "\0", "\0" + key.word, "ssh-dss",
                           "rsa-sha2-512"])
        return Public(word, fields, key.algorithm), False
    return Public(key.word, fields, key.algorithm), False


# ---- options ----

# The addresses that are asked from are among those of many a good `from`.
FROMS = ["127.0.0.1", "127.0.0.*", "127.0.0.0/8", "*", "!10.0.0.1,*",
         "10.0.0.1,127.0.0.1", "127.0.0.?", "::1,127.0.0.1", "127.0.0.1/32",
         "0.0.0.0/0"]
# Of a prefix longer than any, and of a sign or blank before it, releases of
# sshd think differently: what stands here is read alike by all.
FROM_PARTS = [
    "127.0.0.1", "::1", "127.1.2.3", "*", "127.*", "*.1", "127.0.0.?", "??1",
    "::*", "*:*", "[::1]", "::ffff:127.0.0.1", "::FFFF:7f00:1", "::ffff:*",
    "0:0:0:0:0:0:0:1", "0::1", "::1/128", "::/0", "::/127", "::1/127",
    "::1/64", "::ffff:0:0/96", "::ffff:127.0.0.0/104", "127.0.0.0/8",
    "127.0.0.0/16", "127.0.0.1/8", "127.0.0.1/32", "127.0.0.1/33",
    "127.0.0.0/032", "127.0.0.0/8 ", "127.0.0.0/", "127.0.0.0/255.0.0.0",
    "127.0.0.0/128", "127.0.0.0/4294967304", "0.0.0.0/0", "0/0", "0.0.0.0/1", "127/8", "127.1",
    "127.0.1", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1",
    "127.000.000.001", "127.0.0.01", "localhost", "LOCALHOST", "local*",
    "ip6-localhost", "fe80::1%lo", "fe80::1%1", "::1%lo", "", "!", " ",
    "\t", "127.0.0.1 ", " 127.0.0.1", "12?.0.0.1", "127.0.0.1*", "*127.0.0.1",
    "**1", "*?1", "a" * 70, "127.0.0.0/8/8", "1.2.3.4.5", "256.0.0.1",
    '\\"', "\u00e9", "127.0.0.1\\"]

PERMIT_HOSTS = ["127.0.0.1", "localhost", "[::1]", "*", "::1", "", "[]", "[",
                "a", "[localhost]", "[a]b", "]", "a]", "[*]", "LOCALHOST",
                " localhost", "loc*", "a b", '\\"', "a" * 1022, "a" * 1023,
                "a" * 1024, "a" * 1025, "[" + "a" * 1021 + "]",
                "[" + "a" * 1022 + "]", "[" + "a" * 1023 + "]"]
PERMIT_PORTS = [":1883", ":*", ":0", ":65535", ":65536", ":-1", ":+1883",
                ": 1883", ":\t1883", ":1883 ", ":01883", ":-0",
                ":0000000000000000000000000001883", ":1883x", ":x", ":", "",
                "/1883", "//1883", ":1883:1883", ":0x75b", ":1e3", ":**",
                ":99999999999999999999", ":1 883", ':1883\\"', ":mqtt",
                ":http", "/ssh", ":MQTT", ":no-such-service", ": mqtt",
                ":mqtt/tcp", ":0x"]
TIMES = ["20991231", "209912312359", "20991231235959", "20200101",
         "2099", "20991301", "20990231", "20240229", "20990229", "20991231Z",
         "20991231z", "20991231UTC", "20991231utc", "20991231ZZ",
         "209912312359Z", "20991231235959UTC", "", "Z", "UTC", "2099-12-31",
         "99999999", "99991231", "99991231235959Z", "20991231 ", " 20991231",
         "209912312360", "209912312460", "20991231235960", "20991231235961",
         "20991231235962", "19700101", "19700101Z", "19700102Z", "19691231",
         "197001010000Z", "197001010001Z", "19700101000001Z", "00000101",
         "20380119031408Z", "2099 1 1", "2099 101", "209912 1", "20991 1 ",
         "20990001", "20990100", "20990132", "209901 1 1 1", "2099123123 9",
         "+2991231", "-2991231", "2099123a", "\uff12\uff10991231",
         "209912312359+0100", "20991231T2359", "20991231\\\""]
VALUES = {
    "command": ["true", "echo a b", 'echo \\"a\\"', "", "a,b=c", "x\\y",
                "x\\\\", "\\\\\\\"", "\\\"", "a\tb", " ", "#", "\u00e9",
                "a\x01b", "x" * 9000],
    "environment": ["A=b", "KAYA_ID=pump-7", "KAYA_ID=a b", "A=", "_=1",
                    "A", "=b", "A-B=c", "", "1A=b", "A==b", "A =b", " A=b",
                    "A.B=c", 'A=\\"b\\"', "\u00c9=1", "A\\\"=b", "a\tb=c",
                    "KAYA_ROLE=x", "PATH=/", "A=" + "x" * 9000],
    "tunnel": ["0", "any", "1", "x", "", "-1", "2147483647", "-0", "+1",
               " 1", "1 ", "ANY", "any:any", "1:2", "2147483644",
               "2147483645", "2147483646", "4294967296", "0x1", "007"],
    "principals": ["a", "a,b", "", ",", "a,,b", "root", "*", "!a", " a",
                   '\\"a\\"'],
}
FLAGS = ["restrict", "cert-authority", "port-forwarding", "agent-forwarding",
         "X11-forwarding", "pty", "user-rc", "touch-required",
         "verify-required"]
STRANGE = ["no-restrict", "no-cert-authority", "no-command", "ptyy", "",
           "zos-key-permit", "no-", "permitopen", "restrict=yes",
           "no-pty=\"\"", "command=true", "command =\"true\"",
           "command=\"true\"x", "RESTRICT", "No-Pty", "from='127.0.0.1'",
           "\u201crestrict\u201d", "no-no-pty", "NO-PTY", "nopty",
           "No-Touch-Required", "idle-timeout=\"1\"", "ssh-ed25519",
           "no-environment=\"A=b\"", "permitopen=\"a:1\"\"b:1\"", "\"restrict\"",
           "restrict\"\"", "pty\\", "\\\"", "command=\"\\", "from=\"*\\\""]
BETWEEN = [","] * 16 + [", ", " ,", ",,", " "]
BEFORE_KEY = [" "] * 30 + ["\t", "  ", ",", "", ", ", " \t ", "\u00a0", "\v"]
LETTERS = list('", \t\\=#\r!*-aA0\x00\x7f\v\f\x1b') + ["\u00a0", "restrict,",
                                                         "no-"]
TYPES = ["ssh-rsa", "ssh-ed25519 ", "SSH-ED25519", "ecdsa-sha2-nistp256",
         "ecdsa-sha2-nistp384", "ed25519", "ED25519", "RSA", "ECDSA",
         "ssh-ed25519,", "ssh-ed25519-cert-v01@openssh.com", "rsa-sha2-256",
         "rsa-sha2-512", "ssh-dss", "ssh-rsa-cert-v01@openssh.com",
         "rsa-sha2-512-cert-v01@openssh.com", "sk-ssh-ed25519@openssh.com",
         "sk-ssh-ed25519", "sk-ecdsa-sha2-nistp256@openssh.com",
         "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
         "ssh-xmss@openssh.com", "ssh-ed25519 ssh-ed25519"]


def near_time(rng):
    """Some hours from now, or days; never so near that it matters when."""
    when = time.time() + rng.choice([-30, -13, -3, -1, 1, 3, 13, 30]) * 3600
    moment, end = rng.choice([(time.gmtime, "Z"), (time.gmtime, "UTC"),
                              (time.localtime, "")])
    form = rng.choice(["%Y%m%d%H%M", "%Y%m%d%H%M%S"])
    return time.strftime(form, moment(when)) + end


def value_of(rng, name):
    if name == "permitopen":
        return rng.choice(PERMIT_HOSTS) + rng.choice(PERMIT_PORTS)
    if name == "permitlisten":
        return rng.choice(PERMIT_HOSTS + [""] * 20) + rng.choice(
            PERMIT_PORTS + ["1883", "*", "0", "none", "any", "+1", "-0",
                            "mqtt"])
    if name == "expiry-time":
        return rng.choice(TIMES) if rng.random() < 0.7 else near_time(rng)
    if name == "from":
        return rng.choice(FROMS) if rng.random() < 0.5 else from_list(rng)
    return rng.choice(VALUES[name])


VALUED = ["command", "environment", "tunnel", "principals", "permitopen",
          "permitlisten", "expiry-time", "from"]
# Those that few or no machines refuse, so that some lines stay whole.
GOOD = ['command="true"', 'environment="A=b"', 'environment="A=c"',
        'permitopen="127.0.0.1:1883"', 'permitlisten="localhost:1"',
        'expiry-time="20991231"', 'from="127.0.0.1"', "restrict",
        'tunnel="0"', 'permitopen="[::1]:*"', "no-pty"]


def from_list(rng):
    parts = [rng.choice(["", "", "", "!"]) + rng.choice(FROM_PARTS)
             for _ in range(rng.choice([1, 1, 2, 2, 3, 4]))]
    return ",".join(parts)


def any_case(rng, word):
    """Capitals where none were, sometimes."""
    if rng.random() < 0.8:
        return word
    return "".join(rng.choice([c.upper(), c.lower()]) for c in word)


def option(rng):
    kind = rng.random()
    if kind < 0.25:
        return any_case(rng, rng.choice(["", "no-"]) * (rng.random() < 0.7)
                        + rng.choice(FLAGS))
    if kind < 0.65:
        return rng.choice(GOOD)
    if kind < 0.95:
        name = rng.choice(VALUED)
        return f'{any_case(rng, name)}="{value_of(rng, name)}"'
    return rng.choice(STRANGE)


def many(rng):
    """As many options as sshd takes, or one too many."""
    kind, limit = rng.choice([('permitopen="a:{}"', 4097),
                              ('permitlisten="a:{}"', 4097),
                              ('environment="A{}=b"', 1025)])
    count = limit + rng.choice([-1, 0, 1])
    return ",".join(kind.format(i + 1) for i in range(count))


# ---- the key's text ----

def base64_text(rng, text):
    """The base64, often with a fault in it."""
    kind = rng.random()
    if kind < 0.25:
        return text[:rng.randrange(len(text))]
    if kind < 0.5:
        at = rng.choice([rng.randrange(len(text)), len(text.rstrip("=")),
                         len(text) - 1])
        return text[:at] + rng.choice("\r\v\f=-_ \t.\x00%") + text[at:]
    if kind < 0.75:
        return text + rng.choice(["AAAA", "=", "==", "===", "\r", "A", '"',
                                  "#", "=A", "====", "\v=", "\u00a0"])
    bare = text.rstrip("=")
    if kind < 0.9:  # bits that no byte takes
        return bare[:-1] + rng.choice("BCDQgw/+") + text[len(bare):]
    return bare + rng.choice(["", "=", "\r=", "=\r=", "= =", "=\v"])


def key_text(rng, key):
    word, text = key.line().split()
    kind = rng.random()
    if kind < 0.06:
        word = rng.choice(TYPES)
    elif kind < 0.20:
        text = base64_text(rng, text)
    elif kind < 0.22:
        return text
    return word + rng.choice([" "] * 6 + ["\t", "  "]) + text


COMMENTS = ["", "", " comment", " a b \"c", "\r", " restrict", "\t", " \r",
            " \x1b[31m", " \u00e9", "\t\t#", " " + "x" * 9000]


def sample(rng, key):
    """One line, without its end."""
    options = ""
    for i in range(rng.choice([0, 1, 1, 2, 2, 3, 4])):
        options += rng.choice(BETWEEN) * (i > 0) + option(rng)
    if rng.random() < 0.004:
        options = many(rng)
    line = rng.choice([""] * 30 + [" ", "\t", "#", "\ufeff", "\v"]) + options
    line += rng.choice(BEFORE_KEY) * (options != "") + key_text(rng, key)
    line += rng.choice(COMMENTS)
    if rng.random() < 0.2:
        at = rng.randrange(len(line))
        cut = rng.choice([0, 1, 1])
        line = line[:at] + rng.choice(LETTERS + [""] * 6) + line[at + cut:]
    return line.encode()


def broken_file(rng, keys):
    """Lines of these keys, some of them broken into two."""
    text = b"\n".join(sample(rng, rng.choice(keys)) for _ in range(4))
    for _ in range(rng.choice([0, 1, 1, 2])):
        at = rng.randrange(len(text))
        text = text[:at] + rng.choice([b"\n", b"\r\n", b" \n"]) + text[at:]
    return text


END = [b"\n"] * 8 + [b"", b"\r\n", b"\n\n", b" \n"]


def forwarding_options(rng):
    """Options that are valid, about what a session and a channel may."""
    words = [any_case(rng, rng.choice(
        ["restrict", "port-forwarding", "no-port-forwarding", "no-pty", "pty",
         "agent-forwarding", "no-agent-forwarding", "X11-forwarding",
         "no-X11-forwarding", "user-rc"]))
             for _ in range(rng.choice([0, 1, 2, 3]))]
    for _ in range(rng.choice([0, 1, 1, 2, 3])):
        host = rng.choice(["localhost", "127.0.0.1", "[::1]", "*",
                           "LOCALHOST", "::1", "[localhost]", "l*"])
        port = rng.choice(["1883", "*", "9", "01883", "+1883", " 1883",
                           "\t9"])
        words.append(f'permitopen="{host}{rng.choice(":::/")}{port}"')
    for _ in range(rng.choice([0, 0, 1, 2])):
        words.append('permitlisten="' + rng.choice(
            ["localhost:1", "1", "*:1", "localhost:*", "*"]) + '"')
    for _ in range(rng.choice([0, 0, 1, 2])):
        words.append('environment="KAYA_ID=' + rng.choice(
            ["pump-7", "pump-8"]) + '"')
    if rng.random() < 0.4:
        words.append('command="' + rng.choice(
            ["echo forced", "printf '%s' \\\"a  b\\\"", "echo a,b=c\\\\d",
             "", "echo 'x\\y'", "echo \\\"a\tb\\\""]) + '"')
    rng.shuffle(words)
    return ",".join(words)
