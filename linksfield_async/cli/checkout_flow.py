"""`demo`: a purchase whose answer is lost, put down and taken up again, as a web shop would."""

from __future__ import annotations

from typing import TypeVar

from ..client import Client
from ..errors import OutcomeUnknown
from ..operation import Operation
from ..operations import SingleOrder
from ..pipeline import Exchange
from ..sandbox import RequestLog, Stripe
from .flows import Walk

T = TypeVar("T")


class _Losing:
    """Sends everything, and loses the answer to the first order."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lost = False

    async def send(self, operation: Operation[T], /) -> T:
        return (await self.exchange(operation)).result

    async def exchange(self, operation: Operation[T], /) -> Exchange[T]:
        exchange = await self._client.exchange(operation)
        if isinstance(operation, SingleOrder) and not self._lost:
            self._lost = True
            raise OutcomeUnknown("the answer was lost, for the demo")
        return exchange


async def take_up_again(
    client: Client, stripe: Stripe, requests: RequestLog, iccid: str, walk: Walk
) -> None:
    """Begin a purchase, lose an answer, and go on from the saved text alone."""
    from ..checkout import AsyncCheckout  # noqa: PLC0415 - only this stage needs it

    texts: list[str] = []
    plan = next(one for one in await client.vshop.list_plans(iccid=iccid) if one.time == "1")
    flaky = AsyncCheckout(_Losing(client), client.account, client.options.deadline)
    begun = await flaky.purchase(iccid=iccid, plan=plan, save=texts.append)
    walk.check("checkout", begun.state == "unknown", "an order whose answer was lost is unknown")

    checkout = client.checkout.load(texts[-1], save=texts.append)
    state = await checkout.proceed()
    orders = [one for one in requests.of(SingleOrder) if one.params["deviceCode"] == iccid]
    found = state == "authorized" and len(orders) == 1
    walk.check("checkout", found, "taken up, it is found by asking and not ordered again")

    secret = walk.need("checkout", checkout.client_secret, "a client secret for the page")
    stripe.complete(secret)
    checkout = client.checkout.load(texts[-1], save=texts.append)
    walk.check("checkout", await checkout.refresh() == "paid", "the payer has paid")
    walk.check("checkout", await checkout.confirm() == "confirmed", "the card has its order")
    conclusion = await client.checkout.reconcile(checkout)
    agree = conclusion.carried_out is True and not conclusion.doubled
    walk.check("checkout", agree, "every question shows one order and no more")
