"""The documented flows from end to end, each answer checked: read them to learn the API.

They run against a sandbox: it plays Stripe and the payer, and its time can be moved on. Against
the service an app or a page drives Stripe between the steps.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

import attrs

from ..client import Client
from ..operations import CreatedOrder, ServicePlan
from ..sandbox import Clock, Stripe

T = TypeVar("T")

_DAYS_OF_A_MONTH = 30
_PAUSE = 0.05


class StepFailed(Exception):
    """A step whose answer is not the one expected."""

    def __init__(self, step: str, expected: str) -> None:
        super().__init__(f"{step}: expected that {expected}")
        self.step = step


class Walk:
    """Keeps the steps that were taken; ends at the first one that is not as expected."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def check(self, step: str, as_expected: bool, expected: str) -> None:
        """Note a step whose answer was checked."""
        if not as_expected:
            raise StepFailed(step, expected)
        self.steps.append(f"{step}: {expected}")

    def need(self, step: str, value: T | None, what: str) -> T:
        """Give a value that the next step needs; its name may be an assumed one."""
        if value is None:
            raise StepFailed(step, f"the answer holds {what}")
        return value


@attrs.frozen
class Offer:
    """A plan with everything that an order needs of it."""

    package_code: str
    code: str
    name: str
    amount: Decimal
    currency: str


def offer_of(walk: Walk, plan: ServicePlan) -> Offer:
    """Take from a plan what an order needs; all of its names are assumed."""
    step = "singleServicePlanPage"
    return Offer(
        walk.need(step, plan.package_code, "the package code"),
        walk.need(step, plan.service_plan_code, "the plan code"),
        walk.need(step, plan.service_plan_show_name, "the plan's name"),
        walk.need(step, plan.pay_amount, "the price"),
        walk.need(step, plan.pay_currency, "the currency"),
    )


def mint_order_no() -> str:
    """Make an order number in the form of the documented sample: the time and five digits.

    Mint it once and keep it before it is sent: a lost answer is looked for by it.
    """
    return f"{datetime.now().astimezone():%Y%m%d%H%M%S}{secrets.randbelow(100_000):05d}"


async def choose(client: Client, iccid: str, walk: Walk, *, renews: bool) -> Offer:
    """Verify the card, list its plans and take one."""
    card = await client.vshop.verify_card(iccid=iccid)
    walk.check("singleVerify", card.iccid == iccid, "the card is valid")

    plans = await client.vshop.list_plans(iccid=iccid)
    wanted = [plan for plan in plans if (plan.auto_renewal == "1") is renews and plan.time == "1"]
    kind = "that renews itself" if renews else "for one payment"
    walk.check("singleServicePlanPage", bool(wanted), f"a plan {kind} is on sale")
    return offer_of(walk, wanted[0])


async def place_order(
    client: Client, iccid: str, offer: Offer, walk: Walk, *, renews: bool
) -> CreatedOrder:
    """Create the order that is then paid, under ids of our own."""
    order_no = mint_order_no()
    created = await client.vshop.create_order(
        iccid=iccid,
        package_code=offer.package_code,
        service_plan_code=offer.code,
        service_plan_show_name=offer.name,
        order_period="1",
        pay_amount=offer.amount,
        pay_currency=offer.currency,
        auto_renewal="1" if renews else "0",
        order_no=order_no,
        pay_id=client.account.partner_code + order_no,
        request_order_id=f"shop-{order_no}",
    )
    walk.check("singleOrder", created.order_no == order_no, "the order has our number")
    return created


async def confirm_paid(client: Client, order: CreatedOrder, offer: Offer, walk: Walk) -> None:
    """Ask whether it is paid, confirm that, and find the order in use."""
    result = await client.payment.query_result(pay_id=order.pay_id)
    paid = result.state == "paid" and result.pay_amount == offer.amount
    walk.check("resultQuery", paid, "the full amount is paid")

    confirmed = await client.payment.confirm_result(pay_id=order.pay_id)
    walk.check("resultConfirm", confirmed.state == "paid", "the payment is confirmed")

    orders = (await client.vshop.list_orders(iccid=order.iccid)).orders
    names = [one.service_plan_show_name for one in orders if one.order_status == "2"]
    walk.check("singleQueryOrder", names == [offer.name], "the plan is in use")


