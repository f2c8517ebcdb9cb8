"""What the proxy and the raw server share: listen on loopback, keep count, leave nothing behind."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
from contextlib import suppress
from types import TracebackType
from typing import ClassVar, Self

from ..errors import ConfigurationError

# Zero seconds to linger: the kernel ends the connection with RST. Windows has shorter fields.
_NO_LINGER = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


def abort(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST; what was not sent yet is lost."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):  # already gone
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    writer.transport.abort()


class LoopbackServer:
    """Listens on a free port of 127.0.0.1 for the length of an `async with` block.

    What goes wrong in a subclass or in a script is raised where the block ends.
    """

    host: ClassVar[str] = "127.0.0.1"
    read_limit: ClassVar[int] = 1 << 18
    """Bytes held back unread before the peer is made to wait."""

    def __init__(self, *, scheme: str, tls: ssl.SSLContext | None = None) -> None:
        self.scheme = scheme
        self.connections = 0
        """Accepted so far; behind TLS, those whose handshake succeeded."""
        self._tls = tls
        self._listener: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._failures: list[BaseException] = []

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._listener is None:
            raise ConfigurationError(f"{type(self).__name__} is not running: use `async with`")
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Where clients reach it, without a path."""
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self._open)

    def drop_connections(self, *, reset: bool = False) -> None:
        """Close all that is open, as a server does with idle connections, or with RST."""
        for writer in self._open.values():
            if reset:
                abort(writer)
            else:
                writer.close()

    async def start(self) -> None:
        """Listen."""
        if self._listener is not None:
            raise ConfigurationError(f"{type(self).__name__} is already running")
        self._listener = await asyncio.start_server(
            self._accept, self.host, 0, ssl=self._tls, limit=self.read_limit, backlog=1024
        )

    async def close(self) -> None:
        """Stop listening and end every connection; closing twice does nothing."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        listener.close()
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # An aborted transport closes its socket in the next turn of the loop, TLS in the second.
        for _ in range(3):
            await asyncio.sleep(0)
        await listener.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
        if error is None and self._failures:
            raise self._failures[0]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.ensure_future(self._run(self.connections, reader, writer))
        self._open[task] = writer
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._open[task]
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._failures.append(failure)

    async def _run(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            with suppress(OSError):  # the peer went away: what tests provoke
                await self._serve(number, reader, writer)
            await ended(writer)
        finally:
            writer.transport.abort()  # where cancelled; otherwise it is closed already

    async def _serve(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Handle one connection, the `number`th; it is closed afterwards."""
        raise NotImplementedError


async def ended(writer: asyncio.StreamWriter) -> None:
    """Close in order and wait until the socket is closed."""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
