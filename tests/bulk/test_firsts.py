from __future__ import annotations

import pytest
from bulk_stubs import ACCOUNT, GOOD, Answers, iccid, iccids, listed, opened, order, until
from hypothesis import given
from hypothesis import strategies as st

from linksfield_async.bulk import firsts
from linksfield_async.bulk.firsts import Firsts, Sieve
from linksfield_async.bulk.journal.hiding import Hiding
from linksfield_async.bulk.journal.rows import cells_of
from linksfield_async.bulk.outcome import Outcome

IDENTITIES = st.text(st.characters(codec="ascii"), max_size=20) | st.binary(max_size=16)


@given(st.lists(IDENTITIES), st.lists(IDENTITIES))
def test_a_sieve_never_says_that_one_is_new_which_is_not(at_once, one_by_one):
    sieve = Sieve()
    sieve.add_all(at_once)
    for identity in one_by_one:
        sieve.add(identity)
    assert all(sieve.add(identity) for identity in [*at_once, *one_by_one])


def test_a_sieve_is_seldom_wrong():
    sieve = Sieve()
    sieve.add_all(iccids(50_000))
    assert sum(sieve.add(iccid(n)) for n in range(50_000, 60_000)) < 100


async def test_what_a_journal_knows_is_found_and_an_intent_is_nothing_yet(tmp_path):
    ledger = await opened(tmp_path / "run.db")
    known = Firsts(ACCOUNT, Hiding(None), ledger)
    try:
        ledger.put(cells_of(3, "refused", key=iccid(3)))
        ledger.put(cells_of(4, None, key=iccid(4)))
        assert not known.may_know(iccid(3))  # nobody met it before
        assert known.may_know(iccid(3))
        found = await known.find(iccid(3), None, iccid(3))
        assert (found.position, found.verdict, found.replayed) == (3, "refused", True)
        known.seen([iccid(4), iccid(5)])
        assert known.may_know(iccid(4))
        assert known.may_know(iccid(5))
        assert await known.find(iccid(4), None, iccid(4)) is None
        assert await known.find(iccid(5), None, iccid(5)) is None
    finally:
        await known.close()
        await ledger.close("finished")


async def test_without_a_journal_it_remembers_in_memory():
    known = Firsts(ACCOUNT, Hiding(None), None)
    outcome = Outcome(0, iccid(0), "valid", None, None, 1)
    assert not known.may_know(iccid(0))
    known.remember(iccid(0), outcome, None, ())
    assert known.may_know(iccid(0))
    assert await known.find(iccid(0), None, iccid(0)) is outcome
    await known.close()


@pytest.mark.parametrize("remembered", [0, 1, 3, 40])
async def test_b10_doubles_are_sent_once_beyond_what_memory_keeps(monkeypatch, remembered):
    """Those too that were under way while the file beside the memory was opened."""
    monkeypatch.setattr(firsts, "_REMEMBERED", remembered)
    transport = Answers()
    cards = iccids(40) * 3
    outcomes = await listed(transport.client().verify_many(cards, concurrency=5))
    assert sorted(transport.cards) == iccids(40)
    assert len(outcomes) == 120
    firsts_at = {o.position: o.duplicate_of for o in outcomes}
    assert firsts_at == {n: n % 40 if n >= 40 else None for n in range(120)}
    assert {o.iccid for o in outcomes if o.result is not None} == set(iccids(40))


async def test_orders_too(monkeypatch):
    monkeypatch.setattr(firsts, "_REMEMBERED", 2)
    transport = Answers()
    many = [order(n % 10) for n in range(30)]
    outcomes = await listed(transport.client().send_many(many, concurrency=3))
    assert sorted(params["orderNo"] for params in transport.sent) == [f"NO{n}" for n in range(10)]
    assert len(outcomes) == 30


async def test_the_file_beside_the_memory_is_closed_also_where_the_source_fails_to(monkeypatch):
    monkeypatch.setattr(firsts, "_REMEMBERED", 0)

    class Source:
        def __init__(self):
            self.items = iter(iccids(500))

        def __aiter__(self):
            return self

        async def __anext__(self):
            try:
                return next(self.items)
            except StopIteration:
                raise StopAsyncIteration from None

        async def aclose(self):
            raise OSError("the source cannot be closed")

    outcomes = Answers().client().verify_many(Source(), concurrency=2)
    await anext(outcomes)
    await until(lambda: outcomes.progress.done > 1)
    with pytest.raises(OSError, match="cannot be closed"):
        await outcomes.aclose()  # and no thread is left


async def test_each_is_sent_where_that_is_wanted():
    transport = Answers(lambda _: GOOD)
    await listed(transport.client().verify_many(iccids(3) * 2, duplicates="each"))
    assert sorted(transport.cards) == sorted(iccids(3) * 2)
