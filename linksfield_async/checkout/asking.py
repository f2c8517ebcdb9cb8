"""Questions to the service about one order, and a note of every answer; nothing is changed by them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from ..bulk.settling import judged
from ..errors import LinksfieldError, Refused, Throttled
from ..operation import Operation
from ..operations import (
    AutoRenewal,
    CardOrder,
    GetOrder,
    Order,
    PaymentResult,
    QueryAutoRenewalRecord,
    ResultQuery,
    SingleOrder,
    SingleQueryOrder,
    SynOrderInfo,
)
from ..pipeline import Exchange, Sender
from .record import Fact, fact

T = TypeVar("T")


def _tells_ours(operation: SingleOrder | SynOrderInfo, found: Order) -> bool:
    own = operation.request_order_id
    return found.order_id == operation.order_no or bool(own and found.purchase_order_id == own)


class Asking:
    """Asks, and keeps what was asked and answered; a question that fails concludes nothing."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self.evidence: list[Fact] = []
        self.failed = False
        """Whether a question had no readable answer."""

    def note(self, told: str) -> None:
        """Keep a fact."""
        self.evidence.append(fact(told))

    async def _ask(self, question: Operation[T]) -> Exchange[T] | None:
        try:
            return await self._sender.exchange(question)
        except LinksfieldError as error:
            name = type(question).__name__
            self.note(f"{name}: {type(error).__name__}: {error}")
            is_told = isinstance(error, Refused) and not isinstance(error, Throttled)
            self.failed = self.failed or not is_told
            return None

    async def payment(self, pay_id: str) -> PaymentResult | None:
        """Ask what became of a payment; None where that is refused or cannot be asked."""
        exchange = await self._ask(ResultQuery(pay_id=pay_id))
        if exchange is None:
            return None
        result = exchange.result
        money = f" of {result.pay_amount} {result.pay_currency or ''}".rstrip()
        self.note(f"ResultQuery: {result.state}{'' if result.pay_amount is None else money}")
        return result

    async def order(
        self,
        operation: SingleOrder | SynOrderInfo,
        numbers: Iterable[str] = (),
        *,
        by_request_id: bool = True,
    ) -> tuple[Order | None, bool]:
        """Look for an order under its own ids and further order numbers.

        Gives the order, where it is the one asked for, and whether every question was answered
        readably with none at all. Only then may it count that nothing was shown. What is shown
        under a further number is ours only where it tells an id of ours.
        """
        questions = [GetOrder(order_id=number) for number in (operation.order_no, *numbers)]
        if operation.request_order_id and by_request_id:
            questions.insert(0, GetOrder(purchase_order_id=operation.request_order_id))
        found, is_none = None, True
        for question in questions:
            exchange = await self._ask(question)
            if exchange is None:
                is_none = False
                continue
            (key,) = question.echoes()
            if exchange.result is None:
                told = isinstance(exchange.raw, dict) and "data" in exchange.raw
                is_none = is_none and told
                self.note(f"GetOrder by {key}: no order" + ("" if told else ", in no clear words"))
                continue
            is_none = False
            verdict = judged(operation, exchange.result)
            is_ours = question.order_id in (None, operation.order_no) or _tells_ours(
                operation, exchange.result
            )
            shown = verdict.evidence if is_ours else "an order that tells no id of ours"
            self.note(f"GetOrder by {key}: {shown}")
            if verdict.carried_out and is_ours:
                found = found or exchange.result
        return found, is_none

    async def entries(self, iccid: str, plan_name: str) -> list[CardOrder] | None:
        """List the card's orders of a plan; None where that cannot be asked."""
        exchange = await self._ask(SingleQueryOrder(iccid=iccid))
        if exchange is None:
            return None
        orders = exchange.result.orders
        found = [one for one in orders if one.service_plan_show_name == plan_name]
        self.note(f"SingleQueryOrder: {len(found)} of this plan among {len(orders)} of the card")
        return found

    async def renewal(self, iccid: str) -> tuple[bool, AutoRenewal | None]:
        """Ask for a card's renewal; the first says whether there was an answer."""
        exchange = await self._ask(QueryAutoRenewalRecord(iccid=iccid))
        if exchange is None:
            return False, None
        found = exchange.result
        told = "none" if found is None else f"that of the order {found.order_no}"
        self.note(f"QueryAutoRenewalRecord: {told}")
        return True, found
