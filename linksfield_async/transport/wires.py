"""Connections of aiohttp's pool as the direct transport uses them.

What is leaned on here beyond aiohttp's documented names is checked in `fitness`, before this
module's classes are used. It is imported only then: on an aiohttp that is built otherwise, the
import itself may fail.
"""

from __future__ import annotations

import asyncio
import ssl
from functools import lru_cache, partial
from typing import cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL


class Wire(ResponseHandler):
    """One connection, which knows when it was last active and whether anything came unasked."""

    active_at = 0.0
    """Moment of the loop's time at which something was last sent or came; 0 while it is idle."""

    def expect_answer(self, *, has_body: bool) -> None:
        """Make ready for the answer to a request that is about to be written."""
        self.set_response_params(skip_payload=not has_body, read_until_eof=True)

    def write(self, content: bytes) -> None:
        """Send; only on a wire that was just taken, whose transport therefore is there."""
        if self.transport is None:
            raise aiohttp.ClientConnectionResetError("the connection is gone")
        self.transport.write(content)

    def data_received(self, data: bytes) -> None:
        """Note that something came, and hand it to aiohttp's parser."""
        if data:
            if not self.active_at:
                # Nobody asked: it would be taken for the answer to the next request.
                self.force_close()
                if self.transport is not None:
                    self.transport.close()
            self.active_at = self._loop.time()
        super().data_received(data)
        if self._exception is not None and self._payload is not None:
            self._break_off(self._payload)

    def _break_off(self, content: aiohttp.StreamReader) -> None:
        # The parser gave up in the middle of a body, of which aiohttp tells nobody who reads it.
        if not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError(str(self._exception)))

    def silent_since(self) -> float:
        """Give when it was last active; while the request is still leaving, that is now."""
        if self.transport is not None and self.transport.get_write_buffer_size():
            self.active_at = self._loop.time()
        return self.active_at

    def is_reusable(self) -> bool:
        """Say, of a complete answer, that nothing came after it and all of the request left."""
        transport, parser = self.transport, self._parser
        if transport is None or parser is None or transport.get_write_buffer_size():
            return False
        try:
            # The parser keeps the beginning of a further answer; only here does it tell of it.
            return parser.feed_eof() is None
        except HttpProcessingError:
            return False

    def drop_unsent(self) -> None:
        """Let nothing more of the request leave: closing alone would go on sending it."""
        if self.transport is not None and self.transport.get_write_buffer_size():
            self.transport.abort()

    def rest(self) -> None:
        """Note that from now on nothing is asked for."""
        self.active_at = 0.0


class Template(aiohttp.ClientRequest):
    """Stands for all requests to one origin where a connection is asked for."""

    def __init__(self, url: URL, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__("GET", url, loop=loop)
        self._key = super().connection_key

    @property
    def connection_key(self) -> ConnectionKey:
        """What connections are kept by; of aiohttp's own, but made once."""
        return self._key


class WireConnector(aiohttp.TCPConnector):
    """Makes and keeps connections that are wires."""

    def __init__(self, limit: int, tls: ssl.SSLContext | bool, *, force_close: bool) -> None:
        super().__init__(limit=limit, ssl=tls, force_close=force_close)
        self._factory = cast("partial[ResponseHandler]", partial(Wire, loop=self._loop))

    async def take(self, template: Template, seconds: float) -> tuple[Connection, Wire]:
        """Give a connection on which nothing has come yet; `seconds` for making one."""
        try:
            connection = await self.connect(template, [], _making(seconds))
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError("no connection in time") from error
        wire = connection.protocol
        # Of those that were idle, the pool gives none that was closed: a new one was lost.
        if isinstance(wire, Wire) and wire.is_connected():
            return connection, wire
        connection.close()
        raise aiohttp.ClientConnectionError("the connection was lost before it was used")


@lru_cache(maxsize=64)
def _making(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=seconds)
