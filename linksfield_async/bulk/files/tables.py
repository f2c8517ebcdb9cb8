"""How a table or a list is laid out, and what stands in the column of its ICCIDs."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain

import attrs

from ...errors import ConfigurationError
from ...masking import mask_iccid, one_line
from .lines import Lines

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

DELIMITERS = ",;\t|"


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


def table_rows(
    lines: Lines, first: str, blank: int, column: str | None, name: str
) -> tuple[str | None, Iterator[Row]]:
    """Give the header, if there is one, and the rows below it.

    `first` is the first line that says something, `blank` how many lines stand above it.
    """
    layout = _layout(first, column, name)
    rest: Iterator[str] = lines
    number = blank + 1
    if layout.header is None:
        rest, number = chain(("\n" for _ in range(blank)), (first,), lines), 0
    return layout.header, without_blank_end(_cells(layout, rest, lines, name), number)


def without_blank_end(cells: Iterator[tuple[str, bool]], number: int) -> Iterator[Row]:
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


def named_column(cells: Sequence[str], column: str | None, name: str) -> int:
    """Find the column asked for, or the likeliest one; ConfigurationError lists those there are."""
    if column is not None:
        exact = [index for index, cell in enumerate(cells) if cell.strip() == column.strip()]
        found = exact or [i for i, cell in enumerate(cells) if bare(cell) == bare(column)]
        problem = f"no column {column!r}"
    else:
        names = [bare(cell) for cell in cells]
        wanted = next((known for known in map(bare, KNOWN_COLUMNS) if known in names), None)
        found = [index for index, known in enumerate(names) if known == wanted]
        problem = "no column is known to hold ICCIDs, name one"
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigurationError(f"{name!r}: the column {cells[found[0]]!r} stands there twice")
    shown = ", ".join(one_line(cell.strip(), 40) or "(no name)" for cell in cells[:20])
    raise ConfigurationError(f"{name!r}: {problem}; the columns are: {shown}")


def bare(name: str) -> str:
    """Give a column's name without what does not matter in it."""
    return re.sub(r"[\s_\-.]+", "", name).casefold()


def _cells(
    layout: _Layout, lines: Iterator[str], counted: Lines, name: str
) -> Iterator[tuple[str, bool]]:
    """Give what stands in the column, and whether the whole row is blank."""
    if layout.delimiter is None:
        for line in lines:
            text = line.rstrip("\r\n")
            if "\r" in text:
                raise ConfigurationError(
                    f"{name!r}: lines end in CR alone: save it with LF or CRLF"
                )
            yield text, not text.strip()
        return
    try:
        # Strict: a quote that is never closed would swallow the rows after it.
        for cells in csv.reader(lines, delimiter=layout.delimiter, strict=True):
            text = cells[layout.index] if layout.index < len(cells) else ""
            yield text, not (text.strip() or any(cell.strip() for cell in cells))
    except csv.Error as error:
        raise ConfigurationError(
            f"{name!r}: the row that ends in line {counted.number} is not valid CSV: {error}"
        ) from error


def _layout(first: str, column: str | None, name: str) -> _Layout:
    delimiter = max(DELIMITERS, key=first.count)
    if delimiter not in first:
        return _only_column(first.strip().strip("\"'"), None, 0, column, name)
    try:
        (cells,) = csv.reader([first], delimiter=delimiter, strict=True)
    except csv.Error as error:
        raise ConfigurationError(f"{name!r}: the first row is not valid CSV: {error}") from error
    filled = [index for index, cell in enumerate(cells) if cell.strip()]
    if len(filled) == 1:
        return _only_column(cells[filled[0]].strip(), delimiter, filled[0], column, name)
    index = named_column(cells, column, name)
    return _Layout(delimiter, index, cells[index].strip())


def _only_column(
    cell: str, delimiter: str | None, index: int, column: str | None, name: str
) -> _Layout:
    if column is not None:
        named_column([cell], column, name)
        return _Layout(delimiter, index, cell)
    is_header = not re.search(r"\d", cell)
    return _Layout(delimiter, index, cell if is_header else None)
