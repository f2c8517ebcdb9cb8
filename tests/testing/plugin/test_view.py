from __future__ import annotations

import threading
from typing import Any

import attrs
import pytest

from linksfield_async import ConfigurationError, SyncClient
from linksfield_async.sandbox import Received, drop_answer
from linksfield_async.testing.plugin import SandboxThread, View


def test_parts_are_views_and_records_are_records() -> None:
    with SandboxThread(cards=100) as sandbox, SyncClient(sandbox.account) as client:
        for part in (sandbox, sandbox.clock, sandbox.faults, sandbox.requests, sandbox.world):
            assert isinstance(part, View)
        assert isinstance(sandbox.world.orders, View)
        card = next(sandbox.world.iccids())
        client.vshop.verify_card(iccid=card)
        assert isinstance(sandbox.requests.last, Received)
        state = sandbox.world.card(card)
        assert state is not None
        assert attrs.has(type(state))
        assert state.orders == ()
        assert not isinstance(sandbox.world.groups["G1001"], View)


def test_all_that_a_log_can_do() -> None:
    with SandboxThread(cards=100) as sandbox, SyncClient(sandbox.account) as client:
        assert not sandbox.requests
        assert not sandbox.faults
        client.groups.list()
        (seen,) = sandbox.requests
        assert len(sandbox.requests) == 1
        assert sandbox.requests[0] is seen
        assert sandbox.requests[:1] == [seen]
        assert seen in sandbox.requests
        assert repr(sandbox.requests) == "<1 requests kept of 1>"
        assert sandbox.requests.of("ListGroups").once() is seen
        sandbox.faults.next(None, drop_answer())
        assert sandbox.faults
        assert [one.fault for one in sandbox.faults.pending] == ["drop_answer"]


def test_what_is_set_arrives() -> None:
    with SandboxThread(cards=100) as sandbox:
        sandbox.world.group_behaviour.max_cards = 3
        assert sandbox.world.group_behaviour.max_cards == 3
        sandbox.requests.total = 7
        assert sandbox.requests.total == 7


def test_everything_happens_in_the_thread_of_the_sandbox() -> None:
    where: list[Any] = []
    with SandboxThread(cards=100) as sandbox:
        sandbox.clock.at(
            sandbox.clock.now(), lambda when: where.append((threading.current_thread(), when))
        )
        sandbox.clock.advance(days=1)
        # From there it is used directly: it would wait for itself.
        sandbox.clock.at(
            sandbox.clock.now(), lambda when: where.append(sandbox.clock.now() >= when)
        )
        sandbox.clock.advance(days=1)
    assert where[0][0].name == "linksfield sandbox"
    assert where[1] is True


def test_views_of_the_same_part_are_equal() -> None:
    with SandboxThread(cards=100) as sandbox:
        assert sandbox.clock == sandbox.clock
        assert sandbox.clock != sandbox.faults
        assert hash(sandbox.clock) == hash(sandbox.clock)
        assert "advance" in dir(sandbox.clock)
        assert sandbox.clock.advance.__doc__
        assert not hasattr(sandbox.clock, "avdance")


async def test_its_own_start_and_close_are_not_for_others() -> None:
    with SandboxThread(cards=100) as sandbox:
        with pytest.raises(ConfigurationError, match=r"needs no start\(\)"):
            await sandbox.start()
        with pytest.raises(ConfigurationError, match=r"needs no close\(\)"):
            await sandbox.close()


async def test_a_coroutine_function_runs_there_and_is_awaited_here() -> None:
    class Part:
        async def where(self) -> threading.Thread:
            return threading.current_thread()

    thread = SandboxThread(cards=100)
    with thread:
        assert (await View(Part(), thread).where()).name == "linksfield sandbox"
