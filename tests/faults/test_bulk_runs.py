"""How bulk runs end and go on: stopped by their rules, left by the caller, cancelled, complete."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from bulk_files import check_rows, rows_of, written_cards
from bulk_program import command_line, ended, iccid, wait_for
from counting_server import CountingServer
from killing import finish

from linksfield_async import Account, BulkStopped, Client, Endpoints, Options
from linksfield_async.bulk import (
    AdaptiveConcurrency,
    Outcome,
    Progress,
    StopRules,
    look_into,
    settle_by_hand,
)


@pytest.fixture
async def client(counting: CountingServer) -> AsyncIterator[Client]:
    account = Account("P000270", endpoints=Endpoints.at(counting.url))
    async with Client(account, options=Options(attempts=1)) as client:
        yield client


def cards(count: int) -> list[str]:
    return [iccid(n) for n in range(count)]


async def collect(outcomes: AsyncIterator[Outcome[Any]]) -> list[Outcome[Any]]:
    return [outcome async for outcome in outcomes]


def test_b17_too_many_failures_stop_it_and_it_goes_on_later(
    counting: CountingServer, tmp_path: Path
) -> None:
    many = 2_000
    counting.behave(forbid=[iccid(n) for n in range(0, many, 2)])
    given, out = written_cards(tmp_path / "cards.csv", many), tmp_path / "results.csv"
    journal = tmp_path / "run.db"
    words = ("verify", str(given), "--out", str(out), "--journal", str(journal))
    code, _, err = ended(command_line(counting.url, *words))
    assert code == 1
    assert "of the last" in err
    assert "goes on from here" in err
    # Twice 200 failures' worth, and what was under way then.
    assert 400 <= counting.total <= 400 + 4 * 64
    assert len(rows_of(out)) == counting.total
    assert look_into(journal).sessions[0].ended == "stopped"
    counting.behave(forbid=[])
    finish(command_line(counting.url, *words))
    check_rows(out, many)
    assert set(counting.cards) == set(cards(many))


def test_b18_one_refusal_for_all_stops_it_soon(counting: CountingServer, tmp_path: Path) -> None:
    counting.behave(refuse_all="the sign is wrong")
    given, out = written_cards(tmp_path / "cards.csv", 5_000), tmp_path / "results.csv"
    code, _, err = ended(command_line(counting.url, "verify", str(given), "--out", str(out)))
    assert code == 1
    assert "the first 100 were all refused alike (SingleVerify refused: the sign is wrong)" in err
    assert counting.total <= 100 + 2 * 64
    assert len(rows_of(out)) == counting.total


async def test_b18_refusals_of_some_cards_stop_nothing(
    counting: CountingServer, client: Client
) -> None:
    counting.behave(reasons={iccid(n): "unknown card" for n in range(1_000) if n != 50})
    outcomes = await collect(client.verify_many(cards(1_000), concurrency=8))
    assert len(outcomes) == counting.total == 1_000


class Watch:
    """Looks at a run's progress whenever it is told, and in between."""

    def __init__(self) -> None:
        self.told: list[Progress] = []

    def __call__(self, progress: Progress) -> None:
        assert progress.done + progress.failed + progress.unknown + progress.todo == progress.total
        assert min(progress.todo, progress.done, progress.failed, progress.unknown) >= 0
        verdicts = progress.verdicts
        assert progress.failed == verdicts["failed"]
        assert progress.unknown == verdicts["unknown"]
        assert progress.done == sum(verdicts.values()) - progress.failed - progress.unknown
        assert progress.in_flight <= 2 * max(progress.concurrency, 64)
        if self.told:
            assert progress.total >= self.told[-1].total
            assert progress.done >= self.told[-1].done
        self.told.append(progress)

    async def over(self, outcomes: Any, take: int = 10**9) -> list[Outcome[Any]]:
        taken = []
        async with outcomes:
            async for outcome in outcomes:
                self(outcomes.progress)
                taken.append(outcome)
                if len(taken) == take:
                    break
        self(outcomes.progress)
        return taken


@pytest.mark.parametrize(
    ("concurrency", "total_known"),
    [(16, True), (AdaptiveConcurrency(start=32, most=64), False)],
)
async def test_b23_the_numbers_add_up_at_every_moment(
    counting: CountingServer,
    client: Client,
    tmp_path: Path,
    concurrency: Any,
    total_known: bool,
) -> None:
    given = [*cards(900), *cards(300), "", "x", *cards(50)]
    counting.behave(
        delay=0.005,
        forbid=[iccid(n) for n in range(200)],
        drop=[iccid(n) for n in range(7, 900, 150)],
        reasons={iccid(n): "unknown card" for n in range(3, 900, 20)},
    )

    def source() -> Iterable[str]:
        return given if total_known else iter(given)

    settings: dict[str, Any] = {"concurrency": concurrency, "journal": tmp_path / "run.db"}
    patient = client.with_options(attempts=3)
    for take in (300, 400, 10**9, 10**9):
        watch = Watch()
        outcomes = patient.verify_many(source(), **settings, progress=watch)
        await watch.over(outcomes, take)
        assert len({told.total for told in watch.told}) <= 1 or not total_known
        if take == 10**9:
            assert outcomes.is_complete
            assert watch.told[-1].total == len(given)
            assert watch.told[-1].todo == 0
        counting.behave(forbid=[], drop=[])
    assert watch.told[-1].done == len(given)
    assert look_into(tmp_path / "run.db").is_finished


