"""What a bulk run costs: `python benchmarks/bulk.py [--cards 1000000] [--many 10000000]`.

Each run is a process of its own, so that its memory can be told from that of the others. The
server is a process of its own too; the largest run sends nothing at all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from responder import responder

from linksfield_async import Account, Client, Endpoints, Options
from linksfield_async.bulk import Record, open_sink
from linksfield_async.protocol import Request, Response
from linksfield_async.transport.base import Limits

_SEND = "send"


def cards(count: int) -> Iterator[str]:
    return (f"8985{number:015d}" for number in range(count))


class Nowhere:
    """A transport that answers at once and sends nothing."""

    async def send(self, request: Request, limits: Limits) -> Response:
        return Response(200, b'{"operateCode":"S","data":{}}')


async def lag(samples: list[float]) -> None:
    """Sleep for 10 ms again and again, and note how much longer it took."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.01)
        samples.append(time.perf_counter() - began - 0.01)


def resident() -> float:
    """Give the resident memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


async def run(given: argparse.Namespace) -> dict[str, Any]:
    """Verify the cards once, and tell what it took."""
    account = Account("P0001", endpoints=Endpoints.at(given.url or "http://127.0.0.1:9"))
    options = Options(connections=2 * given.concurrency, deadline=given.deadline)
    transport = None if given.url else Nowhere()
    samples: list[float] = []
    sink = open_sink(given.out, force=True) if given.out else None
    first, counted, began = None, 0, time.perf_counter()
    watching = asyncio.create_task(lag(samples))
    async with Client(account, options=options, transport=transport) as client:
        outcomes = client.verify_many(
            cards(given.cards),
            concurrency=given.concurrency,
            journal=given.journal or None,
            duplicates="once" if given.journal else "each",
            stop=None,
            total=given.cards,
        )
        async with outcomes:
            async for outcome in outcomes:
                first = first or time.perf_counter() - began
                counted += 1
                if sink is not None:
                    sink.write(
                        Record(
                            outcome.position + 1,
                            outcome.given or "",
                            outcome.iccid or "",
                            outcome.verdict,
                            outcome.reason,
                            outcome.attempts,
                        )
                    )
                if counted == given.leave_after:
                    outcomes.stop()
        progress = outcomes.progress
    seconds = time.perf_counter() - began
    watching.cancel()
    if sink is not None:
        sink.close()
    samples.sort()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "outcomes": counted,
        "seconds": round(seconds, 2),
        "per second": round(counted / seconds),
        "CPU µs per card": round((usage.ru_utime + usage.ru_stime) / max(1, counted) * 1e6, 1),
        "resident MiB at the end": round(resident(), 1),
        "resident MiB at most": round(usage.ru_maxrss / 1024, 1),
        "loop lag p99 ms": round(samples[int(len(samples) * 0.99)] * 1000, 2) if samples else None,
        "first outcome after s": None if first is None else round(first, 2),
        "verdicts": dict(progress.verdicts),
    }


def measured(**given: Any) -> dict[str, Any]:
    """Run in a process of its own."""
    words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, __file__, _SEND, *words]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(told)


def show(title: str, figures: dict[str, Any]) -> None:
    print(f"\n{title}")
    for name, value in figures.items():
        print(f"  {name:28} {value}", flush=True)


def hanging(count: int) -> dict[str, Any]:
    """Compare a clean run with one in which 1 % of the cards have no answer until the deadline."""
    with responder(latency=0.02) as url:
        clean = measured(cards=count, url=url, deadline=2.0)
    with responder(hangs="07", latency=0.02) as url:
        hanging = measured(cards=count, url=url, deadline=2.0)
    share = round(100 * hanging["per second"] / clean["per second"], 1)
    return {"clean": clean, "1 % hang for 2 s": hanging, "throughput, % of clean": share}


def against_a_server(count: int, folder: Path) -> dict[str, Any]:
    """Compare a run with journal and results to the same without them, and to a short one."""
    where = {"journal": folder / "one.db", "out": folder / "one.csv"}
    with responder() as url:
        measured(cards=10_000, url=url)  # what runs for the first time is not measured
        short = measured(
            cards=10_000, url=url, journal=folder / "short.db", out=folder / "short.csv"
        )
        bare = measured(cards=count, url=url)
        full = measured(cards=count, url=url, **where)
    grown = full["resident MiB at most"] - short["resident MiB at most"]
    return {
        "10,000 cards, journal and results": short,
        f"{count:,} cards, neither": bare,
        f"{count:,} cards, journal and results": full,
        "throughput with both, % of neither": round(
            100 * full["per second"] / bare["per second"], 1
        ),
        "more memory than the short run, MiB": round(grown, 1),
        "journal, MB": round(where["journal"].stat().st_size / 1e6),
    }


def without_sending(count: int, folder: Path) -> dict[str, Any]:
    """Go through many cards without a network, break off near the end, and go on."""
    journal = folder / "many.db"
    short = measured(cards=10_000, journal=folder / "few.db")
    leave = max(1, count - count // 1000)
    long = measured(cards=count, journal=journal, leave_after=leave)
    rest = measured(cards=count, journal=journal)
    grown = long["resident MiB at most"] - short["resident MiB at most"]
    return {
        "10,000 cards": short,
        f"{count:,} cards": long,
        "going on": rest,
        "more memory than the short run, MiB": round(grown, 1),
        "journal, MB": round(journal.stat().st_size / 1e6),
        "going on begins after, s": rest["first outcome after s"],
        "lost or doubled": count - long["outcomes"] - rest["outcomes"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", nargs="?")
    parser.add_argument("--cards", type=int, default=1_000_000)
    parser.add_argument("--many", type=int, default=10_000_000)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--url", default="")
    parser.add_argument("--journal", default="")
    parser.add_argument("--out", default="")
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--deadline", type=float, default=30.0)
    parser.add_argument("--leave_after", type=int, default=0)
    given = parser.parse_args()
    if given.work == _SEND:
        print(json.dumps(asyncio.run(run(given))))
        return
    figures = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, measure in (
            ("1 % of the cards hang until the deadline", lambda: hanging(60_000)),
            ("Against a local responder", lambda: against_a_server(given.cards, folder)),
            ("Without sending", lambda: without_sending(given.many, folder)),
        ):
            figures[title] = measure()
            show(title, figures[title])
            if given.json:
                Path(given.json).write_text(json.dumps(figures, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
