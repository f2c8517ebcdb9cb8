"""A refusal that proves nothing is asked about, and its order is never sent again."""

from __future__ import annotations

from typing import Any

from bulk_stubs import GOOD, Answers, listed, order

from linksfield_async.bulk import Journal

REFUSED = {"operateCode": "F", "message": "ordering failed", "data": "QY-00101220260101000001"}


class Shop:
    """Carries order 0 out and refuses order 1; shows what it was told to show."""

    def __init__(self) -> None:
        self.shows: Any = None
        self.transport = Answers(self._answer)

    def _answer(self, params: dict[str, Any]) -> Any:
        if "requestOrderId" in params:
            return GOOD if params["requestOrderId"] == order(0).request_order_id else REFUSED
        if params["purchase_order_id"] == order(0).request_order_id:
            made = order(0)
            shown = {"order_id": "1", "sim_id": made.iccid, "payAmount": made.pay_amount}
            return {"operateCode": "S", "data": shown}
        return {"operateCode": "S", "data": None} if self.shows is None else self.shows

    @property
    def sent(self) -> list[str]:
        orders = [params["requestOrderId"] for params in self.transport.sent if "payRst" in params]
        return sorted(orders)


async def run(shop: Shop, path: Any) -> dict[int, Any]:
    journal = Journal(path, quarantine=0)
    many = shop.transport.client(deadline=0.2).send_many([order(0), order(1)], journal=journal)
    return {outcome.position: outcome for outcome in await listed(many)}


async def test_it_is_never_sent_again(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("linksfield_async.bulk.settling.BEAT_SECONDS", 0.0)
    shop, path = Shop(), tmp_path / "run.db"
    once = sorted(str(order(number).request_order_id) for number in (0, 1))
    assert (await run(shop, path))[1].verdict == "unknown"
    # Nobody can tell as long as asking shows nothing that can be read.
    shop.shows = {"operateCode": "F", "message": "later"}
    assert (await run(shop, path))[1].verdict == "unknown"
    shop.shows = None
    settled = (await run(shop, path))[1]
    assert settled.verdict == "refused"
    assert settled.error.carried_out is False
    assert "GetOrder knows no order" in settled.settled
    assert shop.sent == once
    assert await run(shop, path) == {}
    assert shop.sent == once
