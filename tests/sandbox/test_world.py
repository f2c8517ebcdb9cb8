"""Cards, clock and the request log."""

import tracemalloc
from collections import Counter
from datetime import timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linksfield_async import errors
from linksfield_async.operations import SingleVerify
from linksfield_async.sandbox import Clock, RequestLog, Sandbox
from linksfield_async.sandbox.cards import Cards, luhn_digit
from linksfield_async.sandbox.clock import START

COUNT = 10_000


def cards_of(seed, count=COUNT):
    return Cards(seed, count, "own", "other")


@given(seed=st.integers(-(2**63), 2**63 - 1), index=st.integers(0, COUNT - 1))
def test_every_card_is_found_by_its_iccid(seed, index):
    cards = cards_of(seed)
    iccid = cards.iccid(index)
    assert iccid.startswith("8985")
    assert iccid.isdigit()
    assert len(iccid) in (19, 20)
    found = cards.find(iccid)
    if cards.kind(index) == "unknown":
        assert found is None
    else:
        assert (found.index, found.iccid, found.kind) == (index, iccid, cards.kind(index))
        assert found.partner_code == ("other" if found.kind == "foreign" else "own")


@given(st.integers(0, COUNT - 1), st.integers(0, 18), st.integers(1, 9))
def test_one_wrong_digit_is_another_card(index, place, change):
    cards = cards_of(1)
    iccid = cards.iccid(index)
    digit = (int(iccid[place]) + change) % 10
    assert cards.find(f"{iccid[:place]}{digit}{iccid[place + 1 :]}") is None


def test_cards_are_a_lifelike_mix():
    cards = cards_of(1)
    iccids = list(cards.iccids(None))
    assert len(set(iccids)) == COUNT
    kinds = Counter(cards.kind(index) for index in range(COUNT))
    assert kinds == {"valid": 9_400, "foreign": 300, "suspended": 100, "unknown": 200}
    assert 0.3 < sum(luhn_digit(iccid[:-1]) == int(iccid[-1]) for iccid in iccids) / COUNT < 0.5
    assert 0.4 < sum(len(iccid) == 20 for iccid in iccids) / COUNT < 0.6
    assert set(cards_of(2).iccids(None)).isdisjoint(iccids)


def test_luhn_digit():
    assert luhn_digit("7992739871") == 3


def test_twenty_cards_hold_every_kind_and_one_is_valid():
    assert {cards_of(7, 20).kind(index) for index in range(20)} == {
        "valid", "foreign", "suspended", "unknown"
    }  # fmt: skip
    assert len(list(cards_of(7, 1).iccids("valid"))) == 1


def test_world_tells_of_cards():
    world = Sandbox(cards=100).world
    valid, foreign = next(world.iccids()), next(world.iccids("foreign"))
    assert world.is_valid(valid)
    assert not world.is_valid(foreign)
    assert not world.is_valid(next(world.iccids("unknown")))
    assert world.card(foreign).partner_code == world.other_partner != world.partner_code
    assert world.card("x") is None
    assert valid not in repr(world.card(valid))
    assert len(list(world.iccids(None))) == len(world.cards) == 100
    assert list(world.iccids()) == list(world.cards.iccids("valid", backwards=True))[::-1]
    with pytest.raises(errors.ConfigurationError, match="kind must be one of valid, foreign"):
        world.iccids("good")


def test_many_cards_cost_nothing():
    tracemalloc.start()
    try:
        sandbox = Sandbox(cards=100_000_000)
        list(islice(sandbox.world.iccids(), 100))
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert used < 2_000_000


def test_other_partner_is_never_the_own():
    assert Sandbox(partner_code="P990001").world.other_partner == "P990002"


def test_clock_runs_pauses_and_moves_on():
    clock = Clock()
    assert START <= clock.now() <= clock.now() < START + timedelta(hours=1)
    clock.pause()
    stopped = clock.now()
    assert clock.now() == stopped
    assert clock.advance(days=2, seconds=30) == stopped + timedelta(days=2, seconds=30)
    clock.pause()
    assert clock.now() == stopped + timedelta(days=2, seconds=30)
    clock.resume()
    clock.resume()
    moved = clock.now()
    while clock.now() == moved:
        pass
    assert clock.now() < moved + timedelta(hours=1)


