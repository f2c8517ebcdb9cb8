"""Servers on loopback for tests: one that records and answers, one that speaks raw bytes."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs


@attrs.define
class Seen:
    """One request as it stood on the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def params(self) -> dict[str, Any]:
        """What a server reads: the query of a GET, else the JSON body."""
        if self.method == "GET":
            return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))
        return json.loads(self.body)


Answer = Callable[[Seen, asyncio.StreamWriter], Awaitable[None]]


class RawServer:
    """Records each request and answers as told; `url` is where it listens."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.connections = 0
        self.url = ""
        self._answer: Answer = self._write
        self._bytes = b""
        self._writers: set[asyncio.StreamWriter] = set()

    def answers(
        self, body: Any = None, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        """Answer with JSON (or bytes) from now on."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = {"Content-Type": "application/json", "Content-Length": str(len(content))}
        lines = "".join(f"{k}: {v}\r\n" for k, v in (head | (headers or {})).items())
        self.answers_bytes(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + content)

    def answers_bytes(self, content: bytes) -> None:
        """Answer with exactly these bytes from now on."""
        self._bytes, self._answer = content, self._write

    def answers_by(self, answer: Answer) -> None:
        """Let a coroutine function answer from now on."""
        self._answer = answer

    async def _write(self, _: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(self._bytes)
        await writer.drain()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while seen := await _read_request(reader):
                self.seen.append(seen)
                await self._answer(seen, writer)
                if writer.is_closing():
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away: what tests provoke
        finally:
            self._writers.discard(writer)
            writer.close()

    def drop_connections(self) -> None:
        """Close what is open, as a server does with idle connections."""
        for writer in self._writers:
            writer.close()


async def _read_request(reader: asyncio.StreamReader) -> Seen | None:
    head = await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""
    if not head:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(method, target, headers, body)


@asynccontextmanager
async def raw_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    """Serve on a free port of loopback for the length of the block."""
    server = RawServer()
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(server.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    host, port = listener.sockets[0].getsockname()[:2]
    server.url = f"{'https' if tls else 'http'}://{host}:{port}"
    try:
        yield server
    finally:
        listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listener.wait_closed()


@asynccontextmanager
async def serving(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """Let a coroutine function have each connection; gives the URL."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away
        finally:
            writer.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(connected(reader, writer)))

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listener.wait_closed()


@contextmanager
def server_in_thread() -> Iterator[RawServer]:
    """Serve in a thread of its own, for tests that block or run several loops."""
    ready = threading.Event()
    made: list[tuple[RawServer, asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        async with raw_server() as server:
            ended = asyncio.Event()
            made.append((server, asyncio.get_running_loop(), ended))
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait(5)
    server, loop, ended = made[0]
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(5)
