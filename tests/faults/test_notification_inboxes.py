"""Deliveries at once, crashes and lost stores, on real servers. Section H of the catalogue."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from inboxes import DURABLE, fresh_address, opened, program
from pushes import KEY, KEY_ID, Granting, receiver, signed

from linksfield_async.errors import InboxUnavailable
from linksfield_async.notifications import ClaimedByHandler, MemoryInbox, PostgresInbox, RedisInbox
from linksfield_async.notifications.inbox import Stored


async def test_h12_a_thousand_replays_at_once_run_the_handler_once() -> None:
    one, _ = receiver()
    handler = Granting()
    message = signed()
    answers = await asyncio.gather(*(one.handle(*message, handler) for _ in range(1000)))
    assert {answer.status for answer in answers} == {200}
    assert handler.calls == 1


@pytest.mark.parametrize("kind", DURABLE)
async def test_h12_replays_on_eight_workers(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    address = await fresh_address(kind, request)
    grants, message = tmp_path / "grants", signed()
    workers = [program(address, grants, message, times=125) for _ in range(8)]
    told = []
    for worker in workers:
        with worker:
            told.append(worker.communicate(timeout=60)[0])
    assert [set(json.loads(out)) for out in told] == [{200}] * 8
    assert grants.read_text() == "granted\n"


@pytest.mark.parametrize("kind", DURABLE)
async def test_h14_killed_after_the_claim(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The next delivery, or the sweeper, runs what a killed process had claimed."""
    address = await fresh_address(kind, request)
    grants, message = tmp_path / "grants", signed()
    with program(address, grants, message, hang=True, lease=2.0) as worker:
        end = time.monotonic() + 20
        while not grants.exists():
            assert time.monotonic() < end
            await asyncio.sleep(0.02)
        worker.kill()
    async with opened(address) as inbox:
        handler = Granting()
        hasty, _ = receiver(inbox=inbox, patience=0.3)
        assert (await hasty.handle(*message, handler)).status == 503  # the lease still holds
        assert handler.calls == 0
        one, _ = receiver(inbox=inbox)
        end = time.monotonic() + 20
        while not await one.sweep(handler):
            assert time.monotonic() < end
            await asyncio.sleep(0.05)
        assert handler.calls == 1
        assert handler.notices[0].order_id == "2026010100001"
        assert handler.notices[0].authenticity.value == "signed"
        assert (await one.handle(*message, handler)).status == 200
        assert (handler.calls, await one.sweep(handler)) == (1, 0)


class Failing(MemoryInbox):
    """A store that is down, or slow, when told so."""

    def __init__(self) -> None:
        super().__init__()
        self.down = self.slow = False

    async def acquire(self, stored: Stored, *, lease: float) -> Any:
        if self.slow:
            await asyncio.sleep(30)
        if self.down:
            raise InboxUnavailable("down")
        return await super().acquire(stored, lease=lease)


async def test_h15_a_store_that_is_down_or_slow_brings_the_message_again() -> None:
    inbox = Failing()
    one, events = receiver(inbox=inbox, patience=0.05)
    handler = Granting()
    inbox.down = True
    assert (await one.handle(*signed(), handler)).status == 503
    inbox.down, inbox.slow = False, True
    assert (await one.handle(*signed(), handler)).status == 503
    inbox.slow = False
    assert (await one.handle(*signed(), handler)).status == 200
    assert [event.kind for event in events] == ["unavailable", "unavailable", "taken"]
    assert handler.calls == 1


async def test_h15_redis_down_and_flushed(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """After a flush the grant's own unique key stops the second run."""
    await fresh_address("redis", request)
    from redis.asyncio import Redis
    from stores import RedisProcess

    server = RedisProcess(tmp_path)
    inbox = RedisInbox(server.url, timeout=1.0)
    one, _ = receiver(inbox=inbox)
    granted: set[str | None] = set()
    doubles = 0

    async def grant(notice: Any) -> None:
        nonlocal doubles
        doubles += notice.order_id in granted  # what a unique key in a table does
        granted.add(notice.order_id)

    try:
        assert (await one.handle(*signed(), grant)).status == 200
        async with Redis.from_url(server.url) as redis:
            await redis.flushall()
        assert (await one.handle(*signed(), grant)).status == 200
        assert (granted, doubles) == ({"2026010100001"}, 1)
        server.kill()
        other = signed({"orderNo": "2"})
        assert (await one.handle(*other, grant)).status == 503
        server.start()
        assert (await one.handle(*other, grant)).status == 200
        assert granted == {"2026010100001", "2"}
    finally:
        await inbox.aclose()
        server.kill()


async def test_h15_postgres_down(request: pytest.FixtureRequest) -> None:
    pytest.importorskip("psycopg")
    inbox = PostgresInbox("host=127.0.0.1 port=1 user=nobody dbname=none")
    one, _ = receiver(inbox=inbox)
    assert (await one.handle(*signed(), Granting())).status == 503


async def test_h15_postgres_restarted(request: pytest.FixtureRequest) -> None:
    """A connection that was ended costs one answer; a query that is given up costs none."""
    address = await fresh_address("postgres", request)
    import psycopg

    dsn = address.partition(":")[2]
    async with opened(address) as inbox, await psycopg.AsyncConnection.connect(dsn) as other:
        one, _ = receiver(inbox=inbox, patience=0.5)
        handler = Granting()
        assert (await one.handle(*signed(), handler)).status == 200
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
        await other.commit()
        statuses = [(await one.handle(*signed({"orderNo": "2"}), handler)).status for _ in "ab"]
        assert statuses in ([503, 200], [200, 200])
        await other.execute("LOCK TABLE linksfield_inbox IN ACCESS EXCLUSIVE MODE")
        assert (await one.handle(*signed({"orderNo": "3"}), handler)).status == 503
        await other.rollback()
        assert (await one.handle(*signed({"orderNo": "3"}), handler)).status == 200
    assert handler.calls == 3


async def test_h14_claim_and_grant_in_one_transaction(request: pytest.FixtureRequest) -> None:
    """With PostgreSQL a crash between claim and grant loses neither, and nothing runs twice."""
    address = await fresh_address("postgres", request)
    import psycopg

    dsn = address.partition(":")[2]
    inbox = PostgresInbox(dsn)
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as setting_up:
        await setting_up.execute("DROP TABLE IF EXISTS granted")
        await setting_up.execute("CREATE TABLE granted (order_id text)")  # no unique key at all
    crash = True

    async def grant(notice: Any) -> None:
        connection = await psycopg.AsyncConnection.connect(dsn)
        async with connection, inbox.claim(connection, notice) as fresh:
            if fresh:
                await connection.execute("INSERT INTO granted VALUES (%s)", [notice.order_id])
            if crash:
                raise RuntimeError("died before the commit")

    one, _ = receiver(keys={KEY_ID: KEY}, inbox=ClaimedByHandler())
    assert (await one.handle(*signed(), grant)).status == 500
    crash = False
    answers = await asyncio.gather(*(one.handle(*signed(), grant) for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        rows = await (await connection.execute("SELECT order_id FROM granted")).fetchall()
    assert rows == [("2026010100001",)]
