"""What is read anew when a journal goes on: at the borders of blocks, and where the input differs."""

from __future__ import annotations

import pytest
from bulk_stubs import ACCOUNT, BAD, GOOD, NOT_FOUND, Answers, iccid, iccids, listed, order

from linksfield_async.bulk.files.sources import Row
from linksfield_async.bulk.intake import cards, operations
from linksfield_async.bulk.journal.hiding import Hiding
from linksfield_async.codec import codec_for
from linksfield_async.errors import ConfigurationError, JournalRefused

WRITE = codec_for(ACCOUNT.wire_names).write
BORDERS = [1023, 1024, 1025, 2048]


def test_cards_from_texts_and_rows():
    prepare = cards("https://shop")
    text, row = prepare(0, f" {iccid(1)} "), prepare(1, Row(7, "8.98524E+19"))
    assert (text.iccid, text.given, text.row) == (iccid(1), f" {iccid(1)} ", None)
    assert (text.identity, text.operation.url) == (iccid(1), "https://shop")
    assert (row.row, row.given, row.operation, row.identity) == (7, "8.98524E+19", None, None)
    assert "spreadsheet" in str(row.problem)


def test_operations_are_the_same_where_that_matters():
    plain = Hiding(None)
    journalled = operations(plain, WRITE, once=True, journalled=True)
    assert journalled(0, order(1)).identity == journalled(1, order(1)).identity
    assert journalled(0, order(1)).identity != journalled(1, order(2)).identity
    assert operations(plain, WRITE, once=False, journalled=False)(0, order(1)).identity is None
    with pytest.raises(ConfigurationError, match="operation 3 is 'dict'"):
        journalled(3, {})


async def session(path, items, answer=lambda _: GOOD, **settings):
    """Give what was sent in one session of a run, and its outcomes."""
    transport = Answers(answer)
    run = transport.client().verify_many(items, journal=path, concurrency=32, **settings)
    outcomes = await listed(run)
    assert run.is_complete
    assert run.progress.todo == 0
    return transport.cards, outcomes, run


@pytest.mark.parametrize("size", BORDERS)
async def test_a_second_session_sends_what_failed_and_yields_nothing_else(tmp_path, size):
    failing = {iccid(0), iccid(size - 1)}

    def answer(params):
        return NOT_FOUND if params["deviceCode"] in failing else GOOD

    path, items = tmp_path / "run.db", iccids(size)
    sent, outcomes, _ = await session(path, items, answer, stop=None)
    assert sorted(sent) == items
    sent, outcomes, run = await session(path, items)
    assert set(sent) == failing
    assert {o.position for o in outcomes} == {0, size - 1}
    assert run.progress.verdicts["valid"] == size
    sent, outcomes, run = await session(path, items, order="input")
    assert (sent, outcomes, run.progress.replayed) == ([], [], size)


@pytest.mark.parametrize("size", BORDERS)
async def test_replay_of_all_in_the_order_of_the_input(tmp_path, size):
    items: list[object] = [Row(n + 2, text) for n, text in enumerate(iccids(size))]
    for place in (0, 500, size - 1):
        items[place] = Row(place + 2, "8.98524E+19")
    path = tmp_path / "run.db"
    _, first, _ = await session(path, items)
    sent, again, _ = await session(path, items, order="input", replay="all")
    assert sent == []
    assert [o.position for o in again] == list(range(size))
    first.sort(key=lambda o: o.position)
    for one, other in zip(first, again, strict=True):
        assert (one.verdict, one.result, one.row, one.given) == (
            other.verdict, other.result, other.row, other.given,
        )  # fmt: skip
    assert {o.position for o in again if o.verdict == "invalid_input"} == {0, 500, size - 1}


async def test_replay_by_a_function_of_position_and_row(tmp_path):
    items = [Row(n + 2, text) for n, text in enumerate(iccids(1500))]
    path, asked = tmp_path / "run.db", set()
    await session(path, items)

    def wanted(position, row):
        asked.add((position, row))
        return position in (3, 1400)

    _, outcomes, run = await session(path, items, replay=wanted, order="input")
    assert [o.position for o in outcomes] == [3, 1400]
    assert asked <= {(n, n + 2) for n in range(1500)}
    assert run.progress.verdicts["valid"] == 1500


