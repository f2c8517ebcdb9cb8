from __future__ import annotations

import asyncio
import threading

import pytest

from linksfield_async.notifications.threads import LoopThread


async def where() -> tuple[int, int]:
    return threading.get_ident(), id(asyncio.get_running_loop())


def test_one_loop_for_all_callers_and_a_new_one_after_the_end() -> None:
    thread = LoopThread()
    first = thread.run(where())
    assert thread.run(where()) == first
    assert first[0] != threading.get_ident()
    thread.close()
    thread.close()
    assert thread.run(where())[0] != threading.get_ident()
    thread.close()


def test_what_is_raised_arrives() -> None:
    async def failing() -> None:
        raise ValueError("here")

    thread = LoopThread()
    with pytest.raises(ValueError, match="here"):
        thread.run(failing())
    thread.close()
