"""A sandbox behind a proxy that loses what it is told to lose, and a client that sells through it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs

from linksfield_async import Account, Client, Endpoints, Options, Sandbox
from linksfield_async.checkout import AsyncCheckout, Checkout
from linksfield_async.sandbox.records import Order
from linksfield_async.testing import DROP_ANSWER, HEALTHY, Fault, FaultProxy

LOST_ANSWER = DROP_ANSWER
LOST_REQUEST = Fault(cut_up=0)
EMAIL = "payer.name@example.com"


@attrs.define
class Shop:
    sandbox: Sandbox
    proxy: FaultProxy
    client: Client
    checkout: AsyncCheckout
    cards: list[str]
    texts: list[str] = attrs.field(factory=list)

    @property
    def account(self) -> Account:
        return self.client.account

    def plan(self, *, renews: bool = False) -> str:
        return next(p.code for p in self.sandbox.world.plans if p.auto_renewal is renews)

    async def lose(self, which: int, fault: Fault) -> None:
        """Break one of the next steps that must not be carried out twice: 0 is the next one."""
        # Reads keep to the connection that is open; each such step opens one of its own.
        await self.client.vshop.list_plans(iccid=self.cards[-1])
        self.proxy.next(*[HEALTHY] * which, fault)

    async def buy(self, card: int = 0, **how: Any) -> Checkout:
        how = {"save": self.texts.append} | how
        return await self.checkout.purchase(iccid=self.cards[card], plan=self.plan(), **how)

    async def subscribe(self, card: int = 0, **how: Any) -> Checkout:
        how = {"save": self.texts.append} | how
        plan = self.plan(renews=True)
        return await self.checkout.subscribe(iccid=self.cards[card], plan=plan, **how)

    def again(self, text: str | None = None) -> Checkout:
        """Take up what was saved last, as another request or process would."""
        return self.checkout.load(text or self.texts[-1], save=self.texts.append)

    def pay(self, checkout: Checkout) -> None:
        assert checkout.client_secret is not None
        self.sandbox.stripe.complete(checkout.client_secret)

    def method_of(self, checkout: Checkout, *, declines: bool = False) -> str:
        assert checkout.client_secret is not None
        return self.sandbox.stripe.confirm_setup(checkout.client_secret, declines=declines)

    async def complete(self, checkout: Checkout, **how: Any) -> str:
        pm_id = self.method_of(checkout, **how)
        return await checkout.complete_subscription(pm_id=pm_id, email=EMAIL)

    async def paid(self, card: int = 0, **how: Any) -> Checkout:
        checkout = await self.buy(card, **how)
        self.pay(checkout)
        assert await checkout.refresh() == "paid"
        return checkout

    def orders(self, card: int = 0) -> list[Order]:
        return [one for one in self.sandbox.world.orders if one.iccid == self.cards[card]]

    def sent(self, operation: str) -> int:
        return len(self.sandbox.requests.of(operation))

    @property
    def changes(self) -> Counter[str]:
        """How often each operation that changes something arrived."""
        names = ("SingleOrder", "StripePay", "StripeAutoPay", "StripeSubDirectly", "ResultConfirm")
        return +Counter({name: self.sent(name) for name in names})


@asynccontextmanager
async def open_shop(quarantine: float = 0.0, observers: Any = ()) -> AsyncIterator[Shop]:
    async with Sandbox(cards=100) as sandbox:
        port = int(sandbox.url.rpartition(":")[2])
        async with FaultProxy("127.0.0.1", port) as proxy:
            account = attrs.evolve(sandbox.account, endpoints=Endpoints.at(proxy.url))
            async with Client(
                account, options=Options(deadline=5.0), observers=observers
            ) as client:
                checkout = client.checkout.with_settings(quarantine=quarantine)
                cards = list(sandbox.world.iccids("valid"))
                yield Shop(sandbox, proxy, client, checkout, cards)
