"""The stand-in for Stripe over HTTP, unsigned, for apps and pages in other languages (invented).

POST /stripe/payment_intents/complete   {"client_secret": …}
POST /stripe/payment_intents/decline    {"client_secret": …}
POST /stripe/setup_intents/confirm      {"client_secret": …, "declines": false} -> {"pm_id": …}
POST /stripe/payment_methods/declines   {"pm_id": …, "declines": true}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .answers import Refusal
from .records import Payment
from .stripe import Stripe

STRIPE_PREFIX = "/stripe/"


class StripeHttp:
    """Reads what the page asks and has the stand-in do it."""

    def __init__(self, stripe: Stripe) -> None:
        self._stripe = stripe
        self._actions: dict[str, Callable[[Mapping[str, object]], dict[str, object]]] = {
            "payment_intents/complete": self._complete,
            "payment_intents/decline": self._decline,
            "setup_intents/confirm": self._confirm_setup,
            "payment_methods/declines": self._set_declines,
        }

    def answer(
        self, method: str, raw_path: str, parameters: Mapping[str, object]
    ) -> dict[str, object]:
        """Carry out one request."""
        action = self._actions.get(raw_path.removeprefix(STRIPE_PREFIX))
        if action is None:
            raise Refusal("nothing stands here", status=404, outcome="no such path")
        if method != "POST":
            raise Refusal(
                "this path takes POST only",
                status=405,
                outcome="wrong method",
                headers={"Allow": "POST"},
            )
        return action(parameters)

    def _complete(self, parameters: Mapping[str, object]) -> dict[str, object]:
        return _payment(self._stripe.complete(_text(parameters, "client_secret")))

    def _decline(self, parameters: Mapping[str, object]) -> dict[str, object]:
        return _payment(self._stripe.decline(_text(parameters, "client_secret")))

    def _confirm_setup(self, parameters: Mapping[str, object]) -> dict[str, object]:
        declines = _flag(parameters, default=False)
        secret = _text(parameters, "client_secret")
        return {"pm_id": self._stripe.confirm_setup(secret, declines=declines)}

    def _set_declines(self, parameters: Mapping[str, object]) -> dict[str, object]:
        pm_id, declines = _text(parameters, "pm_id"), _flag(parameters, default=True)
        self._stripe.set_declines(pm_id, declines)
        return {"pm_id": pm_id, "declines": declines}


def _payment(payment: Payment) -> dict[str, object]:
    return {"payId": payment.order.pay_id, "state": payment.state}


def _text(parameters: Mapping[str, object], name: str) -> str:
    value = parameters.get(name)
    if not isinstance(value, str) or not value:
        raise Refusal(f"{name} must be a text")
    return value


def _flag(parameters: Mapping[str, object], *, default: bool) -> bool:
    value = parameters.get("declines", default)
    if not isinstance(value, bool):
        raise Refusal("declines must be true or false")
    return value
