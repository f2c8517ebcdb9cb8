"""All contenders by name, and which of them run in which race."""

from __future__ import annotations

from driving import Contender
from floor import CEILING, FLOOR
from ours import OURS
from peers import BASELINE, PEERS

CONTENDERS: dict[str, Contender] = {one.name: one for one in (CEILING, *FLOOR, *OURS, *PEERS)}

PLAIN = tuple(CONTENDERS)
TLS = tuple(
    name
    for name in CONTENDERS
    if CONTENDERS[name].concurrency == 64 and not name.startswith("sync ")
)
GROWTH = ("verify_many direct asyncio", "send direct asyncio", BASELINE)
"""Whose cost is followed as concurrency grows and as the server takes its time."""
