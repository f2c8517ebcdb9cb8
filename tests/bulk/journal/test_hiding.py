from __future__ import annotations

import json
from decimal import Decimal

import pytest
from bulk_stubs import ACCOUNT, iccid, order
from hypothesis import given
from hypothesis import strategies as st

from linksfield_async import ConfigurationError
from linksfield_async.bulk.journal.hiding import Hiding
from linksfield_async.codec import codec_for

WRITE = codec_for(()).write
WRITE = codec_for(ACCOUNT.wire_names).write
PLAIN, HIDING = Hiding(None), Hiding("a key of many letters")


def test_without_a_key_all_stands_plainly():
    assert (PLAIN.iccid(iccid(1)), PLAIN.key_check) == (iccid(1), None)
    assert PLAIN.key_of(iccid(1)) == iccid(1)
    assert PLAIN.text("of 1", "1") == "of 1"


def test_with_a_key_cards_are_digests_that_only_this_key_gives():
    other = Hiding("another key of many letters")
    assert HIDING.iccid(iccid(1)) == Hiding(b"a key of many letters").iccid(iccid(1))
    assert len({HIDING.iccid(iccid(1)), HIDING.iccid(iccid(2)), other.iccid(iccid(1))}) == 3
    assert HIDING.key_check != other.key_check
    assert HIDING.key_of(b"digest") == b"digest"
    assert HIDING.key_of(None) is None
    assert HIDING.block(["a", "b"]) != other.block(["a", "b"])


def test_an_operation_s_digest_is_about_all_its_fields():
    digests = {
        PLAIN.operation(order(1), WRITE),
        PLAIN.operation(order(2), WRITE),
        PLAIN.operation(order(1, pay_amount="12.360"), WRITE),
        HIDING.operation(order(1), WRITE),
    }
    assert len(digests) == 4
    same = order(1, pay_amount=Decimal("12.36"))
    assert PLAIN.operation(order(1), WRITE) == PLAIN.operation(same, WRITE)


def test_blocks_differ_by_every_item_and_their_order():
    blocks = [["ab", "c"], ["a", "bc"], ["c", "ab"], ["ab", "c", ""], ["ab", "\ud800"]]
    assert len({PLAIN.block(items) for items in blocks}) == 5


@given(st.text(), st.sampled_from([iccid(1), iccid(77), None]))
def test_what_is_hidden_comes_back(text, card):
    for told in (text, text + (card or ""), json.dumps({"a": card, "b": text, "c": card})):
        hidden = HIDING.text(told, card)
        if hidden is None:
            continue
        assert card is None or card not in hidden
        assert HIDING.restored(hidden, card) == told


@pytest.mark.parametrize(
    "told",
    [
        f'{{"sims": ["{iccid(2)}"]}}',  # of others
        f'{{"deviceCode": "{iccid(2)}F"}}',
        f'{{"deviceCode": "{iccid(1)[:-1]}"}}',
        '{"deviceCode": "\\u0038985000000000000002"}',
        '{"note": "8985 0000 0000 0000 002"}',
        '{"note": "card 89850000000000000021, gone"}',
    ],
)
@pytest.mark.parametrize("card", [iccid(1), None])
def test_what_names_a_card_in_another_way_is_not_kept(told, card):
    assert HIDING.text(told, card) is None
    assert PLAIN.text(told, card) == told


def test_what_names_no_card_is_kept():
    told = f'{{"deviceCode":"{iccid(1)}","n":{10**13},"orderNo":"NO20260101120000000001"}}'
    assert HIDING.restored(HIDING.text(told, iccid(1)), iccid(1)) == told


@pytest.mark.parametrize("key", ["", "fifteen letters", b"0123456789abcde"])
def test_a_short_key_is_refused(key):
    with pytest.raises(ConfigurationError, match="at least 16 characters"):
        Hiding(key)


def test_a_message_keeps_nothing_of_a_masked_card():
    assert HIDING.message("no card 898500…0001 here") == "no card … here"
    assert PLAIN.message("no card 898500…0001 here") == "no card 898500…0001 here"
