from __future__ import annotations

import json

import pytest

from linksfield_async import OPERATIONS
from linksfield_async.account import wire_name_keys


def test_lists_every_operation_and_its_evidence(bare):
    result = bare("operations")
    assert result.exit_code == 0
    for operation in OPERATIONS:
        assert f"{operation.__name__}  {operation.method} " in result.stdout
        assert operation.path in result.stdout
    assert "client.vshop.verify_card(…)  effect: read" in result.stdout
    assert "payAmount" in result.stdout
    assert "settlePrice, price" in result.stdout


@pytest.mark.parametrize(
    "name",
    ["SingleVerify", "singleverify", "singleVerify", "vshop.verify_card", "verify_card"],
)
def test_one_operation_by_any_of_its_names(bare, name):
    (entry,) = json.loads(bare("operations", name, "--json").stdout)
    assert entry["operation"] == "SingleVerify"
    assert entry["fields"][0] == {
        "key": "SingleVerify.iccid",
        "side": "parameter",
        "wire": "deviceCode",
        "required": True,
        "evidence": "documented",
        "also_accept": [],
        "meaning": "the SIM's ICCID",
    }


def test_an_unknown_name_tells_the_nearest(bare):
    result = bare("operations", "SingelVerify")
    assert result.exit_code == 2
    assert "SingleVerify" in result.stderr


def test_the_assumed_ones_are_those_that_wire_names_can_replace(bare):
    entries = json.loads(bare("operations", "--assumed", "--json").stdout)
    keys = {field["key"] for entry in entries for field in entry["fields"]}
    assert keys == {key for key, assumed in wire_name_keys() if assumed}
    table = bare("operations", "--assumed").stdout
    assert all(key in table for key in keys)
    assert "LINKSFIELD_WIRE_NAMES" in table
    assert "SingleVerify.iccid" not in table


def test_an_operation_without_assumed_names(bare):
    assert bare("operations", "singleQueryOrder", "--assumed").stdout == (
        "nothing is assumed here\n"
    )


def test_the_openapi_document(bare):
    told = json.loads(bare("operations", "--openapi").stdout)
    assert told["servers"] == [{"url": "https://wx.linksfield.net"}]
    assert "/topup_test/mall/order" in told["paths"]
    at = json.loads(bare("--endpoints", "http://127.0.0.1:1", "operations", "--openapi").stdout)
    assert at["servers"] == [{"url": "http://127.0.0.1:1"}]
    assert bare("operations", "--openapi", "--assumed").exit_code == 2
    assert bare("operations", "SingleVerify", "--openapi").exit_code == 2
