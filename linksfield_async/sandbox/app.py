"""Sandbox: a server on this machine that plays the whole service, with state."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs

from ..account import Account, Endpoints
from ..errors import ConfigurationError
from ..masking import one_line
from .clock import Clock
from .dispatch import Dispatcher
from .fault_file import read_fault_file
from .fault_plan import Faults
from .jobs import carry_out
from .keeper import Keeper
from .log import RequestLog
from .pages import Pages
from .push import Notifications, Scheme
from .scenarios import Scenarios
from .server import Server
from .settings import Settings
from .state import export_state, import_state, made_with
from .state_file import StateFile
from .stripe import Stripe
from .world import World


class Sandbox:
    """A stateful stand-in for the service: `async with Sandbox(cards=10_000) as sandbox: …`.

    The same seed and the same calls, one after another, give the same ids, secrets and answers.

    `cards`           how many ICCIDs there are, of all kinds
    `partner_code`    the partner who may call; a second one owns the foreign cards
    `port`            0 takes a free one
    `job_delay`       seconds on the sandbox's clock until a group job is done
    `failure_status`  HTTP status of refusals: 400 on the pages, 200 is not ruled out
    `latency`         seconds between carrying out a request and answering it
    `keep_requests`   how many requests the log holds
    `dedupe_orders`   refuse an orderNo or payId that was used before (invented)
    `allow_any_host`  permit a host that other machines can reach
    `faults`          TOML file of faults that hold from the start, see `fault_file`
    `state`           file that keeps the world over restarts; written while it runs and at close
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
        faults: str | Path | None = None,
        state: str | Path | None = None,
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
        self.faults = Faults(seed)
        """What goes wrong with requests; nothing, until something is set."""
        self.scenarios = Scenarios(self._world, self.stripe)
        self._keeper = None if state is None else Keeper(StateFile(state), self._world)
        if faults is not None:
            read_fault_file(faults, self.faults, self._world.group_behaviour)
        pages = Pages(self, allow_any_host=allow_any_host)
        self._server = Server(
            dispatcher, self.requests, self.clock, self._settings, faults=self.faults, pages=pages
        )

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

    def finish_job(self, request_id: str) -> None:
        """Carry a group job out at once, whatever its behaviour; one that is done stays so."""
        job = self.world.jobs.get(request_id)
        if job is None:
            raise ConfigurationError(f"no group job has the request id {one_line(request_id)}")
        job.behaviour = attrs.evolve(job.behaviour, never_ends=False, never_tells=False)
        carry_out(self._world, job)

    def export_state(self) -> dict[str, Any]:
        """Give all that the world holds, ready for JSON; see `state` for what is left out."""
        self.clock.run_due()
        return export_state(self._world)

    def import_state(self, state: Mapping[str, Any]) -> None:
        """Put a saved state in place of the world's; it must be of the same cards and seed."""
        import_state(self._world, state)

    @classmethod
    def from_state(cls, state: Mapping[str, Any], **settings: Any) -> Self:
        """Make a sandbox from a saved state; cards, seed and partner code come with it."""
        made = made_with(state)
        for name in made:
            if name in settings:
                raise ConfigurationError(f"{name} comes with the state and cannot be set")
        sandbox = cls(**made, **settings)
        sandbox.import_state(state)
        return sandbox

    async def start(self) -> None:
        """Listen; `async with` does this."""
        await self._server.start()
        if self._keeper is not None:
            try:
                self._keeper.start()
            except BaseException:
                await self._server.close()
                raise
        self.notifications.start()

    async def close(self) -> None:
        """Stop listening and end what is under way; the state stays readable."""
        try:
            await self.notifications.close()
            await self._server.close()
        finally:
            if self._keeper is not None:
                await self._keeper.close()

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
