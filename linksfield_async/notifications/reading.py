"""Reads a request's body within bounds, whatever its headers promise."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable


class TooLarge(Exception):
    """More came than is read."""


def declared_length(headers: Iterable[tuple[str, str]]) -> int | None:
    """Give the declared length, or None; it is a promise and nothing is allocated from it."""
    for name, value in headers:
        if name == "content-length" and value.isascii() and value.isdigit():
            return int(value[:20])
    return None


def is_compressed(headers: Iterable[tuple[str, str]]) -> bool:
    """Tell whether a body is compressed: its true length cannot be known beforehand."""
    return any(
        name == "content-encoding" and value.strip().lower() not in ("", "identity")
        for name, value in headers
    )


async def read_bounded(chunks: AsyncIterator[bytes], limit: int) -> bytes | None:
    """Read up to `limit` bytes; None where the sender went away before the end."""
    body = bytearray()
    try:
        async for chunk in chunks:
            body += chunk
            if len(body) > limit:
                raise TooLarge
    except ConnectionError:
        return None
    return bytes(body)
