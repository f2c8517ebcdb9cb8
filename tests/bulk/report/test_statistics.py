from __future__ import annotations

import math
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linksfield_async import InvalidInput, OutcomeUnknown, Refused, Throttled
from linksfield_async.bulk.outcome import Outcome
from linksfield_async.bulk.report.reasons import MOST_GROUPS, Reasons
from linksfield_async.bulk.report.statistics import Latency, Statistics, Throughput


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def valid(position=0, elapsed=0.05, attempts=1, **more):
    return Outcome(position, "8985", "valid", None, None, attempts, elapsed, **more)


def refused(text, position=0, *, status=200, code="F", **more):
    error = Refused(text, status=status, code=code)
    return Outcome(position, "8985", "refused", None, error, 1, 0.05, **more)


def test_outcomes_are_counted_by_verdict_attempts_and_time():
    clock = Clock()
    statistics = Statistics(clock)
    clock.now += 2
    statistics.add(valid(0, attempts=3))
    statistics.add(valid(1))
    statistics.add(refused("no", 2))
    clock.now += 2
    statistics.add(Outcome(3, None, "invalid_input", None, InvalidInput("no ICCID"), 0))
    assert statistics.verdicts == {
        "valid": 2, "refused": 1, "invalid_input": 1, "failed": 0, "unknown": 0,
    }  # fmt: skip
    assert (statistics.total, statistics.sent, statistics.repeated) == (4, 3, 1)
    assert statistics.mean_attempts == pytest.approx(5 / 3)
    assert statistics.throughput.until == 4
    assert statistics.throughput.per_second() == 1
    assert statistics.latency.total == 3


def test_what_an_earlier_session_knew_counts_in_verdicts_and_reasons_alone():
    clock = Clock()
    statistics = Statistics(clock)
    clock.now += 1
    statistics.add(valid(0, replayed=True))
    statistics.add(refused("no", 1, replayed=True))
    statistics.skipped("valid", 10)
    statistics.skipped("refused", 5)
    assert (statistics.verdicts["valid"], statistics.verdicts["refused"]) == (11, 6)
    assert (statistics.replayed, statistics.skipped_reasons) == (17, 5)
    assert statistics.throughput.total == statistics.latency.total == statistics.sent == 0
    assert statistics.throughput.per_second() is None
    assert statistics.mean_attempts is None
    assert [group.count for group in statistics.reasons.groups()] == [1]


def test_a_duplicate_and_what_was_not_sent_have_no_latency():
    statistics = Statistics(Clock())
    statistics.add(valid(1, duplicate_of=0))
    statistics.add(Outcome(2, None, "invalid_input", None, InvalidInput("no ICCID"), 0))
    statistics.add(Outcome(3, None, "failed", None, Throttled("later"), 0))
    assert statistics.throughput.total == 3
    assert statistics.duplicates == 1
    assert statistics.latency.total == statistics.sent == 0


def test_the_same_reason_about_other_cards_is_one_group():
    reasons = Reasons()
    for position in range(7):
        text = f"SingleVerify refused with HTTP 200: card 898520000000000{position:04} is off"
        reasons.add(refused(text, position, row=position + 2))
    (group,) = reasons.groups()
    assert group.text == "SingleVerify refused with HTTP 200: card … is off"
    assert (group.count, group.verdict, group.kind) == (7, "refused", "Refused")
    assert (group.status, group.code) == (200, "F")
    assert (group.rows, group.positions) == ([2, 3, 4, 5, 6], [])


def test_a_single_reason_is_told_word_for_word():
    reasons = Reasons()
    reasons.add(refused("9 of 10 cards, 1 left", 3))
    (group,) = reasons.groups()
    assert (group.text, group.rows, group.positions) == ("9 of 10 cards, 1 left", [], [3])


def test_what_tells_reasons_apart():
    reasons = Reasons()
    reasons.add(refused("card 1", code="A"))
    reasons.add(refused("card 2", code="B"))
    reasons.add(refused("card 3", code="A", status=400))
    reasons.add(Outcome(4, None, "unknown", None, OutcomeUnknown("card 4"), 1))
    reasons.add(Outcome(5, None, "failed", None, None, 1))
    texts = [group.text for group in reasons.groups()]
    assert texts == ["card 1", "card 2", "card 3", "card 4", "no reason given"]


