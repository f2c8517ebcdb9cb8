from __future__ import annotations

import asyncio
import sqlite3
import threading

import pytest

from linksfield_async.bulk import overflow
from linksfield_async.bulk.overflow import Overflow
from linksfield_async.errors import JournalError


def row(number):
    return (f"8985{number:015d}", number, 1, 1, None, 200, None, b"{}")


@pytest.mark.parametrize("count", [1, 511, 512, 513, 2_000])
async def test_what_was_put_is_found_wherever_it_is(count):
    beside = Overflow()
    for number in range(count):
        beside.put(row(number))
        if beside.is_behind:
            await beside.caught_up()
    for number in {0, count // 2, count - 1}:
        assert await beside.find(row(number)[0]) == row(number)
    await asyncio.sleep(0.01)
    for number in {0, count // 2, count - 1}:
        assert await beside.find(row(number)[0]) == row(number)
    assert await beside.find("8985") is None
    await beside.close()


async def test_who_is_behind_waits_for_the_disk():
    beside = Overflow()
    number = 0
    while not beside.is_behind:
        beside.put(row(number))
        number += 1
    await beside.caught_up()
    assert not beside.is_behind
    assert await beside.find(row(0)[0]) == row(0)
    await beside.close()


async def test_digests_too_and_each_kind_by_itself():
    beside = Overflow()
    beside.put((b"abc", *row(1)[1:]))
    assert await beside.find("abc") is None
    assert (await beside.find(b"abc"))[1] == 1
    await beside.close()


async def test_a_full_disk_is_told_to_who_puts_more(monkeypatch):
    def full(cells, connection):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(overflow, "_insert", full)
    beside = Overflow()
    for number in range(512):
        beside.put(row(number))
    await beside.caught_up()
    with pytest.raises(JournalError, match="disk is full"):
        beside.put(row(512))
    await beside.close()


async def test_closed_in_the_middle_no_thread_is_left():
    beside = Overflow()
    for number in range(1_500):
        beside.put(row(number))
    await asyncio.sleep(0)
    await beside.close()
    async with asyncio.timeout(5):
        while any("beside memory" in thread.name for thread in threading.enumerate()):
            await asyncio.sleep(0.001)
