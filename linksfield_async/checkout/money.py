"""Money in a checkout: decimal amounts, and the case of currency codes in each service."""

from __future__ import annotations

import re
from decimal import Context, Decimal, Inexact

from ..errors import CheckoutRefused, Contradiction
from ..masking import one_line
from ..operation import Service

_CODE = re.compile(r"[A-Z]{3}")
_MOST_PERIODS = 999
_MOST_DIGITS = 64
_EXACTLY = Context(prec=2 * _MOST_DIGITS, traps=[Inexact])
"""Whatever context the caller's thread has set: a rounded amount is another amount."""


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
    if is_payable(price) and is_payable(amount := _EXACTLY.multiply(price, Decimal(periods))):
        return amount
    raise CheckoutRefused(f"the plan's price {price} is no amount that can be paid")


def is_payable(amount: Decimal) -> bool:
    """Tell an amount that can be paid, and be written out, from any other."""
    if not amount.is_finite() or amount <= 0 or abs(amount.adjusted()) > _MOST_DIGITS:
        return False
    return len(amount.as_tuple().digits) <= _MOST_DIGITS


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
