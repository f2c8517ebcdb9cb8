from __future__ import annotations

from decimal import Decimal, localcontext

import pytest

from linksfield_async import CheckoutRefused, Contradiction
from linksfield_async.checkout.money import check_money, currency_code, currency_for, price_of
from linksfield_async.operation import Service


@pytest.mark.parametrize(
    ("price", "periods", "amount"),
    [("9.90", 1, "9.90"), ("9.90", 3, "29.70"), ("980", 12, "11760")],
)
def test_a_price_keeps_its_scale(price: str, periods: int, amount: str) -> None:
    assert str(price_of(Decimal(price), periods)) == amount


@pytest.mark.parametrize("periods", [0, -1, 1.0, True, "1", 1_000])
def test_periods_are_a_whole_number(periods: int) -> None:
    with pytest.raises(CheckoutRefused, match="periods"):
        price_of(Decimal(1), periods)


def test_a_callers_decimal_context_does_not_round_it() -> None:
    with localcontext() as context:
        context.prec = 3
        assert price_of(Decimal("9.99"), 2) == Decimal("19.98")


@pytest.mark.parametrize(
    "price", ["0", "-1", "NaN", "Infinity", "1E+900000", "1E+99999999999", "1E-65", "9" * 64]
)
def test_a_price_that_nobody_can_pay(price: str) -> None:
    with pytest.raises(CheckoutRefused, match="price"):
        price_of(Decimal(price), 2)


def test_each_service_has_its_case() -> None:
    assert currency_code(" usd ") == "USD"
    assert currency_for(Service.VSHOP, "USD") == "USD"
    assert currency_for(Service.PAYMENT, "USD") == "usd"
    for wrong in ("", "US", "USDT", "U$D", "ＵＳＤ"):
        with pytest.raises(CheckoutRefused, match="ISO 4217"):
            currency_code(wrong)


@pytest.mark.parametrize(
    ("amount", "currency", "same"),
    [
        ("12.36", "usd", True),
        ("12.360", "USD", True),
        (None, None, True),
        ("12.35", "usd", False),
        ("12.36", "Usd", False),
        ("12.36", "eur", False),
        (None, "eur", False),
    ],
)
def test_the_same_money(amount: str | None, currency: str | None, same: bool) -> None:
    told = None if amount is None else Decimal(amount)
    if same:
        check_money("it", told, currency, Decimal("12.36"), "USD")
    else:
        with pytest.raises(Contradiction, match="it tells of"):
            check_money("it", told, currency, Decimal("12.36"), "USD")
