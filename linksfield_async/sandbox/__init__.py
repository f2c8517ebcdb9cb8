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
from .behaviour import GroupBehaviour
from .cards import Card, CardKind
from .clock import Clock
from .fault_plan import Faults
from .faults import (
    Fault,
    cut_answer,
    drop_answer,
    drop_request,
    odd_answer,
    refuse,
    server_error,
    slow,
    stall,
    throttled,
)
from .log import Received, RequestLog
from .matched import Matched
from .push import Delivery, Notifications, Push, PushScheme
from .sample import SAMPLE_CARDS
from .scenarios import Scenarios, Situation
from .serve import serve
from .stripe import Stripe
from .world import CardState, World

__all__ = [
    "SAMPLE_CARDS",
    "Card",
    "CardKind",
    "CardState",
    "Clock",
    "Delivery",
    "Fault",
    "Faults",
    "GroupBehaviour",
    "Matched",
    "Notifications",
    "Push",
    "PushScheme",
    "Received",
    "Refusal",
    "RequestLog",
    "Sandbox",
    "Scenarios",
    "Situation",
    "Stripe",
    "World",
    "cut_answer",
    "drop_answer",
    "drop_request",
    "odd_answer",
    "refuse",
    "serve",
    "server_error",
    "slow",
    "stall",
    "throttled",
]
