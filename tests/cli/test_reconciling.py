from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest

from linksfield_async import Client, Sandbox
from linksfield_async.checkout import Checkout, SqliteCheckouts
from linksfield_async.checkout.record import Intent, Record
from linksfield_async.checkout.saving import saved
from linksfield_async.checkout.state import State, Step
from linksfield_async.operations import GetOrder


@pytest.fixture
def begun(sandbox: Sandbox) -> Callable[..., Record]:
    """Begin a purchase for a card; gives its record as it is kept."""

    def work(iccid: str) -> Record:
        async def once() -> Checkout:
            async with Client(sandbox.account) as client:
                plan = sandbox.world.plans[0].code
                return await client.checkout.purchase(iccid=iccid, plan=plan, save=str)

        return asyncio.run(once()).record

    return work


def lost(record: Record) -> Record:
    """The same as if the answer to its order had been lost long ago."""
    intent = Intent(Step.ORDERING, wall_ms=0)
    return attrs.evolve(record, reached=State.PLANNED, under_way=intent, client_secret=None)


def never_sent(record: Record, number: str) -> Record:
    ids = attrs.evolve(record.ids, order_no=number, pay_id=f"P{number}", request_order_id=number)
    return attrs.evolve(lost(record), ids=ids, shown_unpaid=False)


def test_a_lost_order_is_found_and_kept(cli, valid, begun, tmp_path: Path):
    file = tmp_path / "cart.json"
    file.write_text(saved(lost(begun(valid[0]))))
    result = cli("order", "reconcile", str(file))
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("cart.json: ordering carried out; now ordered\n")
    assert "GetOrder shows the order" in result.stdout
    assert valid[0] not in result.stdout
    kept = json.loads(file.read_text())
    assert (kept["reached"], kept["under_way"]) == ("ordered", None)
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_what_is_not_proved_stays_unknown(cli, valid, begun, sandbox, tmp_path: Path):
    other = begun(valid[0])
    file, known = tmp_path / "cart.json", tmp_path / "other.json"
    file.write_text(saved(never_sent(other, "N1")))
    known.write_text(saved(other))
    result = cli("order", "reconcile", str(file), "--json")
    assert result.exit_code == 3
    (told,) = json.loads(result.stdout)
    assert (told["state"], told["carried_out"]) == ("unknown", None)
    assert "proves nothing" in told["evidence"][-1]["told"]
    result = cli("order", "reconcile", str(file), "--known", str(known), "--json")
    (told,) = json.loads(result.stdout)
    assert (result.exit_code, told["state"], told["carried_out"]) == (0, "planned", False)
    assert len(sandbox.requests.of("SingleOrder")) == 1


def test_a_store_of_many(cli, valid, begun, tmp_path: Path):
    store = SqliteCheckouts(tmp_path / "shop.db")

    async def fill(**records: Any) -> None:
        for key, record in records.items():
            await store.insert(key, saved(attrs.evolve(record, revision=1)))

    first = begun(valid[0])
    odd = attrs.evolve(lost(begun(valid[2])), refused=True, reached=State.FAILED)
    asyncio.run(
        fill(good=first, found=lost(begun(valid[1])), none=never_sent(first, "N1"), odd=odd)
    )
    result = cli("order", "reconcile", store.path)
    assert result.exit_code == 3
    heads = [line for line in result.stdout.splitlines() if not line.startswith(" ")]
    assert heads == [
        "found: ordering carried out; now ordered",
        "none: ordering not carried out; now planned",
        "odd: contradiction: the order was refused, and yet the service shows it; it stays unknown",
    ]
    again = cli("order", "reconcile", store.path, "--key", "good", "--json")
    assert again.exit_code == 0
    assert json.loads(again.stdout)[0]["state"] == "authorized"
    assert cli("order", "reconcile", store.path, "--key", "x").exit_code == 2
    told = json.loads(cli("order", "reconcile", store.path, "--json").stdout)
    assert [one.get("contradiction", "") != "" for one in told] == [True]


def test_nothing_to_do(cli, tmp_path: Path):
    store = SqliteCheckouts(tmp_path / "shop.db")
    asyncio.run(store.keys())
    assert cli("order", "reconcile", store.path).stdout == "nothing is unknown\n"


def test_another_sqlite_file_is_left_alone(cli, tmp_path: Path):
    """The journal of a run, say: it is no store, and that is not "nothing is unknown"."""
    other = tmp_path / "run.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE item (key TEXT)")
    before = other.read_bytes()
    result = cli("order", "reconcile", str(other))
    assert result.exit_code == 2
    assert "no store of checkouts" in result.stderr
    assert other.read_bytes() == before


