from __future__ import annotations

import io
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linksfield_async import ConfigurationError
from linksfield_async.bulk.files.resuming import (
    LONGEST_RECORD,
    RowSet,
    rows_in_csv,
    rows_in_json_lines,
)

COLUMNS = ("row", "given")


@given(st.lists(st.integers(0, 200_000)))
def test_a_row_set_is_a_set(rows):
    found, known = RowSet(), set()
    for row in rows:
        assert found.add(row) == (row not in known)
        known.add(row)
    assert len(found) == len(known)
    assert all(row in found for row in known)
    assert not any(row in found for row in (-1, 200_001, *({n + 1 for n in rows} - known)))


def test_ten_million_rows_cost_little_more_than_a_megabyte():
    tracemalloc.start()
    rows = RowSet()
    for row in range(0, 10_000_000, 1_000):  # every page of them
        rows.add(row)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 1_400_000


def test_a_stray_row_does_not_cost_the_rows_before_it():
    rows = RowSet()
    rows.add(10**17)
    assert (10**17 in rows, len(rows)) == (True, 1)


def csv(text):
    rows, end = rows_in_csv(io.BytesIO(text), COLUMNS, "out.csv")
    return [row for row in range(100) if row in rows], end


@pytest.mark.parametrize(
    ("text", "rows", "kept"),
    [
        (b"", [], 0),
        (b"row,giv", [], 0),
        (b"row,given\r", [], 0),
        (b"row,given\r\n", [], 11),
        (b"row,given\r\n7,x\r\n", [7], 16),
        (b"row,given\r\n7,x\r\n8,y", [7], 16),
        (b"row,given\r\n7,x\r\n8,y\r", [7], 16),
        (b'row,given\r\n7,"a\r\n8,b"\r\n', [7], 23),
        (b'row,given\r\n7,"a""\r\n9,""b"\r\n8,"\r\n1,2\r\n', [7], 27),
        (b"row,given\n7,x\n", [7], 14),
        (b"row,given\r\n7,x\r\n\0\0\0\0", [7], 16),
    ],
)
def test_whole_rows_of_a_table(text, rows, kept):
    assert csv(text) == (rows, kept)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"row,other\r\n", "not a results file"),
        (b"row,given,x\r\n", "not a results file"),
        (b"7,x", "not a results file"),
        (b"row,given\r\nx,1\r\n", "1. result does not begin"),
        (b"row,given\r\n7,1\r\n-8,1\r\n", "2. result does not begin"),
        (b"row,given\r\n" + b"9" * 5_000 + b",1\r\n", "does not begin"),
        (b"row,given\r\n7,1\r\n8,1\r\n7,2\r\n", "row 7 twice"),
        (b'row,given\r\n7,"' + b"1\r\n" * (LONGEST_RECORD // 3 + 1), "a quote after byte 11"),
    ],
)
def test_a_table_that_cannot_be_gone_on_with(text, problem):
    with pytest.raises(ConfigurationError, match=problem):
        csv(text)


def test_whole_lines_of_json():
    def read(text):
        rows, end = rows_in_json_lines(io.BytesIO(text), COLUMNS, "out.jsonl")
        return [row for row in range(100) if row in rows], end

    one = b'{"row":7,"given":"x"}\n'
    assert read(b"") == ([], 0)
    assert read(b'{"ro') == ([], 0)
    assert read(one[:-1]) == ([], 0)
    assert read(one + one[:-5]) == ([7], len(one))
    for text, problem in (
        (b'{"given":"x","row":7}\n', "not a results file"),
        (b"{}\n", "not a results file"),
        (one + b"{}\n", "2. result does not begin"),
        (one + one, "row 7 twice"),
    ):
        with pytest.raises(ConfigurationError, match=problem):
            read(text)
