"""The transport over aiohttp.ClientSession, through its public API only.

aiohttp follows redirects, keeps cookies, reads proxies from the environment and repeats GET, PUT
and DELETE once on a lost connection unless told otherwise; here it is told otherwise. Whether
bytes left is read from aiohttp's own report that it is about to write a request's head, never
guessed from the type of an exception.
"""

from __future__ import annotations

import asyncio
import io
import os
import ssl
import threading
import warnings
import weakref
from collections.abc import AsyncGenerator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import aiohttp
import attrs
from aiohttp.connector import Connection
from yarl import URL

from ..errors import (
    ClientClosed,
    ConfigurationError,
    ConnectFailed,
    DeadlineExceeded,
    LinksfieldError,
    NotSent,
    OutcomeUnknown,
    ResponseTooLarge,
    TLSFailed,
)
from ..masking import one_line
from ..options import Options
from ..protocol import Request, Response
from .base import Limits

_LARGE_BODY = 1 << 20
_CLOSING_SECONDS = 5.0


class TransportFault(Exception):
    """Stands for an error of aiohttp's as the cause of ours: its text, one line and masked."""

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


class _Lost(Exception):
    """Stands for a lost connection on its way through aiohttp, which would repeat the request."""


class _Connector(aiohttp.TCPConnector):
    """Gives no connection to which something came unasked while it was idle.

    What came would be taken for the answer to the next request; aiohttp looks only when a
    connection is put back, not when it is taken again.
    """

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:
        while True:
            connection = await super().connect(*args, **kwargs)
            if connection.protocol is None or not connection.protocol.should_close:
                return connection
            connection.close()


@attrs.define
class _Evidence:
    """What is known of one request on the wire; apart, because test doubles copy it."""

    head_written: bool = False


@attrs.define(eq=False)
class _UnderWay:
    """One request on the wire, and how to end it."""

    scope: asyncio.Timeout
    evidence: _Evidence = attrs.field(factory=_Evidence)
    client_closed: bool = False

    def end(self) -> None:
        """End it now, in its own loop, because the client is being closed."""
        self.client_closed = True
        if not self.scope.expired():
            self.scope.reschedule(0)


@attrs.define(eq=False)
class _Held:
    """What one event loop has: its session, what is under way, and what ends with the loop."""

    session: aiohttp.ClientSession
    once: aiohttp.ClientSession
    """For requests that must not be carried out twice: each has a connection of its own."""
    under_way: set[_UnderWay] = attrs.field(factory=set)
    idle: asyncio.Event = attrs.field(factory=asyncio.Event)
    lifetime: AsyncGenerator[None, None] | None = None