def test_clock_does_what_is_due_in_order():
    clock, seen = Clock(), []
    clock.pause()
    now = clock.now()

    def again(when):
        seen.append(("again", when))
        if when < now + timedelta(seconds=30):
            clock.at(when + timedelta(seconds=10), again)

    clock.at(now + timedelta(seconds=10), again)
    clock.at(now + timedelta(seconds=15), lambda when: seen.append(("once", when)))
    clock.at(now + timedelta(seconds=99), lambda when: seen.append(("late", when)))
    clock.advance(seconds=5)
    assert seen == []
    clock.advance(seconds=60)
    assert [(name, (when - now).seconds) for name, when in seen] == [
        ("again", 10), ("once", 15), ("again", 20), ("again", 30)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wrong", [{"days": -1}, {"seconds": "1"}, {"days": True}, {"days": float("nan")}, {"days": 1e9}]
)
def test_clock_refuses(wrong):
    clock = Clock()
    with pytest.raises(errors.ConfigurationError):
        clock.advance(**wrong)
    assert clock.now() < START + timedelta(hours=1)


async def test_log_tells_what_came_in(call, card):
    await call("/vshop/singleVerify", deviceCode=card, area="欧洲")
    await call("/topup/mall/order", http="GET", order_id="1")
    await call("/topup/async-result/R%201", http="GET", in_path={"request_id": "R 1"})
    verify, order, result = call.sandbox.requests
    assert (verify.index, verify.method, verify.path) == (0, "POST", "/vshop/singleVerify")
    assert (verify.operation, verify.status, verify.outcome) == ("SingleVerify", 200, "ok")
    assert verify.time == call.sandbox.clock.now()
    assert verify.params["area"] == "欧洲"
    assert b'"deviceCode"' in verify.body
    assert verify.headers["host"] in call.sandbox.url
    assert order.params["order_id"] == "1"
    assert result.params["request_id"] == "R 1"
    assert result.outcome == "refused: request_id is unknown"
    assert card not in repr(verify)
    assert not hasattr(verify, "__dict__")


async def test_log_is_bounded_and_counts_on(caller_of):
    async with Sandbox(cards=20, keep_requests=3) as sandbox:
        call = caller_of(sandbox)
        for number in range(5):
            await call("/vshop/singleVerify", deviceCode=str(number))
        assert sandbox.requests.total == 5
        assert [request.index for request in sandbox.requests] == [2, 3, 4]
        assert sandbox.requests[-1].params["deviceCode"] == "4"
        assert [request.index for request in sandbox.requests[:2]] == [2, 3]
        assert [request.index for request in sandbox.requests[::-1]] == [4, 3, 2]
        assert repr(sandbox.requests) == "<3 requests kept of 5>"
        sandbox.requests.clear()
        await call("/vshop/singleVerify", deviceCode="5")
        assert [request.index for request in sandbox.requests] == [5]


async def test_log_may_keep_nothing(caller_of):
    async with Sandbox(cards=20, keep_requests=0) as sandbox:
        await caller_of(sandbox)("/vshop/singleVerify", deviceCode="1")
        assert (len(sandbox.requests), sandbox.requests.total) == (0, 1)


async def test_log_by_operation(call, card):
    await call("/vshop/singleVerify", deviceCode=card)
    await call("/vshop/nothing")
    assert [request.index for request in call.sandbox.requests.of(SingleVerify)] == [0]
    assert call.sandbox.requests.of("SingleVerify") == call.sandbox.requests.of(SingleVerify)
    assert call.sandbox.requests.of("SingleOrder") == []
    with pytest.raises(errors.ConfigurationError, match="no operation is called 'Verify'"):
        RequestLog(1).of("Verify")


async def test_equal_headers_are_kept_once(call, card):
    for _ in range(2):
        await call("/vshop/singleVerify", deviceCode=card)
    first, second = call.sandbox.requests
    assert first.headers is second.headers
