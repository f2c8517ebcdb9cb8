from __future__ import annotations

import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linksfield_async import Account, CheckoutRefused, Endpoints
from linksfield_async.checkout.ids import OwnIds
from linksfield_async.checkout.money import is_payable
from linksfield_async.checkout.record import Intent, Record
from linksfield_async.checkout.saving import Summary, loaded, saved, summarized
from linksfield_async.checkout.state import State, Step


def full(record: Record) -> Record:
    return attrs.evolve(
        record,
        before=2,
        reached=State.AUTHORIZED,
        under_way=Intent.now(Step.SUBSCRIBING, 30.0),
        sent=(Step.ORDERING, Step.AUTHORIZING),
        client_secret="pi_1_secret_2",
        plan_id="plan_1",
        revision=7,
    )


def test_what_is_saved_comes_back(record: Record, account: Account) -> None:
    for one in (record, full(record)):
        again = loaded(saved(one), account)
        assert again == one
        assert str(again.amount) == "9.90"
        assert saved(again) == saved(one)


def test_what_a_later_version_has_written_is_kept(record: Record, account: Account) -> None:
    told = json.loads(saved(full(record)))
    told["discount"] = {"code": "X"}
    told["ids"]["group_id"] = "G1"
    told["facts"][0]["by"] = "shop-2"
    again = loaded(json.dumps(told), account)
    after = json.loads(saved(again.noting("more")))
    assert after["discount"] == {"code": "X"}
    assert after["ids"]["group_id"] == "G1"
    assert after["facts"][0]["by"] == "shop-2"
    assert [one["told"] for one in after["facts"]][1:] == ["more"]


@pytest.mark.parametrize("version", [0, 2, "1", None, True, 1.5, "x" * 100])
def test_another_version_is_refused(record: Record, account: Account, version: object) -> None:
    told = json.loads(saved(record)) | {"linksfield_checkout": version}
    with pytest.raises(CheckoutRefused, match="saved as version"):
        loaded(json.dumps(told), account)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "{", "[" * 100_000, '"x"'])
def test_what_is_none_is_refused(account: Account, text: str) -> None:
    with pytest.raises(CheckoutRefused, match="no saved checkout"):
        loaded(text, account)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("amount", 9.9),
        ("amount", "NaN"),
        ("amount", "x"),
        ("amount", "-1"),
        ("amount", "1E+900000"),
        ("reached", "lost"),
        ("reached", "unknown"),
        ("reached", "verified"),
        ("refused", "false"),
        ("shown_unpaid", 1),
        ("revision", "1"),
        ("periods", True),
        ("iccid", 5),
        ("under_way", {"step": "dreaming", "wall_ms": 1}),
        ("facts", [{"at": "yesterday", "told": ""}]),
        ("facts", [{"at": "2026-01-01T00:00:00", "told": ""}]),
        ("ids", {"order_no": "", "pay_id": "", "request_order_id": ""}),
        ("kind", "gift"),
    ],
)
def test_what_is_damaged_is_refused(
    record: Record, account: Account, name: str, value: object
) -> None:
    told = json.loads(saved(record)) | {name: value}
    with pytest.raises(CheckoutRefused, match="damaged"):
        loaded(json.dumps(told), account)


def test_another_partner_or_endpoint_is_refused(record: Record) -> None:
    with pytest.raises(CheckoutRefused, match="another partner"):
        loaded(saved(record), Account("P2"))
    with pytest.raises(CheckoutRefused, match="other endpoints"):
        loaded(saved(record), Account("P000270", endpoints=Endpoints.PRODUCTION))


@given(
    st.text(st.characters()),  # lone surrogates too: JSON can hold them
    st.decimals(min_value=0, allow_nan=False, allow_infinity=False).filter(is_payable),
)
def test_any_text_and_amount_survives(name: str, amount: object) -> None:
    account = Account("P1")
    one = Record(
        kind="subscription",
        partner="P1",
        endpoints=(account.endpoints.vshop, account.endpoints.payment, account.endpoints.topup),
        iccid="1",
        package_code="1",
        plan_code="1",
        plan_name=name,
        periods=1,
        amount=amount,  # type: ignore[arg-type]
        currency="EUR",
        ids=OwnIds(order_no="1", pay_id="1", request_order_id="1"),
        reached=State.PLANNED,
    )
    saved(one).encode()
    assert loaded(saved(one), account) == one


def test_a_store_of_ones_own_is_told_what_to_find_a_checkout_by(record: Record) -> None:
    kept = attrs.evolve(record, reached=State.ORDERED, shown_unpaid=True)
    assert summarized(saved(kept)) == Summary(
        state="ordered",
        request_order_id=record.ids.request_order_id,
        shown_unpaid=True,
        shown_renewal=False,
    )
    for step, state in ((Step.AUTHORIZING, "unknown"), (Step.CANCELING, "ordered")):
        under_way = attrs.evolve(kept, under_way=Intent.now(step))
        assert summarized(saved(under_way)).state == under_way.state == state
