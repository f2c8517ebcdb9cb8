"""What the page's buttons do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...errors import ConfigurationError
from ..faults import made
from .views import Inspected

Given = Mapping[str, object]


def decide_payment(sandbox: Inspected, given: Given) -> dict[str, Any]:
    """Let a payment succeed or fail, as the payer would."""
    number, action = given.get("number"), given.get("action")
    payments = sandbox.world.payments
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(payments):
        raise ConfigurationError("no payment has this number")
    secret = payments[number].client_secret
    if secret is None:
        raise ConfigurationError("a renewal is charged by the sandbox itself")
    if action not in ("complete", "decline"):
        raise ConfigurationError("action must be complete or decline")
    decide = sandbox.stripe.complete if action == "complete" else sandbox.stripe.decline
    return {"state": decide(secret).state}


def advance_clock(sandbox: Inspected, given: Given) -> dict[str, Any]:
    """Move the sandbox's time on, by seconds or days; what falls due happens."""
    moves: dict[str, Any] = {name: given[name] for name in ("days", "seconds") if name in given}
    if not moves or len(moves) != len(given):
        raise ConfigurationError("days or seconds are needed")
    # `advance` says what is wrong with a value that is no number.
    return {"now": str(sandbox.clock.advance(**moves))}


def set_fault(sandbox: Inspected, given: Given) -> dict[str, Any]:
    """Set a fault for the next request of an operation, or of any; `clear` takes all back."""
    if given.get("clear") is True:
        sandbox.faults.clear()
        return {"set": 0}
    kind, operation = given.get("kind"), given.get("operation")
    settings = given.get("settings", {})
    if not isinstance(kind, str):
        raise ConfigurationError("kind must name a fault")
    if operation is not None and not isinstance(operation, str):
        raise ConfigurationError("operation must be a name, or left out for any")
    if not isinstance(settings, dict):
        raise ConfigurationError("settings must be an object")
    sandbox.faults.next(operation, made(kind, **settings))
    return {"set": len(sandbox.faults.pending)}


ACTIONS: Mapping[str, Callable[[Inspected, Given], dict[str, Any]]] = {
    "payments/decide": decide_payment,
    "clock/advance": advance_clock,
    "faults/set": set_fault,
}
