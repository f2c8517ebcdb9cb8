"""Before anything is ordered: the card is verified, the plan and its price are fixed."""

from __future__ import annotations

from decimal import Decimal
from typing import TypeVar

from ..errors import CheckoutRefused, ConfigurationError
from ..masking import one_line
from ..operations import ServicePlan, SingleQueryOrder, SingleServicePlanPage, SingleVerify
from .ids import OwnIds
from .money import currency_code, price_of
from .record import Kind, Record, fact
from .room import Room
from .saving import endpoints_of
from .state import State

T = TypeVar("T")


async def planned(
    room: Room, kind: Kind, *, iccid: str, plan: ServicePlan | str, periods: int, area: str | None
) -> Record:
    """Ask the three questions that come first, and mint the ids; nothing is changed by it."""
    sender = room.sender
    code = plan.service_plan_code if isinstance(plan, ServicePlan) else plan
    if not isinstance(code, str) or not code:
        raise CheckoutRefused("plan must be a ServicePlan with a service_plan_code, or that code")
    await sender.send(SingleVerify(iccid=iccid))
    offers = await sender.send(SingleServicePlanPage(iccid=iccid, area=area))
    offer = _offered(plan, [one for one in offers if one.service_plan_code == code], code)
    if kind == "subscription" and offer.auto_renewal == "0":
        raise CheckoutRefused(one_line(f"the plan {code!r} does not renew itself"))
    package, name = _told(offer.package_code, "package code"), _name(offer)
    price = _told(offer.pay_amount, "price")
    currency = currency_code(_told(offer.pay_currency, "currency"))
    amount = price_of(price, periods)
    ids: object = room.mint_ids(room.account.partner_code)
    if not isinstance(ids, OwnIds):
        kind_given = type(ids).__name__
        raise ConfigurationError(f"mint_ids must give OwnIds at once, not a {kind_given}")
    orders = (await sender.send(SingleQueryOrder(iccid=iccid))).orders
    record = Record(
        kind=kind,
        partner=room.account.partner_code,
        endpoints=endpoints_of(room.account),
        iccid=iccid,
        package_code=package,
        plan_code=code,
        plan_name=name,
        periods=periods,
        amount=amount,
        currency=currency,
        ids=ids,
        before=sum(one.service_plan_show_name == name for one in orders),
        facts=(fact("SingleVerify: the card is valid"),),
    )
    return record.moving(State.PLANNED, f"SingleServicePlanPage: {code} for {amount} {currency}")


def _told(value: T | None, what: str) -> T:
    if value is None:
        raise CheckoutRefused(
            f"the plan has no {what}: that name is assumed, see Account(wire_names=…)"
        )
    return value


def _name(offer: ServicePlan) -> str:
    return _told(offer.service_plan_show_name, "name")


def _offered(given: ServicePlan | str, offers: list[ServicePlan], code: str) -> ServicePlan:
    """Choose the offer; refuse one whose price is not what the caller has shown to the buyer."""
    if not offers:
        raise CheckoutRefused(one_line(f"the card may not buy the plan {code!r}"))
    if isinstance(given, str):
        if len({_terms(one) for one in offers}) > 1:
            told = (
                f"the plan {code!r} is offered on several terms: give the ServicePlan, not its code"
            )
            raise CheckoutRefused(one_line(told))
        return offers[0]
    same = next((one for one in offers if _terms(one) == _terms(given)), None)
    if same is None:
        told = f"{offers[0].pay_amount} {offers[0].pay_currency}, no longer {given.pay_amount}"
        raise CheckoutRefused(one_line(f"the plan now costs {told} {given.pay_currency}"))
    return same


def _terms(plan: ServicePlan) -> tuple[Decimal | None, str | None, str | None]:
    return plan.pay_amount, plan.pay_currency, plan.package_code
