"""`client.checkout`: begins purchases and subscriptions, takes them up again, and reconciles."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypedDict, Unpack

import attrs

from ..account import Account
from ..errors import CheckoutConflict, CheckoutRefused, ConfigurationError, LinksfieldError
from ..operations import ServicePlan, SingleOrder, SynOrderInfo
from ..pipeline import Sender
from .checkout import Checkout
from .facts import CheckoutFacts
from .planning import planned
from .reconcile import Conclusion, reconcile_order
from .record import Kind, Record
from .room import Room
from .saving import loaded
from .stepping import Stepping
from .store import CheckoutStore, Keeper, Save, keeper_of

_MOST_USED = 100_000


class Beginning(TypedDict, total=False):
    """What a purchase or subscription may be given beside its card and plan."""

    periods: int
    area: str | None
    email: str | None
    """The payer's address, for the authorization; it is not kept."""
    save: Save | None
    """Gets the text of the checkout before each step is sent and after its answer."""
    store: CheckoutStore | None
    key: str | None
    """The caller's own name of it in the store, e.g. of a cart: a second call with the same key
    goes on with the first one's checkout, in whichever process."""


class Reconciling(TypedDict, total=False):
    """What is known beside an order that is reconciled."""

    error: LinksfieldError | None
    """What it raised: a refusal may carry a number to ask by."""
    sent_at: datetime | None
    """When it was sent, with a time zone."""
    before: int
    """How many orders of this plan the card had before; 0."""
    known: Iterable[SingleOrder | SynOrderInfo]
    """Orders of the same kind that the service is known to have."""


class AsyncCheckout:
    """Purchases and subscriptions through Stripe, each as a `Checkout`."""

    def __init__(self, sender: Sender, account: Account, deadline: float) -> None:
        self._room = Room(sender=sender, account=account, deadline=deadline)

    def with_settings(self, **changes: Any) -> AsyncCheckout:
        """Give the same with other settings: `quarantine` in seconds (900), `mint_ids`."""
        if not changes.keys() <= {"quarantine", "mint_ids"}:
            raise ConfigurationError("the settings are quarantine and mint_ids")
        view = object.__new__(type(self))
        view._room = attrs.evolve(self._room, **changes)
        return view

    async def purchase(
        self, *, iccid: str, plan: ServicePlan | str, **how: Unpack[Beginning]
    ) -> Checkout:
        """Order a plan for one payment and have it authorized.

        Raises where the card or the plan is not good or the text cannot be kept. After that it
        gives a Checkout whatever comes: look at its `state` and `error`.
        """
        return await self._begin("purchase", iccid, plan, how)

    async def subscribe(
        self, *, iccid: str, plan: ServicePlan | str, **how: Unpack[Beginning]
    ) -> Checkout:
        """Order a plan that renews itself and have it authorized; see `purchase`."""
        return await self._begin("subscription", iccid, plan, how)

    def load(
        self,
        saved: str,
        *,
        save: Save | None = None,
        store: CheckoutStore | None = None,
        key: str | None = None,
    ) -> Checkout:
        """Take up a saved checkout; without `save` or `store` it can be asked about only."""
        return self._checkout(loaded(saved, self._room.account), keeper_of(save, store, key))

    async def resume(self, *, store: CheckoutStore, key: str) -> Checkout | None:
        """Take up the checkout under a key of a store; None where there is none."""
        saved = await store.load(key)
        return None if saved is None else self.load(saved, store=store, key=key)

    async def reconcile(
        self, checkout: Checkout, *, known: Iterable[str | CheckoutFacts] = ()
    ) -> Conclusion:
        """Ask GetOrder, SingleQueryOrder and ResultQuery, and settle what is unknown, if proved.

        That nothing is shown counts only after the quarantine, and once the service has shown
        another checkout in the same step: from this process, the store, or `known`.
        """
        return await checkout.reconcile(known)

    async def reconcile_order(
        self, operation: SingleOrder | SynOrderInfo, **how: Unpack[Reconciling]
    ) -> Conclusion:
        """Ask what became of an order of your own; it is never sent again.

        That it was not carried out is concluded only where `sent_at` is long enough ago and
        `known` has another order of the same kind that the service shows; see `Reconciling`.
        """
        return await reconcile_order(self._room, operation, **how)

    def _checkout(self, record: Record, keeper: Keeper | None) -> Checkout:
        self._room.witnesses.add(record)
        return Checkout(Stepping(self._room, record, keeper))

    async def _begin(
        self, kind: Kind, iccid: str, plan: ServicePlan | str, how: Beginning
    ) -> Checkout:
        store, key = how.get("store"), how.get("key")
        keeper = keeper_of(how.get("save"), store, key)
        if keeper is None:
            raise ConfigurationError(
                f"{kind}: give save=, or store= and key=: what can be lost is kept before it is sent"
            )
        if store is None or key is None:
            begun = await self._planned(kind, iccid, plan, how, keeper)
            return await _proceeding(begun, how)
        # A double click in this process waits here; one in another process loses the insert.
        name = (id(asyncio.get_running_loop()), id(store), key)
        lock = self._room.locks.setdefault(name, asyncio.Lock())
        async with lock:
            there = await self.resume(store=store, key=key)
            if there is None:
                begun = await self._planned(kind, iccid, plan, how, keeper)
                if await begun.stepping.claim():
                    return await _proceeding(begun, how)
                there = await self.resume(store=store, key=key)
        if there is None:
            raise CheckoutConflict("the store refuses the key, and has nothing under it")
        code = plan.service_plan_code if isinstance(plan, ServicePlan) else plan
        record = there.record
        meant = (kind, iccid, code, how.get("periods", 1))
        if (record.kind, record.iccid, record.plan_code, record.periods) != meant:
            raise CheckoutRefused(
                "under this key stands a checkout of another card, plan, kind or number of periods"
            )
        return there

    async def _planned(
        self, kind: Kind, iccid: str, plan: ServicePlan | str, how: Beginning, keeper: Keeper
    ) -> Checkout:
        record = await planned(
            self._room,
            kind,
            iccid=iccid,
            plan=plan,
            periods=how.get("periods", 1),
            area=how.get("area"),
        )
        self._use(record.ids.order_no)
        return self._checkout(record, keeper)

    def _use(self, order_no: str) -> None:
        """Refuse an order number that this process has begun before."""
        used = self._room.used
        if order_no in used:
            raise CheckoutRefused("this order number was used before: mint_ids must mint new ids")
        used[order_no] = None
        if len(used) > _MOST_USED:
            del used[next(iter(used))]


async def _proceeding(checkout: Checkout, how: Beginning) -> Checkout:
    await checkout.proceed(email=how.get("email"))
    return checkout
