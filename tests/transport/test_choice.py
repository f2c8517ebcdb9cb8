"""Which transport is taken, and that a version that is built otherwise is found out."""

from __future__ import annotations

import importlib.metadata
import logging
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import BaseConnector, Connection
from servers import RawServer
from transport_behaviour import LIMITS, request_to

from linksfield_async import Account, Client, ConfigurationError, Endpoints, Options
from linksfield_async.transport import choice, fitness, wires
from linksfield_async.transport.choice import transport_for
from linksfield_async.transport.direct import DirectTransport
from linksfield_async.transport.session import SessionTransport


@pytest.fixture(autouse=True)
def looked_at_anew() -> Iterator[None]:
    fitness.unfit_reason.cache_clear()
    choice._said.clear()
    yield
    fitness.unfit_reason.cache_clear()
    choice._said.clear()


def test_the_direct_transport_fits_the_installed_aiohttp() -> None:
    """Where this fails, a version that is allowed would cost users what `direct` saves."""
    assert fitness.unfit_reason() is None, importlib.metadata.version("aiohttp")
    assert isinstance(transport_for(Options()), DirectTransport)
    assert isinstance(transport_for(Options(transport="direct")), DirectTransport)
    assert isinstance(transport_for(Options(transport="session")), SessionTransport)


async def connect_by_other_names(self: Any, request: Any) -> None:
    """What a later version may have."""


def no_parser(self: Any, *, skip_payload: bool = False, read_until_eof: bool = True) -> None:
    """Takes what is given and makes nothing of it."""


def gone(owner: Any, name: str) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.delattr(owner, name)


def other(owner: Any, name: str, value: Any) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setattr(owner, name, value)


OTHERWISE: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str]] = {
    "connect": (other(aiohttp.TCPConnector, "connect", connect_by_other_names), "has no traces"),
    "read": (other(wires.Wire, "read", lambda self: None), "is no coroutine"),
    "release": (gone(Connection, "release"), "Connection has no release"),
    "force_close": (gone(ResponseHandler, "force_close"), "Wire has no force_close"),
    "is_eof": (gone(aiohttp.StreamReader, "is_eof"), "is_eof"),
    "no parser": (other(ResponseHandler, "set_response_params", no_parser), "is waited for"),
    "factory": (other(BaseConnector, "__init__", lambda self, **_: None), "has no _factory"),
    "should_close": (other(ResponseHandler, "should_close", True), "told wrongly"),
    "module": (gone(wires, "Wire"), "AttributeError"),
}


@pytest.mark.parametrize(("change", "told"), OTHERWISE.values(), ids=OTHERWISE.keys())
async def test_an_aiohttp_that_is_built_otherwise_is_found_out(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[pytest.MonkeyPatch], None], told: str
) -> None:
    change(monkeypatch)
    reason = fitness.unfit_reason()
    assert reason is not None
    assert reason.startswith(f"aiohttp {aiohttp.__version__} is built otherwise: ")
    assert told in reason
    assert isinstance(transport_for(Options()), SessionTransport)
    with pytest.raises(ConfigurationError, match="cannot be used: aiohttp"):
        transport_for(Options(transport="direct"))


async def test_falling_back_is_told_once_and_works(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, server: RawServer
) -> None:
    monkeypatch.delattr(Connection, "release")
    caplog.set_level(logging.WARNING, "linksfield_async")
    clients = [Client(Account("P1", endpoints=Endpoints.at(server.url))) for _ in range(3)]
    monkeypatch.undo()
    server.answers({"operateCode": "S", "data": {"deviceCode": "1"}})
    for client in clients:
        assert isinstance(client._own_transport, SessionTransport)
        assert (await client.vshop.verify_card(iccid="1")).iccid == "1"
        await client.close()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "has no release; said once" in record.getMessage()


async def test_a_transport_of_one_s_own_is_used_as_it_is() -> None:
    class Own:
        async def send(self, request: Any, limits: Any) -> Any:
            raise AssertionError("unreachable")

    own = Own()
    client = Client(Account("P1"), options=Options(transport="direct"), transport=own)
    assert client._pipeline.shared.transport is own
    with pytest.raises(ConfigurationError, match="views share"):
        client.with_options(transport="session")


async def test_both_send_the_same_head(server: RawServer) -> None:
    """Beside a session, nothing that is sent differs; not even in the order of headers."""
    server.answers({})
    for name in ("session", "direct"):
        transport: Any = transport_for(Options(transport=name))
        for method in ("POST", "DELETE", "GET"):
            await transport.send(request_to(server.url, method), LIMITS)
        await transport.close()
    by_session, by_direct = server.seen[:3], server.seen[3:]
    for one, two in zip(by_session, by_direct, strict=True):
        assert (one.method, one.target, one.body) == (two.method, two.target, two.body)
        assert one.headers == two.headers
