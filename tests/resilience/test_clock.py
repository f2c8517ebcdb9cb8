from __future__ import annotations

import threading

from linksfield_async import Account, Client
from linksfield_async.resilience.clock import Clock, clock_for_new, new_clients_use


def test_clients_of_a_block_have_its_clock_whatever_thread_makes_them() -> None:
    outer, inner = Clock(monotonic=lambda: 1.0), Clock(monotonic=lambda: 2.0)
    usual = clock_for_new()
    made: list[Client] = []
    with new_clients_use(outer):
        with new_clients_use(inner):
            assert clock_for_new() is inner
        thread = threading.Thread(target=lambda: made.append(Client(Account("P000270"))))
        thread.start()
        thread.join()
    assert made[0]._pipeline.shared.clock is outer
    assert clock_for_new() is usual
