from __future__ import annotations

import pytest

from linksfield_async.operations import PAYMENT_STATES, PaymentResult


@pytest.mark.parametrize(
    ("status", "result", "state"),
    [
        ("1", "SUCCESS", "paid"),
        ("1", None, "paid"),
        (None, " success ", "paid"),
        ("0", "PENDING", "pending"),
        ("2", "FAIL", "failed"),
        ("1", "REFUNDED", "unknown"),
        ("0", "SUCCESS", "unknown"),
        ("1", "FAIL", "unknown"),
        ("7", None, "unknown"),
        (None, None, "unknown"),
        ("", "", "unknown"),
    ],
)
def test_a_payment_is_paid_only_where_every_word_says_so(
    status: str | None, result: str | None, state: str
) -> None:
    assert PaymentResult(pay_status=status, pay_rst=result).state == state


def test_the_table_can_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PAYMENT_STATES, "BEZAHLT", "paid")
    assert PaymentResult(pay_rst="Bezahlt").state == "paid"
