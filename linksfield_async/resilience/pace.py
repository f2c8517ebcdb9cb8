"""The arithmetic of a rate, pure over `now`: tokens, and the rate that finds what a server bears."""

from __future__ import annotations

import math
from typing import Any

import attrs

from ..errors import ConfigurationError

_LATE = 0.01  # share of the rate set aside, so that a timer up to 10 ms late costs no grants
_TOLERANCE = 1e-6  # tokens; what adding up fractions may lack
_CUT = 0.85  # what a cut leaves of the rate
_GROWTH = 0.25  # of the rate, per second, at most


def _positive(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (number and value > 0 and math.isfinite(value)):
        name = f"{type(instance).__name__}.{attribute.name}"
        raise ConfigurationError(f"{name} must be a finite number above 0")


def _count(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        name = f"{type(instance).__name__}.{attribute.name}"
        raise ConfigurationError(f"{name} must be a whole number above 0")


@attrs.frozen
class Rate:
    """A fixed rate: calls per second, and how many may leave at once after a quiet time."""

    per_second: float = attrs.field(validator=_positive)
    burst: int = attrs.field(default=1, validator=_count)


@attrs.frozen(kw_only=True)
class AdaptiveRate:
    """A rate that finds what the server bears; all in calls per second.

    Grows only while calls are held back; yields to throttling, to more than some 30 % of failures
    (fewer are no sign of overload) and to latencies over twice their floor.
    """

    start: float = attrs.field(default=20.0, validator=_positive)
    least: float = attrs.field(default=0.5, validator=_positive)
    most: float = attrs.field(default=5000.0, validator=_positive)

    def __attrs_post_init__(self) -> None:
        if not self.least <= self.start <= self.most:
            raise ConfigurationError("AdaptiveRate.start must lie between least and most")


class Bucket:
    """Tokens, as pure arithmetic over `now`; `settled` lies ahead of `now` during a pause."""

    __slots__ = ("burst", "rate", "settled", "tokens")

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self.rate, self.burst, self.settled = rate, burst, now
        self.tokens = float(burst)

    def settle(self, now: float, *, queued: bool) -> None:
        """Add what has accrued."""
        # Beyond `burst` only what a late timer kept from those who wait, never from a quiet time.
        most = self.burst + (self.rate * _LATE if queued else 0.0)
        if now > self.settled:
            self.tokens += (now - self.settled) * self.rate * (1 - _LATE)
            self.settled = now
        self.tokens = min(self.tokens, most)

    def take(self, now: float, *, queued: bool, keep: int = 0) -> bool:
        """Take one token, if there is one beyond those to keep."""
        self.settle(now, queued=queued)
        if self.tokens < 1 + keep - _TOLERANCE or now < self.settled:
            return False
        self.tokens = max(0.0, self.tokens - 1)
        return True

    def wait(self, now: float, ahead: int) -> float:
        """Seconds until a token is there after `ahead` others had theirs, or are kept."""
        missing = max(0.0, ahead + 1 - self.tokens) / (self.rate * (1 - _LATE))
        return max(0.0, self.settled - now) + missing

    def pause(self, until: float) -> None:
        """Let nothing accrue before a moment."""
        if until > self.settled:
            # What was saved up would leave all at once at the end.
            self.tokens = min(self.tokens, 1.0)
            self.settled = until


class Pace:
    """The adaptive rate, as pure arithmetic: CUBIC-like around the rate where throttling was met.

    Grows only while calls are held back and answers come. Cut at most once per round trip.
    """

    def __init__(self, setting: AdaptiveRate, now: float) -> None:
        self.rate = setting.start
        self._setting = setting
        self._top: float | None = None  # where throttling was met last
        self._base = self.rate  # where the present climb began
        self._climbed = 0.0  # seconds of this climb
        self._since, self._held = now, 0.0  # last step of the climb
        self._demand = 0.8  # smoothed share of the time in which calls are held back
        self._cut_at, self._good = -math.inf, 0  # and good answers since
        self._failing = 0.0  # smoothed share
        self._latency, self._floor, self._seen = math.nan, math.inf, now

    def note(
        self, now: float, held: float, elapsed: float, *, throttled: bool, failed: bool
    ) -> float:
        """Learn from an answer and give the rate; `held`: seconds calls were held back so far."""
        # An answer to what was sent before the last cut only shows the rate of then.
        if now - elapsed >= self._cut_at:
            self._good += not (throttled or failed)
            self._failing += (failed - self._failing) * 0.05
            answered = not (throttled or failed)
            ailing = (answered and self._is_slow(now, elapsed)) or self._failing > 0.3
            rest = now - self._cut_at
            if (throttled and rest >= 0.25) or (ailing and rest >= 1):
                self._cut(now, held, throttled=throttled)
            elif answered and not ailing:
                self._climb(now, held)
        return self.rate

    def _is_slow(self, now: float, elapsed: float) -> bool:
        if math.isnan(self._latency):
            self._latency = elapsed
        self._latency += (elapsed - self._latency) * 0.1
        # The floor follows slowly: another mix of operations is not an overload for ever.
        drift = min(1.0, (now - self._seen) / 15) if self._floor < math.inf else 0.0
        floor = self._floor + (self._latency - self._floor) * drift if drift else self._floor
        self._floor, self._seen = min(floor, self._latency), now
        return self._latency > 2 * self._floor + 0.05

    def _cut(self, now: float, held: float, *, throttled: bool) -> None:
        if throttled:
            # Where nothing at all gets through, the rate tells nothing about a limit.
            self._top = self.rate if self._good else None
        self.rate = self._base = max(self._setting.least, self.rate * _CUT)
        self._climbed, self._since, self._held = 0.0, now, held
        self._cut_at, self._good, self._failing = now, 0, 0.0

    def _climb(self, now: float, held: float) -> None:
        step = max(0.05, 2 / self.rate)
        passed = now - self._since
        if passed < step:
            return
        # Over some twenty calls: that a few come together is no demand for more.
        weight = min(1.0, passed * self.rate / 20)
        self._demand += ((held - self._held) / passed - self._demand) * weight
        self._since, self._held = now, held
        if self._demand >= 0.8:
            passed = min(passed, 2 * step)
            self._climbed += passed
            fastest = self.rate * (1 + _GROWTH * passed)
            self.rate = min(max(self.rate, min(self._curve(), fastest)), self._setting.most)

    def _curve(self) -> float:
        if self._top is None:
            return math.inf
        # Slow limits take longer: each touch of the limit costs a refusal, of few calls.
        back = min(120.0, max(20.0, 300 / self._top))
        left = 1 - self._climbed / back
        if left > 0:
            return self._top - (self._top - self._base) * left**3
        return self._top * (1 + (1 - _CUT) * (-2 * left) ** 3)
