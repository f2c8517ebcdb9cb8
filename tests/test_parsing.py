from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linksfield_async.parsing import parsed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(JSON, st.sampled_from(["", " ", "\r\n\t "]), st.sampled_from(["", " ", "\n"]), st.booleans())
def test_what_was_written_is_read(value: Any, before: str, after: str, ascii_only: bool) -> None:
    text = before + json.dumps(value, ensure_ascii=ascii_only) + after
    assert parsed(text.encode()) == value
    assert parsed(b"\xef\xbb\xbf" + text.encode()) == value


def test_numbers_keep_their_digits() -> None:
    read = parsed(b'{"a": 12.340, "b": 1e2, "c": 0.1}')
    assert [str(read[name]) for name in "abc"] == ["12.340", "1E+2", "0.1"]
    assert all(isinstance(value, Decimal) for value in read.values())


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a": 1}',
        b'[{"b": {"a": 1, "c": 2, "a": 3}}]',
        b'{"a": 1, "\\u0061": 2}',
    ],
)
def test_a_member_that_stands_twice_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="a member that stands twice"):
        parsed(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{} {}",
        b"{}x",
        b"nul",
        b"NaN",
        b"[Infinity]",
        b"\x0b{}",
        b"{}\x0c",
        b"\xc2\xa01",
    ],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"^not JSON$"):
        parsed(body)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"\xff", "not UTF-8"),
        (b"[" * 200_000, "JSON nested too deeply"),
        (b"1e99999999999999999999", "a number is beyond all bounds"),
    ],
)
def test_what_cannot_be_read_says_why(body: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parsed(body)
