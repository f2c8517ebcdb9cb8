from __future__ import annotations

import gc
import sqlite3
import threading

import pytest
from bulk_stubs import ACCOUNT, GOOD, Answers, iccid, iccids

from linksfield_async import ConfigurationError, SyncClient
from linksfield_async.errors import BulkStopped, JournalRefused


@pytest.fixture
def transport():
    return Answers()


@pytest.fixture
def client(transport):
    with SyncClient(ACCOUNT, transport=transport) as client:
        yield client


def test_a_cursor_of_a_database_is_read_in_its_own_thread(client, transport):
    connection = sqlite3.connect(":memory:")  # refuses any other thread
    connection.execute("CREATE TABLE card (iccid TEXT)")
    connection.executemany("INSERT INTO card VALUES (?)", [(card,) for card in iccids(200)])
    rows = (row[0] for row in connection.execute("SELECT iccid FROM card"))
    assert len(list(client.verify_many(rows, concurrency=5))) == 200
    connection.close()
    assert sorted(transport.cards) == iccids(200)


def test_in_the_order_of_the_input(client):
    outcomes = list(client.verify_many([*iccids(50), "x", iccid(3)], order="input", concurrency=7))
    assert [o.position for o in outcomes] == list(range(52))
    assert outcomes[51].duplicate_of == 3


def test_a_journal_goes_on(client, transport, tmp_path):
    cards = iccids(1_500)
    with client.verify_many(cards, journal=tmp_path / "run.db", concurrency=8) as run:
        seen = []
        for outcome in run:
            seen.append(outcome.position)
            if len(seen) == 300:
                run.stop()
    assert not run.is_complete
    assert len(transport.sent) == len(seen) < 400
    run = client.verify_many(iter(cards), journal=tmp_path / "run.db", order="input")
    seen += [outcome.position for outcome in run]
    assert (sorted(seen), run.is_complete, run.progress.todo) == (list(range(1_500)), True, 0)
    assert sorted(transport.cards) == cards
    assert list(client.verify_many(iter(cards), journal=tmp_path / "run.db")) == []
    replayed = list(client.verify_many(cards, journal=tmp_path / "run.db", replay="all"))
    assert (len(replayed), len(transport.sent)) == (1_500, 1_500)


def test_how_many_there_are_is_known_where_the_source_can_tell(client):
    assert client.verify_many(iccids(7)).progress.total == 7
    assert client.verify_many(iter(iccids(7))).progress.total == 0
    assert client.verify_many(iter(iccids(7)), total=7).progress.total == 7


def test_stopped_before_it_began(client, transport):
    run = client.verify_many(iccids(5))
    run.stop()
    assert (list(run), transport.sent, run.is_complete) == ([], [], False)


@pytest.mark.parametrize("how", ["close", "with", "garbage"])
def test_left_in_the_middle_nothing_more_is_sent_or_read(client, transport, how):
    read = []

    def source():
        for card in iccids(10_000):
            read.append(card)
            yield card

    run = client.verify_many(source(), concurrency=4)
    next(run)
    if how == "with":
        with run:
            pass
    elif how == "close":
        run.close()
        run.close()
    if how == "garbage":
        del run
        gc.collect()
    else:
        assert list(run) == []
    sent = len(transport.sent)
    client.vshop.verify_card(iccid=iccid(1))
    assert len(transport.sent) == sent + 1 <= 100
    assert len(read) <= 100


def test_looking_ahead_is_bounded_where_outcomes_are_taken_slowly(client):
    read = 0

    def source():
        nonlocal read
        for card in iccids(2_000):
            read += 1
            yield card

    run = client.verify_many(source(), concurrency=4)
    for taken in range(1, 100):
        next(run)
        # One more for each outcome, those of the room, and what was read at once.
        assert read - taken <= 8 * 4
    run.close()


def test_an_interruption_in_the_source_ends_the_run(client, transport):
    def source():
        yield from iccids(3)
        raise KeyboardInterrupt

    run = client.verify_many(source(), concurrency=1)
    with pytest.raises(KeyboardInterrupt):
        list(run)
    assert list(run) == []
    client.vshop.verify_card(iccid=iccid(1))


def test_errors_of_the_run_come_through(client, transport, tmp_path):
    transport.answer = lambda _: {"operateCode": "F", "message": "no such partner"}
    with pytest.raises(BulkStopped, match="no such partner"):
        list(client.verify_many(iccids(1_000)))
    transport.answer = lambda _: GOOD
    list(client.verify_many(iccids(3), journal=tmp_path / "run.db"))
    with pytest.raises(JournalRefused):
        list(client.verify_many(iccids(3, 5), journal=tmp_path / "run.db"))
    with pytest.raises(ConfigurationError, match="not one text"):
        list(client.verify_many(iccid(1)))
    with pytest.raises(ConfigurationError, match="order must be"):
        client.verify_many(iccids(1), order="x")


def test_several_runs_in_several_threads(client, transport, tmp_path):
    counts = {}

    def work(number):
        run = client.verify_many(iccids(200, number * 200), journal=tmp_path / f"{number}.db")
        counts[number] = len(list(run))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert counts == dict.fromkeys(range(4), 200)
    assert len(set(transport.cards)) == 800


def test_a_callback_is_told_of_the_end(client):
    told = []
    list(client.verify_many(iccids(20), progress=told.append))
    assert (told[-1].done, told[-1].total) == (20, 20)
