from __future__ import annotations

import asyncio
import gc
import math
import random
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from simulated_time import LimitedServer, now, run_simulated

from linksfield_async.errors import ConfigurationError, RateLimited
from linksfield_async.resilience.pace import Pace
from linksfield_async.resilience.rate import AdaptiveRate, Lane, Limiter, Rate

BULK = Lane.BULK


def simulated(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        run_simulated(test())

    run.__name__ = test.__name__
    return run


def limiter_at(rate: float, burst: int = 1, spread: float = 0.0) -> Limiter:
    return Limiter(Rate(rate, burst), clock=now, random=lambda: spread)


def most_in_a_second(times: list[float]) -> int:
    times = sorted(times)
    return max(bisect_left(times, at + 1.0) - n for n, at in enumerate(times))


def left_behind(limiter: Limiter) -> tuple[int, int, int]:
    return limiter.waiting, len(limiter._timers), len(limiter._strays)


# Settings


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, True, "5", None])
def test_rate_names_the_wrong_field(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"Rate\.per_second"):
        Rate(value)


@pytest.mark.parametrize("value", [0, -1, 1.5, True])
def test_burst_is_a_whole_number(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"Rate\.burst"):
        Rate(1, value)


def test_adaptive_rate_is_validated() -> None:
    for name in ("start", "least", "most"):
        with pytest.raises(ConfigurationError, match=rf"AdaptiveRate\.{name}"):
            AdaptiveRate(**{name: 0})
    with pytest.raises(ConfigurationError, match=r"AdaptiveRate\.start"):
        AdaptiveRate(start=10, most=5)


# Pace and order


def test_a_free_turn_needs_no_loop() -> None:
    limiter = Limiter(Rate(1, 2), clock=lambda: 0.0)
    for _ in range(2):
        with pytest.raises(StopIteration) as ended:
            limiter.acquire().send(None)
        assert ended.value.value == 0.0


@simulated
async def test_waits_are_told() -> None:
    limiter = limiter_at(10)
    waits = await asyncio.gather(*(limiter.acquire() for _ in range(4)))
    assert waits == pytest.approx([0, 0.1, 0.2, 0.3], abs=0.01)
    assert left_behind(limiter) == (0, 0, 0)


@simulated
async def test_first_come_first_served() -> None:
    limiter = limiter_at(500)
    served: list[int] = []

    async def call(number: int) -> None:
        await limiter.acquire(BULK)
        served.append(number)

    await asyncio.gather(*(call(n) for n in range(300)))
    assert served == list(range(300))


@simulated
async def test_interactive_overtakes_and_bulk_keeps_its_share() -> None:
    limiter = limiter_at(100)
    served: list[Lane] = []

    async def call(lane: Lane) -> None:
        await limiter.acquire(lane)
        served.append(lane)

    await limiter.acquire()
    await asyncio.gather(*(call(lane) for lane in [BULK] * 20 + [Lane.INTERACTIVE] * 90))
    assert [n for n, lane in enumerate(served[:100]) if lane is BULK] == list(range(9, 100, 10))
    assert served[100:] == [BULK] * 10


@simulated
async def test_the_wait_foretold_is_the_wait_needed() -> None:
    for ahead in range(0, 40, 3):
        for lane in Lane:
            limiter = limiter_at(10)
            await limiter.acquire()
            crowd = [
                asyncio.ensure_future(limiter.acquire(each))
                for each in [BULK, Lane.INTERACTIVE, Lane.INTERACTIVE] * ahead
            ]
            await asyncio.sleep(0)
            with pytest.raises(RateLimited) as caught:
                await limiter.acquire(lane, within=0)
            assert await limiter.acquire(lane) == pytest.approx(caught.value.retry_after, abs=0.01)
            for each in crowd:
                each.cancel()


