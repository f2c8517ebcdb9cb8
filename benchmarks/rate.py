"""How well AdaptiveRate finds a limit that it is not told, and what single calls wait meanwhile."""

from __future__ import annotations

import asyncio
import time

from linksfield_async import Account, AdaptiveRate, Client, Options
from linksfield_async.operations import ResultQuery
from linksfield_async.protocol import Request, Response
from linksfield_async.transport.base import Limits

LIMIT = 200.0
SECONDS = 30.0
STEADY_AFTER = 10.0
LATENCY = 0.02


class Limited:
    """Answers 429 beyond a limit, as a token bucket of a tenth of a second lets calls pass."""

    def __init__(self) -> None:
        self.tokens = self.most = LIMIT / 10
        self.at = self.began = time.monotonic()
        self.passed: list[float] = []
        self.refused: list[float] = []

    async def send(self, request: Request, limits: Limits) -> Response:
        now = time.monotonic()
        self.tokens = min(self.most, self.tokens + (now - self.at) * LIMIT)
        self.at = now
        await asyncio.sleep(LATENCY)
        if self.tokens < 1:
            self.refused.append(now - self.began)
            return Response(429, b"")
        self.tokens -= 1
        self.passed.append(now - self.began)
        return Response(200, b'{"operateCode":"S","data":{}}')


async def _measure() -> dict[str, float]:
    server = Limited()
    options = Options(rate=AdaptiveRate(start=20), deadline=60)
    client = Client(Account("P000270"), transport=server, options=options)
    waits: list[float] = []

    async def bulk() -> None:
        cards = (f"8985{n:015d}" for n in range(10**9))
        async for _ in client.verify_many(cards, concurrency=64):
            if time.monotonic() - server.began > SECONDS:
                break

    async def alone() -> float:
        taken = []
        for _ in range(40):
            started = time.monotonic()
            await client.send(ResultQuery(pay_id="1"))
            taken.append(time.monotonic() - started)
            await asyncio.sleep(0.1)
        return sorted(taken)[37]

    async def interactive() -> None:
        while time.monotonic() - server.began < SECONDS:
            await asyncio.sleep(0.1)
            started = time.monotonic()
            await client.send(ResultQuery(pay_id="1"))
            if started - server.began > STEADY_AFTER:
                waits.append(time.monotonic() - started)

    undisturbed = await alone()
    server.began = time.monotonic()
    server.passed.clear()
    server.refused.clear()
    await asyncio.gather(bulk(), interactive())
    steady = SECONDS - STEADY_AFTER
    passed = sum(moment > STEADY_AFTER for moment in server.passed)
    refused = sum(moment > STEADY_AFTER for moment in server.refused)
    waits.sort()
    return {
        "calls/s let pass in steady state": passed / steady,
        "not reached of the limit, %": max(0.0, 100 * (1 - passed / steady / LIMIT)),
        "throttled in steady state, %": 100 * refused / (passed + refused),
        "single call beside it, p95 ms": 1000 * waits[int(len(waits) * 0.95)],
        "single call alone, p95 ms": 1000 * undisturbed,
    }


def measure() -> dict[str, float]:
    return asyncio.run(_measure())
