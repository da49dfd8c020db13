"""Airlock's debugger from Python: typed, without dependencies.

    import airlock_client

    with airlock_client.start("boot.air") as session:
        session.run(until='kind == "VtlCall"')
        for register in session.registers(groups=["general"]).registers:
            print(register.name, hex(register.value))

start() runs `airlock debug --rpc-stdio`; connect() talks to one that was started with --http. The methods are those of
docs/reference/rpc.md with `_` for `.`.
"""

from .client import Client, connect, start
from .errors import AirlockError, ConnectionEnded
from .interface import *  # noqa: F403  the records

__all__ = ["AirlockError", "Client", "ConnectionEnded", "connect", "start"]
