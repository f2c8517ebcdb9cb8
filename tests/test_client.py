from __future__ import annotations

import asyncio
import json
import pickle
import socket
from typing import Any

import attrs
import pytest
from servers import RawServer
from stubs import Answering

from linksfield_async import Account, Client, ConfigurationError, Endpoints, Options
from linksfield_async.errors import NotSent, OutcomeUnknown
from linksfield_async.operation import ASSUMED, Effect, Model, Operation, Service, declare, wire
from linksfield_async.operations import SingleVerify
from linksfield_async.transport.base import Transport

S = {"operateCode": "S", "data": {"deviceCode": "1"}}


async def test_a_call_over_the_wire(client: Client, server: RawServer) -> None:
    server.answers(S)
    card = await client.vshop.verify_card(iccid="1")
    assert card.iccid == "1"
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("POST", "/vshop/singleVerify")
    assert seen.headers["accept-language"] == "en-US"
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["user-agent"].startswith("linksfield_async/")
    assert seen.params["deviceCode"] == "1"


async def test_account_settings_reach_the_wire(server: RawServer, account: Account) -> None:

    server.answers(S)
    other = attrs.evolve(
        account, language_code="0", mark="7", terminal="8", accept_language="en", access_code="c"
    )
    async with Client(other) as client:
        await client.vshop.verify_card(iccid="1")
    (seen,) = server.seen
    assert [seen.params[name] for name in ("languageCode", "mark", "terminal")] == ["0", "7", "8"]
    assert seen.headers["accept-language"] == "en"
    assert "c" not in seen.params.values()  # the access code is sent nowhere


async def test_an_operation_of_one_s_own(client: Client, server: RawServer) -> None:
    @declare
    class Balance(Model):
        amount: str | None = wire("amount", evidence=ASSUMED, default=None)

    @declare
    class GetBalance(Operation[Balance]):
        service = Service.TOPUP
        method = "GET"
        path = "/mall/balance/{account}"
        effect = Effect.READ

        account: str = wire("account", evidence=ASSUMED)

    server.answers({"operateCode": "S", "data": {"amount": "7", "limit": 1}})
    balance = await client.send(GetBalance(account="a 1"))
    assert (balance.amount, balance.extra) == ("7", {"limit": 1})
    assert server.seen[0].path == "/topup/mall/balance/a%201"


async def test_an_exchange(client: Client, server: RawServer) -> None:
    server.answers(S)
    exchange = await client.exchange(SingleVerify(iccid="1"))
    assert exchange.raw == S
    assert exchange.request.body == server.seen[0].body
    assert exchange.elapsed > 0


# Views


async def test_a_view_shares_the_connections(client: Client, server: RawServer) -> None:
    server.answers(S)
    await client.vshop.verify_card(iccid="1")
    async with client.with_options(deadline=2.0) as view:
        assert (view.options.deadline, client.options.deadline) == (2.0, 5)
        await view.vshop.verify_card(iccid="1")
    await client.vshop.verify_card(iccid="1")  # closing the view closed nothing
    assert server.connections == 1


async def test_a_view_s_options_count(client: Client, server: RawServer) -> None:

    async def silence(*_: Any) -> None:
        await asyncio.sleep(30)

    server.answers_by(silence)
    with pytest.raises(OutcomeUnknown) as caught:
        await client.with_options(deadline=0.2).vshop.verify_card(iccid="1")
    assert caught.value.elapsed < 4


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"dedline": 1}, "no 'dedline'; it has deadline"),
        ({"deadline": -1}, r"Options\.deadline"),
        ({"connections": 5}, "make a new Client"),
        ({"ca_file": None}, "make a new Client"),
        ({"rate": 5}, "make a new Client"),
    ],
)
def test_a_view_of_what_cannot_be_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        Client(Account("P1")).with_options(**changes)


# Making and closing


async def test_a_transport_that_is_passed_in_stays_open() -> None:
    class Closing(Answering):
        closed = False

        async def close(self) -> None:
            self.closed = True

    transport = Closing(S)
    as_transport: Transport = transport
    async with Client(Account("P1"), transport=as_transport) as client:
        await client.vshop.verify_card(iccid="1")
    assert not transport.closed
    assert len(transport.requests) == 1


async def test_a_closed_client_says_so(account: Account, server: RawServer) -> None:
    server.answers(S)
    async with Client(account) as client:
        await client.vshop.verify_card(iccid="1")
    await client.close()
    with pytest.raises(ConfigurationError, match="closed"):
        await client.vshop.verify_card(iccid="1")
    assert len(server.seen) == 1


def test_a_client_needs_an_account() -> None:
    with pytest.raises(ConfigurationError, match="Account"):
        Client("P000270")  # type: ignore[arg-type]


def test_a_client_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="send its Account"):
        pickle.dumps(Client(Account("P1")))


def test_the_repr_names_partner_and_address_and_no_secret() -> None:
    shown = repr(Client(Account("P1", access_code="hunter2"), options=Options()))
    assert shown == "Client('P1', 'https://wx.linksfield.net/vshop_uat')"


async def test_a_dead_address_is_not_sent() -> None:

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        async with Client(
            Account("P1", endpoints=Endpoints.at(f"http://127.0.0.1:{port}"))
        ) as client:
            with pytest.raises(NotSent) as caught:
                await client.vshop.verify_card(iccid="1")
    assert json.dumps(caught.value.as_json())
    assert caught.value.carried_out is False
