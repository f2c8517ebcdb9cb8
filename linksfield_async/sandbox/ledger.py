"""The books of payments, set-ups, payment methods and subscriptions, and how each is found."""

from __future__ import annotations

from collections.abc import Sequence

from .records import Order, Payment, PaymentMethod, Setup, Subscription


class Ledger:
    """All that the stand-in for Stripe knows; the lists are in the order of creation."""

    def __init__(self) -> None:
        self.payments: list[Payment] = []
        self.setups: list[Setup] = []
        self.methods: dict[str, PaymentMethod] = {}
        self.subscriptions: list[Subscription] = []
        self._by_secret: dict[str, Payment] = {}
        self._by_order: dict[int, list[Payment]] = {}
        self._setups: dict[str, Setup] = {}
        self._setups_by_plan: dict[str, Setup] = {}
        self._by_card: dict[str, list[Subscription]] = {}
        self._by_id: dict[str, Subscription] = {}

    def add_payment(self, payment: Payment) -> None:
        """Keep a payment; without a client secret nobody but Stripe can decide it."""
        self.payments.append(payment)
        self._by_order.setdefault(payment.order.number, []).append(payment)
        if payment.client_secret is not None:
            self._by_secret[payment.client_secret] = payment

    def add_setup(self, setup: Setup) -> None:
        """Keep a setup intent."""
        self.setups.append(setup)
        self._setups[setup.client_secret] = setup
        self._setups_by_plan[setup.plan_id] = setup

    def add_subscription(self, subscription: Subscription) -> None:
        """Keep a subscription."""
        self.subscriptions.append(subscription)
        self._by_card.setdefault(subscription.order.iccid, []).append(subscription)
        self._by_id[subscription.sub_id] = subscription

    def payments_of(self, order: Order) -> Sequence[Payment]:
        """List the payments of an order, oldest first."""
        return self._by_order.get(order.number, ())

    def payment(self, client_secret: str) -> Payment | None:
        """Find the payment of a client secret."""
        return self._by_secret.get(client_secret)

    def setup(self, client_secret: str) -> Setup | None:
        """Find the setup intent of a client secret."""
        return self._setups.get(client_secret)

    def setup_of_plan(self, plan_id: str) -> Setup | None:
        """Find the setup intent that a plan id was made with."""
        return self._setups_by_plan.get(plan_id)

    def subscriptions_of(self, iccid: str) -> Sequence[Subscription]:
        """List the subscriptions of a card, oldest first."""
        return self._by_card.get(iccid, ())

    def subscription(self, sub_id: str) -> Subscription:
        """Give a subscription that there is."""
        return self._by_id[sub_id]
