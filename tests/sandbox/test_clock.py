"""The agenda: what is planned, what raises, and clocks that do not know each other."""

import logging
from datetime import timedelta
from itertools import islice

import pytest

from linksfield_async import errors
from linksfield_async.sandbox import Clock, Sandbox
from linksfield_async.sandbox.clock import START


@pytest.fixture
def clock():
    clock = Clock()
    clock.pause()
    return clock


def in_days(clock, days):
    return clock.now() + timedelta(days=days)


def test_one_that_raises_loses_no_other(clock):
    seen = []

    def fails(when):
        raise ValueError(f"{len(seen)} before")

    for day, action in ((1, seen.append), (2, fails), (3, seen.append), (4, fails), (9, fails)):
        clock.at(in_days(clock, day), action)
    with pytest.raises(ExceptionGroup) as caught:
        clock.advance(days=5)
    assert [str(error) for error in caught.value.exceptions] == ["1 before", "2 before"]
    assert [(when - START).days for when in seen] == [1, 3]
    clock.advance(days=1)
    with pytest.raises(ExceptionGroup):
        clock.advance(days=5)


def test_it_is_the_time_of_what_falls_due(clock):
    seen = []
    start = clock.now()

    def again(when):
        seen.append((clock.now() - start).days)
        if len(seen) < 4:
            clock.at(in_days(clock, 10), again)

    clock.at(in_days(clock, 10), again)
    clock.advance(days=365)
    assert seen == [10, 20, 30, 40]
    assert (clock.now() - start).days == 365


def test_what_falls_due_cannot_move_the_clock(clock):
    clock.at(clock.now(), lambda when: clock.advance(days=1))
    clock.at(clock.now(), lambda when: clock.run_due())
    with pytest.raises(ExceptionGroup) as caught:
        clock.run_due()
    (error,) = caught.value.exceptions
    assert isinstance(error, errors.ConfigurationError)


def test_plans_can_be_listed_and_restored(clock):
    seen = []
    clock.on("call", lambda key, when: seen.append((key, (when - START).days)))
    clock.at(in_days(clock, 1), lambda when: None)
    for key, days in (("b", 2), ("a", 1), ("c", 2)):
        clock.plan(in_days(clock, days), "call", key)
    planned = clock.planned()
    assert [(kind, key) for _, kind, key in planned] == [
        ("call", "a"),
        ("call", "b"),
        ("call", "c"),
    ]
    assert clock.knows("call")
    assert not clock.knows("write")
    other = Clock()
    other.on("call", lambda key, when: seen.append(key))
    other.restore(clock.now(), planned)
    other.advance(days=3)
    assert seen == ["a", "b", "c"]
    clock.advance(days=3)
    assert seen[3:] == [("a", 1), ("b", 2), ("c", 2)]


async def test_two_sandboxes_have_two_clocks(caller_of):
    async with Sandbox(cards=50) as one, Sandbox(cards=50) as two:
        for sandbox in (one, two):
            sandbox.clock.pause()
            card = next(islice(sandbox.world.iccids(), 1))
            path = "/topup/mall/bundle-groups/G1003/sims"
            await caller_of(sandbox)(path, in_path={"group_id": "G1003"}, sim_ids=[card])
        one.clock.advance(days=1)
        assert len(one.world.groups["G1003"].members) == 1
        assert len(two.world.groups["G1003"].members) == 0
        assert one.clock.now() - two.clock.now() > timedelta(hours=23)


async def test_a_request_is_answered_although_the_agenda_fails(call, card, caplog):
    clock = call.sandbox.clock
    clock.at(clock.now(), lambda when: 1 / 0)
    with caplog.at_level(logging.ERROR):
        assert (await call("/vshop/singleVerify", deviceCode=card)).data
    assert "what fell due in the sandbox failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text
