"""What many open changes of groups cost: `python benchmarks/groups.py [--jobs 5000]`.

The transport answers by itself, a few milliseconds late; when each change is done there is drawn.
The large sync runs against the sandbox in a process of its own, which takes 500 cards per request.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import statistics
import subprocess
import sys
import time
import tracemalloc
from typing import Any

from linksfield_async import Account, Client, Endpoints, Options
from linksfield_async.protocol import Request, Response
from linksfield_async.transport.base import Limits

_SERVE = "serve"


class Background:
    """Accepts each change and is done with it after a drawn time."""

    def __init__(self, shortest: float, longest: float) -> None:
        self.done_at: dict[str, float] = {}
        self.polls: list[float] = []
        self._between = (shortest, longest)
        self._random = random.Random(1)

    async def send(self, request: Request, limits: Limits) -> Response:
        await asyncio.sleep(0.003)
        now = time.perf_counter()
        if request.method == "POST":
            request_id = f"REQ{len(self.done_at):010d}"
            self.done_at[request_id] = now + self._random.uniform(*self._between)
            return _answer({"request_id": request_id})
        self.polls.append(now)
        request_id = request.url.partition("?")[0].rpartition("/")[2]
        if now < self.done_at[request_id]:
            return _answer({"request_id": request_id, "status": "processing", "results": []})
        results = [{"sim_id": iccid(int(request_id[3:])), "status": "success"}]
        return _answer({"request_id": request_id, "status": "success", "results": results})


def iccid(number: int) -> str:
    return f"8985{number:015d}"


def _answer(data: dict[str, Any]) -> Response:
    return Response(200, json.dumps({"operateCode": "S", "data": data}).encode())


async def open_at_once(jobs: int, rate: float, shortest: float, longest: float) -> dict[str, Any]:
    """Open many jobs of one card each, and wait for all of them."""
    server = Background(shortest, longest)
    account = Account("P0001", endpoints=Endpoints.at("http://127.0.0.1:9"))
    lags: list[float] = []
    shares: list[float] = []

    async def followed(job: Any) -> None:
        await job
        lag = time.perf_counter() - server.done_at[job.request_ids[0]]
        lags.append(lag)
        shares.append(lag / job.parts[0].step)

    async with Client(account, options=Options(group_polls=rate), transport=server) as client:
        await opened(client, 50, server)  # what runs for the first time is not measured
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        many = await opened(client, jobs, server)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        tasks = len(asyncio.all_tasks())
        began = time.perf_counter()
        await asyncio.gather(*map(followed, many))
        seconds = time.perf_counter() - began
    polls = sorted(server.polls)
    busiest = max(
        sum(start <= one < start + 1 for one in polls) for start in polls[:: len(polls) // 200]
    )
    return {
        "jobs": jobs,
        "bytes per open job": round((after - before) / jobs),
        "tasks of ours while they are open": tasks - 1,
        "seconds until the last": round(seconds, 1),
        "polls": len(polls),
        "polls in the busiest second": busiest,
        "set rate, per second": rate,
        "median lag, s": round(statistics.median(lags), 2),
        "median lag, share of the poll interval": round(statistics.median(shares), 2),
        "p90 lag, share of the poll interval": round(statistics.quantiles(shares, n=10)[8], 2),
    }


async def opened(client: Client, count: int, server: Background) -> list[Any]:
    """Open jobs, a few at a time."""
    numbers, jobs = iter(range(len(server.done_at), len(server.done_at) + count)), []

    async def worker() -> None:
        for number in numbers:
            card = iccid(number)
            jobs.append(await client.groups.add_sims(group_id="G", iccids=[card], verify=False))

    await asyncio.gather(*(worker() for _ in range(64)))
    return jobs


async def serve(cards: int, limit: int) -> None:
    """Be the service, until stdin ends."""
    from linksfield_async.sandbox import Sandbox  # noqa: PLC0415 - the other process needs it

    async with Sandbox(cards=int(cards * 1.4), job_delay=0.5) as sandbox:
        sandbox.world.group_behaviour.max_cards = limit
        valid = [one for one, _ in zip(sandbox.world.iccids(), range(cards), strict=False)]
        print(json.dumps({"url": sandbox.url, "cards": valid}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        world = sandbox.world
        print(
            json.dumps(
                {
                    "members as wanted": world.groups["G1003"].members.keys() == set(valid),
                    "needless changes": len(world.needless_changes()),
                    "requests": sandbox.requests.total,
                }
            ),
            flush=True,
        )


async def large_sync(cards: int, limit: int) -> dict[str, Any]:
    """Sync a group with many cards, and then once more."""
    command = [sys.executable, __file__, _SERVE, "--cards", str(cards), "--limit", str(limit)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as server:  # noqa: ASYNC220 - nothing else runs here
        assert server.stdin is not None
        assert server.stdout is not None
        told = json.loads(server.stdout.readline())
        account = Account("P000270", endpoints=Endpoints.at(told["url"]))
        async with Client(account) as client:
            began = time.perf_counter()
            report = await client.groups.sync(group_id="G1003", iccids=told["cards"])
            seconds = time.perf_counter() - began
            again = await client.groups.sync(group_id="G1003", iccids=told["cards"])
            whole = time.perf_counter() - began
        server.stdin.write("\n")
        server.stdin.flush()
        judged = json.loads(server.stdout.readline())
    return {
        "cards": cards,
        "cards per request at most": limit,
        "done": report.is_done,
        **report.counts,
        "seconds": round(seconds, 1),
        "changes of a second sync": len(again.changes),
        "its seconds": round(whole - seconds, 1),
        **judged,
    }


def show(title: str, figures: dict[str, Any]) -> None:
    print(f"\n{title}")
    for name, value in figures.items():
        print(f"  {name:40} {value}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", nargs="?")
    parser.add_argument("--jobs", type=int, default=5_000)
    parser.add_argument("--rate", type=float, default=1_000.0)
    parser.add_argument("--shortest", type=float, default=2.0)
    parser.add_argument("--longest", type=float, default=30.0)
    parser.add_argument("--cards", type=int, default=100_000)
    parser.add_argument("--limit", type=int, default=500)
    given = parser.parse_args()
    if given.work == _SERVE:
        asyncio.run(serve(given.cards, given.limit))
        return
    figures = asyncio.run(open_at_once(given.jobs, given.rate, given.shortest, given.longest))
    show("Many jobs open at once", figures)
    show("A large sync", asyncio.run(large_sync(given.cards, given.limit)))


if __name__ == "__main__":
    main()
