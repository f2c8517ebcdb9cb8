"""Reads an answer's body, decompressed, and never more than a chunk beyond the limit."""

from __future__ import annotations

import aiohttp

from ..errors import ResponseTooLarge


async def read_bounded(content: aiohttp.StreamReader, limit: int, status: int) -> bytes:
    """Read to the end; raises ResponseTooLarge, and leaves the rest to whoever closes."""
    if content.is_eof():  # nothing to wait for
        body = content.read_nowait()
        check_size(len(body), limit, status)
        return body
    chunks: list[bytes] = []
    size = 0
    while chunk := await _next(content):
        size += len(chunk)
        check_size(size, limit, status)
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _next(content: aiohttp.StreamReader) -> bytes:
    try:
        return await content.readany()
    except RuntimeError as error:
        # aiohttp says so of a connection that is gone although its answer is not complete.
        raise aiohttp.ClientPayloadError(str(error)) from error


def check_size(size: int, limit: int, status: int) -> None:
    """Raise ResponseTooLarge where the limit is passed."""
    if size > limit:
        raise ResponseTooLarge(
            f"HTTP {status}: the answer is larger than {limit} bytes", status=status
        )
