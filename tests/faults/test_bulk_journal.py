"""The journal of bulk runs: whose it is, and who may use it; nothing is sent where it is refused."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest
from bulk_files import check_rows, written_cards
from bulk_program import command_line, ended, iccid, order, wait_for
from click.testing import CliRunner
from counting_server import CountingServer
from killing import finish

from linksfield_async import Account, Client, Endpoints, JournalError, JournalRefused
from linksfield_async.bulk import Journal, look_into
from linksfield_async.cli.app import root

CARDS = 30


@pytest.fixture
def account(counting: CountingServer) -> Account:
    return Account("P000270", endpoints=Endpoints.at(counting.url))


@pytest.fixture
async def client(account: Account) -> AsyncIterator[Client]:
    async with Client(account) as client:
        yield client


def cards(count: int = CARDS) -> list[str]:
    return [iccid(n) for n in range(count)]


async def taken(outcomes: Any) -> int:
    return len([outcome async for outcome in outcomes])


@pytest.fixture
async def journal(client: Client, tmp_path: Path) -> Path:
    """A journal of a run that was left after half of its cards."""
    path = tmp_path / "run.db"
    many = client.verify_many(
        cards(), journal=Journal(path, key="a key of sixteen!"), concurrency=2
    )
    async with many:
        for _ in range(CARDS // 2):
            await anext(many)
    return path


# B07: one at a time


@pytest.mark.parametrize("name", ["run.db", "link.db", "folder/../run.db"])
async def test_b07_two_runs_in_one_process(
    counting: CountingServer, client: Client, tmp_path: Path, name: str
) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "run.db")
    (tmp_path / "folder").mkdir()
    counting.behave(delay=0.01)
    async with client.verify_many(cards(), journal=tmp_path / "run.db", concurrency=2) as first:
        await anext(first)
        second = client.verify_many(cards(), journal=tmp_path / name)
        with pytest.raises(JournalRefused, match=f"is in use by process {os.getpid()} on"):
            await anext(second)
        assert await taken(first) == CARDS - 1
    assert counting.cards == dict.fromkeys(cards(), 1)
    assert await taken(client.verify_many(cards(), journal=tmp_path / name)) == 0


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_b07_a_second_process_leaves_journal_and_results_alone(
    counting: CountingServer, tmp_path: Path, ending: str
) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    many = 1_500
    given, out = written_cards(tmp_path / "cards.csv", many), tmp_path / f"results.{ending}"
    words = ("verify", str(given), "--out", str(out), "--journal", str(tmp_path / "run.db"))
    counting.behave(delay=0.2)
    with command_line(counting.url, *words) as first:
        wait_for(lambda: counting.total > 200)
        code, _, err = ended(command_line(counting.url, *words))
        assert (code, err.count("\n")) == (2, 1)
        assert f"in use by process {first.pid}" in err
        counting.behave(delay=0.0)
        finish(first)
    assert counting.cards == {iccid(n): 1 for n in range(many)}
    if ending == "csv":
        check_rows(out, many)
    else:
        import pyarrow.parquet

        assert pyarrow.parquet.read_table(out).num_rows == many


# B08: no other run's journal


Many = Callable[[Client, Path], Any]


def verifying(iccids: Iterable[Any], **settings: Any) -> Many:
    return lambda client, path: client.verify_many(
        iccids, journal=Journal(path, key="a key of sixteen!"), **settings
    )


OTHERS: dict[str, tuple[Many, str]] = {
    "operations": (
        lambda client, path: client.send_many([order(1)], journal=path),
        "made by verify_many, not by send_many",
    ),
    "no key": (
        lambda client, path: client.verify_many(cards(), journal=path),
        "with hidden ICCIDs: the key is needed",
    ),
    "another key": (
        lambda client, path: client.verify_many(
            cards(), journal=Journal(path, key="a key of sixteen?")
        ),
        "made with another key",
    ),
    "url": (verifying(cards(), url="https://x"), "options"),
    "duplicates": (verifying(cards(), duplicates="each"), "options"),
    "shorter": (verifying(cards(5)), "the input ends after 5 items"),
    "other cards": (verifying([iccid(n + 500) for n in range(CARDS)]), "another input"),
    "in another order": (verifying(cards()[::-1]), "another input"),
    "one more before": (verifying([iccid(99), *cards()]), "another input"),
    "nothing valid before": (verifying(["x", *cards()[1:]]), "another input"),
}


@pytest.mark.parametrize("other", OTHERS)
async def test_b08_another_run_is_refused_with_the_reason(
    counting: CountingServer, client: Client, journal: Path, other: str
) -> None:
    many, reason = OTHERS[other]
    sent, before = counting.total, look_into(journal)
    with pytest.raises(JournalRefused, match=reason) as caught:
        await taken(many(client, journal))
    assert "\n" not in str(caught.value)
    assert counting.total == sent
    after = look_into(journal)
    assert after.verdicts == before.verdicts
    assert await taken(verifying(cards())(client, journal)) >= CARDS // 2
    assert look_into(journal).is_finished


@pytest.mark.parametrize("count", [CARDS - 1, CARDS + 1])
async def test_b08_a_longer_or_shorter_input_is_not_the_complete_one(
    counting: CountingServer, client: Client, tmp_path: Path, count: int
) -> None:
    journal = tmp_path / "run.db"
    assert await taken(client.verify_many(cards(), journal=journal)) == CARDS
    with pytest.raises(JournalRefused, match="the input"):
        await taken(client.verify_many(iter(cards(count)), journal=journal))
    assert counting.total == CARDS


@pytest.mark.parametrize("change", ["partner", "endpoint"])
async def test_b08_another_partner_or_endpoint_is_refused(
    counting: CountingServer, account: Account, journal: Path, change: str
) -> None:
    sent = counting.total
    changes: dict[str, Any] = {
        "partner": {"partner_code": "P999"},
        "endpoint": {"endpoints": Endpoints.at(counting.url.replace("127.0.0.1", "localhost"))},
    }
    async with Client(attrs.evolve(account, **changes[change])) as other:
        with pytest.raises(JournalRefused, match=change):
            await taken(verifying(cards())(other, journal))
    assert counting.total == sent


def test_b08_another_file_is_refused_by_what_is_in_it(
    counting: CountingServer, tmp_path: Path
) -> None:
    given, out = written_cards(tmp_path / "cards.csv", 50), tmp_path / "results.csv"
    words = ["verify", str(given), "--out", str(out), "--journal", str(tmp_path / "run.db")]
    env = {"LINKSFIELD_PARTNER_CODE": "P000270", "LINKSFIELD_ENDPOINTS": counting.url}
    assert CliRunner().invoke(root, words, env=env).exit_code == 0
    results = out.read_bytes()
    given.write_text(given.read_text().replace(iccid(49), iccid(77)))
    refused = CliRunner().invoke(root, words, env=env)
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "about another input" in refused.stderr
    assert counting.total == 50
    assert out.read_bytes() == results


def content(path: Path) -> bytes:
    return path.read_bytes()


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


def _other_database(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE precious (a)")


STRANGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a newer format": (_newer, "has format 99, this release"),
    "another database": (_other_database, "no journal of this program"),
    "a text": (lambda path: path.write_text("precious " * 200), "no journal"),
}


@pytest.mark.parametrize("strange", STRANGE)
async def test_b08_a_strange_file_is_refused_and_stays_as_it_is(
    counting: CountingServer, client: Client, journal: Path, strange: str
) -> None:
    change, reason = STRANGE[strange]
    change(journal)
    sent, before = counting.total, content(journal)
    with pytest.raises(JournalRefused, match=reason):
        await taken(verifying(cards())(client, journal))
    assert (counting.total, content(journal)) == (sent, before)
    shown = CliRunner().invoke(root, ["runs", "show", str(journal)], prog_name="linksfield")
    assert shown.exit_code != 0
    assert shown.stderr.count("\n") == 1


@pytest.mark.parametrize("place", ["none/run.db", "", "."])
async def test_b06_where_no_journal_can_be_nothing_is_sent(
    counting: CountingServer, client: Client, tmp_path: Path, place: str
) -> None:
    with pytest.raises((JournalError, JournalRefused)) as caught:
        await taken(client.verify_many(cards(), journal=tmp_path / place))
    assert "\n" not in str(caught.value)
    assert counting.total == 0
