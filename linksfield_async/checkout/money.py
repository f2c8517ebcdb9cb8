"""Money in a checkout: decimal amounts, and the case of currency codes in each service."""

from __future__ import annotations

import re
from decimal import Decimal

from ..errors import CheckoutRefused, Contradiction
from ..masking import one_line
from ..operation import Service

_CODE = re.compile(r"[A-Z]{3}")
_MOST_PERIODS = 999


def price_of(price: Decimal, periods: int) -> Decimal:
    """Multiply a plan's price by the periods bought; the scale of the price stays.

    That `payAmount` is the price times `orderPeriod` is an assumption: the samples have one period.
    """
    if (
        isinstance(periods, bool)
        or not isinstance(periods, int)
        or not 1 <= periods <= _MOST_PERIODS
    ):
        raise CheckoutRefused(f"periods must be a whole number from 1 to {_MOST_PERIODS}")
    if not price.is_finite() or price <= 0:
        raise CheckoutRefused(f"the plan's price {price} is no amount that can be paid")
    return price * periods


def currency_code(text: str) -> str:
    """Give a currency's code in upper case, as it is kept."""
    code = text.strip().upper()
    if _CODE.fullmatch(code) is None:
        raise CheckoutRefused(one_line(f"the plan's currency {text!r} is no ISO 4217 code"))
    return code


def currency_for(service: Service, code: str) -> str:
    """Write a code as a service's samples have it: lower case at the cashier, else upper."""
    return code.lower() if service is Service.PAYMENT else code.upper()


def check_money(
    what: str, amount: Decimal | None, currency: str | None, expected: Decimal, code: str
) -> None:
    """Raise a Contradiction where an answer tells of another amount or currency.

    12.36 and 12.360 are the same amount, `usd` and `USD` the same currency; `Usd` is neither
    service's. What is not told contradicts nothing.
    """
    if amount is not None and amount != expected:
        raise Contradiction(f"{what} tells of {amount}, ordered were {expected} {code}")
    if currency is not None and currency not in (code.upper(), code.lower()):
        raise Contradiction(one_line(f"{what} tells of the currency {currency!r}, not {code}"))
