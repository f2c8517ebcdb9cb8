"""Writes what became of each row, as it becomes known: CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol, Self

import attrs

from ...errors import ConfigurationError
from ...masking import mask_iccid
from .parquet import PARQUET, ParquetTable, columns_of, pyarrow_modules
from .resuming import RowSet, not_ours, rows_in_csv, rows_in_json_lines

# Also in full width: some spreadsheets take those for the same.
_FORMULA_STARTS = frozenset("=+-@\t\r\n＝＋－＠")
_FLUSHED_AFTER = 1_000
_BUFFER = 1 << 17


@attrs.frozen
class Record:
    """What became of one row; its fields are the columns of a table."""

    row: int
    given: str = attrs.field(repr=mask_iccid)
    iccid: str = attrs.field(repr=mask_iccid)
    """What was sent; empty where nothing was."""
    verdict: str
    reason: str
    attempts: int
    duplicate_of: int | None = None
    """The row where the same card stands first, which was sent for both."""


COLUMNS = tuple(field.name for field in attrs.fields(Record))
_INTEGERS = ("row", "attempts", "duplicate_of")
_TYPES: dict[str, type] = {name: int if name in _INTEGERS else str for name in COLUMNS}


class Sink(Protocol):
    """Somewhere to write records; OSError where there is no room for them."""

    @property
    def written(self) -> RowSet:
        """The rows that were in the file when it was opened; those written since are not added."""
        ...

    def write(self, record: Record) -> None:
        """Write one record; it is handed to the system with others, or by `flush`.

        One whose row is in `written` is left out: after a crash the file may know of it and the
        journal not.
        """
        ...

    def flush(self) -> None:
        """Hand everything to the system, so that it outlasts this process."""
        ...

    def close(self) -> None:
        """Hand everything to the system and end the writing."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def formula_safe(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would take for a formula."""
    return f"'{text}" if text[:1] in _FORMULA_STARTS else text


