"""Purchases and subscriptions as objects that can be put down and taken up again."""

from __future__ import annotations

from .checkout import Checkout
from .ids import OwnIds, mint_ids
from .namespace import AsyncCheckout
from .reconcile import Conclusion
from .record import Fact
from .saving import Summary, summarized
from .state import EDGES, State, Step
from .store import CheckoutStore, SqliteCheckouts

__all__ = [
    "EDGES",
    "AsyncCheckout",
    "Checkout",
    "CheckoutStore",
    "Conclusion",
    "Fact",
    "OwnIds",
    "SqliteCheckouts",
    "State",
    "Step",
    "Summary",
    "mint_ids",
    "summarized",
]
