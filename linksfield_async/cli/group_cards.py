"""The cards of a file for a change of a group: good ones once each, and what is wrong else."""

from __future__ import annotations

import sys

import attrs
import click

from ..bulk.files.sources import read_iccids
from ..bulk.iccid import clean_iccid
from ..errors import ConfigurationError
from .failure import WrongUse
from .output import count

_SHOWN_BAD_ROWS = 20


@attrs.frozen
class CardFile:
    """The cards of a file."""

    iccids: list[str]
    bad: list[tuple[int, str]]
    """Rows without an ICCID, and why."""
    doubles: int


def read_cards(
    file: str, column: str | None, *, skip_bad: bool, may_be_empty: bool = False
) -> CardFile:
    """Read the cards of a file, `-` is stdin; WrongUse where it cannot be sent as it is."""
    cards = _read(file, column)
    for number, problem in cards.bad[:_SHOWN_BAD_ROWS]:
        click.echo(f"row {number}: {problem}", err=True)
    if len(cards.bad) > _SHOWN_BAD_ROWS:
        click.echo(f"… and {len(cards.bad) - _SHOWN_BAD_ROWS} more", err=True)
    if cards.bad and not skip_bad:
        rows = count(len(cards.bad), "row")
        raise WrongUse(f"{rows} without an ICCID, nothing was sent; --skip-bad leaves them out")
    if not cards.iccids and not may_be_empty:
        raise WrongUse("no ICCID is left to send, nothing was sent")
    return cards


def _read(file: str, column: str | None) -> CardFile:
    source = sys.stdin.buffer if file == "-" else file
    good: dict[str, None] = {}
    bad: list[tuple[int, str]] = []
    doubles = 0
    with read_iccids(source, column) as rows:
        for row in rows:
            try:
                iccid = clean_iccid(row.given)
            except ConfigurationError as error:
                bad.append((row.number, str(error)))
            else:
                doubles += iccid in good
                good[iccid] = None
    return CardFile(list(good), bad, doubles)
