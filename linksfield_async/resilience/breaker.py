"""A circuit breaker per service for bulk work: while a service is down, nobody queues up at it.

Closed, everybody passes. Open, everybody waits until a pause is over. Half open, exactly one caller
is out as the probe: its success lets all through, its failure doubles the pause. Shared by event
loops and threads, without a thread or a task; the waiters' own loops keep one timer each.
"""

from __future__ import annotations

import asyncio
import enum
import math
import random as random_module
import threading
import time
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import attrs

from ..errors import ConfigurationError, NotSent
from .forks import renew_after_fork
from .waiting import Loop, Timer
from .window import Window

_JITTER = 0.2  # share of a pause by which it may be shorter
_TICK = 0.001  # seconds; event loops round timers to about this


class BreakerState(enum.Enum):
    """Whether calls pass, wait, or wait for a probe that is out."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half open"


class Permit:
    """Leave to make one call; say how it ended, once. Leaving the context untold abandons it."""

    __slots__ = ("__weakref__", "_breaker", "_era", "_told")

    def __init__(self, breaker: Breaker, era: int) -> None:
        self._breaker, self._era, self._told = breaker, era, False

    def succeeded(self) -> None:
        """Report that the service answered, be it with a refusal."""
        self._tell(True)

    def failed(self) -> None:
        """Report a transport error or a 5xx."""
        self._tell(False)

    def abandoned(self) -> None:
        """Report that nothing was learnt, as after a cancellation."""
        self._tell(None)

    def _tell(self, good: bool | None) -> None:
        if not self._told:
            self._told = True
            self._breaker._conclude(self._era, good)  # noqa: SLF001

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._told:
            self.abandoned()


@attrs.define(eq=False)
class _Waiter:
    future: asyncio.Future[None]
    timer: Timer
    latest: float
    era: int | None = None
    """Of the permit it was given."""
    refusal: NotSent | None = None

    def wake(self) -> bool:
        """Wake the waiter in its own loop; False where nobody is there any more."""
        return not self.future.done() and _call(self.future.get_loop(), self._end)

    def _end(self) -> None:
        if not self.future.done():
            self.future.set_result(None)


def _call(loop: Loop, what: Callable[..., None], *args: Any) -> bool:
    try:
        loop.call_soon_threadsafe(what, *args)
    except RuntimeError:  # closed
        return False
    return True


class Breaker:
    """Opens after `failures` within `window` seconds that are at least `share` of all outcomes.

    It stays open for `pause` seconds, twice as long after each failed probe, up to
    `longest_pause`; each pause is drawn up to a fifth shorter.
    """

    def __init__(
        self,
        name: str,
        *,
        failures: int = 10,
        window: float = 10.0,
        share: float = 0.5,
        pause: float = 1.0,
        longest_pause: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        for field, value in (("failures", failures), ("window", window), ("pause", pause)):
            if not 0 < value < math.inf:
                raise ConfigurationError(f"Breaker.{field} must be a finite number above 0")
        if not 0 < share <= 1:
            raise ConfigurationError("Breaker.share must be above 0 and at most 1")
        if not pause <= longest_pause < math.inf:
            raise ConfigurationError("Breaker.longest_pause must be finite, and at least pause")
        self.name = name
        self.opened = 0
        """Times it tripped; failed probes are not counted."""
        self._failures, self._share = failures, share
        self._pause, self._longest = pause, longest_pause
        self._clock, self._random = clock, random
        self._lock = threading.Lock()
        self._window = Window(window)
        self._state = BreakerState.CLOSED
        self._era = 0  # a permit of another era has nothing more to say
        self._failed_probes = 0
        self._until = 0.0
        self._weed_at = math.inf
        self._waiting: OrderedDict[_Waiter, None] = OrderedDict()
        self._timers: dict[Loop, Timer] = {}
        # Waiters of closed coroutines and the eras of forgotten probes: the garbage collector may
        # bring them while this very thread holds the lock; a deque takes them without it.
        self._strays: deque[_Waiter | int] = deque()
        renew_after_fork(self)

    def renew_in_child(self) -> None:
        """Forget the parent's waiters and its probe, whose outcome never comes here."""
        self._lock = threading.Lock()
        self._waiting, self._timers, self._strays = OrderedDict(), {}, deque()
        self._weed_at = math.inf
        if self._state is BreakerState.HALF_OPEN:
            self._state, self._era, self._until = BreakerState.OPEN, self._era + 1, self._clock()

    @property
    def state(self) -> BreakerState:
        """Open also when the pause is over and nobody has come to probe."""
        with self._lock:
            self._sweep(self._clock())
            return self._state

    @property
    def retry_in(self) -> float:
        """Seconds until a probe may go out; 0 where one may, or is out."""
        with self._lock:
            return self._left(self._clock())

    @property
    def waiting(self) -> int:
        """Callers that wait for the circuit to close."""
        with self._lock:
            self._sweep(self._clock())
            return len(self._waiting)

    def permit_at_once(self) -> Permit | None:
        """Let a call pass without waiting; None where it has to wait, or to be the probe."""
        with self._lock:
            if self._strays:
                self._sweep(self._clock())
            return Permit(self, self._era) if self._state is BreakerState.CLOSED else None

    def pass_at_once(self) -> int | None:
        """Let a call pass as `permit_at_once` does, at less cost; say by this number how it ended.

        Nothing need be said of one of which nothing was learnt.
        """
        # Without the lock: the era is read first, so where the circuit opens in this moment, the
        # pass is of an era that is over, and what is said of it counts for nothing.
        era = self._era
        return era if self._state is BreakerState.CLOSED and not self._strays else None

    def answered(self, era: int) -> None:
        """Report, of a call that passed at once, that the service answered."""
        with self._lock:
            if era == self._era and not self._waiting and not self._strays:
                now = self._clock()
                _, failed = self._window.add(now, good=True)
                if failed >= self._failures:
                    self._judge(now)
                return
        self._conclude(era, True)

    def failed(self, era: int) -> None:
        """Report, of a call that passed at once, a transport error or a 5xx."""
        self._conclude(era, False)

    async def permit(self, *, within: float | None = None) -> Permit:
        """Wait until calls may pass; NotSent at once where that takes over `within` seconds."""
        permit = self.permit_at_once()
        if permit is not None:
            return permit
        return self._permit(await self._in_turn(math.inf if within is None else within))

    def _permit(self, era: int) -> Permit:
        permit = Permit(self, era)
        # Only a probe is missed when it is forgotten.
        if self._state is BreakerState.HALF_OPEN and era == self._era:
            weakref.finalize(permit, self._stray, era).atexit = False
        return permit

    async def _in_turn(self, within: float) -> int:
        loop = asyncio.get_running_loop()
        with self._lock:
            now = self._clock()
            self._pump(now)
            if self._may_enter(now):
                return self._enter()
            left = self._left(now)
            if left > within or within <= 0:
                raise self._refusal(left)
            waiter = self._join(loop, now, now + within)
        try:
            await waiter.future
        except GeneratorExit:
            self._stray(waiter)
            raise
        except BaseException:
            self._strays.append(waiter)
            self._tick(loop)
            raise
        if not waiter.timer.waiters:
            self._tick(loop)
        if waiter.era is None:
            raise waiter.refusal or self._refusal(0.0)
        return waiter.era

    def _conclude(self, era: int, good: bool | None) -> None:
        with self._lock:
            now = self._clock()
            if self._strays:
                self._sweep(now)
            if era == self._era:
                self._learn(now, good)
            if self._waiting or self._strays or now >= self._weed_at:
                self._pump(now)

    def _learn(self, now: float, good: bool | None) -> None:
        if self._state is BreakerState.HALF_OPEN:
            if good is None:
                self._open(now)
            elif good:
                self._window.clear()
                self._state, self._era = BreakerState.CLOSED, self._era + 1
            else:
                self._failed_probes += 1
                self._open(now + self._next_pause())
        elif good is not None and self._state is BreakerState.CLOSED:
            self._window.add(now, good=good)
            self._judge(now)

    def _judge(self, now: float) -> None:
        total, failed = self._window.total, self._window.failed
        if failed >= self._failures and failed >= self._share * total:
            self.opened += 1
            self._failed_probes = 0
            self._open(now + self._next_pause())

    def _next_pause(self) -> float:
        doubled = self._pause * 2.0 ** min(self._failed_probes, 60)
        return min(self._longest, doubled) * (1 - _JITTER * self._random())

    def _open(self, until: float) -> None:
        self._state, self._era = BreakerState.OPEN, self._era + 1
        self._until = until
        self._weed_at = -math.inf
        for loop in self._timers:
            _call(loop, self._tick, loop)

    def _left(self, now: float) -> float:
        return max(0.0, self._until - now) if self._state is BreakerState.OPEN else 0.0

    def _may_enter(self, now: float) -> bool:
        if self._state is BreakerState.OPEN:
            return now >= self._until
        return self._state is BreakerState.CLOSED

    def _enter(self) -> int:
        if self._state is BreakerState.OPEN:
            self._state, self._era = BreakerState.HALF_OPEN, self._era + 1
        return self._era

    def _refusal(self, left: float) -> NotSent:
        if self._state is BreakerState.HALF_OPEN:
            text = f"the circuit for {self.name} is half open: its probe is still out"
            return NotSent(text, retry_after=self._pause)
        text = f"the circuit for {self.name} is open for another {left:.1f} s"
        return NotSent(text, retry_after=left)

    def _join(self, loop: Loop, now: float, latest: float) -> _Waiter:
        for closed in [known for known in self._timers if known.is_closed()]:
            del self._timers[closed]
        timer = self._timers.setdefault(loop, Timer())
        waiter = _Waiter(loop.create_future(), timer, latest)
        self._waiting[waiter] = None
        timer.waiters += 1
        self._weed_at = min(self._weed_at, latest)
        self._arm(loop, now)
        return waiter

    def _drop(self, waiter: _Waiter) -> None:
        if waiter in self._waiting:
            del self._waiting[waiter]
            waiter.timer.waiters -= 1

    def _stray(self, left: _Waiter | int) -> None:
        self._strays.append(left)
        for loop in tuple(self._timers):
            _call(loop, self._tick, loop)

    def _sweep(self, now: float) -> None:
        while self._strays:
            left = self._strays.popleft()
            era = left if isinstance(left, int) else left.era
            if isinstance(left, _Waiter):
                self._drop(left)
            if era == self._era and self._state is BreakerState.HALF_OPEN:
                self._learn(now, None)

    def _pump(self, now: float) -> None:
        """Let through who may pass, and refuse those who would wait too long."""
        self._sweep(now)
        while self._waiting and self._may_enter(now):
            waiter = next(iter(self._waiting))
            self._drop(waiter)
            # Set first: another thread may be awake before `wake` is back.
            waiter.era = self._enter()
            if not waiter.wake() and self._state is BreakerState.HALF_OPEN:
                self._learn(now, None)
        if now < self._weed_at:
            return
        self._weed_at = math.inf
        soonest = now + self._left(now)
        for waiter in tuple(self._waiting):
            if waiter.latest < soonest or waiter.latest <= now:
                self._drop(waiter)
                waiter.refusal = self._refusal(soonest - now)
                waiter.wake()
            else:
                self._weed_at = min(self._weed_at, waiter.latest)

    def _arm(self, loop: Loop, now: float) -> None:
        timer = self._timers[loop]
        due = min(self._weed_at, self._until if self._state is BreakerState.OPEN else math.inf)
        if timer.due <= due:
            return
        if timer.handle is not None:
            timer.handle.cancel()
        timer.due = due
        timer.handle = loop.call_later(max(_TICK, due - now), self._tick, loop, timer)

    def _tick(self, loop: Loop, fired: Timer | None = None) -> None:
        """Look after the waiters of a loop, in that loop; `fired`: the timer that ran out."""
        with self._lock:
            now = self._clock()
            if fired is not None:
                fired.due, fired.handle = math.inf, None
            self._pump(now)
            timer = self._timers.get(loop)
            if timer is None:
                return
            if timer.waiters:
                self._arm(loop, now)
                return
            if timer.handle is not None:
                timer.handle.cancel()
            del self._timers[loop]
