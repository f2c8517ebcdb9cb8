"""Checkouts for callers that block; functions and stores they give run in the client's thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar, Unpack

from ..checkout.checkout import Checkout
from ..checkout.facts import CheckoutFacts
from ..checkout.namespace import AsyncCheckout, Beginning, Reconciling
from ..checkout.reconcile import Conclusion
from ..checkout.state import State
from ..checkout.store import CheckoutStore, Save
from ..operations import AutoRenewal, ServicePlan, SingleOrder, SynOrderInfo
from .thread import LoopThread

T = TypeVar("T")


class _Calls:
    """Runs coroutines in the client's loop; `ready` refuses where that would stop another one."""

    def __init__(self, ready: Callable[[str], LoopThread]) -> None:
        self._ready = ready

    def __call__(self, method: str, work: Callable[[], Awaitable[T]]) -> T:
        return self._ready(f"checkout.{method}").call(lambda _: work(), None)


class BlockingCheckout(CheckoutFacts):
    """A `Checkout` whose methods block."""

    def __init__(self, checkout: Checkout, call: _Calls) -> None:
        super().__init__(checkout.stepping)
        self._checkout = checkout
        self._call = call

    def proceed(self, *, email: str | None = None) -> State:
        """Order and authorize, as far as that is not done; see `Checkout.proceed`."""
        return self._call("proceed", lambda: self._checkout.proceed(email=email))

    def refresh(self) -> State:
        """Ask what became of the payment, or of the step that is unknown."""
        return self._call("refresh", self._checkout.refresh)

    def reconcile(self, known: Iterable[str | CheckoutFacts] = ()) -> Conclusion:
        """Ask for the order on every road; see `client.checkout.reconcile`."""
        return self._call("reconcile", lambda: self._checkout.reconcile(known))

    def complete_subscription(self, *, pm_id: str, email: str) -> State:
        """Make the Stripe subscription; see `Checkout.complete_subscription`."""
        work = self._checkout.complete_subscription
        return self._call("complete_subscription", lambda: work(pm_id=pm_id, email=email))

    def confirm(self) -> State:
        """Confirm a payment and find the order among the card's; see `Checkout.confirm`."""
        return self._call("confirm", self._checkout.confirm)

    def renewal(self) -> AutoRenewal | None:
        """Give the card's active renewal if it is that of this subscription."""
        return self._call("renewal", self._checkout.renewal)

    def cancel_renewal(self) -> bool:
        """Cancel the renewal; see `Checkout.cancel_renewal`."""
        return self._call("cancel_renewal", self._checkout.cancel_renewal)


class BlockingCheckouts:
    """`client.checkout`, blocking."""

    def __init__(self, checkouts: AsyncCheckout, ready: Callable[[str], LoopThread]) -> None:
        self._checkouts = checkouts
        self._call = _Calls(ready)
        self._ready = ready

    def with_settings(self, **changes: Any) -> BlockingCheckouts:
        """Give the same with other settings: `quarantine` in seconds (900), `mint_ids`."""
        return BlockingCheckouts(self._checkouts.with_settings(**changes), self._ready)

    def purchase(
        self, *, iccid: str, plan: ServicePlan | str, **how: Unpack[Beginning]
    ) -> BlockingCheckout:
        """Order a plan for one payment and have it authorized; see `AsyncCheckout.purchase`."""
        begin = self._checkouts.purchase
        return self._begun("purchase", lambda: begin(iccid=iccid, plan=plan, **how))

    def subscribe(
        self, *, iccid: str, plan: ServicePlan | str, **how: Unpack[Beginning]
    ) -> BlockingCheckout:
        """Order a plan that renews itself and have it authorized; see `purchase`."""
        begin = self._checkouts.subscribe
        return self._begun("subscribe", lambda: begin(iccid=iccid, plan=plan, **how))

    def load(
        self,
        saved: str,
        *,
        save: Save | None = None,
        store: CheckoutStore | None = None,
        key: str | None = None,
    ) -> BlockingCheckout:
        """Take up a saved checkout; without `save` or `store` it can be asked about only."""
        checkout = self._checkouts.load(saved, save=save, store=store, key=key)
        return BlockingCheckout(checkout, self._call)

    def resume(self, *, store: CheckoutStore, key: str) -> BlockingCheckout | None:
        """Take up the checkout under a key of a store; None where there is none."""
        found = self._call("resume", lambda: self._checkouts.resume(store=store, key=key))
        return None if found is None else BlockingCheckout(found, self._call)

    def reconcile(
        self, checkout: BlockingCheckout, *, known: Iterable[str | CheckoutFacts] = ()
    ) -> Conclusion:
        """Ask on every road and settle what is unknown, if proved; see `AsyncCheckout`."""
        return checkout.reconcile(known)

    def reconcile_order(
        self, operation: SingleOrder | SynOrderInfo, **how: Unpack[Reconciling]
    ) -> Conclusion:
        """Ask what became of an order of your own; see `AsyncCheckout.reconcile_order`."""
        ask = self._checkouts.reconcile_order
        return self._call("reconcile_order", lambda: ask(operation, **how))

    def _begun(self, method: str, begin: Callable[[], Awaitable[Checkout]]) -> BlockingCheckout:
        return BlockingCheckout(self._call(method, begin), self._call)