@pytest.mark.parametrize("rate", [0.5, 3, 100, 1000, 5000])
@pytest.mark.parametrize("burst", [1, 7])
def test_no_window_of_a_second_holds_more_than_rate_and_burst(rate: float, burst: int) -> None:
    async def main() -> list[float]:
        limiter = limiter_at(rate, burst)
        times: list[float] = []

        async def worker() -> None:
            for _ in range(int(min(rate * 3, 10_000) / 20) + 2):
                await limiter.acquire()
                times.append(now())

        await asyncio.sleep(1)
        await asyncio.gather(*(worker() for _ in range(20)))
        return times

    times = run_simulated(main())
    assert most_in_a_second(times) <= rate + burst
    # Timers are late by up to a tick: it must not cost rate.
    assert (len(times) - burst) / (max(times) - min(times)) > 0.98 * rate


def test_r08_five_hundred_workers_with_cancellations_and_failures() -> None:
    async def main() -> None:
        chance = random.Random(8)
        limiter = limiter_at(100, 5)
        arrivals: list[float] = []
        served = dict.fromkeys(range(500), 0)

        async def worker(number: int) -> None:
            while now() < 20:
                turn = asyncio.ensure_future(limiter.acquire(BULK))
                if chance.random() < 0.1:
                    asyncio.get_running_loop().call_later(chance.random() * 5, turn.cancel)
                try:
                    await turn
                except asyncio.CancelledError:
                    continue
                arrivals.append(now())
                served[number] += 1
                await asyncio.sleep(0.05)
                limiter.note(elapsed=0.05, failed=chance.random() < 0.1)

        await asyncio.gather(*(worker(n) for n in served))
        assert most_in_a_second(arrivals) <= 105
        assert sum(at <= 20 for at in arrivals) >= 0.95 * 2000
        assert max(served.values()) - min(served.values()) <= 3
        assert left_behind(limiter) == (0, 0, 0)

    run_simulated(main())


@simulated
async def test_a_flood_of_bulk_does_not_hold_up_interactive_calls() -> None:
    async def p95(flood: int) -> float:
        limiter = limiter_at(50)
        chance = random.Random(1)

        async def bulk() -> None:
            while True:
                await limiter.acquire(BULK)

        async with asyncio.timeout(None):
            crowd = [asyncio.ensure_future(bulk()) for _ in range(flood)]
            turns = []
            for _ in range(1000):
                await asyncio.sleep(chance.expovariate(25))
                turns.append(asyncio.ensure_future(limiter.acquire()))
            waits = sorted(await asyncio.gather(*turns))
            for each in crowd:
                each.cancel()
        return waits[950]

    alone, flooded = await p95(0), await p95(200)
    assert flooded < 1.2 * alone + 1 / 50


# Deadlines


