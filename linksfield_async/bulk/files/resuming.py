"""Finds out which rows a file of results holds already, and where its last whole one ends."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from typing import IO

from ...errors import ConfigurationError

LONGEST_RECORD = 4 << 20
"""Bytes; more than that without an end is damage, not a record that was being written."""

UNDECIDED = ("failed", "unknown")
"""Verdicts that a further session may change; a file is gone on with from the first of them."""

_PAGE_BITS = 16  # 65,536 rows in a page of 8 KiB: dense rows cost a bit, a stray one costs 8 KiB
_IN_PAGE = (1 << _PAGE_BITS) - 1


class RowSet:
    """A set of row numbers: ten million in a file take 1.25 MB."""

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}
        self._count = 0

    def add(self, row: int) -> bool:
        """Add a row; False where it was there already."""
        page = self._pages.get(row >> _PAGE_BITS)
        if page is None:
            page = self._pages[row >> _PAGE_BITS] = bytearray((_IN_PAGE + 1) // 8)
        place, bit = (row & _IN_PAGE) >> 3, 1 << (row & 7)
        if page[place] & bit:
            return False
        page[place] |= bit
        self._count += 1
        return True

    def __contains__(self, row: int) -> bool:
        page = self._pages.get(row >> _PAGE_BITS)
        return page is not None and bool(page[(row & _IN_PAGE) >> 3] & 1 << (row & 7))

    def __len__(self) -> int:
        return self._count


def rows_in_csv(stream: IO[bytes], columns: Sequence[str], name: str) -> tuple[RowSet, int]:
    """Give the rows that are in a table whole, and the byte after the last of them.

    Only those before the first that is undecided: it will be written anew, and so what comes after
    it, to keep the order. 0 where not even the header is whole. ConfigurationError where it is
    another table.
    """
    header = ",".join(columns).encode() + b"\r\n"
    first = stream.readline(len(header))
    if first != header and not header.startswith(first):
        # A spreadsheet may have saved it with other line ends.
        if first != header[:-2] + b"\n":
            raise not_ours(name)
    elif first != header:
        return RowSet(), 0
    rows, end, in_quotes = RowSet(), len(first), False
    parts: list[bytes] = []
    open_bytes = 0
    for line in stream:
        parts.append(line)
        open_bytes += len(line)
        # Quotes inside a cell are doubled: an odd count means that the cell goes on.
        in_quotes ^= bool(line.count(b'"') & 1)
        if not in_quotes and line.endswith(b"\n"):
            if _is_undecided(b"".join(parts), columns):
                break
            _add(rows, parts[0][: parts[0].find(b",")], name)
            end, open_bytes = end + open_bytes, 0
            parts.clear()
        elif open_bytes > LONGEST_RECORD:
            raise ConfigurationError(f"{name!r} is damaged: a quote after byte {end} never ends")
    return rows, end


def _is_undecided(record: bytes, columns: Sequence[str]) -> bool:
    if not any(b",%s," % verdict.encode() in record for verdict in UNDECIDED):
        return False
    # The words may stand in another cell.
    cells = next(csv.reader(record.decode(errors="replace").splitlines(keepends=True)), [])
    return dict(zip(columns, cells, strict=False)).get("verdict") in UNDECIDED


def rows_in_json_lines(stream: IO[bytes], columns: Sequence[str], name: str) -> tuple[RowSet, int]:
    """Give the rows that are in a file whole, and the byte after the last of them.

    Only those before the first that is undecided, as in a table. ConfigurationError where it holds
    other lines.
    """
    # Quotes inside a text are escaped: this stands in no other field.
    undecided = [f'"verdict":"{verdict}"'.encode() for verdict in UNDECIDED]
    start = f'{{"{columns[0]}":'.encode()
    rows, end = RowSet(), 0
    for line in stream:
        is_whole = line.endswith(b"\n")
        if not end and not _begins_ours(line, start, columns, is_whole=is_whole):
            raise not_ours(name)
        if not is_whole or any(mark in line for mark in undecided):
            break
        _add(rows, line[len(start) : line.find(b",")] if line.startswith(start) else b"", name)
        end += len(line)
    return rows, end


def _begins_ours(line: bytes, start: bytes, columns: Sequence[str], *, is_whole: bool) -> bool:
    if not is_whole:
        return line.startswith(start) or start.startswith(line)
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and list(value) == list(columns)


def _add(rows: RowSet, number: bytes, name: str) -> None:
    if not number.isdigit() or len(number) > 18:
        raise ConfigurationError(
            f"{name!r} is damaged: its {len(rows) + 1}. result does not begin with a row number"
        )
    if not rows.add(int(number)):
        raise ConfigurationError(
            f"{name!r} has row {int(number)} twice: it holds more than one run; name another file"
        )


def not_ours(name: str) -> ConfigurationError:
    """Say that a file holds something else, which must not be overwritten."""
    return ConfigurationError(
        f"{name!r} is not a results file of this program: name another file to write to"
    )
