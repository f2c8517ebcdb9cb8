"""An OpenAPI 3.1 document of all operations, made from their declarations; pure.

Every field carries `x-evidence`: seed and documented stand in a page of the vendor's, assumed is our
own choice where nothing is published, and its description says so first.
"""

from __future__ import annotations

import collections.abc
import inspect
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, TypeAlias, Union, get_args, get_origin
from urllib.parse import urlsplit

import attrs

from .account import Endpoints
from .errors import ConfigurationError
from .mistakes import RULE
from .operation import (
    ASSUMED,
    DOCUMENTED,
    SEED,
    AnswerShape,
    Evidence,
    Model,
    Operation,
    Service,
    WireField,
    path_placeholders,
    result_model,
    wire_fields,
)
from .operations import OPERATIONS
from .version import __version__

Schema: TypeAlias = dict[str, Any]

_NOT_PUBLISHED = "ASSUMED, nothing is published: "
_ABOUT = f"""\
Made from the declarations of linksfield_async, not by the vendor. `x-evidence` tells how well each
name and shape is known: **seed** (in the documents the package began from), **documented** (in another
published page), **assumed** (nothing is published: our own choice, which may be wrong).

`sign`: {RULE}. Parameters of the path take part under their own names, those of the query as text
(assumed). No secret enters: it is a checksum, not an authentication.

`x-effect` tells whether an operation may be repeated blindly: **read** and **repeatable** may, **once**
must not. Whether refusals come with HTTP 400 or 200 is not documented, so `operateCode` decides."""


def openapi(endpoints: Endpoints) -> Schema:
    """Make the document for these addresses, which must share one host."""
    bases = {service: endpoints.base(service) for service in Service}
    hosts = {base.removesuffix(urlsplit(base).path) for base in bases.values()}
    if len(hosts) != 1:
        raise ConfigurationError("an OpenAPI document needs services that share one host")
    paths: dict[str, Schema] = {}
    for operation in OPERATIONS:
        path = urlsplit(bases[operation.service]).path + operation.path
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Linksfield Topup/Mall APIs, as linksfield_async knows them",
            "version": __version__,
            "description": _ABOUT,
        },
        "servers": [{"url": hosts.pop()}],
        "tags": [{"name": service.value} for service in Service],
        "paths": paths,
        "components": {"schemas": {"Refusal": _REFUSAL, **dict(_models())}},
    }


def _operation(operation: type[Operation[Any]]) -> Schema:
    described: Schema = {
        "operationId": operation.__name__,
        "tags": [operation.service.value],
        "summary": operation.title,
        "description": inspect.cleandoc(operation.__doc__ or ""),
        "x-effect": operation.effect.value,
        "x-answer-evidence": operation.answer_evidence.value,
    }
    in_path = path_placeholders(operation.path)
    fields = dict(_request_fields(operation))
    placed = [_parameter(name, "path", *fields.pop(name)) for name in in_path]
    if operation.method == "GET":
        placed += [_parameter(name, "query", *about) for name, about in fields.items()]
    else:
        body = {
            "type": "object",
            "properties": {name: schema for name, (schema, _) in fields.items()},
            "required": [name for name, (_, required) in fields.items() if required],
        }
        content = {"application/json": {"schema": body}}
        described["requestBody"] = {"required": True, "content": content}
    if placed:
        described["parameters"] = placed
    described["responses"] = _responses(operation)
    return described


def _parameter(name: str, place: str, schema: Schema, required: bool) -> Schema:
    about = {key: value for key, value in schema.items() if key in ("description", "x-evidence")}
    bare = {key: value for key, value in schema.items() if key not in about}
    return {"name": name, "in": place, "required": required, **about, "schema": bare}


def _request_fields(operation: type[Operation[Any]]) -> Iterator[tuple[str, tuple[Schema, bool]]]:
    """List the parameters by wire name, those of every request first; tells which are required."""
    yield from _shared(operation)
    types = _types(operation)
    for field in wire_fields(operation):
        schema = _of_type(types[field.python], sent=True)
        if schema.get("type") == "string" and field.required:
            schema["minLength"] = 1
        if not field.required:
            schema["type"] = [schema["type"], "null"]
        yield field.wire.name, (schema | _about(field), field.required)


def _shared(operation: type[Operation[Any]]) -> Iterator[tuple[str, tuple[Schema, bool]]]:
    text: Schema = {"type": "string"}
    yield "version", (text | {"const": "3.0"} | _told("API version", SEED), True)
    yield "partnerCode", (text | {"minLength": 1} | _told("partner code", SEED), True)
    sign = {"pattern": "^[0-9a-f]{32}$"} | _told("signature, see above", SEED)
    yield "sign", (text | sign, True)
    if operation.service is not Service.TOPUP:
        about = _told("epoch milliseconds as text; not empty", SEED)
        yield "tradeTime", (text | {"pattern": "^[0-9]+$"} | about, True)
        told = f"name of the interface; {operation.trade_type} in every genuine sample"
        named = {"minLength": 1, "examples": [operation.trade_type]}
        yield "tradeType", (text | named | _told(told, SEED), True)
    if operation.service is Service.VSHOP:
        either = {"type": ["string", "null"]}
        for name, told in (
            ("languageCode", "language of returned texts; '0', '1' and '' are seen in samples"),
            ("mark", "not documented; '0' in samples"),
            ("terminal", "kind of terminal; '0' and '1' are seen in samples"),
        ):
            yield name, (either | _told(told, DOCUMENTED), False)


