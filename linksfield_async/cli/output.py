"""How results are shown: JSON for machines, tables and facts for people."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import attrs
import click

from ..operation import Model

_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


def visible(text: str) -> str:
    """Escape what a terminal would act on; nothing is masked and nothing cut."""
    return _escaped(text, lambda char: char.encode("unicode_escape").decode("ascii"))


def _escaped(text: str, escape: Callable[[str], str]) -> str:
    def one(match: re.Match[str]) -> str:
        return match[0] if match[0].isprintable() else escape(match[0])

    return _UNPRINTABLE.sub(one, text)


def as_json(value: Any) -> Any:
    """Turn results into JSON values: amounts and dates as text, models by Python names."""
    if isinstance(value, Model):
        facts = {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}
        if not facts["extra"]:
            del facts["extra"]
        return as_json(facts)
    if isinstance(value, Mapping):
        return {str(name): as_json(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(one) for one in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, date) else value


def show_json(value: Any) -> None:
    """Write JSON to stdout, escaped where a terminal would act on it."""
    text = json.dumps(as_json(value), ensure_ascii=False, indent=2)
    # Line ends stand between values only; inside a text JSON has escaped them.
    lines = (_escaped(line, lambda char: json.dumps(char)[1:-1]) for line in text.split("\n"))
    click.echo("\n".join(lines))


def cell(value: Any) -> str:
    """Write one value for people, on one line."""
    if value is None:
        return ""
    if isinstance(value, (Mapping, list, tuple)):
        return visible(json.dumps(as_json(value), ensure_ascii=False))
    return visible(str(as_json(value)))


def facts_of(model: Model) -> list[tuple[str, Any]]:
    """List what is known of a result, what it brought beyond its fields included."""
    facts = [(f.name, getattr(model, f.name)) for f in attrs.fields(type(model))]
    known = [(name, value) for name, value in facts if name != "extra" and value is not None]
    return known + [(f"extra.{name}", value) for name, value in model.extra.items()]


def show_facts(facts: Iterable[tuple[str, Any]]) -> None:
    """Write names and values, aligned."""
    lines = [(visible(name), cell(value)) for name, value in facts]
    longest = max((_width(name) for name, _ in lines), default=0)
    for name, value in lines:
        click.echo(f"{_padded(name, longest)}  {value}".rstrip())


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table: with lines on a terminal, else plain aligned columns."""
    texts = [[cell(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        _show_rich(columns, texts)
        return
    widths = [max(map(_width, column)) for column in zip(columns, *texts, strict=True)]
    for line in (list(columns), *texts):
        padded = (_padded(text, width) for text, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def _show_rich(columns: Sequence[str], texts: list[list[str]]) -> None:
    # Imported where a terminal is there: it takes longer to load than most commands to run.
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        # Folded, not cut: half an ICCID is worth nothing.
        table.add_column(column, overflow="fold")
    for line in texts:
        table.add_row(*(Text(text) for text in line))
    Console(file=sys.stdout, highlight=False).print(table)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def count(number: int, what: str) -> str:
    """Write a number and what it counts: `1 card`, `2 cards`."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")
