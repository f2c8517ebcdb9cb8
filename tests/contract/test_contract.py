"""OPERATIONS against the contract's data, both ways: nothing missing, nothing invented."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest

from linksfield_async import OPERATIONS, Account, Client, Endpoints
from linksfield_async.named import Named
from linksfield_async.operation import Model, Operation, result_model, wire_fields
from linksfield_async.protocol import build

CONTRACT = json.loads((Path(__file__).parent / "operations.json").read_text())
BY_NAME: dict[str, dict[str, Any]] = {entry["name"]: entry for entry in CONTRACT["operations"]}
CLASSES = {operation.__name__: operation for operation in OPERATIONS}

per_operation = pytest.mark.parametrize("name", sorted(BY_NAME))


def test_the_same_operations() -> None:
    assert CLASSES.keys() == BY_NAME.keys()
    assert len(OPERATIONS) == len(CLASSES) == 18


def printed(result: Any) -> str:
    """A result type as the contract writes it."""
    if result is None or result is type(None):
        return "None"
    if isinstance(result, type) and not get_args(result):
        return result.__name__
    args = get_args(result)
    if args[1:] == (...,):
        return f"tuple[{printed(args[0])}, ...]"
    return " | ".join(printed(arg) for arg in args)


@per_operation
def test_route_effect_and_answer(name: str) -> None:
    operation, entry = CLASSES[name], BY_NAME[name]
    assert operation.service.value == entry["service"]
    assert operation.method == entry["http"]
    assert operation.path == entry["path"]
    assert operation.effect.value == entry["effect"]
    assert operation.title == entry["title"]
    assert operation.answer.value == entry["documented_answer"]
    assert operation.answer_evidence.value == entry["response"]["evidence"]
    assert operation.list_key == entry["response"].get("list_key")
    assert printed(operation.result) == entry["response"]["model"]
    assert operation.__doc__


def declared(kind: type[Any]) -> list[dict[str, Any]]:
    return [
        {
            "wire": field.wire.name,
            "python": field.python,
            "required": field.required,
            "evidence": field.wire.evidence.value,
            "also_accept": list(field.wire.also_accept),
        }
        for field in wire_fields(kind)
    ]


def expected(fields: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {key: field[key] for key in ("wire", "python", "required", "evidence")}
        | {"also_accept": field.get("also_accept", [])}
        for field in fields
    ]


def by_wire(fields: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {field["wire"]: field for field in fields}


@per_operation
def test_every_parameter(name: str) -> None:
    assert by_wire(declared(CLASSES[name])) == by_wire(expected(BY_NAME[name]["request"]))


def models_of(fields: list[dict[str, Any]], model: type[Model]) -> None:
    """Compare a model with the contract, then the models inside it."""
    assert by_wire(declared(model)) == by_wire(expected(fields))
    types = attrs.fields_dict(attrs.resolve_types(model))
    for field in fields:
        inner = result_model(types[field["python"]].type)
        assert (inner is not None) == ("fields" in field)
        if inner is not None:
            models_of(field["fields"], inner)


@per_operation
def test_every_field_of_the_answer(name: str) -> None:
    fields = BY_NAME[name]["response"]["fields"]
    model = result_model(CLASSES[name].result)
    if fields:
        assert model is not None
        models_of(fields, model)
    elif model is not None and wire_fields(model):
        # The contract gives no fields of its own; then another operation's answer lends them.
        lenders = [
            other
            for other, entry in BY_NAME.items()
            if entry["response"]["model"] == model.__name__ and entry["response"]["fields"]
        ]
        assert lenders


IN_A_JOB = {"groups.add_sims", "groups.remove_sims"}
"""Methods that send their operation as often as needed; tests/groups looks at what they send."""


@per_operation
def test_the_named_method(name: str) -> None:
    namespace, method = BY_NAME[name]["client_method"].split(".")
    named = getattr(type(getattr(Client(Account("P1")), namespace)), method)
    if BY_NAME[name]["client_method"] in IN_A_JOB:
        assert inspect.iscoroutinefunction(named)
        return
    assert isinstance(named, Named)
    assert named.make is CLASSES[name]


def test_no_named_method_without_an_operation() -> None:
    listed = {entry["client_method"] for entry in CONTRACT["operations"]}
    client = Client(Account("P1"))
    for namespace in ("vshop", "payment", "groups", "orders"):
        kind = type(getattr(client, namespace))
        names = {name for name in dir(kind) if isinstance(getattr(kind, name), Named)}
        assert {f"{namespace}.{name}" for name in names} == {
            path for path in listed - IN_A_JOB if path.startswith(f"{namespace}.")
        }


def made(operation: type[Operation[Any]]) -> Operation[Any]:
    """An operation with every required field filled."""
    values: dict[str, Any] = {}
    for field in wire_fields(operation):
        if field.required:
            values[field.python] = "1" if field.python != "iccids" else ["1"]
    return operation(**({"iccid": "1"} if operation.__name__ == "GetOrder" else values))


@per_operation
def test_the_parameters_every_request_carries(name: str) -> None:
    request = build(made(CLASSES[name]), Account("P1"), 1)
    text = request.body.decode() or request.url
    for wire in BY_NAME[name]["common_parameters"]:
        assert wire in text
    if CLASSES[name].service.value == "topup":
        assert "tradeTime" not in text


def test_the_addresses() -> None:
    for service, addresses in CONTRACT["services"].items():
        assert getattr(Endpoints.PRODUCTION, service) == addresses["production"]
        assert getattr(Endpoints.TEST, service) == addresses["test"]


def test_the_headers() -> None:
    request = build(made(CLASSES["SingleVerify"]), Account("P1"), 1)
    for name, value in CONTRACT["headers"].items():
        assert request.headers[name] == value


def test_refusals_that_prove_nothing_are_those_of_the_contract() -> None:
    told = {
        entry["name"]
        for entry in CONTRACT["operations"]
        if "needs_reconciliation" in entry["notes"]
    }
    assert told == {
        operation.__name__ for operation in OPERATIONS if not operation.refusal_is_final
    }
