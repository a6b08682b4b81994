#!/usr/bin/env python3
"""Make cipher_vectors.h: packets as the documents describe them.

Built from python3-cryptography's primitives and hashlib alone, with none of
kaya's code, so that the two constructions check each other:

    ./make_cipher_vectors.py > cipher_vectors.h
"""
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.poly1305 import Poly1305

KEY = bytes(range(64))
MAC_KEY = bytes(range(128, 192))
SEQUENCE = 0xFFFFFFFF  # and then 0
CIPHERS = [
    ("SSH_CIPHER_CHACHA20_POLY1305", 8, 0),
    ("SSH_CIPHER_AES256_GCM", 16, 32),
    ("SSH_CIPHER_AES128_GCM", 16, 16),
    ("SSH_CIPHER_AES256_CTR", 16, 32),
    ("SSH_CIPHER_AES128_CTR", 16, 16),
]
MACS = [
    ("SSH_MAC_SHA2_256_ETM", "sha256", 32, True),
    ("SSH_MAC_SHA2_512_ETM", "sha512", 64, True),
    ("SSH_MAC_SHA2_256", "sha256", 32, False),
    ("SSH_MAC_SHA2_512", "sha512", 64, False),
]
PAYLOADS = [b"kaya", bytes(range(100)), bytes(i % 251 for i in range(1100))]


def pack(payload, block, counted):
    padding = -(counted + 1 + len(payload)) % block
    padding += block if padding < 4 else 0
    body = bytes([padding]) + payload + bytes(padding)
    return len(body).to_bytes(4, "big") + body


def chacha(key, counter, sequence, data):
    nonce = counter.to_bytes(8, "little") + sequence.to_bytes(8, "big")
    return Cipher(algorithms.ChaCha20(key, nonce), None).encryptor().update(data)


def seal_chacha(packet, sequence, _):
    payload_key, length_key = KEY[:32], KEY[32:]
    sealed = chacha(length_key, 0, sequence, packet[:4])
    sealed += chacha(payload_key, 1, sequence, packet[4:])
    tag_key = chacha(payload_key, 0, sequence, bytes(32))
    return sealed + Poly1305.generate_tag(tag_key, sealed)


def seal_gcm(key):
    def seal(packet, _, number):
        # The iv starts as 12 bytes of ff: the counter in its last 8 wraps.
        counter = (2**64 - 1 + number) % 2**64
        nonce = b"\xff" * 4 + counter.to_bytes(8, "big")
        return packet[:4] + AESGCM(key).encrypt(nonce, packet[4:], packet[:4])

    return seal


def seal_ctr(key, hash_name, mac_bytes, is_etm):
    # One stream through all packets; its counter starts as ff and wraps.
    stream = Cipher(algorithms.AES(key), modes.CTR(b"\xff" * 16)).encryptor()

    def mac(sequence, data):
        text = sequence.to_bytes(4, "big") + data
        return hmac.new(MAC_KEY[:mac_bytes], text, hash_name).digest()

    def seal(packet, sequence, _):
        if is_etm:
            sealed = packet[:4] + stream.update(packet[4:])
            return sealed + mac(sequence, sealed)
        return stream.update(packet) + mac(sequence, packet)

    return seal


def row(cipher, mac, block, counted, seal):
    print("    {%s, %s, {" % (cipher, mac))
    for number, payload in enumerate(PAYLOADS):
        packet = pack(payload, block, counted)
        sealed = seal(packet, (SEQUENCE + number) % 2**32, number)
        text = sealed.hex()
        lines = [text[i : i + 64] for i in range(0, len(text), 64)]
        print("\n".join('\t"%s"' % line for line in lines) + ",")
    print("    }},")


def main():
    print("/* Made by make_cipher_vectors.py: change that, not this. */")
    print("/* clang-format off */")
    for name, block, key_bytes in CIPHERS:
        if name.endswith("POLY1305"):
            row(name, "SSH_MAC_NONE", block, 0, seal_chacha)
        elif name.endswith("GCM"):
            row(name, "SSH_MAC_NONE", block, 0, seal_gcm(KEY[:key_bytes]))
        else:
            for mac, hash_name, mac_bytes, is_etm in MACS:
                seal = seal_ctr(KEY[:key_bytes], hash_name, mac_bytes, is_etm)
                row(name, mac, block, 0 if is_etm else 4, seal)


main()