@simulated
async def test_refused_at_once_with_the_wait_needed() -> None:
    limiter = limiter_at(1)
    await limiter.acquire()
    crowd = [asyncio.ensure_future(limiter.acquire()) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(RateLimited, match=r"would have needed 4\.0 s") as caught:
        await limiter.acquire(within=3.5)
    assert caught.value.retry_after == pytest.approx(4.0, rel=0.02)
    assert caught.value.carried_out is False
    assert now() == 0
    assert limiter.waiting == 3
    with pytest.raises(RateLimited):
        await limiter.acquire(within=0)
    await asyncio.gather(*crowd)
    await asyncio.sleep(2)
    assert await limiter.acquire(within=0) == 0


@simulated
async def test_refused_as_soon_as_a_pause_makes_it_hopeless() -> None:
    limiter = limiter_at(1)
    await limiter.acquire()
    patient = asyncio.ensure_future(limiter.acquire())
    hasty = asyncio.ensure_future(limiter.acquire(within=5))
    await asyncio.sleep(0.5)
    limiter.note(elapsed=0.1, throttled=True, retry_after=10)
    with pytest.raises(RateLimited) as caught:
        await hasty
    assert now() == pytest.approx(0.5, abs=0.01)
    assert caught.value.retry_after == pytest.approx(11, abs=0.6)
    await patient
    assert now() == pytest.approx(10.5, abs=0.6)


@simulated
async def test_refused_before_its_time_when_overtaken() -> None:
    limiter = limiter_at(10)
    await limiter.acquire()
    crowd = [asyncio.ensure_future(limiter.acquire(BULK)) for _ in range(3)]
    await asyncio.sleep(0)
    overtaken = asyncio.ensure_future(limiter.acquire(BULK, within=1))
    await asyncio.sleep(0)
    crowd += [asyncio.ensure_future(limiter.acquire()) for _ in range(50)]
    with pytest.raises(RateLimited):
        await overtaken
    assert now() < 0.5
    await asyncio.gather(*crowd)
    assert left_behind(limiter) == (0, 0, 0)


# Pauses


@simulated
async def test_a_pause_holds_both_lanes_and_is_never_lifted_early() -> None:
    limiter = limiter_at(100, 50)
    limiter.note(elapsed=0.1, throttled=True, retry_after=2)
    assert limiter.paused_for == pytest.approx(2)
    turns = [asyncio.ensure_future(limiter.acquire(lane)) for lane in [*Lane] * 20]
    await asyncio.sleep(1)
    limiter.note(elapsed=0.1)
    limiter.note(elapsed=0.1, throttled=True, retry_after=0.1)
    limiter.note(elapsed=0.1, throttled=True)
    assert limiter.paused_for == pytest.approx(1)
    waits = sorted(await asyncio.gather(*turns))
    assert waits[0] == pytest.approx(2, abs=0.01)
    # What was saved up before the pause does not leave in one go after it.
    assert waits[-1] == pytest.approx(2 + 39 / 99, abs=0.02)
    assert limiter.paused_for == 0


@simulated
async def test_a_pause_can_be_made_longer_and_its_end_is_spread() -> None:
    limiter = limiter_at(10, spread=0.5)
    limiter.note(elapsed=0.1, throttled=True, retry_after=10)
    assert limiter.paused_for == pytest.approx(11)
    limiter.note(elapsed=0.1, throttled=True, retry_after=20)
    assert limiter.paused_for == pytest.approx(22)
    for nonsense in (math.nan, -5.0, 0.0):
        limiter.note(elapsed=0.1, throttled=True, retry_after=nonsense)
    assert limiter.paused_for == pytest.approx(22)
    with pytest.raises(RateLimited) as caught:
        await limiter.acquire(within=1)
    assert caught.value.retry_after == pytest.approx(22)
    assert {Limiter(Rate(1))._random for _ in range(2)} == {random.random}


# Cancellation, loops, threads


def test_r08_cancelled_at_any_point_nothing_is_left_or_lost() -> None:
    async def main(seed: int) -> None:
        chance = random.Random(seed)
        limiter = limiter_at(1000, 2)
        served = 0

        async def call() -> None:
            nonlocal served
            await limiter.acquire(chance.choice([*Lane]), within=chance.choice([None, 0.05, 5]))
            served += 1

        calls = [asyncio.ensure_future(call()) for _ in range(30)]
        for call_ in chance.sample(calls, 15):
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(chance.choice([0, 0, 0.001]))
            call_.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert left_behind(limiter) == (0, 0, 0)
        # Nothing granted was lost: as many tokens are gone as calls were served.
        assert served <= 2 + now() * 1000 + 1
        await asyncio.sleep(1)
        assert [await limiter.acquire(within=0) for _ in range(2)] == [0, 0]

    for seed in range(500):
        run_simulated(main(seed))


@simulated
async def test_a_turn_granted_to_a_cancelled_call_goes_to_the_next() -> None:
    limiter = limiter_at(10)
    await limiter.acquire()
    first = asyncio.ensure_future(limiter.acquire())
    second = asyncio.ensure_future(limiter.acquire())
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    loop._jumping.passed += 0.15  # type: ignore[attr-defined]
    limiter._tick(loop)
    assert limiter.waiting == 1  # granted, and not yet awake
    first.cancel()
    await asyncio.wait([first, second])
    assert first.cancelled()
    assert second.result() == pytest.approx(0.15)


@simulated
async def test_a_closed_coroutine_leaves_nothing() -> None:
    limiter = limiter_at(10)
    await limiter.acquire()
    waiting = limiter.acquire()
    waiting.send(None)
    assert limiter.waiting == 1
    waiting.close()
    assert limiter.waiting == 0
    await asyncio.sleep(1)
    assert left_behind(limiter) == (0, 0, 0)


def test_a_loop_closed_with_waiters_does_not_break_others() -> None:
    limiter = Limiter(Rate(50))
    dead = asyncio.new_event_loop()

    async def crowd() -> list[asyncio.Task[float]]:
        return [asyncio.ensure_future(limiter.acquire()) for _ in range(5)]

    tasks = dead.run_until_complete(crowd())
    dead.run_until_complete(asyncio.sleep(0))
    assert limiter.waiting >= 4
    dead.close()

    async def main() -> None:
        assert max(await asyncio.gather(*(limiter.acquire(within=5) for _ in range(3)))) < 5

    asyncio.run(main())
    assert left_behind(limiter) == (0, 0, 0)
    for task in tasks:
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    del tasks, task
    gc.collect()
    assert left_behind(limiter) == (0, 0, 0)


def test_r08_four_threads_with_loops_of_their_own() -> None:
    limiter = Limiter(Rate(400, 3))
    times: list[float] = []
    waits: list[list[float]] = []

    async def calls() -> list[float]:
        async def worker() -> list[float]:
            mine = []
            for _ in range(8):
                mine.append(await limiter.acquire())
                times.append(time.monotonic())
            return mine

        return [w for each in await asyncio.gather(*(worker() for _ in range(10))) for w in each]

    # Debug mode tells of a loop touched from another thread.
    threads = [
        threading.Thread(target=lambda: waits.append(asyncio.run(calls(), debug=True)))
        for _ in "1234"
    ]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [len(mine) for mine in waits] == [80] * 4
    # 320 calls, 3 of them at once: no sooner than this, however slow the machine.
    assert max(times) - began >= 317 / 400 - 0.01
    assert left_behind(limiter) == (0, 0, 0)


def test_real_timers_grant_several_at_once() -> None:
    class Counting(Limiter):
        ticks = 0

        def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
            self.ticks += 1
            super()._tick(loop)

    async def main() -> None:
        limiter = Counting(Rate(4000, 10))

        async def worker() -> None:
            for _ in range(50):
                await limiter.acquire(BULK)

        began = time.monotonic()
        await asyncio.gather(*(worker() for _ in range(20)))
        assert time.monotonic() - began >= 0.98 * 990 / 4000
        assert limiter.ticks < 500

    asyncio.run(main())


def test_a_pause_noted_from_outside_any_loop_reaches_those_who_wait() -> None:
    limiter = Limiter(Rate(5))

    async def main() -> RateLimited:
        await limiter.acquire()
        hasty = asyncio.ensure_future(limiter.acquire(within=30))
        await asyncio.sleep(0)
        await asyncio.to_thread(limiter.note, elapsed=0.1, throttled=True, retry_after=60)
        with pytest.raises(RateLimited) as caught:
            await hasty
        return caught.value

    assert (asyncio.run(main()).retry_after or 0) >= 59
    assert 50 < limiter.paused_for <= 72
    assert left_behind(limiter) == (0, 0, 0)


class TokenAccounting(RuleBasedStateMachine):
    """Steps of any length, calls, cancellations and pauses: the books stay balanced."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self.limiter = Limiter(Rate(10, 4), clock=lambda: self.time, random=lambda: 0.0)
        self.loop = asyncio.new_event_loop()
        self.tasks: list[asyncio.Task[float]] = []
        self.granted: list[float] = []
        self.paused_until = 0.0

    def teardown(self) -> None:
        for task in self.tasks:
            task.cancel()
        self.step()
        assert left_behind(self.limiter) == (0, 0, 0)
        self.loop.close()

    async def call(self, lane: Lane) -> float:
        waited = await self.limiter.acquire(lane)
        self.granted.append(self.time)
        return waited

    def step(self) -> None:
        for _ in range(4):
            self.loop.run_until_complete(asyncio.sleep(0))

    @rule(lane=st.sampled_from(Lane), count=st.integers(1, 12))
    def calls(self, lane: Lane, count: int) -> None:
        self.tasks += [self.loop.create_task(self.call(lane)) for _ in range(count)]
        self.step()

    @rule(seconds=st.floats(0, 3))
    def time_passes(self, seconds: float) -> None:
        self.time += seconds
        self.loop.call_soon(self.tick)
        self.step()

    def tick(self) -> None:
        if self.loop in self.limiter._timers:
            self.limiter._tick(self.loop)

    @precondition(lambda self: self.tasks)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.tasks)).cancel()
        self.step()

    @rule(seconds=st.floats(0.01, 2))
    def pause(self, seconds: float) -> None:
        self.limiter.note(elapsed=0.1, throttled=True, retry_after=seconds)
        self.paused_until = max(self.paused_until, self.time + seconds)

    @invariant()
    def tokens_are_in_bounds(self) -> None:
        late = 0.1 if self.limiter.waiting else 0
        self.limiter._bucket.settle(self.time, queued=bool(self.limiter.waiting))
        assert 0 <= self.limiter._bucket.tokens <= 4 + late

    @invariant()
    def never_more_granted_than_allowed(self) -> None:
        if self.granted:
            assert most_in_a_second(self.granted) <= 14
            if self.time < self.paused_until:
                assert not [at for at in self.granted if at > self.time]
        assert len(self.granted) <= 4 + 10 * self.time + 1e-6


TestTokenAccounting = TokenAccounting.TestCase
TestTokenAccounting.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


# The adaptive rate against servers with a limit it is not told


async def batch(
    server: LimitedServer,
    limiter: Limiter,
    seconds: float,
    *,
    workers: int = 100,
    retry_after: float | None = None,
    fail: Callable[[], bool] = lambda: False,
) -> None:
    async def worker() -> None:
        while now() < seconds:
            await limiter.acquire(BULK)
            began = now()
            refused = await server.call()
            limiter.note(
                elapsed=now() - began,
                throttled=refused,
                failed=not refused and fail(),
                retry_after=retry_after if refused else None,
            )

    await asyncio.gather(*(worker() for _ in range(workers)))


@pytest.mark.parametrize(
    ("limit", "bucket", "retry_after", "seconds"),
    [
        (200, 200, None, 80),
        (200, 20, None, 80),
        (200, 1, None, 80),
        (200, 200, 1.0, 120),
        (50, 5, None, 300),
        (10, 10, None, 900),
        (2, 2, None, 3000),
        (1000, 100, None, 40),
    ],
)
def test_adaptive_rate_settles_at_the_limit(
    limit: float, bucket: float, retry_after: float | None, seconds: float
) -> None:
    async def main() -> tuple[float, float]:
        server = LimitedServer(limit, bucket=bucket)
        limiter = Limiter(AdaptiveRate(), clock=now, random=lambda: 0.5)
        await batch(server, limiter, seconds, workers=300, retry_after=retry_after)
        return server.between(seconds / 2, seconds)

    reached, refused = run_simulated(main())
    assert reached >= 0.9 * limit
    assert refused < 0.01


def test_r10_the_limit_drops_and_comes_back() -> None:
    async def main() -> LimitedServer:
        server = LimitedServer(200)
        asyncio.get_running_loop().call_later(60, setattr, server, "limit", 50)
        asyncio.get_running_loop().call_later(100, setattr, server, "limit", 200)
        await batch(server, Limiter(AdaptiveRate(), clock=now), 170)
        return server

    server = run_simulated(main())
    assert server.between(40, 60)[0] > 180
    reached, refused = server.between(70, 100)
    assert reached >= 45
    assert refused < 0.05
    assert server.between(62, 70)[1] < 0.05  # far sooner than the ten seconds allowed
    reached, refused = server.between(150, 170)
    assert reached >= 180
    assert refused < 0.05


def test_adaptive_rate_does_not_grow_beyond_demand() -> None:
    async def main() -> float:
        server = LimitedServer(1000)
        limiter = Limiter(AdaptiveRate(start=20), clock=now)
        chance = random.Random(3)

        async def call() -> None:
            await limiter.acquire()
            limiter.note(elapsed=0.1, throttled=await server.call())

        calls = []
        for _ in range(1200):
            await asyncio.sleep(chance.expovariate(10))
            calls.append(asyncio.ensure_future(call()))
        await asyncio.gather(*calls)
        return limiter.rate

    assert run_simulated(main()) <= 30


def test_a_few_failures_cost_no_rate_and_many_do() -> None:
    async def main(share: float) -> float:
        chance = random.Random(5)
        limiter = Limiter(AdaptiveRate(start=200, most=200), clock=now)
        await batch(LimitedServer(1000), limiter, 20, fail=lambda: chance.random() < share)
        return limiter.rate

    assert run_simulated(main(0.1)) > 180
    assert run_simulated(main(0.9)) < 100


def test_an_outage_is_recovered_from() -> None:
    async def main(refuse: bool) -> LimitedServer:
        server = LimitedServer(200, bucket=1 if refuse else None)
        if refuse:
            asyncio.get_running_loop().call_later(40, setattr, server, "limit", 0)
            asyncio.get_running_loop().call_later(70, setattr, server, "limit", 200)
        down = lambda: not refuse and 40 < now() < 70  # noqa: E731
        await batch(server, Limiter(AdaptiveRate(), clock=now), 130, fail=down)
        return server

    for refuse in (True, False):
        assert run_simulated(main(refuse)).between(110, 130)[0] > 150


def test_adaptive_rate_yields_to_rising_latency() -> None:
    async def main() -> tuple[float, float]:
        limiter = Limiter(AdaptiveRate(start=100, most=100), clock=now)
        server = LimitedServer(1000, latency=0.05)
        asyncio.get_running_loop().call_later(20, setattr, server, "latency", 0.3)
        seen: list[float] = []
        asyncio.get_running_loop().call_later(19, lambda: seen.append(limiter.rate))
        await batch(server, limiter, 24)
        return seen[0], limiter.rate

    before, after = run_simulated(main())
    assert before == 100
    assert after < 80


def test_one_cut_for_one_burst_of_refusals() -> None:
    pace = Pace(AdaptiveRate(start=100), 0.0)
    once = pace.note(10.0, 10.0, 0.1, throttled=True, failed=False)
    assert once == pytest.approx(85)
    for n in range(50):  # all of them sent before the cut
        pace.note(10.0 + n / 1000, 10.0, 0.1, throttled=True, failed=False)
    assert pace.rate == once
    pace.note(10.5, 10.5, 5.0, throttled=True, failed=False)
    assert pace.rate == once
    pace.note(10.5, 10.5, 0.1, throttled=True, failed=False)
    assert pace.rate < once


def test_adaptive_rate_keeps_its_bounds() -> None:
    pace = Pace(AdaptiveRate(start=10, least=8, most=12), 0.0)
    for n in range(1, 100):
        pace.note(n * 1.0, n * 1.0, 0.1, throttled=False, failed=False)
    assert pace.rate == 12
    for n in range(100, 200):
        pace.note(n * 1.0, n * 1.0, 0.1, throttled=True, failed=False)
    assert pace.rate == 8
