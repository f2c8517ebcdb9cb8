"""The receiver as a view of Django.

path("linksfield/push", DjangoView(receiver, grant))             # under ASGI
path("linksfield/push", DjangoSyncView(receiver, grant))         # under WSGI
"""

from __future__ import annotations

from asgiref.sync import markcoroutinefunction
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.http.request import RawPostDataException

from .answers import NOT_A_POST, TOO_LARGE, Answer
from .receiver import Handler, Receiver
from .threads import LoopThread
from .wrong_order import check_whole

_FORWARDED = {"CONTENT_TYPE": "content-type", "CONTENT_LENGTH": "content-length"}


class DjangoView:
    """An async view. Under WSGI take `DjangoSyncView`: there each request has its own loop."""

    csrf_exempt = True

    def __init__(self, receiver: Receiver, handler: Handler) -> None:
        self._receiver = receiver
        self._handler = handler
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest, **_: str) -> HttpResponse:
        """Answer one request."""
        taken = _taken(request, self._receiver)
        if isinstance(taken, bytes):
            taken = await self._receiver.handle(taken, _headers(request), self._handler)
        return _response(taken)


class DjangoSyncView:
    """A plain view; the receiver works on an event loop in a thread of its own."""

    csrf_exempt = True

    def __init__(self, receiver: Receiver, handler: Handler) -> None:
        self._receiver = receiver
        self._handler = handler
        self._thread = LoopThread()

    def __call__(self, request: HttpRequest, **_: str) -> HttpResponse:
        """Answer one request."""
        taken = _taken(request, self._receiver)
        if isinstance(taken, bytes):
            work = self._receiver.handle(taken, _headers(request), self._handler)
            taken = self._thread.run(work)
        return _response(taken)

    def close(self) -> None:
        """End the thread."""
        self._thread.close()


def _taken(request: HttpRequest, receiver: Receiver) -> bytes | Answer:
    """Give the raw body, or the answer of a refusal.

    Under ASGI Django itself has spooled the body before any view runs: a limit there is for the
    server in front. How slowly a body may come is, too.
    """
    if request.method != "POST":
        return NOT_A_POST
    refusal = receiver.precheck(_raw_path(request), _headers(request))
    if refusal is not None:
        return refusal
    try:
        body: bytes = request.body
    except RequestDataTooBig:
        return TOO_LARGE
    except RawPostDataException:
        check_whole(None, None)
        raise
    declared = request.META.get("CONTENT_LENGTH") or None
    check_whole(len(body), int(declared) if declared else None)
    return body if len(body) <= receiver.max_body else TOO_LARGE


def _headers(request: HttpRequest) -> list[tuple[str, str]]:
    """List the headers; WSGI has joined with commas what stood twice, and that is refused."""
    found: list[tuple[str, str]] = []
    for name, value in request.META.items():
        if name.startswith("HTTP_"):
            found.append((name[5:].replace("_", "-").lower(), str(value)))
        elif name in _FORWARDED and value:
            found.append((_FORWARDED[name], str(value)))
    return found


def _raw_path(request: HttpRequest) -> str:
    """Give the path as it stood in the request, where the server tells; WSGI's own is decoded."""
    scope = getattr(request, "scope", None)
    if scope is not None and scope.get("raw_path"):
        return str(scope["raw_path"].decode("latin-1"))
    raw = request.META.get("REQUEST_URI") or request.META.get("RAW_URI") or request.path
    return str(raw).partition("?")[0]


def _response(answer: Answer) -> HttpResponse:
    return HttpResponse(answer.body, status=answer.status, content_type="text/plain")
