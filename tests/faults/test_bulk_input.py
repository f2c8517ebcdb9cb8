"""What bulk runs are given and what they give back: bad rows, odd sources, evil cells."""

from __future__ import annotations

import asyncio
import csv
import io
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bulk_files import rows_of
from bulk_program import command_line, ended, iccid
from click.testing import CliRunner, Result
from counting_server import CountingServer

from linksfield_async import Account, Client, ConfigurationError, Endpoints
from linksfield_async.bulk import Outcome
from linksfield_async.cli.app import root


@pytest.fixture
def linksfield(counting: CountingServer) -> Callable[..., Result]:
    """Run a command against the counting server."""
    env = {"LINKSFIELD_PARTNER_CODE": "P000270", "LINKSFIELD_ENDPOINTS": counting.url}

    def run(*arguments: Any) -> Result:
        return CliRunner().invoke(root, [*map(str, arguments)], env=env, prog_name="linksfield")

    return run


@pytest.fixture
async def client(counting: CountingServer) -> AsyncIterator[Client]:
    async with Client(Account("P000270", endpoints=Endpoints.at(counting.url))) as client:
        yield client


MANY = 3_000


def test_b10_doubles_blanks_and_one_bad_row_in_many(
    counting: CountingServer, tmp_path: Path
) -> None:
    cells = [iccid(n % 400) for n in range(MANY)]
    cells[634], cells[800], cells[801] = "8.98524E+19", "", "   "
    ends = itertools.cycle(["\n", "\r\n", "\n", "\r\n\r\n"])
    given, row, rows = "iccid\n", 2, []
    for cell in cells:
        rows.append(row)
        end = next(ends)
        given += cell + end
        row += end.count("\n")
    cards, out = tmp_path / "cards.csv", tmp_path / "results.csv"
    cards.write_bytes(given.encode())
    words = ("verify", cards, "--out", out, "--journal", tmp_path / "run.db")
    code, _, err = ended(command_line(counting.url, *map(str, words)))
    assert code == 3, err
    found = {int(row["row"]): row for row in rows_of(out)}
    assert sorted(found) == list(range(2, row - 1))  # blank rows in between are reported too
    assert counting.cards == {iccid(n): 1 for n in range(400)}
    first: dict[str, int] = {}
    for at, cell in zip(rows, cells, strict=True):
        if not cell.startswith("8985"):
            assert found[at]["verdict"] == "invalid_input"
            continue
        assert (found[at]["verdict"], found[at]["iccid"]) == ("valid", cell)
        assert found[at]["duplicate_of"] == ("" if cell not in first else str(first[cell]))
        first.setdefault(cell, at)
    blank = [row for row in found.values() if not row["given"].strip()]
    assert all("blank" in row["reason"] for row in blank)
    # Once more, with nothing left of the results: all is known, the doubles too.
    before = sorted(found.items())
    out.unlink()
    assert ended(command_line(counting.url, *map(str, words)))[0] == 3
    again = {int(row["row"]): row for row in rows_of(out)}
    assert [(n, r["verdict"], r["duplicate_of"]) for n, r in sorted(again.items())] == [
        (n, r["verdict"], r["duplicate_of"]) for n, r in before
    ]
    assert counting.total == 400


def test_b11_a_column_of_numbers_is_refused_before_anything_is_sent(
    counting: CountingServer, linksfield: Callable[..., Result], tmp_path: Path
) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    cards = tmp_path / "cards.parquet"
    for kind in (arrow.int64(), arrow.float64()):
        column = arrow.array([8985242018091034079, 8985242018091034078]).cast(kind, safe=False)
        parquet.write_table(arrow.table({"iccid": column}), cards)
        result = linksfield("verify", cards, "--out", tmp_path / "out.csv")
        assert result.exit_code == 2
        assert "number" in result.stderr
        assert "text" in result.stderr or "string" in result.stderr
        assert result.stderr.count("\n") == 1
    assert counting.total == 0


async def test_b11_a_numeric_column_in_memory_is_refused(
    counting: CountingServer, client: Client
) -> None:
    arrow = pytest.importorskip("pyarrow")
    with pytest.raises(ConfigurationError, match="number"):
        await anext(client.verify_many(arrow.array([8985242018091034079])))
    assert counting.total == 0


async def collect(outcomes: Any) -> list[Outcome[Any]]:
    return [outcome async for outcome in outcomes]


