from __future__ import annotations

import attrs
from hypothesis import given
from hypothesis import strategies as st

from linksfield_async.bulk.outcome import Outcome
from linksfield_async.bulk.progress import VERDICTS, Meter


def outcome(verdict="valid", **changes):
    return attrs.evolve(Outcome(0, None, verdict, None, None, 1), **changes)


def told(meter, *, taken=0, total=None):
    return meter.progress(taken=taken, total=total, in_flight=0, concurrency=1, rate=None)


EVENTS = st.lists(
    st.tuples(st.sampled_from(VERDICTS), st.sampled_from(["now", "replayed", "double", "passed"]))
)


@given(EVENTS, st.integers(0, 50), st.none() | st.integers(0, 100))
def test_b23_the_parts_are_the_whole(events, under_way, total):
    meter = Meter()
    for verdict, how in events:
        if how == "passed":
            meter.skipped(verdict, 3)
        else:
            meter.add(
                outcome(
                    verdict,
                    replayed=how == "replayed",
                    duplicate_of=0 if how == "double" else None,
                )
            )
        taken = meter.outcomes + under_way
        found = told(meter, taken=taken, total=total)
        assert found.done + found.failed + found.unknown + found.todo == found.total
        assert found.total == max(taken, total or 0)
        assert found.is_total_known == (total is not None)
        assert sum(found.verdicts.values()) == meter.outcomes
    kinds = [how for _, how in events]
    assert meter.replayed == kinds.count("replayed") + 3 * kinds.count("passed")
    assert meter.duplicates == kinds.count("double")


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_the_rate_is_that_of_the_last_seconds():
    clock = Clock()
    meter = Meter(clock)
    for rate in (100, 10):
        for _ in range(20):
            clock.now += 1
            for _ in range(rate):
                meter.add(outcome())
            meter.skipped("valid", 1_000)
            found = told(meter, taken=50_000, total=50_000)
    assert 9 <= found.per_second <= 11
    assert found.remaining == found.todo / found.per_second
    assert found.elapsed == 40


def test_the_rest_takes_a_time_only_where_it_can_be_told():
    clock = Clock()
    meter = Meter(clock)
    assert told(meter, total=5).remaining is None
    clock.now += 2
    meter.add(outcome())
    assert told(meter, taken=1).remaining is None
    assert told(meter, taken=1, total=5).remaining == 8
