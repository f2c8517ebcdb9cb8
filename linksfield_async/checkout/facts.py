"""What is known of a checkout, for whoever holds it: nothing here asks or sends."""

from __future__ import annotations

from typing import Literal, NoReturn, TypeAlias

from ..errors import LinksfieldError
from ..masking import mask_iccid
from .record import Fact, Record
from .saving import saved
from .state import State
from .stepping import Stepping

NextStep: TypeAlias = Literal[
    "proceed", "payment", "complete_subscription", "confirm", "reconcile", ""
]


class CheckoutFacts:
    """What is known of a checkout, without asking."""

    def __init__(self, stepping: Stepping) -> None:
        self._stepping = stepping

    @property
    def stepping(self) -> Stepping:
        """What holds it; two views of one checkout share it."""
        return self._stepping

    @property
    def record(self) -> Record:
        """Everything that is kept, as a value that never changes."""
        return self._stepping.record

    @property
    def state(self) -> State:
        """How far it is; UNKNOWN while nobody knows what became of a step."""
        return self.record.state

    @property
    def error(self) -> LinksfieldError | None:
        """Why the last step has no good answer; not saved."""
        return self._stepping.error

    @property
    def client_secret(self) -> str | None:
        """What the page hands to Stripe; whoever has it can pay, and see the payment."""
        return self.record.client_secret

    @property
    def publishable_key(self) -> str | None:
        """Stripe's publishable key for the page."""
        return self.record.publishable_key

    @property
    def facts(self) -> tuple[Fact, ...]:
        """What was done and told, oldest first."""
        return self.record.facts

    @property
    def next_step(self) -> NextStep:
        """The method that comes next; "payment" is the payer's turn, "" means that all is done."""
        record = self.record
        if record.under_way is not None:
            return "reconcile"
        if record.reached in (State.PLANNED, State.ORDERED):
            return "proceed"
        if record.reached is State.AUTHORIZED:
            needs_method = record.is_subscription and not record.subscribed
            return "complete_subscription" if needs_method else "payment"
        return "confirm" if record.reached is State.PAID else ""

    def save(self) -> str:
        """Give the text that `client.checkout.load` goes on with: versioned JSON."""
        return saved(self.record)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Checkout holds a client and cannot be pickled; keep its save()")

    def __repr__(self) -> str:
        record = self.record
        return f"<{record.kind} {record.ids.order_no} of {mask_iccid(record.iccid)}: {self.state}>"
