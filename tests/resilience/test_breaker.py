from __future__ import annotations

import asyncio
import gc
import random
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from simulated_time import now, run_simulated

from linksfield_async.errors import ConfigurationError, ConnectFailed, NotSent
from linksfield_async.resilience.breaker import Breaker, BreakerState, Permit

CLOSED, OPEN, HALF_OPEN = BreakerState


def simulated(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        run_simulated(test())

    run.__name__ = test.__name__
    return run


def breaker_at(**settings: Any) -> Breaker:
    return Breaker("vshop", clock=now, random=lambda: 0.0, **settings)


async def trip(breaker: Breaker) -> None:
    for _ in range(10):
        (await breaker.permit()).failed()
    assert breaker.state is OPEN


def crowd_at(breaker: Breaker, count: int, **within: Any) -> list[asyncio.Task[Permit]]:
    return [asyncio.ensure_future(breaker.permit(**within)) for _ in range(count)]


def left_behind(breaker: Breaker) -> tuple[int, int, int]:
    return breaker.waiting, len(breaker._timers), len(breaker._strays)


async def settled() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("field", "settings"),
    [
        ("failures", {"failures": 0}),
        ("window", {"window": 0}),
        ("share", {"share": 1.1}),
        ("pause", {"pause": -1}),
        ("longest_pause", {"longest_pause": 0.5}),
    ],
)
def test_settings_are_validated(field: str, settings: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"Breaker\.{field}"):
        Breaker("vshop", **settings)


def test_closed_it_needs_no_loop() -> None:
    with pytest.raises(StopIteration) as ended:
        Breaker("vshop").permit().send(None)
    assert isinstance(ended.value.value, Permit)


@simulated
async def test_trips_on_failures_within_the_window_only() -> None:
    breaker = breaker_at(failures=10, window=10)
    for _ in range(9):
        (await breaker.permit()).failed()
    await asyncio.sleep(11)
    for _ in range(9):
        (await breaker.permit()).failed()
    assert breaker.state is CLOSED
    (await breaker.permit()).failed()
    assert breaker.state is OPEN
    assert breaker.opened == 1
    assert breaker.retry_in == pytest.approx(1)


@simulated
async def test_trips_on_a_share_only() -> None:
    breaker = breaker_at(share=0.5)
    for n in range(1000):
        permit = await breaker.permit()
        permit.failed() if n % 5 < 2 else permit.succeeded()
    assert breaker.state is CLOSED
    for _ in range(199):
        (await breaker.permit()).failed()
    assert breaker.state is CLOSED
    (await breaker.permit()).failed()
    assert breaker.state is OPEN


@simulated
async def test_r12_refusals_never_open_it() -> None:
    breaker = breaker_at()
    for n in range(10_000):
        permit = await breaker.permit(within=0)
        permit.abandoned() if n % 7 == 0 else permit.succeeded()
    assert breaker.state is CLOSED
    assert breaker.opened == 0


@simulated
async def test_r11_a_thousand_callers_and_exactly_one_probe() -> None:
    breaker = breaker_at()
    await trip(breaker)
    crowd = crowd_at(breaker, 1000)
    await asyncio.sleep(0.9)
    assert not any(each.done() for each in crowd)
    await asyncio.sleep(5)
    assert [each.done() for each in crowd] == [True] + [False] * 999
    assert breaker.state is HALF_OPEN
    late = crowd_at(breaker, 100)
    await settled()
    assert not any(each.done() for each in late)
    crowd[0].result().succeeded()
    await asyncio.gather(*crowd, *late)
    assert breaker.state is CLOSED
    assert breaker.opened == 1
    assert left_behind(breaker) == (0, 0, 0)


@simulated
async def test_r11_all_come_the_moment_the_pause_is_over() -> None:
    breaker = breaker_at()
    await trip(breaker)
    await asyncio.sleep(2)
    assert breaker.state is OPEN
    assert breaker.retry_in == 0
    crowd = crowd_at(breaker, 1000)
    await asyncio.sleep(5)
    assert sum(each.done() for each in crowd) == 1
    for each in crowd:
        each.cancel()
    await asyncio.wait(crowd)


@simulated
async def test_pauses_double_up_to_the_longest_and_start_anew() -> None:
    breaker = breaker_at(pause=1, longest_pause=5)
    for _ in range(2):
        await trip(breaker)
        for pause in (1, 2, 4, 5, 5):
            assert breaker.retry_in == pytest.approx(pause)
            begun = now()
            probe = await breaker.permit()
            assert now() - begun == pytest.approx(pause, abs=0.01)
            probe.failed()
        (await breaker.permit()).succeeded()
        assert breaker.state is CLOSED
    assert breaker.opened == 2


