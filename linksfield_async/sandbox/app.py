"""Sandbox: a server on this machine that plays the whole service, with state."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from ..account import Account, Endpoints
from .clock import Clock
from .dispatch import Dispatcher
from .log import RequestLog
from .push import Notifications, Scheme
from .server import Server
from .settings import Settings
from .stripe import Stripe
from .world import World


class Sandbox:
    """A stateful stand-in for the service: `async with Sandbox(cards=10_000) as sandbox: …`.

    The same seed and the same calls give the same ids, secrets and answers.

    `cards`           how many ICCIDs there are, of all kinds
    `partner_code`    the partner who may call; a second one owns the foreign cards
    `port`            0 takes a free one
    `job_delay`       seconds on the sandbox's clock until a group job is done
    `failure_status`  HTTP status of refusals: 400 on the pages, 200 is not ruled out
    `latency`         seconds between carrying out a request and answering it
    `keep_requests`   how many requests the log holds
    `dedupe_orders`   refuse an orderNo or payId that was used before (invented)
    `allow_any_host`  permit a host that other machines can reach
    `notify_url`      where recharge messages go, on this machine; see `sandbox.notifications`
    `notification_key`, `notification_key_id`, `notification_scheme`  how they are signed
    """

    def __init__(
        self,
        cards: int = 1_000,
        *,
        seed: int = 1,
        partner_code: str = "P000270",
        host: str = "127.0.0.1",
        port: int = 0,
        job_delay: float = 0.3,
        failure_status: int = 400,
        latency: float = 0.0,
        keep_requests: int = 100_000,
        dedupe_orders: bool = False,
        allow_any_host: bool = False,
        notify_url: str | None = None,
        notification_key: str = "sandbox notification key",
        notification_key_id: str = "sandbox",
        notification_scheme: Scheme | None = None,
    ) -> None:
        self._settings = Settings(
            cards=cards,
            seed=seed,
            partner_code=partner_code,
            host=host,
            port=port,
            job_delay=job_delay,
            failure_status=failure_status,
            latency=latency,
            keep_requests=keep_requests,
            dedupe_orders=dedupe_orders,
            allow_any_host=allow_any_host,
        )
        self.clock = Clock()
        self.requests = RequestLog(keep_requests)
        self._world = World(cards=cards, seed=seed, partner_code=partner_code, clock=self.clock)
        self.stripe = Stripe(self._world)
        self.notifications = Notifications(
            self._world,
            url=notify_url,
            key=notification_key,
            key_id=notification_key_id,
            scheme=notification_scheme,
        )
        dispatcher = Dispatcher(self._world, self.stripe, self._settings)
        self._server = Server(dispatcher, self.requests, self.clock, self._settings)

    @property
    def world(self) -> World:
        """The state, with everything done that has fallen due by now."""
        self.clock.run_due()
        return self._world

    @property
    def url(self) -> str:
        """The address without a service, e.g. `http://127.0.0.1:8080`."""
        return self._server.url

    @property
    def endpoints(self) -> Endpoints:
        """The addresses of the three services."""
        return Endpoints.at(self.url)

    @property
    def account(self) -> Account:
        """The account of the sandbox's partner, ready for a client."""
        return Account(self._settings.partner_code, endpoints=self.endpoints)

    async def start(self) -> None:
        """Listen; `async with` does this."""
        await self._server.start()
        self.notifications.start()

    async def close(self) -> None:
        """Stop listening and end what is under way; the state stays readable."""
        await self.notifications.close()
        await self._server.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<Sandbox for {self._settings.partner_code}, {self.requests.total} requests>"