class _FileSink:
    """Writes to a stream that buffers; on one that does not, each record is a call to the system."""

    def __init__(self, stream: IO[bytes], written: RowSet | None = None) -> None:
        self.written = RowSet() if written is None else written
        """The rows that were in the file when it was opened; those written since are not added."""
        self._stream = stream
        self._unflushed = 0

    def flush(self) -> None:
        """Hand everything to the system."""
        self._unflushed = 0
        self._stream.flush()

    def close(self) -> None:
        """Hand everything to the system and close the stream."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _counted(self) -> None:
        self._unflushed += 1
        if self._unflushed >= _FLUSHED_AFTER:
            self.flush()


class _Utf8:
    """Writes text to a byte stream, so that nothing on the way changes line ends or spelling.

    With `end` the file is cut off there, as soon as something is written: a run that is refused
    must not touch the file, which another process may be writing.
    """

    def __init__(self, stream: IO[bytes], end: int | None = None) -> None:
        self._write = stream.write
        self._stream, self._end = stream, end

    def write(self, text: str) -> None:
        if self._end is not None:
            self._stream.seek(self._end)
            self._stream.truncate()
            self._end = None
        # A lone surrogate can come from a text stream; so it stays readable, also as JSON.
        self._write(text.encode("utf-8", "backslashreplace"))


class CsvSink(_FileSink):
    """A CSV table as RFC 4180 has it, with a header, safe to open in a spreadsheet.

    With `written` the stream has a table with its header, which is gone on with after `end` bytes.
    """

    def __init__(
        self, stream: IO[bytes], written: RowSet | None = None, end: int | None = None
    ) -> None:
        super().__init__(stream, written)
        self._write_row = csv.writer(_Utf8(stream, end)).writerow
        if written is None:
            self._write_row(COLUMNS)
            stream.flush()

    def write(self, record: Record) -> None:
        """Write one row of the table, unless it is there."""
        if record.row in self.written:
            return
        self._write_row(
            (
                record.row,
                formula_safe(record.given),
                formula_safe(record.iccid),
                formula_safe(record.verdict),
                formula_safe(record.reason),
                record.attempts,
                record.duplicate_of,
            )
        )
        self._counted()


class JsonLinesSink(_FileSink):
    """One JSON object in each line."""

    def __init__(
        self, stream: IO[bytes], written: RowSet | None = None, end: int | None = None
    ) -> None:
        super().__init__(stream, written)
        self._text = _Utf8(stream, end)
        self._encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

    def write(self, record: Record) -> None:
        """Write one line, unless it is there."""
        if record.row in self.written:
            return
        self._text.write(self._encode({name: getattr(record, name) for name in COLUMNS}) + "\n")
        self._counted()


class ParquetSink(_FileSink):
    """A Parquet file, in row groups of some 20,000 records; readable only once it is closed.

    With `anew` what the stream has is overwritten, as soon as there is a record.
    """

    def __init__(self, stream: IO[bytes], *, anew: bool = False) -> None:
        super().__init__(stream)
        self._table = None if anew else ParquetTable(stream, _TYPES)

    def write(self, record: Record) -> None:
        """Add one record to the row group."""
        if self._table is None:
            self._stream.truncate()
            self._table = ParquetTable(self._stream, _TYPES)
        self._table.add(tuple(getattr(record, name) for name in COLUMNS))

    def close(self) -> None:
        """Write the last row group and the end that makes the file readable, and close it."""
        try:
            if self._table is not None:
                self._table.close()
        finally:
            super().close()


_KINDS: dict[str, type[CsvSink | JsonLinesSink | ParquetSink]] = {
    ".csv": CsvSink,
    ".jsonl": JsonLinesSink,
    ".parquet": ParquetSink,
}


def check_ending(path: str | os.PathLike[str]) -> None:
    """Refuse a name that does not end in .csv, .jsonl or .parquet, and that without pyarrow."""
    ending = Path(path).suffix.lower()
    if ending not in _KINDS:
        raise ConfigurationError(f"{os.fspath(path)!r} must end in {' or '.join(_KINDS)}")
    if ending == ".parquet":
        pyarrow_modules()


def open_sink(path: str | os.PathLike[str], *, force: bool = False, resume: bool = False) -> Sink:
    """Open a file for records, by its ending; it must be new, unless `force` or `resume`.

    With `resume` a file of an earlier run is gone on with: `written` tells the rows up to the first
    that failed, is unknown or was cut off in the middle, and what stands from there on is removed
    when the first record is written. A Parquet file starts anew then, with nothing in `written`:
    one that was not finished cannot be read. ConfigurationError where the file is not one of these
    results, or holds a row twice; it stays as it is then.
    """
    check_ending(path)
    if force and resume:
        raise ConfigurationError("force overwrites what resume would go on with: choose one")
    name, ending = os.fspath(path), Path(path).suffix.lower()
    try:
        if resume and os.path.exists(path):
            return _resumed(name, ending)
        return _made(_KINDS[ending], open(path, "wb" if force else "xb", _BUFFER))
    except FileExistsError as error:
        raise ConfigurationError(f"{name!r} is there already") from error
    except (OSError, ValueError) as error:
        if isinstance(error, ConfigurationError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(f"cannot write {name!r}: {reason}") from error


def _resumed(name: str, ending: str) -> Sink:
    if ending == ".parquet":
        _check_parquet(name)
        return _made(lambda stream: ParquetSink(stream, anew=True), open(name, "r+b", _BUFFER))
    read, kind = (rows_in_csv, CsvSink) if ending == ".csv" else (rows_in_json_lines, JsonLinesSink)

    def go_on(stream: IO[bytes]) -> Sink:
        written, end = read(stream, COLUMNS, name)
        return kind(stream, written if end else None, end)

    return _made(go_on, open(name, "r+b", _BUFFER))


def _check_parquet(name: str) -> None:
    """Refuse to overwrite what is no file of results, nor the beginning of one."""
    columns = columns_of(name)
    if columns is None:
        with open(name, "rb") as stream:
            is_ours = PARQUET.startswith(stream.read(len(PARQUET)))
    else:
        is_ours = columns == list(COLUMNS)
    if not is_ours:
        raise not_ours(name)


def _made(make: Callable[[IO[bytes]], Sink], stream: IO[bytes]) -> Sink:
    try:
        return make(stream)
    except BaseException:
        stream.close()
        raise
