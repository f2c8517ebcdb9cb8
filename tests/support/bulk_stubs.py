"""Cards, orders and a transport for tests of bulk work, and ways to run it to its end."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from linksfield_async import Account, Client, Options
from linksfield_async.bulk.journal.ledger import Ledger
from linksfield_async.bulk.journal.schema import Identity
from linksfield_async.bulk.journal.settings import Journal
from linksfield_async.bulk.outcome import Outcome
from linksfield_async.bulk.service import Service
from linksfield_async.operations import SynOrderInfo
from linksfield_async.protocol import Request, Response

ACCOUNT = Account("P1")
GOOD = {"operateCode": "S", "data": {}}
BAD = {"operateCode": "F", "message": "unknown card"}
NOT_FOUND = Response(404, b"")
"""For a read: failed, certainly not answered for this item."""

ABOUT: dict[str, Any] = {
    "kind": "verify_many",
    "operation": "SingleVerify",
    "partner": "P1",
    "endpoints": "{}",
    "options": "{}",
    "source": None,
    "source_name": None,
    "key_check": None,
}


def iccid(number: int) -> str:
    return f"8985{number:015d}"


def iccids(count: int, first: int = 0) -> list[str]:
    return [iccid(number) for number in range(first, first + count)]


def service_of(sender: Any) -> Service:
    """Give what a bulk run needs, around something that sends."""
    return Service(
        sender=lambda _: sender,
        account=Account("P1"),
        connections=100,
        deadline=30.0,
        rate=lambda: None,
    )


def order(number: int, **changes: Any) -> SynOrderInfo:
    """A paid order, which must not be carried out twice."""
    fields: dict[str, Any] = {
        "iccid": iccid(number),
        "package_code": "PACKAGE1",
        "service_plan_code": "SP1",
        "service_plan_show_name": "Singapore",
        "order_period": "1",
        "order_no": f"NO{number}",
        "pay_id": f"P{number}",
        "pay_amount": "12.36",
        "pay_currency": "GBP",
        "pay_unit": "12.36",
        "settle_price": "12.36",
        "pay_account": "1",
        "pay_type": "3",
        "pay_status": "1",
        "pay_rst": "SUCCESS",
        "pay_result_date": "2026-01-01 00:00:00",
        "transaction_id": f"ch_{number}",
        "request_order_id": f"shop-{number}",
    }
    return SynOrderInfo(**(fields | changes))


class Answers:
    """A transport: answers what a function of the request's parameters gives, and records them."""

    def __init__(self, answer: Callable[[dict[str, Any]], Any] = lambda _: GOOD) -> None:
        self.answer = answer
        self.sent: list[dict[str, Any]] = []
        self.under_way = 0

    async def send(self, request: Request, limits: Any) -> Response:
        params = (
            json.loads(request.body)
            if request.body
            else dict(parse_qsl(urlsplit(request.url).query))
        )
        self.sent.append(params)
        self.under_way += 1
        try:
            answer = self.answer(params)
            if inspect.isawaitable(answer):
                answer = await answer
        finally:
            self.under_way -= 1
        if isinstance(answer, BaseException):
            raise answer
        return (
            answer if isinstance(answer, Response) else Response(200, json.dumps(answer).encode())
        )

    @property
    def cards(self) -> list[str]:
        """What was sent, by card."""
        return [params["deviceCode"] for params in self.sent if "deviceCode" in params]

    def client(self, **options: Any) -> Client:
        return Client(ACCOUNT, transport=self, options=Options(**({"attempts": 1} | options)))


async def listed(outcomes: Any) -> list[Outcome[Any]]:
    """Iterate to the end."""
    return [outcome async for outcome in outcomes]


async def turns(count: int = 50) -> None:
    """Let all others go on."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition: Callable[[], Any]) -> None:
    """Wait for a condition; the test's own time limit ends one that never comes."""
    while not condition():
        await asyncio.sleep(0.001)


async def opened(path: str | Path, **changes: Any) -> Ledger:
    """Open a journal on its own; `key` is that of the journal, all else of what it is about."""
    key = changes.pop("key", None)
    return await Ledger.open(Journal(path, key=key), Identity(**(ABOUT | changes)))
