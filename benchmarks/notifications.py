"""What receiving costs: `python benchmarks/notifications.py [--rate 2000] [--seconds 60] [--inbox …]`.

A receiver in queue mode behind aiohttp.web in one process, a handler that takes 100 ms, and signed
messages from another process at a fixed rate, whatever the answers take (so that waiting counts).
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Coroutine
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from linksfield_async.notifications import (
    MemoryInbox,
    Receiver,
    SignatureScheme,
    SqliteInbox,
    working,
)
from linksfield_async.notifications.aiohttp_web import serve
from linksfield_async.sandbox.push import push_signature

T = TypeVar("T")

KEY_ID, KEY = "key-1", "the key of the benchmark"
HANDLER_SECONDS = 0.1


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run on uvloop where it is installed, as the command line does."""
    try:
        factory = importlib.import_module("uvloop").new_event_loop
    except ImportError:
        factory = None
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work)


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def receiving(given: argparse.Namespace, inbox: Any, pipe: Connection) -> None:
    """Serve until told to stop, and tell what was handled."""
    handled: dict[str, int] = {}
    most = 0
    running = 0

    async def handler(notice: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(HANDLER_SECONDS)
        handled[notice.order_id] = handled.get(notice.order_id, 0) + 1
        running -= 1

    receiver = Receiver(keys={KEY_ID: KEY}, inbox=inbox, queue=given.queue)
    runner, port = await serve(receiver, handler, path="/push", host="127.0.0.1", port=0)
    waiting: list[int] = []
    before = cpu_seconds()
    async with working(receiver, handler, concurrency=given.concurrency):
        pipe.send(port)
        while not pipe.poll():
            await asyncio.sleep(0.25)
            waiting.append(await inbox.waiting())
        sent = pipe.recv()
        end = time.monotonic() + 30
        while len(handled) < sent and time.monotonic() < end:  # noqa: ASYNC110 - polling is simplest
            await asyncio.sleep(0.1)
    await runner.cleanup()
    await inbox.aclose()
    used = cpu_seconds() - before
    pipe.send(
        {
            "handled": len(handled),
            "handled twice": sum(count > 1 for count in handled.values()),
            "handlers at once, most": most,
            "waiting, most seen": max(waiting, default=0),
            "CPU µs per message": round(used / max(1, sent) * 1e6),
            "resident MiB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }
    )


def receiver_process(given: argparse.Namespace, folder: str, pipe: Connection) -> None:
    path = Path(folder) / "inbox.db"
    inbox = MemoryInbox() if given.inbox == "memory" else SqliteInbox(path)
    run(receiving(given, inbox, pipe))


def message(number: int) -> tuple[bytes, dict[str, str]]:
    stamp = str(time.time_ns() // 1_000_000)
    body = {
        "orderNo": f"NO{number}",
        "deviceCode": "89852000000000000001",
        "payAmount": "4.99",
        "payCurrency": "USD",
        "transactionId": f"t{number}",
        "timestamp": stamp,
    }
    signed = push_signature(body, f"1.0:HMAC-SHA1:{stamp}", KEY, SignatureScheme())
    headers = {
        "x-lf-notification-version": "1.0",
        "x-lf-algo": "HMAC-SHA1",
        "x-lf-timestamp": stamp,
        "x-lf-signature": f"{KEY_ID}/{signed}",
    }
    return json.dumps(body, separators=(",", ":")).encode(), headers


async def sending(given: argparse.Namespace, port: int) -> tuple[dict[int, int], list[float]]:
    """Send each message when it is due; its time counts from then."""
    statuses: dict[int, int] = {}
    taken: list[float] = []
    total = round(given.rate * given.seconds)

    async def send(number: int, due: float) -> None:
        body, headers = message(number)
        async with session.post(f"http://127.0.0.1:{port}/push", data=body, headers=headers) as got:
            await got.read()
        taken.append(time.perf_counter() - due)
        statuses[got.status] = statuses.get(got.status, 0) + 1

    connector = aiohttp.TCPConnector(limit=200)
    async with aiohttp.ClientSession(connector=connector) as session:
        tasks: set[asyncio.Task[None]] = set()
        began = time.perf_counter()
        number = 0
        while number < total:
            due = began + number / given.rate
            wait = due - time.perf_counter()
            if wait > 0.001:
                await asyncio.sleep(wait)
                continue
            task = asyncio.create_task(send(number, due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
            if number % 20 == 0:
                await asyncio.sleep(0)
        await asyncio.gather(*tasks)
    return statuses, sorted(taken)


def verifying(count: int = 20_000) -> float:
    """Give the microseconds of one verification alone."""
    receiver = Receiver(keys={KEY_ID: KEY}, inbox=MemoryInbox())
    body, headers = message(1)
    began = time.perf_counter()
    for _ in range(count):
        receiver.verify(body, headers)
    return round((time.perf_counter() - began) / count * 1e6, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=2_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--queue", type=int, default=10_000)
    parser.add_argument("--concurrency", type=int, default=400)
    parser.add_argument("--inbox", choices=("memory", "sqlite"), default="sqlite")
    given = parser.parse_args()
    print(f"one verification: {verifying()} µs")
    ours, theirs = multiprocessing.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        process = multiprocessing.get_context("spawn").Process(
            target=receiver_process, args=(given, folder, theirs)
        )
        process.start()
        port = ours.recv()  # the receiver takes its time to start
        before = cpu_seconds()
        began = time.perf_counter()
        statuses, taken = run(sending(given, port))
        seconds = time.perf_counter() - began
        used = cpu_seconds() - before
        ours.send(sum(n for status, n in statuses.items() if 200 <= status < 300))
        told = ours.recv()
        process.join()
    figures = {
        "inbox": given.inbox,
        "messages": len(taken),
        "per second": round(len(taken) / seconds),
        "statuses": statuses,
        "answered within ms, median": round(taken[len(taken) // 2] * 1000, 1),
        "answered within ms, p99": round(taken[int(len(taken) * 0.99)] * 1000, 1),
        "answered within ms, all": round(taken[-1] * 1000, 1),
        "sender's CPU µs per message": round(used / len(taken) * 1e6),
        **told,
    }
    for name, value in figures.items():
        print(f"  {name:28} {value}")


if __name__ == "__main__":
    main()
