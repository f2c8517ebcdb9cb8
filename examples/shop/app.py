"""The shop as a FastAPI application: its routes, and what lives as long as it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.routing import APIRouter
from fastapi.staticfiles import StaticFiles
from starlette.routing import Route

from linksfield_async import Account, Client, Options
from linksfield_async.notifications import PostgresInbox, Receiver, RechargeNotice, SqliteInbox
from linksfield_async.notifications.asgi import NotificationApp

from . import api, stand_in
from .api import Shop
from .database import Database, Postgres, Sqlite
from .following import Follower
from .headers import Headers
from .orders import Orders
from .problems import add_problems
from .settings import PUSH_PATH, Settings
from .store import OrderStore
from .updates import Updates

_STATIC = Path(__file__).parent / "static"


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
            app.state.shop = Shop(orders, follower, updates)
            if settings.notification_keys:
                await stack.enter_async_context(_receiving(app, settings))
            async with asyncio.TaskGroup() as group:
                following = group.create_task(follower.run())
                yield
                following.cancel()

    app = FastAPI(title="SIM shop", lifespan=lifespan, openapi_url=None)
    app.state.updates = updates
    add_problems(app)
    app.include_router(_pages(settings))
    app.include_router(api.router)
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
