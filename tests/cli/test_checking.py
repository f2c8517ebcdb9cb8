from __future__ import annotations

import json

import pytest
from bulk_stubs import iccid, iccids

from linksfield_async.bulk.files.sources import Row
from linksfield_async.cli import checking
from linksfield_async.cli.checking import input_check


def rows(texts):
    return [Row(number, text) for number, text in enumerate(texts, 2)]


@pytest.mark.parametrize("at_once", [1, 7, 10_000])
def test_every_row_is_looked_at(monkeypatch, at_once):
    monkeypatch.setattr(checking, "_AT_ONCE", at_once)
    texts = [*iccids(20), f" {iccid(3)} ", iccid(3), "8.98524E+19", "", iccid(4)]
    found = input_check(rows(texts))
    assert (found.rows, found.unfit, found.duplicates) == (25, 2, 3)
    assert not found.is_clean
    assert [row for row, _, _ in found.problems] == [24, 25]
    assert sum(found.reasons.values()) == 2


def test_doubles_and_check_digits_are_no_faults():
    found = input_check(rows([iccid(1), iccid(1), "8985242018091034079", "89852420180910340793"]))
    assert found.is_clean
    assert found.duplicates == 1
    assert 0 < found.luhn_failures < 4


def test_the_first_problems_are_kept_and_all_are_counted():
    found = input_check(rows(["x"] * 25))
    assert (found.unfit, len(found.problems)) == (25, 10)
    told = found.as_json()
    assert (told["rows"], told["fit"], told["unfit"]) == (25, 0, 25)
    assert told["first_problems"][0]["row"] == 2
    assert json.dumps(told)


def test_nothing_at_all():
    assert input_check([]).is_clean
