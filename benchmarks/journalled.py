"""What a journal adds to a bulk run: the same cards with and without one, in turn."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from responder import responder
from work import PARTNER, cards


async def _run(url: str, count: int, rounds: int) -> dict[str, float]:
    from linksfield_async import Account, Client, Endpoints  # noqa: PLC0415  # only where it runs

    taken: dict[str, list[tuple[float, float]]] = {"without": [], "with": []}
    async with Client(Account(PARTNER, endpoints=Endpoints.at(url))) as client:
        with tempfile.TemporaryDirectory() as folder:
            for number in range(rounds + 1):
                for what, settings in (
                    ("without", {}),
                    ("with", {"journal": Path(folder) / f"{number}.db"}),
                ):
                    began, cpu = time.perf_counter(), time.process_time()
                    given: dict[str, Any] = settings
                    async for outcome in client.verify_many(cards(count), **given):
                        assert outcome.verdict == "valid"
                    if number:  # the first round only warms up
                        spent = time.perf_counter() - began, time.process_time() - cpu
                        taken[what].append(spent)
    without, with_ = taken["without"], taken["with"]
    return {
        "cards": count,
        "throughput, % of without": statistics.median(
            100 * a[0] / b[0] for a, b in zip(without, with_, strict=True)
        ),
        "more CPU per card, µs": statistics.median(
            (b[1] - a[1]) / count * 1e6 for a, b in zip(without, with_, strict=True)
        ),
    }


def measure(count: int, rounds: int) -> dict[str, float] | None:
    """Run in a process of its own; None where the installed version keeps no journal."""
    bulk = importlib.util.find_spec("linksfield_async.bulk")
    if bulk is None or importlib.util.find_spec("linksfield_async.bulk.journal") is None:
        return None
    with responder() as url:
        command = [sys.executable, __file__, url, str(count), str(rounds)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    figures: dict[str, float] = json.loads(told)
    return figures


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