@simulated
async def test_after_a_failed_probe_the_next_in_line_probes() -> None:
    breaker = breaker_at(pause=1)
    await trip(breaker)
    crowd = crowd_at(breaker, 4)
    for each, at in zip(crowd, (1, 3, 7), strict=False):
        (await each).failed()
        assert now() == pytest.approx(at, abs=0.02)
    (await crowd[3]).succeeded()
    assert breaker.opened == 1


@simulated
async def test_pauses_are_spread_and_never_above_the_longest() -> None:
    pauses = set()
    for seed in range(20):
        breaker = Breaker("vshop", pause=10, clock=now, random=random.Random(seed).random)
        await trip(breaker)
        pauses.add(round(breaker.retry_in, 3))
    assert len(pauses) == 20
    assert 8 <= min(pauses) < 8.8
    assert 9.2 < max(pauses) <= 10


@simulated
async def test_refused_at_once_where_the_pause_is_too_long() -> None:
    breaker = breaker_at(pause=2.3)
    await trip(breaker)
    with pytest.raises(NotSent, match=r"circuit for vshop is open for another 2\.3 s") as caught:
        await breaker.permit(within=2)
    assert caught.value.retry_after == pytest.approx(2.3)
    assert caught.value.carried_out is False
    assert not isinstance(caught.value, ConnectFailed)
    with pytest.raises(NotSent):
        await breaker.permit(within=0)
    assert now() == 0
    assert left_behind(breaker) == (0, 0, 0)


@simulated
async def test_refused_at_once_where_a_failed_probe_makes_it_hopeless() -> None:
    breaker = breaker_at(pause=4)
    await trip(breaker)
    probe, hasty, patient = (
        asyncio.ensure_future(breaker.permit(within=within)) for within in (5, 6, 20)
    )
    (await probe).failed()
    with pytest.raises(NotSent, match=r"8\.0 s"):
        await hasty
    assert now() == pytest.approx(4, abs=0.01)
    (await patient).succeeded()
    assert left_behind(breaker) == (0, 0, 0)


@simulated
async def test_nobody_waits_longer_than_allowed_for_a_probe() -> None:
    breaker = breaker_at()
    await trip(breaker)
    probe = await breaker.permit()
    with pytest.raises(NotSent, match="half open") as caught:
        breaker.permit(within=0).send(None)
    assert caught.value.retry_after == 1
    begun = now()
    with pytest.raises(NotSent, match="half open"):
        await breaker.permit(within=3)
    assert now() - begun == pytest.approx(3, abs=0.01)
    probe.succeeded()
    assert await breaker.permit(within=0)


@simulated
async def test_what_was_let_through_before_has_no_say_later() -> None:
    breaker = breaker_at()
    old = [await breaker.permit() for _ in range(20)]
    await trip(breaker)
    old[0].succeeded()
    old[1].failed()
    assert breaker.state is OPEN
    probe = await breaker.permit()
    old[2].succeeded()
    old[3].abandoned()
    assert breaker.state is HALF_OPEN
    probe.succeeded()
    for each in old[4:]:
        each.failed()
    assert breaker.state is CLOSED


@simulated
async def test_an_abandoned_probe_is_handed_on() -> None:
    for way in ("told", "context", "error", "forgotten", "cancelled"):
        breaker = breaker_at()
        await trip(breaker)
        first, second = crowd_at(breaker, 2)
        if way == "cancelled":
            loop: Any = asyncio.get_running_loop()
            await settled()
            loop._jumping.passed += 2
            breaker._tick(loop)
            assert breaker.state is HALF_OPEN
            first.cancel()
            await asyncio.wait([first])
        elif way == "told":
            (await first).abandoned()
        elif way == "context":
            with await first:
                pass
        elif way == "error":
            with pytest.raises(ZeroDivisionError), await first as permit:
                permit.failed() if now() < 0 else 1 / 0
            del permit
        else:
            await first
            del first
            gc.collect()
        begun = now()
        with await second as probe:
            assert breaker.state is HALF_OPEN
            probe.succeeded()
        assert now() == begun, way
        assert breaker.state is CLOSED, way
        assert left_behind(breaker) == (0, 0, 0)


@simulated
async def test_forgotten_with_nobody_waiting() -> None:
    breaker = breaker_at()
    await trip(breaker)
    await breaker.permit()
    gc.collect()
    assert breaker.state is OPEN
    (await breaker.permit(within=0)).succeeded()
    assert breaker.state is CLOSED


@simulated
async def test_told_twice_counts_once() -> None:
    breaker = breaker_at(failures=2)
    permit = await breaker.permit()
    permit.failed()
    permit.failed()
    assert breaker.state is CLOSED


