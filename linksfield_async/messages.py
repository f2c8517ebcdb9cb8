"""A request and an answer as values: what lies between the pure rooms and the transports."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from .masking import mask_text


def _masked(value: bytes | str) -> str:
    text = value if isinstance(value, str) else f"{len(value)} bytes"
    return repr(mask_text(text))


@attrs.frozen
class Request:
    """One HTTP request, ready to send: every part of it is final."""

    method: str
    url: str = attrs.field(repr=_masked)
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(default=b"", repr=_masked)
    once: bool = False
    """Must not be carried out twice: it gets a connection of its own."""


@attrs.frozen
class Response:
    """One HTTP answer, its body decompressed and read to its end."""

    status: int
    body: bytes = attrs.field(repr=_masked)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    """By name in the spelling of HTTP's documents, e.g. Retry-After."""