class SessionTransport:
    """Sends over one aiohttp session per running event loop, made at first use."""

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or Options()
        self._held: dict[asyncio.AbstractEventLoop, _Held] = {}
        self._tls: ssl.SSLContext | None = None
        self._guard = threading.Lock()
        self._closed = False
        self._used = False
        _transports.add(self)

    def forget(self) -> None:
        """Start anew in a child process; its parent goes on with what there is."""
        _of_the_parent.append(self._held)
        self._held = {}
        self._guard = threading.Lock()

    async def send(self, request: Request, limits: Limits) -> Response:
        """Send the request once; see `Transport.send`."""
        failure: LinksfieldError
        scope = asyncio.timeout(limits.deadline)
        call = _UnderWay(scope)
        try:
            async with scope:
                return await self._exchange(request, limits, call)
        except (TimeoutError, OSError, aiohttp.ClientError, _Lost) as error:
            failure = _conclude(error, call)
        except RuntimeError as error:
            # aiohttp says so of a session or connection that was closed under it.
            if not self._closed:
                raise
            call.client_closed = True
            failure = _conclude(error, call)
        # Raised out here and from a stand-in: aiohttp's own errors hold the URL with its query.
        raise failure

    async def _exchange(self, request: Request, limits: Limits, call: _UnderWay) -> Response:
        held = await self._here()
        held.under_way.add(call)
        try:
            session = held.once if request.once else held.session
            return await self._answer(session, request, limits, call)
        finally:
            held.under_way.discard(call)
            if not held.under_way:
                held.idle.set()

    async def _answer(
        self, session: aiohttp.ClientSession, request: Request, limits: Limits, call: _UnderWay
    ) -> Response:
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=limits.connect, sock_read=limits.read
        )
        async with session.request(
            request.method,
            URL(request.url, encoded=True),
            data=_payload(request.body),
            headers=request.headers,
            allow_redirects=False,
            timeout=timeout,
            trace_request_ctx=call.evidence,
        ) as answer:
            body = await _read_bounded(answer, limits.max_answer_bytes)
            return Response(answer.status, body, answer.headers)

    async def _here(self) -> _Held:
        """Give what the running loop has; make it at first use."""
        loop = asyncio.get_running_loop()
        held = self._held.get(loop)
        if held is None and not self._closed:
            if self._options.ca_file is not None and self._tls is None:
                # Reading certificates blocks for tens of milliseconds: off the loop. Without a
                # file of the caller's, aiohttp's own context is used, which it makes at import.
                self._tls = await asyncio.to_thread(_tls_context, self._options.ca_file)
            held = await self._make(loop)
        if held is None or self._closed:
            raise ClientClosed("the client is closed")
        return held

    async def _make(self, loop: asyncio.AbstractEventLoop) -> _Held | None:
        with self._guard:
            # Looked up again: another task or close() may have come first.
            if loop in self._held or self._closed:
                return self._held.get(loop)
            held = self._held[loop] = _Held(
                self._make_session(), self._make_session(force_close=True)
            )
            self._used = True
        # A started generator is closed by the loop when it shuts down, e.g. at the end of
        # asyncio.run: so the session ends inside its loop even where nobody closed it.
        held.lifetime = _lifetime(loop, held, self._held)
        await anext(held.lifetime)
        return held

    def _make_session(self, *, force_close: bool = False) -> aiohttp.ClientSession:
        tracing = aiohttp.TraceConfig()
        tracing.on_request_headers_sent.append(_note_head_written)
        return aiohttp.ClientSession(
            connector=_Connector(
                limit=self._options.connections, ssl=self._tls or True, force_close=force_close
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            trace_configs=[tracing],
            middlewares=[_never_repeat],
        )

    async def close(self) -> None:
        """End what is under way and close the sessions of all loops; twice does nothing.

        A call that is ended so raises NotSent or OutcomeUnknown, as is known of it.
        """
        with self._guard:
            self._closed = True
            all_held = dict(self._held)
        here = asyncio.get_running_loop()
        for loop, held in all_held.items():
            if loop is here:
                await _end(held)
            elif loop.is_running():
                ended = asyncio.run_coroutine_threadsafe(_end(held), loop)
                # The other loop may stop before it comes to this; its end closes the session.
                await asyncio.wait([asyncio.wrap_future(ended)], timeout=_CLOSING_SECONDS)

    def __del__(self) -> None:
        if self._closed or not self._used:
            return
        warnings.warn("a Client was not closed: use `async with`", ResourceWarning, stacklevel=2)
        for loop, held in tuple(self._held.items()):
            if loop.is_running():
                asyncio.run_coroutine_threadsafe(_end(held), loop)


_alive: set[_Held] = set()
"""Holds every session until its loop or its client ends it, so that none is merely collected."""

_transports: weakref.WeakSet[SessionTransport] = weakref.WeakSet()
_of_the_parent: list[object] = []
"""Sessions that a child process inherited. Only kept: to close one would reach into the parent's
event loop, whose selector both processes share."""


def _forget_in_child() -> None:
    for transport in _transports:
        transport.forget()
    _of_the_parent.extend(_alive)
    _alive.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


async def _lifetime(
    loop: asyncio.AbstractEventLoop, held: _Held, all_held: dict[asyncio.AbstractEventLoop, _Held]
) -> AsyncGenerator[None, None]:
    _alive.add(held)
    try:
        yield
    finally:
        all_held.pop(loop, None)
        await _end(held)


async def _end(held: _Held) -> None:
    """End what is under way, and close the session when it has ended; runs in its loop."""
    if held.under_way:
        held.idle.clear()
        for call in tuple(held.under_way):
            call.end()
        with suppress(TimeoutError):  # a call that will not end loses its connection below
            await asyncio.wait_for(held.idle.wait(), _CLOSING_SECONDS)
    await held.session.close()
    await held.once.close()
    _alive.discard(held)


async def _note_head_written(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
    # aiohttp reports just before it writes: from here on, bytes may have left.
    context.trace_request_ctx.head_written = True


async def _never_repeat(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # no connection was made; these aiohttp does not repeat
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Lost(str(error)) from error


def _tls_context(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cafile=ca_file)
    except (ssl.SSLError, OSError) as error:
        raise ConfigurationError(f"Options.ca_file holds no certificates: {error}") from error
    return context


def _payload(body: bytes) -> bytes | io.BytesIO | None:
    # aiohttp warns of plain bytes above 1 MiB: some 45,000 ICCIDs in one call.
    return io.BytesIO(body) if len(body) > _LARGE_BODY else body or None


async def _read_bounded(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    """Read the decompressed body, never more than a chunk beyond the limit."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in answer.content.iter_any():
        size += len(chunk)
        if size > limit:
            answer.close()
            raise ResponseTooLarge(
                f"HTTP {answer.status}: the answer is larger than {limit} bytes",
                status=answer.status,
            )
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _conclude(error: Exception, call: _UnderWay) -> NotSent | OutcomeUnknown:
    """Tell proved-unsent from unknown, by the evidence alone; the type only words the message."""
    concluded: NotSent | OutcomeUnknown
    if call.client_closed:
        sent = call.evidence.head_written
        when = "after sending, before an answer" if sent else "before sending"
        concluded = (OutcomeUnknown if sent else NotSent)(f"the client was closed {when}")
    elif call.evidence.head_written:
        concluded = OutcomeUnknown(_what_happened(error))
    elif isinstance(
        error, (aiohttp.ClientConnectorSSLError, aiohttp.ClientConnectorCertificateError)
    ):
        concluded = TLSFailed(f"no TLS connection: {type(error).__name__}")
    elif isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
        concluded = DeadlineExceeded("the deadline passed before anything was sent")
    else:
        concluded = ConnectFailed(f"no connection: {_reason(error)}")
    concluded.__cause__ = TransportFault(f"{type(error).__name__}: {error}")
    return concluded


def _what_happened(error: Exception) -> str:
    if isinstance(error, aiohttp.SocketTimeoutError):
        return "sent, and nothing more came within the read timeout"
    if isinstance(error, TimeoutError):
        return "sent, and the deadline passed before the answer was complete"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "sent, and the answer was truncated or could not be decompressed"
    if isinstance(error, aiohttp.ClientResponseError):
        return "sent, and what came back is not HTTP"
    return "sent, and the connection was lost before an answer"


def _reason(error: Exception) -> str:
    cause = error.__cause__ if isinstance(error, _Lost) else error
    text = getattr(cause, "strerror", None)
    return text if isinstance(text, str) and text else type(cause).__name__
