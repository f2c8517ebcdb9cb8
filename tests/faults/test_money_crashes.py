"""A shop that is killed while the network cuts at any byte; what the sandbox holds judges."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import shop_program
from bulk_program import PROJECT

from linksfield_async import Account, Client, Endpoints, Sandbox
from linksfield_async.checkout import SqliteCheckouts, State
from linksfield_async.testing import HEALTHY, Ending, Fault, FaultProxy

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills as POSIX does")

CHECKOUTS = int(os.environ.get("LINKSFIELD_TEST_CHECKOUTS", "15"))
"""Of each kind. The whole figure is 1,000; that run is made by hand."""
KILLS = 3 if CHECKOUTS < 100 else 25
_CUT_SHARE = 0.3
_LATE_SHARE = 0.03
"""Requests that arrive when their client has given up long since, or is dead."""
DEADLINE, QUARANTINE = 1.0, 1.5
_DECLINED = sum(n % 20 == 7 for n in range(CHECKOUTS))


def cutting(seed: str) -> Any:
    draw = random.Random(seed)

    def cut(_: int) -> Fault:
        if draw.random() < _LATE_SHARE:
            return Fault(latency_up=draw.uniform(1.05, 1.3) * DEADLINE)
        if draw.random() > _CUT_SHARE:
            return HEALTHY
        place, ending = draw.randrange(0, 900), draw.choice(list(Ending))
        if draw.random() < 0.5:
            return Fault(cut_up=place, ending=ending)
        return Fault(cut_down=place, ending=ending)

    return cut


async def started(settings: dict[str, Any]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        shop_program.__file__ or "",
        json.dumps(settings),
        cwd=PROJECT,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONDEVMODE": ""},
    )


async def killed(settings: dict[str, Any], after: float) -> bool:
    """Run the shop and kill it some seconds after it started; False where it had ended."""
    process = await started(settings)
    with suppress(TimeoutError):
        async with asyncio.timeout(after):
            await process.wait()
    if process.returncode is None:
        process.kill()
    _, errors = await process.communicate()
    assert process.returncode in (0, -9), errors.decode()
    return process.returncode == -9


async def ended(settings: dict[str, Any]) -> None:
    process = await started(settings)
    try:
        _, errors = await process.communicate()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    assert process.returncode == 0, errors.decode()


@pytest.mark.timeout(900)
async def test_one_order_and_one_subscription_through_cuts_and_kills(tmp_path: Path) -> None:
    seed = os.environ.get("LINKSFIELD_TEST_SEED") or str(random.randrange(10**6))
    print(f"LINKSFIELD_TEST_SEED={seed}")  # noqa: T201 - shown where a test fails
    store = SqliteCheckouts(tmp_path / "shop.db")
    number = 2 * CHECKOUTS
    async with Sandbox(cards=100 + 3 * CHECKOUTS, keep_requests=10**6, latency=0.01) as sandbox:
        port = int(sandbox.url.rpartition(":")[2])
        async with FaultProxy("127.0.0.1", port) as proxy:
            proxy.choose(cutting(seed))
            cards = [card for card, _ in zip(sandbox.world.iccids(), range(number), strict=False)]
            plans = sandbox.world.plans
            settings = {
                "url": proxy.url,
                "stripe_url": sandbox.url,
                "store": store.path,
                "cards": cards,
                "plans": {"p": plans[0].code, "s": plans[1].code},
                "seed": seed,
                "deadline": DEADLINE,
                "quarantine": QUARANTINE,
                "concurrency": 16,
            }
            moments = random.Random(seed)
            span = 1.0 if CHECKOUTS < 100 else 6.0
            kills = sum([await killed(settings, moments.uniform(0.4, span)) for _ in range(KILLS)])
            # Once more for longer, so that most of it is done while the network cuts.
            kills += await killed(settings, 3.0 if CHECKOUTS < 100 else 150.0)
            in_doubt = len(await store.keys("unknown"))
            proxy.always(HEALTHY)
            await ended(settings)
            await check(sandbox, proxy.url, store, cards)
    print(  # noqa: T201 - shown where it is asked for
        f"{kills} kills, {in_doubt} checkouts in doubt after the last one, "
        f"{len(proxy.faults)} connections, {sum(one != HEALTHY for one in proxy.faults)} cut or late"
    )


async def check(sandbox: Sandbox, url: str, store: SqliteCheckouts, cards: list[str]) -> None:
    world, keys = sandbox.world, await store.keys()
    assert len(keys) == len(cards)
    assert Counter(order.iccid for order in world.orders) == Counter(cards)
    assert len({order.order_no for order in world.orders}) == len(cards)
    subscribed = Counter(one.order.iccid for one in world.subscriptions)
    assert subscribed == Counter(cards[1::2])
    paid = Counter(one.order.iccid for one in world.payments if one.state == "paid")
    assert max(paid.values()) == 1
    states: Counter[str] = Counter()
    async with Client(Account("P000270", endpoints=Endpoints.at(url))) as client:
        for key in keys:
            checkout = await client.checkout.resume(store=store, key=key)
            assert checkout is not None
            states[f"{key[0]} {checkout.state}"] += 1
            (order,) = world.orders.of_order_no(checkout.record.ids.order_no)
            assert order.iccid == checkout.record.iccid
            is_confirmed = checkout.state is State.CONFIRMED
            assert is_confirmed is (order.paid is not None) is (paid[order.iccid] == 1)
            assert checkout.facts
    good = {f"{kind} confirmed": CHECKOUTS - _DECLINED for kind in "ps"}
    assert states == Counter(good) + Counter({f"{kind} failed": _DECLINED for kind in "ps"})
