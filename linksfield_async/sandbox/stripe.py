"""A stand-in for Stripe and the payer: decides payments, confirms set-ups, charges renewals.

All of it is invented. It does what the app in the payer's hand and Stripe's servers would do, so
that a purchase can be played to its end without either.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from .answers import Refusal
from .records import Order, Payment, PaymentMethod, Setup, Subscription
from .world import World


class Stripe:
    """Plays the payer's side, by client secret; a `Refusal` says what cannot be done."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._by_secret: dict[str, Payment] = {}
        self._by_order: dict[int, list[Payment]] = {}
        self._setups: dict[str, Setup] = {}
        self._setups_by_plan: dict[str, Setup] = {}
        self._subscriptions: dict[str, list[Subscription]] = {}

    def add_payment(self, payment: Payment) -> None:
        """Keep a payment; without a client secret nobody but Stripe can decide it."""
        self._world.payments.append(payment)
        self._by_order.setdefault(payment.order.number, []).append(payment)
        if payment.client_secret is not None:
            self._by_secret[payment.client_secret] = payment

    def add_setup(self, setup: Setup) -> None:
        """Keep a setup intent."""
        self._world.setups.append(setup)
        self._setups[setup.client_secret] = setup
        self._setups_by_plan[setup.plan_id] = setup

    def payments_of(self, order: Order) -> Sequence[Payment]:
        """List the payments of an order, oldest first."""
        return self._by_order.get(order.number, ())

    def setup_of_plan(self, plan_id: str) -> Setup | None:
        """Find the setup intent that a plan id was made with."""
        return self._setups_by_plan.get(plan_id)

    def subscriptions_of(self, iccid: str) -> Sequence[Subscription]:
        """List the subscriptions of a card, oldest first."""
        return self._subscriptions.get(iccid, ())

    def complete(self, client_secret: str) -> Payment:
        """Let a payment succeed, even after it was declined; its order is then paid."""
        payment = self._payment(client_secret)
        if payment.state != "paid":
            self._take(payment, self._world.clock.now())
        return payment

    def decline(self, client_secret: str) -> Payment:
        """Let a payment fail; it may be tried again, as at Stripe."""
        payment = self._payment(client_secret)
        if payment.state == "paid":
            raise Refusal("the payment was completed before")
        payment.state = "failed"
        return payment

    def confirm_setup(self, client_secret: str, *, declines: bool = False) -> str:
        """Confirm a setup intent; gives the payment method's id, again the same when repeated.

        With `declines` the payment method refuses every charge.
        """
        setup = self._setups.get(client_secret)
        if setup is None:
            raise Refusal("no setup intent has this client secret")
        if setup.method is None:
            setup.method = PaymentMethod(self._world.ids.token("pm"))
            self._world.methods[setup.method.pm_id] = setup.method
        setup.method.declines = declines
        return setup.method.pm_id

    def set_declines(self, pm_id: str, declines: bool = True) -> None:
        """Have a payment method refuse every charge from now on, or take them again."""
        method = self._world.methods.get(pm_id)
        if method is None:
            raise Refusal("no payment method has this id")
        method.declines = declines

    def start(self, subscription: Subscription) -> None:
        """Charge the first period; where it is paid the subscription becomes active."""
        self._world.subscriptions.append(subscription)
        self._subscriptions.setdefault(subscription.order.iccid, []).append(subscription)
        if self._charge(subscription, self._world.clock.now()):
            subscription.state = "active"
            self._await_renewal(subscription)

    def _payment(self, client_secret: str) -> Payment:
        payment = self._by_secret.get(client_secret)
        if payment is None:
            raise Refusal("no payment intent has this client secret")
        return payment

    def _take(self, payment: Payment, when: datetime) -> None:
        payment.state = "paid"
        payment.transaction_id = self._world.ids.token("ch")
        # Paid by another payment before: the payer is charged twice, the order runs once.
        if payment.order.paid is None:
            self._world.orders.pay(payment.order, when)

    def _charge(self, subscription: Subscription, when: datetime) -> bool:
        order = subscription.order
        payment = Payment(order, order.amount, order.currency.lower(), when)
        self.add_payment(payment)
        subscription.charges.append(payment)
        if subscription.method.declines:
            payment.state = "failed"
            return False
        self._take(payment, when)
        return True

    def _await_renewal(self, subscription: Subscription) -> None:
        due = subscription.order.end
        if due is not None:
            self._world.clock.at(due, lambda when: self._renew(subscription, when))

    def _renew(self, subscription: Subscription, when: datetime) -> None:
        """Charge the next period; a failed charge ends the subscription as `unpaid`."""
        end = subscription.order.end
        if subscription.state != "active" or end is None:
            return
        # The order may have been moved back behind another one that was extended.
        if end <= when:
            if not self._charge(subscription, when):
                subscription.state = "unpaid"
                return
            self._world.orders.extend(subscription.order)
        self._await_renewal(subscription)
