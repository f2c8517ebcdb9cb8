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
import threading
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

import aiohttp
import attrs
from yarl import URL

from ..errors import (
    ConfigurationError,
    ConnectFailed,
    DeadlineExceeded,
    LinksfieldError,
    NotSent,
    OutcomeUnknown,
    ResponseTooLarge,
    TLSFailed,
)
from ..options import Options
from ..protocol import Request, Response
from .base import Limits

_LARGE_BODY = 1 << 20


class _Lost(Exception):
    """Stands for a lost connection on its way through aiohttp, which would repeat the request."""


@attrs.define
class _Evidence:
    """What is known of one request on the wire."""

    head_written: bool = False


@attrs.define
class _Held:
    """A session with the generator whose end closes it together with its loop."""

    session: aiohttp.ClientSession
    lifetime: AsyncGenerator[None, None]


class SessionTransport:
    """Sends over one aiohttp session per running event loop, made at first use."""

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or Options()
        self._held: dict[asyncio.AbstractEventLoop, _Held] = {}
        self._tls: ssl.SSLContext | None = None
        self._guard = threading.Lock()
        self._closed = False

    async def send(self, request: Request, limits: Limits) -> Response:
        """Send the request once; see `Transport.send`."""
        evidence = _Evidence()
        try:
            async with asyncio.timeout(limits.deadline):
                return await self._exchange(request, limits, evidence)
        except LinksfieldError:
            raise
        except (TimeoutError, OSError, aiohttp.ClientError, _Lost) as error:
            # The error's own text may hold the URL with its query; it stays the cause unshown.
            raise _conclude(error, evidence) from error

    async def _exchange(self, request: Request, limits: Limits, evidence: _Evidence) -> Response:
        session = await self._session()
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
            trace_request_ctx=evidence,
        ) as answer:
            body = await _read_bounded(answer, limits.max_answer_bytes)
            return Response(answer.status, body, answer.headers)

    async def _session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise ConfigurationError("the client is closed")
        loop = asyncio.get_running_loop()
        held = self._held.get(loop)
        if held is not None and not held.session.closed:
            return held.session
        if self._options.ca_file is not None and self._tls is None:
            # Reading certificates blocks for tens of milliseconds: off the loop. Without a file
            # of the caller's, aiohttp's own context is used, which it makes at import.
            made = await asyncio.to_thread(_tls_context, self._options.ca_file)
            with self._guard:
                self._tls = self._tls or made
        return await self._hold_session(loop)

    async def _hold_session(self, loop: asyncio.AbstractEventLoop) -> aiohttp.ClientSession:
        held = self._held.get(loop)
        if held is None or held.session.closed:
            session = self._make_session()
            held = _Held(session, self._lifetime(loop, session))
            with self._guard:
                self._held[loop] = held
            # A started generator is closed by the loop when it shuts down, e.g. at the end of
            # asyncio.run: so the session ends inside its loop even where nobody closed it.
            await anext(held.lifetime)
        return held.session

    async def _lifetime(
        self, loop: asyncio.AbstractEventLoop, session: aiohttp.ClientSession
    ) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            with self._guard:
                self._held.pop(loop, None)
            await session.close()

    def _make_session(self) -> aiohttp.ClientSession:
        tracing = aiohttp.TraceConfig()
        tracing.on_request_headers_sent.append(_note_head_written)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._options.connections, ssl=self._tls or True),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            trace_configs=[tracing],
            middlewares=[_never_repeat],
        )

    async def close(self) -> None:
        """Close the sessions of all loops; calling it again does nothing."""
        self._closed = True
        with self._guard:
            all_held = list(self._held.items())
        here = asyncio.get_running_loop()
        for loop, held in all_held:
            if loop is here:
                await held.lifetime.aclose()
            elif loop.is_running():
                ended = asyncio.run_coroutine_threadsafe(_end(held.lifetime), loop)
                await asyncio.wrap_future(ended)


async def _end(lifetime: AsyncGenerator[None, None]) -> None:
    await lifetime.aclose()


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


def _conclude(error: Exception, evidence: _Evidence) -> NotSent | OutcomeUnknown:
    """Tell proved-unsent from unknown, by the evidence alone; the type only words the message."""
    if evidence.head_written:
        return OutcomeUnknown(_what_happened(error))
    if isinstance(
        error, (aiohttp.ClientConnectorSSLError, aiohttp.ClientConnectorCertificateError)
    ):
        return TLSFailed(f"no TLS connection: {type(error).__name__}")
    if isinstance(error, aiohttp.ClientError):
        return ConnectFailed(f"no connection: {_reason(error)}")
    if isinstance(error, TimeoutError):
        return DeadlineExceeded("the deadline passed before anything was sent")
    return ConnectFailed(f"no connection: {_reason(error)}")


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
