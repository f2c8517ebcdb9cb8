"""A fast server in a process of its own: counts what it gets, and goes on when clients are killed.

It takes verifications and paid orders. An order is made some time after it was taken, whether its
client is still there or not, and one that comes twice is made twice. Its own counts judge.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import random
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

_SHUTDOWN_SECONDS = 10


class CountingServer:
    """Starts it for the length of a `with` block; `seed` decides how long orders take."""

    def __init__(self, seed: int = 1) -> None:
        self._seed = seed

    def __enter__(self) -> Self:
        environment = {**os.environ, "PYTHONDEVMODE": "", "PYTHONWARNINGS": ""}
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(self._seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        with self._process as process:  # it ends when its stdin does
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(_SHUTDOWN_SECONDS)
            finally:
                process.kill()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def behave(self, **changes: Any) -> None:
        """Change its settings; see `_Service`."""
        self._ask("PUT", "/settings", json.dumps(changes))

    def forget(self) -> None:
        """Begin anew: with no counts, and behaving as at the start."""
        self._ask("DELETE", "/")

    @property
    def cards(self) -> Counter[str]:
        """How often each card came."""
        return Counter(self._ask("GET", "/cards"))

    @property
    def total(self) -> int:
        """How many verifications and orders came."""
        return int(self._ask("GET", "/total"))

    @property
    def taken(self) -> Counter[str]:
        """How often each order came, by the partner's own id."""
        return Counter(self._ask("GET", "/taken"))

    @property
    def made(self) -> Counter[str]:
        """How often each order was made."""
        return Counter(self._ask("GET", "/made"))

    @property
    def asked(self) -> int:
        """How often somebody asked for an order."""
        return int(self._ask("GET", "/asked"))

    @property
    def under_way(self) -> int:
        """How many orders were taken and are not made yet."""
        return int(self._ask("GET", "/under_way"))

    def _ask(self, method: str, path: str, body: str | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request(method, path, body)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


class _Service:
    """What it knows and how it behaves; settings are attributes."""

    def __init__(self, seed: int) -> None:
        self.cards: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()
        self.made: Counter[str] = Counter()
        self.orders: dict[str, dict[str, Any]] = {}
        self.under_way = self.total = 0
        self.delay = 0.0
        """Seconds until a verification is answered."""
        self.refuse_all = ""
        """Why every card is refused; empty where they are not."""
        self.reasons: dict[str, str] = {}
        """Cards that are refused, and why."""
        self.forbid: list[str] = []
        """Cards that are answered with a bare status 403."""
        self.drop: list[str] = []
        """Cards whose request is taken and whose connection is closed without an answer."""
        self.slow_share = 0.15
        """Share of the orders that take up to `slowest` seconds; the others take up to 50 ms."""
        self.slowest = 2.0
        self.lose: dict[str, bool] = {}
        """Orders whose connection is closed without an answer, and whether they are made."""
        self.asking_is_down = False
        """Whether asking for orders is answered with status 500."""
        self.visible_after = 0.0
        """Seconds until an order that was made can be asked for."""
        self.asked = 0
        self.seed, self.random = seed, random.Random(seed)

    def order_seconds(self) -> float:
        slow = self.random.random() < self.slow_share
        return self.random.uniform(0.0, self.slowest if slow else 0.05)


class _Connection(asyncio.Protocol):
    """One connection; requests come one after another, each in whole with its length."""

    def __init__(self, services: list[_Service]) -> None:
        self._services = services
        self._loop = asyncio.get_running_loop()
        self._buffer = b""

    @property
    def _service(self) -> _Service:
        return self._services[-1]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        method, target, _ = head.split(b" ", 2)
        self._take(method.decode(), target.decode(), rest[:length])

    def _take(self, method: str, target: str, body: bytes) -> None:
        service, path = self._service, urlsplit(target).path
        if path.endswith("/singleVerify"):
            self._verify(json.loads(body)["deviceCode"])
        elif path.endswith("/SynOrderInfo"):
            self._order(json.loads(body))
        elif path.endswith("/mall/order"):
            self._ask(dict(parse_qsl(urlsplit(target).query))["purchase_order_id"])
        elif method == "DELETE":
            # Orders under way are made in the world in which they were taken.
            self._services.append(_Service(self._service.seed))
            self._answer({})
        elif method == "PUT":
            for name, value in json.loads(body).items():
                setattr(service, name, value)
            self._answer({})
        else:
            self._answer(getattr(service, path[1:]))

    def _verify(self, iccid: str) -> None:
        service = self._service
        service.cards[iccid] += 1
        service.total += 1
        reason = service.refuse_all or service.reasons.get(iccid)
        if iccid in service.drop:
            self._transport.close()
        elif iccid in service.forbid:
            self._transport.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        elif reason is not None:
            self._later(service.delay, {"operateCode": "F", "message": reason})
        else:
            self._later(service.delay, {"operateCode": "S", "data": {}})

    def _later(self, seconds: float, value: Any) -> None:
        if seconds:
            self._loop.call_later(seconds, self._answer, value)
        else:
            self._answer(value)

    def _order(self, order: dict[str, Any]) -> None:
        service, own = self._service, order["requestOrderId"]
        service.taken[own] += 1
        service.total += 1
        if own in service.lose:
            self._transport.close()
        if service.lose.get(own, True):
            service.under_way += 1
            self._loop.call_later(service.order_seconds(), self._make, service, own, order)

    def _make(self, service: _Service, own: str, order: dict[str, Any]) -> None:
        service.under_way -= 1
        service.made[own] += 1
        found = {
            "order_id": order["orderNo"],
            "purchase_order_id": own,
            "sim_id": order["deviceCode"],
            "pay_amount": order["payAmount"],
            "pay_currency": order["payCurrency"],
        }
        self._loop.call_later(service.visible_after, service.orders.__setitem__, own, found)
        self._answer_s({"orderId": order["orderNo"]})

    def _ask(self, own: str) -> None:
        self._service.asked += 1
        if self._service.asking_is_down:
            self._transport.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")
        else:
            self._answer_s(self._service.orders.get(own))

    def _answer_s(self, data: Any) -> None:
        self._answer({"operateCode": "S", "message": "success", "data": data})

    def _answer(self, value: Any) -> None:
        body = json.dumps(value).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self._transport.write(head % len(body) + body)


async def _serve(seed: int) -> None:
    services, loop = [_Service(seed)], asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(services), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - how it says its port
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(int(sys.argv[1])))
