from __future__ import annotations

import json


def test_plans_are_a_table_without_a_terminal(cli, valid, sandbox):
    result = cli("plans", valid[0])
    assert result.exit_code == 0, result.stderr
    head, first, *_ = result.stdout.splitlines()
    assert head.split("  ")[0] == "service plan"
    assert "9.90" in first
    assert head.index("price") == first.index("9.90"), "columns are aligned"
    assert result.stderr == ""


def test_plans_as_json_keep_amounts_as_text(cli, valid):
    result = cli("plans", valid[0], "--json")
    plans = json.loads(result.stdout)
    assert plans[0]["pay_amount"] == "9.90"
    assert {"package_code", "service_plan_code", "auto_renewal"} <= set(plans[0])


def test_the_area_reaches_the_wire(cli, valid, sandbox):
    result = cli("plans", valid[0], "--area", "欧洲", "--json")
    assert {plan["pay_currency"] for plan in json.loads(result.stdout)} == {"EUR"}
    assert sandbox.requests[-1].params["area"] == "欧洲"
    nothing = cli("plans", valid[0], "--area", "Atlantis")
    assert nothing.stdout == "no plans for this card in this region\n"


def test_an_iccid_is_tidied_like_one_in_a_file(cli, valid, sandbox):
    groups = " ".join(valid[0][start : start + 4] for start in range(0, len(valid[0]), 4))
    spaced = f" {groups}F" if len(valid[0]) == 19 else f"'{groups}"
    assert cli("plans", spaced).exit_code == 0
    assert sandbox.requests[-1].params["deviceCode"] == valid[0]


def test_a_spoiled_iccid_is_wrong_use_and_not_sent(cli, sandbox):
    result = cli("plans", "8.98524E+19")
    assert result.exit_code == 2
    assert "rounded number" in result.stderr
    assert not len(sandbox.requests)


def test_a_refusal_is_one_line(cli, sandbox):
    foreign = next(sandbox.world.iccids("foreign"))
    result = cli("plans", foreign, "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: Refused: ")
    assert result.stderr.count("\n") == 1
    assert foreign not in result.stderr


def test_orders_and_order(cli, valid, buy):
    assert cli("orders", valid[0]).stdout == "no active or pending orders\n"
    order_no = buy(valid[0])
    listed = json.loads(cli("orders", valid[0], "--json").stdout)
    assert [one["order_status"] for one in listed["orders"]] == ["2"]
    assert listed["orders"][0]["expire_date"] == "2026-01-31"
    assert "2026-01-31" in cli("orders", valid[0]).stdout
    found = json.loads(cli("order", "--order-id", order_no, "--json").stdout)
    assert (found["iccid"], found["pay_amount"]) == (valid[0], "9.90")
    assert "pay_amount" in cli("order", "--iccid", valid[0]).stdout
    mine = cli("order", "--purchase-order-id", f"shop-{order_no}")
    assert order_no in mine.stdout


def test_no_such_order(cli):
    assert cli("order", "--order-id", "none").stdout == "no such order\n"
    result = cli("order", "--order-id", "none", "--json")
    assert (json.loads(result.stdout), result.exit_code) == (None, 0)


def test_an_order_needs_exactly_one_key(cli, sandbox):
    for keys in ((), ("--order-id", "a", "--purchase-order-id", "b"), ("--order-id", "")):
        result = cli("order", *keys)
        assert result.exit_code == 2
        assert "give one of" in result.stderr
    assert not len(sandbox.requests)
