from __future__ import annotations

import inspect
from typing import Any

import pytest
from stubs import Answering

from linksfield_async import Account, Client, SyncClient
from linksfield_async.named import Named
from linksfield_async.operations import SingleVerify

NAMESPACES = ("vshop", "payment", "groups", "orders")


def methods(client: Any) -> dict[str, Any]:
    return {
        f"{namespace}.{name}": getattr(getattr(client, namespace), name)
        for namespace in NAMESPACES
        for name in dir(type(getattr(client, namespace)))
        if isinstance(getattr(type(getattr(client, namespace)), name), Named)
    }


def test_both_clients_have_the_same_methods_with_the_same_parameters() -> None:
    awaited, blocking = methods(Client(Account("P1"))), methods(SyncClient(Account("P1")))
    assert awaited.keys() == blocking.keys()
    assert len(awaited) == 16
    for name, method in awaited.items():
        assert inspect.signature(method) == inspect.signature(blocking[name])
        assert inspect.iscoroutinefunction(method)
        assert not inspect.iscoroutinefunction(blocking[name])
        assert method.__doc__ == blocking[name].__doc__


def test_changes_of_groups_take_the_same_in_both_clients() -> None:
    awaited, blocking = Client(Account("P1")).groups, SyncClient(Account("P1")).groups
    for name in ("add_sims", "remove_sims", "resume", "sync", "repeat"):
        one, other = (inspect.signature(getattr(groups, name)) for groups in (awaited, blocking))
        assert list(one.parameters.values()) == list(other.parameters.values())
        assert inspect.getdoc(getattr(awaited, name)) == inspect.getdoc(getattr(blocking, name))


def test_help_shows_the_operation_s_fields_and_text() -> None:
    method = Client(Account("P1")).vshop.verify_card
    assert list(inspect.signature(method).parameters) == ["iccid", "url"]
    assert method.__name__ == "verify_card"
    assert method.__qualname__ == "AsyncVshop.verify_card"
    assert "Verify a card" in (method.__doc__ or "")


def test_a_method_is_made_once_per_client() -> None:
    one, other = Client(Account("P1")), Client(Account("P1"))
    assert one.vshop.verify_card is one.vshop.verify_card
    assert one.vshop.verify_card is not other.vshop.verify_card


async def test_a_method_sends_its_operation() -> None:
    transport = Answering({"operateCode": "S", "data": {}})
    await Client(Account("P1"), transport=transport).vshop.verify_card(iccid="1")
    assert transport.requests[0].url.endswith("/singleVerify")
    assert type(Client(Account("P1")).vshop).verify_card.make is SingleVerify


async def test_a_wrong_parameter_is_a_type_error() -> None:
    client = Client(Account("P1"), transport=Answering({}))
    with pytest.raises(TypeError, match="card"):
        await client.vshop.verify_card(card="1")  # type: ignore[call-arg]
