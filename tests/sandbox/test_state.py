"""The world as JSON: all of it comes back, and what is broken changes nothing."""

import copy
import json
from datetime import timedelta
from itertools import islice

import pytest

from linksfield_async import errors
from linksfield_async.sandbox import Sandbox
from linksfield_async.sandbox.state import made_with

GROUP = {"group_id": "G1003"}
SIMS = "/topup/mall/bundle-groups/G1003/sims"


@pytest.fixture
async def played(sandbox, call, buy):
    """Play a little of everything; gives the sandbox."""
    await buy("1")
    world = sandbox.world
    sandbox.scenarios.unpaid_order()
    sandbox.scenarios.active_plan(renewal_due_in_days=3)
    declined = sandbox.scenarios.active_plan(renewal_due_in_days=2, declines=True)
    world.suspend(next(islice(world.iccids(), 50, None)))
    setup = await call(
        "/payment/stripePay",
        payId=sandbox.scenarios.unpaid_order().order.pay_id,
        payAmount="24.50",
        payCurrency="eur",
    )
    assert setup.data["client_secret"]
    renewing = sandbox.scenarios.unpaid_order().order
    renewing.auto_renewal = True
    charge = {"payId": renewing.pay_id, "payAmount": "24.50", "payCurrency": "eur"}
    setup = (await call("/payment/stripeAutoPay", **charge)).data
    sandbox.stripe.confirm_setup(setup["client_secret"])
    cards = list(islice(world.iccids(), 20, 23))
    await call(SIMS, in_path=GROUP, sim_ids=cards[:1])
    sandbox.clock.advance(seconds=1)
    world.group_behaviour.next(never_ends=True)
    await call(SIMS, in_path=GROUP, sim_ids=cards[:2])
    await call(SIMS, http="DELETE", in_path=GROUP, sim_ids=cards[:1])
    assert declined.subscription in world.subscriptions
    return sandbox


def loaded(sandbox):
    return Sandbox.from_state(json.loads(json.dumps(sandbox.export_state())))


async def test_export_and_import_are_each_others_inverse(played):
    again = loaded(played)
    again.clock.pause()
    before, after = played.export_state(), again.export_state()
    assert {**before, "now": 0} == {**after, "now": 0}
    assert len(before["agenda"]) == 3
    assert len(after["jobs"]) == 3
    assert again.clock.now() - played.clock.now() < timedelta(seconds=5)


async def test_both_go_on_alike(played, caller_of):
    again = loaded(played)
    again.clock.pause()
    states = []
    async with again:
        for sandbox in (played, again):
            sandbox.clock.advance(days=40)
            call = caller_of(sandbox)
            card = next(islice(sandbox.world.iccids(), 30, None))
            reply = await call(SIMS, in_path=GROUP, sim_ids=[card])
            assert reply.data["request_id"] == "REQ0000000004"
            job = next(job for job in sandbox.world.jobs.values() if job.outcomes is None)
            sandbox.finish_job(job.request_id)
            secret = next(one.client_secret for one in sandbox.world.payments if one.client_secret)
            sandbox.stripe.complete(secret)
            (setup,) = sandbox.world.setups
            assert sandbox.stripe.confirm_setup(setup.client_secret) == setup.method.pm_id
            states.append(
                (
                    [one.state for one in sandbox.world.subscriptions],
                    [(one.state, one.transaction_id) for one in sandbox.world.payments],
                    [order.state(sandbox.clock.now()) for order in sandbox.world.orders],
                    {key: list(group.members) for key, group in sandbox.world.groups.items()},
                    [(one.iccid, one.adding) for one in sandbox.world.needless_changes()],
                )
            )
    assert states[0] == states[1]
    assert states[0][0] == ["active", "unpaid"]


