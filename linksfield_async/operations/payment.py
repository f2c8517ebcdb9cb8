"""Cashier operations and their results: Stripe payments. Docs: Topup APIs, folder Payment."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, TypeAlias

from ..masking import mask_secret
from ..operation import (
    ASSUMED,
    DOCUMENTED,
    SEED,
    Amount,
    AnswerShape,
    Effect,
    Model,
    Operation,
    Service,
    declare,
    wire,
)


@declare
class PaymentAuthorization(Model):
    """What the app or page needs to let Stripe take a one-time payment."""

    client_secret: str | None = wire(
        "client_secret",
        "Stripe PaymentIntent client secret for the app or page",
        evidence=ASSUMED,
        also_accept=("clientSecret",),
        default=None,
        mask=mask_secret,
    )
    publishable_key: str | None = wire(
        "publishable_key",
        "Stripe publishable key",
        evidence=ASSUMED,
        also_accept=("publishableKey",),
        default=None,
    )
    pay_id: str | None = wire("payId", "echo", evidence=ASSUMED, default=None)


@declare
class SubscriptionAuthorization(Model):
    """What the app or page needs to let Stripe set up a subscription."""

    plan_id: str | None = wire(
        "plan_id",
        "auto-subscription id made by Linksfield, needed by stripeSubDirectly",
        evidence=ASSUMED,
        also_accept=("planId",),
        default=None,
    )
    client_secret: str | None = wire(
        "client_secret",
        "Stripe SetupIntent client secret",
        evidence=ASSUMED,
        also_accept=("clientSecret",),
        default=None,
        mask=mask_secret,
    )
    publishable_key: str | None = wire(
        "publishable_key",
        "Stripe publishable key",
        evidence=ASSUMED,
        also_accept=("publishableKey",),
        default=None,
    )


@declare
class StripeSubscription(Model):
    """A subscription as Stripe set it up."""

    customer_id: str = wire("customer_id", "Stripe customer", evidence=SEED)
    pay_method: str = wire("pay_method", "payment method", evidence=SEED)
    product_id: str = wire("product_id", "Stripe product", evidence=SEED)
    status: str = wire(
        "status", "subscription status; values not documented, open enum", evidence=SEED
    )
    sub_id: str = wire("sub_id", "Stripe subscription", evidence=SEED)


PaymentState: TypeAlias = Literal["paid", "pending", "failed", "unknown"]

PAYMENT_STATES: dict[str, PaymentState] = {
    "0": "pending",
    "1": "paid",
    "2": "failed",
    "SUCCESS": "paid",
    "SUCCEEDED": "paid",
    "PENDING": "pending",
    "PROCESSING": "pending",
    "FAIL": "failed",
    "FAILED": "failed",
    "CANCELED": "failed",
    "CANCELLED": "failed",
}
"""What the words of `payStatus` and `payRst`, in upper case, are taken to mean.

