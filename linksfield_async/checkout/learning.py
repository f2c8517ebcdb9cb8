"""Has a new order or subscription shown once, so that it can prove later that asking works."""

from __future__ import annotations

from ..bulk.settling import judged
from ..errors import LinksfieldError
from ..operations import GetOrder, QueryAutoRenewalRecord
from .payment import is_ours
from .stepping import Stepping


async def learn_order(stepping: Stepping) -> None:
    """Ask for a new order before it is authorized, where no recent one was shown."""
    room, record = stepping.room, stepping.record
    if not room.witnesses.orders.needs_lesson:
        return
    try:
        found = await room.sender.send(GetOrder(purchase_order_id=record.ids.request_order_id))
    except LinksfieldError as error:
        record = record.noting(f"GetOrder: {type(error).__name__}: {error}")
    else:
        room.witnesses.orders.lessons += 1
        if found is not None and judged(record.order(), found).carried_out:
            record = record.noting("GetOrder shows the unpaid order", shown_unpaid=True)
    await stepping.commit(record)
    room.witnesses.add(stepping.record)


async def learn_renewal(stepping: Stepping) -> None:
    """Ask for the renewal of a new subscription, where no recent one was shown."""
    room, record = stepping.room, stepping.record
    if not room.witnesses.renewals.needs_lesson:
        return
    try:
        found = await room.sender.send(QueryAutoRenewalRecord(iccid=record.iccid))
    except LinksfieldError as error:
        record = record.noting(f"QueryAutoRenewalRecord: {type(error).__name__}: {error}")
    else:
        room.witnesses.renewals.lessons += 1
        if is_ours(record, found):
            record = record.noting("QueryAutoRenewalRecord shows it", shown_renewal=True)
    await stepping.commit(record)
    room.witnesses.add(stepping.record)
