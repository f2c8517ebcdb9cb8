"""The sandbox's world under any order of calls: what must hold whatever is bought, paid and moved.

The requests are the package's own, carried out without a socket. `LINKSFIELD_TEST_EXAMPLES` says
how many histories are tried.
"""

import json
import os
from datetime import timedelta
from itertools import islice, pairwise
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from linksfield_async import Account, Endpoints
from linksfield_async.operations import (
    AddSims,
    CancelAutoRenewalRecord,
    GetAsyncResult,
    GetOrder,
    ListGroupSims,
    QueryAutoRenewalRecord,
    RemoveSims,
    ResultConfirm,
    ResultQuery,
    SingleOrder,
    SingleQueryOrder,
    StripeAutoPay,
    StripePay,
    StripeSubDirectly,
    SynOrderInfo,
)
from linksfield_async.protocol import build
from linksfield_async.sandbox import Refusal, Sandbox

EXAMPLES = int(os.environ.get("LINKSFIELD_TEST_EXAMPLES", "12"))
THINGS = {
    "card": st.integers(0, 5),
    "plan": st.integers(0, 12),
    "periods": st.integers(1, 3),
    "renews": st.booleans(),
}
GROUPS = ["G1001", "G1003", "G9001", "G0"]


class Purchases(RuleBasedStateMachine):
    """Buys, pays, renews, groups and lets time pass, in any order."""

    orders = Bundle("orders")
    secrets = Bundle("secrets")
    setups = Bundle("setups")
    plans = Bundle("plans")
    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.sandbox = Sandbox(cards=60, job_delay=2.0)
        self.sandbox.clock.pause()
        self.account = Account("P000270", endpoints=Endpoints.at("http://127.0.0.1:1"))
        kinds = ("valid", "valid", "valid", "suspended", "foreign", "unknown")
        pools = {kind: self.sandbox.world.iccids(kind) for kind in set(kinds)}
        self.cards = [next(pools[kind]) for kind in kinds]
        self.elsewhere: set[str] = set()
        self.ends: dict[str, object] = {}
        self.number = 0

    def send(self, operation):
        """Carry a call out; gives the answer's data, None for a refusal, and breaks on all else."""
        request = build(operation, self.account, 1_767_254_400_000 + self.number)
        url = urlsplit(request.url)
        answer = self.sandbox._server._dispatcher.answer(
            request.method, url.path, url.query, request.body
        )
        told = json.loads(answer.body)
        assert answer.operation == type(operation).__name__
        if answer.outcome != "ok":
            assert answer.status == 400
            assert told["operateCode"] == "F"
            assert answer.outcome.startswith("refused: "), answer.outcome
            return None
        assert answer.status == 200
        return told.get("data", told) or {}

    def bought(self, kind, card, plan, periods, renews, **more):
        self.number += 1
        plan = self.sandbox.world.plans[plan]
        amount = f"{float(plan.price) * periods:.2f}"
        names = {"order_no": f"NO{self.number}", "pay_id": f"PAY{self.number}"}
        made = kind(
            iccid=self.cards[card],
            package_code=plan.package_code,
            service_plan_code=plan.code,
            service_plan_show_name=plan.name,
            order_period=str(periods),
            pay_amount=amount,
            pay_currency=plan.currency,
            auto_renewal="1" if renews else "0",
            **names,
            **more,
        )
        charge = {"pay_id": names["pay_id"], "pay_amount": amount}
        charge["pay_currency"] = plan.currency.lower()
        return (names, charge) if self.send(made) is not None else None

    @rule(target=orders, **THINGS)
    def order(self, card, plan, periods, renews):
        made = self.bought(SingleOrder, card, plan, periods, renews)
        return multiple() if made is None else made

    @rule(**THINGS)
    def paid_elsewhere(self, card, plan, periods, renews):
        made = self.bought(
            SynOrderInfo,
            card,
            plan,
            periods,
            renews,
            pay_unit="1.00",
            settle_price="1.00",
            pay_account="1",
            pay_type="3",
            pay_status="1",
            pay_rst="SUCCESS",
            pay_result_date="2026-01-01 00:00:00",
            transaction_id="ch_1",
        )
        if made is not None:
            self.elsewhere.add(made[0]["order_no"])

    @rule(target=secrets, order=orders)
    def authorize(self, order):
        told = self.send(StripePay(**order[1]))
        return multiple() if told is None else told["client_secret"]

    @rule(secret=secrets, good=st.booleans())
    def decide(self, secret, good):
        stripe = self.sandbox.stripe
        paid_before = self.sandbox.world.ledger.payment(secret).state == "paid"
        if good or not paid_before:
            (stripe.complete if good else stripe.decline)(secret)
        else:
            with pytest.raises(Refusal, match="completed before"):
                stripe.decline(secret)

    @rule(
        card=st.integers(0, 2),
        plan=THINGS["plan"],
        periods=THINGS["periods"],
        times=st.integers(1, 2),
    )
    def buy(self, card, plan, periods, times):
        """Order and pay, maybe twice; one step, so that histories get somewhere."""
        order = self.bought(SingleOrder, card, plan, periods, renews=False)
        if order is not None:
            secrets = [self.send(StripePay(**order[1]))["client_secret"] for _ in range(times)]
            for secret in secrets:
                self.sandbox.stripe.complete(secret)

    @rule(target=plans, card=st.integers(0, 2), periods=THINGS["periods"], data=st.data())
    def subscribe_at_once(self, card, periods, data):
        every = self.sandbox.world.plans
        renewable = [place for place, plan in enumerate(every) if plan.auto_renewal]
        plan = data.draw(st.sampled_from(renewable))
        order = self.bought(SingleOrder, card, plan, periods, renews=True)
        if order is None:
            return multiple()
        told = self.send(StripeAutoPay(**order[1], email="a@b.example"))
        pm_id = self.sandbox.stripe.confirm_setup(told["client_secret"])
        given = {**order[1], "email": "a@b.example", "plan_id": told["plan_id"]}
        assert self.send(StripeSubDirectly(**given, pm_id=pm_id))["status"] == "active"
        return pm_id

    @rule(target=setups, order=orders)
    def authorize_subscription(self, order):
        told = self.send(StripeAutoPay(**order[1], email="a@b.example"))
        return multiple() if told is None else (order, told["plan_id"], told["client_secret"])

    @rule(target=plans, setup=consumes(setups), declines=st.booleans())
    def subscribe(self, setup, declines):
        order, plan_id, secret = setup
        pm_id = self.sandbox.stripe.confirm_setup(secret, declines=declines)
        given = {**order[1], "email": "a@b.example"}
        told = self.send(StripeSubDirectly(**given, plan_id=plan_id, pm_id=pm_id))
        return multiple() if told is None else pm_id

    @rule(pm_id=plans, declines=st.booleans())
    def change_the_payment_method(self, pm_id, declines):
        self.sandbox.stripe.set_declines(pm_id, declines)

    @rule(order=orders, card=THINGS["card"])
    def cancel(self, order, card):
        self.send(CancelAutoRenewalRecord(iccid=self.cards[card], **order[0]))

    @rule(order=orders, card=THINGS["card"])
    def look(self, order, card):
        pay_id, iccid = order[0]["pay_id"], self.cards[card]
        for call in (
            ResultQuery(pay_id=pay_id),
            ResultConfirm(pay_id=pay_id),
            GetOrder(order_id=order[0]["order_no"]),
            SingleQueryOrder(iccid=iccid),
            QueryAutoRenewalRecord(iccid=iccid),
        ):
            self.send(call)

    @rule(
        target=jobs,
        group=st.sampled_from(GROUPS),
        cards=st.lists(THINGS["card"], min_size=1, max_size=4),
    )
    def add(self, group, cards):
        return self.changed(AddSims, group, cards)

    @rule(
        target=jobs,
        group=st.sampled_from(GROUPS),
        cards=st.lists(THINGS["card"], min_size=1, max_size=4),
    )
    def remove(self, group, cards):
        return self.changed(RemoveSims, group, cards)

    def changed(self, kind, group, cards):
        told = self.send(kind(group_id=group, iccids=[self.cards[card] for card in cards]))
        return multiple() if told is None else told["request_id"]

    @rule(job=jobs)
    def poll(self, job):
        told = self.send(GetAsyncResult(request_id=job))
        assert told is not None
        known = self.sandbox.world.jobs[job]
        if told["status"] not in ("pending", "processing"):
            assert [one["sim_id"] for one in told["results"]] == list(known.iccids)

    @rule(days=st.sampled_from([0, 1, 7, 29, 30, 31, 90, 400]), seconds=st.integers(0, 3))
    def pass_time(self, days, seconds):
        self.sandbox.clock.advance(days=days, seconds=seconds)

    @rule()
    def save_and_load(self):
        """A sandbox that was saved and loaded goes on as the one before it."""
        state = json.loads(json.dumps(self.sandbox.export_state()))
        loaded = Sandbox.from_state(state, job_delay=2.0)
        loaded.clock.pause()
        again = json.loads(json.dumps(loaded.export_state()))
        assert {**again, "now": None} == {**state, "now": None}

    @invariant()
    def money_is_what_the_orders_say(self):
        world = self.sandbox.world
        for payment in world.payments:
            assert payment.amount == payment.order.amount
            assert (payment.transaction_id is not None) == (payment.state == "paid")
            assert payment.state != "paid" or payment.order.paid is not None
        paid_for = {id(one.order) for one in world.payments if one.state == "paid"}
        for order in world.orders:
            paid = id(order) in paid_for or order.order_no in self.elsewhere
            assert (order.paid is not None) == paid, order

    @invariant()
    def an_order_runs_as_long_as_was_paid(self):
        world = self.sandbox.world
        renewed = {id(order): 0 for order in world.orders}
        for subscription in world.subscriptions:
            good = sum(charge.state == "paid" for charge in subscription.charges)
            renewed[id(subscription.order)] += max(0, good - 1)
        for order in world.orders:
            if order.start is not None:
                periods = 1 + renewed[id(order)]
                assert order.end - order.start == timedelta(days=order.days * periods), order

    @invariant()
    def orders_of_a_card_run_one_after_another(self):
        world = self.sandbox.world
        for iccid in self.cards:
            runs = sorted((o.start, o.end) for o in world.orders.of_card(iccid) if o.start)
            for (_, end), (start, _) in pairwise(runs):
                assert end <= start

    @invariant()
    def a_plan_never_ends_sooner_than_it_did(self):
        for iccid in self.cards:
            ends = [o.end for o in self.sandbox.world.orders.of_card(iccid) if o.end]
            last = max(ends, default=None)
            before = self.ends.get(iccid)
            assert before is None or (last is not None and last >= before)
            self.ends[iccid] = last

    @invariant()
    def members_are_the_partners_valid_cards(self):
        world = self.sandbox.world
        for group in world.groups.values():
            for iccid in group.members:
                card = world.cards.find(iccid)
                assert card is not None
                assert card.partner_code == group.partner_code
                assert card.kind != "suspended"
        shown = self.send(ListGroupSims(group_id="G1003"))
        assert shown == {"sim_ids": list(world.groups["G1003"].members)}

    @invariant()
    def jobs_end_and_lose_no_card(self):
        world = self.sandbox.world
        for job in world.jobs.values():
            assert (job.outcomes is not None) == (job.due <= world.clock.now())
            if job.outcomes is not None:
                assert [one.iccid for one in job.outcomes] == list(job.iccids)


def test_the_world_keeps_its_books() -> None:
    run_state_machine_as_test(
        Purchases,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_there_are_cards_of_every_kind() -> None:
    machine = Purchases()
    world = machine.sandbox.world
    assert [world.is_valid(card) for card in machine.cards] == [True] * 3 + [False] * 3
    assert len(set(islice(machine.cards, 6))) == 6
