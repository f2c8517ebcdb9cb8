"""A stand-in for Stripe and the payer: decides payments, confirms set-ups, charges renewals.

All of it is invented. It does what the app in the payer's hand and Stripe's servers would do, so
that a purchase can be played to its end without either.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from .answers import Refusal
from .records import Order, Payment, PaymentMethod, Subscription
from .world import World

RETRY_DAYS = (3.0, 5.0, 7.0)
"""When a declined renewal is tried again; invented, after what Stripe may be set to."""


class Stripe:
    """Plays the payer's side, by client secret; a `Refusal` says what cannot be done."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.retry_days: Sequence[float] = RETRY_DAYS
        """Days after a declined renewal until it is tried again, each counted from the last."""
        world.clock.on("renewal", self._renew)

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
        setup = self._world.ledger.setup(client_secret)
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

    def pay(self, order: Order, when: datetime) -> Payment:
        """Pay an order in one go, as if the payer had done so at a time."""
        payment = Payment(order, order.amount, order.currency.lower(), when)
        self._world.ledger.add_payment(payment)
        self._take(payment, when)
        return payment

    def new_subscription(
        self, order: Order, method: PaymentMethod, since: datetime
    ) -> Subscription:
        """Make a subscription that is not started yet."""
        ids = self._world.ids
        return Subscription(
            order,
            method,
            sub_id=ids.token("sub"),
            customer_id=ids.token("cus", 14),
            product_id=ids.token("prod", 14),
            state="incomplete",
            since=since,
        )

    def start(self, subscription: Subscription) -> None:
        """Charge the first period; where it is paid the subscription becomes active."""
        self._world.ledger.add_subscription(subscription)
        if self._charge(subscription, subscription.since):
            subscription.state = "active"
            self._await_renewal(subscription)

    def _payment(self, client_secret: str) -> Payment:
        payment = self._world.ledger.payment(client_secret)
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
        self._world.ledger.add_payment(payment)
        subscription.charges.append(payment)
        if subscription.method.declines:
            payment.state = "failed"
            return False
        self._take(payment, when)
        return True

    def _await_renewal(self, subscription: Subscription) -> None:
        due = subscription.order.end
        if due is not None:
            self._world.clock.plan(due, "renewal", subscription.sub_id)

    def _renew(self, sub_id: str, when: datetime) -> None:
        """Charge the next period; a good charge extends the service."""
        subscription = self._world.ledger.subscription(sub_id)
        end = subscription.order.end
        if subscription.state not in ("active", "past_due") or end is None:
            return
        # The order may have been moved back behind another one that was extended.
        if end <= when:
            if not self._charge(subscription, when):
                self._declined(subscription, when)
                return
            subscription.state, subscription.retries = "active", 0
            self._world.orders.extend(subscription.order)
        self._await_renewal(subscription)

    def _declined(self, subscription: Subscription, when: datetime) -> None:
        """Try again later; at last give up and suspend a card that has nothing else paid."""
        if subscription.retries < len(self.retry_days):
            again = when + timedelta(days=self.retry_days[subscription.retries])
            subscription.state = "past_due"
            subscription.retries += 1
            self._world.clock.plan(again, "renewal", subscription.sub_id)
            return
        subscription.state = "unpaid"
        iccid = subscription.order.iccid
        paid = self._world.orders.of_card(iccid)
        if all(order.state(when) in ("unpaid", "expired") for order in paid):
            self._world.suspend(iccid)
