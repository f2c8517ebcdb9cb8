from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest

from linksfield_async.errors import (
    BadAnswer,
    ClientClosed,
    InvalidInput,
    OutcomeUnknown,
    Refused,
    Throttled,
)
from linksfield_async.groups.parts import Part, State
from linksfield_async.groups.poller import Poller
from linksfield_async.groups.settings import Settings
from linksfield_async.operations import AsyncResult, SimResult
from linksfield_async.resilience.clock import Clock


@attrs.define
class Told:
    """What a poller needs of an exchange."""

    result: AsyncResult
    body: bytes = b"{}"


class Job:
    """What a poller needs of a job; answers each poll with the next of a list."""

    def __init__(self, *answers: Any, **settings: Any) -> None:
        self.settings = Settings(first_poll=0.01, longest_poll=0.04, **settings)
        self.sender = self
        self.answers = list(answers)
        self.polls: list[float] = []
        self.ended: asyncio.Future[Part] = asyncio.get_running_loop().create_future()

    async def exchange(self, _: Any) -> Told:
        self.polls.append(asyncio.get_running_loop().time())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        results = (SimResult(iccid="1", status="success"),) if answer == "success" else ()
        return Told(AsyncResult(request_id="R", status=answer, results=results))

    def part_ended(self, part: Part) -> None:
        self.ended.set_result(part)

    def stir(self) -> None:
        pass

    def broke(self, error: BaseException) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)

    def part(self, request_id: str = "R") -> Part:
        return Part(self, ("1",), 1, State.ACCEPTED, request_id)  # type: ignore[arg-type]


@pytest.fixture
async def poller() -> AsyncIterator[Poller]:
    poller = Poller(per_second=1_000, clock=Clock(random=lambda: 0.5))
    yield poller
    await poller.close()


@pytest.fixture(autouse=True)
def short_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linksfield_async.groups.poller._FIRST_HOLD", 0.01)


async def ended(poller: Poller, job: Job) -> Part:
    poller.add(job.part(), 0.01)
    return await asyncio.wait_for(job.ended, 5)


async def test_it_asks_until_the_result_is_there(poller: Poller) -> None:
    job = Job("pending", "processing", "success")
    part = await ended(poller, job)
    assert (part.state, part.word, len(job.polls)) == (State.ENDED, "success", 3)
    assert part.said is not None
    assert not poller.knows("R")


async def test_pauses_grow_up_to_the_longest(poller: Poller) -> None:
    job = Job(*["pending"] * 6, "success")
    part = await ended(poller, job)
    assert part.step == 0.04


async def test_failures_take_no_step(poller: Poller) -> None:
    troubles = [OutcomeUnknown("lost"), Throttled("slow", status=429), BadAnswer("html")]
    part = await ended(poller, Job(*troubles, "success"))
    assert (part.state, part.step) == (State.ENDED, 0.01)


async def test_the_service_s_trouble_holds_back_all(poller: Poller) -> None:
    sick, well = Job(OutcomeUnknown("lost"), "success"), Job("success")
    poller._failures = 3
    poller.add(sick.part("A"), 0.01)
    while not sick.polls:
        await asyncio.sleep(0.001)
    poller.add(well.part("B"), 0.01)
    await asyncio.gather(sick.ended, well.ended)
    assert well.polls[0] - sick.polls[0] >= 0.07  # 0.01 s doubled three times, less the jitter


async def test_a_bad_answer_holds_back_nobody_else(poller: Poller) -> None:
    part = await ended(poller, Job(BadAnswer("html"), "success"))
    assert (part.state, poller._held_until) == (State.ENDED, 0.0)


async def test_an_unknown_id_within_the_grace_and_beyond(poller: Poller) -> None:
    refused = Refused("request_id is unknown", status=404)
    assert (await ended(poller, Job(refused, refused, "success"))).state is State.ENDED
    part = await ended(poller, Job(refused, grace=0.05))
    assert (part.state, part.note) == (State.GONE, "request_id is unknown")


@pytest.mark.parametrize("answer", ["odd", OutcomeUnknown("lost")])
async def test_it_ends_when_its_time_is_over(poller: Poller, answer: Any) -> None:
    part = await ended(poller, Job(answer, within=0.1))
    assert part.state is State.LATE


async def test_an_id_that_cannot_be_asked_for_breaks_the_job(poller: Poller) -> None:
    with pytest.raises(InvalidInput):
        await ended(poller, Job(InvalidInput("no slashes")))


async def test_a_bug_is_told_to_who_waits(poller: Poller) -> None:
    with pytest.raises(ZeroDivisionError):
        await ended(poller, Job(ZeroDivisionError()))


async def test_closing_tells_who_waits() -> None:
    poller = Poller(per_second=1_000, clock=Clock(random=lambda: 0.5))
    job = Job("pending")
    poller.add(job.part(), 0.01)
    await asyncio.sleep(0.03)
    await poller.close()
    with pytest.raises(ClientClosed):
        await job.ended
    with pytest.raises(ClientClosed):
        poller.add(job.part(), 0.01)


async def test_one_task_with_its_timer_and_none_when_nothing_is_open(poller: Poller) -> None:
    before = len(asyncio.all_tasks())
    jobs = [Job("success") for _ in range(100)]
    for number, job in enumerate(jobs):
        poller.add(job.part(f"R{number}"), 0.01)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == before + 2
    await asyncio.gather(*(job.ended for job in jobs))
    await asyncio.sleep(0.01)
    assert len(asyncio.all_tasks()) == before
    assert (await ended(poller, Job("success"))).state is State.ENDED
