"""What may go wrong."""

from __future__ import annotations

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMETERS = -32602
INTERNAL = -32603
NOT_IMPLEMENTED = -32000
REFUSED = -32001
NOT_THERE = -32002
NOT_PERMITTED = -32003
BUSY = -32004


class AirlockError(Exception):
    """A call was refused. `code` is one of the numbers above."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message


class ConnectionEnded(Exception):
    """The program has ended, or nobody answers at its address."""