async def buy_once(client: Client, stripe: Stripe, iccid: str, walk: Walk) -> None:
    """Sell a card a plan for one payment."""
    offer = await choose(client, iccid, walk, renews=False)
    order = await place_order(client, iccid, offer, walk, renews=False)

    authorization = await client.payment.authorize(
        pay_id=order.pay_id, pay_amount=offer.amount, pay_currency=offer.currency.lower()
    )
    secret = walk.need("stripePay", authorization.client_secret, "a client secret")
    walk.check("stripePay", secret.startswith("pi_"), "Stripe has a payment to take")
    before = await client.payment.query_result(pay_id=order.pay_id)
    walk.check("resultQuery", before.state == "pending", "nothing is paid yet")

    # The payer's part, in an app or a page: Stripe takes the money.
    payment = stripe.complete(secret)
    walk.check("Stripe", payment.state == "paid", "the payer has paid")

    await confirm_paid(client, order, offer, walk)
    kept = await client.orders.get(order_id=order.order_no)
    found = kept is not None and kept.iccid == iccid and kept.pay_amount == offer.amount
    walk.check("mall/order", found, "the order is found by its number")


async def subscribe(client: Client, stripe: Stripe, clock: Clock, iccid: str, walk: Walk) -> None:
    """Sell a card a plan that renews itself, let it renew, and cancel it."""
    order = await start_subscription(client, stripe, iccid, walk)
    await renew_and_cancel(client, clock, order, walk)


async def start_subscription(
    client: Client, stripe: Stripe, iccid: str, walk: Walk
) -> CreatedOrder:
    """Sell a card a plan that renews itself; the first period is paid at once."""
    offer = await choose(client, iccid, walk, renews=True)
    order = await place_order(client, iccid, offer, walk, renews=True)
    amount, currency = offer.amount, offer.currency.lower()

    authorization = await client.payment.authorize_subscription(
        pay_id=order.pay_id, pay_amount=amount, pay_currency=currency
    )
    plan_id = walk.need("stripeAutoPay", authorization.plan_id, "a plan id")
    secret = walk.need("stripeAutoPay", authorization.client_secret, "a client secret")
    walk.check("stripeAutoPay", secret.startswith("seti_"), "Stripe has a card to set up")

    # The payer's part: confirmSetupIntent gives the payment method.
    pm_id = stripe.confirm_setup(secret)
    walk.check("Stripe", pm_id.startswith("pm_"), "the payer has set a payment method up")

    subscription = await client.payment.create_subscription(
        email="payer@example.com",
        pay_amount=amount,
        pay_currency=currency,
        pay_id=order.pay_id,
        plan_id=plan_id,
        pm_id=pm_id,
    )
    walk.check("stripeSubDirectly", subscription.status == "active", "the subscription is active")
    await confirm_paid(client, order, offer, walk)
    return order


async def renew_and_cancel(client: Client, clock: Clock, order: CreatedOrder, walk: Walk) -> None:
    """Find the renewal, wait until it renews, and cancel it."""
    iccid = order.iccid
    renewal = await client.vshop.get_auto_renewal(iccid=iccid)
    renewal = walk.need("queryAutoRenewalRecord", renewal, "the renewal")
    same = (renewal.order_no, renewal.pay_id) == (order.order_no, order.pay_id)
    walk.check("queryAutoRenewalRecord", same, "the renewal is that of our order")

    first = (await client.vshop.list_orders(iccid=iccid)).orders[0].expire_date
    clock.advance(days=_DAYS_OF_A_MONTH)
    orders = (await client.vshop.list_orders(iccid=iccid)).orders
    then = orders[0].expire_date if orders else None
    renewed = first is not None and then is not None and (then - first).days == _DAYS_OF_A_MONTH
    walk.check("singleQueryOrder", renewed, "a month later it has renewed itself")

    await client.vshop.cancel_auto_renewal(
        iccid=iccid, order_no=renewal.order_no, pay_id=renewal.pay_id
    )
    walk.steps.append("cancelAutoRenewalRecord: the renewal is canceled")
    gone = await client.vshop.get_auto_renewal(iccid=iccid)
    walk.check("queryAutoRenewalRecord", gone is None, "no renewal is left")