def test_reasons_beyond_the_limit_are_one_group():
    reasons = Reasons()
    words = ["".join(chr(97 + int(digit)) for digit in str(n)) for n in range(MOST_GROUPS + 50)]
    for word in words:
        reasons.add(refused(word))
    for _ in range(3):
        reasons.add(refused(words[7]))
    groups = reasons.groups()
    assert len(groups) == MOST_GROUPS + 1
    assert (groups[0].text, groups[0].count) == (words[7], 4)
    assert (groups[-1].text, groups[-1].count, groups[-1].verdict) == ("other reasons", 50, None)


def test_a_code_from_outside_is_cut_and_masked():
    reasons = Reasons()
    reasons.add(refused("no", code="\n8985200012345678901 " + "x" * 10_000))
    (group,) = reasons.groups()
    assert group.code is not None
    assert group.code.startswith("\\n898520…8901")
    assert len(group.code) < 100


@given(st.lists(st.floats(1e-4, 999), min_size=1, max_size=300), st.sampled_from([0.5, 0.9, 0.99]))
def test_quantiles_are_within_a_bucket_of_the_exact_ones(times, share):
    latency = Latency()
    for one in times:
        latency.add(one)
    exact = sorted(times)[math.ceil(share * len(times) - 1e-9) - 1]
    found = latency.quantile(share)
    assert found is not None
    assert exact / 1.05 <= found <= exact * 1.05
    assert min(times) <= found <= max(times) == latency.longest


def test_latency_takes_any_time():
    latency = Latency()
    assert latency.quantile(0.5) is None
    for one in (0.0, 1e-9, 5e3, math.inf):
        latency.add(one)
    assert sum(latency.counts) == latency.total == 4
    assert (latency.counts[0], latency.counts[-1]) == (2, 2)
    assert (latency.shortest, latency.longest) == (0.0, math.inf)


@given(st.lists(st.floats(0, 1e7), min_size=1, max_size=200), st.integers(1, 200))
def test_no_outcome_is_lost_over_time(times, most):
    throughput = Throughput()
    for number, at in enumerate(times):
        throughput.add(at, decided=number % 3 > 0)
    steps = throughput.steps(most)
    if max(times) < Throughput.SHORTEST:
        assert steps == []
        return
    assert len(steps) <= most
    assert (steps[0].start, steps[-1].end) == (0, max(times))
    assert all(one.end == other.start for one, other in pairwise(steps))
    decided = sum(step.decided * (step.end - step.start) for step in steps)
    undecided = sum(step.undecided * (step.end - step.start) for step in steps)
    assert undecided == pytest.approx(len(range(0, len(times), 3)))
    assert decided + undecided == pytest.approx(len(times))


def test_buckets_double_their_width_when_time_goes_on():
    throughput = Throughput()
    for second in range(600):
        throughput.add(second, decided=True)
    assert throughput.width == 1
    assert [step.decided for step in throughput.steps(6)] == pytest.approx([1] * 6, rel=0.02)


def test_memory_does_not_grow_with_the_run():
    clock = Clock()
    statistics = Statistics(clock)

    def size(value):
        if isinstance(value, dict):
            return sys.getsizeof(value) + sum(map(size, (*value, *value.values())))
        if isinstance(value, (list, tuple)):
            return sys.getsizeof(value) + sum(map(size, value))
        slots = getattr(type(value), "__slots__", ())
        inner = [getattr(value, name) for name in slots if hasattr(value, name)]
        inner += vars(value).values() if hasattr(value, "__dict__") else []
        own = [one for one in inner if not callable(one)]
        return sys.getsizeof(value) + sum(map(size, own))

    def run(count):
        for number in range(count):
            clock.now += 0.5
            statistics.add(refused(f"card {number} is off", number, row=number))
            statistics.add(valid(number, elapsed=number / 1000))
        return size([statistics.throughput, statistics.latency, statistics.reasons])

    first = run(1000)
    assert run(5000) < first * 1.02