async def test_what_was_acknowledged_does_not_come_again(
    counting: CountingServer, client: Client, tmp_path: Path
) -> None:
    """Whoever leaves at an item has not said that it is done with that one."""
    journal, acknowledged = tmp_path / "run.db", set[int]()
    for _ in range(5):
        seen: list[int] = []
        async with client.verify_many(cards(300), concurrency=8, journal=journal) as outcomes:
            async for outcome in outcomes:
                seen.append(outcome.position)
                if len(seen) == 40:
                    break
        assert not acknowledged & set(seen)
        acknowledged |= set(seen[:-1])
    rest = await collect(client.verify_many(cards(300), journal=journal))
    assert {outcome.position for outcome in rest} == set(range(300)) - acknowledged
    assert any(outcome.replayed for outcome in rest)
    # Reads that were under way when the caller left were sent again, and no others.
    assert counting.total <= 300 + 5 * 8
    assert await collect(client.verify_many(cards(300), journal=journal)) == []


async def test_a_cancelled_run_goes_on(
    counting: CountingServer, client: Client, tmp_path: Path
) -> None:
    counting.behave(delay=0.01)
    journal, seen = tmp_path / "run.db", set[int]()

    async def take() -> None:
        async for outcome in client.verify_many(cards(400), concurrency=8, journal=journal):
            seen.add(outcome.position)

    task = asyncio.create_task(take())
    await asyncio.to_thread(wait_for, lambda: len(seen) >= 50)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert look_into(journal).sessions[0].ended == "left"
    await take()
    assert seen == set(range(400))
    assert counting.total <= 400 + 8


async def test_no_items_and_nothing_left(
    counting: CountingServer, client: Client, tmp_path: Path
) -> None:
    for _ in range(2):
        assert await collect(client.verify_many([], journal=tmp_path / "none.db")) == []
    assert look_into(tmp_path / "none.db").is_finished
    journal = tmp_path / "run.db"
    assert len(await collect(client.verify_many(cards(3), journal=journal))) == 3
    assert await collect(client.verify_many(cards(3), journal=journal)) == []
    again = await collect(client.verify_many(cards(3), journal=journal, replay="all"))
    assert [(o.position, o.verdict, o.replayed) for o in again] == [
        (n, "valid", True) for n in range(3)
    ]
    assert all(outcome.result is not None for outcome in again)
    assert counting.total == 3


async def test_a_stopped_run_lets_what_is_under_way_be_answered(
    counting: CountingServer, client: Client, tmp_path: Path
) -> None:
    counting.behave(delay=0.02)
    journal = tmp_path / "run.db"
    outcomes = client.verify_many(cards(200), concurrency=8, journal=journal)
    first = await anext(outcomes)
    outcomes.stop()
    rest = await collect(outcomes)
    assert not outcomes.is_complete
    assert 1 + len(rest) == counting.total < 200
    more = await collect(client.verify_many(cards(200), journal=journal))
    positions = [outcome.position for outcome in (first, *rest, *more)]
    assert sorted(positions) == list(range(200))
    assert counting.cards == dict.fromkeys(cards(200), 1)


async def test_a_rule_stops_it_with_a_typed_error(counting: CountingServer, client: Client) -> None:
    counting.behave(forbid=cards(100))
    outcomes = client.verify_many(
        cards(500), concurrency=4, stop=StopRules(failure_share=0.5, window=20)
    )
    with pytest.raises(BulkStopped, match="of the last"):
        await collect(outcomes)
    assert counting.total <= 11 + 2 * 4


async def test_a_block_is_not_taken_for_complete_because_of_doubles(
    counting: CountingServer, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Doubles that are yielded again count once: the one that failed is still tried again."""
    monkeypatch.setattr("linksfield_async.bulk.intake.BLOCK", 8)
    for module in ("journal.ledger", "journal.writer"):
        monkeypatch.setattr(f"linksfield_async.bulk.{module}.BLOCK", 8)
    counting.behave(forbid=[iccid(6)])
    given = [*cards(7), iccid(0), *cards(8)[7:]]
    again: dict[str, Callable[[], Any]] = {
        replay: lambda replay=replay: client.verify_many(
            given, journal=tmp_path / "run.db", replay=replay
        )
        for replay in ("unseen", "all")
    }
    await collect(again["unseen"]())
    await collect(again["all"]())
    counting.behave(forbid=[])
    await collect(again["unseen"]())
    summary = look_into(tmp_path / "run.db")
    assert summary.verdicts["valid"] == len(given)
    assert summary.is_finished


def test_settling_by_hand_needs_something_in_doubt(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no file"):
        settle_by_hand(tmp_path / "none.db", [1], carried_out=True)
