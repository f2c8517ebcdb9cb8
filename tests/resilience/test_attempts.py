from __future__ import annotations

from typing import Any

import pytest

from linksfield_async.errors import (
    BadAnswer,
    ConfigurationError,
    ConnectFailed,
    DeadlineExceeded,
    LinksfieldError,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Refused,
    ResponseTooLarge,
    Throttled,
    TLSFailed,
    UnexpectedRedirect,
)
from linksfield_async.operation import Effect
from linksfield_async.resilience.attempts import Attempts, may_repeat, retries_off
from linksfield_async.resilience.budget import CAPACITY, RetryBudget
from linksfield_async.resilience.clock import Clock
from linksfield_async.resilience.deadline import Deadline

ALWAYS = [NotSent, ConnectFailed, Throttled]
UNLESS_ONCE = [OutcomeUnknown, BadAnswer]
NEVER = [
    *(TLSFailed, RateLimited, DeadlineExceeded, UnexpectedRedirect, ResponseTooLarge),
    *(Refused, ConfigurationError),
]


@pytest.mark.parametrize("effect", Effect)
def test_the_rule(effect: Effect) -> None:
    assert all(may_repeat(kind("x"), effect) for kind in ALWAYS)
    assert all(may_repeat(kind("x"), effect) is (effect is not Effect.ONCE) for kind in UNLESS_ONCE)
    assert not any(may_repeat(kind("x"), effect) for kind in NEVER)


class World:
    """Time that passes only where something sleeps; answers that come as told."""

    def __init__(self, *answers: Any, most: int = 3, seconds: float = 30.0) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self.numbers: list[int] = []
        self.answers = list(answers)
        self.budget = RetryBudget()
        clock = Clock(monotonic=lambda: self.now, sleep=self.sleep, random=lambda: 0.5)
        self.attempts = Attempts(most, self.budget, clock)
        self.deadline = Deadline.after(seconds, clock.monotonic)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def attempt(self, number: int) -> Any:
        self.numbers.append(number)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def run(self, effect: Effect = Effect.READ) -> Any:
        return await self.attempts.run(self.attempt, effect, self.deadline)


async def test_a_good_answer_is_one_attempt() -> None:
    world = World("ok")
    assert await world.run(Effect.ONCE) == "ok"
    assert (world.numbers, world.slept) == ([1], [])


async def test_a_read_is_repeated_until_it_is_answered() -> None:
    world = World(OutcomeUnknown("lost"), BadAnswer("html"), "ok")
    assert await world.run() == "ok"
    assert world.numbers == [1, 2, 3]
    assert world.slept == [0.1, 0.2]  # half of 0.2 and of 0.4
    assert world.budget.tokens == CAPACITY


async def test_no_more_than_three_attempts() -> None:
    world = World(*(OutcomeUnknown("lost") for _ in range(9)))
    with pytest.raises(OutcomeUnknown) as caught:
        await world.run()
    assert caught.value.attempts == 3
    assert world.budget.tokens == CAPACITY - 28


@pytest.mark.parametrize("error", [OutcomeUnknown("lost"), BadAnswer("html")])
async def test_what_may_have_been_carried_out_once_is_not_repeated(error: LinksfieldError) -> None:
    world = World(error, "must not be asked for")
    with pytest.raises(type(error)) as caught:
        await world.run(Effect.ONCE)
    assert caught.value.attempts == 1
    assert world.slept == []


async def test_what_was_not_sent_is_repeated_even_once() -> None:
    world = World(ConnectFailed("refused"), "ok")
    assert await world.run(Effect.ONCE) == "ok"


async def test_a_doubt_is_not_washed_away_by_a_later_attempt() -> None:
    """The first may have been carried out; that the second was not sent does not change it."""
    world = World(
        *(error for error in (OutcomeUnknown("lost"), ConnectFailed("a"), ConnectFailed("b")))
    )
    with pytest.raises(OutcomeUnknown) as caught:
        await world.run(Effect.REPEATABLE)
    assert caught.value.carried_out is None
    assert caught.value.attempts == 3


async def test_retry_after_is_honoured_and_spread() -> None:
    world = World(Throttled("slow down", retry_after=4.0), "ok")
    await world.run(Effect.ONCE)
    assert world.slept == [4.5]


async def test_being_throttled_costs_less() -> None:
    world = World(Throttled("a"), Throttled("b"), Throttled("c"))
    with pytest.raises(Throttled):
        await world.run()
    assert world.budget.tokens == CAPACITY - 10


async def test_r07_it_never_sleeps_into_the_deadline() -> None:
    world = World(Throttled("slow down", retry_after=4.0), "ok", seconds=4.2)
    with pytest.raises(Throttled) as caught:
        await world.run()
    assert world.slept == []
    assert caught.value.attempts == 1
    assert world.budget.tokens == CAPACITY


async def test_r01_an_empty_budget_fails_fast() -> None:
    world = World(OutcomeUnknown("lost"), "ok")
    while world.budget.take(throttled=False):
        pass
    with pytest.raises(OutcomeUnknown):
        await world.run()
    assert world.slept == []


async def test_r13_retries_off() -> None:
    world = World(OutcomeUnknown("lost"), "ok")
    with retries_off(), pytest.raises(OutcomeUnknown):
        await world.run()
    assert world.numbers == [1]
    assert await world.run() == "ok"


async def test_a_first_attempt_made_elsewhere_is_one_of_them() -> None:
    world = World("ok")
    lost = OutcomeUnknown("lost")
    run = world.attempts.run(world.attempt, Effect.READ, world.deadline, lost)
    assert (await run, world.numbers, lost.attempts) == ("ok", [2], 1)


async def test_a_first_attempt_made_elsewhere_may_be_the_last() -> None:
    world = World("ok")
    lost = OutcomeUnknown("lost")
    with pytest.raises(OutcomeUnknown) as caught:
        await world.attempts.run(world.attempt, Effect.ONCE, world.deadline, lost)
    assert caught.value is lost
    assert (world.numbers, world.slept, lost.attempts) == ([], [], 1)
