"""One request in full: what came in, and its sign beside the one that was expected."""

from __future__ import annotations

from typing import Any

import attrs

from ...errors import ConfigurationError
from ..capture import Capture
from ..explaining import explain_capture
from ..log import Received, RequestLog
from ..stripe_http import STRIPE_PREFIX
from .views import request_line

MOST_TEXT = 20_000
"""Characters of a text that are shown."""

MOST_EXPLAINED = 256 * 1024


def request_detail(log: RequestLog, index: str) -> dict[str, Any]:
    """Give one request of the log; ConfigurationError where it is no longer kept."""
    if not (index.isascii() and index.isdigit() and len(index) < 16):
        raise ConfigurationError("the number of a request is needed")
    place = int(index) - (log.total - len(log))
    if not 0 <= place < len(log):
        raise ConfigurationError("this request is not kept any more")
    request = log[place]
    body = request.body[: MOST_TEXT * 4].decode("utf-8", "replace")
    return {
        **request_line(request),
        "query": request.query[:MOST_TEXT],
        "headers": [[name, value[:MOST_TEXT]] for name, value in request.headers.items()],
        "body": body[:MOST_TEXT],
        "bytes": len(request.body),
        "sign": _explained(request),
    }


def _explained(request: Received) -> dict[str, Any] | None:
    """Explain the sign; None where none is needed, `problem` where it cannot be told."""
    if request.path.startswith(STRIPE_PREFIX):
        return None
    if len(request.body) > MOST_EXPLAINED:
        told = "`linksfield sign --explain` takes it"
        return {"problem": f"the body is too large to be explained here; {told}"}
    try:
        body = request.body.decode()
    except UnicodeDecodeError as error:
        return {"problem": f"the body is not UTF-8 at byte {error.start}"}
    target = f"{request.path}?{request.query}" if request.query else request.path
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        found = explain_capture(Capture(request.method, target, headers, body or None))
    except ConfigurationError as error:
        return {"problem": str(error)}
    start = max(0, (found.first_difference or 0) - MOST_TEXT // 2)
    shown = attrs.asdict(found)
    for name in ("text", "implied_text"):
        if shown[name] is not None:
            shown[name] = shown[name][start : start + MOST_TEXT]
    return shown | {"cut_before": start}
