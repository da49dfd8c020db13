"""How calls get to the program: as lines to a process of ours, or over HTTP to one that runs."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from .errors import AirlockError, ConnectionEnded

Listener = Callable[[str, dict[str, Any]], None]


class Transport(Protocol):
    """One call after the other; a call from another thread may overtake (that is what interrupt is for)."""

    def call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]: ...

    def listen(self, listener: Listener) -> None: ...

    def close(self) -> None: ...


def request(number: int, method: str, parameters: dict[str, Any]) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": parameters})


def result_of(answer: dict[str, Any]) -> dict[str, Any]:
    error = answer.get("error")
    if error is not None:
        raise AirlockError(int(error["code"]), str(error["message"]))
    result = answer["result"]
    assert isinstance(result, dict)
    return result


class _Waiting:
    """One caller who waits for an answer."""

    def __init__(self) -> None:
        self.arrived = threading.Event()
        self.answer: dict[str, Any] | None = None


class StdioTransport:
    """Starts the program and talks to it in lines. Notifications come on a thread of their own."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self._process.stdin is not None and self._process.stdout is not None and self._process.stderr is not None
        self._in, self._out, self._errors = self._process.stdin, self._process.stdout, self._process.stderr
        self._lock = threading.Lock()
        self._waiting: dict[int, _Waiting] = {}
        self._ended = False
        self._next = 1
        self._listeners: list[Listener] = []
        self._complaint = b""
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._read, self._read_errors)]
        for thread in self._threads:
            thread.start()

    def call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        waiting = _Waiting()
        with self._lock:
            if self._ended:
                raise self._ending()
            number = self._next
            self._next += 1
            self._waiting[number] = waiting
            try:
                self._in.write(request(number, method, parameters).encode() + b"\n")
                self._in.flush()
            except OSError:
                del self._waiting[number]
                raise self._ending() from None
        waiting.arrived.wait()
        if waiting.answer is None:
            raise self._ending()
        return result_of(waiting.answer)

    def listen(self, listener: Listener) -> None:
        with self._lock:
            self._listeners.append(listener)

    def close(self) -> None:
        """The program ends with its input."""
        try:
            self._in.close()
        except OSError:
            pass
        self._process.wait()
        for thread in self._threads:
            thread.join()
        self._out.close()
        self._errors.close()

    def _ending(self) -> ConnectionEnded:
        try:
            code: int | None = self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            code = None
        self._threads[1].join(timeout=10)
        text = self._complaint.decode(errors="replace").strip()
        return ConnectionEnded(text or f"the program has ended with exit code {code}")

    def _read_errors(self) -> None:
        self._complaint = self._errors.read()

    def _read(self) -> None:
        for line in self._out:
            message = json.loads(line)
            if "id" in message:
                self._deliver(message)
                continue
            with self._lock:
                listeners = list(self._listeners)
            for listener in listeners:
                listener(message["method"], message["params"])
        with self._lock:
            self._ended = True
            waiting, self._waiting = self._waiting, {}
        for one in waiting.values():
            one.arrived.set()

    def _deliver(self, message: dict[str, Any]) -> None:
        with self._lock:
            waiting = self._waiting.pop(message["id"], None)
        if waiting is not None:
            waiting.answer = message
            waiting.arrived.set()


class HttpTransport:
    """Posts to a server at the URL that `airlock debug --http` prints, token included. Hears no notifications."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        tokens = parse_qs(parts.fragment).get("t", [])
        if parts.hostname is None or parts.port is None or not tokens:
            raise ValueError("the URL is to be http://HOST:PORT/#t=TOKEN, as the program prints it")
        self._host, self._port, self._token = parts.hostname, parts.port, tokens[0]
        self._local = threading.local()  # a connection for each thread, so that an interrupt can overtake
        self._lock = threading.Lock()
        self._next = 1

    def call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            number = self._next
            self._next += 1
        status, body = self._post(request(number, method, parameters).encode())
        if status != 200:
            raise ConnectionEnded(f"HTTP status {status}: {body.decode(errors='replace').strip()}")
        answer = json.loads(body)
        assert isinstance(answer, dict)
        return result_of(answer)

    def listen(self, listener: Listener) -> None:
        raise NotImplementedError("HTTP has no notifications: use a WebSocket, or start the program")

    def close(self) -> None:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()

    def _post(self, body: bytes) -> tuple[int, bytes]:
        """A connection that was idle for long may have been closed: then once more, on a new one."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        for attempt in (1, 2):
            old: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
            connection = old or http.client.HTTPConnection(self._host, self._port)
            self._local.connection = connection
            try:
                connection.request("POST", "/rpc", body, headers)
                response = connection.getresponse()
                return response.status, response.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self._local.connection = None
                if old is None or attempt == 2:
                    raise ConnectionEnded(f"nobody answers at {self._host}:{self._port}: {error}") from error
        raise AssertionError("not reached")
