"""Bulk runs that are killed at random moments; the server's own counts judge."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from bulk_files import check_rows, rows_of, written_cards
from bulk_program import command_line, iccid, program
from counting_server import CountingServer
from killing import KILLS, Killer, finish

from linksfield_async.bulk import look_into

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills as POSIX does")

CARDS = 20_000
FEWER = 4_000
FEWER_KILLS = max(2, KILLS // 2)
CONCURRENCY = 64
UNDER_WAY = 2 * CONCURRENCY
"""At most, in the command line: calls that hang, on a machine that stalls, get company."""


def verifying(
    server: CountingServer, cards: Path, out: Path, *more: str
) -> Callable[[], subprocess.Popen[bytes]]:
    journal = str(out.with_name("run.db"))
    words = ("verify", str(cards), "--out", str(out), "--journal", journal, *more)
    concurrency = ("--concurrency", str(CONCURRENCY))
    return lambda: command_line(server.url, *words, *concurrency)


def check_log(server: CountingServer, count: int, killed: int, under_way: int) -> None:
    """Each card came, and no more of them twice than were under way when it was killed."""
    cards = server.cards
    assert set(cards) == {iccid(n) for n in range(count)}
    assert cards.total() <= count + killed * under_way


@pytest.mark.timeout(900)
def test_b01_killed_at_random_moments_each_row_once(
    counting: CountingServer, tmp_path: Path
) -> None:
    cards, out = written_cards(tmp_path / "cards.csv", CARDS), tmp_path / "results.csv"
    start = verifying(counting, cards, out)
    killed = Killer(counting).kill(start, KILLS, span=3.0 / KILLS)
    finish(start())
    check_rows(out, CARDS)
    check_log(counting, CARDS, killed, UNDER_WAY)
    # Once more: there is nothing left to do.
    sent, size = counting.total, out.stat().st_size
    finish(start())
    assert (counting.total, out.stat().st_size) == (sent, size)


@pytest.mark.timeout(900)
def test_b01_the_order_of_the_input_is_kept_through_kills(
    counting: CountingServer, tmp_path: Path
) -> None:
    cards, out = written_cards(tmp_path / "cards.csv", FEWER), tmp_path / "results.csv"
    start = verifying(counting, cards, out, "--order", "input")
    killed = Killer(counting).kill(start, FEWER_KILLS, span=0.4)
    finish(start())
    assert [int(row["row"]) for row in rows_of(out)] == list(range(2, FEWER + 2))
    check_log(counting, FEWER, killed, UNDER_WAY)


@pytest.mark.timeout(900)
def test_b01_a_parquet_table_is_whole_after_kills(counting: CountingServer, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    cards, out = written_cards(tmp_path / "cards.csv", FEWER), tmp_path / "results.parquet"
    start = verifying(counting, cards, out)
    killed = Killer(counting).kill(start, FEWER_KILLS, span=0.4)
    finish(start())
    table = parquet.read_table(out)
    assert sorted(table["row"].to_pylist()) == list(range(2, FEWER + 2))
    assert set(table["verdict"].to_pylist()) == {"valid"}
    check_log(counting, FEWER, killed, UNDER_WAY)


@pytest.mark.timeout(900)
def test_b01_through_the_library_with_hidden_cards(
    counting: CountingServer, tmp_path: Path
) -> None:
    out, journal = tmp_path / "results.jsonl", tmp_path / "run.db"
    leaked: list[int] = []

    def start() -> subprocess.Popen[bytes]:
        leaked.append(sum(b"8985000" in file.read_bytes() for file in tmp_path.glob("run.db*")))
        return program(
            url=counting.url,
            kind="verify",
            count=FEWER,
            out=str(out),
            concurrency=CONCURRENCY,
            path=str(journal),
            key="a secret of sixteen",
        )

    killed = Killer(counting).kill(start, FEWER_KILLS, span=0.4)
    finish(start())
    rows = [line.partition(",")[0] for line in out.read_text().splitlines()]
    assert sorted(rows) == sorted(f'{{"row":{n}' for n in range(1, FEWER + 1))
    # As many connections as calls leave no room for others beside calls that hang.
    check_log(counting, FEWER, killed, CONCURRENCY)
    assert set(leaked) == {0}
    assert look_into(journal).is_finished


@pytest.mark.timeout(900)
def test_b01_killed_while_it_resumes_several_times_in_a_row(
    counting: CountingServer, tmp_path: Path
) -> None:
    """Most of it is done: each session is killed soon after it began to read the journal."""
    cards, out = written_cards(tmp_path / "cards.csv", FEWER), tmp_path / "results.csv"
    start = verifying(counting, cards, out)
    counting.behave(drop=[iccid(n) for n in range(0, FEWER, 16)])
    with start() as run:  # it stops by itself or not; what was dropped is unknown
        run.communicate(timeout=60)
    counting.behave(drop=[], delay=0.02)
    before = counting.total
    killed = Killer(counting).kill(start, FEWER_KILLS + 1, span=0.05)
    finish(start())
    check_rows(out, FEWER)
    repeated = counting.total - before
    assert FEWER / 16 <= repeated <= FEWER / 16 + killed * UNDER_WAY


ORDERS = 400
ORDER_KILLS = min(KILLS, 3) if "LINKSFIELD_TEST_KILLS" not in os.environ else KILLS


@pytest.mark.timeout(900)
def test_b02_no_order_twice_through_kills(counting: CountingServer, tmp_path: Path) -> None:
    """The server makes orders up to 2 s after their client is gone, and each time they come."""
    out, journal = tmp_path / "outcomes", tmp_path / "run.db"

    def start() -> subprocess.Popen[bytes]:
        return program(
            url=counting.url,
            kind="orders",
            count=ORDERS,
            out=str(out),
            concurrency=20,
            path=str(journal),
            quarantine=2.0,
            deadline=2.5,
        )

    Killer(counting).kill(start, ORDER_KILLS, span=0.8)
    finish(start())
    assert counting.under_way == 0
    assert counting.made == Counter(f"shop-{n}" for n in range(ORDERS))
    assert counting.taken == counting.made
    told = dict(line.split() for line in out.read_text().splitlines())
    assert told == {str(n): "valid" for n in range(ORDERS)}
    summary = look_into(journal)
    assert summary.is_finished
    assert summary.verdicts["valid"] == ORDERS
    assert [session.ended for session in summary.sessions][-1] == "finished"


def test_b02_the_killed_process_is_named_and_the_intent_is_shown(
    counting: CountingServer, tmp_path: Path
) -> None:
    journal = tmp_path / "run.db"
    counting.behave(slow_share=1.0, slowest=30.0)
    settings = {"url": counting.url, "kind": "orders", "out": str(tmp_path / "outcomes")}
    with program(**settings, count=3, path=str(journal)) as run:
        while counting.total < 3:
            assert run.poll() is None
        run.send_signal(signal.SIGKILL)
        run.communicate(timeout=10)
    summary = look_into(journal)
    assert (summary.intents, summary.todo) == (3, 3)
    assert [one.position for one in summary.open_intents] == [0, 1, 2]
    assert summary.sessions[0].pid == run.pid
