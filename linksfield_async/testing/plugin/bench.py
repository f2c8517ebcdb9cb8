"""All that one test has: a sandbox in its thread, what was set up in it, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import attrs

from ...blocking import SyncClient
from ...client import Client
from ...resilience.clock import new_clients_use
from ...sandbox import Sandbox
from ...sandbox.matched import shown
from .marker import SetUp, Wanted
from .thread import SandboxThread
from .transport import ThreadTransport
from .waiting import VirtualTime

_TOLD = 20


@attrs.frozen(kw_only=True)
class Bench:
    """What the fixtures hand out."""

    thread: SandboxThread
    situation: SetUp | None
    """What the scenario of the test set up."""
    time: VirtualTime

    @property
    def sandbox(self) -> Sandbox:
        """The sandbox, for any thread."""
        return self.thread.sandbox

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Give a client for any event loop."""
        transport = ThreadTransport(self.thread)
        try:
            yield Client(self.sandbox.account, transport=transport)
        finally:
            transport.close()

    @contextmanager
    def sync_client(self) -> Iterator[SyncClient]:
        """Give a client that blocks."""
        with SyncClient(self.sandbox.account) as client:
            yield client

    def told(self) -> str:
        """Write down the latest requests, for the report of a test that failed."""
        seen = list(self.sandbox.requests)
        lines = [shown(request) for request in seen[-_TOLD:]]
        if len(seen) > _TOLD:
            lines.insert(0, f"… {len(seen) - _TOLD} earlier ones")
        return "\n".join(lines) or "none"


@contextmanager
def opened(wanted: Wanted, seed: int) -> Iterator[Bench]:
    """Run a sandbox as wanted; the clients that are made meanwhile wait for nothing."""
    thread = SandboxThread(seed=seed, **wanted.settings)
    # Before anybody can ask: a situation is there from the first request on.
    situation = wanted.set_up(thread.sandbox)
    with thread as sandbox:
        time = VirtualTime(sandbox, seed)
        with new_clients_use(time.clock):
            yield Bench(thread=thread, situation=situation, time=time)
