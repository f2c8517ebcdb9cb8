"""The cashier's operations: they begin payments, which the stand-in for Stripe then decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..operation import Operation
from ..operations import (
    PaymentAuthorization,
    PaymentResult,
    ResultConfirm,
    ResultQuery,
    StripeAutoPay,
    StripePay,
    StripeSubDirectly,
    StripeSubscription,
    SubscriptionAuthorization,
)
from .answers import Data, Refusal, told
from .records import Order, Payment, PaymentState, Setup
from .shop import same_amount
from .stripe import Stripe
from .world import World

# Status and word; only '1' and SUCCESS are seen in a document, as inputs of SynOrderInfo.
_WORDS: dict[PaymentState, tuple[str, str]] = {
    "paid": ("1", "SUCCESS"),
    "pending": ("0", "PENDING"),
    "failed": ("2", "FAIL"),
}


class Cashier:
    """Plays the payment service; the words of its answers are assumed or invented."""

    def __init__(self, world: World, stripe: Stripe) -> None:
        self._world = world
        self._stripe = stripe

    def handlers(self) -> dict[type[Operation[Any]], Callable[[Any, str], Data]]:
        """Say which method carries out which operation."""
        return {
            StripePay: self.authorize,
            StripeAutoPay: self.authorize_subscription,
            StripeSubDirectly: self.subscribe,
            ResultQuery: self.query,
            ResultConfirm: self.confirm,
        }

    def authorize(self, call: StripePay, partner: str) -> Data:
        """Make a payment intent; asking again makes another one (invented)."""
        order = self._unpaid_order(call, partner)
        payment = Payment(
            order,
            order.amount,
            call.pay_currency,
            self._world.clock.now(),
            client_secret=self._world.ids.client_secret("pi"),
        )
        self._world.ledger.add_payment(payment)
        return told(
            PaymentAuthorization,
            client_secret=payment.client_secret,
            publishable_key=self._world.ids.publishable_key,
            pay_id=order.pay_id,
        )

    def authorize_subscription(self, call: StripeAutoPay, partner: str) -> Data:
        """Make a setup intent and a plan id, for an order with automatic renewal only."""
        order = self._unpaid_order(call, partner)
        if not order.auto_renewal:
            raise Refusal("the order was created without automatic renewal")
        setup = Setup(
            order,
            plan_id=self._world.ids.token("plan"),
            client_secret=self._world.ids.client_secret("seti"),
        )
        self._world.ledger.add_setup(setup)
        return told(
            SubscriptionAuthorization,
            plan_id=setup.plan_id,
            client_secret=setup.client_secret,
            publishable_key=self._world.ids.publishable_key,
        )

    def subscribe(self, call: StripeSubDirectly, partner: str) -> Data:
        """Charge the first period and subscribe; a declined charge leaves it `incomplete`."""
        order = self._unpaid_order(call, partner)
        setup = self._world.ledger.setup_of_plan(call.plan_id)
        if setup is None or setup.order.pay_id != order.pay_id:
            raise Refusal("plan_id was not made for this payId")
        method = self._world.methods.get(call.pm_id)
        if method is None or setup.method is not method:
            raise Refusal("pm_id does not come from the plan's confirmed setup intent")
        if setup.order.paid is not None:
            raise Refusal("the order is already paid")
        subscription = self._stripe.new_subscription(setup.order, method, self._world.clock.now())
        self._stripe.start(subscription)
        return told(
            StripeSubscription,
            customer_id=subscription.customer_id,
            pay_method=method.pm_id,
            product_id=subscription.product_id,
            status=subscription.state,
            sub_id=subscription.sub_id,
        )

    def query(self, call: ResultQuery, partner: str) -> Data:
        """Tell what became of a payment id: paid if any attempt was, else the latest attempt."""
        return self._result(self._orders(call.pay_id, partner))

    def confirm(self, call: ResultConfirm, partner: str) -> Data:
        """Mark the paid orders confirmed, as often as asked; answers like `query` (invented)."""
        orders = self._orders(call.pay_id, partner)
        for order in orders:
            order.confirmed = order.confirmed or order.paid is not None
        return self._result(orders)

    def _orders(self, pay_id: str, partner: str) -> list[Order]:
        found = self._world.orders.of_pay_id(pay_id)
        orders = [order for order in found if order.partner_code == partner]
        if not orders:
            raise Refusal("payId is unknown")
        return orders

    def _unpaid_order(
        self, call: StripePay | StripeAutoPay | StripeSubDirectly, partner: str
    ) -> Order:
        """Find the latest unpaid order of a payment id, and check amount and currency."""
        orders = self._orders(call.pay_id, partner)
        unpaid = [order for order in orders if order.paid is None]
        if not unpaid:
            raise Refusal("the order is already paid")
        order = unpaid[-1]
        if not same_amount(call.pay_amount, order.amount):
            raise Refusal("payAmount is not the order's")
        if call.pay_currency != order.currency.lower():
            raise Refusal("payCurrency is not the order's in lower case")
        return order

    def _result(self, orders: list[Order]) -> Data:
        payments = [
            payment for order in orders for payment in self._world.ledger.payments_of(order)
        ]
        latest = payments[-1] if payments else None
        payment = next((one for one in payments if one.state == "paid"), latest)
        order = orders[-1] if payment is None else payment.order
        state: PaymentState = "pending" if payment is None else payment.state
        if payment is None and order.paid is not None:
            # Paid elsewhere and reported by SynOrderInfo.
            state = "paid"
        status, word = _WORDS[state]
        return told(
            PaymentResult,
            pay_id=order.pay_id,
            pay_status=status,
            pay_rst=word,
            pay_amount=order.amount if payment is None else payment.amount,
            pay_currency=order.currency.lower() if payment is None else payment.currency,
            transaction_id=None if payment is None else payment.transaction_id,
        )
