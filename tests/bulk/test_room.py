from __future__ import annotations

import asyncio

from bulk_stubs import turns
from hypothesis import given
from hypothesis import strategies as st

from linksfield_async.bulk.room import Room

STEPS = st.lists(
    st.one_of(
        st.just(("acquire", 0)),
        st.tuples(st.just("cancel"), st.integers(0, 9)),
        st.just(("release", 0)),
        st.tuples(st.just("resize"), st.integers(1, 4)),
        st.just(("turn", 0)),
    ),
    max_size=40,
)


@given(STEPS)
def test_it_never_holds_more_than_its_size_and_no_place_is_lost(steps):
    async def main():
        room, size, held, waiting = Room(2), 2, 0, []

        async def acquire():
            nonlocal held
            await room.acquire()
            held += 1

        for step, number in steps:
            before = held
            if step == "acquire":
                waiting.append(asyncio.create_task(acquire()))
            elif step == "cancel" and waiting:
                waiting[number % len(waiting)].cancel()
            elif step == "release" and held:
                held -= 1
                room.release()
            elif step == "resize":
                size = number
                room.resize(size)
            if step == "turn":
                await turns(3)
                assert held <= max(before, size)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for _ in range(held):
            room.release()
        for _ in range(size):
            await asyncio.wait_for(room.acquire(), 1)
        further = asyncio.create_task(room.acquire())
        await turns(3)
        assert not further.done()
        further.cancel()

    asyncio.run(main())


async def test_first_come_first_served():
    room, came = Room(1), []
    await room.acquire()

    async def wait(name):
        await room.acquire()
        came.append(name)

    tasks = [asyncio.create_task(wait(name)) for name in "abc"]
    await turns(3)
    room.release()
    late = asyncio.create_task(wait("late"))  # there is a place, but others wait
    await turns(3)
    assert came == ["a"]
    for _ in range(3):
        room.release()
        await turns(3)
    assert came == ["a", "b", "c", "late"]
    await asyncio.gather(*tasks, late)


async def test_a_place_given_in_the_moment_of_cancelling_goes_to_the_next():
    room = Room(1)
    await room.acquire()
    first, second = (asyncio.create_task(room.acquire()) for _ in range(2))
    await turns(3)
    room.release()
    first.cancel()
    await asyncio.wait_for(second, 1)
    assert first.cancelled()


async def test_a_smaller_room_takes_nobody_in_until_enough_have_left():
    room = Room(3)
    for _ in range(3):
        await room.acquire()
    room.resize(1)
    waiting = asyncio.create_task(room.acquire())
    for _ in range(2):
        room.release()
        await turns(3)
        assert not waiting.done()
    room.release()
    await asyncio.wait_for(waiting, 1)


async def test_a_larger_room_takes_in_who_waits():
    room = Room(1)
    await room.acquire()
    waiting = [asyncio.create_task(room.acquire()) for _ in range(3)]
    await turns(3)
    room.resize(3)
    await turns(3)
    assert [task.done() for task in waiting] == [True, True, False]
    waiting[2].cancel()
