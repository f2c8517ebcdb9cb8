"""What the fault tests of bulk runs share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from counting_server import CountingServer

from linksfield_async.bulk import Journal, doubts


@pytest.fixture(scope="session")
def counting_process() -> Iterator[CountingServer]:
    with CountingServer() as server:
        yield server


@pytest.fixture
def counting(counting_process: CountingServer) -> CountingServer:
    """A fast server in a process of its own, whose counts judge."""
    counting_process.forget()
    return counting_process


@pytest.fixture
def no_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a quarantine be as long as it was set, for tests that see when everything has left."""

    def end(journal: Journal, sent_before_ms: int, _: float) -> int:
        return sent_before_ms + int(journal.quarantine * 1000)

    monkeypatch.setattr(doubts, "quarantine_end", end)
