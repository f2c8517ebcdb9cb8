"""Reads ICCIDs from tables and lists, row by row; never more than one line is in memory."""

from __future__ import annotations

import csv
import os
import re
import stat
from collections.abc import Iterator
from itertools import chain
from typing import IO, Any, Self

import attrs

from ..errors import ConfigurationError
from ..masking import mask_iccid, one_line

KNOWN_COLUMNS = (
    "iccid",
    "iccids",
    "deviceCode",
    "sim_id",
    "sim_ids",
    "sim_iccid",
    "card_iccid",
    "iccid_number",
    "iccid_no",
    "sim_number",
)
"""Column names that are recognised, the likeliest first; case, spaces and '_' do not matter."""

MAX_LINE = 1 << 20
"""The longest line that is read; more is no table of cards."""

_DELIMITERS = ",;\t|"
_NOT_TEXT = {
    b"PK\x03\x04": "is an Excel workbook or a zip: save it as CSV UTF-8",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook: save it as CSV UTF-8",
    b"\x1f\x8b": "is compressed: unpack it first",
    b"\xff\xfe": "is UTF-16: save it as UTF-8",
    b"\xfe\xff": "is UTF-16: save it as UTF-8",
    b"%PDF": "is a PDF",
}


@attrs.frozen
class Row:
    """What a row gives as its ICCID, as it stands there; it may be anything."""

    number: int
    """As a spreadsheet counts: from 1, the header and blank rows included."""
    given: str = attrs.field(repr=mask_iccid)


@attrs.frozen
class _Layout:
    """Where the ICCID stands in a row; without a delimiter a line is a row."""

    delimiter: str | None
    index: int
    header: str | None


