"""Orders whose answer was lost: asked about, never guessed, never sent twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from time import time
from typing import Any

import pytest
from bulk_program import order
from click.testing import CliRunner
from counting_server import CountingServer

from linksfield_async import Account, Client, Endpoints, Options
from linksfield_async.bulk import Journal, Outcome, Settlement, look_into
from linksfield_async.bulk.journal import ledger
from linksfield_async.bulk.journal.walltime import WallTime
from linksfield_async.cli.app import root

ORDERS = 10


pytestmark = pytest.mark.usefixtures("no_margin")


@pytest.fixture
async def client(counting: CountingServer) -> AsyncIterator[Client]:
    counting.behave(slow_share=0.0)
    account = Account("P000270", endpoints=Endpoints.at(counting.url))
    async with Client(account, options=Options(attempts=1)) as client:
        yield client


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


Outcomes = dict[int, Outcome[Any]]


async def send(
    client: Client, journal: Path, numbers: Sequence[int] = range(ORDERS), **how: Any
) -> Outcomes:
    """Send orders to the end; what became of those that were yielded."""
    told = Journal(journal, **{"quarantine": 0.05, **how})
    many = client.send_many(map(order, numbers), journal=told, concurrency=4)
    return {outcome.position: outcome async for outcome in many}


def once(*numbers: int) -> Counter[str]:
    return Counter(f"shop-{n}" for n in numbers or range(ORDERS))


@pytest.fixture
async def in_doubt(counting: CountingServer, client: Client, journal: Path) -> Outcomes:
    """Order 3 was made and order 5 was not, and nobody was told."""
    counting.behave(lose={"shop-3": True, "shop-5": False})
    outcomes = await send(client, journal)
    counting.behave(lose={})
    assert {n for n, outcome in outcomes.items() if outcome.verdict == "unknown"} == {3, 5}
    assert counting.taken == once()
    return outcomes


async def test_a_lost_answer_is_settled_when_the_run_goes_on(
    counting: CountingServer, client: Client, journal: Path, in_doubt: Outcomes
) -> None:
    settled = await send(client, journal)
    assert {n: outcome.verdict for n, outcome in settled.items()} == {3: "valid", 5: "valid"}
    assert settled[3].settled == "GetOrder shows the order under this request_order_id"
    assert settled[3].result is None
    assert settled[5].settled is None
    assert settled[5].result is not None
    assert counting.made == once()
    assert counting.taken == once() + once(5)
    assert await send(client, journal) == {}
    assert look_into(journal).is_finished


async def test_b03_while_nobody_can_be_asked_nothing_is_guessed(
    counting: CountingServer, client: Client, journal: Path, in_doubt: Outcomes
) -> None:
    counting.behave(asking_is_down=True)
    for _ in range(2):
        still = await send(client, journal)
        assert {n: outcome.verdict for n, outcome in still.items()} == {3: "unknown", 5: "unknown"}
        assert "asking failed" in still[3].reason
    assert counting.taken == once()
    counting.behave(asking_is_down=False)
    settled = await send(client, journal)
    assert {n: outcome.verdict for n, outcome in settled.items()} == {3: "valid", 5: "valid"}
    assert counting.made == once()


async def test_b03_an_order_that_is_shown_late(
    counting: CountingServer, client: Client, journal: Path
) -> None:
    counting.behave(lose={"shop-3": True}, visible_after=0.3)
    await send(client, journal)
    settled = await send(client, journal, quarantine=0.6)
    assert settled[3].settled
    assert counting.taken == once()


@pytest.mark.parametrize("step", [-3600, 86_400], ids=["back", "forward"])
async def test_b19_a_clock_that_was_set_makes_no_quarantine_shorter(
    counting: CountingServer,
    client: Client,
    journal: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: float,
) -> None:
    """The server works on for a while after the caller has gone."""
    counting.behave(slow_share=1.0, slowest=0.6)
    told = Journal(journal, quarantine=0.8)
    for number in (0, 1):
        if number == 1:
            wall = partial(WallTime, wall=lambda: time() + step)
            monkeypatch.setattr(ledger, "WallTime", wall)
        many = client.send_many(map(order, range(ORDERS)), journal=told, concurrency=4)
        async with many:
            async for _ in many:
                if number == 0:
                    break
    assert look_into(journal).is_finished
    assert counting.made == counting.taken == once()


async def test_the_quarantine_does_not_hold_up_a_stop(
    counting: CountingServer, client: Client, journal: Path, in_doubt: Outcomes
) -> None:
    many = client.send_many(map(order, range(ORDERS)), journal=Journal(journal, quarantine=900))
    many.stop()
    assert [outcome async for outcome in many] == []
    later = client.send_many(
        map(order, range(ORDERS)),
        journal=Journal(journal, quarantine=900),
        progress=lambda _: later.stop(),
    )
    assert [outcome async for outcome in later] == []
    assert not later.is_complete
    assert counting.taken == once()
    assert counting.asked == 0
    assert (await send(client, journal)).keys() == {3, 5}
    assert counting.made == once()


async def test_what_stands_there_twice_is_ordered_once(
    counting: CountingServer, client: Client, journal: Path
) -> None:
    numbers = [0, 1, 0, 2, 1, 0]
    counting.behave(lose={"shop-0": True})
    outcomes = await send(client, journal, numbers)
    assert [outcomes[n].verdict for n in range(6)] == [
        "unknown", "valid", "unknown", "valid", "valid", "unknown",
    ]  # fmt: skip
    assert {n: outcomes[n].duplicate_of for n in (2, 4, 5)} == {2: 0, 4: 1, 5: 0}
    counting.behave(lose={})
    settled = await send(client, journal, numbers)
    assert {n: outcome.verdict for n, outcome in settled.items()} == dict.fromkeys(
        (0, 2, 5), "valid"
    )
    assert counting.taken == counting.made == once(0, 1, 2)


async def test_without_a_journal_too_it_is_ordered_once(
    counting: CountingServer, client: Client
) -> None:
    many = client.send_many(map(order, [0, 1, 0, 0]), concurrency=4)
    outcomes = {outcome.position: outcome async for outcome in many}
    assert [outcomes[n].duplicate_of for n in range(4)] == [None, None, 0, 0]
    assert counting.taken == once(0, 1)


async def test_manual_settling_waits_for_you_and_takes_your_word(
    counting: CountingServer, client: Client, journal: Path, in_doubt: Outcomes
) -> None:
    still = await send(client, journal, resolve="manual")
    assert {n: outcome.verdict for n, outcome in still.items()} == {3: "unknown", 5: "unknown"}
    assert all("settle it by hand" in outcome.reason for outcome in still.values())
    assert (counting.taken, counting.asked) == (once(), 0)

    def settle(*arguments: str) -> Any:
        words = ["runs", "settle", str(journal), *arguments]
        return CliRunner().invoke(root, words, prog_name="linksfield")

    wrong = settle("3", "4", "--carried-out", "--yes")
    assert (wrong.exit_code, wrong.stderr.count("\n")) == (2, 1)
    assert "item 4 is not unknown" in wrong.stderr
    assert look_into(journal).verdicts["unknown"] == 2
    assert settle("3", "--carried-out", "--yes").exit_code == 0
    assert settle("5", "--not-carried-out", "--yes").exit_code == 0
    settled = await send(client, journal, resolve="manual")
    assert {n: outcome.verdict for n, outcome in settled.items()} == {3: "valid", 5: "valid"}
    assert settled[3].settled == "by hand: it was carried out"
    assert counting.taken == once() + once(5)
    assert counting.made == once()
    shown = CliRunner().invoke(root, ["runs", "show", str(journal)], prog_name="linksfield")
    assert "finished" in shown.stdout


async def test_a_resolver_of_your_own(
    counting: CountingServer, client: Client, journal: Path, in_doubt: Outcomes
) -> None:
    asked: list[str] = []

    async def resolve(operation: Any, _: Any) -> Settlement:
        asked.append(operation.request_order_id)
        if len(asked) <= 2:
            return Settlement(None, "the ledger is closed for today")
        return Settlement(counting.made[operation.request_order_id] == 1, "the ledger says so")

    still = await send(client, journal, resolve=resolve)
    assert {outcome.reason for outcome in still.values()} == {"the ledger is closed for today"}
    settled = await send(client, journal, resolve=resolve)
    assert settled[3].settled == "the ledger says so"
    assert sorted(asked) == ["shop-3", "shop-3", "shop-5", "shop-5"]
    assert counting.made == once()
    assert counting.asked == 0


async def test_a_resolver_that_breaks_sends_nothing(
    counting: CountingServer, client: Client, journal: Path, in_doubt: Outcomes
) -> None:
    async def resolve(*_: Any) -> Settlement:
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError):
        await send(client, journal, resolve=resolve)
    assert counting.taken == once()
    assert (await send(client, journal)).keys() == {3, 5}
    assert counting.made == once()
