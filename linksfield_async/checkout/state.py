"""The states of a checkout, and the edges along which alone they move."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from ..errors import Contradiction


class State(enum.StrEnum):
    """How far a checkout is known to be."""

    VERIFIED = "verified"
    """The card is valid."""
    PLANNED = "planned"
    """The plan, its price and our own ids are fixed; no order is known to exist."""
    ORDERED = "ordered"
    """The order exists and is not paid."""
    AUTHORIZED = "authorized"
    """The page has what it needs for the payment."""
    PAID = "paid"
    CONFIRMED = "confirmed"
    """Paid, and shown among the card's orders."""
    FAILED = "failed"
    """The order was refused, or its payment failed. A payer may still try again: then it is paid."""
    UNKNOWN = "unknown"
    """A step was begun and nobody knows whether it was carried out: ask before anything else."""


class Step(enum.StrEnum):
    """What must not be carried out twice, and is therefore written down before it is sent."""

    ORDERING = "ordering"
    AUTHORIZING = "authorizing"
    SUBSCRIBING = "subscribing"
    CONFIRMING = "confirming"
    CANCELING = "canceling"
    """The automatic renewal."""


EDGES: Mapping[State, frozenset[State]] = {
    State.VERIFIED: frozenset({State.PLANNED}),
    State.PLANNED: frozenset({State.ORDERED, State.FAILED}),
    State.ORDERED: frozenset({State.AUTHORIZED, State.PAID, State.FAILED}),
    State.AUTHORIZED: frozenset({State.PAID, State.FAILED}),
    State.PAID: frozenset({State.CONFIRMED}),
    State.CONFIRMED: frozenset(),
    # At Stripe a payer may try again after a declined payment: pending again, or paid.
    State.FAILED: frozenset({State.AUTHORIZED, State.PAID}),
}
"""From each state the ones that may follow. UNKNOWN is not among them: it lies over a state while
a step is under way whose outcome nobody knows, and the state below it stays."""


def moved(old: State, new: State, told: str) -> State:
    """Give the new state if it may follow the old one, else raise a Contradiction."""
    if new is not old and new not in EDGES[old]:
        raise Contradiction(f"{told}: a checkout that is {old} cannot become {new}")
    return new
