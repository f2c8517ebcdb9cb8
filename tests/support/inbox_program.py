"""Receives one message with an inbox of any kind: a process of its own, for crashes and crowds."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from linksfield_async import notifications
from linksfield_async.notifications import Inbox, Receiver


def inbox_at(address: str, **settings: Any) -> Any:
    kind, _, where = address.partition(":")
    made: Any = getattr(notifications, f"{kind.capitalize()}Inbox")
    return made(**settings) if kind == "memory" else made(where, **settings)


@asynccontextmanager
async def opened(address: str, **settings: Any) -> AsyncIterator[Inbox]:
    inbox = inbox_at(address, **settings)
    try:
        yield inbox
    finally:
        await inbox.aclose()


async def main(told: dict[str, Any]) -> None:
    """Receive it so many times at once; print the statuses of the answers."""

    async def grant(_: object) -> None:
        with open(told["grants"], "a", encoding="ascii") as file:
            file.write("granted\n")
        if told["hang"]:
            await asyncio.sleep(600)

    async with opened(told["address"]) as inbox:
        receiver = Receiver(
            keys={"key-1": "5ec7e7"}, inbox=inbox, patience=20.0, lease=told["lease"]
        )
        body = told["body"].encode()
        answers = await asyncio.gather(
            *(receiver.handle(body, told["headers"], grant) for _ in range(told["times"]))
        )
    print(json.dumps([answer.status for answer in answers]))  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
