"""The shop's operations on automatic renewals: look one up, cancel it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..operation import Operation
from ..operations import AutoRenewal, CancelAutoRenewalRecord, QueryAutoRenewalRecord
from .answers import Data, Refusal, told
from .records import Subscription
from .world import World

_PACKAGE_TYPE = "5"
"""What `packageType` says; its meaning is not documented, '5' is the sample's."""


class Renewals:
    """Plays the renewal record of a card."""

    def __init__(self, world: World) -> None:
        self._world = world

    def handlers(self) -> dict[type[Operation[Any]], Callable[[Any, str], Data]]:
        """Say which method carries out which operation."""
        return {QueryAutoRenewalRecord: self.query, CancelAutoRenewalRecord: self.cancel}

    def _active(self, iccid: str) -> list[Subscription]:
        return [
            subscription
            for subscription in self._world.ledger.subscriptions_of(iccid)
            if subscription.state in ("active", "past_due")
        ]

    def query(self, call: QueryAutoRenewalRecord, partner: str) -> Data:
        """Give the latest live renewal of a card; `{}` where there is none (invented)."""
        self._world.need_card(call.iccid, partner)
        active = self._active(call.iccid)
        if not active:
            return {}
        order = active[-1].order
        return told(
            AutoRenewal,
            iccid=order.iccid,
            order_no=order.order_no,
            order_period=str(order.periods),
            package_type=_PACKAGE_TYPE,
            partner_code=partner,
            pay_id=order.pay_id,
            service_plan_show_name=order.plan.name,
            subscription_time=f"{active[-1].since:%Y.%m.%d}",
        )

    def cancel(self, call: CancelAutoRenewalRecord, partner: str) -> Data:
        """Stop a renewal; what is paid runs to its end."""
        self._world.need_card(call.iccid, partner)
        for subscription in self._active(call.iccid):
            order = subscription.order
            if (order.order_no, order.pay_id) == (call.order_no, call.pay_id):
                subscription.state = "canceled"
                return {}
        raise Refusal("no active renewal of this card has this orderNo and payId")
