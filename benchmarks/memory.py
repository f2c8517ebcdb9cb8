"""What results kept in a list take, and what a run takes that keeps none; a process for each.

Measured over fewer cards than a million and scaled up; the transport answers by itself.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from work import PARTNER, cards

_KEEP = ("nothing", "outcomes", "results", "dicts")


def resident() -> float:
    """MiB of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


async def _kept(keep: str, count: int) -> float:
    """MiB that one run adds, after a small one has brought in what each run needs."""
    from linksfield_async import Account, Client  # noqa: PLC0415  # the parent needs none of it
    from linksfield_async.protocol import Request, Response  # noqa: PLC0415

    body = '{"operateCode":"S","message":"success","data":{"deviceCode":"%s","partnerCode":"%s"}}'

    class Answering:
        """Answers each card with itself."""

        async def send(self, request: Request, limits: Any) -> Response:
            card = json.loads(request.body)["deviceCode"]
            return Response(200, (body % (card, PARTNER)).encode())

    async def run(client: Client, many: int) -> list[object]:
        kept: list[object] = []
        async for outcome in client.verify_many(cards(many)):
            if keep == "outcomes":
                kept.append(outcome)
            elif keep == "results":
                kept.append(outcome.result)
        return kept

    if keep == "dicts":
        gc.collect()
        before = resident()
        answers = [json.loads(body % (card, PARTNER)) for card in cards(count)]
        return (resident() - before) if answers else 0.0
    async with Client(Account(PARTNER), transport=Answering()) as client:
        await run(client, 2_000)
        gc.collect()
        before = resident()
        kept = await run(client, count)
        gc.collect()
        assert len(kept) == (0 if keep == "nothing" else count)
        return resident() - before


def measure(count: int) -> dict[str, float]:
    """MiB per million of what is kept."""
    figures = {}
    for keep in _KEEP:
        command = [sys.executable, __file__, keep, str(count)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        figures[keep] = float(told) * 1_000_000 / count
    return figures


if __name__ == "__main__":
    print(asyncio.run(_kept(sys.argv[1], int(sys.argv[2]))))
