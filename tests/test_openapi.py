"""The OpenAPI document: valid, complete, and honest about what is assumed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from linksfield_async import OPERATIONS, Account, Endpoints
from linksfield_async.errors import ConfigurationError
from linksfield_async.openapi import openapi
from linksfield_async.operation import wire_fields

CONTRACT = json.loads((Path(__file__).parent / "contract" / "operations.json").read_text())
ENTRIES = {entry["name"]: entry for entry in CONTRACT["operations"]}


def described(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        operation["operationId"]: operation
        for path in document["paths"].values()
        for operation in path.values()
    }


def parameters(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every parameter of an operation, wherever it stands."""
    found = {one["name"]: one for one in operation.get("parameters", ())}
    if "requestBody" in operation:
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        found |= {
            name: schema | {"required": name in body["required"]}
            for name, schema in body["properties"].items()
        }
    return found


@pytest.mark.parametrize(
    "endpoints",
    [Endpoints.PRODUCTION, Endpoints.TEST, Endpoints.at("http://127.0.0.1:8080/base")],
)
def test_the_document_is_valid(endpoints: Endpoints) -> None:
    document = openapi(endpoints)
    OpenAPIV31SpecValidator(document).validate()  # type: ignore[no-untyped-call]
    assert json.loads(json.dumps(document)) == document


def test_every_operation_stands_where_it_is_called() -> None:
    document = openapi(Endpoints.TEST)
    (server,) = document["servers"]
    for operation in OPERATIONS:
        url = Endpoints.TEST.base(operation.service) + operation.path
        path = document["paths"][url.removeprefix(server["url"])]
        assert path[operation.method.lower()]["operationId"] == operation.__name__
        assert path[operation.method.lower()]["x-effect"] == operation.effect.value
    assert len(described(document)) == len(OPERATIONS)


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_every_parameter_with_its_evidence(name: str) -> None:
    found = parameters(described(openapi(Endpoints.TEST))[name])
    entry = ENTRIES[name]
    assert found.keys() == {field["wire"] for field in entry["request"]} | set(
        entry["common_parameters"]
    )
    for field in entry["request"]:
        assert found[field["wire"]]["x-evidence"] == field["evidence"]
        assert found[field["wire"]]["required"] == field["required"]
    for wire in ("version", "partnerCode", "sign"):
        assert found[wire]["x-evidence"] == "seed"


def marked(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "x-evidence" in value:
            yield value
        for inner in value.values():
            yield from marked(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from marked(inner)


def test_what_is_assumed_says_so_first() -> None:
    """In both directions: no assumption looks like a fact, and no fact like an assumption."""
    seen = list(marked(openapi(Endpoints.TEST)))
    assert len(seen) > 150
    for one in seen:
        told = one.get("description", "")
        assert told.startswith("ASSUMED") == (one["x-evidence"] == "assumed"), one


def test_every_field_of_every_answer() -> None:
    schemas = openapi(Endpoints.TEST)["components"]["schemas"]
    models = {model.__name__: model for model in _models()}
    assert models.keys() == schemas.keys() - {"Refusal"}
    for name, model in models.items():
        fields = {field.wire.name: field for field in wire_fields(model)}
        assert fields.keys() == schemas[name]["properties"].keys()
        for wire, field in fields.items():
            told = schemas[name]["properties"][wire]
            assert told["x-evidence"] == field.wire.evidence.value
            assert (wire in schemas[name].get("required", ())) == field.required
            assert told.get("x-also-accepted", []) == list(field.wire.also_accept)


def _models() -> Iterator[Any]:
    import linksfield_async.operations as room
    from linksfield_async.operation import Model

    for name in room.__all__:
        kind = getattr(room, name)
        if isinstance(kind, type) and issubclass(kind, Model) and kind is not Model:
            yield kind


def test_services_on_several_hosts_have_no_document() -> None:
    apart = Endpoints(
        vshop="https://a.example/vshop",
        payment="https://b.example/payment",
        topup="https://a.example/topup",
    )
    assert Account("P1", endpoints=apart)
    with pytest.raises(ConfigurationError, match="share one host"):
        openapi(apart)
