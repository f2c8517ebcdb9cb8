"""A sample file of cards as real life delivers them, made for `Sandbox(cards=10_000, seed=1)`."""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from .cards import Cards
from .ids import dice
from .plans import REGIONS

SAMPLE_CARDS = Path(__file__).with_name("cards.csv")
"""The shipped sample file."""

SAMPLE_COLUMNS = ("iccid", "order_ref", "customer", "region")

_SEED = 1
_CARDS = 10_000
_FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
_CUSTOMERS = (
    "Acme Travel Ltd",
    "Lindqvist, Maria",
    "Nordlicht GmbH, Berlin",
    "Tan Wei Ming",
    "Okafor & Sons",
    'The "Roamers" Club',
    "李雷",
    "Dupont, Société Générale de Voyages",
    "Fleetline Telematics",
    "Sato Logistics K.K.",
)


def _rounded(iccid: str) -> str:
    """Write a number as a spreadsheet keeps it: sixteen digits are right, the rest are not."""
    return f"{float(iccid):.0f}.0"


def _groups_of_four(iccid: str) -> str:
    return " ".join(iccid[start : start + 4] for start in range(0, len(iccid), 4))


# kind -> (how many, what became of the ICCID, whether it can be restored)
_SPOILED: Mapping[str, tuple[int, Callable[[str], str]]] = {
    "exponent": (25, lambda iccid: f"{float(iccid):.5E}"),
    "exponent with comma": (20, lambda iccid: f"{float(iccid):.5E}".replace(".", ",")),
    "decimal point": (15, _rounded),
    "spaces around": (40, lambda iccid: f" {iccid}  "),
    "apostrophe": (25, lambda iccid: f"'{iccid}"),
    "spaces inside": (30, _groups_of_four),
    "full width": (10, lambda iccid: iccid.translate(_FULL_WIDTH)),
    "trailing F": (15, lambda iccid: f"{iccid}F"),
    "too short": (15, lambda iccid: iccid[:-5]),
    "too long": (10, lambda iccid: f"{iccid}12345"),
    "letters": (15, lambda iccid: f"{iccid[:8]}O{iccid[9:15]}I{iccid[16:]}"),
}

RECOVERABLE = frozenset(
    ("spaces around", "apostrophe", "spaces inside", "full width", "trailing F")
)
"""Kinds of cells from which the ICCID can be restored."""

_DUPLICATES = 165
_BLANKS = 40
_FOREIGN = 125
_SUSPENDED = 90


def sample_rows() -> Iterator[tuple[str, str]]:
    """Yield the ICCID cell of each row and its kind, which names what is wrong with it.

    Kinds: `valid`, `duplicate` (of a valid row before it), `blank`, `unknown`, `foreign`,
    `suspended`, and those of spoiled cells such as `exponent`, `too short` or `apostrophe`.
    """
    cards = Cards(_SEED, _CARDS, "own", "other")
    chance = dice(_SEED, "sample")
    valid = cards.iccids("valid")
    rows = _spoiled(valid)
    rows += [(chance.choice(("", "", " ")), "blank") for _ in range(_BLANKS)]
    rows += [(iccid, "unknown") for iccid in cards.iccids("unknown")]
    rows += [(iccid, "foreign") for iccid in islice(cards.iccids("foreign"), _FOREIGN)]
    rows += [(iccid, "suspended") for iccid in islice(cards.iccids("suspended"), _SUSPENDED)]
    wanted = _CARDS - len(rows) - _DUPLICATES
    rows += [(iccid, "valid") for iccid in islice(valid, wanted)]
    chance.shuffle(rows)
    yield from _with_duplicates(rows, chance)


def _spoiled(valid: Iterator[str]) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for kind, (count, spoil) in _SPOILED.items():
        # The pad fills an odd number of digits up to full bytes.
        fitting = (iccid for iccid in valid if kind != "trailing F" or len(iccid) == 19)
        rows += [(spoil(iccid), kind) for iccid in islice(fitting, count)]
    return rows


def _with_duplicates(
    rows: list[tuple[str, str]], chance: random.Random
) -> Iterator[tuple[str, str]]:
    """Repeat some valid rows further down."""
    places = [place for place, (_, kind) in enumerate(rows) if kind == "valid"]
    repeats: dict[int, list[str]] = {}
    for place in sorted(chance.sample(places, _DUPLICATES)):
        after = min(len(rows) - 1, place + chance.randrange(1, 400))
        repeats.setdefault(after, []).append(rows[place][0])
    for place, row in enumerate(rows):
        yield row
        for iccid in repeats.get(place, ()):
            yield iccid, "duplicate"


def sample_expectation() -> dict[str, int]:
    """Count the rows of each kind."""
    return dict(Counter(kind for _, kind in sample_rows()))


def write_sample(path: str | Path) -> None:
    """Write the sample file: UTF-8 with a byte order mark, lines ended by CR LF."""
    chance = dice(_SEED, "sample columns")
    with Path(path).open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(SAMPLE_COLUMNS)
        for number, (cell, _) in enumerate(sample_rows(), 1):
            region = chance.choice(REGIONS)
            name = region.chinese if chance.random() < 0.2 else region.english
            writer.writerow((cell, f"SO-2026-{number:06d}", chance.choice(_CUSTOMERS), name))
