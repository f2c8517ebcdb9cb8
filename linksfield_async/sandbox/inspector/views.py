"""The state as the page shows it: bounded lists, newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Protocol, TypeAlias, get_args

import attrs

from ...errors import ConfigurationError
from ...operations import OPERATIONS
from ..cards import CardKind
from ..clock import Clock
from ..fault_plan import Faults
from ..faults import KINDS, Odd
from ..log import Received, RequestLog
from ..records import Job, Order, Payment, Subscription
from ..stripe import Stripe
from ..world import World

MOST_SHOWN = 200
"""How many entries of a list are shown."""

MOST_BODY = 2_000
MOST_CARDS = 50
MOST_SEARCHED = 20_000
"""How many cards a search for part of an ICCID looks at; a whole one is always found."""

Asked: TypeAlias = Mapping[str, str]
Shown: TypeAlias = dict[str, Any]


class Inspected(Protocol):
    """What the inspector needs of a sandbox."""

    clock: Clock
    requests: RequestLog
    faults: Faults
    stripe: Stripe

    @property
    def url(self) -> str:
        """The address."""
        ...

    @property
    def world(self) -> World:
        """The state by now."""
        ...


class Notified(Protocol):
    """What the inspector needs of a sender of notifications."""

    deliveries: Sequence[Any]
    """Each has `event`, `attempt`, `at`, `status`, `is_taken` and `push.body`."""

    @property
    def waiting(self) -> int:
        """How many were not taken yet."""
        ...


def _sender(sandbox: Inspected) -> Notified | None:
    # A sandbox need not send any.
    sender: Notified | None = getattr(sandbox, "notifications", None)
    return sender


def _when(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")


def state(sandbox: Inspected, asked: Asked) -> Shown:
    """Give what the page's head shows, and the requests since the last time it asked."""
    world, log, sender = sandbox.world, sandbox.requests, _sender(sandbox)
    since = _whole(asked.get("since", "0"), "since")
    fresh = [request for request in log[-MOST_SHOWN:] if request.index >= since]
    return {
        # Another number than before: the page shows another sandbox's requests.
        "run": id(log),
        "url": sandbox.url,
        "partner": world.partner_code,
        "now": _when(sandbox.clock.now()),
        "total": log.total,
        "requests": [request_line(request) for request in fresh],
        "counts": {
            "cards": len(world.cards),
            "orders": len(world.orders),
            "payments": len(world.payments),
            "subscriptions": len(world.subscriptions),
            "groups": len(world.groups),
            "jobs": len(world.jobs),
            "notifications": 0 if sender is None else len(sender.deliveries),
            "faults": len(sandbox.faults.pending),
        },
    }


