from __future__ import annotations

import time

import attrs
import pytest

from linksfield_async import CheckoutRefused, Contradiction
from linksfield_async.checkout import record as module
from linksfield_async.checkout.record import Intent, Record
from linksfield_async.checkout.state import State, Step


def test_a_step_under_way_lies_over_the_state(record: Record) -> None:
    assert record.state is State.PLANNED
    assert attrs.evolve(record, under_way=Intent.now(Step.ORDERING)).state is State.UNKNOWN
    canceling = attrs.evolve(record, reached=State.CONFIRMED, under_way=Intent.now(Step.CANCELING))
    assert canceling.state is State.CONFIRMED


def test_the_same_fact_is_kept_once_and_has_no_secrets(record: Record) -> None:
    once = record.noting("ResultQuery says pending")
    assert once.noting("ResultQuery says pending") == once
    told = record.noting(f"card {record.iccid} of a@example.com\npi_1_secret_2").facts[-1].told
    assert "\n" not in told
    assert not any(secret in told for secret in (record.iccid, "a@example.com", "pi_1_secret_2"))


def test_a_move_that_is_no_edge_changes_nothing(record: Record) -> None:
    with pytest.raises(Contradiction):
        record.moving(State.CONFIRMED, "told")
    refused = attrs.evolve(record, reached=State.FAILED, refused=True)
    with pytest.raises(CheckoutRefused):
        refused.moving(State.AUTHORIZED, "told")


def test_the_order_is_the_same_at_each_call(record: Record) -> None:
    assert record.order() == record.order()
    assert record.order().auto_renewal == "0"
    assert attrs.evolve(record, kind="subscription").order().auto_renewal == "1"


def test_nothing_secret_in_its_repr(record: Record) -> None:
    full = attrs.evolve(record, client_secret="pi_1_secret_2", unknown_fields={"x": "y-secret"})
    assert not any(s in repr(full) for s in (record.iccid, "pi_1_secret_2", "y-secret"))


def test_an_age_counts_on_the_clock_of_the_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "boot_clock", lambda: ("boot", 5_000))
    intent = Intent.now(Step.ORDERING, margin=1.0)
    monkeypatch.setattr(module, "boot_clock", lambda: ("boot", 8_000))
    monkeypatch.setattr(time, "time", lambda: 0.0)  # set back by years
    assert intent.age == 2.0
    monkeypatch.setattr(module, "boot_clock", lambda: ("another", 9_000_000))
    assert intent.age < 0
