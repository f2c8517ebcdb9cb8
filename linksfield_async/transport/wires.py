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
from aiohttp.streams import EMPTY_PAYLOAD
from yarl import URL

from ..resilience.clock import time_of

_REST_SECONDS = 15.0
"""As long as aiohttp keeps a connection that nobody uses."""


class Wire(ResponseHandler):
    """One connection, which knows when it was last active and whether anything came unasked."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._time = time_of(loop)

    active_at = 0.0
    """Moment of the loop's time at which something was last sent or came; 0 while it is idle."""

    rests_since = 0.0
    """The same of one that is idle."""

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
            self.active_at = self._time()
        super().data_received(data)
        if self._exception is not None and self._payload is not None:
            self._break_off(self._payload)

    def _break_off(self, content: aiohttp.StreamReader) -> None:
        # The parser gave up in the middle of a body, of which aiohttp tells nobody who reads it.
        if not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError(str(self._exception)))

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Resume what was paused; at the end of each body aiohttp asks for it unseen."""
        if resume_parser or self._reading_paused:
            super().resume_reading(resume_parser)

    def silent_since(self) -> float:
        """Give when it was last active; while the request is still leaving, that is now."""
        if self.transport is not None and self.transport.get_write_buffer_size():
            self.active_at = self._time()
        return self.active_at

    def whole(self, content: aiohttp.StreamReader) -> bytes | None:
        """Give a body that is complete already; None where it has to be read."""
        if content is EMPTY_PAYLOAD:
            return b""
        # Seen by aiohttp's own names: its way of taking what is there goes through the parser
        # again, for what that may hold back. At the end of a body it holds nothing.
        if not content._eof or content._exception is not None:  # noqa: SLF001
            return None
        return b"".join(content._buffer)  # noqa: SLF001

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
    """Makes and keeps connections that are wires.

    The way through aiohttp's pool is long, for each call twice. So what was used last rests
    here, still taken in the eyes of the pool, and goes back to it as soon as anybody has to ask
    the pool, or when it has rested for as long as the pool would keep it.
    """

    def __init__(self, limit: int, tls: ssl.SSLContext | bool, *, force_close: bool) -> None:
        super().__init__(limit=limit, ssl=tls, force_close=force_close)
        self._time = time_of(self._loop)
        self._factory = cast("partial[ResponseHandler]", partial(Wire, loop=self._loop))
        self._may_rest = not force_close
        self._resting: dict[Template, list[tuple[Connection, Wire]]] = {}
        self._asking = 0
        self._looking: asyncio.TimerHandle | None = None

    def at_once(self, template: Template) -> tuple[Connection, Wire] | None:
        """Give a connection that rests here, if there is one."""
        resting = self._resting.get(template)
        while resting:
            connection, wire = resting.pop()
            if self._is_fresh(wire):
                return connection, wire
            connection.close()
        return None

    async def take(self, template: Template, seconds: float) -> tuple[Connection, Wire]:
        """Give a connection on which nothing has come yet; `seconds` for making one."""
        self.wake_all()
        self._asking += 1
        try:
            connection = await self.connect(template, [], _making(seconds))
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError("no connection in time") from error
        finally:
            self._asking -= 1
        wire = connection.protocol
        # Of those that were idle, the pool gives none that was closed: a new one was lost.
        if isinstance(wire, Wire) and wire.is_connected():
            return connection, wire
        connection.close()
        raise aiohttp.ClientConnectionError("the connection was lost before it was used")

    def give_back(self, template: Template, connection: Connection, wire: Wire) -> None:
        """Take back one whose answer is complete, if all is well with it."""
        wire.rests_since, wire.active_at = wire.active_at, 0.0
        if not wire.is_reusable():
            wire.drop_unsent()
            connection.close()
            return
        if self._asking or not self._may_rest or wire.should_close:
            connection.release()
            return
        resting = self._resting.get(template)
        if resting is None:
            resting = self._resting[template] = []
        resting.append((connection, wire))
        if self._looking is None:
            self._look_later()

    def wake_all(self) -> None:
        """Give all that rest to the pool."""
        for template in tuple(self._resting):
            for connection, wire in self._resting.pop(template):
                if self._is_fresh(wire):
                    connection.release()
                else:
                    connection.close()

    def _is_fresh(self, wire: Wire) -> bool:
        socket = wire.transport
        if socket is None or socket.is_closing():
            return False
        return self._time() - wire.rests_since < _REST_SECONDS

    def _look_through(self) -> None:
        self._looking = None
        for template, resting in tuple(self._resting.items()):
            stale = [held for held in resting if not self._is_fresh(held[1])]
            resting[:] = [held for held in resting if held not in stale]
            for connection, _ in stale:
                connection.close()
            if not resting:
                del self._resting[template]
        self._look_later()

    def _look_later(self) -> None:
        if self._looking is None and self._resting:
            self._looking = self._loop.call_later(_REST_SECONDS / 4, self._look_through)

    async def end(self) -> None:
        """Close all."""
        if self._looking is not None:
            self._looking.cancel()
        self._may_rest = False
        self.wake_all()
        await self.close()


@lru_cache(maxsize=64)
def _making(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=seconds)
