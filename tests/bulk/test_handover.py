from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from linksfield_async.bulk.handover import Handover, Ready
from linksfield_async.bulk.outcome import Outcome


def ready(position):
    return Ready(Outcome(position, None, "valid", None, None, 1), None)


@st.composite
def parts(draw):
    """Positions in a row: 0 for one with an outcome, n for so many that are passed over."""
    sizes = draw(st.lists(st.integers(0, 5), max_size=30))
    made, position = [], 0
    for size in sizes:
        made.append((position, size))
        position += max(1, size)
    return draw(st.permutations(made))


def feed(handover, made):
    for position, skipped in made:
        if skipped:
            handover.skip(position, skipped)
        else:
            handover.put(ready(position))


async def drained(handover):
    handover.ended()
    found = []
    while (one := await handover.get()) is not None:
        found.append(one.outcome.position)
    return found


@given(parts())
def test_in_order_whatever_the_order_they_come_in(made):
    handover = Handover(in_order=True)
    feed(handover, made)
    assert asyncio.run(drained(handover)) == sorted(p for p, skipped in made if not skipped)
    assert handover.rest() == []


@given(parts(), st.integers(0, 29))
def test_what_waits_for_one_that_never_comes_is_the_rest(made, missing):
    made = [part for part in made if part != next(iter(sorted(made)[missing:]), None)]
    handover = Handover(in_order=True)
    feed(handover, made)
    came = asyncio.run(drained(handover))
    rest = [one.outcome.position for one in handover.rest()]
    assert came + rest == sorted(p for p, skipped in made if not skipped)
    assert handover.rest() == []


@given(parts())
def test_as_they_come(made):
    handover = Handover(in_order=False)
    feed(handover, made)
    assert asyncio.run(drained(handover)) == [p for p, skipped in made if not skipped]
    assert handover.rest() == []
