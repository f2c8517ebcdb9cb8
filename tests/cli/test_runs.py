from __future__ import annotations

import asyncio
import json

import pytest
from bulk_stubs import GOOD, Answers, iccid, listed, order

from linksfield_async.bulk.journal.settings import Journal
from linksfield_async.errors import OutcomeUnknown


@pytest.fixture
def journal(tmp_path):
    """Of three orders, whose answers were lost but for the last."""
    path = str(tmp_path / "run.db")

    async def run():
        lost = Answers(lambda p: OutcomeUnknown("lost") if p["orderNo"] != "NO2" else GOOD)
        await listed(lost.client().send_many([order(n) for n in range(3)], journal=Journal(path)))

    asyncio.run(run())
    return path


def test_a_journal_is_explained(bare, journal):
    result = bare("runs", "show", journal, "--check")
    assert result.exit_code == 0, result.stderr
    for told in (journal, "send_many", "P1", "OutcomeUnknown", "not finished", "finished"):
        assert told in result.stdout
    assert iccid(1) not in result.stdout


def test_as_json(bare, journal):
    told = json.loads(bare("runs", "show", journal, "--json").stdout)
    assert (told["total"], told["todo"], told["is_finished"]) == (3, 0, False)
    assert told["verdicts"]["unknown"] == 2
    assert told["errors"][0]["count"] == 2
    assert told["sessions"][0]["ended"] == "finished"


@pytest.mark.parametrize("carried_out", [True, False])
def test_settled_by_hand(bare, journal, carried_out):
    how = "--carried-out" if carried_out else "--not-carried-out"
    result = bare("runs", "settle", journal, "0", "1", how, "--yes")
    assert result.exit_code == 0, result.stderr
    verdicts = json.loads(bare("runs", "show", journal, "--json").stdout)["verdicts"]
    assert (verdicts["valid"], verdicts["failed"]) == ((3, 0) if carried_out else (1, 2))
    again = bare("runs", "settle", journal, "0", how, "--yes")
    assert again.exit_code == 2
    assert "item 0 is not unknown" in again.stderr


def test_what_became_of_them_must_be_said(bare, journal):
    result = bare("runs", "settle", journal, "0", "--yes")
    assert result.exit_code == 2
    assert "carried-out" in result.stderr


def test_nothing_is_changed_where_that_is_not_confirmed(bare, journal):
    result = bare("runs", "settle", journal, "0", "--carried-out", given="n\n")
    assert result.exit_code == 1
    assert "nothing was changed" in result.stderr
    assert json.loads(bare("runs", "show", journal, "--json").stdout)["verdicts"]["unknown"] == 2
    assert bare("runs", "settle", journal, "0", "--carried-out", given="y\n").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("show", "/no/such/run.db"), "there is no file"),
        (("settle", "/no/such/run.db", "0", "--carried-out", "--yes"), "there is no file"),
        (("settle", "x.db", "--carried-out"), "POSITION"),
        (("settle", "x.db", "-1", "--carried-out"), ""),
        (("show", __file__), "run"),
    ],
)
def test_wrong_use_is_one_line(bare, arguments, told):
    result = bare("runs", *arguments)
    assert result.exit_code in (1, 2)
    assert told in result.stderr
    assert "Traceback" not in result.stderr
