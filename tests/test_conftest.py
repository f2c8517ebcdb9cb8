"""The guard itself: it must be able to fail a test."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest
from leaks import open_now, still_open


def test_the_guard_notices_a_connection_beyond_loopback(only_loopback: list[Any]) -> None:
    with socket.socket() as sock, pytest.raises(OSError, match="loopback"):
        sock.connect(("192.0.2.1", 80))
    assert only_loopback == [("192.0.2.1", 80)]
    only_loopback.clear()


def test_the_guard_notices_a_name_looked_up(only_loopback: list[Any]) -> None:
    with pytest.raises(OSError, match="names"):
        socket.getaddrinfo("wx.linksfield.net", 443)
    assert only_loopback == ["wx.linksfield.net"]
    only_loopback.clear()


def test_the_guard_notices_what_is_left_open() -> None:
    before = open_now()
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    loop = asyncio.new_event_loop()
    assert still_open(before, 0.01) == {"threads": 1, "sockets": 2, "selectors": 1}
    loop.close()
    ended.set()
    thread.join()
    assert still_open(before) == {}
