"""How many calls may be under way, pure over `now`: up only while throughput rises.

Throughput is calls under way / seconds of a call (Little's law), which bursts and hanging calls
disturb less than counting does. A level is left for a trial of another; the trial is kept where
it pays, else undone, and the next one waits longer.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import attrs

from ..errors import ConfigurationError

_BEAT_SECONDS, _BEAT_CALLS = 0.3, 20
_FAILING = 0.3  # share of a beat's calls from which it is a wave; fewer are no sign of overload
_USED = 0.7  # share of the limit in use, below which something else holds the calls back
_CLIP = 8.0  # times the mean, above which a call counts as hanging, and no longer
_STAFFING_SECONDS = 0.3  # until a new limit is in force: the engine looks four times a second

_BOLD, _GENTLE = 2.0, 1.4  # steps
# Shares of what proportional growth would bring. They lie apart, so that two neighbouring levels
# are not taken in turn for ever.
_PAYS_UP, _COSTS_DOWN, _IN_PROPORTION = 0.4, 0.15, 0.7
_PRECISION = 0.14  # noise of a measurement, as a share of the same: about 2 sigma of a difference
_CLEAR_SIGMAS = 3.0  # what is as clear as this is decided before
_SHIFT, _SHIFT_SIGMAS = 0.2, 3.5  # at one level: the service itself has changed

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0  # seconds
_PAUSE_TRIALS = 10.0  # where trials are slow, the longest pause is so many times a trial
_BELOW_ROOF = 0.7  # as far as one may go again at once, of a level that failed


def _count(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        name = f"{type(instance).__name__}.{attribute.name}"
        raise ConfigurationError(f"{name} must be a whole number above 0, not {value!r}")


@attrs.frozen(kw_only=True)
class AdaptiveConcurrency:
    """A number of calls under way that finds what pays, between `least` and `most`.

    Yields where more than some 30 % of calls fail. Of levels with the same throughput it prefers
    the lower one, where calls are faster.
    """

    start: int = attrs.field(default=16, validator=_count)
    least: int = attrs.field(default=1, validator=_count)
    most: int = attrs.field(default=512, validator=_count)

    def __attrs_post_init__(self) -> None:
        if not self.least <= self.start <= self.most:
            text = f"{self.start} does not lie between {self.least} and {self.most}"
            raise ConfigurationError(f"AdaptiveConcurrency.start: {text}, least and most")


class _Measure:
    """Sums over finished calls."""

    __slots__ = ("calls", "failed", "in_flight", "seconds", "since", "squares")

    def __init__(self, since: float) -> None:
        self.since = since
        self.calls = self.failed = self.in_flight = 0
        self.seconds = self.squares = 0.0

    def add(self, other: _Measure) -> None:
        self.calls += other.calls
        self.failed += other.failed
        self.in_flight += other.in_flight
        self.seconds += other.seconds
        self.squares += other.squares

    @property
    def mean(self) -> float:
        return self.seconds / self.calls

    @property
    def rate(self) -> float:
        """Calls that succeed, per second."""
        return (1 - self.failed / self.calls) * self.in_flight / self.seconds

    @property
    def noise(self) -> float:
        """Relative standard error of `rate`."""
        # At least as random as a Poisson process: in a queue, neighbours' times are much alike.
        variance = self.squares * self.calls / self.seconds**2 - 1
        return math.sqrt(max(1.0, variance) / self.calls)


class Climber:
    """The adaptive limit, as pure arithmetic: tries a level, and keeps it where that pays."""

    learns = True

    def __init__(self, setting: AdaptiveConcurrency, now: float) -> None:
        self.limit = setting.start
        self.most, self._least = setting.most, setting.least
        self._home = self.limit  # the level in force between trials
        self._base: _Measure | None = None  # what was measured there last
        self._up, self._bold = True, True  # the next step
        self._pause, self._trial_at = _FIRST_PAUSE, now
        # Where failures began last, and for how long to stay below.
        self._roof, self._roof_pause, self._roof_until = math.inf, _FIRST_PAUSE, now
        self._has_tried = False  # to go up, since the last cut
        self._clip = math.inf
        self._settle(now, 0.0)

    def note(self, now: float, *, elapsed: float, failed: bool, in_flight: int) -> int:
        """Learn from a finished call and give the limit; `in_flight` counts that call too.

        `failed`: no answer, 5xx or throttled.
        """
        beat = self._beat
        if now < beat.since:
            return self.limit
        seconds = min(elapsed, self._clip)
        beat.calls += 1
        beat.failed += failed
        beat.in_flight += min(in_flight, self.limit)
        beat.seconds, beat.squares = beat.seconds + seconds, beat.squares + seconds * seconds
        if beat.calls >= _BEAT_CALLS and now >= beat.since + _BEAT_SECONDS and beat.seconds > 0:
            self._look(beat, now)
        return self.limit

    def _look(self, beat: _Measure, now: float) -> None:
        is_first = self._clip == math.inf
        self._beat, self._clip = _Measure(now), _CLIP * beat.mean
        if beat.failed > _FAILING * beat.calls:
            self._cut(beat, now)
        elif beat.in_flight < _USED * self.limit * beat.calls:
            if self.limit != self._home:
                self._turn_back(now)
        elif is_first:
            # The quick ones among the first calls ended first: they would flatter the start.
            self._settle(now, beat.squares / beat.seconds)
        else:
            window = self._window
            window.add(beat)
            if now < window.since + 3 * window.mean:
                return
            is_precise = window.noise <= self._precision()
            if self.limit != self._home:
                self._judge(window, now, is_precise=is_precise)
            elif is_precise:
                self._rest(window, now)

    def _precision(self) -> float:
        step = _BOLD if self._bold else _GENTLE
        return _PRECISION * (step - 1 if self._up else 1 - 1 / step)

    def _rest(self, window: _Measure, now: float) -> None:
        """Take the level's measure anew, and try another one where it is time to."""
        before, self._base, self._window = self._base, window, _Measure(now)
        if before is not None:
            shift = window.rate / before.rate - 1
            if abs(shift) > max(_SHIFT, _SHIFT_SIGMAS * math.hypot(window.noise, before.noise)):
                self._pause, self._trial_at, self._up = _FIRST_PAUSE, now, shift > 0
        if now < self._trial_at:
            return
        level = self._next_level(now)
        if level == self.limit:
            self._up, self._bold = not self._up, False
        else:
            self.limit, self._has_tried = level, self._has_tried or self._up
            self._settle(now, window.squares / window.seconds)

    def _next_level(self, now: float) -> int:
        if not self._up:
            return max(self._least, min(self.limit - 1, round(self.limit / _GENTLE)))
        level = max(self.limit + 1, round(self.limit * (_BOLD if self._bold else _GENTLE)))
        if now < self._roof_until:
            level = max(self.limit, int(min(level, self._roof * _BELOW_ROOF)))
        return min(self.most, level)

    def _judge(self, window: _Measure, now: float, *, is_precise: bool) -> None:
        base = self._base
        assert base is not None  # noqa: S101 - trials begin at a measured level
        step = self.limit / self._home - 1
        share = (window.rate / base.rate - 1) / step
        beyond = share - (_PAYS_UP if self._up else _COSTS_DOWN)
        clear = _CLEAR_SIGMAS * math.hypot(window.noise, base.noise) / abs(step)
        if not is_precise and abs(beyond) < clear:
            return
        if (beyond > 0) != self._up:
            self._turn_back(now)
            return
        # The window goes on: it may have to become more precise for the next step.
        self._home, self._base = self.limit, None
        self._bold = self._up and share > _IN_PROPORTION
        self._pause, self._trial_at = _FIRST_PAUSE, now
        if self.limit > self._roof:
            self._roof, self._roof_pause = math.inf, _FIRST_PAUSE

    def _turn_back(self, now: float) -> None:
        """Undo a trial; after a gentle one, the next goes the other way, after a longer pause."""
        if self._bold:
            self._bold = False
        else:
            took = now - self._moved
            longest = max(_LONGEST_PAUSE, _PAUSE_TRIALS * took)
            self._pause = min(max(2 * self._pause, took), longest)
            self._trial_at = now + self._pause
            self._up = not self._up
        self.limit = self._home
        self._settle(now, self._clip / _CLIP)

    def _cut(self, beat: _Measure, now: float) -> None:
        if self._has_tried:
            # Not the service is down, but this level is too high: stay away from it for longer.
            self._roof, self._has_tried = self.limit, False
            self._roof_pause = min(2 * self._roof_pause, _LONGEST_PAUSE)
        self._roof_until = now + self._roof_pause
        self.limit = self._home = max(self._least, self.limit // 2)
        self._base = None
        self._up = self._bold = True
        self._pause, self._trial_at = _FIRST_PAUSE, now
        self._settle(now, beat.squares / beat.seconds)

    def _settle(self, now: float, usual: float) -> None:
        """Begin to measure when the calls of the former limit are over."""
        self._moved = now
        since = now + _STAFFING_SECONDS + 2 * usual
        self._beat, self._window = _Measure(since), _Measure(since)


class Fixed:
    """The same for a limit that stays as it is."""

    learns = False

    def __init__(self, limit: int) -> None:
        self.limit = self.most = limit

    def note(self, now: float, *, elapsed: float, failed: bool, in_flight: int) -> int:
        """Learn nothing, and give the limit."""
        return self.limit


def climber_for(
    setting: int | Literal["auto"] | AdaptiveConcurrency, now: float
) -> Climber | Fixed:
    """Make what a setting asks for; ConfigurationError for what is none."""
    if isinstance(setting, AdaptiveConcurrency):
        return Climber(setting, now)
    if setting == "auto":
        return Climber(AdaptiveConcurrency(), now)
    if isinstance(setting, bool) or not isinstance(setting, int) or setting < 1:
        allowed = 'a whole number above 0, "auto" or an AdaptiveConcurrency'
        raise ConfigurationError(f"concurrency must be {allowed}, not {setting!r}")
    return Fixed(setting)
