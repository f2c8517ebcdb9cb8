"""Every operation over a real socket: method, path, parameters and sign as a server finds them."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from reference import reference_sign
from servers import RawServer

from linksfield_async import OPERATIONS, BadAnswer, Client, Refused, SyncClient
from linksfield_async.operation import Operation, wire_fields

CONTRACT = json.loads((Path(__file__).parent / "contract" / "operations.json").read_text())
ENTRIES = {entry["name"]: entry for entry in CONTRACT["operations"]}
AWKWARD = 'a+b c%2F&=中"\\/é😀'


def filled(operation: type[Operation[Any]], text: str) -> dict[str, Any]:
    """Every field of an operation with a value; amounts and path parameters have their own."""
    values: dict[str, Any] = {}
    for field in wire_fields(operation):
        if field.python == "iccids":
            values[field.python] = ["89852420180910340793", text]
        elif "{" + field.wire.name + "}" in operation.path:
            values[field.python] = "G 1+%2F?#"
        elif field.python in {"pay_amount", "pay_unit", "settle_price"}:
            values[field.python] = "12.30"
        else:
            values[field.python] = text
    return values


def as_a_server_reads(seen: Any, template: str) -> dict[str, Any]:
    """Path, query and body parameters together: what takes part in the sign."""
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)
    match = re.fullmatch(r"/\w+" + pattern, seen.path)
    assert match, seen.path
    return {name: unquote(value) for name, value in match.groupdict().items()} | seen.params


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.__name__)
@pytest.mark.parametrize("text", ["1", AWKWARD])
async def test_an_operation_reaches_the_server(
    client: Client, server: RawServer, operation: type[Operation[Any]], text: str
) -> None:
    server.answers({"operateCode": "F", "message": "seen"})
    values = filled(operation, text)
    with pytest.raises(Refused, match="seen"):
        await client.send(operation(**values))
    (seen,) = server.seen
    entry = ENTRIES[operation.__name__]
    assert seen.method == entry["http"]
    assert seen.path.startswith(f"/{entry['service']}/")
    assert (seen.body == b"") == (entry["http"] == "GET")
    params = as_a_server_reads(seen, entry["path"])
    assert params["sign"] == reference_sign(params)
    expected = {field.wire.name: values[field.python] for field in wire_fields(operation)}
    assert {name: params[name] for name in expected} == expected
    assert params.keys() - expected.keys() == set(entry["common_parameters"])
    assert params["version"] == "3.0"
    assert params["partnerCode"] == "P000270"
    if "tradeType" in params:
        assert params["tradeType"] == entry["path"].rpartition("/")[2]
        assert re.fullmatch(r"1[0-9]{12}", params["tradeTime"])


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=lambda e: e["name"])
async def test_a_named_method_sends_its_operation(
    client: Client, server: RawServer, entry: dict[str, Any]
) -> None:
    namespace, method = entry["client_method"].split(".")
    operation = next(o for o in OPERATIONS if o.__name__ == entry["name"])
    server.answers({"operateCode": "?"})
    values = filled(operation, "1")
    if "iccids" in values:
        values["iccids"] = values["iccids"][:1]
    try:
        job = await getattr(getattr(client, namespace), method)(**values)
    except BadAnswer:
        assert "iccids" not in values
    else:
        assert (
            job.status().in_doubt == 1
        )  # a change of a group settles its doubts when it is waited for
    assert server.seen[0].method == entry["http"]
    prefix = entry["path"].partition("{")[0]
    assert server.seen[0].path.startswith(f"/{entry['service']}{prefix}")


async def test_the_blocking_client_sends_the_same(client: Client, server: RawServer) -> None:

    server.answers({"operateCode": "S", "data": {}})

    def block() -> None:
        with SyncClient(client.account) as blocking:
            blocking.vshop.verify_card(iccid="1", url=AWKWARD)

    await asyncio.to_thread(block)
    await client.vshop.verify_card(iccid="1", url=AWKWARD)
    first, second = (seen.params for seen in server.seen)
    for params in (first, second):
        assert params.pop("sign") == reference_sign(params)
        params.pop("tradeTime")
    assert first == second
