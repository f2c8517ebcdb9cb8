from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from bulk_stubs import Answers, listed, turns
from servers import RawServer
from stubs import Answering

from linksfield_async import Account, Client, ClientClosed, ConfigurationError
from linksfield_async.errors import OutcomeUnknown
from linksfield_async.operations import SingleVerify
from linksfield_async.protocol import Response

S = {"operateCode": "S", "data": {}}


def iccid(number: int) -> str:
    return f"8985{number:015d}"


def client_with(*answers: Any) -> tuple[Client, Answering]:
    transport = Answering(*answers)
    return Client(Account("P1"), transport=transport), transport


async def test_every_item_has_one_outcome() -> None:
    client, transport = client_with(S)
    cards = [iccid(n) for n in range(500)]
    outcomes = [o async for o in client.verify_many(cards, concurrency=7)]
    assert sorted(o.position for o in outcomes) == list(range(500))
    assert {o.position: o.iccid for o in outcomes} == dict(enumerate(cards))
    assert len(transport.requests) == 500
    assert all(o.verdict == "valid" and o.attempts == 1 and o.result is not None for o in outcomes)


async def test_no_items() -> None:
    client, _ = client_with(S)
    assert [o async for o in client.verify_many([])] == []


async def test_bad_input_is_reported_and_not_sent() -> None:
    client, transport = client_with(S)
    given = [" 8985 0000 0000 0000 001 ", "", "8.98524E+19", "x"]
    outcomes = {o.position: o async for o in client.verify_many(given, concurrency=1)}
    assert [outcomes[n].verdict for n in range(4)] == ["valid", *["invalid_input"] * 3]
    assert outcomes[0].iccid == "8985000000000000001"
    assert outcomes[2].iccid == "8.98524E+19"
    assert "spreadsheet" in outcomes[2].reason
    assert len(transport.requests) == 1


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ({"operateCode": "F", "message": "unknown card"}, "refused"),
        (OutcomeUnknown("lost"), "unknown"),
        ({"nothing": "known"}, "unknown"),
    ],
)
async def test_an_error_is_an_outcome(answer: Any, verdict: str) -> None:
    client, _ = client_with(answer)
    (outcome,) = [o async for o in client.verify_many([iccid(1)])]
    assert outcome.verdict == verdict
    assert outcome.result is None
    assert outcome.reason == str(outcome.error)
    assert iccid(1) not in repr(outcome)


class Counting(Answering):
    """Counts how many calls are under way at once, and lets them through when told."""

    def __init__(self) -> None:
        super().__init__(S)
        self.under_way = self.most = 0

    async def send(self, request: Any, limits: Any) -> Response:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(0)
            return await super().send(request, limits)
        finally:
            self.under_way -= 1


async def test_no_more_than_concurrency_at_once_and_no_task_per_item() -> None:
    transport = Counting()
    client = Client(Account("P1"), transport=transport)
    most_tasks = 0
    async for _ in client.verify_many((iccid(n) for n in range(2_000)), concurrency=16):
        most_tasks = max(most_tasks, len(asyncio.all_tasks()))
    assert transport.most == 16
    assert most_tasks <= 16 + 2


async def test_a_slow_consumer_slows_the_source() -> None:
    taken = 0

    def source() -> Iterator[str]:
        nonlocal taken
        for n in range(10_000):
            taken = n + 1
            yield iccid(n)

    client, _ = client_with(S)
    outcomes = client.verify_many(source(), concurrency=8)
    for received in range(1, 30):
        await anext(outcomes)
        for _ in range(50):
            await asyncio.sleep(0)
        assert taken - received <= 2 * 8
    await outcomes.aclose()


async def test_an_asynchronous_source() -> None:
    async def source() -> AsyncIterator[str]:
        for n in range(50):
            await asyncio.sleep(0)
            yield iccid(n)

    client, _ = client_with(S)
    outcomes = [o async for o in client.verify_many(source(), concurrency=4)]
    assert sorted(o.position for o in outcomes) == list(range(50))


async def test_a_source_that_fails_loses_nothing_that_was_sent() -> None:
    def source() -> Iterator[str]:
        for n in range(20):
            yield iccid(n)
        raise OSError("disk gone")

    client, transport = client_with(S)
    outcomes = []

    async def collect() -> None:
        async for outcome in client.verify_many(source(), concurrency=4):
            outcomes.append(outcome)  # what came before the error counts

    with pytest.raises(OSError, match="disk gone"):
        await collect()
    assert sorted(o.position for o in outcomes) == list(range(20))
    assert len(transport.requests) == 20


async def test_a_bug_in_a_transport_is_raised_not_counted() -> None:
    client, transport = client_with(ZeroDivisionError("bug"))
    with pytest.raises(ZeroDivisionError):
        await anext(client.verify_many((iccid(n) for n in range(1_000)), concurrency=4))
    assert len(transport.requests) <= 4


