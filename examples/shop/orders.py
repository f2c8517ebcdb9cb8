"""What the shop does with orders: begin, go on, look, deliver; no HTTP in here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import Decimal
from typing import Literal, TypeAlias
from weakref import WeakValueDictionary

import attrs

from linksfield_async import (
    CheckoutConflict,
    CheckoutRefused,
    Client,
    Contradiction,
    LinksfieldError,
    OrderNotVisible,
)
from linksfield_async.checkout import Checkout, State
from linksfield_async.notifications import Expected, RechargeNotice
from linksfield_async.operations import ServicePlan

from .store import OrderStore

Kind: TypeAlias = Literal["purchase", "subscription"]
Steps: TypeAlias = Callable[[Checkout], Awaitable[None]]

_log = logging.getLogger("shop")
_MOST_STEPS = 6
_MOST_CONFLICTS = 5
_CONFLICT_PAUSE = 0.05


class NoSuchOrder(Exception):
    """Nothing was begun under this key."""


@attrs.frozen(kw_only=True)
class Choice:
    """What the buyer chose, at the price that the page has shown."""

    iccid: str = attrs.field(repr=False)
    plan: str
    kind: Kind
    amount: Decimal
    currency: str


@attrs.frozen
class Placed:
    """An order as it is known now."""

    key: str
    checkout: Checkout
    handed: str | None
    """The state in which the page said that the buyer has paid."""
    delivered: bool
    problem: LinksfieldError | None = None
    """Why it could not be asked about now."""


class Orders:
    """Every order is taken up from its row anew: this process may not be the one that began it."""

    def __init__(
        self,
        client: Client,
        store: OrderStore,
        *,
        quarantine: float,
        changed: Callable[[str], None],
    ) -> None:
        self._client = client
        self._checkouts = client.checkout.with_settings(quarantine=quarantine)
        self._store = store
        self._changed = changed
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._problems: dict[str, LinksfieldError] = {}

    async def plans(self, iccid: str) -> list[ServicePlan]:
        """Verify a card and list what it may buy; raises where it may not be used."""
        await self._client.vshop.verify_card(iccid=iccid)
        return list(await self._client.vshop.list_plans(iccid=iccid))

    async def begin(self, key: str, choice: Choice) -> Placed:
        """Order and authorize, once for each key, however often and wherever it is called."""
        async with self._turn(key):
            if await self._store.load(key) is None:
                plan = await self._offered(choice)
                begin = self._checkouts.purchase
                if choice.kind == "subscription":
                    begin = self._checkouts.subscribe
                with suppress(CheckoutConflict):  # another process was first: theirs stands
                    await begin(iccid=choice.iccid, plan=plan, store=self._store, key=key)
                self._changed(key)
            placed = await self.read(key)
        record = placed.checkout.record
        if (record.iccid, record.plan_code, record.kind) != (
            choice.iccid,
            choice.plan,
            choice.kind,
        ):
            raise CheckoutRefused("this cart has become an order of something else")
        return placed

    async def read(self, key: str) -> Placed:
        """Give an order as the row has it; nobody is asked."""
        checkout = await self._checkouts.resume(store=self._store, key=key)
        if checkout is None:
            raise NoSuchOrder(key)
        handed, delivered = await self._store.beside(key)
        return Placed(key, checkout, handed, delivered, self._problems.get(key))

    async def hand_in(self, key: str) -> None:
        """Note that the page has seen the payment through; it is believed once the service says so."""
        placed = await self.read(key)
        await self._store.hand_in(key, placed.checkout.state.value)
        self._changed(key)

    async def look(self, key: str, *, with_buyer: bool = False) -> Placed:
        """Ask, and take the steps that come next; with the buyer there, also order and authorize.

        It never raises for what the service does: the order then stands as it stood, with a problem.
        """
        return await self._go_on(key, lambda checkout: self._steps(checkout, with_buyer))

    async def subscribe(self, key: str, *, pm_id: str, email: str) -> Placed:
        """Make the subscription with the payment method from the page, once."""

        async def make(checkout: Checkout) -> None:
            await checkout.complete_subscription(pm_id=pm_id, email=email)
            await self._steps(checkout, with_buyer=False)

        return await self._go_on(key, make)

    async def notified(self, notice: RechargeNotice) -> None:
        """Take a message as a reason to ask; only what the service itself shows is delivered."""
        key = await self._store.key_of(notice.purchase_order_id or "")
        expected = None if key is None else _expected(await self.read(key))
        await notice.confirm(self._client, expected)
        if key is None:  # confirm has refused it: this is for the type checker
            return
        placed = await self.look(key)
        if not placed.delivered:
            raise OrderNotVisible("the service does not show the order as paid yet")

    async def _go_on(self, key: str, steps: Steps) -> Placed:
        async with self._turn(key):
            for attempt in range(_MOST_CONFLICTS):
                placed = await self.read(key)
                try:
                    problem = await self._tried(steps, placed.checkout)
                except CheckoutConflict:
                    await asyncio.sleep(_CONFLICT_PAUSE * (attempt + 1))
                    continue
                return await self._settle(key, problem, placed)
        raise CheckoutConflict("other processes keep changing this order: look again")

    async def _tried(self, steps: Steps, checkout: Checkout) -> LinksfieldError | None:
        try:
            await steps(checkout)
        except (CheckoutConflict, CheckoutRefused):
            raise
        except LinksfieldError as error:
            return error
        return checkout.error

    async def _settle(self, key: str, problem: LinksfieldError | None, before: Placed) -> Placed:
        """Deliver what is confirmed, note the problem, and tell who watches."""
        if problem is None:
            self._problems.pop(key, None)
        else:
            self._problems[key] = problem
            level = logging.ERROR if isinstance(problem, Contradiction) else logging.WARNING
            _log.log(level, "order: %s: %s", type(problem).__name__, problem)
        confirmed = before.checkout.state is State.CONFIRMED
        if confirmed and not before.delivered and await self._store.deliver(key):
            # Here a shop sends its mail or opens its account. It happens once: by the row.
            _log.info("order %s is delivered", before.checkout.record.ids.order_no)
        self._changed(key)
        return await self.read(key)

    async def _steps(self, checkout: Checkout, with_buyer: bool) -> None:
        for _ in range(_MOST_STEPS):
            before = (checkout.state, checkout.next_step)
            await _step(checkout, with_buyer)
            if (checkout.state, checkout.next_step) == before or checkout.error is not None:
                return

    async def _offered(self, choice: Choice) -> ServicePlan:
        """Find the plan again; at another price than the one that was shown it is not sold."""
        for plan in await self.plans(choice.iccid):
            if plan.service_plan_code == choice.plan:
                if (plan.pay_amount, plan.pay_currency) == (choice.amount, choice.currency):
                    return plan
                raise CheckoutRefused("the price has changed since the page showed it")
        raise CheckoutRefused("this plan is no longer offered for this card")

    def _turn(self, key: str) -> asyncio.Lock:
        return self._turns.setdefault(key, asyncio.Lock())


async def _step(checkout: Checkout, with_buyer: bool) -> None:
    step = checkout.next_step
    if step == "reconcile":
        await checkout.reconcile()
    elif step == "proceed":
        # An order without a buyer in sight would be one that nobody pays.
        if with_buyer:
            await checkout.proceed()
    elif step == "confirm":
        await checkout.confirm()
    elif step == "payment" or can_pay_again(checkout):
        await checkout.refresh()


def can_pay_again(checkout: Checkout) -> bool:
    """Tell whether a payment that failed may be tried with another card."""
    record = checkout.record
    return record.reached is State.FAILED and not record.refused and not record.is_subscription


def _expected(placed: Placed) -> Expected:
    record = placed.checkout.record
    return Expected(
        iccid=record.iccid,
        plan=record.plan_name,
        amount=record.amount,
        currency=record.currency,
        purchase_order_id=record.ids.request_order_id,
        pay_id=record.ids.pay_id,
    )
