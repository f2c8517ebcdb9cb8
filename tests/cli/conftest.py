"""A sandbox in a thread of its own, and ways to run the command line against it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sandbox_thread import SandboxThread

from linksfield_async import Client
from linksfield_async.cli import flows
from linksfield_async.cli.app import root
from linksfield_async.sandbox import Sandbox

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with SandboxThread(cards=1_000, seed=1, job_delay=0.0) as sandbox:
        yield sandbox


@pytest.fixture
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("LINKSFIELD_"):
            monkeypatch.delenv(name)


@pytest.fixture
def env(no_account: None, sandbox: Sandbox) -> dict[str, str]:
    account = sandbox.account
    return {
        "LINKSFIELD_PARTNER_CODE": account.partner_code,
        "LINKSFIELD_ENDPOINTS": sandbox.url,
    }


@pytest.fixture
def bare(no_account: None) -> Callable[..., Result]:
    """Run a command without any account set."""

    def run(*arguments: str, given: str | bytes | None = None, **env: str) -> Result:
        return CliRunner().invoke(root, arguments, input=given, env=env, prog_name="linksfield")

    return run


@pytest.fixture
def cli(env: dict[str, str], bare: Callable[..., Result]) -> Callable[..., Result]:
    """Run a command against the sandbox."""

    def run(*arguments: str, given: str | bytes | None = None, **more: str) -> Result:
        return bare(*arguments, given=given, **(env | more))

    return run


@pytest.fixture
def program(env: dict[str, str]) -> Callable[..., subprocess.Popen[bytes]]:
    """Start the command line as a program of its own, against the sandbox."""

    def start(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        more = pipes.pop("env", {})
        return subprocess.Popen(
            [sys.executable, "-m", "linksfield_async", *arguments],
            cwd=PROJECT,
            # Without the development mode: it tells of slow callbacks on stderr.
            env={**os.environ, **env, **more, "PYTHONDEVMODE": ""},
            **pipes,
        )

    return start


@pytest.fixture
def valid(sandbox: Sandbox) -> list[str]:
    """ICCIDs of good cards."""
    return list(sandbox.world.iccids("valid"))


@pytest.fixture
def lost_answers() -> Iterator[tuple[str, list[bytes]]]:
    """A server that takes a request and closes without an answer; its URL and what it took."""
    taken: list[bytes] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                taken.append(connection.recv(65536))

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}", taken
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join(5)


@pytest.fixture
def buy(sandbox: Sandbox) -> Callable[[str], str]:
    """Sell a card its first plan, paid elsewhere; gives the order number."""

    def work(iccid: str) -> str:
        async def once() -> str:
            order_no = f"NO{len(sandbox.world.orders)}"
            plan = sandbox.world.plans[0]
            async with Client(sandbox.account) as client:
                await client.vshop.create_paid_order(
                    iccid=iccid,
                    package_code=plan.package_code,
                    service_plan_code=plan.code,
                    service_plan_show_name=plan.name,
                    order_period="1",
                    order_no=order_no,
                    pay_id=f"P{order_no}",
                    pay_amount=plan.price,
                    pay_currency=plan.currency,
                    pay_unit=plan.price,
                    settle_price=plan.price,
                    pay_account="1",
                    pay_type="3",
                    pay_status="1",
                    pay_rst="SUCCESS",
                    pay_result_date="2026-01-01 00:00:00",
                    transaction_id="ch_1",
                    request_order_id=f"shop-{order_no}",
                )
            return order_no

        return asyncio.run(once())

    return work


@pytest.fixture
def subscribe(sandbox: Sandbox) -> Callable[[str], None]:
    """Sell a card a plan that renews itself."""

    def work(iccid: str) -> None:
        async def once() -> None:
            async with Client(sandbox.account) as client:
                await flows.start_subscription(client, sandbox.stripe, iccid, flows.Walk())

        asyncio.run(once())

    return work


@pytest.fixture
def ordered(sandbox: Sandbox) -> Callable[[str], Any]:
    """Order a card its first plan for one payment, and do not pay."""

    def work(iccid: str) -> Any:
        async def once() -> Any:
            async with Client(sandbox.account) as client:
                walk = flows.Walk()
                offer = await flows.choose(client, iccid, walk, renews=False)
                return await flows.place_order(client, iccid, offer, walk, renews=False)

        return asyncio.run(once())

    return work