async def change_group(client: Client, good: Sequence[str], bad: str, walk: Walk) -> None:
    """Add cards to a group, one of them not ours, and take them out again."""
    groups = await client.groups.list()
    walk.check("bundle-groups/bundles", bool(groups), "there are groups")
    group_id = groups[-1].group_id
    before = set(await client.groups.list_sims(group_id=group_id))
    walk.check("bundle-groups/sims", not before & set(good), "none of our cards is in the group")

    job = await client.groups.add_sims(group_id=group_id, iccids=[*good, bad], first_poll=_PAUSE)
    report = await job
    walk.check("async-result", report.failed == (bad,), "all were added but the card not ours")
    members = set(await client.groups.list_sims(group_id=group_id))
    walk.check("bundle-groups/sims", members == before | set(good), "the group has the new cards")

    job = await client.groups.remove_sims(group_id=group_id, iccids=good, first_poll=_PAUSE)
    # Another process may go on from here: the token is a small text.
    report = await (await client.groups.resume(job.token, iccids=good, first_poll=_PAUSE))
    walk.check("async-result", report.is_done, "all were removed")
    members = set(await client.groups.list_sims(group_id=group_id))
    walk.check("bundle-groups/sims", members == before, "the group is as it was before")
    await sync_group(client, group_id, good, walk)


async def sync_group(client: Client, group_id: str, good: Sequence[str], walk: Walk) -> None:
    """Bring a group to a wanted set of cards, twice, and back."""
    before = await client.groups.list_sims(group_id=group_id)
    plan = await client.groups.sync(group_id=group_id, iccids=good, dry_run=True)
    told = (len(plan.to_add), len(plan.to_remove)) == (len(good), len(before))
    walk.check("groups.sync", told, "a dry run tells what differs")
    done = await client.groups.sync(group_id=group_id, iccids=good, first_poll=_PAUSE)
    walk.check("groups.sync", done.is_done, "the group has the wanted cards and no others")
    again = await client.groups.sync(group_id=group_id, iccids=good, first_poll=_PAUSE)
    walk.check("groups.sync", not again.changes, "a second time there is nothing to do")
    back = await client.groups.sync(
        group_id=group_id, iccids=before, first_poll=_PAUSE, allow_empty=True
    )
    walk.check("groups.sync", back.is_done, "the group is as it was before")


async def report_paid(client: Client, iccid: str, walk: Walk) -> None:
    """Report an order that was paid at a provider of our own."""
    offer = offer_of(walk, (await client.vshop.list_plans(iccid=iccid))[0])
    order_no = mint_order_no()
    await client.vshop.create_paid_order(
        iccid=iccid,
        package_code=offer.package_code,
        service_plan_code=offer.code,
        service_plan_show_name=offer.name,
        order_period="1",
        order_no=order_no,
        pay_id=client.account.partner_code + order_no,
        pay_amount=offer.amount,
        pay_currency=offer.currency,
        pay_unit=offer.amount,
        settle_price=offer.amount,
        pay_account="1",
        pay_type="3",
        pay_status="1",
        pay_rst="SUCCESS",
        pay_result_date=f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S}",
        transaction_id=f"own-{order_no}",
        request_order_id=f"shop-{order_no}",
    )
    walk.steps.append("SynOrderInfo: the order paid elsewhere is taken")
    kept = await client.orders.get(purchase_order_id=f"shop-{order_no}")
    found = kept is not None and kept.order_id == order_no and kept.iccid == iccid
    walk.check("mall/order", found, "the order is found by our own number")
