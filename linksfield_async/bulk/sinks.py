"""Writes what became of each row, as it becomes known: CSV or JSON lines."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import IO, Protocol, Self

import attrs

from ..errors import ConfigurationError
from ..masking import mask_iccid

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


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


COLUMNS = tuple(field.name for field in attrs.fields(Record))


class Sink(Protocol):
    """Somewhere to write records; every one is handed to the system at once."""

    def write(self, record: Record) -> None:
        """Write one record."""
        ...

    def close(self) -> None:
        """End the writing; what was written stays."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def formula_safe(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would take for a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


class _Utf8:
    """Writes text to a byte stream, so that nothing on the way changes line ends or spelling."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        # A lone surrogate can come from a text stream; so it stays readable, also as JSON.
        self.stream.write(text.encode("utf-8", "backslashreplace"))


class _FileSink:
    def __init__(self, stream: IO[bytes]) -> None:
        self._text = _Utf8(stream)

    def close(self) -> None:
        """Close the stream."""
        self._text.stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class CsvSink(_FileSink):
    """A CSV table as RFC 4180 has it, with a header, safe to open in a spreadsheet."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(stream)
        self._writer = csv.writer(self._text)
        self._writer.writerow(COLUMNS)
        stream.flush()

    def write(self, record: Record) -> None:
        """Write one row of the table."""
        values = attrs.astuple(record)
        self._writer.writerow([formula_safe(v) if isinstance(v, str) else v for v in values])
        self._text.stream.flush()


class JsonLinesSink(_FileSink):
    """One JSON object in each line."""

    def write(self, record: Record) -> None:
        """Write one line."""
        line = json.dumps(attrs.asdict(record), ensure_ascii=False, separators=(",", ":"))
        self._text.write(line + "\n")
        self._text.stream.flush()


_KINDS: dict[str, type[CsvSink | JsonLinesSink]] = {".csv": CsvSink, ".jsonl": JsonLinesSink}


def check_ending(path: str | os.PathLike[str]) -> None:
    """Refuse a name that does not end in .csv or .jsonl."""
    if Path(path).suffix.lower() not in _KINDS:
        raise ConfigurationError(f"{os.fspath(path)!r} must end in {' or '.join(_KINDS)}")


def open_sink(path: str | os.PathLike[str], *, force: bool = False) -> Sink:
    """Open a file for records, CSV or JSON lines by its ending; it must be new, unless `force`."""
    check_ending(path)
    try:
        # Kept open for the records; closed by the sink that is given back.
        stream = open(path, "wb" if force else "xb")  # noqa: SIM115
    except FileExistsError as error:
        raise ConfigurationError(f"{os.fspath(path)!r} is there already") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(f"cannot write {os.fspath(path)!r}: {reason}") from error
    return _KINDS[Path(path).suffix.lower()](stream)
