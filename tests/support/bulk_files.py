"""Input and results of runs of the command line, written and read."""

from __future__ import annotations

import csv
from pathlib import Path

from bulk_program import iccid


def written_cards(path: Path, count: int) -> Path:
    """Write a table of so many cards below a header: the row of card n is n + 2."""
    path.write_text("iccid\n" + "".join(f"{iccid(n)}\n" for n in range(count)))
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    """Read a table of results."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def check_rows(path: Path, count: int) -> None:
    """Each row stands there exactly once, with its own card, and is valid."""
    rows = rows_of(path)
    assert sorted(int(row["row"]) for row in rows) == list(range(2, count + 2))
    assert all(row["iccid"] == iccid(int(row["row"]) - 2) for row in rows)
    assert {row["verdict"] for row in rows} == {"valid"}
