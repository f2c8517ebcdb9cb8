"""A shop that sells through checkouts kept in SQLite, to be killed; and its buyers' browsers.

What a shop would do: one row per checkout under a key of its own, every step taken up from that row.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from linksfield_async import Account, Client, Endpoints, LinksfieldError, Options
from linksfield_async.checkout import Checkout, SqliteCheckouts

_ROUNDS = 400
_PAUSE = 0.05


class Buyer:
    """The payer's browser: it talks to Stripe alone. One in twenty has a card that is declined."""

    def __init__(self, stripe_url: str) -> None:
        self._host = urlsplit(stripe_url).netloc

    def _post(self, action: str, **body: Any) -> Any:
        connection = http.client.HTTPConnection(self._host, timeout=10)
        try:
            connection.request("POST", f"/stripe/{action}", json.dumps(body))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    async def pay(self, secret: str, *, declines: bool) -> None:
        action = "decline" if declines else "complete"
        await asyncio.to_thread(self._post, f"payment_intents/{action}", client_secret=secret)

    async def method(self, secret: str, *, declines: bool) -> str:
        told = {"client_secret": secret, "declines": declines}
        return (await asyncio.to_thread(self._post, "setup_intents/confirm", **told))["pm_id"]


class Seller:
    def __init__(self, client: Client, store: SqliteCheckouts, buyer: Buyer, quarantine: float):
        self._checkouts = client.checkout.with_settings(quarantine=quarantine)
        self._store, self._buyer = store, buyer

    async def sell(self, key: str, iccid: str, plan: str) -> None:
        """Go on with one checkout, whatever was done before, until it has ended."""
        for _ in range(_ROUNDS):
            # Each round is another request: nothing but the row and the key is known.
            with suppress(LinksfieldError):  # a read was lost, or the row is another one's: again
                if await self._step(key, iccid, plan):
                    return
            await asyncio.sleep(_PAUSE)
        raise RuntimeError(f"{key} does not end")

    async def _step(self, key: str, iccid: str, plan: str) -> bool:
        checkout = await self._checkouts.resume(store=self._store, key=key)
        if checkout is None:
            begin = self._checkouts.purchase if key[0] == "p" else self._checkouts.subscribe
            checkout = await begin(iccid=iccid, plan=plan, store=self._store, key=key)
        declines = int(key[1:]) % 20 == 7
        if checkout.next_step == "reconcile":
            await self._checkouts.reconcile(checkout)
        elif checkout.next_step == "payment":
            await self._paid(checkout, declines)
        elif checkout.next_step == "complete_subscription":
            pm_id = await self._buyer.method(checkout.client_secret or "", declines=declines)
            await checkout.complete_subscription(pm_id=pm_id, email=f"{key}@example.com")
        elif checkout.next_step:
            await getattr(checkout, checkout.next_step)()
        return not checkout.next_step

    async def _paid(self, checkout: Checkout, declines: bool) -> None:
        if not checkout.record.is_subscription:
            await self._buyer.pay(checkout.client_secret or "", declines=declines)
        await checkout.refresh()


async def _run(
    *,
    url: str,
    stripe_url: str,
    store: str,
    cards: Sequence[str],
    plans: dict[str, str],
    seed: str,
    deadline: float,
    quarantine: float,
    concurrency: int,
) -> None:
    """Sell each card one plan once and, under another card, one that renews itself."""
    keys = [f"{'ps'[n % 2]}{n // 2:04d}" for n in range(len(cards))]
    work = list(zip(keys, cards, strict=True))
    random.Random(seed).shuffle(work)
    account = Account("P000270", endpoints=Endpoints.at(url))
    options = Options(deadline=deadline, connections=2 * concurrency)
    async with Client(account, options=options) as client:
        seller = Seller(client, SqliteCheckouts(store), Buyer(stripe_url), quarantine)

        async def sell() -> None:
            while work:
                key, iccid = work.pop()
                await seller.sell(key, iccid, plans[key[0]])

        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(sell())


if __name__ == "__main__":
    asyncio.run(_run(**json.loads(sys.argv[1])))