async def test_stopping_early_leaves_no_task() -> None:
    client, _ = client_with(S)
    outcomes = client.verify_many((iccid(n) for n in range(1_000)), concurrency=8)
    await anext(outcomes)
    await outcomes.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_any_operation() -> None:
    client, transport = client_with(S)
    operations = [SingleVerify(iccid=iccid(n), url="https://x") for n in range(5)]
    outcomes = [o async for o in client.send_many(operations, concurrency=2)]
    assert sorted(o.iccid or "" for o in outcomes) == [iccid(n) for n in range(5)]
    assert all(b"https://x" in request.body for request in transport.requests)


async def test_concurrency_must_make_sense() -> None:
    client, _ = client_with(S)
    with pytest.raises(ConfigurationError, match="whole number above 0"):
        await anext(client.verify_many([iccid(1)], concurrency=0))


async def test_an_end_of_iteration_from_elsewhere_is_no_end_of_the_source() -> None:
    client, _ = client_with(StopAsyncIteration())
    with pytest.raises(RuntimeError):
        await anext(client.verify_many((iccid(n) for n in range(100)), concurrency=4))


async def test_a_worker_that_is_canceled_ends_the_run_with_an_error() -> None:
    async def source() -> AsyncIterator[str]:
        async with asyncio.timeout(0.05):  # cancels whichever worker asks for the next card
            for n in range(1_000):
                await asyncio.sleep(0.01)
                yield iccid(n)

    client, _ = client_with(S)

    async def collect() -> None:
        async for _ in client.verify_many(source(), concurrency=4):
            pass

    with pytest.raises((RuntimeError, TimeoutError)):
        await asyncio.wait_for(collect(), 20)


async def test_closing_the_client_ends_the_run_and_blames_no_card(
    account: Account, server: RawServer
) -> None:
    server.answers(S)
    client = Client(account)
    verdicts: list[str] = []

    async def collect() -> None:
        async for outcome in client.verify_many((iccid(n) for n in range(1_000)), concurrency=4):
            verdicts.append(outcome.verdict)
            if len(verdicts) == 50:
                await client.close()

    with pytest.raises(ClientClosed):
        await collect()
    assert "invalid_input" not in verdicts
    assert len(verdicts) < 1_000


async def test_one_text_is_no_iterable_of_cards() -> None:
    client, _ = client_with(S)
    with pytest.raises(ConfigurationError, match="not one text"):
        await anext(client.verify_many(iccid(1)))
    with pytest.raises(ConfigurationError, match="operation 0 is 'str'"):
        await anext(client.send_many(["x"]))  # type: ignore[list-item]


async def test_in_the_order_of_the_input() -> None:
    transport = Answers(
        lambda params: asyncio.sleep(0.02 if params["deviceCode"] == iccid(0) else 0.0, S)
    )
    cards = [iccid(0), "x", *(iccid(n) for n in range(1, 100)), iccid(0)]
    outcomes = await listed(transport.client().verify_many(cards, order="input", concurrency=8))
    assert [o.position for o in outcomes] == list(range(102))
    came = await listed(transport.client().verify_many(cards, concurrency=8))
    assert [o.position for o in came] != list(range(102))


async def test_the_order_of_the_input_keeps_to_its_room() -> None:
    """Where the first one hangs, no more is taken than there is room for."""
    hanging = asyncio.Event()
    transport = Answers(lambda p: hanging.wait() if p["deviceCode"] == iccid(0) else S)
    run = transport.client().verify_many(
        (iccid(n) for n in range(1_000)), order="input", concurrency=4
    )
    running = asyncio.create_task(anext(run))
    await turns(500)
    assert len(transport.sent) <= 2 * 4
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await run.aclose()


async def test_b12_the_error_of_a_source_tells_how_far_it_came() -> None:
    def source() -> Iterator[str]:
        yield from (iccid(n) for n in range(7))
        raise OSError("disk gone")

    client, _ = client_with(S)
    with pytest.raises(OSError, match="disk gone") as caught:
        await listed(client.verify_many(source()))
    assert "after 7 items" in caught.value.__notes__[0]


async def test_progress_and_completeness_before_during_and_after() -> None:
    client, _ = client_with(S)
    run = client.verify_many([iccid(n) for n in range(10)], concurrency=2)
    assert (run.progress.total, run.progress.todo, run.is_complete) == (10, 10, False)
    await anext(run)
    assert not run.is_complete
    await listed(run)
    assert (run.progress.done, run.progress.todo, run.is_complete) == (10, 0, True)
    empty = client.verify_many([])
    await listed(empty)
    assert empty.is_complete


async def test_a_run_that_is_stopped_before_it_began_sends_nothing() -> None:
    client, transport = client_with(S)
    run = client.verify_many([iccid(1)])
    run.stop()
    assert await listed(run) == []
    assert (transport.requests, run.is_complete) == ([], False)


@pytest.mark.parametrize("wrong", [{"order": "x"}, {"total": -1}, {"retries": 3}, {"replay": 1}])
async def test_a_wrong_setting_is_told_at_once(wrong: Any) -> None:
    client, _ = client_with(S)
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        client.verify_many([iccid(1)], **wrong)
