"""Counts the outcomes of a run while it goes on, and shows how far it has come."""

from __future__ import annotations

import sys
import time
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import click

from ..bulk.files.sinks import Record
from ..bulk.progress import VERDICTS, Progress
from .output import count, show_facts, show_table, visible

_PROBLEMS_KEPT = 10
_SECONDS_BETWEEN_LINES = 5.0


class Tally:
    """The counts of a run and its first problems; its size does not grow with the run."""

    def __init__(self) -> None:
        self.verdicts: Counter[str] = Counter()
        self.problems: list[Record] = []
        self._started = time.monotonic()

    def add(self, record: Record) -> None:
        """Count one outcome."""
        self.verdicts[record.verdict] += 1
        if record.verdict != "valid" and len(self.problems) < _PROBLEMS_KEPT:
            self.problems.append(record)

    @property
    def rows(self) -> int:
        """How many rows are done."""
        return self.verdicts.total()

    @property
    def all_valid(self) -> bool:
        """Whether every row that is done is a good card."""
        return self.rows == self.verdicts["valid"]

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return time.monotonic() - self._started

    @property
    def per_second(self) -> float:
        """Rows done in a second, on average."""
        return self.rows / max(self.seconds, 1e-9)

    def as_json(self, *, header: str | None, out: str | None, interrupted: bool) -> dict[str, Any]:
        """Give the summary for machines."""
        return {
            "rows": self.rows,
            "verdicts": {verdict: self.verdicts[verdict] for verdict in VERDICTS},
            "seconds": round(self.seconds, 3),
            "per_second": round(self.per_second, 1),
            "column": header,
            "out": out,
            "interrupted": interrupted,
            "first_problems": [
                {"row": one.row, "given": one.given, "verdict": one.verdict, "reason": one.reason}
                for one in self.problems
            ],
        }

    def show(self, *, header: str | None, out: str | None, to_stderr: bool) -> None:
        """Write the summary for people."""
        if to_stderr:
            counts = ", ".join(f"{self.verdicts[v]:,} {v}" for v in VERDICTS if self.verdicts[v])
            line = f"{count(self.rows, 'row')} in {self.seconds:.1f} s: {counts}"
            # Named where there is one: a first row taken for a header is no card.
            told = f"; column {visible(header)}" if header else ""
            click.echo(line + told, err=True)
            return
        facts: list[tuple[str, Any]] = [("rows", f"{self.rows:,}")]
        facts += [(verdict, f"{self.verdicts[verdict]:,}") for verdict in VERDICTS]
        facts += [("seconds", f"{self.seconds:.1f}"), ("per second", f"{self.per_second:,.0f}")]
        facts += [("column", header or "(the only one, no header)"), ("results", out or "not kept")]
        show_facts(facts)
        if self.problems:
            click.echo(f"\nThe first {count(len(self.problems), 'row')} not valid:")
            show_table(
                ("row", "given", "verdict", "reason"),
                ((one.row, one.given, one.verdict, one.reason) for one in self.problems),
            )


def line(told: Progress) -> str:
    """Say in one line how far a run has come."""
    rows, valid = told.total - told.todo, told.verdicts["valid"]
    limit = "" if told.calls_per_second is None else f", limit {told.calls_per_second:,.0f}/s"
    return (
        f"{count(rows, 'row')}: {valid:,} valid, {rows - valid:,} not, "
        f"{told.per_second:,.0f}/s{limit}, {told.in_flight} under way"
    )


class Shown(Protocol):
    """Shows how far a run has come, on stderr."""

    def update(self, told: Progress, done: int) -> None:
        """Show it anew, if it is time to; `done` are the bytes read."""
        ...


class Lines:
    """A plain line every few seconds, for logs."""

    def __init__(self, every: float = _SECONDS_BETWEEN_LINES) -> None:
        self._every = every
        self._next = time.monotonic() + every

    def update(self, told: Progress, done: int) -> None:
        """Write a line where the last one is some seconds old."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every
            click.echo(line(told), err=True)


def progress(size: int | None) -> AbstractContextManager[Shown]:
    """Choose a bar where stderr is a terminal, else lines; `size` is that of the input, if known."""
    if not sys.stderr.isatty():
        return nullcontext(Lines())
    from .bar import Bar  # noqa: PLC0415 - rich takes long to load

    return Bar(size)
