from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from linksfield_async.bulk.handover import Handover
from linksfield_async.bulk.outcome import Outcome


def ready(position):
    return (Outcome(position, None, "valid", None, None, 1), None)


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
    """Give the positions in the order in which they are handed over."""
    handover.givers = 1
    found = []

    async def take():
        while await handover.wait():
            while (one := handover.ready.popleft() if handover.ready else None) is not None:
                found.append(one[0].position)

    taking = asyncio.ensure_future(take())
    await asyncio.sleep(0)
    came = len(found)
    assert not taking.done()
    handover.ended()
    await taking
    return found[:came], found[came:]


@given(parts())
def test_in_order_whatever_the_order_they_come_in(made):
    handover = Handover(in_order=True)
    feed(handover, made)
    assert asyncio.run(drained(handover)) == (sorted(p for p, n in made if not n), [])


@given(parts(), st.integers(0, 29))
def test_what_waits_for_one_that_never_comes_is_the_rest(made, missing):
    gone = next(iter(sorted(made)[missing:]), None)
    made = [part for part in made if part != gone]
    handover = Handover(in_order=True)
    feed(handover, made)
    came, rest = asyncio.run(drained(handover))
    assert came == sorted(p for p, n in made if not n and (gone is None or p < gone[0]))
    assert came + rest == sorted(p for p, n in made if not n)


@given(parts())
def test_as_they_come(made):
    handover = Handover(in_order=False)
    feed(handover, made)
    assert asyncio.run(drained(handover)) == ([p for p, n in made if not n], [])
