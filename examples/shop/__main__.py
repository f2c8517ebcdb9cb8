"""`python -m examples.shop`: runs the shop, and without LINKSFIELD_… a sandbox for it to sell from."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from itertools import islice

import attrs
import uvicorn

from linksfield_async import Account, ConfigurationError, Sandbox

from .app import make_app
from .database import DatabaseDown
from .settings import PUSH_PATH, Settings
from .updates import Updates

_KEY_ID, _KEY = "sandbox", "sandbox notification key"
_SECONDS_TO_STOP = 3
_CARDS = 5
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Server(uvicorn.Server):
    """Stops in the right order: open streams first, what the shop stands on last."""

    def __init__(self, config: uvicorn.Config, settings: Settings, updates: Updates) -> None:
        super().__init__(config)
        self._settings = settings
        self._updates = updates

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See `uvicorn.Server`."""
        await super().startup(sockets)
        if self.started:
            _say(f"The shop is open at {self._settings.url} until Ctrl-C.")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See `uvicorn.Server`; it would wait for every page to be closed."""
        self._updates.close()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Not raised again afterwards: the sandbox has yet to write its state."""
        before = {one: signal.signal(one, self.handle_exit) for one in _SIGNALS}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)


async def main() -> None:
    """Run until Ctrl-C."""
    settings = Settings.from_env()
    async with AsyncExitStack() as stack:
        account = settings.account
        if account is None:
            sandbox = await stack.enter_async_context(_sandbox(settings))
            account = sandbox.account
            keys = {_KEY_ID: _KEY}
            settings = attrs.evolve(settings, stand_in=sandbox.url, notification_keys=keys)
            _say("A sandbox stands in for Linksfield and for Stripe: no money moves. Cards to try:")
            for iccid in islice(sandbox.world.iccids("valid"), _CARDS):
                _say(f"  {iccid}")
        elif settings.stand_in is None:
            _say("Stripe's part in the browser is yours to plug in: see examples/shop/README.md.")
        if not settings.notification_keys:
            _say("SHOP_NOTIFICATION_KEYS is not set: pushed messages are not taken.")
        await _serve(settings, account)


def _sandbox(settings: Settings) -> Sandbox:
    """Make a sandbox that pushes to the shop, and keeps its state beside the shop's database."""
    directory = settings.directory
    if settings.is_postgres:
        directory = Settings().directory
    directory.mkdir(parents=True, exist_ok=True)
    return Sandbox(
        port=settings.sandbox_port,
        state=directory / "sandbox.json",
        notify_url=settings.url + PUSH_PATH,
        notification_key_id=_KEY_ID,
        notification_key=_KEY,
    )


async def _serve(settings: Settings, account: Account) -> None:
    app = make_app(settings, account)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        access_log=False,  # the address of an order opens it
        log_level="warning",
        timeout_graceful_shutdown=_SECONDS_TO_STOP,
    )
    await Server(config, settings, app.state.updates).serve()


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the program's answer


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("linksfield_async").setLevel(logging.WARNING)
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(0)
    except (ConfigurationError, DatabaseDown) as error:
        sys.exit(f"error: {error}")
