from __future__ import annotations

import json


def test_show_and_cancel(cli, valid, sandbox, subscribe):
    assert cli("renewal", "show", valid[0]).stdout == "no active renewal\n"
    subscribe(valid[0])
    found = json.loads(cli("renewal", "show", valid[0], "--json").stdout)
    assert found["subscription_time"] == "2026-01-01"
    assert found["order_no"] in cli("renewal", "show", valid[0]).stdout
    keys = ("--order-no", found["order_no"], "--pay-id", found["pay_id"])
    result = cli("renewal", "cancel", valid[0], *keys, "--yes", "--json")
    assert (result.exit_code, json.loads(result.stdout)["canceled"]) == (0, True)
    assert json.loads(cli("renewal", "show", valid[0], "--json").stdout) is None


def test_cancel_asks_also_of_a_sandbox_and_needs_yes_where_nobody_is(cli, valid, sandbox):
    result = cli("renewal", "cancel", valid[0], "--order-no", "1", "--pay-id", "2")
    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert not len(sandbox.requests)


def test_cancel_refused_says_that_nothing_was_carried_out(cli, valid):
    result = cli("renewal", "cancel", valid[0], "--order-no", "1", "--pay-id", "2", "--yes")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "nothing was carried out" in result.stderr


def test_a_lost_answer_is_unknown_and_names_what_to_ask(bare, lost_answers):
    url, taken = lost_answers
    card = "8985200000000000000"
    result = bare(
        *("--partner-code", "P1", "--endpoints", url),
        *("renewal", "cancel", card, "--order-no", "1", "--pay-id", "2", "--yes"),
    )
    assert result.exit_code == 1
    assert "it is unknown whether it was carried out" in result.stderr
    assert f"`linksfield renewal show {card}`" in result.stderr
    assert result.stderr.count("\n") == 1
    assert len(taken) == 1, "a change is not sent again"


def test_a_lost_answer_of_a_question_says_no_more(bare, lost_answers):
    url, _ = lost_answers
    card = "8985200000000000000"
    result = bare("--partner-code", "P1", "--endpoints", url, "renewal", "show", card)
    assert result.exit_code == 1
    assert "carried out" not in result.stderr