async def test_b12_a_source_that_raises_says_where_and_can_be_gone_on_with(
    counting: CountingServer, client: Client, tmp_path: Path
) -> None:
    def source(fails: bool) -> Iterator[str]:
        for n in range(100):
            if fails and n == 37:
                raise OSError("the disk is gone")
            yield iccid(n)

    journal = tmp_path / "run.db"
    outcomes = client.verify_many(source(fails=True), concurrency=4, journal=journal)
    seen = [await anext(outcomes) for _ in range(37)]
    with pytest.raises(OSError, match="the disk is gone") as caught:
        await anext(outcomes)
    assert "after 37 items" in "".join(caught.value.__notes__)
    assert sorted(outcome.position for outcome in seen) == list(range(37))
    rest = await collect(client.verify_many(source(fails=False), journal=journal))
    # The last one that was yielded was not acknowledged.
    assert {outcome.position for outcome in rest} >= set(range(37, 100))
    assert len(rest) <= 63 + 1
    assert counting.cards == {iccid(n): 1 for n in range(100)}


async def test_b12_an_item_of_a_wrong_kind_says_which(
    counting: CountingServer, client: Client
) -> None:
    with pytest.raises(ConfigurationError, match="operation 0"):
        await collect(client.send_many([iccid(1)]))  # type: ignore[list-item]
    given: list[Any] = [iccid(0), 8985242018091034079, None, b"8985"]
    outcomes = {o.position: o for o in await collect(client.verify_many(given))}
    assert [outcomes[n].verdict for n in range(4)] == ["valid", *["invalid_input"] * 3]
    assert counting.total == 1


async def test_b12_an_endless_source_is_never_read_far_ahead(
    counting: CountingServer, client: Client
) -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        for n in itertools.count():
            taken = n + 1
            yield iccid(n)

    async with client.verify_many(endless(), concurrency=8) as outcomes:
        for received in range(1, 200):
            await anext(outcomes)
            assert taken - received <= 2 * 8
    assert counting.total <= taken


async def test_b12_a_source_that_blocks_holds_up_nobody_else(
    counting: CountingServer, client: Client
) -> None:
    goes_on = asyncio.Event()

    async def source() -> AsyncIterator[str]:
        for n in range(40):
            if n == 20:
                await goes_on.wait()
            yield iccid(n)

    outcomes = client.verify_many(source(), concurrency=8)
    async with asyncio.timeout(10):
        before = [await anext(outcomes) for _ in range(20)]
        waiting = asyncio.create_task(anext(outcomes))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        goes_on.set()
        after = [await waiting, *await collect(outcomes)]
    assert sorted(o.position for o in before + after) == list(range(40))
    assert counting.total == 40


@pytest.mark.parametrize("order", ["completion", "input"])
async def test_b16_a_slow_consumer_slows_the_sending(
    counting: CountingServer, client: Client, order: Any
) -> None:
    concurrency, received = 4, 0
    source = (iccid(n) for n in range(200))
    async for _ in client.verify_many(source, concurrency=concurrency, order=order):
        received += 1
        if received % 10 == 0 and received < 100:
            await asyncio.sleep(0.02)
            sent = await asyncio.to_thread(lambda: counting.total)
            assert sent <= received + 2 * concurrency
    assert counting.total == received == 200


EVIL = (
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "two\r\nlines, \"quoted\"; and '=1'",
    "＝1",
    'a,b,"c"\n=1',
    "\x1b[31mred",
)


def test_b24_what_comes_out_is_a_table_without_formulas(
    counting: CountingServer, linksfield: Callable[..., Result], tmp_path: Path
) -> None:
    counting.behave(reasons={iccid(n): reason for n, reason in enumerate(EVIL)})
    cards, out = tmp_path / "cards.csv", tmp_path / "results.csv"
    with cards.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["iccid"])
        writer.writerows([[iccid(n)] for n in range(len(EVIL))])
        writer.writerows([[evil] for evil in EVIL if "\r" not in evil])
    report = tmp_path / "report.html"
    result = linksfield("verify", cards, "--out", out, "--keep-going", "--report", report)
    assert result.exit_code == 3, result.output
    text = out.read_bytes().decode()
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert {len(row) for row in rows} == {7}
    assert len(rows) > 1 + len(EVIL) + 5
    assert not any(cell[:1] in set("=+-@\t\r\n＝＋－＠") for row in rows for cell in row if cell)
    # RFC 4180: the line ends are all alike, apart from those inside quotes.
    assert text.endswith("\r\n")
    refused = {row[3]: row for row in rows[1:]}
    assert set(refused) == {"refused", "invalid_input"}
    reasons = [row[4] for row in rows if row[3] == "refused"]
    assert not any("\n" in reason or "\x1b" in reason for reason in reasons)
    assert counting.cards == {iccid(n): 1 for n in range(len(EVIL))}
