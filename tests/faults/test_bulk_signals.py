"""The command line under signals: stopped in good order, at once, or held for a while."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from bulk_files import check_rows, written_cards
from bulk_program import command_line, ended, iccid, program, wait_for
from counting_server import CountingServer
from killing import finish

from linksfield_async.bulk import look_into

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")

CARDS = 2_000


@attrs.frozen
class Verifying:
    start: Callable[[], subprocess.Popen[bytes]]
    out: Path
    journal: Path


@pytest.fixture
def verifying(counting: CountingServer, tmp_path: Path) -> Verifying:
    cards, out = written_cards(tmp_path / "cards.csv", CARDS), tmp_path / "results.csv"
    journal = tmp_path / "run.db"
    words = ("verify", str(cards), "--out", str(out), "--journal", str(journal))
    return Verifying(lambda: command_line(counting.url, *words), out, journal)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_b04_one_signal_lets_what_is_under_way_be_answered(
    counting: CountingServer, verifying: Verifying, number: signal.Signals
) -> None:
    counting.behave(delay=0.1)
    run = verifying.start()
    wait_for(lambda: counting.total > 200)
    run.send_signal(number)
    code, _, err = ended(run, 10)
    assert code == 4
    assert "under way; Ctrl-C again stops at once" in err
    assert f"go on with: linksfield verify {verifying.out.with_name('cards.csv')}" in err
    assert "Traceback" not in err
    summary = look_into(verifying.journal)
    # All that was sent was answered and is known, and the session ended in good order.
    assert summary.verdicts["valid"] == counting.total < CARDS
    assert summary.sessions[0].ended == "stopped"
    counting.behave(delay=0.0)
    finish(verifying.start())
    check_rows(verifying.out, CARDS)
    assert counting.cards == {iccid(n): 1 for n in range(CARDS)}


def test_b04_a_second_signal_stops_at_once(counting: CountingServer, verifying: Verifying) -> None:
    counting.behave(delay=60.0)
    run = verifying.start()
    wait_for(lambda: counting.total >= 64)
    run.send_signal(signal.SIGINT)
    assert run.stderr is not None
    assert b"stopping" in run.stderr.readline()
    run.send_signal(signal.SIGINT)
    code, _, err = ended(run, 6)  # the grace of the first one is longer
    assert code == 4
    assert "go on with: linksfield verify" in err
    assert "Traceback" not in err
    counting.behave(delay=0.0)
    finish(verifying.start())
    check_rows(verifying.out, CARDS)


def test_b04_held_for_a_while_and_a_second_process_meanwhile(
    counting: CountingServer, verifying: Verifying
) -> None:
    counting.behave(delay=0.02)
    with verifying.start() as run:
        wait_for(lambda: counting.total > 200)
        run.send_signal(signal.SIGSTOP)
        try:
            time.sleep(0.3)
            before, sent = verifying.out.read_bytes(), counting.total
            code, _, err = ended(verifying.start())
            assert (code, err.count("\n")) == (2, 1)
            assert f"is in use by process {run.pid} on " in err
            assert (verifying.out.read_bytes(), counting.total) == (before, sent)
            time.sleep(1.0)
        finally:
            run.send_signal(signal.SIGCONT)
        finish(run)
    check_rows(verifying.out, CARDS)
    assert counting.cards == {iccid(n): 1 for n in range(CARDS)}


def test_b04_orders_that_were_held_are_sent_once(counting: CountingServer, tmp_path: Path) -> None:
    counting.behave(slowest=0.3)
    settings = {"url": counting.url, "kind": "orders", "out": str(tmp_path / "outcomes")}
    with program(**settings, count=200, path=str(tmp_path / "run.db"), quarantine=0.0) as run:
        for _ in range(3):
            held = counting.total
            wait_for(lambda held=held: counting.total > held or run.poll() is not None)
            run.send_signal(signal.SIGSTOP)
            time.sleep(0.4)
            run.send_signal(signal.SIGCONT)
        finish(run)
    assert counting.made == {f"shop-{n}": 1 for n in range(200)}
