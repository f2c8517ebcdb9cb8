"""Reads ICCIDs from tables, lists, JSON lines and Parquet, row by row; never reads ahead."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from itertools import chain
from typing import IO, Any, Self

from ...errors import ConfigurationError
from .json_lines import json_rows, looks_like_json
from .lines import MAX_LINE, Lines
from .numeric import refuse_numeric_column
from .parquet import PARQUET, ParquetRows
from .tables import DELIMITERS, KNOWN_COLUMNS, Row, table_rows
from .unpacking import GZIP, Unpacked

__all__ = [
    "KNOWN_COLUMNS",
    "MAX_LINE",
    "IccidRows",
    "Row",
    "read_iccids",
    "refuse_numeric_column",
]

_CHUNK = 1 << 20


def read_iccids(source: str | os.PathLike[str] | IO[Any], column: str | None = None) -> IccidRows:
    """Read the ICCIDs of a CSV file, a text with one in each line, JSON lines or Parquet, lazily.

    All but Parquet may be packed with gzip, and come from a stream or a pipe; texts are UTF-8.
    The column is the one named, else one with a known name, else the only one. A first row with
    a known name is the header, and so is one without any digit where there is one column only.
    Blank rows come as rows with nothing given, but for those after the last card, which end the
    file. What a row of JSON gives as anything but a text is marked, so that it is refused by row.
    ConfigurationError where it cannot be read, now or at the row where it is found.
    """
    if not isinstance(source, (str, os.PathLike)):
        return IccidRows(source, "input", column, owned=False)
    try:
        # Kept open for the rows; closed by the reader that is given back.
        stream = open(source, "rb")  # noqa: SIM115
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(f"cannot read {os.fspath(source)!r}: {reason}") from error
    try:
        return IccidRows(stream, os.fspath(source), column, owned=True)
    except BaseException:
        stream.close()
        raise


class IccidRows:
    """An iterator over rows; close it, or use it in `with`: that closes a file named by path."""

    def __init__(self, stream: IO[Any], name: str, column: str | None, *, owned: bool) -> None:
        self.name = name
        """The path as it was given; `input` for a stream."""
        self._stream = stream
        self._owned = owned
        self._column = column
        self._header: str | None = None
        self._tell: Callable[[], int]
        self._close_reader: Callable[[], None] | None = None
        self._opened = self.status
        rows = self._begin(column)
        first = next(rows, None)
        if first is None:
            raise ConfigurationError(f"{name!r} has a header and no rows below it")
        self._rows = chain((first,), rows)

    @property
    def header(self) -> str | None:
        """The name of the column, or None where the first row is a card already."""
        return self._header

    @property
    def bytes_read(self) -> int:
        """How far the file was read, packed as it is; an estimate for Parquet."""
        return self._tell()

    @property
    def status(self) -> os.stat_result | None:
        """What the system knows of the file, or None where there is none."""
        try:
            return os.fstat(self._stream.fileno())
        except (AttributeError, OSError, ValueError):
            return None

    @property
    def size(self) -> int | None:
        """The size of a regular file; reading one never waits for anybody."""
        status = self.status
        return status.st_size if status and stat.S_ISREG(status.st_mode) else None

    def fingerprint(self) -> str | None:
        """Give `sha256:HEX:SIZE:COLUMN` of a regular file named by path; None for anything else.

        Reads the whole file once more, which takes its time, and moves nothing. ConfigurationError
        where another file has its name by now.
        """
        opened = self._opened
        if not self._owned or opened is None or not stat.S_ISREG(opened.st_mode):
            return None
        digest, size = hashlib.sha256(), 0
        try:
            with open(self.name, "rb") as file:
                if not os.path.samestat(opened, os.fstat(file.fileno())):
                    raise ConfigurationError(f"{self.name!r} was replaced while it was read")
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
        except OSError as error:
            raise ConfigurationError(f"cannot read {self.name!r}: {error.strerror}") from error
        return f"sha256:{digest.hexdigest()}:{size}:{self._header or self._column or ''}"

    def close(self) -> None:
        """Close the file; a stream that was given stays open."""
        if self._close_reader is not None:
            self._close_reader()
        if self._owned:
            self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Row:
        return next(self._rows)

    def _begin(self, column: str | None) -> Iterator[Row]:
        """Find out what it is by its first bytes, and give its rows."""
        lines = Lines(self._stream, self.name)
        head = lines.head()
        if head.startswith(PARQUET) or self.name.lower().endswith(".parquet"):
            return self._parquet(column)
        if head.startswith(GZIP):
            unpacked = Unpacked(head, self._stream)
            lines = Lines(unpacked, self.name, unpacked.tell)
            if lines.head().startswith((GZIP, PARQUET)):
                raise ConfigurationError(
                    f"{self.name!r} is compressed and holds another archive or Parquet: "
                    "unpack it first"
                )
        self._tell = lambda: lines.offset
        first, blank = self._first_line(lines)
        kind = json_rows if looks_like_json(self.name, first) else table_rows
        self._header, rows = kind(lines, first, blank, column, self.name)
        return rows

    def _parquet(self, column: str | None) -> Iterator[Row]:
        reader = ParquetRows(self._stream, self.size, column, self.name)
        self._close_reader = reader.close
        self._tell = lambda: reader.bytes_read
        self._header = reader.header
        return reader.rows()

    def _first_line(self, lines: Lines) -> tuple[str, int]:
        """Give the first line that says something, and how many stand above it."""
        for blank, line in enumerate(lines):
            if line.strip(DELIMITERS + " \t\r\n\"'"):
                return line, blank
        raise ConfigurationError(f"{self.name!r} is empty: no ICCIDs in it")
