"""How far a run is, as plain data; `Meter` counts, `Progress` is what a callback gets."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, get_args

import attrs

from .outcome import Outcome, Verdict

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
DECIDED: frozenset[Verdict] = frozenset(("valid", "refused", "invalid_input"))
"""Verdicts that a repeat would not change."""

_RATE_SECONDS = 10.0


@attrs.frozen(kw_only=True)
class Progress:
    """A moment of a run; `done + failed + unknown + todo == total` always."""

    total: int
    """Items in all; as many as were taken so far where `is_total_known` is False."""
    is_total_known: bool
    todo: int
    """Not decided yet, those under way included."""
    done: int
    """Decided: valid, refused, invalid_input."""
    failed: int
    unknown: int
    verdicts: Mapping[str, int]
    """Outcomes by verdict, those of earlier sessions included."""
    in_flight: int
    """Calls under way."""
    concurrency: int
    """How many may be under way at present."""
    calls_per_second: float | None
    """How fast calls may leave at present; None where there is no limit."""
    per_second: float
    """Items decided per second, over the last ten seconds."""
    elapsed: float
    """Seconds since this session began."""
    remaining: float | None
    """Seconds that the rest will take at this rate; None where nobody can tell."""
    replayed: int
    """Items that were known from the journal."""
    duplicates: int
    """Items that were sent for one further up."""


OnProgress: TypeAlias = Callable[[Progress], object]


class Meter:
    """Counts what a run decides; of constant size."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.verdicts: Counter[str] = Counter()
        self.replayed = 0
        self.duplicates = 0
        self._clock = clock
        self._began = clock()
        self._decided_now = 0
        self._marks: deque[tuple[float, int]] = deque([(self._began, 0)])

    @property
    def elapsed(self) -> float:
        """Seconds since the session began."""
        return self._clock() - self._began

    @property
    def outcomes(self) -> int:
        """Items with an outcome."""
        return self.verdicts.total()

    def add(self, outcome: Outcome[Any]) -> None:
        """Count an outcome."""
        self.verdicts[outcome.verdict] += 1
        self.duplicates += outcome.duplicate_of is not None
        if outcome.replayed:
            self.replayed += 1
        else:
            self._decided_now += 1

    def skipped(self, verdict: str, count: int) -> None:
        """Count items that an earlier session decided and nobody asked to see again."""
        self.verdicts[verdict] += count
        self.replayed += count

    def progress(
        self, *, taken: int, total: int | None, in_flight: int, concurrency: int, rate: float | None
    ) -> Progress:
        """Say how far it is; `taken` items were read, `total` there are, if that is known."""
        failed, unknown = self.verdicts["failed"], self.verdicts["unknown"]
        outcomes = self.outcomes
        in_all = max(taken, total or 0, outcomes)
        per_second = self.per_second()
        rest = in_all - outcomes
        return Progress(
            total=in_all,
            is_total_known=total is not None,
            todo=rest,
            done=outcomes - failed - unknown,
            failed=failed,
            unknown=unknown,
            verdicts={verdict: self.verdicts[verdict] for verdict in VERDICTS},
            in_flight=in_flight,
            concurrency=concurrency,
            calls_per_second=rate,
            per_second=per_second,
            elapsed=self.elapsed,
            remaining=rest / per_second if total is not None and per_second > 0 else None,
            replayed=self.replayed,
            duplicates=self.duplicates,
        )

    def per_second(self) -> float:
        """Items decided per second by this session, over the last seconds."""
        now = self._clock()
        if now - self._marks[-1][0] >= 1.0:
            self._marks.append((now, self._decided_now))
            while len(self._marks) > 2 and now - self._marks[1][0] >= _RATE_SECONDS:
                self._marks.popleft()
        since, decided = self._marks[0]
        return (self._decided_now - decided) / max(now - since, 1e-9)
