"""Which entries of the catalogue of faults have a test: a test is named after what it covers."""

from __future__ import annotations

import re
from collections.abc import Iterable


def _numbered(letter: str, *numbers: int | range) -> list[str]:
    flat = (n for part in numbers for n in (part if isinstance(part, range) else [part]))
    return [f"{letter}{n:02d}" for n in flat]


EVERY_COMMIT = [
    *_numbered("W", range(1, 7), range(8, 22)),
    *_numbered("A", range(1, 17)),
    *_numbered("S", range(1, 14)),
    *_numbered("C", range(1, 7), 8, 9, 11, 12, 14, 18),
    *_numbered("R", range(1, 8), range(11, 14)),
    *_numbered("B", 1, 2, 4, 7, 8, range(10, 13), range(16, 20), 23, 24),
    *_numbered("G", range(1, 10)),
    *_numbered("M", range(1, 9)),
    *_numbered("H", range(1, 15), range(16, 19), 20, 22, 24),
    *_numbered("X", 1, 2, 3, 6, 7, 9, 12),
]
"""W: connections and the wire · A: answers · S: requests and signing · C: asyncio, threads and
processes · R: repeats, rate and breaker · B: bulk runs and journals · G: groups · M: payments · H: pushed
messages · X: the sandbox. Those that are to be tried at every commit."""

_NAMED = re.compile(r"test_([a-z][0-9]{2})_")


def covered(test_ids: Iterable[str]) -> dict[str, int]:
    """Count the tests of each entry."""
    counts: dict[str, int] = {}
    for test_id in test_ids:
        for entry in _NAMED.findall(test_id):
            counts[entry.upper()] = counts.get(entry.upper(), 0) + 1
    return counts


def summary(test_ids: Iterable[str]) -> str:
    """One line: how many entries are covered, and which are not."""
    counts = covered(test_ids)
    missing = [entry for entry in EVERY_COMMIT if entry not in counts]
    done = len(EVERY_COMMIT) - len(missing)
    told = f"catalogue of faults: {done} of {len(EVERY_COMMIT)} entries covered"
    return told + (f"; without a test: {', '.join(missing)}" if missing else "")
