"""What is known of one checkout: a value that is replaced as a whole, never changed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal, Self, TypeAlias

import attrs

from ..bulk.journal.walltime import boot_clock
from ..errors import CheckoutRefused
from ..masking import mask_iccid, mask_keys, mask_secret, one_line
from ..operation import Service
from ..operations import SingleOrder
from .ids import OwnIds
from .money import currency_for
from .state import State, Step, moved

Kind: TypeAlias = Literal["purchase", "subscription"]

MOST_FACTS = 500
_OLDEST_FACTS = 100


@attrs.frozen
class Fact:
    """Something that was done or told, and when (UTC)."""

    at: datetime
    told: str


def fact(told: str) -> Fact:
    """Date a fact now; it is one line, without secrets."""
    return Fact(datetime.now(UTC), one_line(told))


def _most(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Keep a text that is saved at every step from growing for ever."""
    told = tuple(facts)
    if len(told) <= MOST_FACTS:
        return told
    return (*told[:_OLDEST_FACTS], *told[_OLDEST_FACTS - MOST_FACTS :])


@attrs.frozen
class Intent:
    """A step that was begun: what it is, and how long ago it can have left at the latest."""

    step: Step
    wall_ms: int
    boot_id: str | None = None
    boot_ms: int | None = None
    margin: float = 0.0
    """Seconds after that moment within which the request can still leave."""
    refused: bool = False
    """It was refused, but an earlier sending of the same may have been carried out."""

    @classmethod
    def now(cls, step: Step, margin: float = 0.0, *, refused: bool = False) -> Intent:
        """Begin a step, or date its last moment."""
        return cls(step, time.time_ns() // 1_000_000, *boot_clock(), margin, refused)

    @property
    def age(self) -> float:
        """Seconds since the request can have left: by the boot's clock, which nobody sets, or on
        another machine or after a restart by the wall clock."""
        boot_id, boot_ms = boot_clock()
        if boot_id is not None and None not in (boot_ms, self.boot_ms) and boot_id == self.boot_id:
            return ((boot_ms or 0) - (self.boot_ms or 0)) / 1000 - self.margin
        return time.time() - self.wall_ms / 1000 - self.margin


@attrs.frozen(kw_only=True)
class Record:
    """All that is kept of a checkout; amounts are exact, the currency is in upper case."""

    kind: Kind
    partner: str
    endpoints: tuple[str, ...]
    iccid: str = attrs.field(repr=mask_iccid)
    package_code: str
    plan_code: str
    plan_name: str
    periods: int
    amount: Decimal
    currency: str
    ids: OwnIds
    before: int = 0
    """How many orders of the same plan the card had before."""
    reached: State = State.VERIFIED
    """How far it is for certain."""
    under_way: Intent | None = None
    """The step that was begun and whose outcome is not known."""
    sent: tuple[Step, ...] = ()
    """Every step that was ever about to be sent, in the order of their first time."""
    doubted: bool = False
    """The answer to an earlier sending of the order was lost: a refusal now may mean that one."""
    refused: bool = False
    """The service refused to make the order, and there was no such doubt."""
    client_secret: str | None = attrs.field(default=None, repr=mask_secret)
    publishable_key: str | None = None
    plan_id: str | None = None
    """What StripeAutoPay calls the subscription to be."""
    sub_id: str | None = None
    sub_status: str | None = None
    subscribed: bool = False
    confirm_answered: bool = False
    renewal_canceled: bool = False
    shown_unpaid: bool = False
    """GetOrder has shown this order before it was authorized: so it does show unpaid ones."""
    shown_renewal: bool = False
    """QueryAutoRenewalRecord has shown this subscription."""
    facts: tuple[Fact, ...] = attrs.field(
        default=(), converter=_most, repr=lambda facts: f"<{len(facts)}>"
    )
    """Of very many the oldest and the newest."""
    revision: int = 0
    """How often it was saved."""
    unknown_fields: Mapping[str, Any] = attrs.field(factory=dict, repr=mask_keys, eq=False)
    """What a later version has saved beside it, kept as it came."""

    @property
    def state(self) -> State:
        """UNKNOWN while a step is under way; a cancellation does not touch the purchase."""
        if self.under_way is not None and self.under_way.step is not Step.CANCELING:
            return State.UNKNOWN
        return self.reached

    @property
    def is_subscription(self) -> bool:
        """Whether it renews itself."""
        return self.kind == "subscription"

    def noting(self, told: str, **changes: Any) -> Self:
        """Give it with changes and a fact; the same fact again is not written again."""
        one = fact(told)
        same = bool(self.facts) and self.facts[-1].told == one.told
        return attrs.evolve(self, facts=self.facts if same else (*self.facts, one), **changes)

    def moving(self, state: State, told: str, **changes: Any) -> Self:
        """Give it in a state that may follow, with the evidence; else raise a Contradiction."""
        if state is State.AUTHORIZED and self.refused:
            raise CheckoutRefused("an order that was refused cannot be authorized")
        return self.noting(told, reached=moved(self.reached, state, told), **changes)

    def order(self) -> SingleOrder:
        """Make the operation that orders; the same at each call."""
        return SingleOrder(
            iccid=self.iccid,
            package_code=self.package_code,
            service_plan_code=self.plan_code,
            service_plan_show_name=self.plan_name,
            order_period=str(self.periods),
            pay_amount=self.amount,
            pay_currency=currency_for(Service.VSHOP, self.currency),
            auto_renewal="1" if self.is_subscription else "0",
            order_no=self.ids.order_no,
            pay_id=self.ids.pay_id,
            request_order_id=self.ids.request_order_id,
        )
