from __future__ import annotations

import asyncio
import threading

from simulated_time import now, run_simulated

from linksfield_async import Account, Client
from linksfield_async.resilience.clock import Clock, clock_for_new, new_clients_use, time_of


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


async def test_the_time_of_asyncio_s_own_loop_is_told_without_a_call_around() -> None:
    loop = asyncio.get_running_loop()
    told = time_of(loop)
    before, between, after = loop.time(), told(), loop.time()
    assert before <= between <= after


def test_a_loop_with_a_time_of_its_own_is_asked() -> None:
    async def main() -> None:
        told = time_of(asyncio.get_running_loop())
        await asyncio.sleep(1_000)
        assert told() == now()

    run_simulated(main())
