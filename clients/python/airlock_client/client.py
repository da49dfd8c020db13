"""A session: all methods of the interface over one transport."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

from .interface import Interface
from .transports import HttpTransport, Listener, StdioTransport, Transport


class Client(Interface):
    """Use it as a context, or close() it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Calls a method by name, with JSON values. Raises AirlockError if it is refused."""
        return self._transport.call(method, parameters)

    def listen(self, listener: Listener) -> None:
        """Calls `listener(notification, parameters)` for each notification, on another thread."""
        self._transport.listen(listener)

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def start(file: str | None = None, *, program: str = "airlock", arguments: Sequence[str] = ()) -> Client:
    """Starts `airlock debug FILE --rpc-stdio`: a recording, a machine file, or without one the default machine."""
    files = [] if file is None else [file]
    return Client(StdioTransport([program, "debug", *files, "--rpc-stdio", *arguments]))


def connect(url: str) -> Client:
    """Talks to the server of `airlock debug --http`, at the URL that it printed."""
    return Client(HttpTransport(url))
