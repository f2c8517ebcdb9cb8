from __future__ import annotations

import asyncio
import inspect
import pickle
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from servers import RawServer, server_in_thread
from stubs import Answering

from linksfield_async import (
    Account,
    Client,
    ClientClosed,
    ConfigurationError,
    Refused,
    SyncClient,
)
from linksfield_async.operations import SingleVerify

ICCID = "89852420180910340793"
S = {"operateCode": "S", "data": {"deviceCode": ICCID}}


@pytest.fixture
def silent_server() -> Iterator[RawServer]:
    async def silence(*_: Any) -> None:
        await asyncio.sleep(30)

    with server_in_thread() as server:
        server.answers_by(silence)
        yield server


@pytest.fixture
def transport() -> Answering:
    return Answering(S)


@pytest.fixture
def sync_client(transport: Answering) -> Iterator[SyncClient]:
    with SyncClient(Account("P1"), transport=transport) as client:
        yield client


def test_a_call_blocks_until_its_result(sync_client: SyncClient, transport: Answering) -> None:
    assert sync_client.vshop.verify_card(iccid=ICCID).iccid == ICCID
    assert sync_client.send(SingleVerify(iccid=ICCID)).iccid == ICCID
    assert sync_client.exchange(SingleVerify(iccid=ICCID)).raw == S
    assert len(transport.requests) == 3


def test_errors_come_through(transport: Answering, sync_client: SyncClient) -> None:
    transport.answers = [{"operateCode": "F", "message": "no"}]
    with pytest.raises(Refused, match="no"):
        sync_client.vshop.verify_card(iccid=ICCID)


def test_the_public_methods_are_those_of_the_async_client() -> None:
    def public(kind: type[Any]) -> dict[str, Any]:
        return {name: value for name, value in vars(kind).items() if not name.startswith("_")}

    awaited, blocking = public(Client), public(SyncClient)
    assert blocking.keys() - {"send_as"} == awaited.keys()
    for name, method in awaited.items():
        if not inspect.isfunction(method):
            continue
        ours = inspect.signature(blocking[name]).parameters
        assert list(ours.values()) == list(inspect.signature(method).parameters.values()), name


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda c: c.vshop.verify_card(iccid=ICCID), r"await client\.vshop\.verify_card\("),
        (lambda c: c.groups.list(), r"await client\.groups\.list\("),
        (lambda c: c.send(SingleVerify(iccid=ICCID)), r"await client\.send\("),
        (lambda c: c.exchange(SingleVerify(iccid=ICCID)), r"await client\.exchange\("),
        (lambda c: c.verify_many([]), "client.verify_many"),
        (lambda c: c.__enter__(), r"async with Client\("),
    ],
)
def test_inside_a_running_loop_it_refuses_and_names_the_async_method(
    sync_client: SyncClient, transport: Answering, call: Any, named: str
) -> None:
    async def inside() -> None:
        with pytest.raises(ConfigurationError, match=named):
            call(sync_client)

    asyncio.run(inside())
    assert transport.requests == []


def test_inside_a_running_loop_where_it_is_wanted(transport: Answering) -> None:
    async def inside() -> None:
        with SyncClient(Account("P1"), transport=transport, allow_running_loop=True) as client:
            assert client.vshop.verify_card(iccid=ICCID).iccid == ICCID

    asyncio.run(inside())


def test_outside_its_with_block_it_refuses(transport: Answering) -> None:
    client = SyncClient(Account("P1"), transport=transport)
    with pytest.raises(ConfigurationError, match="`with` block"):
        client.vshop.verify_card(iccid=ICCID)
    with client:
        client.vshop.verify_card(iccid=ICCID)
    client.close()
    with pytest.raises(ClientClosed, match="make a new SyncClient"):
        client.vshop.verify_card(iccid=ICCID)
    with pytest.raises(ClientClosed), client:
        pass


def test_it_ends_its_thread(transport: Answering) -> None:
    before = threading.active_count()
    with SyncClient(Account("P1"), transport=transport) as client:
        client.vshop.verify_card(iccid=ICCID)
        assert threading.active_count() > before
    assert threading.active_count() == before


