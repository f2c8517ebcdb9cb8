"""What a small web app's visitors wait while a bulk run goes on in the app's own event loop.

Three processes: the responder, the app with the run beside it, and a visitor that asks the app for
a page every 10 ms.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from race import environment
from responder import responder
from work import Target

_ALONE = "nothing"
_RUNS = {
    _ALONE: "alone",
    "verify_many direct asyncio": "beside verify_many, 64 at once",
    "aiohttp asyncio": "beside aiohttp by hand, 64 at once",
}
_EVERY = 0.01


async def _lag(samples: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(_EVERY)
        samples.append(time.perf_counter() - began - _EVERY)


@asynccontextmanager
async def _app() -> AsyncIterator[str]:
    from aiohttp import web  # noqa: PLC0415  # only the app's process needs it

    async def page(_: web.Request) -> web.Response:
        return web.json_response({"cards": 17})

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def _serve(run: str, url: str, seconds: float) -> dict[str, Any]:
    """Serve a visitor for so long, with a run beside it; gives what both had of it."""
    from ours import verify_many  # noqa: PLC0415
    from peers import idiomatic_aiohttp  # noqa: PLC0415

    opening = {"aiohttp asyncio": idiomatic_aiohttp}.get(run, verify_many("direct"))
    samples: list[float] = []
    done = 0

    async def bulk() -> None:
        nonlocal done
        async with opening(Target(url, 64)) as calls:
            while True:
                await calls(1_000)
                done += 1_000

    async with _app() as page:
        running = [] if run == _ALONE else [asyncio.create_task(bulk())]
        await asyncio.sleep(0.5)  # connections are made, code is warm
        running.append(asyncio.create_task(_lag(samples)))
        before, began = done, time.perf_counter()
        visitor = await asyncio.create_subprocess_exec(
            sys.executable, __file__, "visit", page, str(seconds), stdout=subprocess.PIPE
        )
        told, _ = await visitor.communicate()
        took = time.perf_counter() - began
        failed = [task.exception() for task in running if task.done()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    if any(failed):
        raise SystemExit(f"the run beside the app failed: {failed[0]!r}")
    samples.sort()
    figures: dict[str, Any] = json.loads(told)
    lag = samples[int(len(samples) * 0.99)] * 1000
    return figures | {"lag_p99_ms": lag, "run_per_second": (done - before) / took}


async def _visit(page: str, seconds: float) -> dict[str, float]:
    """Ask for the page every 10 ms over one connection, and note how long each took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(page.rpartition(":")[2]))
    waits: list[float] = []
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        writer.write(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        await reader.readexactly(length)
        waits.append(time.perf_counter() - began)
        await asyncio.sleep(_EVERY)
    writer.close()
    await writer.wait_closed()
    waits.sort()
    return {
        "pages": len(waits),
        "p50_ms": waits[len(waits) // 2] * 1000,
        "p99_ms": waits[int(len(waits) * 0.99)] * 1000,
    }


def measure(seconds: float) -> list[dict[str, Any]]:
    rows = []
    for run, title in _RUNS.items():
        with responder() as url:
            command = [sys.executable, __file__, run, url, str(seconds)]
            told = subprocess.run(
                command, check=True, stdout=subprocess.PIPE, text=True, env=environment()
            ).stdout
        rows.append({"title": title} | json.loads(told))
    return rows


if __name__ == "__main__":
    if sys.argv[1] == "visit":
        print(json.dumps(asyncio.run(_visit(sys.argv[2], float(sys.argv[3])))))
    else:
        print(json.dumps(asyncio.run(_serve(sys.argv[1], sys.argv[2], float(sys.argv[3])))))
