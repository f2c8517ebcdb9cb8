from __future__ import annotations

import asyncio
import os

import pytest
from bulk_stubs import BAD, GOOD, Answers, iccid, iccids, listed, opened, order, until

from linksfield_async import ConfigurationError
from linksfield_async.bulk.journal.inspection import look_into, settle_by_hand
from linksfield_async.bulk.journal.settings import Journal
from linksfield_async.errors import JournalError, JournalRefused, OutcomeUnknown


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "run.db")


async def test_what_a_finished_run_tells(path):
    answers = {iccid(1): BAD, iccid(2): OutcomeUnknown("lost")}
    transport = Answers(lambda params: answers.get(params["deviceCode"], GOOD))
    items = [*iccids(6), "x", iccid(1)]
    await listed(transport.client().verify_many(items, journal=path, stop=None))
    found = look_into(path, check=True)
    assert (found.kind, found.operation, found.partner) == ("verify_many", "SingleVerify", "P1")
    assert found.verdicts == {
        "valid": 4, "refused": 2, "invalid_input": 1, "failed": 0, "unknown": 1,
    }  # fmt: skip
    assert (found.taken, found.total, found.todo, found.duplicates) == (8, 8, 0, 1)
    assert (found.delivered, found.intents, found.hides_iccids) == (8, 0, False)
    assert not found.is_finished
    kinds = {(kind.verdict, kind.error): kind.count for kind in found.errors}
    assert kinds[("refused", "Refused")] == 2
    assert [session.ended for session in found.sessions] == ["finished"]
    assert found.sessions[0].pid == os.getpid()
    await listed(Answers().client().verify_many(items, journal=path))
    again = look_into(path)
    assert (again.is_finished, len(again.sessions)) == (True, 2)


async def test_while_the_run_goes_on(path):
    gate = asyncio.Event()

    async def answer(params):
        await gate.wait()
        return GOOD

    transport = Answers(answer)
    run = transport.client().send_many([order(n) for n in range(30)], journal=path, concurrency=25)
    running = asyncio.create_task(listed(run))
    await until(lambda: transport.under_way == 25)
    found = look_into(path)
    assert (found.intents, len(found.open_intents), found.is_finished) == (25, 20, False)
    assert found.todo >= 25
    assert [one.position for one in found.open_intents] == list(range(20))
    assert all(one.sent_ms and len(one.key) == 32 for one in found.open_intents)
    assert "goes on" in found.sessions[0].ended
    with pytest.raises(JournalRefused, match="in use by process"):
        settle_by_hand(path, [0], carried_out=True)
    gate.set()
    await running


@pytest.mark.parametrize("carried_out", [True, False])
async def test_settled_by_hand(path, carried_out):
    many = [order(0), order(1), order(1)]
    journal = Journal(path, resolve="manual")
    lost = Answers(lambda _: OutcomeUnknown("lost"))
    await listed(lost.client().send_many(many, journal=journal))
    settle_by_hand(path, [1], carried_out=carried_out)
    again = Answers()
    found = {o.position: o for o in await listed(again.client().send_many(many, journal=journal))}
    assert [params["orderNo"] for params in again.sent] == ([] if carried_out else ["NO1"])
    assert {p: o.verdict for p, o in found.items()} == {0: "unknown", 1: "valid", 2: "valid"}
    assert found[2].duplicate_of == 1
    assert found[1].settled == ("by hand: it was carried out" if carried_out else None)


async def test_all_of_them_or_none(path):
    lost = Answers(lambda p: OutcomeUnknown("lost") if p["orderNo"] != "NO1" else GOOD)
    await listed(lost.client().send_many([order(n) for n in range(3)], journal=path))
    for wrong in (1, 7):
        with pytest.raises(ConfigurationError, match=f"item {wrong} is not unknown"):
            settle_by_hand(path, [0, wrong, 2], carried_out=True)
    assert look_into(path).verdicts["unknown"] == 2
    settle_by_hand(path, [0, 2], carried_out=True)
    assert look_into(path).is_finished


async def test_no_card_is_shown(path):
    ledger = await opened(path)
    from linksfield_async.bulk.journal.rows import cells_of

    await ledger.intend(cells_of(0, None, key=iccid(1)))
    await ledger.close("stopped")
    assert iccid(1) not in repr(look_into(path))


@pytest.mark.parametrize("content", [b"", b"row,given\n" * 200])
def test_what_is_no_journal(tmp_path, content):
    path = tmp_path / "cards.csv"
    path.write_bytes(content)
    for look in (look_into, lambda p: settle_by_hand(p, [0], carried_out=True)):
        with pytest.raises((JournalError, JournalRefused), match=r"cards\.csv"):
            look(path)
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["cards.csv"]


def test_no_file(tmp_path):
    with pytest.raises(ConfigurationError, match="there is no file"):
        look_into(tmp_path / "none.db")
    assert os.listdir(tmp_path) == []


def test_b09_damage_in_the_middle_is_found(path):
    asyncio.run(listed(Answers().client().verify_many(iccids(3_000), journal=path)))
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        file.write(os.urandom(8_192))
    with pytest.raises(JournalError) as caught:
        look_into(path, check=True)
    assert "\n" not in str(caught.value)
