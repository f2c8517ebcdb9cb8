"""What an input looks like before anything is sent: fit and unfit rows, doubles, check digits."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from typing import Any

import attrs
import click

from ..bulk.files.sources import Row
from ..bulk.iccid import clean_iccid, passes_luhn
from ..errors import InvalidInput
from .output import count, show_facts, show_table

_AT_ONCE = 10_000
_PROBLEMS_KEPT = 10


@attrs.define
class Check:
    """What was found; of constant size."""

    rows: int = 0
    unfit: int = 0
    duplicates: int = 0
    luhn_failures: int = 0
    reasons: Counter[str] = attrs.field(factory=Counter)
    problems: list[tuple[int, str, str]] = attrs.field(factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether every row holds an ICCID; doubles and check digits are warnings."""
        return self.unfit == 0

    def as_json(self) -> dict[str, Any]:
        """Give it for machines."""
        return {
            "rows": self.rows,
            "fit": self.rows - self.unfit,
            "unfit": self.unfit,
            "reasons": dict(self.reasons.most_common()),
            "duplicates": self.duplicates,
            "luhn_failures": self.luhn_failures,
            "first_problems": [
                {"row": row, "given": given, "reason": reason}
                for row, given, reason in self.problems
            ],
        }

    def show(self) -> None:
        """Write it for people."""
        show_facts(
            [
                ("rows", f"{self.rows:,}"),
                ("fit to be sent", f"{self.rows - self.unfit:,}"),
                ("not an ICCID", f"{self.unfit:,}"),
                ("doubles, sent once", f"{self.duplicates:,}"),
                ("check digit fails", f"{self.luhn_failures:,} (a warning: most genuine ones do)"),
            ]
        )
        if self.problems:
            click.echo(f"\nNo ICCID, the first {count(len(self.problems), 'row')}:")
            show_table(("row", "given", "reason"), self.problems)


def input_check(rows: Iterable[Row]) -> Check:
    """Look at every row; memory does not grow with them."""
    found = Check()
    with closing(sqlite3.connect("", isolation_level=None)) as seen:
        seen.execute("CREATE TABLE seen (iccid TEXT PRIMARY KEY) WITHOUT ROWID")
        batch: list[tuple[str]] = []
        for row in rows:
            found.rows += 1
            try:
                iccid = clean_iccid(row.given)
            except InvalidInput as problem:
                found.unfit += 1
                found.reasons[str(problem)] += 1
                if len(found.problems) < _PROBLEMS_KEPT:
                    found.problems.append((row.number, row.given, str(problem)))
                continue
            found.luhn_failures += not passes_luhn(iccid)
            batch.append((iccid,))
            if len(batch) == _AT_ONCE:
                found.duplicates += _doubles(seen, batch)
                batch.clear()
        found.duplicates += _doubles(seen, batch)
    return found


def _doubles(seen: sqlite3.Connection, batch: list[tuple[str]]) -> int:
    seen.execute("BEGIN")
    done = seen.executemany("INSERT OR IGNORE INTO seen VALUES (?)", batch)
    seen.execute("COMMIT")
    return len(batch) - max(0, done.rowcount)
