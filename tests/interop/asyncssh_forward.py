"""asyncssh_forward.py PORT KEY LOCAL-PORT HOST HOST-PORT REKEY-BYTES"""

import asyncio
import sys
import warnings

warnings.simplefilter("ignore")

import asyncssh  # noqa: E402


async def main():
    port, key, local_port, host, host_port, rekey_bytes = sys.argv[1:]
    limits = {"rekey_bytes": int(rekey_bytes)} if int(rekey_bytes) else {}
    async with asyncssh.connect(
            "127.0.0.1", int(port), username="user", client_keys=[key],
            known_hosts=None, agent_path=None, config=None,
            **limits) as connection:
        listener = await connection.forward_local_port(
            "127.0.0.1", int(local_port), host, int(host_port))
        await listener.wait_closed()


asyncio.run(main())
