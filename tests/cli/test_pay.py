from __future__ import annotations

import json

import pytest


def test_authorize_status_confirm(cli, valid, sandbox, ordered):
    pay_id = ordered(valid[0]).pay_id
    asked = cli("pay", "authorize", pay_id, "--amount", "9.90", "--currency", "eur", "--json")
    assert asked.exit_code == 0, asked.stderr
    secret = json.loads(asked.stdout)["client_secret"]
    assert sandbox.requests.of("StripePay")[0].params["payAmount"] == "9.90"

    pending = json.loads(cli("pay", "status", pay_id, "--json").stdout)
    assert (pending["state"], pending["pay_amount"]) == ("pending", "9.90")
    sandbox.stripe.complete(secret)
    assert cli("pay", "status", pay_id).stdout.splitlines()[0].split() == ["state", "paid"]
    done = cli("pay", "confirm", pay_id, "--yes", "--json")
    assert json.loads(done.stdout)["state"] == "paid"
    assert len(sandbox.requests.of("ResultConfirm")) == 1


def test_the_secret_is_shown_to_who_asked_for_it(cli, valid, ordered):
    pay_id = ordered(valid[0]).pay_id
    options = ("--amount", "9.9", "--currency", "eur", "--email", "payer@example.com")
    assert "_secret_" in cli("pay", "authorize", pay_id, *options).stdout


@pytest.mark.parametrize("amount", ["9,90", "-1", "1e3", "", "nine"])
def test_a_wrong_amount_is_not_sent(cli, sandbox, amount):
    result = cli("pay", "authorize", "P1", "--amount", amount, "--currency", "eur")
    assert result.exit_code == 2
    assert not len(sandbox.requests)


def test_confirm_needs_yes_where_nobody_can_be_asked(cli, sandbox):
    result = cli("pay", "confirm", "P1")
    assert (result.exit_code, len(sandbox.requests)) == (2, 0)


def test_unknown_outcome_of_confirm_names_the_question(bare, lost_answers):
    url, _ = lost_answers
    where = ("--partner-code", "P1", "--endpoints", url)
    result = bare(*where, "pay", "confirm", "a b", "--yes")
    assert result.exit_code == 1
    assert "unknown whether it was carried out" in result.stderr
    assert "`linksfield pay status 'a b'`" in result.stderr


@pytest.mark.parametrize("where", ["production", "https://gateway.example/linksfield"])
@pytest.mark.parametrize(
    "command",
    [
        ("pay", "authorize", "P1", "--amount", "1", "--currency", "usd"),
        ("groups", "add", "G1", "-"),
        ("groups", "remove", "G1", "-"),
    ],
)
def test_a_change_in_production_needs_yes(bare, where, command):
    given = "8985200000000000000\n"
    result = bare("--partner-code", "P1", "--endpoints", where, *command, given=given)
    assert result.exit_code == 2
    assert "production?" in result.stderr
    assert "--yes" in result.stderr
