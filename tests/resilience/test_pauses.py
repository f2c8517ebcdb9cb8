from __future__ import annotations

import random

import pytest

from linksfield_async.resilience.pauses import (
    FIRST,
    LONGEST,
    as_asked,
    before_repeat,
    retry_after,
)

NOW_MS = 1_700_000_000_000  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize("repeat", [1, 2, 3, 10, 2000])
def test_r03_the_jitter_is_full(repeat: int) -> None:
    bound = min(LONGEST, FIRST * 2 ** min(repeat - 1, 30))
    draw = random.Random(1).random
    waits = [before_repeat(repeat, draw) for _ in range(10_000)]
    assert 0 <= min(waits) < bound * 0.01
    assert bound * 0.99 < max(waits) <= bound
    tenths = [sum(1 for w in waits if n <= w / bound * 10 < n + 1) for n in range(10)]
    assert all(800 < count < 1200 for count in tenths)


def test_r03_clients_do_not_come_back_in_step() -> None:
    draw = random.Random(1).random
    waits = [as_asked(10.0, draw) for _ in range(1_000)]
    assert min(waits) >= 10.0  # never earlier than asked
    assert max(waits) - min(waits) >= 0.2 * 10.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("2", 2.0),
        ("0", 0.0),
        (" 3 ", 3.0),
        ("1.5", 1.5),
        ("1000000000", 60.0),
        ("Tue, 14 Nov 2023 22:13:25 GMT", 5.0),
        ("Tue, 14 Nov 2023 22:13:15 GMT", 0.0),
        ("Tue, 14 Nov 2023 23:13:25 +0100", 5.0),
        ("Tue, 14 Nov 2023 22:13:25", 5.0),
        ("Tue, 14 Nov 2093 22:13:25 GMT", 60.0),
        ("Tue, 31 Feb 2023 22:13:25 GMT", None),
        ("-1", None),
        ("1e9", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("9" * 5000, None),
        (None, None),
    ],
)
def test_a14_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW_MS) == seconds
