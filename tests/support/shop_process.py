"""The example shop as a program, between a sandbox behind a proxy and whoever buys there."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from linksfield_async.sandbox import Sandbox
from linksfield_async.sandbox.records import Order
from linksfield_async.testing import FaultProxy

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
PUSH_PATH = "/linksfield/push"
_CHANGES = ("SingleOrder", "StripePay", "StripeAutoPay", "StripeSubDirectly", "ResultConfirm")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class World:
    """The sandbox and the proxy before it, on a loop in a thread of its own."""

    def __init__(self, notify_url: str) -> None:
        self._notify_url = notify_url
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with Sandbox(cards=200, notify_url=self._notify_url) as self.sandbox:
            port = int(self.sandbox.url.rpartition(":")[2])
            async with FaultProxy("127.0.0.1", port) as self.proxy:
                self._ready.set()
                await self._stop.wait()

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def cut(self, gone: bool) -> None:
        """Cut the network between the shop and the service, also for what is open; or mend it."""

        def change() -> None:
            self.proxy.black_hole = gone

        self.do(change)

    def do(self, work: Callable[[], T]) -> T:
        """Run something on the loop to which the sandbox belongs."""

        async def done() -> T:
            return work()

        return self.wait(done())

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        future: concurrent.futures.Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(20)


class Shop:
    """`python -m examples.shop`, which can be killed and started again."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.world = World(self.url + PUSH_PATH)
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._used = 0

    def __enter__(self) -> Self:
        self.world.start()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.world.close()

    @property
    def sandbox(self) -> Sandbox:
        return self.world.sandbox

    @property
    def log(self) -> str:
        return (self._folder / "shop.log").read_text(errors="replace")

    def start(self, **environment: str) -> None:
        self._process = self._launch(self.port, environment)

    @contextmanager
    def second(self) -> Iterator[str]:
        """Run another process of the same shop; gives its address."""
        port = free_port()
        process = self._launch(port, {})
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(15)

    def _launch(self, port: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        settings = {
            "LINKSFIELD_PARTNER_CODE": "P000270",
            "LINKSFIELD_ENDPOINTS": self.world.proxy.url,
            "SHOP_DATABASE_URL": str(self._folder / "shop.sqlite3"),
            "SHOP_PORT": str(port),
            "SHOP_STRIPE_STAND_IN": self.sandbox.url,
            "SHOP_NOTIFICATION_KEYS": "sandbox=sandbox notification key",
            "SHOP_QUARANTINE": "0",
            "SHOP_DEADLINE": "3",
            "SHOP_ASK_EVERY": "0.2",
        }
        kept = {name: text for name, text in os.environ.items() if "LINKSFIELD" not in name}
        # Beside the example alone, so that the package is the one that is installed.
        beside = self._folder / "examples"
        if not beside.exists():
            beside.symlink_to(ROOT / "examples")
        with (self._folder / "shop.log").open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "examples.shop"],
                cwd=self._folder,
                env={**kept, **settings, **self._environment, **environment},
                stdout=out,
                stderr=out,
            )
        end = time.monotonic() + 30
        while not answers(port):
            assert process.poll() is None, self.log
            assert time.monotonic() < end, self.log
            time.sleep(0.02)
        return process

    def stop(self) -> int:
        """Ask it to end, as a service manager does."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        try:
            return process.wait(15)
        finally:
            process.kill()
            process.wait(5)

    def card(self) -> str:
        """Give a card that no test of this shop has used."""
        cards = list(self.sandbox.world.iccids("valid"))
        self._used += 1
        return cards[self._used]

    def orders(self, iccid: str) -> list[Order]:
        return self.world.do(lambda: list(self.sandbox.world.orders.of_card(iccid)))

    def changes(self, iccid: str) -> dict[str, int]:
        """Count what has arrived that changes something, of the one order of a card."""
        (order,) = self.orders(iccid)
        requests = self.sandbox.requests
        asked = {name: len(requests.of(name).where(pay_id=order.pay_id)) for name in _CHANGES}
        return {name: count for name, count in asked.items() if count}

    def post(self, path: str, **body: Any) -> tuple[int, Any]:
        return self._ask(self.url + path, json.dumps(body).encode())

    def post_to(self, url: str, **body: Any) -> tuple[int, Any]:
        return self._ask(url, json.dumps(body).encode())

    def get(self, path: str) -> tuple[int, Any]:
        return self._ask(self.url + path, None)

    def _ask(self, url: str, body: bytes | None) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)
