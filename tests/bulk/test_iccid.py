from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linksfield_async.bulk.iccid import clean_iccid, passes_luhn, unfit
from linksfield_async.errors import ConfigurationError, InvalidInput

ICCID = "89852420180910340793"


@pytest.mark.parametrize(
    "given_text",
    [
        ICCID,
        f" {ICCID}\t\r\n",
        f"\ufeff{ICCID}",
        f"{ICCID[:10]}\u200b{ICCID[10:]}",
        f"'{ICCID}",
        f'"{ICCID}"',
        "8985 2420 1809 1034 0793",
        "8985-2420-1809-1034-0793",
        "８９８５２４２０１８０９１０３４０７９３",
        ICCID + "F",
    ],
)
def test_what_is_certain_is_tidied(given_text: str) -> None:
    assert clean_iccid(given_text) == ICCID


@pytest.mark.parametrize("length", [18, 19, 20, 21, 22])
def test_lengths_let_through(length: int) -> None:
    assert clean_iccid("8" * length) == "8" * length


@pytest.mark.parametrize(
    ("given_value", "told"),
    [
        ("", "blank"),
        ("  \t", "blank"),
        ("'", "blank"),
        ("8.98524E+19", "spreadsheet"),
        ("8,98524E+19", "spreadsheet"),
        ("8.98524e19", "spreadsheet"),
        ("9E19", "spreadsheet"),
        (f"{ICCID}.0", "rounded"),
        (f"{ICCID},00", "rounded"),
        ("8" * 17, "has 17"),
        ("8" * 23, "has 23"),
        (ICCID[:-1] + "X", "digits only"),
        ("89852O20180910340793", "digits only"),
        ("=HYPERLINK(1)", "digits only"),
        ("٨٩٨٥٢٤٢٠١٨٠٩١٠٣٤٠٧٩٣", "digits only"),
        ("F", "digits"),
        (89852420180910340793, "must be text, not int"),
        (8.98e19, "must be text, not float"),
        (ICCID.encode(), "must be text, not bytes"),
        (None, "blank"),
        (float("nan"), "blank"),
        (unfit("number", ICCID), "loses digits"),
        (unfit("not JSON", "{"), "not valid JSON"),
        (unfit("no field", "a, b"), "no field"),
        (unfit("not text", "[]"), "neither a text"),
        (unfit("not UTF-8", "8" * 500), "not UTF-8"),
        (f"[other] {ICCID}", "uneven groups"),
    ],
)
def test_what_is_not_certain_is_refused_with_the_reason(given_value: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as caught:
        clean_iccid(given_value)
    assert str(caught.value).isprintable()


@given(st.text())
def test_whatever_comes_out_is_digits(text: str) -> None:
    try:
        cleaned = clean_iccid(text)
    except ConfigurationError:
        return
    assert cleaned.isascii()
    assert cleaned.isdigit()
    assert 18 <= len(cleaned) <= 22


@pytest.mark.parametrize(
    "given_text",
    [
        "8985242018091034079-1",
        "8985242018091034079 2",
        "89852420180910340 79",
        "8985 24201809 1034 0793",
        "8985 2420 1809 1034 07931",
        "1 89852420180910340793",
    ],
)
def test_no_digit_is_made_up_from_what_stands_beside(given_text: str) -> None:
    with pytest.raises(InvalidInput, match="uneven groups"):
        clean_iccid(given_text)


@pytest.mark.parametrize(
    "given_text", ["8985242018091034079¹", "898524201809103407⑲", "8985242018091034079½"]
)
def test_only_full_width_digits_become_digits(given_text: str) -> None:
    with pytest.raises(InvalidInput, match="digits only"):
        clean_iccid(given_text)


@pytest.mark.timeout(10)
def test_a_huge_cell_is_refused_at_once() -> None:
    with pytest.raises(InvalidInput, match="1000000 characters"):
        clean_iccid("\u0300" * 1_000_000)


@pytest.mark.parametrize("kind", ["string", "large_string"])
def test_arrow_scalars_stand_for_their_text(kind: str) -> None:
    arrow = pytest.importorskip("pyarrow")
    text, null = arrow.array([ICCID, None], type=getattr(arrow, kind)())
    assert clean_iccid(text) == ICCID
    with pytest.raises(InvalidInput, match="blank"):
        clean_iccid(null)
    with pytest.raises(InvalidInput, match="must be text, not int"):
        clean_iccid(arrow.scalar(8985242018091034079))


def test_missing_values_of_pandas_are_blank() -> None:
    for name in ("NAType", "NaTType"):
        with pytest.raises(InvalidInput, match="blank"):
            clean_iccid(type(name, (), {})())


@pytest.mark.parametrize("number", ["4539578763621486", "79927398713", "0", "18", "59"])
def test_numbers_known_to_pass_luhn(number: str) -> None:
    assert passes_luhn(number)
    assert not passes_luhn(number[:-1] + str((int(number[-1]) + 1) % 10))


@pytest.mark.parametrize("text", ["", " 18", "1-8", "１８", "١٨", "18F", "\ud800"])
def test_what_is_not_digits_alone_does_not_pass(text: str) -> None:
    assert not passes_luhn(text)


@given(st.text("0123456789", min_size=1, max_size=30))
def test_luhn_as_it_is_written_in_books(digits: str) -> None:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    assert passes_luhn(digits) == (total % 10 == 0)
