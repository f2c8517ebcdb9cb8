"""The transport over aiohttp.ClientSession, through its public API only.

aiohttp follows redirects, keeps cookies, reads proxies from the environment and repeats GET, PUT
and DELETE once on a lost connection unless told otherwise; here it is told otherwise. Whether
bytes may have left is read from aiohttp's having taken a connection for the request, which it
writes to at once; it is never guessed from the type of an exception.
"""

from __future__ import annotations

import asyncio
import io
import ssl
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import aiohttp
import attrs
from aiohttp.connector import Connection
from yarl import URL

from ..errors import LinksfieldError, ResponseTooLarge
from ..options import Options
from ..protocol import Request, Response
from .base import Limits
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
                _note_connected()
                return connection
            connection.close()


@attrs.define
class _Evidence:
    """What is known of one request on the wire."""

    has_connection: bool = False
    """From here on, bytes may have left."""


_EVIDENCE: ContextVar[_Evidence | None] = ContextVar("linksfield_async_evidence", default=None)


def _note_connected() -> None:
    # aiohttp writes next, and waits for nothing before that.
    evidence = _EVIDENCE.get()
    if evidence is not None:
        evidence.has_connection = True


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
        held, left = self._loops.known(), limits.deadline
        if held is None:
            held, left = await self._loops.here_within(left)
        failure: LinksfieldError
        evidence = _Evidence()
        call = held.calls.begin(left)
        token = _EVIDENCE.set(evidence)
        try:
            session = held.pools.once if request.once else held.pools.session
            return await _answer(session, request, limits)
        except asyncio.CancelledError as error:
            if not call.was_ended():
                raise
            failure = conclude(error, sent=evidence.has_connection, ended=call.ended)
        except FAULTS as error:
            failure = conclude(error, sent=evidence.has_connection, ended=call.ended)
        except RuntimeError as error:
            # aiohttp says so of a session or connection that was closed under it.
            if not self._loops.closed:
                raise
            failure = conclude(error, sent=evidence.has_connection, ended=Ended.CLOSED)
        finally:
            _EVIDENCE.reset(token)
            held.calls.over(call)
        # Raised out here and from a stand-in: aiohttp's own errors hold the URL with its query.
        raise failure

    async def close(self) -> None:
        """End what is under way and close the sessions of all loops; twice does nothing."""
        await self._loops.close()


async def _answer(session: aiohttp.ClientSession, request: Request, limits: Limits) -> Response:
    async with session.request(
        request.method,
        URL(request.url, encoded=True),
        data=_payload(request.body),
        headers=request.headers,
        allow_redirects=False,
        timeout=_waiting(limits.connect, limits.read),
        # Others aiohttp does not repeat.
        middlewares=() if request.method == "POST" else _NEVER_REPEAT,
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
    return aiohttp.ClientSession(
        connector=_Connector(limit=options.connections, ssl=tls, force_close=force_close),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )


@lru_cache(maxsize=64)
def _waiting(connect: float, read: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=connect, sock_read=read)


async def _never_repeat(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # no connection was made; these aiohttp does not repeat
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise Lost(str(error)) from error


_NEVER_REPEAT = (_never_repeat,)


def _payload(body: bytes) -> bytes | io.BytesIO | None:
    # aiohttp warns of plain bytes above 1 MiB: some 45,000 ICCIDs in one call.
    return io.BytesIO(body) if len(body) > _LARGE_BODY else body or None
