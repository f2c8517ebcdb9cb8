from __future__ import annotations

import pytest

from linksfield_async.errors import Refused, Throttled
from linksfield_async.groups.chunks import FIRST_SIZE, ChunkSize, is_by_size


@pytest.mark.parametrize(
    "error",
    [
        Refused("at most 500 sim_ids may be given"),
        Refused("Too many cards"),
        Refused("超过最大数量"),
        Refused("whatever", status=413),
    ],
)
def test_refusals_by_size(error: Refused) -> None:
    assert is_by_size(error, 2)
    assert not is_by_size(error, 1)


@pytest.mark.parametrize(
    "error",
    [
        Refused("group_id is unknown"),
        Refused("rate limit exceeded"),
        Refused("at most 5 requests per second"),
        Throttled("too many requests", status=429),
        Refused("too many", needs_reconciliation=True),
    ],
)
def test_other_refusals(error: Refused) -> None:
    assert not is_by_size(error, 100)


def test_the_size_is_halved_once_for_several_that_were_under_way() -> None:
    size = ChunkSize()
    assert (size.of(None), size.of(5_000)) == (FIRST_SIZE, 5_000)
    for _ in range(3):
        size.refuse(1_000)
    assert (size.of(None), size.of(5_000), size.of(20)) == (500, 500, 20)
    size.refuse(2)
    size.refuse(1)
    assert size.of(None) == 1
