from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from linksfield_async import Account, ConfigurationError, Endpoints, SyncClient
from linksfield_async.testing.plugin import SandboxThread


def test_it_serves_until_the_block_ends_and_stays_readable() -> None:
    with SandboxThread(cards=100) as sandbox, SyncClient(sandbox.account) as client:
        client.vshop.verify_card(iccid=next(sandbox.world.iccids()))
        assert sandbox.requests.last.outcome == "ok"
    assert len(sandbox.requests) == 1
    sandbox.clock.advance(days=1)
    with pytest.raises(ConfigurationError, match="not running"):
        assert sandbox.url


def test_closing_twice_or_before_the_start_does_nothing() -> None:
    thread = SandboxThread(cards=10)
    thread.close()
    thread.start()
    thread.close()
    thread.close()
    with pytest.raises(ConfigurationError, match="runs once"):
        thread.start()


def test_a_start_that_fails_is_told_where_it_was_asked_for() -> None:
    with (
        SandboxThread(cards=10) as other,
        pytest.raises(ConfigurationError, match="cannot listen"),
        SandboxThread(cards=10, port=int(other.url.rpartition(":")[2])),
    ):
        pytest.fail("two servers on one port")
    with pytest.raises(ConfigurationError, match="cards must be"):
        SandboxThread(cards=0)


def test_what_is_called_runs_there_and_raises_here() -> None:
    thread = SandboxThread(cards=10)
    with thread:
        there = thread.call(threading.current_thread)
        assert there is not threading.current_thread()
        assert thread.call(lambda: thread.call(threading.current_thread)) is there
        with pytest.raises(ZeroDivisionError):
            thread.call(lambda: 1 // 0)
    assert thread.call(threading.current_thread) is threading.current_thread()
    with pytest.raises(ConfigurationError, match="not running"):
        thread.submit(asyncio.sleep(0))


def test_threads_that_look_and_change_at_once_while_requests_come_in() -> None:
    """The clock's agenda, the log and the faults are in one piece afterwards."""
    failures: list[BaseException] = []
    with SandboxThread(cards=1_000) as sandbox:
        cards = [card for card, _ in zip(sandbox.world.iccids(), range(20), strict=False)]
        fallen_due: list[datetime] = []
        for number in range(200):
            sandbox.clock.at(sandbox.clock.now() + timedelta(seconds=number), fallen_due.append)

        def guarded(work: Callable[[], None]) -> None:
            try:
                work()
            except BaseException as error:
                failures.append(error)

        def ask() -> None:
            endpoints = Endpoints.at(sandbox.url)
            with SyncClient(Account("P000270", endpoints=endpoints)) as client:
                for card in cards * 3:
                    client.vshop.verify_card(iccid=card)

        def look() -> None:
            for _ in range(100):
                sandbox.clock.advance(seconds=1)
                assert len(list(sandbox.requests)) <= 120
                assert len(sandbox.requests.of("SingleVerify").carried_out) <= 120
                sandbox.faults.clear()

        threads = [
            threading.Thread(target=guarded, args=(work,)) for work in (ask, ask, look, look)
        ]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert failures == []
        assert len(fallen_due) == 200
        assert fallen_due == sorted(fallen_due)
        assert len(sandbox.requests) == 120
        moved = (sandbox.clock.now() - fallen_due[0]).total_seconds()
        assert moved >= 200
