from __future__ import annotations

import enum
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from linksfield_async.errors import ConfigurationError
from linksfield_async.values import (
    Unreadable,
    kind_of,
    read_amount,
    read_boolean,
    read_date,
    read_datetime,
    read_text,
    read_whole_number,
    without_none,
    write_amount,
    write_text,
    write_texts,
    writer_for,
)


class Word(str, enum.Enum):  # noqa: UP042  # the awkward one: str() shows its name
    YES = "1"


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("4.99", "4.99"),
        ("12.30", "12.30"),
        ("007", "007"),
        (Decimal("12.30"), "12.30"),
        (Decimal("1E+2"), "100"),
        (Decimal(0), "0"),
    ],
)
def test_an_amount_goes_out_exactly_as_given(given: Any, written: str) -> None:
    assert write_amount("Op.pay_amount", given) == written


@pytest.mark.parametrize(
    "given",
    [
        4.99,
        5,
        True,
        "4,99",
        "-1",
        "+1",
        "1e3",
        " 1",
        "1\n",
        ".5",
        "5.",
        "NaN",
        "",
        "٣",
        "1" * 65,
        Decimal(-1),
        Decimal("-0"),
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("1E+99999"),
        b"1",
    ],
)
def test_what_is_no_amount_is_refused_by_name(given: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"Op\.pay_amount"):
        write_amount("Op.pay_amount", given)


def test_text_is_text() -> None:
    assert write_text("f", Word.YES) == "1"
    assert type(write_text("f", Word.YES)) is str
    for wrong in (1, 1.5, b"1", None, ["1"], datetime.now()):  # noqa: DTZ005
        with pytest.raises(ConfigurationError, match="must be text"):
            write_text("f", wrong)


def test_texts_name_the_wrong_one() -> None:
    assert write_texts("f", ("1", "2")) == ["1", "2"]
    with pytest.raises(ConfigurationError, match=r"f\[1\]: must be text, not int"):
        write_texts("f", ["1", 2])
    for wrong in ("12", b"12", 12, [], ["1", ""]):
        with pytest.raises(ConfigurationError, match="f: must"):
            write_texts("f", wrong)


def test_the_writer_follows_the_type() -> None:
    assert writer_for(str | None) is write_text
    assert writer_for(str | Decimal) is write_amount
    assert writer_for(str | Decimal | None) is write_amount
    assert writer_for(tuple[str, ...]) is write_texts
    assert writer_for(int)("f", 3) == 3


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("", ""),
        ("x", "x"),
        (89852420180910340793, "89852420180910340793"),
        (10**21, "1" + "0" * 21),
    ],
)
def test_a_whole_number_where_text_stands_keeps_every_digit(given: Any, read: str) -> None:
    assert read_text(given) == read


@pytest.mark.parametrize("given", [True, None, Decimal("1.5"), [], {}])
def test_text_is_not_guessed(given: Any) -> None:
    with pytest.raises(Unreadable, match=f"text expected, found {kind_of(given)}"):
        read_text(given)


@pytest.mark.parametrize("given", ["12.30", "12.3", "1E+2", "-0", 5, Decimal("12.30"), "1e4"])
def test_an_amount_comes_back_digit_for_digit(given: Any) -> None:
    assert read_amount(given).as_tuple() == Decimal(given).as_tuple()


@pytest.mark.parametrize(
    "given", ["NaN", "Infinity", "sNaN", "1e", "", "x", "9" * 5000, True, None, [], {}]
)
def test_what_is_no_amount_is_unreadable(given: Any) -> None:
    with pytest.raises(Unreadable):
        read_amount(given)


def test_dates() -> None:
    for text in ("2024-07-31", "2024.07.31", "2024/7/31"):
        assert read_date(text) == date(2024, 7, 31)
    for wrong in (
        "0000-00-00",
        "",
        "2024-02-31",
        "2024-07.31",
        "yyyy.MM.dd",
        1722384000,
        "20240731",
        None,
    ):
        with pytest.raises(Unreadable):
            read_date(wrong)
    assert read_datetime("2022-06-07 15:10:35") == datetime(2022, 6, 7, 15, 10, 35)  # noqa: DTZ001
    with pytest.raises(Unreadable):
        read_datetime("yesterday")


def test_numbers_and_booleans() -> None:
    assert read_whole_number("30") == read_whole_number(30) == 30
    assert read_boolean(value=True) is True
    for wrong in ("3.0", "-", True, None, "٣", "9" * 5000):
        with pytest.raises(Unreadable):
            read_whole_number(wrong)
    with pytest.raises(Unreadable):
        read_boolean("true")


def test_without_none() -> None:
    assert without_none(str | None) is str
    assert without_none(str) is str
    assert without_none(int | str) == int | str


def test_unreadable_builds_its_path() -> None:
    error = Unreadable("no text").below("[3]").below("orderList").below("data")
    assert str(error) == "data.orderList[3]: no text"
