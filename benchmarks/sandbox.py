"""What the sandbox costs: `python benchmarks/sandbox.py [--cards N] [--calls N]` prints the figures.

It runs in a process of its own and tells its own CPU time, so that a rate per core can be given
whatever else the machine does; a client in this process verifies cards against it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle, islice
from typing import Any

from machine import described
from memory import resident

CONCURRENCY = 64
STARTS = 20


async def _serve(cards: int) -> None:
    """Start, tell what that took, and then what was used so far for each line that is read."""
    began = time.perf_counter()
    from linksfield_async.sandbox import Sandbox  # noqa: PLC0415  # the import is measured

    imported = time.perf_counter()
    starts = []
    for _ in range(STARTS):
        at = time.perf_counter()
        async with Sandbox(cards=1_000):
            starts.append(time.perf_counter() - at)
    before = resident()
    async with Sandbox(cards=cards) as sandbox:
        assert sum(1 for _ in sandbox.world.iccids(None)) == cards
        told: dict[str, Any] = {
            "url": sandbox.url,
            "import, ms": (imported - began) * 1e3,
            "first start, ms": starts[0] * 1e3,
            "start, ms": min(starts) * 1e3,
        }
        loop = asyncio.get_running_loop()
        while True:
            used = {"cpu": time.process_time(), "MiB": resident() - before}
            print(json.dumps(told | used | {"requests": sandbox.requests.total}), flush=True)
            if not await loop.run_in_executor(None, sys.stdin.readline):
                return


class _Server:
    """The other process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._to, self._from = process.stdin, process.stdout

    async def told(self) -> dict[str, Any]:
        figures: dict[str, Any] = json.loads(await self._from.readline())
        return figures

    async def asked(self) -> dict[str, Any]:
        self._to.write(b"\n")
        return await self.told()

    def leave(self) -> None:
        self._to.close()


@asynccontextmanager
async def _server(cards: int) -> AsyncIterator[_Server]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--serve", "--cards", str(cards)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    server = _Server(process)
    try:
        yield server
    finally:
        server.leave()
        await process.wait()


async def measure(cards: int, calls: int) -> dict[str, float]:
    """Give the figures of one run."""
    from linksfield_async import Account, Client, Endpoints  # noqa: PLC0415  # not in the other
    from linksfield_async.sandbox import Sandbox  # noqa: PLC0415

    chosen = list(islice(Sandbox(cards=cards).world.iccids("valid"), calls))
    async with _server(cards) as server:
        first = await server.told()
        account = Account("P000270", endpoints=Endpoints.at(first["url"]))
        async with Client(account) as client:

            async def verify(count: int) -> None:
                given = islice(cycle(chosen), count)
                outcomes = client.verify_many(given, concurrency=CONCURRENCY, duplicates="each")
                async for outcome in outcomes:
                    assert outcome.verdict == "valid", outcome

            await verify(min(calls, 1_000))
            warm, began = await server.asked(), time.perf_counter()
            await verify(calls)
            elapsed, last = time.perf_counter() - began, await server.asked()
    assert last["requests"] - warm["requests"] == calls
    spent = last["cpu"] - warm["cpu"]
    return {
        "import, ms": first["import, ms"],
        "first start, ms": first["first start, ms"],
        "start, ms": first["start, ms"],
        f"{cards:,} cards, MiB": first["MiB"],
        f"… and {last['requests']:,} requests in the log, MiB": last["MiB"],
        "SingleVerify/s on one core": calls / spent,
        "SingleVerify/s by the clock": calls / elapsed,
    }


def in_a_thread(count: int = STARTS) -> dict[str, float]:
    """Give what the pytest plugin adds to a test: a sandbox in a thread, from start to end."""
    from linksfield_async.testing.plugin import Wanted, opened  # noqa: PLC0415

    taken = []
    for _ in range(count):
        at = time.perf_counter()
        with opened(Wanted(settings={}), 1):
            taken.append((time.perf_counter() - at, at))
        taken[-1] = (taken[-1][0], time.perf_counter() - at)
    assert threading.active_count() == 1
    return {
        "a fixture's set-up, ms": min(one for one, _ in taken) * 1e3,
        "set-up and end, ms": min(both for _, both in taken) * 1e3,
    }


def main() -> None:
    """Print the figures, and the machine they belong to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cards", type=int, default=100_000)
    parser.add_argument("--calls", type=int, default=50_000)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(_serve(options.cards))
        return
    for name, told in described().items():
        print(f"{name:>42}  {told}")
    for name, figure in (
        asyncio.run(measure(options.cards, options.calls)) | in_a_thread()
    ).items():
        print(f"{name:>42}  {figure:,.1f}")


if __name__ == "__main__":
    main()
