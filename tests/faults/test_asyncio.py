"""Asyncio, threads and processes: what a client must live through. Named after their entries."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import gc
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
import transports
from servers import RawServer, server_in_thread
from stubs import Answering

from linksfield_async import (
    Account,
    Client,
    ClientClosed,
    ConfigurationError,
    Endpoints,
    LinksfieldError,
    NotSent,
    OutcomeUnknown,
    SyncClient,
)
from linksfield_async.operations import ResultConfirm, SingleVerify
from linksfield_async.transport import loops

over_both = pytest.mark.usefixtures("both")

ICCID = "89852420180910340793"
S = {"operateCode": "S", "data": {"deviceCode": ICCID}}
CONFIRM = ResultConfirm(pay_id="1")


def ours() -> set[asyncio.Task[Any]]:
    """The tasks under way that are not the test server's."""
    theirs = ("_accept", "RawServer")
    tasks = asyncio.all_tasks()
    return {task for task in tasks if not any(name in repr(task.get_coro()) for name in theirs)}


async def silence(*_: Any) -> None:
    await asyncio.sleep(30)


@over_both
async def test_c01_canceled_at_each_await(account: Account, server: RawServer) -> None:
    """CancelledError passes, nothing is left, and the client goes on working."""
    server.answers(S)
    async with Client(account, options=transports.options(connections=2)) as client:
        await client.vshop.verify_card(iccid=ICCID)
        before = {*ours()}
        passed = 0
        for at in range(40):
            call = asyncio.create_task(client.vshop.verify_card(iccid=ICCID))
            for _ in range(at % 20):
                await asyncio.sleep(0)
            call.cancel()
            try:
                await call
            except asyncio.CancelledError:
                passed += 1
            assert ours() <= before
        assert passed
        held = next(iter(loops.alive))
        assert not len(held.calls)
        assert (await client.vshop.verify_card(iccid=ICCID)).iccid == ICCID


async def test_c02_canceled_in_the_middle_of_a_batch() -> None:
    transport = Answering(S)
    client = Client(Account("P1"), transport=transport)

    async def collect() -> None:
        many = (ICCID for _ in range(10_000))
        async for _ in client.verify_many(many, concurrency=16, duplicates="each"):
            pass

    batch = asyncio.create_task(collect())
    while len(transport.requests) < 500:
        await asyncio.sleep(0)
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(batch, 5)
    sent = len(transport.requests)
    gc.collect()
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert len(transport.requests) == sent < 10_000


@over_both
async def test_c03_timeouts_from_outside(client: Client, server: RawServer) -> None:
    server.answers_by(silence)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await client.vshop.verify_card(iccid=ICCID)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.vshop.verify_card(iccid=ICCID), 0.1)
    with pytest.raises(TimeoutError), anyio.fail_after(0.1):
        await client.vshop.verify_card(iccid=ICCID)

    async def fail() -> None:
        await asyncio.sleep(0.1)
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012
        async with asyncio.TaskGroup() as group:
            group.create_task(client.vshop.verify_card(iccid=ICCID))
            group.create_task(fail())
    assert caught.group_contains(ZeroDivisionError)
    server.answers(S)
    assert (await client.vshop.verify_card(iccid=ICCID)).iccid == ICCID


async def test_c04_canceled_twice_and_while_pausing() -> None:
    transport = Answering(OutcomeUnknown("lost"))
    client = Client(Account("P1"), transport=transport)
    call = asyncio.create_task(client.vshop.verify_card(iccid=ICCID))
    while not transport.requests:
        await asyncio.sleep(0)
    call.cancel()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(call, 5)
    assert len(transport.requests) <= 2


@over_both
async def test_c04_canceled_while_waiting_for_a_connection(
    account: Account, server: RawServer
) -> None:
    server.answers_by(silence)
    async with Client(account, options=transports.options(connections=1, deadline=5)) as client:
        first = asyncio.create_task(client.send(ResultConfirm(pay_id="first")))
        waiting = asyncio.create_task(client.send(CONFIRM))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(waiting, 2)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        server.answers(S)
        assert (await client.vshop.verify_card(iccid=ICCID)).iccid == ICCID
    assert [seen.params.get("payId") for seen in server.seen] == ["first", None]


