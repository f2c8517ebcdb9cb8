"""A stand-in for the whole service on this machine, with state: for tests, demos and learning.

    async with Sandbox(cards=10_000, seed=1) as sandbox:
        async with Client(sandbox.account) as client:
            await client.vshop.verify_card(iccid=next(sandbox.world.iccids("valid")))

It checks signatures, keeps cards, orders, payments, renewals and groups, and logs every request
in `sandbox.requests`. What the contract leaves open it answers with the contract's assumed names
and with behaviour of its own; that is marked as invented and proves nothing about the service.
`python -m linksfield_async.sandbox` runs it on its own.
"""

from __future__ import annotations

from .answers import Refusal
from .app import Sandbox
from .cards import Card, CardKind
from .clock import Clock
from .log import Received, RequestLog
from .push import Delivery, Notifications, Push, PushScheme
from .sample import SAMPLE_CARDS
from .serve import serve
from .stripe import Stripe
from .world import World

__all__ = [
    "SAMPLE_CARDS",
    "Card",
    "CardKind",
    "Clock",
    "Delivery",
    "Notifications",
    "Push",
    "PushScheme",
    "Received",
    "Refusal",
    "RequestLog",
    "Sandbox",
    "Stripe",
    "World",
    "serve",
]
