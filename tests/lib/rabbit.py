"""rabbit: a RabbitMQ of one's own, with its MQTT plugin.

It has a node name, a folder and ports of its own, and an epmd (Erlang's list of
nodes) of its own, so that it is nobody's neighbour: not of the machine's
RabbitMQ, nor of another test's. Debian 12's is 3.10: MQTT 3.1 and 3.1.1, QoS 0
and 1; QoS 2 becomes 1.
"""

import base64
import hashlib
import json
import os
import pathlib

from peers import Process, free_port, is_listening, wait_until

SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
PLUGINS = "[rabbitmq_mqtt].\n"
# It is up in some 10 s, and in a minute where others want the processors.
DEADLINE = 180
CONFIG = """\
listeners.tcp = none
mqtt.listeners.tcp.1 = 127.0.0.1:{port}
mqtt.exchange = amq.topic
loopback_users = none
load_definitions = {definitions}
log.console = true
log.console.level = debug
log.file = false
"""
# By default it lets in whom it takes for guest, who is nobody. The words of 3,
# and those since 4.0.
ANONYMOUS_3 = """\
mqtt.allow_anonymous = true
mqtt.default_user = anyone
mqtt.default_pass = anyone
"""
ANONYMOUS = """\
mqtt.allow_anonymous = true
anonymous_login_user = anyone
anonymous_login_pass = anyone
"""


class Rabbit(Process):
    """With `users`, name to password, it asks for them; else it lets anybody
    in. Every one of them may publish and read everything."""

    def __init__(self, folder, users=None):
        folder = pathlib.Path(folder)
        folder.mkdir(exist_ok=True)
        if not os.path.exists(SERVER):
            raise AssertionError("rabbitmq-server is not installed: make deps")
        self.port = free_port()
        epmd_port = free_port()
        config = self._write_files(folder, users)
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),  # the node's cookie
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"kaya{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "config"),
            "RABBITMQ_FEATURE_FLAGS_FILE": str(folder / "features"),
            # The script becomes the node, in place of starting it.
            "RUNNING_UNDER_SYSTEMD": "true",
        }
        self.epmd = Process(["epmd", "-port", epmd_port, "-address",
                             "127.0.0.1"], env=env, cwd=folder)
        try:
            wait_until(lambda: is_listening(epmd_port) or
                       not self.epmd.is_running(), "epmd listens")
            super().__init__([SERVER], env=env, cwd=folder)
        except BaseException:
            self.epmd.stop()
            raise
        try:
            # It listens before it would let anybody in.
            self.wait_for_log("Server startup complete", DEADLINE)
        except BaseException:
            self.stop()
            raise

    def _write_files(self, folder, users):
        names = users or {"anyone": "anyone"}
        definitions = folder / "definitions.json"
        definitions.write_text(json.dumps({
            "vhosts": [{"name": "/"}],
            "users": [{"name": name, "tags": "",
                       "hashing_algorithm":
                           "rabbit_password_hashing_sha256",
                       "password_hash": hash_of(password)}
                      for name, password in names.items()],
            "permissions": [{"user": name, "vhost": "/", "configure": ".*",
                             "write": ".*", "read": ".*"} for name in names],
        }))
        (folder / "plugins").write_text(PLUGINS)
        config = folder / "rabbitmq.conf"
        config.write_text(CONFIG.format(
            port=self.port, definitions=definitions)
            + ("" if users else ANONYMOUS_3 if is_of_3() else ANONYMOUS))
        return config

    def stop(self):
        # Nothing of it is to be kept: no need to wait for its farewells.
        self.process.kill()
        super().stop()
        self.epmd.stop()


def is_of_3():
    return any(pathlib.Path(SERVER).parents[1].glob("lib/rabbitmq_server-3.*"))


def hash_of(password):
    """As its rabbit_password_hashing_sha256 stores it."""
    salt = os.urandom(4)
    digest = hashlib.sha256(salt + password.encode()).digest()
    return base64.b64encode(salt + digest).decode()
