"""The shop's operations: cards, plans and orders, and the look-up of orders at topup."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ..operation import Operation
from ..operations import (
    CardOrder,
    CardOrders,
    CardVerification,
    CreatedOrder,
    GetOrder,
    ServicePlan,
    SingleOrder,
    SingleQueryOrder,
    SingleServicePlanPage,
    SingleVerify,
    SynOrderInfo,
)
from ..operations import Order as OrderModel
from .answers import Data, Refusal, told
from .plans import Plan, plan_of, plans_for
from .records import Order, OrderState
from .world import World

MAX_PERIODS = 36
MONTH = "2"
"""The unit of periods: '2' is seen in a sample beside 30 days."""

_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_CURRENCY = re.compile(r"[A-Z]{3}")
# '1' and '2' are seen in a sample; '0' and '3' are invented.
_STATUS: Mapping[OrderState, str] = {"unpaid": "0", "pending": "1", "in use": "2", "expired": "3"}


def same_amount(given: object, expected: str, times: int = 1) -> bool:
    """Tell whether a text is the amount expected; '9.9' is the same as '9.90'."""
    if not isinstance(given, str) or _AMOUNT.fullmatch(given) is None:
        return False
    return Decimal(given) == Decimal(expected) * times


class Shop:
    """Plays the shop; with `dedupe_orders` an id that was used before is refused.

    What is checked beyond the fields being there, and the words of refusals, are invented.
    """

    def __init__(self, world: World, *, dedupe_orders: bool) -> None:
        self._world = world
        self._dedupe = dedupe_orders

    def handlers(self) -> dict[type[Operation[Any]], Callable[[Any, str], Data]]:
        """Say which method carries out which operation."""
        return {
            SingleVerify: self.verify,
            SingleServicePlanPage: self.list_plans,
            SingleOrder: self.create_order,
            SingleQueryOrder: self.list_orders,
            SynOrderInfo: self.create_paid_order,
            GetOrder: self.get_order,
        }

    def verify(self, call: SingleVerify, partner: str) -> Data:
        """Answer that a card is the partner's and in order."""
        self._world.need_card(call.iccid, partner)
        return told(CardVerification, iccid=call.iccid, partner_code=partner)

    def list_plans(self, call: SingleServicePlanPage, partner: str) -> Data:
        """List the plans of a region; every card may buy all of them (invented)."""
        self._world.need_card(call.iccid, partner)
        plans = [
            told(
                ServicePlan,
                service_plan_code=plan.code,
                service_plan_show_name=plan.name,
                package_code=plan.package_code,
                pay_amount=plan.price,
                pay_currency=plan.currency,
                time=str(plan.months),
                unit=MONTH,
                auto_renewal="1" if plan.auto_renewal else "0",
            )
            for plan in plans_for(call.area)
        ]
        return {str(SingleServicePlanPage.list_key): plans}

    def create_order(self, call: SingleOrder, partner: str) -> Data:
        """Create an unpaid order, at the plan's price only."""
        self._world.need_card(call.iccid, partner)
        plan, periods = self._plan(call), self._periods(call)
        if not same_amount(call.pay_amount, plan.price, periods):
            raise Refusal("payAmount is not the plan's price times orderPeriod")
        if call.pay_currency != plan.currency:
            raise Refusal("payCurrency is not the plan's")
        self._new_order(call, partner, plan, periods)
        return self._created(call, partner)

    def create_paid_order(self, call: SynOrderInfo, partner: str) -> Data:
        """Create an order that was paid elsewhere, at a price of the partner's own.

        A refusal has the documented texts and an order-like number; the success, of which
        nothing is documented, answers like SingleOrder (invented).
        """
        try:
            self._world.need_card(call.iccid, partner)
            plan, periods = self._plan(call), self._periods(call)
            _check_payment(call)
            order = self._new_order(call, partner, plan, periods)
        except Refusal as reason:
            number = f"QY-00101220260101{self._world.ids.number('refused order'):012d}"
            raise Refusal(
                "调用订购接口失败", detail=number, head="fail", outcome=reason.outcome
            ) from reason
        self._world.orders.pay(order, self._world.clock.now())
        return self._created(call, partner)

    def _created(self, call: SingleOrder | SynOrderInfo, partner: str) -> Data:
        return told(
            CreatedOrder,
            iccid=call.iccid,
            order_no=call.order_no,
            partner_code=partner,
            pay_id=call.pay_id,
        )

    def _plan(self, call: SingleOrder | SynOrderInfo) -> Plan:
        plan = plan_of(call.service_plan_code)
        if plan is None:
            raise Refusal("servicePlanCode is unknown")
        if call.package_code != plan.package_code:
            raise Refusal("packageCode is not the plan's")
        if call.auto_renewal not in (None, "0", "1"):
            raise Refusal("autoRenewal must be 0 or 1")
        if call.auto_renewal == "1" and not plan.auto_renewal:
            raise Refusal("the plan cannot be renewed automatically")
        return plan

    def _periods(self, call: SingleOrder | SynOrderInfo) -> int:
        text = call.order_period
        if not (text.isascii() and text.isdigit() and len(text) <= 2):
            raise Refusal("orderPeriod is not a whole number")
        if not 1 <= int(text) <= MAX_PERIODS:
            raise Refusal(f"orderPeriod must be from 1 to {MAX_PERIODS}")
        return int(text)

    def _new_order(
        self, call: SingleOrder | SynOrderInfo, partner: str, plan: Plan, periods: int
    ) -> Order:
        book = self._world.orders
        if self._dedupe and (book.of_order_no(call.order_no) or book.of_pay_id(call.pay_id)):
            raise Refusal("orderNo or payId was used before")
        order = Order(
            number=self._world.ids.number("order"),
            partner_code=partner,
            iccid=call.iccid,
            plan=plan,
            periods=periods,
            amount=str(call.pay_amount),
            currency=call.pay_currency,
            auto_renewal=call.auto_renewal == "1",
            order_no=call.order_no,
            pay_id=call.pay_id,
            request_order_id=call.request_order_id,
            created=self._world.clock.now(),
        )
        book.add(order)
        return order

    def list_orders(self, call: SingleQueryOrder, partner: str) -> Data:
        """List a card's order in use and those that wait, in the order they are used up."""
        self._world.need_card(call.iccid, partner)
        now = self._world.clock.now()
        listed = [
            (order.start, order)
            for order in self._world.orders.of_card(call.iccid)
            if order.start is not None and order.state(now) in ("pending", "in use")
        ]
        listed.sort(key=lambda entry: entry[0])
        entries = []
        for _, order in listed:
            in_use = order.state(now) == "in use" and order.end is not None
            entries.append(
                told(
                    CardOrder,
                    order_status=_STATUS[order.state(now)],
                    service_plan_show_name=order.plan.name,
                    time=str(order.months),
                    unit=MONTH,
                    expire_date=order.end.date().isoformat() if in_use and order.end else None,
                    remaining_days=str(order.days_left(now)),
                )
            )
        return told(CardOrders, partner_code=partner, iccid=call.iccid, orders=entries)

    def get_order(self, call: GetOrder, partner: str) -> Data:
        """Find an order of the partner's by the first key given; null where there is none.

        Of several the latest paid one is taken, else the latest; for the partner's own order
        id the first half is documented, all else is invented.
        """
        book = self._world.orders
        if call.purchase_order_id:
            found = book.of_request_id(call.purchase_order_id)
        elif call.order_id:
            found = book.of_order_no(call.order_id)
        elif call.iccid:
            found = book.of_card(call.iccid)
        else:
            raise Refusal("one of purchase_order_id, order_id and sim_id is needed")
        order = _latest([order for order in found if order.partner_code == partner])
        if order is None:
            return None
        return told(
            OrderModel,
            order_id=order.order_no,
            purchase_order_id=order.request_order_id,
            iccid=order.iccid,
            status=_STATUS[order.state(self._world.clock.now())],
            pay_amount=order.amount,
            pay_currency=order.currency,
        )


def _check_payment(call: SynOrderInfo) -> None:
    if call.pay_status != "1" or call.pay_rst != "SUCCESS":
        raise Refusal("the order is not paid")
    amounts = (call.pay_amount, call.pay_unit, call.settle_price)
    if not all(_AMOUNT.fullmatch(str(amount)) for amount in amounts):
        raise Refusal("an amount is not a decimal number")
    if _CURRENCY.fullmatch(call.pay_currency) is None:
        raise Refusal("payCurrency is not a code in upper case")


def _latest(orders: Sequence[Order]) -> Order | None:
    paid = [(order.paid, order.number, order) for order in orders if order.paid is not None]
    if paid:
        return max(paid, key=lambda entry: entry[:2])[2]
    return orders[-1] if orders else None
