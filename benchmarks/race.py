"""Lets contenders run in turn, round after round, so that what the machine does else hits all."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from driving import Contender
from field import CONTENDERS
from peers import BASELINE

_HERE = Path(__file__).parent
_MISLEADING = ("proxy", "ca_bundle", "ssl_cert")
"""Variables that would send a library elsewhere, or have it trust others than it is told."""


def environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not any(part in name.lower() for part in _MISLEADING)
    }


class Entrant:
    """A contender's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def told(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ChildProcessError(f"a contender ended, with {self._process.wait()}")
        return json.loads(line)

    def end(self) -> None:
        """Let the process end, without waiting for it."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def measured(self, seconds: float) -> dict[str, float]:
        assert self._process.stdin is not None
        print(seconds, file=self._process.stdin, flush=True)
        figures: dict[str, float] = self.told()
        return figures


@contextmanager
def entrant(name: str, url: str, concurrency: int, ca_file: str) -> Iterator[Entrant]:
    command = [sys.executable, str(_HERE / "worker.py"), name, url, str(concurrency), ca_file]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        yield Entrant(process)


def race(
    names: Iterable[str],
    url: str,
    *,
    rounds: int,
    seconds: float,
    concurrency: int | None = None,
    ca_file: str = "",
) -> list[dict[str, Any]]:
    """Measure each in every round; gives a row for each, with ratios to aiohttp by hand.

    A ratio is the median of those within a round. Who cannot run has a row that says why.
    """
    field = [CONTENDERS[name] for name in names]
    taken: dict[str, list[dict[str, float]]] = {}
    with ExitStack() as stack:
        entrants = {
            one.name: stack.enter_context(
                entrant(one.name, url, concurrency or one.concurrency, ca_file)
            )
            for one in field
            if not one.missing
        }
        for one in entrants.values():
            one.told()
        for number in range(rounds):
            order = list(entrants) if number % 2 == 0 else list(reversed(entrants))
            for name in order:
                taken.setdefault(name, []).append(entrants[name].measured(seconds))
        for one in entrants.values():
            one.end()
    return [_row(one, concurrency or one.concurrency, taken) for one in field]


def _row(
    one: Contender, concurrency: int, taken: dict[str, list[dict[str, float]]]
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": one.name,
        "title": one.title,
        "how": one.how,
        "ours": one.ours,
        "concurrency": concurrency,
    }
    if one.missing:
        return row | {"missing": one.missing}
    rounds = taken[one.name]
    row |= {
        "per_second": _median(rounds, "per_second"),
        "per_second_low": min(figures["per_second"] for figures in rounds),
        "per_second_high": max(figures["per_second"] for figures in rounds),
        "cpu_us": _median(rounds, "cpu_us"),
        "server_busy": _median(rounds, "server_busy"),
        "rounds": len(rounds),
    }
    baseline = taken.get(BASELINE)
    if baseline is not None and one.signs:
        for name in ("per_second", "cpu_us"):
            ratios = [a[name] / b[name] for a, b in zip(rounds, baseline, strict=True)]
            row[f"{name}_ratio"] = statistics.median(ratios)
    return row


def _median(rounds: list[dict[str, float]], name: str) -> float:
    return statistics.median(figures[name] for figures in rounds)
