from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest
from pushes import KEY, KEY_ID, Granting, receiver, signed

from linksfield_async.errors import ConfigurationError
from linksfield_async.notifications import (
    ClaimedByHandler,
    Event,
    MemoryInbox,
    Receiver,
)
from linksfield_async.notifications import receiver as receiving
from linksfield_async.notifications.inbox import Claim, Standing, Stored


def test_importing_and_verifying_needs_no_aiohttp() -> None:
    code = (
        "import sys\n"
        "from linksfield_async.notifications import Receiver, MemoryInbox, SqliteInbox\n"
        "Receiver(keys={'k': 'x'}, inbox=MemoryInbox())\n"
        "print([name for name in ('aiohttp', 'redis', 'psycopg', 'anyio') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"keys": {}}, "accept_unsigned"),
        ({"keys": {"k": ""}}, "empty"),
        ({"keys": {"k": []}}, "without a key"),
        ({"lease": 0.0}, "lease"),
        ({"patience": -1.0}, "patience"),
        ({"versions": "1.0"}, "versions"),
        ({"on_event": Granting().__call__}, "on_event"),
        ({"max_age": 7 * 86_400.0}, "a replay in between would run again"),
        ({"inbox": MemoryInbox(keep=3600.0)}, "forgets a message after 3600 s"),
        ({"queue": 0}, "queue"),
        ({"queue": 5, "inbox": ClaimedByHandler()}, "queue"),
        ({"path_secret": "short"}, "path secret"),
        ({"path_secret": "with/a/slash/and/more"}, "path secret"),
    ],
)
def test_wrong_settings_are_told(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as caught:
        receiver(**settings)
    assert "with/a/slash" not in str(caught.value)


async def test_a_sweep_runs_nothing_whose_lease_is_over() -> None:
    """Two sweepers: what the first still has before it is not run by both."""
    one, events = receiver(inbox=(inbox := MemoryInbox()), lease=0.5)
    for number in range(6):
        await inbox.keep(Stored.of(one.verify(*signed({"orderNo": str(number)}))))
    handled: list[str] = []

    async def handler(notice: Any) -> None:
        await asyncio.sleep(0.15)
        handled.append(notice.order_id)

    async def later() -> int:
        await asyncio.sleep(0.55)  # the first one's first lease is over, its work is not
        return await one.sweep(handler)

    assert sum(await asyncio.gather(one.sweep(handler), later())) == 6
    assert sorted(handled) == ["0", "1", "2", "3", "4", "5"]
    assert {event.kind for event in events} == {"taken"}


async def test_a_claim_that_was_answered_late_runs_nothing() -> None:
    """Its lease may be over by then, and another may run it."""

    class Late(MemoryInbox):
        async def take(self, *, lease: float, limit: int) -> list[Claim]:
            claims = await super().take(lease=lease, limit=limit)
            await asyncio.sleep(lease)
            return claims

    one, events = receiver(inbox=(inbox := Late()), lease=0.1)
    await inbox.keep(Stored.of(one.verify(*signed())))
    handler = Granting()
    assert await one.sweep(handler, limit=1) == 1
    assert (handler.calls, [event.kind for event in events]) == (0, ["unavailable"])
    assert isinstance(await inbox.acquire(Stored.of(one.verify(*signed())), lease=60), Claim)


async def test_a_plain_function_runs_in_a_thread() -> None:
    one, _ = receiver()
    threads = []

    def handler(notice: Any) -> None:
        threads.append(threading.get_ident())

    assert (await one.handle(*signed(), handler)).status == 200
    assert threads != [threading.get_ident()]
    assert len(threads) == 1


async def test_a_plain_function_may_give_an_awaitable() -> None:
    one, _ = receiver()
    handler = Granting()

    def plain(notice: Any) -> Any:
        return handler(notice)

    assert (await one.handle(*signed(), plain)).status == 200
    assert handler.calls == 1


async def test_a_cancelled_delivery_gives_its_claim_back() -> None:
    one, _ = receiver()
    started = asyncio.Event()

    async def hanging(_: object) -> None:
        started.set()
        await asyncio.sleep(30)

    task = asyncio.create_task(one.handle(*signed(), hanging))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    handler = Granting()
    assert (await one.handle(*signed(), handler)).status == 200
    assert handler.calls == 1


async def test_a_double_waits_for_the_end_of_the_first() -> None:
    """2xx only once it is done: the first may still fail, and then this one runs."""
    one, _ = receiver()
    free = asyncio.Event()
    calls = 0

    async def failing_once(_: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            await free.wait()
            raise RuntimeError("failed")

    first = asyncio.create_task(one.handle(*signed(), failing_once))
    await asyncio.sleep(0)
    second = asyncio.create_task(one.handle(*signed(), failing_once))
    await asyncio.sleep(0.05)
    assert not second.done()
    free.set()
    assert ((await first).status, (await second).status, calls) == (500, 200, 2)


async def test_a_double_that_waits_too_long_is_sent_again() -> None:
    one, events = receiver(patience=0.05)
    free = asyncio.Event()

    async def slow(_: object) -> None:
        await free.wait()

    first = asyncio.create_task(one.handle(*signed(), slow))
    await asyncio.sleep(0)
    assert (await one.handle(*signed(), slow)).status == 503
    free.set()
    assert (await first).status == 200
    assert [event.kind for event in events] == ["unavailable", "taken"]


async def test_a_claim_that_was_lost_meanwhile_is_no_success() -> None:
    class Losing(MemoryInbox):
        async def finish(self, claim: Claim) -> bool:
            return False

    one, events = receiver(inbox=Losing())
    assert (await one.handle(*signed(), Granting())).status == 503
    assert events[-1].kind == "failed"


async def test_a_store_that_fails_while_giving_back_changes_no_answer() -> None:
    from linksfield_async.errors import InboxUnavailable

    class Broken(MemoryInbox):
        async def release(self, claim: Claim, **_: Any) -> None:
            raise InboxUnavailable("gone")

    one, _ = receiver(inbox=Broken())
    assert (await one.handle(*signed(), Granting(failures=1))).status == 500


async def test_who_listens_changes_no_answer() -> None:
    def on_event(event: Event) -> None:
        raise RuntimeError("a listener failed")

    one = Receiver(keys={KEY_ID: KEY}, inbox=MemoryInbox(), on_event=on_event)
    assert (await one.handle(*signed(), Granting())).status == 200


async def test_without_an_inbox_the_handler_claims() -> None:
    one, _ = receiver(inbox=ClaimedByHandler())
    handler = Granting()
    for _ in range(2):
        assert (await one.handle(*signed(), handler)).status == 200
    assert handler.calls == 2
    with pytest.raises(ConfigurationError):
        await one.sweep(handler)


async def test_raw_messages_can_be_captured() -> None:
    one, _ = receiver()
    seen: list[Any] = []
    one.on_raw = lambda headers, body: seen.append((headers, body))
    body, headers = signed(key="wrong")
    assert (await one.handle(body, headers, Granting())).status == 401
    assert seen == [(headers, body)]


async def test_a_version_that_is_not_understood() -> None:
    one, _ = receiver()
    assert (await one.handle(*signed(version="2.0"), Granting())).status == 400
    two, _ = receiver(versions=("2.0",))
    assert (await two.handle(*signed(version="2.0"), Granting())).status == 200


async def test_a_notice_shows_nothing_personal() -> None:
    one, _ = receiver()
    notice = one.verify(*signed())
    assert "89852420180910340793" not in repr(notice)
    assert "4.99" not in repr(notice)
    assert KEY not in repr(one)
    assert (notice.key_id, notice.version) == (KEY_ID, "1.0")
    assert notice.timestamp is not None


async def test_kept_before() -> None:
    one, events = receiver(queue=10)
    handler = Granting()
    assert [(await one.handle(*signed(), handler)).status for _ in range(2)] == [202, 202]
    assert [event.kind for event in events] == ["taken", "repeated"]
    assert handler.calls == 0
    assert await one.sweep(handler) == 1
    assert (handler.calls, await one.sweep(handler)) == (1, 0)
    assert (await one.handle(*signed(), handler)).status == 202
    assert handler.calls == 1


async def test_not_more_wait_than_may() -> None:
    inbox = MemoryInbox()
    one, _ = receiver(queue=3, inbox=inbox)
    statuses = [
        (await one.handle(*signed({"orderNo": str(number)}), Granting())).status
        for number in range(5)
    ]
    assert statuses == [202, 202, 202, 503, 503]
    assert await inbox.waiting() == 3
    # What was known before takes no place.
    assert await inbox.keep((await inbox.take(lease=1, limit=1))[0].stored) is Standing.RUNNING


async def test_a_thread_that_takes_too_long_keeps_its_claim(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may still be granting: nobody else may begin before its lease ends."""
    monkeypatch.setattr(receiving, "_HANDLER_SHARE", 0.001)
    one, _ = receiver(lease=30.0, patience=0.02)
    free = threading.Event()
    calls = 0

    def slow(_: object) -> None:
        nonlocal calls
        calls += 1
        free.wait(5)

    assert (await one.handle(*signed(), slow)).status == 500
    again = await one.handle(*signed(), Granting())
    free.set()
    assert again.status == 503
    assert calls == 1