async def test_pending_changes_still_count_as_members(played, caller_of):
    (first,) = {one.iccid for one in played.world.needless_changes()}
    async with loaded(played) as again:
        group = again.world.groups["G1003"]
        second = next(card for job in again.world.jobs.values() for card in job.iccids[1:])
        assert group.will_hold(second)
        await caller_of(again)(SIMS, in_path=GROUP, sim_ids=[second])
        assert [one.iccid for one in again.world.needless_changes()] == [first, second]


async def test_import_replaces_what_was_there(played):
    fresh = Sandbox(cards=200)
    fresh.scenarios.unpaid_order()
    fresh.import_state(played.export_state())
    assert len(fresh.world.orders) == len(played.world.orders)
    assert fresh.stripe.complete(
        next(one.client_secret for one in fresh.world.payments if one.state == "pending")
    )


BROKEN = {
    "no state": (lambda state: state.clear(), "no saved state"),
    "other version": (lambda state: state.update(version=2), "has version 2; only 1"),
    "no settings": (lambda state: state.pop("settings"), "does not say what sandbox"),
    "other seed": (lambda state: state["settings"].update(seed=2), "with seed=2, not 1"),
    "part missing": (lambda state: state.pop("orders"), "lacks orders"),
    "unknown order": (lambda state: state["payments"][0].update(order=99), "is broken: .*payments"),
    "unknown plan": (lambda state: state["orders"][0].update(plan="X"), "the state is broken"),
    "wrong type": (lambda state: state["orders"][0].update(number="x"), "the state is broken"),
    "wrong time": (lambda state: state.update(now="yesterday"), "the state is broken"),
    "extra": (lambda state: state["groups"][0].update(colour="red"), "the state is broken"),
    "unknown agenda": (lambda state: state["agenda"][0].__setitem__(1, "war"), "unknown: war"),
    "ids are none": (lambda state: state.update(ids=5), "the state is broken"),
    "no dice": (lambda state: state["ids"].pop("inner"), "the state is broken"),
    "bad dice": (lambda state: state["ids"].update(inner=[1, 2]), "the state is broken"),
    "time without zone": (lambda s: s["agenda"][0].__setitem__(0, "2026-01-01T00:00:00"), "agenda"),
    "now without zone": (lambda state: state.update(now="2026-01-01T00:00:00"), "time zone"),
    "unknown renewal": (lambda state: state["subscriptions"].clear(), "an unknown renewal: sub_"),
    "unknown job": (lambda state: state["jobs"].clear(), "an unknown job: REQ"),
    "message": (lambda state: state["messages"].append({"event": 1}), "is broken: .*messages"),
    "charge": (lambda state: state["subscriptions"][0].update(charges=[99]), "is broken"),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_broken_states_change_nothing(played, name):
    spoil, message = BROKEN[name]
    state = json.loads(json.dumps(played.export_state()))
    spoil(state)
    sandbox = Sandbox(cards=200)
    sandbox.clock.pause()
    before = copy.deepcopy(sandbox.export_state())
    with pytest.raises(errors.ConfigurationError, match=message) as caught:
        sandbox.import_state(state)
    assert "\n" not in str(caught.value)
    assert sandbox.export_state() == before


def test_made_with():
    assert made_with(Sandbox(cards=30, seed=4, partner_code="P1").export_state()) == {
        "cards": 30, "seed": 4, "partner_code": "P1"
    }  # fmt: skip
    for wrong in ([], "x", {"format": "linksfield-sandbox"}):
        with pytest.raises(errors.ConfigurationError):
            made_with(wrong)


def test_cards_and_seed_come_with_the_state():
    state = Sandbox(cards=30, seed=4).export_state()
    assert Sandbox.from_state(state, job_delay=5).export_state()["settings"]["seed"] == 4
    with pytest.raises(errors.ConfigurationError, match="seed comes with the state"):
        Sandbox.from_state(state, seed=5)


async def test_state_holds_no_names_of_this_machine(played):
    text = json.dumps(played.export_state())
    assert "127.0.0.1" not in text
    assert "requests" not in text
