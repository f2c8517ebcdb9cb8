"""The shipped sample file is what the function writes, and holds what it says."""

import csv
import re
from collections import Counter

import pytest

from linksfield_async.sandbox import SAMPLE_CARDS, Sandbox
from linksfield_async.sandbox.sample import (
    RECOVERABLE,
    SAMPLE_COLUMNS,
    sample_expectation,
    sample_rows,
    write_sample,
)

WORLD = Sandbox(cards=10_000, seed=1).world
ROWS = list(sample_rows())
NOT_FULL = "0123456789"
FULL = "０１２３４５６７８９"


def cells(kind):
    return [cell for cell, one in ROWS if one == kind]


def restored(cell):
    return re.sub(r"[ 'F]", "", cell.translate(str.maketrans(FULL, NOT_FULL)))


def test_shipped_file_is_what_is_written(tmp_path):
    written = tmp_path / "cards.csv"
    write_sample(written)
    assert written.read_bytes() == SAMPLE_CARDS.read_bytes()


def test_form_of_the_file():
    raw = SAMPLE_CARDS.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbficcid,order_ref,customer,region\r\n")
    assert raw.count(b"\r\n") == raw.count(b"\n") == 10_001
    assert b'"Nordlicht GmbH, Berlin"' in raw
    with SAMPLE_CARDS.open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == SAMPLE_COLUMNS
    assert [row[0] for row in rows] == [cell for cell, _ in ROWS]
    assert len({row[1] for row in rows}) == 10_000


def test_counts():
    counts = sample_expectation()
    assert sum(counts.values()) == 10_000
    assert counts == Counter(kind for _, kind in ROWS)
    assert counts["duplicate"] == 165
    assert counts["blank"] == 40
    assert (counts["unknown"], counts["foreign"], counts["suspended"]) == (200, 125, 90)
    damaged = ("exponent", "exponent with comma", "decimal point")
    assert sum(counts[kind] for kind in damaged) == 60
    assert sum(counts[kind] for kind in RECOVERABLE) == 120
    assert sum(counts[kind] for kind in ("too short", "too long", "letters")) == 40


def test_plain_rows_mean_what_their_kind_says():
    assert all(WORLD.is_valid(cell) for cell in cells("valid"))
    assert len(set(cells("valid"))) == len(cells("valid"))
    assert not any(WORLD.card(cell) for cell in cells("unknown"))
    assert all(re.fullmatch("[0-9]{19,20}", cell) for cell in cells("unknown"))
    for kind in ("foreign", "suspended"):
        assert {WORLD.card(cell).kind for cell in cells(kind)} == {kind}
    assert not any(cell.strip() for cell in cells("blank"))


def test_duplicates_repeat_a_valid_row_before_them():
    seen = set()
    for cell, kind in ROWS:
        if kind == "duplicate":
            assert cell in seen
        elif kind == "valid":
            seen.add(cell)


@pytest.mark.parametrize("kind", sorted(RECOVERABLE))
def test_recoverable_cells_hold_a_card_of_their_own(kind):
    plain = set(cells("valid"))
    for cell in cells(kind):
        assert not WORLD.is_valid(cell)
        assert WORLD.is_valid(restored(cell))
        assert restored(cell) not in plain


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("exponent", r"8\.[0-9]{5}E\+1[89]"),
        ("exponent with comma", r"8,[0-9]{5}E\+1[89]"),
        ("decimal point", r"8985[0-9]{15,16}\.0"),
        ("too short", r"8985[0-9]{10,11}"),
        ("too long", r"8985[0-9]{20,21}"),
        ("letters", r"8985[0-9]{4}O[0-9]{6}I[0-9]{3,4}"),
    ],
)
def test_spoiled_cells_hold_no_card(kind, form):
    for cell in cells(kind):
        assert re.fullmatch(form, cell)
        assert not WORLD.is_valid(restored(cell).removesuffix(".0"))
