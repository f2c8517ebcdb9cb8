"""The transport over aiohttp.ClientSession, through its public API only.

aiohttp follows redirects, keeps cookies, reads proxies from the environment and repeats GET, PUT
and DELETE once on a lost connection unless told otherwise; here it is told otherwise. Whether
bytes left is read from aiohttp's own report that it is about to write a request's head, never
guessed from the type of an exception.
"""

from __future__ import annotations

import asyncio
import io
import ssl
from types import SimpleNamespace
from typing import Any

import aiohttp
import attrs
from aiohttp.connector import Connection
from yarl import URL

from ..errors import LinksfieldError, ResponseTooLarge
from ..options import Options
from ..protocol import Request, Response
from .base import Limits
from .calls import due_in
from .faults import FAULTS, Ended, Lost, conclude
from .loops import PerLoop
from .reading import read_bounded

_LARGE_BODY = 1 << 20


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
class _Sessions:
    """What one event loop has."""

    session: aiohttp.ClientSession
    once: aiohttp.ClientSession
    """For requests that must not be carried out twice: each has a connection of its own."""

    async def close(self) -> None:
        await self.session.close()
        await self.once.close()


class SessionTransport:
    """Sends over one aiohttp session per running event loop, made at first use."""

    def __init__(self, options: Options | None = None) -> None:
        self._loops = PerLoop(options or Options(), _make_sessions)

    async def send(self, request: Request, limits: Limits) -> Response:
        """Send the request once; see `Transport.send`."""
        due = due_in(limits.deadline)
        held = self._loops.known() or await self._loops.here()
        failure: LinksfieldError
        evidence = _Evidence()
        call = held.calls.begin(due)
        try:
            session = held.pools.once if request.once else held.pools.session
            return await _answer(session, request, limits, evidence)
        except asyncio.CancelledError as error:
            if not call.was_ended():
                raise
            failure = conclude(error, sent=evidence.head_written, ended=call.ended)
        except FAULTS as error:
            failure = conclude(error, sent=evidence.head_written, ended=call.ended)
        except RuntimeError as error:
            # aiohttp says so of a session or connection that was closed under it.
            if not self._loops.closed:
                raise
            failure = conclude(error, sent=evidence.head_written, ended=Ended.CLOSED)
        finally:
            held.calls.over(call)
        # Raised out here and from a stand-in: aiohttp's own errors hold the URL with its query.
        raise failure

    async def close(self) -> None:
        """End what is under way and close the sessions of all loops; twice does nothing."""
        await self._loops.close()


async def _answer(
    session: aiohttp.ClientSession, request: Request, limits: Limits, evidence: _Evidence
) -> Response:
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=limits.connect, sock_read=limits.read)
    async with session.request(
        request.method,
        URL(request.url, encoded=True),
        data=_payload(request.body),
        headers=request.headers,
        allow_redirects=False,
        timeout=timeout,
        trace_request_ctx=evidence,
    ) as answer:
        try:
            body = await read_bounded(answer.content, limits.max_answer_bytes, answer.status)
        except ResponseTooLarge:
            answer.close()
            raise
        return Response(answer.status, body, answer.headers)


def _make_sessions(options: Options, tls: ssl.SSLContext | bool) -> _Sessions:
    return _Sessions(_make_session(options, tls), _make_session(options, tls, force_close=True))


def _make_session(
    options: Options, tls: ssl.SSLContext | bool, *, force_close: bool = False
) -> aiohttp.ClientSession:
    tracing = aiohttp.TraceConfig()
    tracing.on_request_headers_sent.append(_note_head_written)
    return aiohttp.ClientSession(
        connector=_Connector(limit=options.connections, ssl=tls, force_close=force_close),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        trace_configs=[tracing],
        middlewares=[_never_repeat],
    )


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
        raise Lost(str(error)) from error


def _payload(body: bytes) -> bytes | io.BytesIO | None:
    # aiohttp warns of plain bytes above 1 MiB: some 45,000 ICCIDs in one call.
    return io.BytesIO(body) if len(body) > _LARGE_BODY else body or None
