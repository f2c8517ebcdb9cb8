"""Runs with a journal, as a caller sees them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from bulk_stubs import Answers, iccid, listed, turns

from linksfield_async.errors import JournalRefused
from linksfield_async.operations import SingleVerify


async def test_a_run_that_is_stopped_while_its_journal_is_opened_sends_nothing(
    tmp_path: Path,
) -> None:
    class Source(list[str]):
        def fingerprint(self) -> None:
            loop.call_soon_threadsafe(run.stop)

    loop = asyncio.get_running_loop()
    transport = Answers()
    client = transport.client()
    run = client.verify_many(Source([iccid(1)]), journal=tmp_path / "run.db")
    assert await listed(run) == []
    assert transport.sent == []


async def test_leaving_its_block_ends_a_run_and_gives_the_journal_free(tmp_path: Path) -> None:
    transport = Answers()
    client = transport.client()
    cards = [iccid(n) for n in range(500)]
    async with client.verify_many(cards, journal=tmp_path / "run.db", concurrency=4) as run:
        await anext(run)
    sent = len(transport.sent)
    assert sent < 50
    assert asyncio.all_tasks() == {asyncio.current_task()}
    async with client.verify_many(cards, journal=tmp_path / "run.db") as run:
        assert len(await listed(run)) >= 499
    assert run.is_complete
    assert len(transport.sent) <= 500 + 4


async def test_b07_the_same_journal_twice_at_once_is_refused(tmp_path: Path) -> None:
    transport = Answers()
    client = transport.client()
    cards = [iccid(n) for n in range(500)]
    async with client.verify_many(cards, journal=tmp_path / "run.db", concurrency=2) as run:
        await anext(run)
        await turns()
        sent = len(transport.sent)
        with pytest.raises(JournalRefused, match="in use by process"):
            await listed(client.verify_many(cards[::-1], journal=tmp_path / "run.db"))
        assert len(transport.sent) <= sent + 2 * 2


async def test_b08_another_way_of_the_same_run_is_refused(tmp_path: Path) -> None:
    transport = Answers()
    client = transport.client()
    await listed(client.verify_many([iccid(1)], journal=tmp_path / "run.db"))
    many: tuple[Any, ...] = (
        client.verify_many([iccid(1)], url="https://x", journal=tmp_path / "run.db"),
        client.verify_many([iccid(1)], duplicates="each", journal=tmp_path / "run.db"),
        client.send_many([SingleVerify(iccid=iccid(1))], journal=tmp_path / "run.db"),
    )
    for again in many:
        with pytest.raises(JournalRefused, match=r"duplicates=|url=|made by verify_many"):
            await listed(again)
    assert len(transport.sent) == 1
