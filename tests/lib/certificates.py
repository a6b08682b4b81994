"""certificates: an authority of OpenSSH's kind, by ssh-keygen."""

import subprocess

from peers import make_key


class Authority:
    """A key that signs others."""

    def __init__(self, path, kind="ed25519", bits=None):
        self.path = path
        self.public = make_key(path, kind, bits)

    def sign(self, key, *words, names="pump-7", valid="-5m:+1h",
             identity="test"):
        """Certify the key; beside it stands then KEY-cert.pub, its path."""
        words = list(words)
        if names:
            words += ["-n", names]
        if valid:
            words += ["-V", valid]
        subprocess.run(
            ["ssh-keygen", "-q", "-s", self.path, "-I", identity, *words,
             f"{key}.pub"], check=True, capture_output=True,
            stdin=subprocess.DEVNULL)
        return key.with_name(key.name + "-cert.pub")

    def let_in(self, kayad, options="restrict,port-forwarding"):
        """Have the gateway take what this authority signs."""
        kayad.admit(self.public, options=",".join(
            word for word in ("cert-authority", options) if word))
