from __future__ import annotations

import io

import pytest

from linksfield_async import InvalidInput
from linksfield_async.bulk import read_iccids
from linksfield_async.groups.cards import cards_of, digest_of, plain

ONE, OTHER = "8985200000000000001", "8985200000000000002"


def test_cards_are_tidied_and_once_each() -> None:
    cards = cards_of([ONE, " 8985 2000 0000 0000 002 ", ONE])
    assert (cards.iccids, cards.doubles) == ((ONE, OTHER), 1)
    assert ONE not in repr(cards)


def test_rows_without_an_iccid_are_named() -> None:
    with pytest.raises(InvalidInput) as caught:
        cards_of([ONE, "x", "8.9E+18", "", None])
    told = str(caught.value)
    assert "row 2: " in told
    assert "row 3: a spreadsheet" in told
    assert told.startswith("4 rows without an ICCID, nothing was sent: ")


def test_rows_of_a_file_keep_their_numbers() -> None:
    rows = read_iccids(io.BytesIO(f"iccid\n{ONE}\nx\n".encode()))
    with pytest.raises(InvalidInput, match="row 3"):
        cards_of(rows)


@pytest.mark.parametrize("given", [ONE, ONE.encode(), None, 5, []])
def test_what_is_no_list_of_cards(given: object) -> None:
    with pytest.raises(InvalidInput):
        cards_of(given)  # type: ignore[arg-type]


def test_empty_where_that_is_allowed() -> None:
    assert cards_of([], may_be_empty=True).iccids == ()


def test_digests_tell_sets_apart() -> None:
    assert digest_of([ONE, OTHER]) == digest_of([OTHER, ONE])
    assert digest_of([ONE]) != digest_of([OTHER])


def test_padding_does_not_count_in_comparing() -> None:
    assert plain(f" {ONE}F") == ONE