def _whole(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise ConfigurationError(f"{name} must be a whole number")
    return int(text)


def request_line(request: Received) -> Shown:
    """Give one request as the list shows it; `kind` gives it its colour."""
    if request.fault is not None:
        kind = "fault"
    elif request.outcome == "ok":
        kind = "ok"
    else:
        kind = "sign" if request.outcome in ("bad sign", "no sign") else "refused"
    return {
        "index": request.index,
        "time": _when(request.time),
        "method": request.method,
        "path": request.path,
        "operation": request.operation,
        "status": request.status,
        "outcome": request.outcome,
        "fault": request.fault,
        "carried_out": request.carried_out,
        "kind": kind,
    }


def _latest(things: Sequence[Any]) -> list[tuple[int, Any]]:
    """List the latest with their places, newest first."""
    first = max(0, len(things) - MOST_SHOWN)
    return [(place, things[place]) for place in range(len(things) - 1, first - 1, -1)]


def _listed(rows: Iterable[Shown], total: int) -> Shown:
    return {"rows": list(rows), "total": total}


def cards(sandbox: Inspected, asked: Asked) -> Shown:
    """List cards by kind or by part of their ICCID; those with orders are always looked at."""
    world, search = sandbox.world, asked.get("search", "").strip()[:32]
    kind = asked.get("kind") or None
    if kind is not None and kind not in get_args(CardKind):
        raise ConfigurationError(f"kind must be one of {', '.join(get_args(CardKind))}")
    every: Iterable[str] = world.cards.iccids(None)
    searched = len(world.cards)
    if search:
        sold = dict.fromkeys(order.iccid for order in world.orders)
        whole = [search] if world.cards.find(search) is not None else []
        every = dict.fromkeys((*whole, *sold, *islice(every, MOST_SEARCHED)))
        searched = min(searched, MOST_SEARCHED)
    rows = (_card(world, iccid) for iccid in every if search in iccid)
    chosen = (row for row in rows if kind is None or row["kind"] == kind)
    return _listed(islice(chosen, MOST_CARDS), len(world.cards)) | {"searched": searched}


def _card(world: World, iccid: str) -> Shown:
    card, now = world.card(iccid), world.clock.now()
    orders = world.orders.of_card(iccid)
    in_use = next((order for order in orders if order.state(now) == "in use"), None)
    return {
        "iccid": iccid,
        "kind": "unknown" if card is None else card.kind,
        "partner": None if card is None else card.partner_code,
        "orders": len(orders),
        "plan": None if in_use is None else in_use.plan.name,
        "until": None if in_use is None else _when(in_use.end),
    }


def orders(sandbox: Inspected, _: Asked) -> Shown:
    """List the latest orders."""
    book = sandbox.world.orders
    return _listed((_order(order, sandbox) for _, order in _latest(book)), len(book))


def _order(order: Order, sandbox: Inspected) -> Shown:
    return {
        "order": order.order_no,
        "iccid": order.iccid,
        "plan": order.plan.name,
        "periods": order.periods,
        "amount": f"{order.amount} {order.currency}",
        "state": order.state(sandbox.clock.now()),
        "pay_id": order.pay_id,
        "confirmed": order.confirmed,
        "renews": order.auto_renewal,
        "start": _when(order.start),
        "end": _when(order.end),
    }


def payments(sandbox: Inspected, _: Asked) -> Shown:
    """List the latest payments; those with a client secret can be decided."""
    taken = sandbox.world.payments
    return _listed((_payment(place, one) for place, one in _latest(taken)), len(taken))


def _payment(place: int, payment: Payment) -> Shown:
    return {
        "number": place,
        "order": payment.order.order_no,
        "iccid": payment.order.iccid,
        "amount": f"{payment.amount} {payment.currency}",
        "state": payment.state,
        "created": _when(payment.created),
        "transaction": payment.transaction_id,
        "open": payment.client_secret is not None and payment.state != "paid",
    }


def subscriptions(sandbox: Inspected, _: Asked) -> Shown:
    """List the latest subscriptions."""
    every = sandbox.world.subscriptions
    return _listed((_subscription(one) for _, one in _latest(every)), len(every))


def _subscription(subscription: Subscription) -> Shown:
    return {
        "subscription": subscription.sub_id,
        "order": subscription.order.order_no,
        "iccid": subscription.order.iccid,
        "plan": subscription.order.plan.name,
        "state": subscription.state,
        "charges": len(subscription.charges),
        "declines": subscription.method.declines,
        "renews_at": _when(subscription.order.end) if subscription.state == "active" else None,
    }


def groups(sandbox: Inspected, _: Asked) -> Shown:
    """List the groups with their first members."""
    every = list(sandbox.world.groups.values())
    shown = [
        {
            "group": group.group_id,
            "name": group.name,
            "partner": group.partner_code,
            "size": len(group.members),
            "members": list(islice(group.members, MOST_CARDS)),
            "plans": [plan.name for plan in group.bundles],
        }
        for group in every[:MOST_SHOWN]
    ]
    return _listed(shown, len(every))


def jobs(sandbox: Inspected, _: Asked) -> Shown:
    """List the latest group jobs."""
    every = list(sandbox.world.jobs.values())
    now = sandbox.clock.now()
    return _listed((_job(job, now) for _, job in _latest(every)), len(every))


def _job(job: Job, now: datetime) -> Shown:
    failed = [one for one in job.outcomes or () if one.problem is not None]
    return {
        "request_id": job.request_id,
        "group": job.group.group_id,
        "change": "add" if job.adding else "remove",
        "cards": len(job.iccids),
        "state": job.state(now),
        "accepted": _when(job.accepted),
        "due": _when(job.due),
        "failed": len(failed),
        "problems": [[one.iccid, one.problem] for one in failed[:MOST_CARDS]],
    }


def notifications(sandbox: Inspected, _: Asked) -> Shown:
    """List the latest messages that were sent, and how many are still to be taken."""
    sender = _sender(sandbox)
    if sender is None:
        return _listed((), 0) | {"waiting": 0}
    sent = sender.deliveries
    rows = (
        {
            "event": delivery.event,
            "attempt": delivery.attempt,
            "at": _when(delivery.at),
            "status": delivery.status,
            "taken": delivery.is_taken,
            "body": delivery.push.body.decode("utf-8", "replace")[:MOST_BODY],
        }
        for _, delivery in _latest(sent)
    )
    return _listed(rows, len(sent)) | {"waiting": sender.waiting}


def faults(sandbox: Inspected, _: Asked) -> Shown:
    """List the faults that are set, and what can be set."""
    pending = sandbox.faults.pending
    return {
        **_listed(map(attrs.asdict, pending[:MOST_SHOWN]), len(pending)),
        "kinds": list(KINDS),
        "shapes": list(get_args(Odd)),
        "operations": [operation.__name__ for operation in OPERATIONS],
    }


VIEWS: Mapping[str, Callable[[Inspected, Asked], Shown]] = {
    "cards": cards,
    "orders": orders,
    "payments": payments,
    "subscriptions": subscriptions,
    "groups": groups,
    "jobs": jobs,
    "notifications": notifications,
    "faults": faults,
}
