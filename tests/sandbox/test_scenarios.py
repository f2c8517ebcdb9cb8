"""Situations are what a client would find if they had come about by themselves."""

from datetime import timedelta

import pytest

from linksfield_async import Client, errors
from linksfield_async.sandbox import Sandbox


@pytest.fixture
async def client(sandbox):
    async with Client(sandbox.account) as client:
        yield client


async def test_unpaid_order(sandbox, client):
    unpaid = sandbox.scenarios.unpaid_order()
    found = await client.orders.get(order_id=unpaid.order.order_no)
    assert (found.iccid, found.status) == (unpaid.iccid, "0")
    assert sandbox.world.card(unpaid.iccid).orders == (unpaid.order,)
    assert unpaid.iccid not in repr(unpaid)
    assert unpaid.payment is None


async def test_active_plans(sandbox, client):
    whole = sandbox.scenarios.active_plan()
    short = sandbox.scenarios.active_plan(days_left=3, plan="SP202601010805")
    assert whole.iccid != short.iccid
    days = []
    for situation in (whole, short):
        (order,) = (await client.vshop.list_orders(iccid=situation.iccid)).orders
        days.append(order.remaining_days)
        assert sandbox.world.card(situation.iccid).payments == (situation.payment,)
        assert situation.payment.state == "paid"
    assert days == ["30", "3"]
    assert short.order.plan.name == "Singapore 10GB 30-Days"


async def test_renewal(sandbox, client):
    good = sandbox.scenarios.active_plan(renewal_due_in_days=1)
    bad = sandbox.scenarios.active_plan(renewal_due_in_days=1, declines=True)
    renewal = await client.vshop.get_auto_renewal(iccid=good.iccid)
    assert renewal.order_no == good.order.order_no
    sandbox.clock.advance(days=1)
    assert [payment.state for payment in good.subscription.charges] == ["paid", "paid"]
    assert (good.subscription.state, bad.subscription.state) == ("active", "past_due")
    assert sandbox.world.card(good.iccid).subscriptions == (good.subscription,)
    sandbox.clock.advance(days=90)
    assert len(good.subscription.charges) == 5
    assert sandbox.world.card(bad.iccid).kind == "suspended"


async def test_expired_plan(sandbox, client):
    expired = sandbox.scenarios.expired_plan(ended_days_ago=2)
    assert (await client.vshop.list_orders(iccid=expired.iccid)).orders == ()
    assert expired.order.state(sandbox.clock.now()) == "expired"
    assert sandbox.clock.now() - expired.order.end == timedelta(days=2)


async def test_full_group(sandbox, client):
    group = sandbox.scenarios.full_group(30)
    assert await client.groups.list_sims(group_id=group.group_id) == tuple(group.members)
    assert len(group.members) == 30
    first = next(iter(group.members))
    assert sandbox.world.card(first).groups == (group,)
    assert first not in repr(sandbox.world.card(first))
    other = sandbox.scenarios.full_group(1, name="Other")
    assert set(other.members).isdisjoint(group.members)


def test_wrong_use():
    sandbox = Sandbox(cards=30)
    scenarios = sandbox.scenarios
    for use, message in (
        (lambda: scenarios.active_plan(days_left=1, renewal_due_in_days=1), "not both"),
        (lambda: scenarios.active_plan(days_left=31), "above 0 and at most 30"),
        (lambda: scenarios.active_plan(renewal_due_in_days=0), "above 0 and at most 30"),
        (lambda: scenarios.active_plan(renewal_due_in_days=1, plan="SP202601010801"), "cannot be"),
        (lambda: scenarios.active_plan(plan="X"), "no plan is called 'X'"),
        (lambda: scenarios.expired_plan(ended_days_ago=-1), "from 0 to a century"),
        (lambda: scenarios.full_group(100), "unused cards left, not 100; give it more"),
    ):
        with pytest.raises(errors.ConfigurationError, match=message):
            use()
    assert not sandbox.world.orders
    assert scenarios.unpaid_order().iccid


def test_used_cards_are_left_out():
    sandbox = Sandbox(cards=30)
    used = set(sandbox.scenarios.full_group(3).members)
    again = Sandbox.from_state(sandbox.export_state())
    assert again.scenarios.unpaid_order().iccid not in used


def test_cards_that_became_free_are_taken_in_the_end():
    sandbox = Sandbox(cards=30)
    empty = sandbox.export_state()
    first = sandbox.scenarios.full_group(9)
    sandbox.import_state(empty)
    assert list(sandbox.scenarios.full_group(9).members) == list(first.members)
