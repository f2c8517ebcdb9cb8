"""A server that answers with exactly the bytes it is told: answers no HTTP library would send."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Protocol, TypeAlias
from urllib.parse import parse_qsl, urlsplit

import attrs

from ..errors import ConfigurationError
from .loopback import LoopbackServer, abort


@attrs.frozen(kw_only=True)
class Received:
    """One request as it stood on the wire."""

    number: int
    """Position in the log, from 0."""
    connection: int
    """Which connection it came over, from 1."""
    method: str
    target: str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    """By name in lower case; values of a repeated name joined by a comma."""
    body: bytes = attrs.field(repr=False)

    @property
    def path(self) -> str:
        """The target without its query, still quoted."""
        return urlsplit(self.target).path

    @property
    def params(self) -> dict[str, Any]:
        """What a server reads: the query of a GET, else the JSON body."""
        if self.method == "GET":
            return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))
        params: dict[str, Any] = json.loads(self.body)
        return params


class Step(Protocol):
    """One step of a script: any coroutine function that takes the connection's writer."""

    async def __call__(self, writer: asyncio.StreamWriter, /) -> None:
        """Carry the step out."""
        ...


@attrs.frozen
class Send:
    """Send these bytes; in a script plain `bytes` mean the same."""

    data: bytes = attrs.field(repr=lambda data: f"<{len(data)} bytes>")

    async def __call__(self, writer: asyncio.StreamWriter, /) -> None:
        """Carry the step out."""
        writer.write(self.data)
        await writer.drain()


@attrs.frozen
class Repeat:
    """Send these bytes again and again, without end unless `times` says so."""

    data: bytes = attrs.field(repr=lambda data: f"<{len(data)} bytes>")
    times: int | None = None

    async def __call__(self, writer: asyncio.StreamWriter, /) -> None:
        """Carry the step out."""
        sent = 0
        while self.times is None or sent < self.times:
            writer.write(self.data)
            await writer.drain()
            sent += 1
            # `drain` returns at once while the buffer is low: let the others run.
            await asyncio.sleep(0)


@attrs.frozen
class Drip:
    """Send these bytes a few at a time."""

    data: bytes = attrs.field(repr=lambda data: f"<{len(data)} bytes>")
    every: float = 0.05
    """Seconds between two pieces."""
    size: int = 1
    """Bytes of a piece."""

    async def __call__(self, writer: asyncio.StreamWriter, /) -> None:
        """Carry the step out."""
        for start in range(0, len(self.data), self.size):
            writer.write(self.data[start : start + self.size])
            await writer.drain()
            await asyncio.sleep(self.every)


@attrs.frozen
class Pause:
    """Wait this many seconds."""

    seconds: float

    async def __call__(self, _: asyncio.StreamWriter, /) -> None:
        """Carry the step out."""
        await asyncio.sleep(self.seconds)


@attrs.frozen
class Hang:
    """Keep the connection open and say nothing more."""

    async def __call__(self, _: asyncio.StreamWriter, /) -> None:
        """Carry the step out."""
        await asyncio.Event().wait()


@attrs.frozen
class HalfClose:
    """Send FIN and go on reading; impossible over TLS, where it closes."""

    async def __call__(self, writer: asyncio.StreamWriter, /) -> None:
        """Carry the step out."""
        if writer.can_write_eof():
            writer.write_eof()
        else:
            writer.close()


@attrs.frozen
class Close:
    """Close the connection in order, with FIN."""

    async def __call__(self, writer: asyncio.StreamWriter, /) -> None:
        """Carry the step out."""
        writer.close()


@attrs.frozen
class Reset:
    """Break the connection off with RST."""

    async def __call__(self, writer: asyncio.StreamWriter, /) -> None:
        """Carry the step out."""
        abort(writer)


Script: TypeAlias = tuple[bytes | Step, ...]
"""Steps in order; afterwards the connection waits for the next request, unless it was closed."""


def http_answer(
    body: Any = None, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> bytes:
    """Write a well-formed answer: a body of bytes as it is, anything else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    known = {known.value: known.phrase for known in HTTPStatus}
    head = {"Content-Type": "application/json", "Content-Length": str(len(content))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in (head | dict(headers or {})).items())
    return f"HTTP/1.1 {status} {known.get(status, '')}\r\n{lines}\r\n".encode() + content


class RawServer(LoopbackServer):
    """Reads HTTP requests, keeps them in `requests`, and answers each with a script.

    async with RawServer() as server:
        server.answer(b"HTTP/1.1 200 OK\\r\\nContent-Length: 100\\r\\n\\r\\n{}", Close())
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(scheme="https" if tls else "http", tls=tls)
        self.requests: list[Received] = []
        """All that arrived whole, in order."""
        self.incomplete = 0
        """How many requests ended before they were whole."""
        self._greeting: Script = ()
        self._next: deque[Script] = deque()
        self._answer: Callable[[Received], Script] = lambda _: (http_answer({}),)
        self._arrived = asyncio.Condition()

    def answer(self, *script: bytes | Step) -> None:
        """Answer each request with this script from now on."""
        self._answer = lambda _: script

    def answer_json(
        self, body: Any = None, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer each request well-formed from now on; see `http_answer`."""
        self.answer(http_answer(body, status=status, headers=headers))

    def answer_by(self, choose: Callable[[Received], Script]) -> None:
        """Let a function choose the script for each request from now on."""
        self._answer = choose

    def answer_next(self, *script: bytes | Step) -> None:
        """Answer one request with this script, before what holds for all; calls queue up."""
        self._next.append(script)

    def greet(self, *script: bytes | Step) -> None:
        """Run this script on each new connection, before anything is read from it."""
        self._greeting = script

    async def received(self, count: int, *, within: float = 5.0) -> None:
        """Wait until so many requests have arrived; TimeoutError after `within` seconds."""
        async with asyncio.timeout(within), self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= count)

    async def _serve(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await _play(self._greeting, writer)
        while not writer.is_closing() and (first := await reader.read(1)):
            try:
                parts = await _read(first, reader)
            except (asyncio.IncompleteReadError, ConnectionError):
                self.incomplete += 1
                return
            async with self._arrived:
                received = Received(number=len(self.requests), connection=number, **parts)
                self.requests.append(received)
                self._arrived.notify_all()
            await _play(self._next.popleft() if self._next else self._answer(received), writer)


async def _play(script: Script, writer: asyncio.StreamWriter) -> None:
    for step in script:
        if writer.is_closing():
            return
        await (Send(step) if isinstance(step, bytes) else step)(writer)


async def _read(start: bytes, reader: asyncio.StreamReader) -> dict[str, Any]:
    """Read one request; IncompleteReadError or ConnectionError where it does not come whole."""
    head = start + await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3:
        raise ConfigurationError("the request is not HTTP: is the client meant to use TLS?")
    headers: dict[str, str] = {}
    for line in filter(None, lines):
        name, _, value = line.partition(":")
        key = name.strip().lower()
        headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
    body = await _body(reader, headers)
    return {"method": words[0], "target": words[1], "headers": headers, "body": body}


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return body
