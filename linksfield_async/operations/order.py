"""Order look-up at the topup service and its result. Docs: Topup APIs, folder Order."""

from __future__ import annotations

from decimal import Decimal

from ..masking import mask_iccid
from ..operation import (
    ASSUMED,
    DOCUMENTED,
    Effect,
    Model,
    Operation,
    Service,
    declare,
    wire,
)


@declare
class Order(Model):
    """An order as the topup service keeps it."""

    order_id: str | None = wire(
        "order_id",
        "transaction order id",
        evidence=ASSUMED,
        also_accept=("orderId", "orderNo"),
        default=None,
    )
    purchase_order_id: str | None = wire(
        "purchase_order_id",
        "partner's order id",
        evidence=ASSUMED,
        also_accept=("purchaseOrderId", "requestOrderId"),
        default=None,
    )
    iccid: str | None = wire(
        "sim_id",
        "ICCID",
        evidence=ASSUMED,
        also_accept=("deviceCode",),
        default=None,
        mask=mask_iccid,
    )
    status: str | None = wire(
        "status", "open enum", evidence=ASSUMED, also_accept=("orderStatus",), default=None
    )
    pay_amount: Decimal | None = wire("payAmount", "amount", evidence=ASSUMED, default=None)
    pay_currency: str | None = wire("payCurrency", "currency", evidence=ASSUMED, default=None)


@declare
class GetOrder(Operation[Order | None]):
    """Get one order by the partner's own id, the order id or the ICCID, or None.

    At least one key is needed; of several only the first non-empty valid one counts, in the
    order given here. With `purchase_order_id` and several orders only the latest paid one is
    returned, so this hides duplicates.
    """

    service = Service.TOPUP
    method = "GET"
    path = "/mall/order"
    effect = Effect.READ
    title = "Query Order Details"

    purchase_order_id: str | None = wire(
        "purchase_order_id", "the partner's own order id", evidence=DOCUMENTED, default=None
    )
    order_id: str | None = wire(
        "order_id", "transaction order id", evidence=DOCUMENTED, default=None
    )
    iccid: str | None = wire("sim_id", "ICCID", evidence=DOCUMENTED, default=None, mask=mask_iccid)

    def echoes(self) -> dict[str, str]:
        """Give the first key: of several the service looks at that one only."""
        for name in ("purchase_order_id", "order_id", "iccid"):
            if value := getattr(self, name):
                return {name: value}
        return {}

    def problem(self) -> str | None:
        """Ask for at least one key."""
        if self.purchase_order_id or self.order_id or self.iccid:
            return None
        return "one of purchase_order_id, order_id and iccid is needed"
