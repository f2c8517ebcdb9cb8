from __future__ import annotations

import asyncio
import threading

from linksfield_async.groups.turns import Turns


async def test_one_at_a_time_in_their_order() -> None:
    turns, seen = Turns(), []

    async def take(name: str) -> None:
        async with turns.turn(("g",)):
            seen.append(name)
            await asyncio.sleep(0)
            seen.append(name)

    await asyncio.gather(take("a"), take("b"), take("c"))
    assert seen == ["a", "a", "b", "b", "c", "c"]


async def test_other_names_do_not_wait() -> None:
    turns = Turns()
    async with turns.turn(("g",)), asyncio.timeout(1), turns.turn(("h",)):
        pass


async def test_who_gives_up_keeps_nobody_waiting() -> None:
    turns = Turns()
    async with turns.turn(("g",)):
        waiting = asyncio.create_task(turns.turn(("g",)).__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(1), turns.turn(("g",)):
        pass


def test_over_threads_and_their_loops() -> None:
    turns, inside, most = Turns(), [], []

    async def take() -> None:
        for _ in range(20):
            async with turns.turn(("g",)):
                inside.append(1)
                most.append(len(inside))
                await asyncio.sleep(0)
                inside.pop()

    threads = [threading.Thread(target=lambda: asyncio.run(take())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(most) == 80
    assert max(most) == 1


async def test_a_child_process_has_turns_of_its_own() -> None:
    turns = Turns()
    async with turns.turn(("g",)):
        turns.renew_in_child()
        async with asyncio.timeout(1), turns.turn(("g",)):
            pass
