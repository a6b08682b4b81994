#!/usr/bin/env python3
"""Make key_vectors.h: users' keys and signatures, by another hand.

Keys and signatures come from python3-cryptography, their encodings from the
RFCs and PROTOCOL.u2f, with none of kaya's code:

    ./make_key_vectors.py > key_vectors.h

The keys are new each time and their private halves are thrown away.
"""
import hashlib

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

PRESENT, VERIFIED = 1, 4
HASHES = {
    "nistp256": hashes.SHA256(),
    "nistp384": hashes.SHA384(),
    "nistp521": hashes.SHA512(),
    "rsa-sha2-256": hashes.SHA256(),
    "rsa-sha2-512": hashes.SHA512(),
}
CURVES = {
    "nistp256": ec.SECP256R1(),
    "nistp384": ec.SECP384R1(),
    "nistp521": ec.SECP521R1(),
}


def string(value):
    value = value.encode() if isinstance(value, str) else value
    return len(value).to_bytes(4, "big") + value


def mpint(number):
    # One bit more than it has, so that it is not negative.
    return string(number.to_bytes(number.bit_length() // 8 + 1, "big"))


def raw(public_key):
    return public_key.public_bytes_raw()


def point(key):
    numbers = key.public_key().public_numbers()
    size = (key.curve.key_size + 7) // 8
    return b"\x04" + numbers.x.to_bytes(size, "big") + numbers.y.to_bytes(size, "big")


def hexed(data):
    text = data.hex()
    return "\n\t".join('"%s"' % text[i : i + 64] for i in range(0, len(text), 64))


def row(title, algorithm, blob, signature, message, flags=None):
    print("    {\"%s\", \"%s\", \"%s\",\n\t%s,\n\t%s,\n\t%s, %d},"
          % (title, algorithm, message, hexed(blob), hexed(signature),
             "false" if flags is None else "true", flags or 0))


def statement(application, flags, counter, message):
    return (hashlib.sha256(application.encode()).digest() + bytes([flags])
            + counter.to_bytes(4, "big")
            + hashlib.sha256(message.encode()).digest())


def ed25519_row():
    key = ed25519.Ed25519PrivateKey.generate()
    name, message = "ssh-ed25519", "a message"
    row("ed25519", name, string(name) + string(raw(key.public_key())),
        string(name) + string(key.sign(message.encode())), message)


def ecdsa_numbers(key, curve, text, is_short):
    size = (key.curve.key_size + 7) // 8
    while True:
        der = key.sign(text, ec.ECDSA(HASHES[curve]))
        numbers = decode_dss_signature(der)
        if not is_short or min(numbers).bit_length() <= 8 * (size - 1):
            return b"".join(mpint(number) for number in numbers)


def ecdsa_row(curve, is_short):
    key = ec.generate_private_key(CURVES[curve])
    name, message = "ecdsa-sha2-" + curve, "a message"
    numbers = ecdsa_numbers(key, curve, message.encode(), is_short)
    row("ecdsa " + curve + (" with a short number" if is_short else ""), name,
        string(name) + string(curve) + string(point(key)),
        string(name) + string(numbers), message)


def rsa_row(name, bits, is_short):
    key = rsa.generate_private_key(65537, bits)
    numbers = key.public_key().public_numbers()
    blob = string("ssh-rsa") + mpint(numbers.e) + mpint(numbers.n)
    for i in range(100000):
        message = "message %d" % i
        signature = key.sign(message.encode(), padding.PKCS1v15(), HASHES[name])
        if not is_short or signature[0] == 0:
            break
    row("rsa %d %s%s" % (bits, name, " without its leading zero" if is_short else ""),
        name, blob, string(name) + string(signature.lstrip(b"\0")), message)


def token_ed25519_row(flags):
    key = ed25519.Ed25519PrivateKey.generate()
    name, message = "sk-ssh-ed25519@openssh.com", "a message"
    signature = key.sign(statement("ssh:", flags, 7, message))
    row("sk-ed25519, flags %d" % flags, name,
        string(name) + string(raw(key.public_key())) + string("ssh:"),
        string(name) + string(signature) + bytes([flags]) + (7).to_bytes(4, "big"),
        message, flags)


def token_ecdsa_row(flags):
    key = ec.generate_private_key(CURVES["nistp256"])
    name, message = "sk-ecdsa-sha2-nistp256@openssh.com", "a message"
    numbers = ecdsa_numbers(key, "nistp256",
                            statement("ssh:x", flags, 2**32 - 1, message), False)
    row("sk-ecdsa, flags %d" % flags, name,
        string(name) + string("nistp256") + string(point(key)) + string("ssh:x"),
        string(name) + string(numbers) + bytes([flags]) + b"\xff" * 4,
        message, flags)


def main():
    print("/* Made by make_key_vectors.py: change that, not this. */")
    print("/* clang-format off */")
    ed25519_row()
    for curve in CURVES:
        ecdsa_row(curve, False)
    ecdsa_row("nistp256", True)
    for name in ("rsa-sha2-256", "rsa-sha2-512"):
        rsa_row(name, 2048, False)
    rsa_row("rsa-sha2-256", 2048, True)
    rsa_row("rsa-sha2-512", 3072, False)
    for flags in (0, PRESENT, PRESENT | VERIFIED):
        token_ed25519_row(flags)
        token_ecdsa_row(flags)


main()
