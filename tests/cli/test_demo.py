from __future__ import annotations

import json

import pytest

from linksfield_async.cli import demo
from linksfield_async.sandbox import Refusal, Stripe, sample


@pytest.fixture
def few_cards(monkeypatch, tmp_path):
    """A small sample: the whole one is verified by the program's own test."""
    rows = list(sample.sample_rows())[:300]
    path = tmp_path / "cards.csv"
    path.write_text("iccid,n\n" + "".join(f'"{cell}",1\n' for cell, _ in rows), encoding="utf-8")
    kinds = [kind for _, kind in rows]
    monkeypatch.setattr("linksfield_async.sandbox.SAMPLE_CARDS", path)
    monkeypatch.setattr(demo, "_ROWS", len(rows))
    monkeypatch.setattr(
        sample, "sample_expectation", lambda: {kind: kinds.count(kind) for kind in set(kinds)}
    )


def test_json(bare, few_cards):
    result = bare("demo", "--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["ok"] is True
    assert sum(report["verdicts"].values()) == 300
    assert [stage["name"] for stage in report["stages"]] == [
        "Verify the sample file",
        "Stopped and resumed",
        "One-time purchase",
        "Subscription",
        "Checkout taken up again",
        "Group of SIMs",
        "Order paid elsewhere",
    ]
    assert {"SingleVerify", "StripePay", "GetAsyncResult"} <= set(report["assumed"])
    assert "SingleOrder" not in report["assumed"]
    assert "sandbox" in report["note"]


def test_it_needs_no_account_and_ignores_one(bare, few_cards):
    result = bare("demo", LINKSFIELD_ENDPOINTS="http://127.0.0.1:9", LINKSFIELD_PARTNER_CODE="P")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.endswith("not against the service.\n")


def test_wrong_counts_name_the_step(bare, few_cards, monkeypatch):
    monkeypatch.setattr(sample, "sample_expectation", lambda: {"valid": 300})
    result = bare("demo", "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "error: Verify the sample file: singleVerify: expected that the counts are 300 valid\n"
    )


def test_a_verdict_that_is_not_true_names_the_step(bare, few_cards, monkeypatch):
    from linksfield_async.sandbox import World

    monkeypatch.setattr(World, "is_valid", lambda self, iccid: True)
    result = bare("demo")
    assert result.exit_code == 1
    assert "each verdict is what the sandbox knows" in result.stderr


def test_a_refused_step_is_named(bare, few_cards, monkeypatch):
    from linksfield_async.sandbox.payments import Cashier

    def refuse(self, call, partner):
        raise Refusal("not today")

    monkeypatch.setattr(Cashier, "confirm", refuse)
    result = bare("demo")
    assert result.exit_code == 1
    assert "error: One-time purchase: ResultConfirm" in result.stderr
    assert "not today" in result.stderr


def test_a_payment_that_fails_is_named(bare, few_cards, monkeypatch):
    monkeypatch.setattr(Stripe, "complete", Stripe.decline)
    result = bare("demo")
    assert result.exit_code == 1
    assert "One-time purchase: Stripe: expected that the payer has paid" in result.stderr


def test_a_renewal_that_does_not_come_is_named(bare, few_cards, monkeypatch):
    monkeypatch.setattr(Stripe, "_renew", lambda *_: None)
    result = bare("demo")
    assert result.exit_code == 1
    assert "Subscription: singleQueryOrder: expected that a month later" in result.stderr
