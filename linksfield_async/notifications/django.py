"""The receiver as a view of Django.

path("linksfield/push", DjangoView(receiver, grant))             # under ASGI
path("linksfield/push", DjangoSyncView(receiver, grant))         # under WSGI
"""

from __future__ import annotations

from asgiref.sync import markcoroutinefunction
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.http.request import RawPostDataException, UnreadablePostError

from .answers import BROKEN_OFF, NOT_A_POST, TOO_LARGE, Answer
from .reading import declared_length
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
    headers = _headers(request)
    refusal = receiver.precheck(_raw_path(request), headers)
    if refusal is not None:
        return refusal
    declared = declared_length(headers)
    if declared is None and request.META.get("CONTENT_LENGTH"):
        return BROKEN_OFF  # no number: Django would fail over it
    try:
        body: bytes = request.body
    except RequestDataTooBig:
        return TOO_LARGE
    except UnreadablePostError:
        return BROKEN_OFF
    except RawPostDataException:
        check_whole(None, None)
        raise
    if declared is not None and 0 < len(body) < declared:
        return BROKEN_OFF  # WSGI servers do not tell that the sender went away
    check_whole(len(body), declared)
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
    response = HttpResponse(answer.body, status=answer.status, content_type="text/plain")
    # The receiver has told it; Django would log the path, and so a path secret.
    vars(response)["_has_been_logged"] = True
    return response
