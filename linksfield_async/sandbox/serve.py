"""Runs a sandbox until it is told to stop; the command line and others share it."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from typing import get_args

from .app import Sandbox
from .cards import CardKind

_SAMPLES = 3


def description(sandbox: Sandbox) -> Iterator[str]:
    """Say, line by line, where a running sandbox is and what to try on it."""
    account = sandbox.account
    yield f"Sandbox of the Linksfield Topup/Mall APIs at {sandbox.url}"
    yield f"Partner code: {account.partner_code}"
    yield ""
    yield f"export LINKSFIELD_PARTNER_CODE={account.partner_code}"
    yield f"export LINKSFIELD_ENDPOINTS={sandbox.url}"
    yield ""
    yield "ICCIDs to try:"
    for kind in get_args(CardKind):
        samples = list(islice(sandbox.world.iccids(kind), _SAMPLES))
        yield f"  {kind:<10} {', '.join(samples) or 'none'}"
    groups = sandbox.world.groups.values()
    own = (group.group_id for group in groups if group.partner_code == account.partner_code)
    yield f"Groups: {', '.join(own)}"
    yield "Ctrl-C ends it."


def _write_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def serve(sandbox: Sandbox, *, write: Callable[[str], object] = _write_line) -> None:
    """Start a sandbox, describe it line by line, and run it until SIGINT or SIGTERM."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    handled: list[signal.Signals] = []
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
            handled.append(number)
    except NotImplementedError:
        # Windows: Ctrl-C cancels this task through asyncio.run instead.
        pass
    try:
        async with sandbox:
            for line in description(sandbox):
                write(line)
            await stop.wait()
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
