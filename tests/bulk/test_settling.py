from __future__ import annotations

import pytest
from bulk_stubs import Answers, iccid, order
from hypothesis import given
from hypothesis import strategies as st

from linksfield_async.bulk.journal.settings import Journal
from linksfield_async.bulk.settling import Asking, ask, quarantine_end, settler_of
from linksfield_async.errors import OutcomeUnknown
from linksfield_async.operations import CancelAutoRenewalRecord


def told(**data):
    return {"operateCode": "S", "data": data}


FOUND = {"purchase_order_id": "shop-1", "order_id": "O1", "status": "1"}


async def asked(answer, operation=None):
    transport = Answers(lambda _: answer)
    settled = await ask(operation or order(1), transport.client())
    return settled, transport


async def test_an_order_that_is_there_was_carried_out():
    settled, transport = await asked(told(**FOUND, sim_id=iccid(1), pay_amount="12.360"))
    assert settled.carried_out is True, settled
    assert "shop-1" in str(transport.sent)


@pytest.mark.parametrize("nothing", [told(), {"operateCode": "S", "data": None}])
async def test_a_paid_order_that_is_not_there_was_not(nothing):
    settled, _ = await asked(nothing)
    assert settled.carried_out is False, settled


@pytest.mark.parametrize(
    "answer",
    [
        told(**FOUND, sim_id=iccid(2)),
        {"operateCode": "F", "message": "closed for today"},
        {"what": "?"},
        OutcomeUnknown("lost"),
    ],
)
async def test_what_is_not_clear_stays_unknown(answer):
    settled, _ = await asked(answer)
    assert settled.carried_out is None
    assert settled.evidence
    assert iccid(2) not in settled.evidence


async def test_what_cannot_be_asked_for_is_not_asked_for():
    for operation in (
        CancelAutoRenewalRecord(iccid=iccid(1), order_no="NO1", pay_id="P1"),
        order(1, request_order_id=""),
    ):
        settled, transport = await asked(told(**FOUND), operation)
        assert (settled.carried_out, transport.sent) == (None, [])


async def test_who_settles():
    async def mine(operation, sender):
        raise NotImplementedError

    asking = Asking()
    assert settler_of(Journal("x"), asking) == asking.settle
    assert settler_of(Journal("x", resolve="manual"), asking) is None
    assert settler_of(Journal("x", resolve=mine), asking) is mine


async def test_that_nothing_is_shown_counts_once_another_order_was_shown():
    """To the same question: else the id that is asked for may be another than was given."""

    def answer(params):
        shown = "shop-2" in str(params)
        return told(**FOUND | {"purchase_order_id": "shop-2"}, sim_id=iccid(2)) if shown else told()

    transport, asking = Answers(answer), Asking()
    client = transport.client()
    assert (await asking.settle(order(1), client)).carried_out is None
    asking.known(order(2, request_order_id=""))
    assert (await asking.settle(order(1), client)).carried_out is None
    asking.known(order(2))
    assert (await asking.settle(order(1), client)).carried_out is False


async def test_an_order_that_is_not_shown_though_it_was_carried_out_proves_that_asking_is_no_use():
    transport, asking = Answers(lambda _: told()), Asking()
    asking.known(order(2))
    assert (await asking.settle(order(1), transport.client())).carried_out is None


@given(st.integers(0, 2**41), st.floats(0, 10**6), st.floats(0, 10**4))
def test_a_quarantine_is_at_least_as_long_as_it_was_set(sent, quarantine, deadline):
    end = quarantine_end(Journal("x", quarantine=quarantine), sent, deadline)
    assert end - sent >= int((quarantine + deadline) * 1000)