@pytest.fixture
def served() -> Iterator[RawServer]:
    with server_in_thread() as server:
        server.answers(S)
        yield server


def account_at(server: RawServer) -> Account:
    return Account("P000270", endpoints=Endpoints.at(server.url))


@over_both
def test_c05_made_before_any_loop_used_in_three(served: RawServer) -> None:
    client = Client(account_at(served), options=transports.options())

    async def use() -> str | None:
        return (await client.vshop.verify_card(iccid=ICCID)).iccid

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [asyncio.run(use()) for _ in range(3)] == [ICCID] * 3
        asyncio.run(client.close())


@over_both
def test_c05_four_threads_with_loops_of_their_own(served: RawServer) -> None:
    client = Client(account_at(served), options=transports.options())
    read: list[str | None] = []

    async def use() -> None:
        for _ in range(25):
            card = await client.vshop.verify_card(iccid=ICCID)
            read.append(card.iccid)

    threads = [threading.Thread(target=asyncio.run, args=(use(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    asyncio.run(client.close())
    assert read == [ICCID] * 100


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def in_a_child(work: Any) -> int:
    """Fork, run something in the child, and give its exit code; 99 where it raised."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = work()
        finally:
            os._exit(code)
    signal.alarm(30)  # a child that hangs must not hang the suite
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        signal.alarm(0)


@over_both
@needs_fork
def test_c06_a_client_goes_on_in_a_child_and_in_its_parent(served: RawServer) -> None:
    client = Client(account_at(served), options=transports.options())

    async def use(times: int) -> int:
        for _ in range(times):
            assert (await client.vshop.verify_card(iccid=ICCID)).iccid == ICCID
        return 7

    asyncio.run(use(1))
    assert in_a_child(lambda: asyncio.run(use(3))) == 7
    assert asyncio.run(use(20)) == 7
    asyncio.run(client.close())


@over_both
@needs_fork
def test_c06_a_child_that_only_exits_leaves_its_parent_alone(served: RawServer) -> None:
    async def parent() -> None:
        async with Client(account_at(served), options=transports.options()) as client:
            await client.vshop.verify_card(iccid=ICCID)
            assert in_a_child(lambda: 5) == 5
            for _ in range(20):
                assert (await client.vshop.verify_card(iccid=ICCID)).iccid == ICCID

    asyncio.run(parent())
    assert served.connections == 1


@over_both
@needs_fork
def test_c06_the_blocking_client_after_a_fork(served: RawServer) -> None:
    with SyncClient(account_at(served), options=transports.options()) as client:
        client.vshop.verify_card(iccid=ICCID)

        def child() -> int:
            assert client.vshop.verify_card(iccid=ICCID).iccid == ICCID
            client.close()
            return 6

        assert in_a_child(child) == 6
        for _ in range(20):
            assert client.vshop.verify_card(iccid=ICCID).iccid == ICCID


def test_c07_a_client_is_not_pickled_but_its_account_is() -> None:
    account = Account("P1", access_code="x", wire_names={"AddSims.iccids": "y"})
    assert pickle.loads(pickle.dumps(account)) == account
    with pytest.raises(TypeError, match="send its Account"):
        copy.copy(Client(account))


async def test_c08_the_blocking_client_refuses_without_stopping_the_loop() -> None:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0)

    heart = asyncio.create_task(beat())
    client = SyncClient(Account("P1"), transport=Answering(S))
    with pytest.raises(ConfigurationError, match="async with Client"), client:
        pass
    await asyncio.sleep(0.01)
    assert beats > 1
    heart.cancel()


class Exiting:
    """A transport that ends its thread the first time."""

    def __init__(self) -> None:
        self.calls = 0

    async def send(self, request: Any, limits: Any) -> Any:
        self.calls += 1
        if self.calls == 1:
            raise SystemExit(3)
        return await Answering(S).send(request, limits)


def test_c09_a_thread_that_was_ended_is_made_anew() -> None:
    code = textwrap.dedent("""
        import sys
        sys.path[:0] = sys.argv[1:]
        from test_asyncio import Exiting, ICCID
        from linksfield_async import Account, SyncClient
        client = SyncClient(Account("P1"), transport=Exiting())
        client.__enter__()
        try:
            client.vshop.verify_card(iccid=ICCID)
        except BaseException as error:
            print(type(error).__name__)
        print(client.vshop.verify_card(iccid=ICCID).iccid == ICCID)
        client.close()
        client.close()
        print("ended")
    """)
    here = os.path.dirname(__file__)
    run = subprocess.run(
        [sys.executable, "-c", code, here, os.path.join(here, "..", "support")],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert run.stdout.split() == ["SystemExit", "True", "ended"], run.stderr


def test_c09_a_process_ends_with_a_client_still_open() -> None:
    code = textwrap.dedent("""
        from linksfield_async import Account, SyncClient
        client = SyncClient(Account("P1"))
        client.__enter__()
        print("open")
    """)
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert run.stdout == "open\n"
    assert run.returncode == 0, run.stderr


@over_both
def test_c09_closed_from_another_thread_during_a_call(served: RawServer) -> None:
    served.answers_by(silence)
    client = SyncClient(account_at(served), options=transports.options()).__enter__()
    ended: list[BaseException] = []

    def call() -> None:
        try:
            client.send(CONFIRM)
        except BaseException as error:
            ended.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    while not served.seen:
        threading.Event().wait(0.01)
    client.close()
    caller.join(10)
    assert [type(error) for error in ended] == [OutcomeUnknown]
    assert len(served.seen) == 1


@over_both
def test_c10_many_threads_on_one_blocking_client(served: RawServer) -> None:
    with SyncClient(account_at(served), options=transports.options()) as client:
        right: list[bool] = []

        def call() -> None:
            for _ in range(10):
                card = client.vshop.verify_card(iccid=ICCID)
                right.append(card.iccid == ICCID)

        threads = [threading.Thread(target=call) for _ in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert right == [True] * 640
    assert len(served.seen) == 640


@over_both
async def test_c11_closing_ends_what_is_under_way(account: Account, server: RawServer) -> None:
    server.answers_by(silence)
    client = Client(account, options=transports.options(connections=1))
    order, waiting = (
        asyncio.create_task(client.send(operation))
        for operation in (CONFIRM, ResultConfirm(pay_id="2"))
    )
    while not server.seen:
        await asyncio.sleep(0.01)
    await asyncio.wait_for(client.close(), 5)
    ended = await asyncio.wait_for(asyncio.gather(order, waiting, return_exceptions=True), 5)
    assert isinstance(ended[0], OutcomeUnknown)
    assert isinstance(ended[1], (NotSent, ClientClosed))
    assert ended[1].carried_out is False
    assert len(server.seen) == 1
    with pytest.raises(ClientClosed):
        await client.send(CONFIRM)
    await client.close()


async def test_c12_an_error_where_outcomes_are_taken_ends_the_run() -> None:
    client = Client(Account("P1"), transport=Answering(S))

    async def collect() -> None:
        async for _ in client.verify_many([ICCID] * 100, concurrency=4):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await collect()
    gc.collect()
    await asyncio.sleep(0.02)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_c14_a_call_keeps_its_context_over_its_attempts() -> None:
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="none")
    seen: list[str] = []

    class Noting(Answering):
        async def send(self, request: Any, limits: Any) -> Any:
            seen.append(name.get())
            return await super().send(request, limits)

    async def call(mine: str) -> None:
        name.set(mine)
        client = Client(Account("P1"), transport=Noting(OutcomeUnknown("lost"), S))
        await client.vshop.verify_card(iccid=ICCID)

    await asyncio.gather(call("a"), call("b"))
    assert sorted(seen) == ["a", "a", "b", "b"]


def test_c18_errors_and_models_survive_pickle_and_copy() -> None:
    error = OutcomeUnknown("lost", operation=SingleVerify(iccid=ICCID), attempts=3)
    for other in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        assert isinstance(other, LinksfieldError)
        assert other.facts() == error.facts()
    operation = SingleVerify(iccid=ICCID)
    assert copy.deepcopy(operation) == pickle.loads(pickle.dumps(operation)) == operation
