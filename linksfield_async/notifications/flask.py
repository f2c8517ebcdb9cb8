"""The receiver as a view of Flask.

app.add_url_rule("/linksfield/push", view_func=FlaskView(receiver, grant), methods=["POST"])
"""

from __future__ import annotations

from flask import Response, request

from .answers import TOO_LARGE, Answer
from .receiver import Handler, Receiver
from .threads import LoopThread
from .wrong_order import check_whole


class FlaskView:
    """A view function; the receiver works on an event loop in a thread of its own.

    How slowly a body may come is for the WSGI server to say. `close()` ends the thread.
    """

    __name__ = "linksfield_notifications"

    def __init__(self, receiver: Receiver, handler: Handler) -> None:
        self._receiver = receiver
        self._handler = handler
        self._thread = LoopThread()

    def __call__(self, **_: str) -> Response:
        """Answer the request that Flask has at hand."""
        answer = self._answered()
        return Response(answer.body, status=answer.status, content_type="text/plain")

    def close(self) -> None:
        """End the thread."""
        self._thread.close()

    def _answered(self) -> Answer:
        headers = list(request.headers)
        refusal = self._receiver.precheck(_raw_path(request.environ), headers)
        if refusal is not None:
            return refusal
        body = self._body()
        if body is None:
            return TOO_LARGE
        return self._thread.run(self._receiver.handle(body, headers, self._handler))

    def _body(self) -> bytes | None:
        if {"form", "files"} & vars(request._get_current_object()).keys():  # type: ignore[attr-defined]  # noqa: SLF001
            check_whole(None, None)
        limit = self._receiver.max_body
        if request.content_length is not None:
            # Within the limit, as was checked; what get_json() has read before is kept by Flask.
            body = request.get_data()
        else:
            body = request.stream.read(limit + 1)
        check_whole(len(body), request.content_length)
        return body if len(body) <= limit else None


def _raw_path(environ: dict[str, str]) -> str:
    """Give the path as it stood in the request, where the server tells; WSGI's own is decoded."""
    raw = environ.get("REQUEST_URI") or environ.get("RAW_URI") or environ.get("PATH_INFO", "")
    return raw.partition("?")[0]
