from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import CancelledError
from typing import Any

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


def test_who_calls_at_the_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled or carried out: the loop does not end between being found and being asked."""
    thread = LoopThread()
    thread.run(where())
    closer = threading.Thread(target=thread.close)
    original = asyncio.run_coroutine_threadsafe

    def late(work: Any, loop: asyncio.AbstractEventLoop) -> Any:
        closer.start()
        closer.join(0.2)
        return original(work, loop)

    monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", late)
    with contextlib.suppress(CancelledError):
        assert thread.run(where())[0] != threading.get_ident()
    closer.join(5)
    assert not closer.is_alive()