def _told(description: str, evidence: Evidence) -> Schema:
    assumed = _NOT_PUBLISHED if evidence is ASSUMED else ""
    return {"description": assumed + (description or "no more"), "x-evidence": evidence.value}


def _about(field: WireField) -> Schema:
    wire = field.wire
    about = _told(wire.meaning, wire.evidence) | {"x-python-name": field.python}
    if wire.also_accept:
        about["x-also-accepted"] = list(wire.also_accept)
    return about if wire.example is None else about | {"examples": [wire.example]}


def _types(declared: type[Any]) -> dict[str, Any]:
    return {field.name: field.type for field in attrs.fields(attrs.resolve_types(declared))}


def _of_type(declared: Any, *, sent: bool) -> Schema:
    """Write the schema of a field's type, None left aside."""
    origin, args = get_origin(declared), get_args(declared)
    if origin in (Union, UnionType):
        inner = [one for one in args if one is not NoneType]
        # An amount may be given as text or Decimal; on the wire it is a text.
        return _of_type(Decimal if Decimal in inner else inner[0], sent=sent)
    if origin in (tuple, collections.abc.Sequence):
        return {"type": "array", "items": _of_type(args[0], sent=sent)}
    if declared is Decimal:
        amount = {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?$"}
        # What the services write is not documented; both are read.
        return amount if sent else {"type": ["string", "number"]}
    if declared in (str, date):
        return {"type": "string"}
    if isinstance(declared, type) and issubclass(declared, Model):
        return {"$ref": f"#/components/schemas/{declared.__name__}"}
    raise TypeError(f"no schema is known for {declared}")


def _models() -> Iterator[tuple[str, Schema]]:
    pending = [result_model(operation.result) for operation in OPERATIONS]
    seen: set[type[Model]] = set()
    while pending:
        model = pending.pop(0)
        if model is None or model in seen:
            continue
        seen.add(model)
        types = _types(model)
        pending += [result_model(types[field.python]) for field in wire_fields(model)]
        yield model.__name__, _model(model, types)


def _model(model: type[Model], types: Mapping[str, Any]) -> Schema:
    fields = wire_fields(model)
    properties: Schema = {}
    for field in fields:
        schema = _of_type(types[field.python], sent=False)
        if not field.required and "type" in schema:
            kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            schema["type"] = [*kinds, "null"]
        properties[field.wire.name] = schema | _about(field)
    described: Schema = {
        "type": "object",
        "description": inspect.cleandoc(model.__doc__ or ""),
        "properties": properties,
    }
    required = [field.wire.name for field in fields if field.required]
    return described | ({"required": required} if required else {})


_REFUSAL: Schema = {
    "type": "object",
    "description": "A refusal. `data` may again hold `message` and `data`, as one page shows it.",
    "required": ["operateCode", "message"],
    "properties": {
        "operateCode": {"const": "F", "description": "failure", "x-evidence": SEED.value},
        "message": {"type": "string", "x-evidence": SEED.value},
        "data": {"x-evidence": DOCUMENTED.value},
    },
}


def _responses(operation: type[Operation[Any]]) -> Schema:
    answer = _told(_HOW[operation.answer], operation.answer_evidence)
    if operation.answer is AnswerShape.UNKNOWN:
        answer["x-evidence"] = ASSUMED.value
    refused = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    documented = _told("Refused, as the failure page labels it.", DOCUMENTED)
    other = _told("Refused before it was looked at.", ASSUMED)
    return {
        "200": answer | {"content": {"application/json": {"schema": _success(operation)}}},
        "400": documented | {"content": refused},
        "4XX": other | {"content": refused},
    }


_HOW = {
    AnswerShape.ENVELOPE: "Success, in an envelope.",
    AnswerShape.BARE: "Success, as the bare object; an envelope around it is possible.",
    AnswerShape.UNKNOWN: "success, in the envelope that other operations have.",
}


def _success(operation: type[Operation[Any]]) -> Schema:
    data = _data(operation)
    if operation.answer is AnswerShape.BARE:
        return data
    return {
        "type": "object",
        "required": ["operateCode", "message"],
        "properties": {
            "operateCode": {"const": "S", "description": "success", "x-evidence": SEED.value},
            "message": {"type": "string", "x-evidence": SEED.value},
            "data": data,
        },
    }


def _data(operation: type[Operation[Any]]) -> Schema:
    result = operation.result
    if get_origin(result) is tuple:
        entries = _of_type(result, sent=False)
        key = str(operation.list_key)
        listed = entries | _told("member that holds the list", ASSUMED)
        return {"type": "object", "properties": {key: listed}, "required": [key]}
    if result in (None, NoneType):
        return {"type": "object"}
    model = _of_type(result, sent=False)
    if NoneType not in get_args(result):
        return model
    none = _told("there is none", ASSUMED)
    empty: Schema = {"type": "object", "maxProperties": 0}
    return {"anyOf": [model, empty | none, {"type": "null"} | none]}
