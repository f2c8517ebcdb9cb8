"""Situations to start a test from, set up in the world without a single request."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

import attrs

from ..errors import ConfigurationError
from ..masking import mask_iccid
from .plans import PLANS, Plan, plan_of
from .records import DAYS_OF_A_MONTH, Group, Order, Payment, PaymentMethod, Subscription
from .stripe import Stripe
from .world import World

_PLAN = next(plan for plan in PLANS if plan.auto_renewal and plan.months == 1)


@attrs.frozen(kw_only=True)
class Situation:
    """A card and what was set up for it."""

    iccid: str = attrs.field(repr=mask_iccid)
    order: Order
    payment: Payment | None = None
    subscription: Subscription | None = None


class Scenarios:
    """Sets situations up, each on a card of the partner's that nothing was done with so far."""

    def __init__(self, world: World, stripe: Stripe) -> None:
        self._world = world
        self._stripe = stripe
        self._cards = self._unused()

    def unpaid_order(self, *, plan: str | None = None) -> Situation:
        """Order a plan and pay nothing."""
        iccid = self._cards_for(1)[0]
        return Situation(iccid=iccid, order=self._order(iccid, _plan(plan), self._now()))

    def active_plan(
        self,
        *,
        days_left: float | None = None,
        renewal_due_in_days: float | None = None,
        declines: bool = False,
        plan: str | None = None,
    ) -> Situation:
        """Have a plan in use, bought now or so that some days are left.

        With `renewal_due_in_days` it is a subscription, charged again when the days are over;
        `declines` has its payment method refuse that.
        """
        if renewal_due_in_days is not None and days_left is not None:
            raise ConfigurationError("give days_left or renewal_due_in_days, not both")
        bought, renews = _plan(plan), renewal_due_in_days is not None
        if renews and not bought.auto_renewal:
            raise ConfigurationError(f"the plan {bought.code} cannot be renewed automatically")
        length = bought.months * DAYS_OF_A_MONTH
        left = renewal_due_in_days if renews else days_left
        if left is not None and not 0 < left <= length:
            raise ConfigurationError(f"the days left must be above 0 and at most {length}")
        since = self._now() - timedelta(days=0 if left is None else length - left)
        iccid = self._cards_for(1)[0]
        order = self._order(iccid, bought, since, auto_renewal=renews)
        if not renews:
            return Situation(iccid=iccid, order=order, payment=self._stripe.pay(order, since))
        ids = self._world.ids
        method = PaymentMethod(ids.token("pm"))
        self._world.methods[method.pm_id] = method
        subscription = self._stripe.new_subscription(order, method, since)
        self._stripe.start(subscription)
        method.declines = declines
        return Situation(
            iccid=iccid, order=order, payment=subscription.charges[0], subscription=subscription
        )

    def expired_plan(self, *, ended_days_ago: float = 1, plan: str | None = None) -> Situation:
        """Have a plan that has ended, and nothing after it."""
        if not 0 <= ended_days_ago <= 36_525:
            raise ConfigurationError("ended_days_ago must be from 0 to a century")
        bought = _plan(plan)
        since = self._now() - timedelta(days=bought.months * DAYS_OF_A_MONTH + ended_days_ago)
        iccid = self._cards_for(1)[0]
        order = self._order(iccid, bought, since)
        return Situation(iccid=iccid, order=order, payment=self._stripe.pay(order, since))

    def full_group(self, size: int, *, name: str = "Full") -> Group:
        """Make a new group of the partner's that holds so many cards."""
        members = dict.fromkeys(self._cards_for(size))
        group_id = f"G{2000 + self._world.ids.number('group')}"
        group = Group(group_id, name, self._world.partner_code, PLANS[:1], members)
        self._world.groups[group_id] = group
        return group

    def _now(self) -> datetime:
        return self._world.clock.now()

    def _unused(self) -> Iterator[str]:
        world = self._world
        for iccid in world.iccids("valid"):
            grouped = any(iccid in group.members for group in world.groups.values())
            if not grouped and not world.orders.of_card(iccid) and world.is_valid(iccid):
                yield iccid

    def _cards_for(self, count: int) -> list[str]:
        """Take cards that nothing was done with."""
        taken = list(islice(self._cards, count))
        if len(taken) < count:
            # From the start again: what was passed over may be free by now.
            self._cards = self._unused()
            taken = list(islice(self._cards, count))
        if len(taken) < count:
            self._cards = self._unused()
            raise ConfigurationError(
                f"the sandbox has {len(taken)} unused cards left, not {count}; give it more"
            )
        return taken

    def _order(
        self, iccid: str, plan: Plan, when: datetime, *, auto_renewal: bool = False
    ) -> Order:
        number = self._world.ids.number("order")
        order_no = f"SCENE{number:08d}"
        order = Order(
            number=number,
            partner_code=self._world.partner_code,
            iccid=iccid,
            plan=plan,
            periods=1,
            amount=plan.price,
            currency=plan.currency,
            auto_renewal=auto_renewal,
            order_no=order_no,
            pay_id=f"{self._world.partner_code}{order_no}",
            request_order_id=order_no,
            created=when,
        )
        self._world.orders.add(order)
        return order


def _plan(code: str | None) -> Plan:
    plan = _PLAN if code is None else plan_of(code)
    if plan is None:
        raise ConfigurationError(f"no plan is called {code!r}")
    return plan
