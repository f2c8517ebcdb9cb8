"""The receiver as an ASGI application, for FastAPI, Starlette and any other.

app.router.routes.append(Route("/linksfield/push", NotificationApp(receiver, grant)))
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, TypeAlias

from .answers import NOT_A_POST, Answer
from .reading import declared_length
from .receiver import Handler, Receiver
from .signature import pairs_of
from .wrong_order import check_whole

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class NotificationApp:
    """Give it as a route; it reads the raw body itself.

    Mounted instead, Starlette redirects every path without a slash at its end, before it gets here.

    A middleware that has read the body before leaves nothing to wait for but the time limit.
    """

    def __init__(self, receiver: Receiver, handler: Handler) -> None:
        self._receiver = receiver
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        reading = _Reading(scope, receive)
        answer = NOT_A_POST
        if scope["method"] == "POST":
            path = scope.get("raw_path") or scope["path"].encode()
            answer = await self._receiver.receive(
                path.decode("latin-1"), list(scope["headers"]), reading.chunks(), self._handler
            )
        # Later versions of HTTP have no such header, and refuse an answer that carries it.
        closing = not reading.ended and str(scope.get("http_version", "1.1")).startswith("1")
        await _send(send, answer, close=closing)


class _Reading:
    """The body as it comes, and whether it came to its end."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._declared = declared_length(pairs_of(scope["headers"]))
        self.ended = False

    async def chunks(self) -> AsyncIterator[bytes]:
        found = 0
        while not self.ended:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError
            self.ended = not message.get("more_body", False)
            chunk = message.get("body", b"")
            found += len(chunk)
            yield chunk
        # A server never ends a body early without a disconnect: somebody else has read it.
        check_whole(found, self._declared)


async def _send(send: Send, answer: Answer, *, close: bool) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(answer.body)).encode()),
    ]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def respond(request: Request, receiver: Receiver, handler: Handler) -> Response:
    """Answer a request that an endpoint was given; what read it as bytes before does no harm."""
    from starlette.responses import PlainTextResponse  # noqa: PLC0415 - not everybody's

    path = request.scope.get("raw_path") or request.scope["path"].encode()
    headers = list(request.headers.raw)
    answer = await receiver.receive(path.decode("latin-1"), headers, _streamed(request), handler)
    closing = {"connection": "close"} if answer.status in (404, 408, 413) else {}
    return PlainTextResponse(answer.body, status_code=answer.status, headers=closing)


async def _streamed(request: Request) -> AsyncIterator[bytes]:
    from starlette.requests import ClientDisconnect  # noqa: PLC0415

    chunks = request.stream()
    try:
        first = await anext(chunks)
    except ClientDisconnect as error:
        raise ConnectionError from error
    except RuntimeError:
        # Starlette's word for a body that was read as a form or as a stream.
        check_whole(None, None)
        raise
    yield first
    try:
        async for chunk in chunks:
            yield chunk
    except ClientDisconnect as error:
        raise ConnectionError from error
