"""What goes back to a browser, and what every answer tells it not to do."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from ..answers import dump

JSON = "application/json"

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@attrs.frozen
class Page:
    """One answer; `HEADERS` go out with each."""

    status: int
    body: bytes = attrs.field(repr=False)
    content_type: str = JSON
    headers: Mapping[str, str] = attrs.field(factory=dict)


def json_page(value: object, status: int = 200) -> Page:
    """Answer with JSON."""
    return Page(status, dump(value))


def problem(status: int, message: str) -> Page:
    """Answer that something cannot be done, and why."""
    return json_page({"error": message}, status)