def test_r11_cancelled_at_any_point_nothing_is_left() -> None:
    async def main(seed: int) -> None:
        chance = random.Random(seed)
        breaker = breaker_at(failures=3)
        probes = 0

        async def call() -> None:
            nonlocal probes
            with await breaker.permit(within=chance.choice([None, 3, 9])) as permit:
                probe = breaker.state is HALF_OPEN
                probes += probe
                assert probes <= 1
                try:
                    await asyncio.sleep(chance.choice([0, 0.01, 0.5]))
                    permit.succeeded() if chance.random() < 0.5 else permit.failed()
                finally:
                    probes -= probe

        calls = []
        for _ in range(20):
            calls.append(asyncio.ensure_future(call()))
            await asyncio.sleep(chance.choice([0, 0, 0.01, 0.7]))
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(0)
            if chance.random() < 0.5:
                chance.choice(calls).cancel()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        wrong = (NotSent, asyncio.CancelledError, type(None))
        assert all(isinstance(each, wrong) for each in ended), ended
        assert left_behind(breaker) == (0, 0, 0)
        (await breaker.permit()).succeeded()

    for seed in range(500):
        run_simulated(main(seed))


@simulated
async def test_a_closed_coroutine_leaves_nothing() -> None:
    breaker = breaker_at()
    await trip(breaker)
    waiting = breaker.permit()
    waiting.send(None)
    assert breaker.waiting == 1
    waiting.close()
    assert breaker.waiting == 0
    await asyncio.sleep(2)
    assert left_behind(breaker) == (0, 0, 0)


def test_a_loop_closed_with_waiters_does_not_break_others() -> None:
    breaker = Breaker("vshop", pause=0.05)
    dead = asyncio.new_event_loop()

    async def crowd() -> list[asyncio.Task[Permit]]:
        await trip(breaker)
        return crowd_at(breaker, 5)

    tasks = dead.run_until_complete(crowd())
    dead.run_until_complete(asyncio.sleep(0))
    assert breaker.waiting == 5
    dead.close()

    async def main() -> None:
        (await breaker.permit(within=10)).succeeded()

    asyncio.run(main())
    assert breaker.state is CLOSED
    assert left_behind(breaker) == (0, 0, 0)
    for task in tasks:
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    del tasks, task
    gc.collect()


def test_r11_four_threads_with_loops_of_their_own() -> None:
    breaker = Breaker("vshop", pause=0.02, longest_pause=0.02)
    guard = threading.Lock()
    out: list[int] = [0]
    probes: list[int] = []

    async def call() -> None:
        with await breaker.permit() as permit:
            probe = breaker.state is HALF_OPEN
            with guard:
                out[0] += probe
                if probe:
                    probes.append(out[0])
            await asyncio.sleep(0.001)
            with guard:
                out[0] -= probe
            # The first three probes fail.
            permit.failed() if probe and len(probes) < 4 else permit.succeeded()

    async def many() -> None:
        await asyncio.gather(*(call() for _ in range(100)))

    asyncio.run(trip(breaker))
    threads = [threading.Thread(target=lambda: asyncio.run(many(), debug=True)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert probes == [1] * 4
    assert breaker.state is CLOSED
    assert left_behind(breaker) == (0, 0, 0)


@simulated
async def test_a_pass_counts_as_a_permit_does() -> None:
    """Whatever comes and when: both trip at the same moment, the last outcome good or bad."""
    for seed in range(200):
        draw = random.Random(seed)
        by_permit, by_pass = breaker_at(failures=3, window=1), breaker_at(failures=3, window=1)
        for _ in range(60):
            await asyncio.sleep(draw.choice((0.0, 0.01, 0.1, 0.35)))
            permit, passed = by_permit.permit_at_once(), by_pass.pass_at_once()
            assert (permit is None) is (passed is None)
            if permit is None or passed is None:
                break
            if draw.random() < 0.65:
                permit.succeeded()
                by_pass.answered(passed)
            else:
                permit.failed()
                by_pass.failed(passed)
            assert (by_permit.state, by_permit.opened) == (by_pass.state, by_pass.opened)


@simulated
async def test_a_pass_from_before_has_no_say_later() -> None:
    breaker = breaker_at()
    early = breaker.pass_at_once()
    assert early is not None
    await trip(breaker)
    assert breaker.pass_at_once() is None
    breaker.answered(early)
    breaker.failed(early)
    assert breaker.state is OPEN
    await asyncio.sleep(1.1)
    probe = await breaker.permit()
    assert breaker.pass_at_once() is None
    breaker.answered(early)
    assert breaker.state is HALF_OPEN
    probe.succeeded()
    for _ in range(20):
        breaker.failed(early)
    assert breaker.state is CLOSED
    assert breaker.pass_at_once() not in (None, early)


@simulated
async def test_who_waits_is_let_through_however_the_others_passed() -> None:
    breaker = breaker_at()
    await trip(breaker)
    waiting = crowd_at(breaker, 5)
    await asyncio.sleep(1.1)
    done = [task for task in waiting if task.done()]
    (await done[0]).succeeded()
    for _ in range(3):
        passed = breaker.pass_at_once()
        assert passed is not None
        breaker.answered(passed)
    await asyncio.gather(*waiting)
    assert left_behind(breaker) == (0, 0, 0)
