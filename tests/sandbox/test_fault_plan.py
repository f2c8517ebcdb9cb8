"""Which request gets which fault: scripts, shares by the seed, hidden limits."""

import pytest

from linksfield_async import errors
from linksfield_async.operations import SingleVerify
from linksfield_async.sandbox import (
    Faults,
    drop_answer,
    refuse,
    server_error,
    slow,
    throttled,
)
from linksfield_async.sandbox import fault_plan as plan_module


def drawn(faults, count, operation="SingleVerify"):
    names = (faults.draw(operation) for _ in range(count))
    return [fault and fault.name for fault in names]


def test_scripts_come_first_and_in_order():
    faults = Faults(1)
    assert not faults
    faults.always(SingleVerify, slow(1))
    faults.next("SingleVerify", drop_answer(), refuse())
    faults.next(None, throttled())
    assert faults
    assert drawn(faults, 1, "SingleOrder") == ["throttled 429"]
    assert drawn(faults, 4) == ["drop_answer", "refuse 400", "slow 1", "slow 1"]
    assert drawn(faults, 1, "SingleOrder") == [None]
    assert repr(faults) == "<0 scripted faults, 1 rules, 0 limits>"
    faults.clear()
    assert not faults


def test_shares_follow_from_the_seed():
    def make(seed):
        faults = Faults(seed)
        faults.rate(0.1, server_error(), operation="SingleVerify")
        faults.rate(0.3, drop_answer())
        return faults

    first = drawn(make(1), 1_000)
    assert first == drawn(make(1), 1_000) != drawn(make(2), 1_000)
    assert 60 < first.count("server_error 503") < 140
    assert 200 < first.count("drop_answer") < 340
    again = make(1)
    drawn(again, 17)
    again.clear()
    again.rate(0.1, server_error(), operation="SingleVerify")
    assert [one == "server_error 503" for one in first] == [
        one is not None for one in drawn(again, 1_000)
    ]


def test_limit_is_hidden_and_refills(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(plan_module.time, "monotonic", lambda: now[0])
    faults = Faults(1)
    faults.limit(per_second=10, burst=2, retry_after=3, operation="SingleVerify")
    assert drawn(faults, 3) == [None, None, "throttled 429"]
    assert drawn(faults, 3, "SingleOrder") == [None] * 3
    now[0] += 0.11
    assert drawn(faults, 2) == [None, "throttled 429"]
    now[0] += 1_000
    assert drawn(faults, 3) == [None, None, "throttled 429"]
    assert faults.draw("SingleVerify").reply.headers == {"Retry-After": "3"}


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda faults: faults.next("Verify", slow(1)), "no operation is called 'Verify'"),
        (lambda faults: faults.next("SingleVerify", slow), "a fault is needed"),
        (lambda faults: faults.rate(2, slow(1)), "share from 0 to 1, not 2"),
        (lambda faults: faults.rate(True, slow(1)), "share from 0 to 1"),
        (lambda faults: faults.rate(0.1, "slow"), "a fault is needed"),
        (lambda faults: faults.limit(per_second=0), "per_second must be from 1e-06 on"),
        (lambda faults: faults.limit(per_second="1"), "per_second must be from 1e-06 on"),
        (lambda faults: faults.limit(per_second=1, burst=0.5), "burst must be from 1 on"),
        (lambda faults: faults.limit(per_second=1, status=200), "status must be from 400"),
    ],
)
def test_wrong_settings(use, message):
    faults = Faults(1)
    with pytest.raises(errors.ConfigurationError, match=message):
        use(faults)
    assert not faults
