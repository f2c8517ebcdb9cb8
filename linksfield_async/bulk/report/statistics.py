"""Adds up a bulk run in constant memory: verdicts, throughput, latency, reasons."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import attrs

from ..outcome import Outcome
from ..progress import DECIDED, VERDICTS
from .reasons import Reasons


@attrs.frozen
class Step:
    """A stretch of time, seconds from the start, and how many cards per second it saw."""

    start: float
    end: float
    decided: float
    undecided: float


class Throughput:
    """Outcomes over time, in buckets whose width doubles when there is no room for more."""

    MOST_BUCKETS = 600
    SHORTEST = 1e-6
    """Seconds that can be told from none."""

    def __init__(self) -> None:
        self.width = 0.25
        """Seconds that one bucket covers."""
        self.total = 0
        self.until = 0.0
        """Seconds from the start to the last outcome."""
        self._decided = [0] * self.MOST_BUCKETS
        self._undecided = [0] * self.MOST_BUCKETS

    def add(self, at: float, *, decided: bool) -> None:
        """Count an outcome that came so many seconds after the start."""
        self.total += 1
        self.until = max(self.until, at)
        index = int(at / self.width)
        while index >= self.MOST_BUCKETS:
            self._widen()
            index = int(at / self.width)
        (self._decided if decided else self._undecided)[index] += 1

    @property
    def is_measurable(self) -> bool:
        """False where no time passed: a rate over next to nothing means nothing."""
        return self.until >= self.SHORTEST

    def per_second(self) -> float | None:
        """Cards per second from the start to the last outcome; None where no time passed."""
        return self.total / self.until if self.is_measurable else None

    def steps(self, most: int) -> list[Step]:
        """Give the rates from the start to the last outcome, in at most so many steps."""
        if not self.is_measurable:
            return []
        used = min(int(self.until / self.width) + 1, self.MOST_BUCKETS)
        taken = math.ceil(used / most)
        starts = [first * self.width for first in range(0, used, taken)]
        # A last step that has hardly begun would show a rate out of next to nothing.
        if len(starts) > 1 and self.until - starts[-1] < taken * self.width / 2:
            starts.pop()
        steps: list[Step] = []
        for number, start in enumerate(starts):
            is_last = number == len(starts) - 1
            end = self.until if is_last else starts[number + 1]
            first = number * taken
            part = slice(first, None if is_last else first + taken)
            decided, undecided = sum(self._decided[part]), sum(self._undecided[part])
            steps.append(Step(start, end, decided / (end - start), undecided / (end - start)))
        return steps

    def _widen(self) -> None:
        room = [0] * (self.MOST_BUCKETS // 2)
        for counts in (self._decided, self._undecided):
            counts[:] = [*map(sum, zip(counts[::2], counts[1::2], strict=True)), *room]
        self.width *= 2


class Latency:
    """A histogram of seconds in logarithmic buckets; quantiles are good to about 2 %."""

    LEAST = 1e-4
    """Seconds where the first bucket starts; what is below counts there."""
    PER_DECADE = 50
    DECADES = 7
    MOST = 999.999
    """Seconds where the last bucket ends; what is above counts there."""

    def __init__(self) -> None:
        self.total = 0
        self.shortest = math.inf
        self.longest = 0.0
        self.counts = [0] * (self.PER_DECADE * self.DECADES)

    def add(self, seconds: float) -> None:
        """Count a call that took so long."""
        self.total += 1
        self.longest = max(self.longest, seconds)
        self.shortest = min(self.shortest, seconds)
        if seconds <= self.LEAST:
            index = 0
        elif seconds >= self.MOST:
            index = -1
        else:
            index = int(math.log10(seconds / self.LEAST) * self.PER_DECADE)
        self.counts[index] += 1

    def edge(self, index: int) -> float:
        """Give the seconds where a bucket starts."""
        return float(self.LEAST * 10 ** (index / self.PER_DECADE))

    def quantile(self, share: float) -> float | None:
        """Give the seconds within which this share of the calls ended; None without any."""
        if not self.total:
            return None
        left = share * self.total
        for index, count in enumerate(self.counts):
            if count and left <= count:
                inside = self.edge(0) * 10 ** ((index + left / count) / self.PER_DECADE)
                return float(min(max(inside, self.shortest), self.longest))
            left -= count
        return self.longest


class Statistics:
    """What a report tells about a run; time starts when this is made.

    Outcomes known from an earlier session count among verdicts and reasons alone.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.verdicts: Counter[str] = Counter(dict.fromkeys(VERDICTS, 0))
        self.replayed = 0
        """Outcomes that an earlier session knew."""
        self.skipped_reasons = 0
        """Outcomes that are not valid and whose reasons only an earlier session knew."""
        self.duplicates = 0
        self.throughput = Throughput()
        self.latency = Latency()
        self.reasons = Reasons()
        self.sent = 0
        """Cards that were sent by this session, at least once."""
        self.attempts = 0
        """Calls made for them."""
        self.repeated = 0
        """Those among `sent` that took more than one."""
        self._clock = clock
        self._began = clock()

    @property
    def total(self) -> int:
        """Outcomes in all."""
        return self.verdicts.total()

    @property
    def mean_attempts(self) -> float | None:
        """Calls per card that was sent; None where none was."""
        return self.attempts / self.sent if self.sent else None

    def add(self, outcome: Outcome[Any]) -> None:
        """Count an outcome, at the time it has now."""
        verdict = outcome.verdict
        self.verdicts[verdict] += 1
        if verdict != "valid":
            self.reasons.add(outcome)
        is_first = outcome.duplicate_of is None
        if not is_first:
            self.duplicates += 1
        if outcome.replayed:
            self.replayed += 1
            return
        self.throughput.add(self._clock() - self._began, decided=verdict in DECIDED)
        attempts = outcome.attempts
        if is_first and attempts and verdict != "invalid_input":
            self.latency.add(outcome.elapsed)
            self.sent += 1
            self.attempts += attempts
            if attempts > 1:
                self.repeated += 1

    def skipped(self, verdict: str, count: int) -> None:
        """Count items that an earlier session decided and nobody asked to see again."""
        self.verdicts[verdict] += count
        self.replayed += count
        if verdict != "valid":
            self.skipped_reasons += count