def read_iccids(source: str | os.PathLike[str] | IO[Any], column: str | None = None) -> IccidRows:
    """Read the ICCIDs of a CSV file, or of a text with one in each line; UTF-8, lazily.

    The column is the one named, else one with a known name, else the only one. A first row with
    a known name is the header, and so is one without any digit where there is one column only.
    Blank rows come as rows with nothing given, but for those after the last card, which end the
    file. ConfigurationError where it cannot be read, now or at the row where it is found.
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
    except ConfigurationError:
        stream.close()
        raise


class IccidRows:
    """An iterator over rows; close it, or use it in `with`: that closes a file named by path."""

    def __init__(self, stream: IO[Any], name: str, column: str | None, *, owned: bool) -> None:
        self.name = name
        self._stream = stream
        self._owned = owned
        self._lines = _Lines(stream, name)
        self._layout, rows = self._begin(column)
        first = next(rows, None)
        if first is None:
            raise ConfigurationError(f"{name!r} has a header and no rows below it")
        self._rows = chain((first,), rows)

    @property
    def header(self) -> str | None:
        """The name of the column, or None where the first row is a card already."""
        return self._layout.header

    @property
    def bytes_read(self) -> int:
        """How far the file was read."""
        return self._lines.offset

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

    def close(self) -> None:
        """Close the file; a stream that was given stays open."""
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

    def _begin(self, column: str | None) -> tuple[_Layout, Iterator[Row]]:
        """Read up to the first row that says something, which shows how the rest is laid out."""
        blank = 0
        for line in self._lines:
            if line.strip(_DELIMITERS + " \t\r\n\"'"):
                break
            blank += 1
        else:
            raise ConfigurationError(f"{self.name!r} is empty: no ICCIDs in it")
        layout = _layout(line, column, self.name)
        lines: Iterator[str] = self._lines
        number = blank + 1
        if layout.header is None:
            lines, number = chain(("\n" for _ in range(blank)), (line,), lines), 0
        return layout, _without_blank_end(self._cells(layout, lines), number)

    def _cells(self, layout: _Layout, lines: Iterator[str]) -> Iterator[tuple[str, bool]]:
        """Give what stands in the column, and whether the whole row is blank."""
        if layout.delimiter is None:
            for line in lines:
                text = line.rstrip("\r\n")
                if "\r" in text:
                    raise ConfigurationError(
                        f"{self.name!r}: lines end in CR alone: save it with LF or CRLF"
                    )
                yield text, not text.strip()
            return
        try:
            # Strict: a quote that is never closed would swallow the rows after it.
            for cells in csv.reader(lines, delimiter=layout.delimiter, strict=True):
                text = cells[layout.index] if layout.index < len(cells) else ""
                yield text, not any(cell.strip() for cell in cells)
        except csv.Error as error:
            raise ConfigurationError(
                f"{self.name!r}: the row that ends in line {self._lines.number} "
                f"is not valid CSV: {error}"
            ) from error


class _Lines(Iterator[str]):
    """Decodes one line after another, so that a wrong byte can be told to the place."""

    def __init__(self, stream: IO[Any], name: str) -> None:
        self._stream = stream
        self._name = name
        self.number = 0
        self.offset = 0

    def __next__(self) -> str:
        try:
            line: str | bytes = self._stream.readline(MAX_LINE + 1)
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ConfigurationError(f"cannot read {self._name!r}: {reason}") from error
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
        self.offset += len(line)
        return text.removeprefix("\ufeff") if self.number == 1 else text

    def _decoded(self, line: bytes) -> str:
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            raise ConfigurationError(
                f"{self._name!r} is not UTF-8: byte 0x{line[error.start]:02X} in line "
                f"{self.number}, byte {self.offset + error.start} of the file"
            ) from error

    def _check_kind(self, first: bytes) -> None:
        for magic, what in _NOT_TEXT.items():
            if first.startswith(magic):
                raise ConfigurationError(f"{self._name!r} {what}")


def _without_blank_end(cells: Iterator[tuple[str, bool]], number: int) -> Iterator[Row]:
    """Number the rows; hold back blank ones until it is known that another one follows."""
    blank = 0
    for text, is_blank in cells:
        number += 1
        if is_blank:
            blank += 1
            continue
        while blank:
            yield Row(number - blank, "")
            blank -= 1
        yield Row(number, text)


def _layout(first: str, column: str | None, name: str) -> _Layout:
    delimiter = max(_DELIMITERS, key=first.count)
    if delimiter not in first:
        return _only_column(first.strip().strip("\"'"), None, 0, column, name)
    try:
        (cells,) = csv.reader([first], delimiter=delimiter, strict=True)
    except csv.Error as error:
        raise ConfigurationError(f"{name!r}: the first row is not valid CSV: {error}") from error
    filled = [index for index, cell in enumerate(cells) if cell.strip()]
    if len(filled) == 1:
        return _only_column(cells[filled[0]].strip(), delimiter, filled[0], column, name)
    index = _named_column(cells, column, name)
    return _Layout(delimiter, index, cells[index].strip())


def _only_column(
    cell: str, delimiter: str | None, index: int, column: str | None, name: str
) -> _Layout:
    if column is not None:
        _named_column([cell], column, name)
        return _Layout(delimiter, index, cell)
    is_header = not re.search(r"\d", cell)
    return _Layout(delimiter, index, cell if is_header else None)


def _named_column(cells: list[str], column: str | None, name: str) -> int:
    """Find the column asked for, or the likeliest one."""
    if column is not None:
        exact = [index for index, cell in enumerate(cells) if cell.strip() == column.strip()]
        found = exact or [i for i, cell in enumerate(cells) if _bare(cell) == _bare(column)]
        problem = f"no column {column!r}"
    else:
        names = [_bare(cell) for cell in cells]
        wanted = next((known for known in map(_bare, KNOWN_COLUMNS) if known in names), None)
        found = [index for index, known in enumerate(names) if known == wanted]
        problem = "no column is known to hold ICCIDs, name one"
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigurationError(f"{name!r}: the column {cells[found[0]]!r} stands there twice")
    shown = ", ".join(one_line(cell.strip(), 40) or "(no name)" for cell in cells[:20])
    raise ConfigurationError(f"{name!r}: {problem}; the columns are: {shown}")


def _bare(name: str) -> str:
    return re.sub(r"[\s_\-.]+", "", name).casefold()
