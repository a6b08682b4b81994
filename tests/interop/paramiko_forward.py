"""paramiko_forward.py PORT KEY LOCAL-PORT HOST HOST-PORT REKEY-BYTES"""

import socket
import sys
import threading

import paramiko


def pump(source, sink):
    while True:
        data = source.recv(32768)
        if not data:
            break
        sink.sendall(data)
    try:
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def main():
    port, key, local_port, host, host_port, rekey_bytes = sys.argv[1:]
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect("127.0.0.1", int(port), "user", key_filename=key,
                   allow_agent=False, look_for_keys=False)
    transport = client.get_transport()
    if int(rekey_bytes):
        # Its own limits are not public; this is what they lead to.
        transport.packetizer.REKEY_BYTES = int(rekey_bytes)
    listener = socket.create_server(("127.0.0.1", int(local_port)))
    while True:
        near, peer = listener.accept()
        far = transport.open_channel("direct-tcpip", (host, int(host_port)),
                                     peer)
        for ends in ((near, far), (far, near)):
            threading.Thread(target=pump, args=ends, daemon=True).start()


main()