def test_a_store_that_a_killed_shop_left_is_read(cli, valid, begun, tmp_path: Path):
    store = SqliteCheckouts(tmp_path / "shop.db")
    asyncio.run(store.insert("a", saved(attrs.evolve(lost(begun(valid[0])), revision=1))))
    program = (
        "import os, signal, sqlite3, sys\n"
        "db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "db.execute('PRAGMA cache_size = 1')\n"
        "db.execute('PRAGMA cache_spill = 1')\n"
        "db.execute('BEGIN IMMEDIATE')\n"
        "for n in range(2000):\n"
        "    db.execute('INSERT INTO checkout VALUES (?, 1, ?, 0, ?)', (str(n), 'unknown', 'x' * 500))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, store.path], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert Path(f"{store.path}-journal").stat().st_size > 0
    result = cli("order", "reconcile", store.path)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (
        0,
        "a: ordering carried out; now ordered",
    )


def test_one_of_another_partner_does_not_stop_the_others(cli, valid, begun, tmp_path: Path):
    store = SqliteCheckouts(tmp_path / "shop.db")
    mine = lost(begun(valid[0]))
    other = attrs.evolve(never_sent(mine, "N9"), partner="P999999")
    for key, record in {"a": other, "b": mine}.items():
        asyncio.run(store.insert(key, saved(attrs.evolve(record, revision=1))))
    result = cli("order", "reconcile", store.path)
    assert result.exit_code == 3
    heads = [line for line in result.stdout.splitlines() if not line.startswith(" ")]
    assert heads == [
        "a: not asked about: the checkout was saved by another partner",
        "b: ordering carried out; now ordered",
    ]
    told = json.loads(cli("order", "reconcile", store.path, "--json").stdout)
    assert told == [{"checkout": "a", "refused": "the checkout was saved by another partner"}]
    assert cli("order", "reconcile", store.path, "--key", "a").exit_code == 2


def test_what_a_shop_saves_meanwhile_is_not_overwritten(cli, valid, begun, sandbox, tmp_path: Path):
    """Its text may hold the client secret, or a step that was begun since."""
    file = tmp_path / "cart.json"
    record = lost(begun(valid[0]))
    file.write_text(saved(record))
    newer = saved(attrs.evolve(record, revision=9))
    handlers = sandbox._server._dispatcher._handlers
    ask = handlers[GetOrder]

    def meanwhile(call: GetOrder, partner: str) -> Any:
        file.write_text(newer)
        return ask(call, partner)

    handlers[GetOrder] = meanwhile
    result = cli("order", "reconcile", str(file))
    assert result.exit_code == 3
    assert "conflict: the file was written meanwhile" in result.stdout
    assert file.read_text() == newer
    assert list(tmp_path.iterdir()) == [file]


def test_a_lost_cancellation_is_in_doubt_too(cli, valid, begun, tmp_path: Path):
    """The state does not tell it; but a payer may be charged again who thinks it is canceled."""
    record = begun(valid[0])
    intent = Intent(Step.CANCELING, wall_ms=0)
    text = saved(attrs.evolve(record, under_way=intent, revision=1))
    store, file = SqliteCheckouts(tmp_path / "shop.db"), tmp_path / "cart.json"
    asyncio.run(store.insert("a", text))
    asyncio.run(store.insert("b", saved(attrs.evolve(record, revision=1))))
    file.write_text(text)
    for path, name in ((store.path, "a"), (str(file), "cart.json")):
        result = cli("order", "reconcile", path, "--json")
        (told,) = json.loads(result.stdout)
        assert (told["checkout"], told["step"], told["carried_out"]) == (name, "canceling", None)
        assert result.exit_code == 3


def test_a_doubled_order_is_told_and_not_good(cli, valid, begun, sandbox, tmp_path: Path):
    record = begun(valid[0])
    file = tmp_path / "cart.json"
    file.write_text(saved(record))

    async def again() -> None:
        async with Client(sandbox.account) as client:
            await client.send(record.order())

    asyncio.run(again())
    for order in sandbox.world.orders:
        sandbox.world.orders.pay(order, sandbox.clock.now())
    result = cli("order", "reconcile", str(file))
    assert result.exit_code == 3
    assert "the card has 2 new orders of this plan" in result.stdout
    assert result.stdout.endswith("more new orders of this plan than were made\n")
    (told,) = json.loads(cli("order", "reconcile", str(file), "--json").stdout)
    assert told["doubled"] is True


def test_a_link_stays_a_link(cli, valid, begun, tmp_path: Path):
    file, link = tmp_path / "cart.json", tmp_path / "link.json"
    file.write_text(saved(lost(begun(valid[0]))))
    link.symlink_to(file)
    assert cli("order", "reconcile", str(link)).exit_code == 0
    assert link.is_symlink()
    assert json.loads(file.read_text())["reached"] == "ordered"


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"linksfield_checkout":2}'])
def test_what_is_no_checkout_is_wrong_use(cli, sandbox, tmp_path: Path, content: bytes):
    file = tmp_path / "cart.json"
    file.write_bytes(content)
    result = cli("order", "reconcile", str(file))
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert cli("order", "reconcile", str(file), "--key", "a").exit_code == 2
    assert not len(sandbox.requests)
