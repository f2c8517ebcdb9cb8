"""A program that changes a group through the library, to be killed; and how tests start it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bulk_program import started

QUICK = {"first_poll": 0.05, "longest_poll": 0.3}
"""Pauses that suit a service on this machine."""


def program(**settings: Any) -> subprocess.Popen[bytes]:
    """Start this program; for the settings see `_run`."""
    return started(__file__, json.dumps(settings))


async def _run(
    *,
    url: str,
    group: str,
    cards: str,
    journal: str,
    kind: str = "sync",
    key: str | None = None,
    **settings: Any,
) -> None:
    from linksfield_async import Account, Client, Endpoints
    from linksfield_async.bulk import Journal

    account = Account("P000270", endpoints=Endpoints.at(url))
    iccids = Path(cards).read_text().split()
    async with Client(account) as client:
        given: dict[str, Any] = {
            "group_id": group,
            "iccids": iccids,
            "journal": Journal(journal, key=key),
        }
        if kind == "sync":
            report = await client.groups.sync(**given, **settings)
        else:
            change = getattr(client.groups, f"{kind}_sims")
            report = await (await change(**given, **settings))
        sys.stdout.write(json.dumps({"counts": report.counts, "is_done": report.is_done}))


if __name__ == "__main__":
    asyncio.run(_run(**json.loads(sys.argv[1])))
