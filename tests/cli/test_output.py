from __future__ import annotations

import asyncio
import json
import queue
import threading
from datetime import date
from decimal import Decimal

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from linksfield_async import ConfigurationError
from linksfield_async.cli import output
from linksfield_async.cli.feed import beside_the_loop
from linksfield_async.operations import Order

HOSTILE = "\x1b[2J\x07\x9b31m\u202e\u2028\x7f\ud800\U000e0001"


def shown(capsys, write, *arguments) -> str:
    write(*arguments)
    return capsys.readouterr().out


def test_visible_escapes_what_a_terminal_would_act_on():
    assert output.visible(f"欧洲 café {HOSTILE}\n").isprintable()
    assert output.visible("8985200000000000000 a@b.example") == "8985200000000000000 a@b.example"


def test_json_escapes_it_too_and_means_the_same(capsys):
    text = shown(capsys, output.show_json, {"a": HOSTILE, "欧": "洲"})
    assert all(line.isprintable() for line in text.splitlines())
    assert json.loads(text) == {"a": HOSTILE, "欧": "洲"}
    assert "欧" in text


@given(st.dictionaries(st.text(), st.text() | st.none() | st.lists(st.integers())))
def test_json_is_always_readable_again(value):
    result = CliRunner().invoke(click.command()(lambda: output.show_json(value)), [])
    assert json.loads(result.stdout) == value


def test_values_of_a_result():
    order = Order(
        pay_amount=Decimal("1E+2"), extra={"when": date(2026, 1, 2), "n": Decimal("0.10")}
    )
    found = output.as_json(order)
    assert found["pay_amount"] == "100"
    assert found["extra"] == {"when": "2026-01-02", "n": "0.10"}
    assert "extra" not in output.as_json(Order())
    assert ("extra.n", Decimal("0.10")) in output.facts_of(order)


def test_plain_columns_are_aligned_also_with_wide_characters(capsys):
    rows = [("欧洲", 1), ("a", None), (HOSTILE, [1, "x"])]
    lines = shown(capsys, output.show_table, ("name", "n"), rows).splitlines()
    assert len(lines) == 4
    wide = len(output.visible(HOSTILE))
    assert lines[0].index("n", 1) == wide + 2
    assert lines[1].index("1") == wide + 2 - len("欧洲"), "two columns each"
    assert lines[2] == "a"
    assert lines[3].endswith('[1, "x"]')


async def test_rows_beside_the_loop_come_in_order_and_all():
    assert [n async for n in beside_the_loop(iter(range(2_000)))] == list(range(2_000))


async def test_an_error_of_the_source_comes_where_the_rows_are_taken():
    def items():
        yield 1
        raise ConfigurationError("torn")

    rows = beside_the_loop(items())
    assert await anext(rows) == 1
    with pytest.raises(ConfigurationError, match="torn"):
        await anext(rows)


async def test_a_source_that_breaks_never_seems_to_have_ended(monkeypatch):
    told: queue.Queue[threading.ExceptHookArgs] = queue.Queue()
    monkeypatch.setattr(threading, "excepthook", told.put)
    rows = beside_the_loop(1 // (1 - n) for n in range(5))
    assert await anext(rows) == 1
    with pytest.raises(RuntimeError, match="broke off"):
        await anext(rows)
    assert told.get(timeout=5).exc_type is ZeroDivisionError


async def test_the_reader_keeps_a_little_ahead_and_stops_when_told():
    read = []

    def items():
        for number in range(100_000):
            read.append(number)
            yield number

    rows = beside_the_loop(items())
    assert await anext(rows) == 0
    await asyncio.sleep(0.2)
    assert len(read) < 1_000
    await rows.aclose()
    await asyncio.sleep(0.05)
    assert len(read) < 1_000
