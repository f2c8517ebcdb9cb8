"""The shop as a FastAPI application: its routes, and what lives as long as it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import attrs
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, StreamingResponse
from fastapi.routing import APIRouter
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, StringConstraints
from starlette.routing import Route

from linksfield_async import Account, Client, Options
from linksfield_async.notifications import PostgresInbox, Receiver, RechargeNotice, SqliteInbox
from linksfield_async.notifications.asgi import NotificationApp

from . import stand_in
from .database import Database, Postgres, Sqlite
from .following import Follower
from .headers import Headers
from .orders import Choice, Kind, Orders
from .problems import add_problems
from .settings import PUSH_PATH, Settings
from .showing import shown
from .store import OrderStore
from .updates import Updates

_STATIC = Path(__file__).parent / "static"

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


@attrs.frozen
class Shop:
    """What lives as long as the application."""

    orders: Orders
    store: OrderStore
    follower: Follower


def make_app(settings: Settings, account: Account) -> FastAPI:
    """Make the application; nothing is opened before its lifespan begins."""
    updates = Updates()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            database: Database = (
                Postgres(settings.database_url)
                if settings.is_postgres
                else Sqlite(settings.database_url)
            )
            stack.push_async_callback(database.close)
            store = OrderStore(database)
            await store.prepare()
            options = Options(deadline=settings.deadline)
            client = await stack.enter_async_context(Client(account, options=options))
            orders = Orders(client, store, quarantine=settings.quarantine, changed=updates.changed)
            follower = Follower(orders, store, every=settings.ask_every)
            app.state.shop = Shop(orders, store, follower)
            if settings.notification_keys:
                await stack.enter_async_context(_receiving(app, settings))
            async with asyncio.TaskGroup() as group:
                following = group.create_task(follower.run())
                yield
                following.cancel()

    app = FastAPI(title="SIM shop", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.updates = updates
    add_problems(app)
    app.include_router(_pages(settings))
    app.include_router(_api())
    if settings.stand_in is not None:
        app.include_router(stand_in.routes(settings.stand_in))
    app.mount("/static", StaticFiles(directory=_STATIC))

    app.add_middleware(Headers)
    return app


@asynccontextmanager
async def _receiving(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    """Take pushed messages: each once, over restarts, and none is believed before it is confirmed."""
    shop: Shop = app.state.shop
    inbox: PostgresInbox | SqliteInbox
    if settings.is_postgres:
        inbox = PostgresInbox(settings.database_url)
        await inbox.create_table()
    else:
        inbox = SqliteInbox(settings.directory / "notifications.sqlite3")

    async def grant(notice: RechargeNotice) -> None:
        await shop.orders.notified(notice)

    receiver = Receiver(keys=settings.notification_keys, inbox=inbox)
    app.router.routes.insert(0, Route(PUSH_PATH, NotificationApp(receiver, grant)))
    try:
        yield
    finally:
        await inbox.aclose()


def _pages(settings: Settings) -> APIRouter:
    router = APIRouter()

    @router.get("/")
    @router.get("/orders/{key}")
    async def page() -> FileResponse:
        return FileResponse(_STATIC / "index.html")

    @router.get("/api/config")
    async def config() -> dict[str, bool]:
        return {"stand_in": settings.stand_in is not None}

    return router


def _api() -> APIRouter:
    router = APIRouter(prefix="/api")

    @router.post("/plans")
    async def plans(request: Request, card: Card) -> list[dict[str, Any]]:
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
        return shown(await _shop(request).orders.read(key))

    @router.post("/orders/{key}/look")
    async def look(request: Request, key: Key) -> dict[str, Any]:
        return shown(await _shop(request).orders.look(key, with_buyer=True))

    @router.post("/orders/{key}/subscription")
    async def subscribe(request: Request, key: Key, method: Method) -> dict[str, Any]:
        orders = _shop(request).orders
        return shown(await orders.subscribe(key, pm_id=method.pm_id, email=method.email))

    @router.get("/orders/{key}/events")
    async def events(request: Request, key: Key) -> StreamingResponse:
        shop = _shop(request)
        await shop.orders.read(key)  # an unknown one is a plain 404

        async def read_it() -> dict[str, Any]:
            return shown(await shop.orders.read(key))

        async def lines() -> AsyncIterator[str]:
            with shop.follower.watching(key):
                async for line in request.app.state.updates.stream(key, read_it):
                    yield line

        return StreamingResponse(lines(), media_type="text/event-stream")

    return router


def _shop(request: Request) -> Shop:
    shop: Shop = request.app.state.shop
    return shop