async def test_a_replay_function_that_raises_ends_the_run_with_that(tmp_path):
    path, items = tmp_path / "run.db", iccids(20)
    await session(path, items)

    def wanted(position, row):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await session(path, items, replay=wanted)
    assert (await session(path, items))[:2] == ([], [])


@pytest.mark.parametrize("size", [1024, 1030])
async def test_all_invalid(tmp_path, size):
    path, items = tmp_path / "run.db", ["x"] * size
    _, outcomes, _ = await session(path, items)
    assert len(outcomes) == size
    sent, outcomes, run = await session(path, items, order="input")
    assert (sent, outcomes) == ([], [])
    assert run.progress.verdicts["invalid_input"] == size


async def test_a_block_with_one_that_stays_undecided_is_never_passed_over(tmp_path):
    """Doubles that are wanted again must not count for the block a second time."""
    path, items = tmp_path / "run.db", iccids(1022)
    items = [*items[:2], items[0], *items[2:], iccid(5_000)]  # one double, one that fails
    assert len(items) == 1024

    def answer(params):
        return NOT_FOUND if params["deviceCode"] == iccid(5_000) else GOOD

    for replay in ("unseen", "all", "unseen"):
        sent, _, run = await session(path, items, answer, replay=replay, stop=None)
        assert iccid(5_000) in sent
        assert run.progress.failed == 1
    sent, outcomes, _ = await session(path, items)
    assert (sent, [o.position for o in outcomes]) == ([iccid(5_000)], [1023])


async def test_a_long_answer_is_asked_for_again_and_the_journal_stays_as_it_was(tmp_path):
    path, items = tmp_path / "run.db", iccids(1024)
    long = GOOD | {"data": {"note": "x" * 70_000}}

    def answer(params):
        if params["deviceCode"] == iccid(7):
            return long
        return NOT_FOUND if params["deviceCode"] == iccid(8) else GOOD

    await session(path, items, answer, stop=None)
    sent, outcomes, _ = await session(path, items, answer, replay="all", stop=None)
    assert set(sent) == {iccid(7), iccid(8)}
    seen = {o.position: o for o in outcomes}
    assert (seen[7].replayed, seen[7].result.extra["note"]) == (False, "x" * 70_000)
    # Refused by now: what was decided stays decided all the same.
    sent, _, _ = await session(path, items, lambda _: BAD, replay="all", stop=None)
    assert set(sent) == {iccid(7), iccid(8)}
    assert (await session(path, items))[:2] == ([], [])


async def test_a_double_of_one_with_a_long_answer_has_that_answer_too(tmp_path):
    long = GOOD | {"data": {"note": "x" * 70_000}}
    items = [iccid(1), *iccids(100, 10), iccid(1)]
    _, outcomes, _ = await session(tmp_path / "run.db", items, lambda _: long)
    last = next(o for o in outcomes if o.position == 101)
    assert last.result is not None


async def collected(path, items, **settings):
    transport = Answers()
    with pytest.raises(JournalRefused) as caught:
        await listed(transport.client().verify_many(iter(items), journal=path, **settings))
    return transport.cards, str(caught.value)


@pytest.mark.parametrize("size", [3, 1023, 1024, 1030])
async def test_b08_another_input_is_refused_before_anything_of_it_is_sent(tmp_path, size):
    path, items = tmp_path / "run.db", iccids(size)
    await session(path, items)
    sent, told = await collected(path, [*items[:2], iccid(9_999), *items[3:]])
    assert (sent, "another input" in told) == ([], True)
    sent, told = await collected(path, items[:-1])
    assert (sent, "the journal knows more" in told) == ([], True)
    sent, told = await collected(path, [*items, iccid(9_999)])
    assert (sent, f"{size}" in told) == ([], True)
    assert (await session(path, iter(items)))[:2] == ([], [])


async def test_the_end_of_an_asynchronous_source(tmp_path):
    async def source(count):
        for text in iccids(count):
            yield text

    path = tmp_path / "run.db"
    assert len((await session(path, source(1030)))[1]) == 1030
    assert (await session(path, source(1030)))[:2] == ([], [])
