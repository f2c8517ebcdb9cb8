from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pushes import Granting, receiver, signed
from web import until

from linksfield_async.errors import ConfigurationError, InboxUnavailable
from linksfield_async.notifications import ClaimedByHandler, MemoryInbox, SqliteInbox, working
from linksfield_async.notifications.inbox import Claim


async def send(one: Any, *numbers: int) -> None:
    for number in numbers:
        answer = await one.handle(*signed({"orderNo": str(number)}), Granting())
        assert answer.status == 202


async def test_workers_run_what_is_kept_so_many_at_once(tmp_path: Path) -> None:
    running = most = 0
    done: list[str] = []

    async def handler(notice: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        done.append(notice.order_id)

    async with SqliteInbox(tmp_path / "inbox.db") as inbox:
        one, _ = receiver(queue=1000, inbox=inbox)
        await send(one, *range(10))
        async with working(one, handler, concurrency=4, look_every=0.05):
            await send(one, *range(10, 30))
            await until(lambda: len(done) == 30)
    assert sorted(map(int, done)) == list(range(30))
    assert most == 4


async def test_what_failed_is_tried_again_and_left_at_last() -> None:
    one, events = receiver(queue=10, max_attempts=2, inbox=(inbox := MemoryInbox()))
    handler = Granting(failures=5)
    await send(one, 1)
    (claim,) = await one.take(5)
    await one.run_claim(claim, handler)
    assert await inbox.waiting() == 1  # with a pause of a second
    claim = await inbox.acquire(claim.stored, lease=60)  # type: ignore[assignment]
    await one.run_claim(claim, handler)
    assert (await inbox.waiting(), await one.take(5)) == (0, [])
    assert [event.kind for event in events] == ["taken", "failed", "failed"]


async def test_the_end_waits_for_what_runs() -> None:
    one, _ = receiver(queue=10)
    started = asyncio.Event()
    done: list[str] = []

    async def handler(notice: Any) -> None:
        started.set()
        await asyncio.sleep(0.05)
        done.append(notice.order_id)

    async with working(one, handler):
        await send(one, 1)
        await started.wait()
    assert done == ["1"]


@pytest.mark.parametrize("error", [InboxUnavailable("down"), OSError("of another make")])
async def test_a_store_that_is_down_for_a_while_stops_nobody(error: Exception) -> None:
    class Flaky(MemoryInbox):
        failures = 2

        async def take(self, *, lease: float, limit: int) -> list[Claim]:
            if self.failures:
                self.failures -= 1
                raise error
            return await super().take(lease=lease, limit=limit)

    one, _ = receiver(queue=10, inbox=Flaky())
    handler = Granting()
    await send(one, 1)
    async with working(one, handler, look_every=0.01):
        await until(lambda: handler.calls == 1)


async def test_without_an_inbox_there_is_nothing_to_work_on() -> None:
    one, _ = receiver(inbox=ClaimedByHandler())
    with pytest.raises(ConfigurationError, match="no inbox"):
        async with working(one, Granting()):
            raise AssertionError("it began")
