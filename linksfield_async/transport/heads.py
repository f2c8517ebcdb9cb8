"""Writes the head of a request, HTTP/1.1; what recurs for an endpoint is prepared once."""

from __future__ import annotations

import re
from collections.abc import Mapping

from yarl import URL

from ..errors import ConfigurationError, InvalidInput
from ..protocol import Request
from .wires import Template

_ORIGIN = re.compile(r"https?://[^\s/?#@\\\x00-\x1f\x7f]+", re.IGNORECASE)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OURS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te",
     "trailer", "keep-alive"}
)  # fmt: skip
"""Say how a message is framed and where it goes: never a caller's."""
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})
_KEPT = 16
"""Different sets of headers remembered for an endpoint; a client has two."""


class Endpoint:
    """One origin to send to: its key among connections, and the heads of its requests."""

    def __init__(self, origin: str, template: Template) -> None:
        self.origin = origin
        self.template = template
        self._prepared: list[tuple[dict[str, str], str]] = []

    def head(self, request: Request, target: str, *, close: bool) -> bytes:
        """Give request line and header fields; raises ConfigurationError where one cannot be."""
        fields = self._fields(request.headers)
        size = len(request.body)
        if size or request.method not in _WITHOUT_BODY:
            fields = f"{fields}Content-Length: {size}\r\n"
        if close:
            fields = f"{fields}Connection: close\r\n"
        return f"{request.method} {target} HTTP/1.1\r\n{fields}\r\n".encode()

    def _fields(self, headers: Mapping[str, str]) -> str:
        for known, fields in self._prepared:
            if known == headers:
                return fields
        copy = dict(headers)
        fields = _written(self.template, copy)
        if len(self._prepared) < _KEPT:
            self._prepared.append((copy, fields))
        return fields


def split(url: str) -> tuple[str, str]:
    """Part a URL into origin and request target, and check what a request line is made of."""
    at = url.find("/", 8)
    origin, target = (url[:at], url[at:]) if at > 0 else (url, "/")
    if not target.isascii() or not target.isprintable() or " " in target or "#" in target:
        raise InvalidInput("the URL must be quoted: printable ASCII without spaces and without #")
    return origin, target


def check_method(request: Request) -> None:
    """Raise InvalidInput for a method that is none."""
    if request.method not in _METHODS:
        raise InvalidInput(f"the method must be one of {', '.join(sorted(_METHODS))}")


def origin_url(origin: str) -> URL:
    """Check an origin; raises InvalidInput where it holds more than scheme, host and port."""
    if not _ORIGIN.fullmatch(origin):
        raise InvalidInput("the URL must begin with http(s)://host and a path, without a login")
    try:
        return URL(origin)
    except ValueError as error:
        raise InvalidInput("the URL has no valid host and port") from error


def _written(template: Template, headers: dict[str, str]) -> str:
    """Write a caller's header fields after aiohttp's own of the template, e.g. Host."""
    lines: list[str] = []
    given = {name.lower() for name in headers}
    for name, value in template.headers.items():
        if name.lower() not in given:
            lines.append(f"{name}: {value}\r\n")
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or name.lower() in _OURS:
            raise ConfigurationError(f"a request cannot have the header {name[:40]!r}")
        if _CONTROL.search(value):
            raise ConfigurationError(f"the header {name} holds a control character")
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines)
