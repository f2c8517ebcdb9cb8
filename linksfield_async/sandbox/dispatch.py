"""From a request to its answer: finds the operation, has it checked and carried out. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..operation import Operation
from .answers import Answer, Data, Refusal, dump, success
from .checks import checked_call
from .groups import GroupDesk
from .payments import Cashier
from .reading import read_object, read_parameters
from .renewals import Renewals
from .routes import Routes
from .settings import Settings
from .shop import Shop
from .stripe import Stripe
from .stripe_http import STRIPE_PREFIX, StripeHttp
from .world import World

Handler = Callable[[Any, str], Data]


class Dispatcher:
    """Answers every request to the three services and to the stand-in for Stripe."""

    def __init__(self, world: World, stripe: Stripe, settings: Settings) -> None:
        self._world = world
        self._failure_status = settings.failure_status
        self._routes = Routes()
        self._stripe = StripeHttp(stripe)
        self._handlers: dict[type[Operation[Any]], Handler] = {
            **Shop(world, dedupe_orders=settings.dedupe_orders).handlers(),
            **Renewals(world).handlers(),
            **Cashier(world, stripe).handlers(),
            **GroupDesk(world, job_delay=settings.job_delay).handlers(),
        }

    def answer(self, method: str, raw_path: str, query: str, body: bytes) -> Answer:
        """Answer one request; every refusal comes in the documented failure shape."""
        self._world.clock.run_due_told()
        answer = Answer(200, b"")
        try:
            if raw_path.startswith(STRIPE_PREFIX):
                answer.body = dump(self._stripe.answer(method, raw_path, read_object(body)))
            else:
                self._carry_out(answer, method, raw_path, query, body)
        except Refusal as refusal:
            self._refuse(answer, refusal)
        return answer

    def operation_of(self, method: str, raw_path: str) -> str | None:
        """Name the operation that stands on a path, or None."""
        try:
            return self._routes.find(method, raw_path)[0].operation.__name__
        except Refusal:
            # Answered as usual: what is no operation gets no fault.
            return None

    def untouched(self, method: str, raw_path: str) -> Answer:
        """Give the answer of a request to an operation that is not carried out at all."""
        route, parameters = self._routes.find(method, raw_path)
        return Answer(
            0,
            b"",
            outcome="not carried out",
            operation=route.operation.__name__,
            path_parameters=parameters,
        )

    def refusal(self, refusal: Refusal) -> Answer:
        """Answer a request that could not even be read."""
        answer = Answer(400, b"")
        self._refuse(answer, refusal)
        return answer

    def _refuse(self, answer: Answer, refusal: Refusal) -> None:
        answer.status = refusal.status or self._failure_status
        answer.body = refusal.body
        answer.outcome = refusal.outcome
        answer.headers = refusal.headers

    def _carry_out(
        self, answer: Answer, method: str, raw_path: str, query: str, body: bytes
    ) -> None:
        route, answer.path_parameters = self._routes.find(method, raw_path)
        answer.operation = route.operation.__name__
        parameters = read_parameters(method, query, body, answer.path_parameters)
        call, partner = checked_call(route, parameters, self._world.partner_codes)
        answer.body = success(route.operation, self._handlers[route.operation](call, partner))
        answer.carried_out = True
