"""The one timer that ends calls at their limits, in simulated time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from simulated_time import now, run_simulated

from linksfield_async.errors import DeadlineExceeded
from linksfield_async.transport.calls import Calls
from linksfield_async.transport.faults import Ended


class Line:
    """A wire that is active when told so."""

    def __init__(self) -> None:
        self.active_at = 0.0

    def silent_since(self) -> float:
        return self.active_at


async def waits(
    calls: Calls, seconds: float, line: Line | None = None, patience: float = 0
) -> tuple[Ended | None, float]:
    """Wait for ever within a limit; give why and when it ended."""
    call = calls.begin(seconds)
    try:
        if line is not None:
            calls.listen(call, line, patience)
        await asyncio.get_running_loop().create_future()
    except asyncio.CancelledError:
        if not call.was_ended():
            raise
        return call.ended, round(now(), 2)
    finally:
        calls.over(call)
    raise AssertionError("unreachable")


def test_each_call_ends_at_its_own_deadline() -> None:
    async def main() -> list[Any]:
        calls = Calls(asyncio.get_running_loop())
        ended = await asyncio.gather(*(waits(calls, seconds) for seconds in (3, 1, 20, 2, 2.001)))
        assert len(calls) == 0
        return [when for why, when in ended if why is Ended.DEADLINE]

    assert run_simulated(main()) == pytest.approx([3, 1, 20, 2, 2.01], abs=0.011)


def test_silence_is_counted_from_the_last_activity() -> None:
    async def main() -> Any:
        calls = Calls(asyncio.get_running_loop())
        line = Line()
        waiting = asyncio.create_task(waits(calls, 100, line, patience=5))
        for _ in range(4):
            await asyncio.sleep(3)
            line.active_at = now()
        return await waiting

    why, when = run_simulated(main())
    assert why is Ended.SILENCE
    assert when == pytest.approx(17, abs=0.01)


def test_a_deadline_comes_before_a_longer_patience() -> None:
    async def main() -> Any:
        return await waits(Calls(asyncio.get_running_loop()), 4, Line(), patience=5)

    assert run_simulated(main()) == (Ended.DEADLINE, pytest.approx(4, abs=0.01))


def test_a_thousand_calls_need_few_timers() -> None:
    """Calls that end well before their limits cost none of their own."""

    class Counting(Calls):
        timers = 0

        def _ring_at(self, moment: float) -> None:
            self.timers += 1
            super()._ring_at(moment)

    async def main() -> int:
        calls = Counting(asyncio.get_running_loop())
        for _ in range(1000):
            call = calls.begin(30)
            await asyncio.sleep(0.1)
            calls.over(call)
        return calls.timers

    assert run_simulated(main()) <= 100 / 29.9 + 2


def test_a_cancellation_from_outside_is_no_limit() -> None:
    async def main() -> None:
        calls = Calls(asyncio.get_running_loop())
        waiting = asyncio.create_task(waits(calls, 10))
        await asyncio.sleep(1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert len(calls) == 0
        # Both at once: who asked from outside is obeyed.
        waiting = asyncio.create_task(waits(calls, 10))
        asyncio.get_running_loop().call_at(now() + 10, waiting.cancel)
        with pytest.raises(asyncio.CancelledError):
            await waiting

    run_simulated(main())


def test_a_limit_leaves_no_trace_of_a_cancellation() -> None:
    async def main() -> None:
        calls = Calls(asyncio.get_running_loop())
        await waits(calls, 1)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        async with asyncio.timeout(5):  # would misread a cancellation that is left over
            await asyncio.sleep(1)

    run_simulated(main())


def test_ending_all_waits_until_they_have_ended() -> None:
    async def main() -> None:
        calls = Calls(asyncio.get_running_loop())
        waiting = [asyncio.create_task(waits(calls, 10)) for _ in range(3)]
        await asyncio.sleep(1)
        await calls.end_all(5)
        assert len(calls) == 0
        assert [task.result() for task in waiting] == [(Ended.CLOSED, 1.0)] * 3

    run_simulated(main())


def test_a_call_without_any_time_is_refused() -> None:
    async def main() -> None:
        calls = Calls(asyncio.get_running_loop())
        with pytest.raises(DeadlineExceeded):
            calls.begin(0)
        assert len(calls) == 0

    run_simulated(main())
