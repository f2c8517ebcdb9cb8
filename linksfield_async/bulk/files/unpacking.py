"""Unpacks gzip while it is read, no further than the lines that are asked for."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from typing import IO, Any

GZIP = b"\x1f\x8b"
"""What every gzip file begins with."""


class Unpacked:
    """The lines in a gzip stream, whose first bytes were read already; it need not be seekable.

    What cannot be unpacked is an OSError; the whole lines before it are given first.
    """

    def __init__(self, head: bytes, stream: IO[Any]) -> None:
        self._packed = _Packed(head, stream)
        self._text = gzip.GzipFile(fileobj=self._packed, mode="rb")

    def tell(self) -> int:
        """How many packed bytes were read."""
        return self._packed.taken

    def readline(self, limit: int, /) -> bytes:
        """Give a line of at most so many bytes; empty at the end."""
        try:
            return self._text.readline(limit)
        except EOFError as error:
            raise OSError("the compressed data is cut off: get the whole file") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            # A wrong checksum is found at the end only, when the rows were given long before.
            raise OSError(
                f"the compressed data is damaged ({error}): ICCIDs read from it may be wrong"
            ) from error


class _Packed:
    """The stream as it was before its first bytes were read, counting what is taken."""

    def __init__(self, head: bytes, stream: IO[Any]) -> None:
        self.taken = 0
        self._head = head
        # A pipe gives what there is: rows that came must not wait for those that did not.
        self._read: Callable[[int], bytes] = getattr(stream, "read1", stream.read)

    def read(self, size: int = -1, /) -> bytes:
        if self._head:
            size = len(self._head) if size < 0 else size
            part, self._head = self._head[:size], self._head[size:]
        else:
            part = self._read(size)
        self.taken += len(part)
        return part

    def seek(self, position: int, /) -> int:
        raise io.UnsupportedOperation("packed data is read once, from its beginning")
