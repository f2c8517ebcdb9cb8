"""What the project promises of itself; what is not kept is marked, never hidden."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import attrs
from peers import BASELINE

Figures: TypeAlias = dict[str, Any]


@attrs.frozen
class Promise:
    what: str
    limit: float
    unit: str
    at_least: bool
    value: Callable[[Figures], float]

    def judged(self, figures: Figures) -> dict[str, Any] | None:
        """Give the figure beside the limit; None where it was not measured."""
        try:
            value = self.value(figures)
        except LookupError:
            return None
        kept = value >= self.limit if self.at_least else value <= self.limit
        return {
            "what": self.what,
            "value": value,
            "limit": self.limit,
            "unit": self.unit,
            "at_least": self.at_least,
            "kept": kept,
        }


def _row(figures: Figures, name: str) -> Figures:
    found: Figures | None = next((row for row in figures["plain"] if row["name"] == name), None)
    if found is None or "per_second" not in found:
        raise LookupError(name)
    return found


def _times(ours: str, theirs: str, figure: str = "per_second") -> Callable[[Figures], float]:
    def value(figures: Figures) -> float:
        mine, other = _row(figures, ours), _row(figures, theirs)
        ratio = f"{figure}_ratio"
        if theirs == BASELINE and ratio in mine:
            return float(mine[ratio])
        return float(mine[figure] / other[figure])

    return value


def _beyond_async(figures: Figures) -> float:
    """Microseconds that a call takes longer, one after another, than one that is awaited."""
    sync, direct = _row(figures, "sync 1"), _row(figures, "send direct asyncio 1")
    return float(1e6 / sync["per_second"] - 1e6 / direct["per_second"])


def _share(figures: Figures) -> float:
    for row in figures["latency"]:
        given = (row["name"], row["latency_ms"], row["concurrency"])
        if given == ("verify_many direct asyncio", 100, 500):
            return float(100 * row["share"])
    raise LookupError("latency")


def _of(section: str, name: str) -> Callable[[Figures], float]:
    def value(figures: Figures) -> float:
        if figures.get(section) is None:
            raise LookupError(section)
        return float(figures[section][name])

    return value


_DIRECT, _FAST = "verify_many direct asyncio", "verify_many direct uvloop"
PROMISES = (
    Promise("verify_many, times aiohttp by hand", 1.5, "×", True, _times(_DIRECT, BASELINE)),
    Promise(
        "verify_many on uvloop, times aiohttp by hand without",
        2.2,
        "×",
        True,
        _times(_FAST, BASELINE),
    ),
    Promise("verify_many, times httpx", 15, "×", True, _times(_DIRECT, "httpx")),
    Promise("verify_many, times requests", 10, "×", True, _times(_DIRECT, "requests")),
    Promise(
        "verify_many over the session transport, times aiohttp by hand",
        0.9,
        "×",
        True,
        _times("verify_many session asyncio", BASELINE),
    ),
    Promise(
        "CPU per call of verify_many, times aiohttp by hand",
        0.7,
        "×",
        False,
        _times(_DIRECT, BASELINE, "cpu_us"),
    ),
    Promise("at 100 ms and 500 at once, of concurrency/latency", 95, "%", True, _share),
    Promise("SyncClient.send beyond an awaited send", 120, "µs", False, _beyond_async),
    Promise("build + sign + decode", 12, "µs", False, _of("steps", "build + decode")),
    Promise("import beyond aiohttp's", 40, "ms", False, _of("imports", "more than aiohttp, ms")),
    Promise("memory of that", 8, "MiB", False, _of("imports", "more than aiohttp, MiB")),
    Promise(
        "AdaptiveRate: not reached of the limit",
        10,
        "%",
        False,
        _of("rate", "not reached of the limit, %"),
    ),
    Promise(
        "AdaptiveRate: throttled in steady state",
        1,
        "%",
        False,
        _of("rate", "throttled in steady state, %"),
    ),
)


def judged(figures: Figures) -> list[dict[str, Any]]:
    """Give every promise that these figures can tell of."""
    return [told for promise in PROMISES if (told := promise.judged(figures)) is not None]
