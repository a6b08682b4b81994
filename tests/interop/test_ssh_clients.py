"""Each stock SSH client -> kayad: 1 MiB at QoS 0, 1 and 2, keys changing."""

import pytest

import peers
import roundtrip
from forwarders import CLIENTS, OpenSSH
from peers import make_key

# 1 MiB up and down passes this several times.
REKEY_BYTES = 1 << 18
NODE = pytest.mark.xdist_group("node")
EACH = [pytest.param(name, marks=NODE if "node" in name else ())
        for name in CLIENTS]
# dbclient's limit is compiled in, at 1 GiB.
CAN_REKEY = [param for param in EACH if param.values != ("dropbear",)]


def carry(kayad, client, key, folder, **options):
    with client(kayad, key, folder, **options) as forwarder:
        client.carry(forwarder.port, folder)
    assert roundtrip.sessions(kayad) == 1
    return roundtrip.key_exchanges(kayad)


@pytest.mark.parametrize("name", EACH)
@pytest.mark.kayad(config=f"rekey: {{bytes: {REKEY_BYTES}B}}\n")
def test_new_keys_that_the_gateway_asks_for(name, kayad, key, tmp_path):
    kayad.admit(key.with_suffix(".pub").read_text(), "dan")
    exchanges = carry(kayad, CLIENTS[name], key, tmp_path)
    # Three messages of four times the limit each way.
    assert exchanges > 6


@pytest.mark.parametrize("name", CAN_REKEY)
def test_new_keys_that_the_client_asks_for(name, kayad, key, tmp_path):
    kayad.admit(key.with_suffix(".pub").read_text(), "dan")
    exchanges = carry(kayad, CLIENTS[name], key, tmp_path,
                      rekey_bytes=REKEY_BYTES)
    assert exchanges > 3


CIPHERS = ["chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com",
           "aes128-gcm@openssh.com"]
CTR = ["aes256-ctr", "aes128-ctr"]
MACS = ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"]
SUITES = [[f"Ciphers={cipher}"] for cipher in CIPHERS] + [
    [f"Ciphers={cipher}", f"MACs={mac}"] for cipher in CTR for mac in MACS]
EXCHANGES = [["KexAlgorithms=curve25519-sha256"],
             ["KexAlgorithms=curve25519-sha256@libssh.org"]]
HOST_KEYS = [["HostKeyAlgorithms=ssh-ed25519"]]


@pytest.mark.parametrize("options", SUITES + EXCHANGES + HOST_KEYS,
                         ids=lambda options: ",".join(options))
def test_each_algorithm_with_openssh(options, kayad, key, tmp_path):
    kayad.admit(key.with_suffix(".pub").read_text(), "dan")
    assert carry(kayad, OpenSSH, key, tmp_path, rekey_bytes=REKEY_BYTES,
                 options=options) > 3


@pytest.mark.parametrize("mac", ["hmac-sha2-256", "hmac-sha2-512"])
@pytest.mark.kayad(config="legacy_macs: yes\n")
def test_each_mac_of_old_with_openssh(mac, kayad, key, tmp_path):
    kayad.admit(key.with_suffix(".pub").read_text(), "dan")
    assert carry(kayad, OpenSSH, key, tmp_path, rekey_bytes=REKEY_BYTES,
                 options=["Ciphers=aes128-ctr", f"MACs={mac}"]) > 3


@pytest.mark.parametrize("algorithm", ["rsa-sha2-256", "rsa-sha2-512"])
def test_an_rsa_host_key_with_openssh(algorithm, tmp_path, key):
    host_key = tmp_path / "host_key_rsa"
    make_key(host_key, "rsa", 3072)
    peers.give_away(host_key)
    with peers.Kayad(tmp_path, config=f"host_keys: {host_key}\n") as kayad:
        kayad.admit(key.with_suffix(".pub").read_text(), "dan")
        assert carry(kayad, OpenSSH, key, tmp_path, rekey_bytes=REKEY_BYTES,
                     options=[f"HostKeyAlgorithms={algorithm}"]) > 3


KINDS = [("ed25519", None, None), ("ecdsa", 256, None), ("ecdsa", 384, None),
         ("ecdsa", 521, None), ("rsa", 2048, "rsa-sha2-256"),
         ("rsa", 3072, "rsa-sha2-512")]


@pytest.mark.parametrize("kind,bits,algorithm", KINDS)
def test_each_kind_of_user_key_with_openssh(kind, bits, algorithm, kayad,
                                            tmp_path):
    path = tmp_path / "other_key"
    kayad.admit(make_key(path, kind, bits), "dan")
    options = [f"PubkeyAcceptedAlgorithms={algorithm}"] if algorithm else []
    with OpenSSH(kayad, path, tmp_path, options=options) as forwarder:
        roundtrip.go_round(forwarder.port, 1, tmp_path)


def test_mlkem_is_what_an_openssh_that_has_it_agrees_on(kayad, key, tmp_path):
    told = peers.Process(["ssh", "-Q", "kex"])
    told.wait()
    if "mlkem768x25519-sha256" not in told.log():
        pytest.skip("this OpenSSH has no mlkem768x25519-sha256")
    libcrypto = peers.Process(["openssl", "list", "-kem-algorithms"])
    libcrypto.wait()
    if "ML-KEM-768" not in libcrypto.log():
        pytest.skip("this libcrypto has no ML-KEM")
    kayad.admit(key.with_suffix(".pub").read_text(), "dan")
    assert carry(kayad, OpenSSH, key, tmp_path, rekey_bytes=REKEY_BYTES) > 3
    assert "kex=mlkem768x25519-sha256" in kayad.log()
