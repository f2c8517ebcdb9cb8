"""The book of orders: finds them, and lines up the paid ones of a card one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import overload

from .records import Order, later


class OrderBook(Sequence[Order]):
    """All orders in the order of their creation; the same ids may stand twice."""

    def __init__(self) -> None:
        self._orders: list[Order] = []
        self._by_card: dict[str, list[Order]] = {}
        self._by_order_no: dict[str, list[Order]] = {}
        self._by_pay_id: dict[str, list[Order]] = {}
        self._by_request_id: dict[str, list[Order]] = {}
        self.when_paid: list[Callable[[Order, datetime], None]] = []
        """Told of every order that was paid or extended, and when."""

    def add(self, order: Order) -> None:
        """Keep a new order."""
        self._orders.append(order)
        self._by_card.setdefault(order.iccid, []).append(order)
        self._by_order_no.setdefault(order.order_no, []).append(order)
        self._by_pay_id.setdefault(order.pay_id, []).append(order)
        if order.request_order_id:
            self._by_request_id.setdefault(order.request_order_id, []).append(order)

    def clear(self) -> None:
        """Forget all orders."""
        self._orders.clear()
        for found in (self._by_card, self._by_order_no, self._by_pay_id, self._by_request_id):
            found.clear()

    def of_card(self, iccid: str) -> Sequence[Order]:
        """List the orders of a card, oldest first."""
        return self._by_card.get(iccid, ())

    def of_order_no(self, order_no: str) -> Sequence[Order]:
        """List the orders with an order number; more than one where it was sent twice."""
        return self._by_order_no.get(order_no, ())

    def of_pay_id(self, pay_id: str) -> Sequence[Order]:
        """List the orders with a payment id; more than one where it was sent twice."""
        return self._by_pay_id.get(pay_id, ())

    def of_request_id(self, request_order_id: str) -> Sequence[Order]:
        """List the orders with an order id of the partner's own."""
        return self._by_request_id.get(request_order_id, ())

    def pay(self, order: Order, when: datetime) -> None:
        """Mark an order paid: it starts now, or when the card's last paid one ends."""
        ends = [other.end for other in self.of_card(order.iccid) if other.end is not None]
        order.paid = when
        order.start = max([when, *ends])
        order.end = later(order.start, order.days)
        self._tell(order, when)

    def extend(self, order: Order) -> None:
        """Add the bought days once more; what waits behind on the card waits longer."""
        end = order.end
        if end is None:
            raise ValueError("an unpaid order cannot be extended")
        order.end = later(end, order.days)
        self._tell(order, end)
        for other in self.of_card(order.iccid):
            if other is not order and other.start is not None and other.start >= end:
                other.start = later(other.start, order.days)
                other.end = later(other.start, other.days)

    def _tell(self, order: Order, when: datetime) -> None:
        for told in self.when_paid:
            told(order, when)

    def __len__(self) -> int:
        return len(self._orders)

    def __iter__(self) -> Iterator[Order]:
        return iter(self._orders)

    @overload
    def __getitem__(self, index: int) -> Order: ...
    @overload
    def __getitem__(self, index: slice) -> list[Order]: ...
    def __getitem__(self, index: int | slice) -> Order | list[Order]:
        return self._orders[index]

    def __repr__(self) -> str:
        return f"<{len(self._orders)} orders>"