Only '1' and SUCCESS are seen in a document (as inputs of SynOrderInfo); all is assumed. Change
the table at start-up where the service turns out to use other words.
"""


@declare
class PaymentResult(Model):
    """What is known of a payment; `state` reads it."""

    pay_id: str | None = wire("payId", "echo", evidence=ASSUMED, default=None)
    pay_status: str | None = wire(
        "payStatus", "'1' = paid, by analogy with SynOrderInfo", evidence=ASSUMED, default=None
    )
    pay_rst: str | None = wire(
        "payRst", "result word: SUCCESS when paid", evidence=ASSUMED, default=None
    )
    pay_amount: Decimal | None = wire("payAmount", "amount", evidence=ASSUMED, default=None)
    pay_currency: str | None = wire("payCurrency", "currency", evidence=ASSUMED, default=None)
    transaction_id: str | None = wire(
        "transactionId", "id at the provider", evidence=ASSUMED, default=None
    )

    @property
    def state(self) -> PaymentState:
        """Read `PAYMENT_STATES`; words that are not in it or contradict each other are unknown."""
        words = [word.strip().upper() for word in (self.pay_status, self.pay_rst) if word]
        states: set[PaymentState] = {PAYMENT_STATES.get(word, "unknown") for word in words}
        return states.pop() if len(states) == 1 else "unknown"


@declare
class StripePay(Operation[PaymentAuthorization]):
    """Ask Stripe, through the cashier, to authorize a one-time payment.

    Only the path is documented; the fields follow `StripeSubDirectly` and `ResultQuery`.
    """

    service = Service.PAYMENT
    path = "/stripePay"
    effect = Effect.ONCE
    title = "Get Stripe Single Payment Authorization"

    pay_id: str = wire("payId", "payment id", evidence=ASSUMED)
    pay_amount: Amount = wire("payAmount", "decimal string", evidence=ASSUMED)
    pay_currency: str = wire(
        "payCurrency", "lower case in this service", evidence=ASSUMED, example="usd"
    )
    email: str | None = wire(
        "email", "payer's address", evidence=ASSUMED, default=None, mask=mask_secret
    )


@declare
class StripeAutoPay(Operation[SubscriptionAuthorization]):
    """Ask Stripe, through the cashier, to authorize a subscription.

    Only the path is documented; that the answer holds a plan id is documented elsewhere.
    """

    service = Service.PAYMENT
    path = "/stripeAutoPay"
    effect = Effect.ONCE
    title = "Get Stripe Subscription Payment Authorization"

    pay_id: str = wire("payId", "payment id", evidence=ASSUMED)
    pay_amount: Amount = wire("payAmount", "decimal string", evidence=ASSUMED)
    pay_currency: str = wire("payCurrency", "lower case", evidence=ASSUMED, example="usd")
    email: str | None = wire(
        "email", "payer's address", evidence=ASSUMED, default=None, mask=mask_secret
    )


@declare
class StripeSubDirectly(Operation[StripeSubscription]):
    """Create the Stripe subscription that renews a plan by itself.

    `pm_id` comes from Stripe's confirmSetupIntent in the app or page, `plan_id` from
    `StripeAutoPay`.
    """

    service = Service.PAYMENT
    path = "/stripeSubDirectly"
    effect = Effect.ONCE
    title = "Create Stripe Subscription / Auto-Renewal"
    answer = AnswerShape.BARE
    answer_evidence = SEED

    email: str = wire(
        "email", "payer's address", evidence=SEED, example="payer@example.com", mask=mask_secret
    )
    pay_amount: Amount = wire("payAmount", "decimal string", evidence=SEED, example="19.99")
    pay_currency: str = wire(
        "payCurrency", "lower case in the sample", evidence=SEED, example="usd"
    )
    pay_id: str = wire("payId", "unique payment id handed to Stripe", evidence=SEED)
    plan_id: str = wire("plan_id", "auto-subscription id made by Linksfield", evidence=SEED)
    pm_id: str = wire(
        "pm_id",
        "Stripe payment method from confirmSetupIntent",
        evidence=SEED,
        example="pm_1GnMUDLnVNBddzslXw7xuoe6",
        mask=mask_secret,
    )


@declare
class ResultQuery(Operation[PaymentResult]):
    """Ask what became of a payment; the answer is not documented."""

    service = Service.PAYMENT
    path = "/resultQuery"
    effect = Effect.READ
    title = "Query Payment Result"

    pay_id: str = wire("payId", "payment id", evidence=DOCUMENTED, example="20190321192436")


@declare
class ResultConfirm(Operation[PaymentResult]):
    """Confirm the result of a payment; only the path is documented."""

    service = Service.PAYMENT
    path = "/resultConfirm"
    effect = Effect.ONCE
    title = "Confirm Payment Result"

    pay_id: str = wire("payId", "payment id", evidence=ASSUMED)
