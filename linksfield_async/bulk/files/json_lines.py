"""Reads ICCIDs from JSON lines; a line that is no good is a row like any other, told as such."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

from ...errors import ConfigurationError
from ..iccid import unfit
from .lines import Lines
from .tables import Row, bare, named_column, without_blank_end


class _Number(str):
    """A number as it was written: every digit of it, whatever its size."""

    __slots__ = ()


_DECODE = json.JSONDecoder(parse_int=_Number, parse_float=_Number, parse_constant=_Number).decode


def looks_like_json(path: str, first: str) -> bool:
    """Say whether these are JSON lines, by the name of the file or the first line in it."""
    stem = path.lower().removesuffix(".gz")
    return stem.endswith((".jsonl", ".ndjson")) or first.lstrip().startswith("{")


def json_rows(
    lines: Lines, first: str, blank: int, column: str | None, name: str
) -> tuple[str | None, Iterator[Row]]:
    """Give the name of the field, where the first line has fields, and a row for each line.

    `first` is the first line that says something, `blank` how many lines stand above it.
    """
    if first.strip() in ("{", "[") or first.lstrip().startswith("["):
        raise ConfigurationError(
            f"{name!r} is JSON, but not JSON lines: write one object in each line, and no list"
        )
    lines.lenient = True
    field = _Field(column, name)
    value = _decoded(first)
    if isinstance(value, dict):
        field.find(value)
    rest = chain(repeat("", blank), (first,), lines)
    return field.name, without_blank_end(_cells(field, rest), 0)


class _Field:
    """The field that holds the ICCIDs, found in the first object there is."""

    def __init__(self, column: str | None, source: str) -> None:
        self.name: str | None = None
        self._column = column
        self._source = source

    def find(self, value: dict[str, Any]) -> None:
        names = list(value)
        alone = len(names) == 1 and self._column is None
        self.name = names[0] if alone else names[named_column(names, self._column, self._source)]

    def given(self, value: Any) -> str:
        """Give the ICCID in a line as text; what cannot be one is marked, so that it is refused."""
        if isinstance(value, dict):
            if self.name is None:
                self.find(value)
            if self.name not in value:
                return self._spelled_otherwise(value)
            value = value[self.name]
        if type(value) is str:
            return value
        if type(value) is _Number:
            return unfit("number", value)
        return "" if value is None else unfit("not text", json.dumps(value, ensure_ascii=False))

    def _spelled_otherwise(self, value: dict[str, Any]) -> str:
        assert self.name is not None  # noqa: S101 - found before
        wanted = bare(self.name)
        found = [key for key in value if bare(key) == wanted]
        if len(found) != 1:
            # Only their names: the values of other fields are nobody's business here.
            return unfit("no field", ", ".join(value))
        return self.given(value[found[0]])


class _NoJson:
    """Stands for a line that cannot be read."""


def _decoded(line: str) -> Any:
    try:
        return _DECODE(line)
    except (ValueError, RecursionError):
        return _NoJson


def _cells(field: _Field, lines: Iterator[str]) -> Iterator[tuple[str, bool]]:
    for line in lines:
        text = line.strip()
        if not text:
            yield "", True
            continue
        value = _decoded(text)
        yield (unfit("not JSON", text) if value is _NoJson else field.given(value)), False
