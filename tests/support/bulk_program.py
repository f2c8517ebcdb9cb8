"""A program that runs bulk work through the library, to be killed; and how tests start it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]


def iccid(number: int) -> str:
    return f"8985{number:015d}"


def order(number: int) -> Any:
    """A paid order with ids of its own, the same at each call."""
    from linksfield_async.operations import SynOrderInfo

    return SynOrderInfo(
        iccid=iccid(number),
        package_code="PACKAGE1",
        service_plan_code="SP1",
        service_plan_show_name="Singapore",
        order_period="1",
        order_no=f"NO{number}",
        pay_id=f"P{number}",
        pay_amount="12.36",
        pay_currency="GBP",
        pay_unit="12.36",
        settle_price="12.36",
        pay_account="1",
        pay_type="3",
        pay_status="1",
        pay_rst="SUCCESS",
        pay_result_date="2026-01-01 00:00:00",
        transaction_id=f"ch_{number}",
        request_order_id=f"shop-{number}",
    )


def program(**settings: Any) -> subprocess.Popen[bytes]:
    """Start this program; for the settings see `_run`."""
    return started(__file__, json.dumps(settings))


def command_line(url: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start the command line against a server."""
    environment = {"LINKSFIELD_PARTNER_CODE": "P000270", "LINKSFIELD_ENDPOINTS": url}
    more = options.pop("env", {})
    return started("-m", "linksfield_async", *arguments, env=environment | more, **options)


def started(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    # Without the development mode: it tells of slow callbacks on stderr.
    environment = {**os.environ, **options.pop("env", {}), "PYTHONDEVMODE": ""}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen([sys.executable, *arguments], cwd=PROJECT, env=environment, **pipes)


def wait_for(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until something holds that another process does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def ended(process: subprocess.Popen[bytes], seconds: float = 60.0) -> tuple[int, str, str]:
    """Wait for a program's end; its code, stdout and stderr."""
    with process:
        try:
            out, err = process.communicate(timeout=seconds)
        finally:
            process.kill()
    return process.returncode, out.decode(), err.decode()


async def _run(
    *,
    url: str,
    kind: str,
    count: int,
    out: str,
    concurrency: int = 16,
    deadline: float = 10.0,
    bulk: dict[str, Any] | None = None,
    **journal: Any,
) -> None:
    """Verify or order; what came of each item is appended to `out`, in one write each."""
    from linksfield_async import Account, Client, Endpoints, Options
    from linksfield_async.bulk import Journal, open_sink

    account = Account("P000270", endpoints=Endpoints.at(url))
    # As many connections as calls: no spare workers for calls that hang.
    client = Client(account, options=Options(connections=concurrency, deadline=deadline))
    settings: dict[str, Any] = {
        "journal": Journal(**journal),
        "concurrency": concurrency,
        **(bulk or {}),
    }
    async with client:
        if kind == "orders":
            with open(out, "ab", buffering=0) as stream:
                async with client.send_many(map(order, range(count)), **settings) as outcomes:
                    async for outcome in outcomes:
                        stream.write(f"{outcome.position} {outcome.verdict}\n".encode())
            return
        with open_sink(out, resume=True) as sink:
            settings["replay"] = lambda position, _: position + 1 not in sink.written
            async with client.verify_many(map(iccid, range(count)), **settings) as outcomes:
                async for outcome in outcomes:
                    sink.write(_record(outcome))


def _record(outcome: Any) -> Any:
    from linksfield_async.bulk import Record

    return Record(
        outcome.position + 1,
        outcome.given or "",
        outcome.iccid or "",
        outcome.verdict,
        outcome.reason,
        outcome.attempts,
    )


if __name__ == "__main__":
    asyncio.run(_run(**json.loads(sys.argv[1])))