def test_from_many_threads(sync_client: SyncClient, transport: Answering) -> None:
    def call() -> None:
        for _ in range(20):
            sync_client.vshop.verify_card(iccid=ICCID)

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(transport.requests) == 160


def test_many_cards(sync_client: SyncClient) -> None:
    outcomes = list(sync_client.verify_many([ICCID, "nothing", ICCID], concurrency=2))
    assert sorted((o.position, o.verdict) for o in outcomes) == [
        (0, "valid"),
        (1, "invalid_input"),
        (2, "valid"),
    ]
    sent = list(sync_client.send_many([SingleVerify(iccid=ICCID)]))
    assert [outcome.verdict for outcome in sent] == ["valid"]


def test_stopping_in_the_middle_of_many(sync_client: SyncClient, transport: Answering) -> None:
    outcomes = sync_client.verify_many((ICCID for _ in range(10_000)), concurrency=4)
    next(outcomes)
    outcomes.close()
    sent = len(transport.requests)
    assert sent < 100
    sync_client.vshop.verify_card(iccid=ICCID)
    assert len(transport.requests) == sent + 1


def test_a_view(sync_client: SyncClient, transport: Answering) -> None:
    with sync_client.with_options(deadline=2.0) as view:
        view.vshop.verify_card(iccid=ICCID)
    assert transport.limits[0].deadline <= 2.0
    sync_client.vshop.verify_card(iccid=ICCID)
    assert len(transport.requests) == 2


def test_it_is_not_pickled(sync_client: SyncClient) -> None:
    with pytest.raises(TypeError, match="send its Account"):
        pickle.dumps(sync_client)
    assert repr(sync_client).startswith("SyncClient('P1'")


def test_ctrl_c_ends_the_call_where_it_runs(silent_server: RawServer) -> None:
    """An order that waits must not be placed after its caller was interrupted."""
    code = f"""
import os, signal, threading, time
from linksfield_async import Account, Endpoints, Options, SyncClient
account = Account("P1", endpoints=Endpoints.at({silent_server.url!r}))
with SyncClient(account, options=Options(connections=1)) as client:
    def catch():
        try: client.with_options(deadline=1.0).payment.confirm_result(pay_id="first")
        except Exception: pass
    first = threading.Thread(target=catch); first.start(); time.sleep(0.3)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        client.payment.confirm_result(pay_id="must never arrive")
    except KeyboardInterrupt:
        print("interrupted")
    first.join(); time.sleep(0.5)
"""
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert out.stdout.strip() == "interrupted"
    assert [seen.params["payId"] for seen in silent_server.seen] == ["first"]


def test_a_source_is_read_in_the_caller_s_thread(sync_client: SyncClient) -> None:
    threads: set[int] = set()

    def source() -> Iterator[str]:
        for _ in range(20):
            threads.add(threading.get_ident())
            sync_client.vshop.verify_card(iccid=ICCID)  # a source may use the client itself
            yield ICCID

    assert len(list(sync_client.verify_many(source(), concurrency=4))) == 20
    assert threads == {threading.get_ident()}


def test_a_source_that_fails_loses_nothing_that_was_sent(sync_client: SyncClient) -> None:
    def source() -> Iterator[str]:
        yield from [ICCID] * 7
        raise OSError("disk gone")

    outcomes = []

    def collect() -> None:
        for outcome in sync_client.verify_many(source(), concurrency=3):
            outcomes.append(outcome)  # noqa: PERF402  # what came before the error counts

    with pytest.raises(OSError, match="disk gone"):
        collect()
    assert len(outcomes) == 7


def test_an_asynchronous_source(sync_client: SyncClient) -> None:
    async def source() -> AsyncIterator[str]:
        for _ in range(5):
            await asyncio.sleep(0)
            yield ICCID

    assert len(list(sync_client.verify_many(source(), concurrency=2))) == 5


def test_outcomes_taken_after_the_block_are_refused(transport: Answering) -> None:
    with SyncClient(Account("P1"), transport=transport) as client:
        outcomes = client.verify_many([ICCID] * 100, concurrency=2)
        next(outcomes)
    with pytest.raises(ClientClosed):
        next(outcomes)
    outcomes.close()
