"""What confirms a notice and what does not, by the answers of the service."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest
from pushes import ICCID, receiver

from linksfield_async.errors import NotificationMismatch, OrderNotVisible
from linksfield_async.notifications import Authenticity, Expected, RechargeNotice
from linksfield_async.operations import CardOrder, CardOrders, Order, PaymentResult

ORDER = Order(
    order_id="NO1",
    purchase_order_id="R1",
    iccid=ICCID,
    status="1",
    pay_amount=Decimal("4.990"),
    pay_currency="USD",
)
PAID = PaymentResult(pay_id="P1", pay_status="1", pay_amount=Decimal("4.99"), pay_currency="usd")
LISTED = CardOrders(
    partner_code="P",
    iccid=ICCID,
    orders=(
        CardOrder(
            order_status="1",
            service_plan_show_name="Europe 5GB",
            time="1",
            unit="2",
            expire_date=None,
            remaining_days="30",
        ),
    ),
)
RECORD = Expected(
    iccid=ICCID,
    plan="Europe 5GB",
    amount=Decimal("4.99"),
    currency="USD",
    order_id="NO1",
    pay_id="P1",
)


class Service:
    """Answers what it was given, and notes what it was asked."""

    def __init__(self, order: Any = ORDER, payment: Any = PAID, listed: Any = LISTED) -> None:
        self.asked: list[dict[str, Any]] = []
        self.orders = self.payment = self.vshop = self
        self._order, self._payment, self._listed = order, payment, listed

    async def get(self, **keys: Any) -> Any:
        self.asked.append(keys)
        return self._order

    async def query_result(self, **keys: Any) -> Any:
        self.asked.append(keys)
        return self._payment

    async def list_orders(self, **keys: Any) -> Any:
        self.asked.append(keys)
        return self._listed


@pytest.fixture
def notice() -> RechargeNotice:
    one, _ = receiver(accept_unsigned=True)
    return one.verify(b'{"orderNo":"NO1","payAmount":4.9900,"payCurrency":"usd"}', [])


async def test_everything_agrees(notice: RechargeNotice) -> None:
    service = Service()
    done = await notice.confirm(service, RECORD)
    assert done.authenticity is Authenticity.CONFIRMED
    assert done.fields == notice.fields
    assert service.asked == [{"order_id": "NO1"}, {"pay_id": "P1"}, {"iccid": ICCID}]


async def test_the_payment_shows_what_the_order_does_not(notice: RechargeNotice) -> None:
    order = attrs.evolve(ORDER, pay_amount=None, pay_currency=None, status=None)
    assert await notice.confirm(Service(order), RECORD)
    unplanned = attrs.evolve(RECORD, plan=None)
    service = Service(order)
    assert await notice.confirm(service, unplanned)
    assert len(service.asked) == 2


@pytest.mark.parametrize(
    ("service", "what"),
    [
        (Service(payment=attrs.evolve(PAID, pay_status="2")), "payment"),
        (Service(payment=attrs.evolve(PAID, pay_amount=Decimal("0.01"))), "amount"),
        (Service(payment=attrs.evolve(PAID, pay_currency="idr")), "currency"),
        (Service(payment=attrs.evolve(PAID, pay_id="P2")), "pay_id"),
        (Service(order=attrs.evolve(ORDER, order_id=None, purchase_order_id=None)), "order"),
        (Service(order=attrs.evolve(ORDER, order_id="NO2")), "order_id"),
    ],
)
async def test_what_differs_or_is_not_shown(
    notice: RechargeNotice, service: Service, what: str
) -> None:
    with pytest.raises(NotificationMismatch) as caught:
        await notice.confirm(service, RECORD)
    assert what in caught.value.data


@pytest.mark.parametrize(
    "service",
    [
        Service(order=None),
        Service(payment=attrs.evolve(PAID, pay_status="0")),
        Service(payment=attrs.evolve(PAID, pay_status="new word")),
        Service(listed=attrs.evolve(LISTED, orders=())),
    ],
)
async def test_what_is_not_visible_yet(notice: RechargeNotice, service: Service) -> None:
    with pytest.raises(OrderNotVisible):
        await notice.confirm(service, RECORD)


def test_a_record_hides_its_card() -> None:
    assert ICCID not in repr(RECORD)
