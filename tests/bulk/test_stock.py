from __future__ import annotations

import pytest

from linksfield_async.bulk.stock import END, LATER, Stock, Stocked


class Shelf(Stocked):
    def __init__(self, items):
        self.items = items

    def at_once(self):
        return self.items.pop(0) if self.items else LATER

    async def __anext__(self):
        if not self.items:
            raise StopAsyncIteration
        return self.items.pop(0)


async def given(items):
    for item in items:
        yield item


@pytest.mark.parametrize("source", [iter, given, Shelf])
async def test_items_one_by_one_and_several_at_a_time(source):
    stock = Stock(source([1, 2, 3, 4, 5]))
    assert await stock.next() == 1
    assert await stock.take(3) == [2, 3, 4]
    assert await stock.take(3) == [5]
    assert await stock.next() is END
    await stock.aclose()


async def test_what_is_at_hand():
    assert list(Stock(iter("ab")).items) == ["a", "b"]
    assert Stock(given("ab")).items is None
    assert Stock(given("ab")).at_once() is LATER
    shelf = Stock(Shelf([1]))
    assert (shelf.at_once(), shelf.at_once()) == (1, LATER)
