"""How fast calls may leave: one controller shared by a client and its views.

Any window of one second holds at most rate + burst grants. Interactive calls overtake bulk calls;
while both wait, one grant of ten goes to bulk, and where two may leave at once, bulk leaves one for
a single call that comes. Within a lane, first come is first served, over all
loops and threads. There is no thread and no task: the waiters' own loops keep one timer each.
"""

from __future__ import annotations

import asyncio
import math
import random as random_module
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from ..errors import RateLimited
from .forks import renew_after_fork
from .pace import AdaptiveRate, Bucket, Pace, Rate
from .waiting import Lane, Loop, Timer, Waiter, running_loop

_TICK = 0.001  # seconds; event loops round timers to about this
_BULK_TURN = 9  # interactive grants after which a waiting bulk call has its turn
_WEED = 0.25  # seconds between looks for waiters that will miss their time
_SPREAD = 0.2  # share of a Retry-After by which its end is spread
_LONGEST_PAUSE = 3600.0  # seconds

__all__ = ["AdaptiveRate", "Lane", "Limiter", "Rate"]


class Limiter:
    """Lets calls leave at a rate; safe to share between event loops and threads."""

    def __init__(
        self,
        setting: Rate | AdaptiveRate,
        *,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        if isinstance(setting, Rate):
            self._bucket = Bucket(setting.per_second, setting.burst, clock())
            self._pace = None
        else:
            self._bucket = Bucket(setting.start, 2, clock())
            self._pace = Pace(setting, clock())
        # Where two may leave at once, bulk leaves one token for a single call that comes.
        self._kept = 1 if self._bucket.burst > 1 else 0
        self._clock, self._random = clock, random
        self._lock = threading.Lock()
        self._interactive: OrderedDict[Waiter, None] = OrderedDict()
        self._bulk: OrderedDict[Waiter, None] = OrderedDict()
        self._timers: dict[Loop, Timer] = {}
        # Left by coroutines that were closed, perhaps by the garbage collector while this very
        # thread holds the lock: a deque takes them without it.
        self._strays: deque[Waiter] = deque()
        self._passed = 0  # interactive grants since bulk had a turn
        self._weed_at = math.inf
        self._spread = 0.0
        self._held, self._held_since = 0.0, math.nan
        renew_after_fork(self)

    def renew_in_child(self) -> None:
        """Forget the parent's waiters, and take a lock that none of its threads can hold."""
        self._lock = threading.Lock()
        self._interactive, self._bulk = OrderedDict(), OrderedDict()
        self._timers, self._strays = {}, deque()
        self._passed, self._weed_at = 0, math.inf

    @property
    def rate(self) -> float:
        """Calls per second at present."""
        return self._bucket.rate

    @property
    def waiting(self) -> int:
        """Calls that wait for their turn."""
        with self._lock:
            self._sweep(self._clock())
            return len(self._interactive) + len(self._bulk)

    @property
    def paused_for(self) -> float:
        """Seconds until a pause that the server asked for is over."""
        with self._lock:
            return max(0.0, self._bucket.settled - self._clock())

    async def acquire(self, lane: Lane = Lane.INTERACTIVE, *, within: float | None = None) -> float:
        """Wait for a turn and give the seconds waited.

        RateLimited at once where it would take more than `within` seconds, and as soon as that
        shows later: a pause, a lower rate or calls that overtake can make a wait longer.
        """
        with self._lock:
            if self._take_now(lane, self._clock()):
                return 0.0
        return await self._in_turn(lane, math.inf if within is None else within)

    def note(
        self,
        *,
        elapsed: float,
        throttled: bool = False,
        failed: bool = False,
        retry_after: float | None = None,
    ) -> None:
        """Learn from an answer: its seconds, whether 429 or 503, whether 5xx or no answer.

        `retry_after` (seconds) holds everybody back; a pause is only ever made longer.
        """
        with self._lock:
            now = self._clock()
            self._bucket.settle(now, queued=self._queued())
            if self._pace is not None:
                held = self._held + (now - self._held_since if self._queued() else 0.0)
                self._bucket.rate = self._pace.note(
                    now, held, elapsed, throttled=throttled, failed=failed
                )
            if retry_after is not None and retry_after > 0:
                if now >= self._bucket.settled:
                    # Drawn once for a pause: the latest of many draws would be no spread at all.
                    self._spread = 1 + _SPREAD * self._random()
                self._bucket.pause(now + min(retry_after, _LONGEST_PAUSE) * self._spread)
                self._weed(now, running_loop())

    async def _in_turn(self, lane: Lane, within: float) -> float:
        loop = asyncio.get_running_loop()
        with self._lock:
            began = self._clock()
            self._pump(began, loop)
            if self._take_now(lane, began):
                return 0.0
            needed = self._wait_of(lane, len(self._lane(lane)), began)
            if needed > within:
                raise self._refusal(needed)
            timer = self._timers.get(loop) or Timer()
            waiter = Waiter(loop.create_future(), timer, lane, began + within)
            self._join(waiter, began)
        try:
            too_long = await waiter.future
        except BaseException as error:
            self._strays.append(waiter)
            if not isinstance(error, GeneratorExit):
                self._rest(loop)
            raise
        if not timer.waiters:
            self._rest(loop)
        if too_long is not None:
            raise self._refusal(too_long)
        return self._clock() - began

    def _queued(self) -> bool:
        return bool(self._interactive or self._bulk)

    def _lane(self, lane: Lane) -> OrderedDict[Waiter, None]:
        return self._interactive if lane is Lane.INTERACTIVE else self._bulk

    def _take_now(self, lane: Lane, now: float) -> bool:
        if self._strays:
            self._sweep(now)
        if self._interactive or (self._bulk and lane is Lane.BULK):
            return False
        keep = self._kept if lane is Lane.BULK else 0
        return self._bucket.take(now, queued=bool(self._bulk), keep=keep)

    def _wait_of(self, lane: Lane, place: int, now: float) -> float:
        if lane is Lane.INTERACTIVE:
            ahead = place + min(len(self._bulk), (self._passed + place) // _BULK_TURN)
        else:
            overtaking = max(0, _BULK_TURN * (place + 1) - self._passed)
            ahead = place + min(len(self._interactive), overtaking) + self._kept
        return self._bucket.wait(now, ahead)

    def _refusal(self, needed: float) -> RateLimited:
        text = f"{needed:.1f}" if needed >= 1 else f"{needed:.3f}"
        held = f"the rate limit of {self.rate:g} calls/s holds this call back"
        return RateLimited(f"{held}; it would have needed {text} s", retry_after=needed)

    def _join(self, waiter: Waiter, now: float) -> None:
        loop = waiter.future.get_loop()
        if not self._queued():
            self._held_since = now
        if waiter.lane is Lane.BULK and not self._bulk:
            self._passed = 0
        self._lane(waiter.lane)[waiter] = None
        if loop not in self._timers:
            for closed in [known for known in self._timers if known.is_closed()]:
                del self._timers[closed]
            self._timers[loop] = waiter.timer
        waiter.timer.waiters += 1
        if waiter.latest < math.inf:
            self._weed_at = min(self._weed_at, waiter.latest, now + _WEED)
        self._arm(loop, now)

    def _drop(self, waiter: Waiter, now: float) -> None:
        lane = self._lane(waiter.lane)
        if waiter in lane:
            del lane[waiter]
            waiter.timer.waiters -= 1
            if not self._queued():
                self._held += now - self._held_since

    def _sweep(self, now: float) -> None:
        while self._strays:
            stray = self._strays.popleft()
            if stray.granted:
                self._bucket.tokens += 1
            else:
                self._drop(stray, now)

    def _pump(self, now: float, here: Loop | None) -> None:
        """Grant what there are tokens for."""
        self._sweep(now)
        while self._queued():
            bulk = bool(self._bulk) and (not self._interactive or self._passed >= _BULK_TURN)
            waiter = next(iter(self._bulk if bulk else self._interactive))
            if waiter.future.done() or waiter.future.get_loop().is_closed():
                self._drop(waiter, now)
                continue
            keep = self._kept if bulk and not self._interactive else 0
            if not self._bucket.take(now, queued=True, keep=keep):
                return
            self._drop(waiter, now)
            self._passed = 0 if bulk else self._passed + bool(self._bulk)
            waiter.granted = waiter.tell(None, here)
            self._bucket.tokens += not waiter.granted

    def _weed(self, now: float, here: Loop | None) -> None:
        """Refuse those who will not be served in time, and note when to look again."""
        earliest = math.inf
        for lane in Lane:
            place = 0
            for waiter in tuple(self._lane(lane)):
                needed = self._wait_of(lane, place, now)
                if now + needed > waiter.latest + _TICK:
                    self._drop(waiter, now)
                    waiter.tell(needed, here)
                else:
                    earliest = min(earliest, waiter.latest)
                    place += 1
        self._weed_at = min(earliest, now + _WEED) if earliest < math.inf else math.inf

    def _arm(self, loop: Loop, now: float) -> None:
        timer = self._timers[loop]
        ahead = 0 if self._interactive else self._kept
        due = max(now + _TICK, min(now + self._bucket.wait(now, ahead), self._weed_at))
        if timer.handle is not None:
            if timer.due <= due:
                return
            timer.handle.cancel()
        timer.due, timer.handle = due, loop.call_later(due - now, self._tick, loop)

    def _tick(self, loop: Loop) -> None:
        with self._lock:
            now = self._clock()
            self._timers[loop].handle = None
            self._pump(now, loop)
            if now >= self._weed_at:
                self._weed(now, loop)
            self._rearm(loop, now)

    def _rest(self, loop: Loop) -> None:
        """Take back what a waiter leaves, and the timer where it was the loop's last."""
        with self._lock:
            now = self._clock()
            self._pump(now, loop)
            self._rearm(loop, now)

    def _rearm(self, loop: Loop, now: float) -> None:
        timer = self._timers.get(loop)
        if timer is None:
            return
        if timer.waiters:
            self._arm(loop, now)
            return
        if timer.handle is not None:
            timer.handle.cancel()
        del self._timers[loop]
