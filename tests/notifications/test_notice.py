from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pushes import receiver, signed

from linksfield_async import ConfigurationError
from linksfield_async.notifications import Authenticity, Expected, FieldNames, RechargeNotice
from linksfield_async.notifications.notice import amount_of, content_key_of, time_of
from linksfield_async.notifications.parsing import Limits, read_body


def notice(text: str, **settings: Any) -> RechargeNotice:
    one, _ = receiver(accept_unsigned=True, **settings)
    return one.verify(text.encode(), [])


def test_every_field_is_kept_as_it_was() -> None:
    one = notice('{"payAmount":12.30,"big":89852420180910340793,"new":{"a":[1.10]},"none":null}')
    assert one.fields == {
        "payAmount": Decimal("12.30"),
        "big": 89852420180910340793,
        "new": {"a": [Decimal("1.10")]},
        "none": None,
    }
    assert str(one.amount) == "12.30"
    assert (one.order_id, one.iccid, one.timestamp) == (None, None, None)
    assert one.authenticity is Authenticity.UNSIGNED


def test_names_can_be_replaced() -> None:
    names = FieldNames(order_id="bestellung", amount=("preis", "betrag"))
    one = notice('{"bestellung":7,"betrag":"1.5","orderNo":"x"}', names=names)
    assert (one.order_id, one.amount) == ("7", Decimal("1.5"))


def test_an_empty_text_is_not_there() -> None:
    one = notice('{"orderNo":"","order_id":"NO1","requestOrderId":"","payAmount":""}')
    assert (one.order_id, one.purchase_order_id, one.amount) == ("NO1", None, None)


@pytest.mark.parametrize("value", ["much", None, True, 1.5, "NaN", "Infinity", [], ""])
def test_what_is_no_amount(value: object) -> None:
    assert amount_of(value) is None


def test_times_beyond_the_calendar() -> None:
    assert time_of(10**18) is None
    assert time_of(None) is None


def key(text: str, **names: Any) -> str:
    body = read_body(text.encode(), Limits())
    return content_key_of(body, FieldNames(**names), Authenticity.SIGNED)


def test_what_tells_events_apart() -> None:
    first = key('{"orderNo":"1","payAmount":1.0,"transactionId":"a"}')
    assert key('{ "transactionId":"b", "payAmount":1.0, "orderNo":"\\u0031" }') == first
    assert key('{"orderNo":"1","payAmount":1.00,"transactionId":"a"}') != first
    assert key('{"orderNo":"2","payAmount":1.0,"transactionId":"a"}') != first
    assert key('{"orderNo":"1","payAmount":"1.0","transactionId":"a"}') != first
    assert key('{"orderNo":"1","expireDate":"x","payAmount":1.0}') != first
    kept = {"per_send": ()}
    assert key('{"orderNo":"1","transactionId":"a"}', **kept) != key(
        '{"orderNo":"1","transactionId":"b"}', **kept
    )
    assert key('{"orderNo":"\\ud800"}') != key('{"orderNo":"\\ud801"}')


def test_a_record_must_name_an_order_and_an_exact_amount() -> None:
    facts: dict[str, Any] = {"iccid": "1", "plan": None, "currency": "USD"}
    with pytest.raises(ConfigurationError, match="order_id"):
        Expected(amount=Decimal(1), **facts)
    for amount in (4.99, "4.99", Decimal("NaN")):
        with pytest.raises(ConfigurationError, match="Decimal"):
            Expected(order_id="1", amount=amount, **facts)  # type: ignore[arg-type]


async def test_a_signed_notice_is_still_to_be_confirmed() -> None:
    one, _ = receiver()
    assert one.verify(*signed()).authenticity is Authenticity.SIGNED
