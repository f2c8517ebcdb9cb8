"""Gives the lines of a stream of bytes or text, decoded: a wrong byte can be told to the place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO, Any, Protocol

from ...errors import ConfigurationError

MAX_LINE = 1 << 20
"""The longest line that is read; more is no table of cards."""

_NOT_TEXT = {
    b"PK\x03\x04": "is an Excel workbook or a zip: save it as CSV UTF-8",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook: save it as CSV UTF-8",
    b"\xff\xfe": "is UTF-16: save it as UTF-8",
    b"\xfe\xff": "is UTF-16: save it as UTF-8",
    b"%PDF": "is a PDF",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd: unpack it first, or use gzip",
    b"BZh": "is compressed with bzip2: unpack it first, or use gzip",
    b"\xfd7zXZ": "is compressed with xz: unpack it first, or use gzip",
}


class Readable(Protocol):
    """What lines can be read from: an OSError tells in one line why they cannot."""

    def readline(self, limit: int, /) -> Any:
        """Give a line of at most so many characters, as bytes or text; empty at the end."""
        ...


class Lines(Iterator[str]):
    """Decodes one line after another; never more than one is in memory."""

    def __init__(
        self, stream: Readable | IO[Any], name: str, tell: Callable[[], int] | None = None
    ) -> None:
        self.number = 0
        """Of the line that was given last, from 1."""
        self.lenient = False
        """Whether a wrong byte stands in its line as \\xNN, instead of ending the reading."""
        self._stream = stream
        self._name = name
        self._tell = tell
        self._head: str | bytes | None = None
        self._read_so_far = 0

    @property
    def offset(self) -> int:
        """How far was read: bytes as they lie in the file, characters of a stream of text."""
        return self._read_so_far if self._tell is None else self._tell()

    def head(self) -> bytes:
        """Look at the first line, which stays to be read; empty for a stream of text."""
        if self._head is None:
            self._head = self._read()
        return self._head if isinstance(self._head, bytes) else b""

    def __next__(self) -> str:
        if self._head is not None:
            line, self._head = self._head, None
        else:
            line = self._read()
        if not line:
            raise StopIteration
        self.number += 1
        if isinstance(line, bytes) and self.number == 1:
            self._check_kind(line)
        if len(line) > MAX_LINE:
            raise ConfigurationError(
                f"{self._name!r}: line {self.number} is longer than {MAX_LINE} bytes"
            )
        text = self._decoded(line) if isinstance(line, bytes) else line
        self._read_so_far += len(line)
        return text.removeprefix("\ufeff") if self.number == 1 else text

    def _read(self) -> str | bytes:
        try:
            line: str | bytes = self._stream.readline(MAX_LINE + 1)
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            place = f" after the row that ends in line {self.number}" if self.number else ""
            raise ConfigurationError(f"cannot read {self._name!r}{place}: {reason}") from error
        return line

    def _decoded(self, line: bytes) -> str:
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            if self.lenient:
                return line.decode(errors="backslashreplace")
            where = "file" if self._tell is None else "unpacked text"
            raise ConfigurationError(
                f"{self._name!r} is not UTF-8: byte 0x{line[error.start]:02X} in line "
                f"{self.number}, byte {self._read_so_far + error.start} of the {where}"
            ) from error

    def _check_kind(self, first: bytes) -> None:
        for magic, what in _NOT_TEXT.items():
            if first.startswith(magic):
                raise ConfigurationError(f"{self._name!r} {what}")
