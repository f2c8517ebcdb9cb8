from __future__ import annotations

import attrs
import pytest
from bulk_stubs import iccid

from linksfield_async import ConfigurationError
from linksfield_async.bulk.outcome import Outcome, verdict_on
from linksfield_async.bulk.stopping import StopRules, StopWatch
from linksfield_async.errors import BadAnswer, ConnectFailed, InvalidInput, Refused


def outcome(error=None, **changes):
    verdict = "valid" if error is None else verdict_on(error)
    return attrs.evolve(Outcome(0, iccid(0), verdict, None, error, 1), **changes)


def refused(text="no such partner"):
    return outcome(Refused(text, code="F"))


def reasons(rules, outcomes):
    watch = StopWatch(rules)
    return [watch.add(one) for one in outcomes]


def test_b17_more_than_the_share_of_the_window_failed():
    rules = StopRules(failure_share=0.2, window=10)
    lost = outcome(ConnectFailed("no"))
    assert not any(reasons(rules, [outcome()] * 50 + [lost] * 2))
    *before, last = reasons(rules, [outcome()] * 50 + [lost] * 3)
    assert not any(before)
    assert last == "3 of the last 10 failed, 3 of them with ConnectFailed"


def test_the_window_moves_on():
    rules = StopRules(failure_share=0.2, window=10)
    sparse = ([outcome(BadAnswer("?"))] + [outcome()] * 4) * 40
    assert not any(reasons(rules, sparse))


def test_few_failures_at_the_start_are_no_share_of_the_window():
    rules = StopRules(failure_share=0.2, window=1_000)
    assert not any(reasons(rules, [outcome(ConnectFailed("no"))] * 200))


def test_b18_the_first_ones_all_refused_alike():
    rules = StopRules(identical_refusals=5)
    *before, last = reasons(rules, [refused()] * 5)
    assert not any(before)
    assert last == "the first 5 were all refused alike (no such partner)"


def test_refusals_that_differ_by_the_card_only_are_alike():
    rules = StopRules(identical_refusals=3)
    alike = [refused(f"card {iccid(n)} unknown, call 0800123456") for n in range(3)]
    assert reasons(rules, alike)[-1]


@pytest.mark.parametrize("other", [outcome(), refused("another"), outcome(BadAnswer("?"))])
def test_one_that_is_different_and_they_are_not_alike(other):
    rules = StopRules(identical_refusals=3, failure_share=None)
    for place in range(3):
        mixed = [refused()] * 20
        mixed[place] = other
        assert not any(reasons(rules, mixed))


def test_what_was_not_sent_now_does_not_count():
    rules = StopRules(identical_refusals=2, failure_share=0.0, window=2)
    lost = outcome(ConnectFailed("no"))
    watch = StopWatch(rules)
    for one in (
        attrs.evolve(refused(), replayed=True),
        attrs.evolve(lost, duplicate_of=0),
        outcome(InvalidInput("x")),
    ):
        assert [watch.add(one) for _ in range(5)] == [None] * 5


def test_never():
    lost = outcome(ConnectFailed("no"))
    assert not any(reasons(StopRules.never(), [refused()] * 200 + [lost] * 2_000))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("failure_share", 1),
        ("failure_share", -0.1),
        ("failure_share", float("nan")),
        ("failure_share", True),
        ("window", 0),
        ("window", None),
        ("window", 1.5),
        ("identical_refusals", 0),
        ("identical_refusals", True),
    ],
)
def test_a_wrong_rule_is_named(name, value):
    with pytest.raises(ConfigurationError, match=rf"StopRules\.{name} must be"):
        StopRules(**{name: value})
