from __future__ import annotations

import attrs
import pytest

from linksfield_async import Contradiction
from linksfield_async.checkout.payment import beyond_before, knows_payment, with_payment
from linksfield_async.checkout.record import Record
from linksfield_async.checkout.state import State
from linksfield_async.operations import CardOrder, PaymentResult

WORDS = {"paid": "1", "pending": "0", "failed": "2", "unknown": "9"}


@pytest.mark.parametrize(
    ("reached", "told", "becomes"),
    [
        ("ordered", "pending", "ordered"),
        ("ordered", "paid", "paid"),
        ("ordered", "failed", "failed"),
        ("authorized", "pending", "authorized"),
        ("authorized", "paid", "paid"),
        ("authorized", "failed", "failed"),
        ("authorized", "unknown", "authorized"),
        ("failed", "pending", "authorized"),
        ("failed", "paid", "paid"),
        ("failed", "failed", "failed"),
        ("paid", "paid", "paid"),
        ("paid", "unknown", "paid"),
        ("paid", "pending", None),
        ("paid", "failed", None),
        ("confirmed", "paid", "confirmed"),
        ("confirmed", "pending", None),
        ("confirmed", "failed", None),
    ],
)
def test_what_is_told_of_a_payment(
    record: Record, reached: str, told: str, becomes: str | None
) -> None:
    before = attrs.evolve(record, reached=State(reached), client_secret="pi_1_secret_2")
    result = PaymentResult(pay_status=WORDS[told])
    if becomes is None:
        with pytest.raises(Contradiction, match=f"says {told}"):
            with_payment(before, result)
    else:
        assert with_payment(before, result).reached == becomes


def test_a_refused_order_has_no_payment(record: Record) -> None:
    refused = attrs.evolve(record, reached=State.FAILED, refused=True)
    assert with_payment(refused, PaymentResult()) != refused
    with pytest.raises(Contradiction, match="the order was refused"):
        with_payment(refused, PaymentResult(pay_status="1"))


def test_that_an_order_is_known_is_shown_by_its_money(record: Record) -> None:
    for result, known in (
        (None, False),
        (PaymentResult(pay_status="0"), False),
        (PaymentResult(pay_status="0", pay_amount=record.amount), True),
        (PaymentResult(pay_amount=record.amount), False),
        (PaymentResult(pay_status="1"), True),
    ):
        assert knows_payment(record, result) is known


def test_orders_from_before_do_not_count(record: Record) -> None:
    one = CardOrder(
        order_status="2", service_plan_show_name="x", time="1", unit="2", remaining_days="1"
    )
    before = attrs.evolve(record, before=2)
    assert [beyond_before(before, [one] * number) for number in range(5)] == [-2, -1, 0, 1, 2]
