"""A desk that verifies SIM cards and orders plans for them: `uvicorn card_desk:app`.

It calls whatever LINKSFIELD_PARTNER_CODE and LINKSFIELD_ENDPOINTS name. That an order is never
placed twice is the point of it, and what its tests are about.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, TypeAlias

from fastapi import FastAPI, HTTPException, Request, Response
from pydantic import BaseModel

from linksfield_async import Account, Client, LinksfieldError, Refused

State: TypeAlias = Literal["ordered", "unknown"]


class Wish(BaseModel):
    """What a customer wants: which card, and the code of a plan for it."""

    iccid: str
    plan: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Have one client as long as the app runs."""
    async with Client(Account.from_env()) as client:
        app.state.client = client
        app.state.orders = {}  # in real life a table: it must outlive the process
        yield


app = FastAPI(lifespan=lifespan)


@app.exception_handler(LinksfieldError)
async def failed(request: Request, error: LinksfieldError) -> Response:
    """Tell a refusal from a service that cannot be reached; neither has changed anything."""
    status = 404 if isinstance(error, Refused) else 503
    return Response(str(error), status, media_type="text/plain")


@app.get("/cards/{iccid}")
async def card(iccid: str) -> dict[str, object]:
    """Verify a card, and list the plans that it has."""
    client: Client = app.state.client
    await client.vshop.verify_card(iccid=iccid)
    held = await client.vshop.list_orders(iccid=iccid)
    return {"plans": [order.service_plan_show_name for order in held.orders]}


@app.put("/orders/{number}")
async def order(number: str, wish: Wish, response: Response) -> dict[str, State]:
    """Order a plan under a number of the caller's; the same number never orders twice."""
    orders: dict[str, State] = app.state.orders
    if number not in orders:
        await place(number, wish)
    elif orders[number] == "unknown":
        await look_for(number)
    response.status_code = 201 if orders[number] == "ordered" else 202
    return {"state": orders[number]}


async def place(number: str, wish: Wish) -> None:
    """Place an order; what may have been carried out is remembered as unknown."""
    client: Client = app.state.client
    orders: dict[str, State] = app.state.orders
    orders[number] = "unknown"  # before it is sent: whoever comes meanwhile must not send it again
    try:
        plan = next(
            (
                plan
                for plan in await client.vshop.list_plans(iccid=wish.iccid)
                if plan.service_plan_code == wish.plan
            ),
            None,
        )
    except BaseException:
        del orders[number]  # only asked so far
        raise
    if plan is None:
        del orders[number]
        raise HTTPException(404, "the card cannot have this plan")
    package, code, name = plan.package_code, plan.service_plan_code, plan.service_plan_show_name
    amount, currency = plan.pay_amount, plan.pay_currency
    if not (package and code and name and amount and currency):
        del orders[number]
        raise HTTPException(502, "the service does not tell enough of this plan to order it")
    try:
        await client.vshop.create_order(
            iccid=wish.iccid,
            package_code=package,
            service_plan_code=code,
            service_plan_show_name=name,
            order_period="1",
            pay_amount=amount,
            pay_currency=currency,
            order_no=number,
            pay_id=f"{client.account.partner_code}{number}",
            request_order_id=number,
        )
    except LinksfieldError as error:
        if error.carried_out is not None:
            del orders[number]  # certainly not placed: the number is free again
            raise
    else:
        orders[number] = "ordered"


async def look_for(number: str) -> None:
    """Ask whether an order was placed; that none is found proves nothing, so it stays unknown."""
    client: Client = app.state.client
    if await client.orders.get(purchase_order_id=number) is not None:
        app.state.orders[number] = "ordered"
