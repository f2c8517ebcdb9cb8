"""What the page asks of the shop: plans, orders, and an order's changes as they happen."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Annotated, Any

import attrs
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, StringConstraints

from .database import DatabaseDown
from .following import Follower
from .orders import Choice, Kind, Orders
from .showing import shown
from .updates import Updates

_log = logging.getLogger("shop")

router = APIRouter(prefix="/api")

Iccid = Annotated[str, StringConstraints(pattern=r"^89[0-9]{16,18}F?$")]
Code = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Key = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=200)]


class Card(BaseModel):
    """A card whose plans are asked for; in a body, since addresses stand in logs."""

    iccid: Iccid


class Cart(BaseModel):
    """What is to be ordered, at the price that was shown, under a key that the page has minted."""

    key: Key
    iccid: Iccid
    plan: Code
    kind: Kind
    amount: Decimal
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{3}$")]


class Method(BaseModel):
    """A payment method that Stripe has given to the page."""

    pm_id: Code
    email: Email


class Look(BaseModel):
    """Why the page asks: on its way, or since the payment was seen through in the browser."""

    paid: bool = False


@attrs.frozen
class Shop:
    """What lives as long as the application."""

    orders: Orders
    follower: Follower
    updates: Updates


def _shop(request: Request) -> Shop:
    shop: Shop = request.app.state.shop
    return shop


@router.post("/plans")
async def plans(request: Request, card: Card) -> list[dict[str, Any]]:
    """Verify a card, and list what it may buy."""
    found = await _shop(request).orders.plans(card.iccid)
    return [
        {
            "code": plan.service_plan_code,
            "name": plan.service_plan_show_name,
            "amount": format(plan.pay_amount, "f"),
            "currency": plan.pay_currency,
            "renews": plan.auto_renewal == "1",
        }
        for plan in found
        if plan.service_plan_code and plan.pay_amount is not None and plan.pay_currency
    ]


@router.post("/orders")
async def begin(request: Request, cart: Cart) -> dict[str, Any]:
    """Begin the order of a cart; called again with the same key, give the one that was begun."""
    choice = Choice(
        iccid=cart.iccid,
        plan=cart.plan,
        kind=cart.kind,
        amount=cart.amount,
        currency=cart.currency,
    )
    return shown(await _shop(request).orders.begin(cart.key, choice))


@router.get("/orders/{key}")
async def read(request: Request, key: Key) -> dict[str, Any]:
    """Give an order as it is known, without asking anybody."""
    return shown(await _shop(request).orders.read(key))


@router.post("/orders/{key}/look")
async def look(request: Request, key: Key, why: Look) -> dict[str, Any]:
    """Ask about an order, and go on with it."""
    orders = _shop(request).orders
    if why.paid:
        await orders.hand_in(key)
    return shown(await orders.look(key, with_buyer=True))


@router.post("/orders/{key}/subscription")
async def subscribe(request: Request, key: Key, method: Method) -> dict[str, Any]:
    """Make the subscription with what Stripe has given to the page."""
    orders = _shop(request).orders
    return shown(await orders.subscribe(key, pm_id=method.pm_id, email=method.email))


@router.get("/orders/{key}/events")
async def events(request: Request, key: Key) -> StreamingResponse:
    """Send an order now and whenever it changes, as server-sent events."""
    shop = _shop(request)
    await shop.orders.read(key)  # an unknown one is a plain 404

    async def read_it() -> dict[str, Any]:
        return shown(await shop.orders.read(key))

    async def lines() -> AsyncIterator[str]:
        with shop.follower.watching(key):
            try:
                async for line in shop.updates.stream(key, read_it):
                    yield line
            except DatabaseDown as error:
                _log.error("a stream ends: %s", error)  # the page opens another one

    return StreamingResponse(lines(), media_type="text/event-stream")
