"""A checkout as text: versioned JSON, which another request, process or day can go on with."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

import attrs
from cattrs import Converter

from ..account import Account
from ..errors import CheckoutRefused, LinksfieldError
from .money import is_payable
from .record import Record
from .state import EDGES, State, Step

VERSION = 1
_MARK = "linksfield_checkout"


@cache
def _converter() -> Converter:
    converter = Converter()
    converter.register_unstructure_hook(Decimal, lambda amount: format(amount, "f"))
    converter.register_structure_hook(Decimal, lambda text, _: _amount(text))
    converter.register_unstructure_hook(datetime, datetime.isoformat)
    converter.register_structure_hook(datetime, lambda text, _: _moment(text))
    for exact in (bool, int, str):
        converter.register_structure_hook(exact, _exactly(exact))
    # Both are texts too, and would be read as no more than that.
    converter.register_structure_hook(State, lambda word, _: _reached(word))
    converter.register_structure_hook(Step, lambda word, _: Step(word))
    return converter


def _amount(text: Any) -> Decimal:
    amount = Decimal(text) if isinstance(text, str) else Decimal("NaN")
    if not is_payable(amount):
        raise ValueError("an amount must be the text of a decimal number")
    return amount


def _exactly(kind: type[Any]) -> Callable[[Any, Any], Any]:
    """Take a value of this JSON type alone: bool("false") is true."""

    def read(value: Any, _: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"a {kind.__name__} expected")
        return value

    return read


def _reached(word: Any) -> State:
    state = State(word)
    if state not in EDGES or state is State.VERIFIED:
        raise ValueError("no state that a checkout is saved in")
    return state


def _moment(text: Any) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return moment


def saved(record: Record) -> str:
    """Write a checkout, with what an unknown later version had written beside it.

    The client secret stands there in clear: the page needs it again after a reload, and nobody
    can ask for it a second time. Keep the text where you keep your sessions, not in a log.
    """
    known = _converter().unstructure(record)
    kept = known.pop("unknown_fields")
    told = {_MARK: VERSION, **_merged(kept, known)}
    # In ASCII: a lone surrogate in an answer could not be written anywhere else.
    return json.dumps(told, separators=(",", ":"))


def _merged(old: Any, new: Any) -> Any:
    """Put what is known over what was read, and keep what only stands in what was read."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{name: _merged(old.get(name), value) for name, value in new.items()}}
    if isinstance(old, list) and isinstance(new, (list, tuple)):
        pairs = [_merged(before, now) for before, now in zip(old, new, strict=False)]
        return [*pairs, *new[len(old) :]]
    return new


def loaded(text: str, account: Account) -> Record:
    """Read a checkout that was saved by the same account at the same endpoints."""
    try:
        told = json.loads(text)
        version = told.pop(_MARK)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise CheckoutRefused("this is no saved checkout") from error
    if version != VERSION or isinstance(version, bool):
        told = f"{version!r}"[:20]
        raise CheckoutRefused(f"the checkout was saved as version {told}, known is {VERSION}")
    try:
        record = _converter().structure(told, Record)
    except LinksfieldError as error:
        raise CheckoutRefused(f"the saved checkout is damaged: {error}") from error
    except Exception as error:  # cattrs reports many kinds, whose texts hold what was read
        raise CheckoutRefused("the saved checkout is damaged") from error
    if record.partner != account.partner_code:
        raise CheckoutRefused("the checkout was saved by another partner")
    if record.endpoints != endpoints_of(account):
        raise CheckoutRefused("the checkout was saved for other endpoints")
    return attrs.evolve(record, unknown_fields=told)


@attrs.frozen
class Summary:
    """What a store of your own keeps of a saved checkout beside its text, to find it by."""

    state: str
    request_order_id: str
    """By which a notification names it."""
    shown_unpaid: bool
    """It proves that asking shows orders; `CheckoutStore.known` gives such ones."""
    shown_renewal: bool
    """It proves that asking shows renewals."""


def summarized(text: str) -> Summary:
    """Read what a store needs to know of a saved checkout."""
    told = json.loads(text)
    step = (told.get("under_way") or {}).get("step")
    return Summary(
        state=str(told.get("reached") if step in (None, "canceling") else "unknown"),
        request_order_id=str((told.get("ids") or {}).get("request_order_id", "")),
        shown_unpaid=bool(told.get("shown_unpaid")),
        shown_renewal=bool(told.get("shown_renewal")) and not told.get("renewal_canceled"),
    )


def endpoints_of(account: Account) -> tuple[str, ...]:
    """Give the addresses that a checkout belongs to."""
    return (account.endpoints.vshop, account.endpoints.payment, account.endpoints.topup)
