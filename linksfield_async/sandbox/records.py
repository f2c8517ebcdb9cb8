"""What the sandbox remembers: orders, payments, subscriptions, groups and jobs."""

from __future__ import annotations

from collections.abc import Sized
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

import attrs

from ..masking import mask_iccid, mask_secret
from .behaviour import GroupBehaviour
from .plans import Plan

DAYS_OF_A_MONTH = 30

OrderState: TypeAlias = Literal["unpaid", "pending", "in use", "expired"]
PaymentState: TypeAlias = Literal["pending", "paid", "failed"]
SubscriptionState: TypeAlias = Literal["active", "incomplete", "past_due", "canceled", "unpaid"]
JobState: TypeAlias = Literal["pending", "processing", "success", "partial", "failed"]


def _counted(things: Sized) -> str:
    return f"<{len(things)}>"


def later(moment: datetime, days: int) -> datetime:
    """Give the moment some days on, or the last one there is."""
    try:
        return moment + timedelta(days=days)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


@attrs.define(eq=False)
class Order:
    """An order; `start` and `end` are known once it is paid."""

    number: int
    partner_code: str
    iccid: str = attrs.field(repr=mask_iccid)
    plan: Plan = attrs.field(repr=lambda plan: plan.code)
    periods: int
    amount: str
    currency: str
    auto_renewal: bool
    order_no: str
    pay_id: str
    request_order_id: str | None
    created: datetime
    paid: datetime | None = None
    start: datetime | None = None
    end: datetime | None = None
    confirmed: bool = False

    @property
    def months(self) -> int:
        """How many months were bought."""
        return self.plan.months * self.periods

    @property
    def days(self) -> int:
        """How many days were bought; a month has 30."""
        return self.months * DAYS_OF_A_MONTH

    def state(self, now: datetime) -> OrderState:
        """Tell how the order stands at a time."""
        if self.start is None or self.end is None:
            return "unpaid"
        if now < self.start:
            return "pending"
        return "in use" if now < self.end else "expired"

    def days_left(self, now: datetime) -> int:
        """Count the days left: calendar days of the one in use, all days of a pending one."""
        if self.end is None or self.state(now) == "pending":
            return self.days
        return max(0, (self.end.date() - now.date()).days)


@attrs.define(eq=False)
class Payment:
    """One attempt to take money for an order; renewals have no client secret."""

    order: Order = attrs.field(repr=lambda order: order.order_no)
    amount: str
    currency: str
    created: datetime
    client_secret: str | None = attrs.field(default=None, repr=mask_secret)
    state: PaymentState = "pending"
    transaction_id: str | None = None


@attrs.define(eq=False)
class PaymentMethod:
    """A way to pay that the payer's Stripe account holds; `declines` makes it refuse."""

    pm_id: str = attrs.field(repr=mask_secret)
    declines: bool = False


@attrs.define(eq=False)
class Setup:
    """A setup intent: the plan id made for it and, once confirmed, its payment method."""

    order: Order = attrs.field(repr=lambda order: order.order_no)
    plan_id: str
    client_secret: str = attrs.field(repr=mask_secret)
    method: PaymentMethod | None = None


@attrs.define(eq=False)
class Subscription:
    """A subscription at Stripe; `charges` are its payments, the first one included."""

    order: Order = attrs.field(repr=lambda order: order.order_no)
    method: PaymentMethod
    sub_id: str
    customer_id: str
    product_id: str
    state: SubscriptionState
    since: datetime
    charges: list[Payment] = attrs.field(factory=list, repr=_counted)
    retries: int = 0
    """How many times a declined renewal was put off."""


@attrs.define(eq=False)
class Message:
    """A recharge message that was not taken yet; the members are those of when it was paid."""

    event: int
    fields: dict[str, str | None] = attrs.field(repr=_counted)
    at: datetime
    """When it is sent, or sent again."""
    attempt: int = 1


@attrs.define(eq=False)
class Group:
    """A group of SIMs; `members` keeps the order in which they were added."""

    group_id: str
    name: str
    partner_code: str
    bundles: tuple[Plan, ...] = attrs.field(repr=_counted)
    members: dict[str, None] = attrs.field(factory=dict, repr=_counted)
    _coming: dict[str, tuple[int, bool]] = attrs.field(factory=dict, repr=False)
    """Cards with accepted changes under way: how many, and whether the last one adds."""

    def will_hold(self, iccid: str) -> bool:
        """Tell whether a card is a member once all accepted changes are carried out."""
        _, adding = self._coming.get(iccid, (0, iccid in self.members))
        return adding

    def announce(self, iccid: str, *, adding: bool) -> None:
        """Keep in mind that a change of a card was accepted."""
        count, _ = self._coming.get(iccid, (0, adding))
        self._coming[iccid] = (count + 1, adding)

    def settle(self, iccid: str) -> None:
        """Forget a change that was carried out or failed."""
        count, adding = self._coming[iccid]
        if count > 1:
            self._coming[iccid] = (count - 1, adding)
        else:
            del self._coming[iccid]


@attrs.frozen
class NeedlessChange:
    """A card that was added while a member or to be one, or removed while neither."""

    time: datetime
    group_id: str
    iccid: str = attrs.field(repr=mask_iccid)
    adding: bool
    request_id: str


@attrs.frozen
class SimOutcome:
    """What became of one card in a job; `problem` is None where all went well."""

    iccid: str = attrs.field(repr=mask_iccid)
    problem: str | None = None


@attrs.define(eq=False)
class Job:
    """A change of a group that runs in the background."""

    request_id: str
    number: int
    group: Group = attrs.field(repr=lambda group: group.group_id)
    adding: bool
    iccids: tuple[str, ...] = attrs.field(repr=_counted)
    accepted: datetime
    due: datetime
    behaviour: GroupBehaviour = attrs.field(repr=False)
    polls: int = 0
    """How many times its result was asked for."""
    told_done: int = 0
    """How many times it was told, or would have been told, that it is done."""
    outcomes: list[SimOutcome] | None = attrs.field(default=None, repr=False)

    def state(self, now: datetime) -> JobState:
        """Tell how the job stands: a third of its time it is pending, then processing."""
        if self.outcomes is None:
            started = self.accepted + (self.due - self.accepted) / 3
            return "pending" if now < started else "processing"
        failed = sum(outcome.problem is not None for outcome in self.outcomes)
        if failed == 0:
            return "success"
        return "failed" if failed == len(self.outcomes) else "partial"
