"""Which run a journal is about: who calls what, where, and over which input."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from ...account import Account
from ..service import About
from .hiding import Hiding
from .schema import Identity


async def identity_of(
    about: About, account: Account, source: Any, key: str | bytes | None
) -> Identity:
    """Tell what decides what is sent, and for whom."""
    fingerprint = getattr(source, "fingerprint", None)
    # Reads a file as a whole: beside the loop.
    told = await asyncio.to_thread(fingerprint) if callable(fingerprint) else None
    name = getattr(source, "name", None)
    endpoints = account.endpoints
    return Identity(
        kind=about.kind,
        operation=about.operation,
        partner=account.partner_code,
        endpoints=json.dumps(
            {"vshop": endpoints.vshop, "payment": endpoints.payment, "topup": endpoints.topup}
        ),
        options=json.dumps({**about.options, **_of_account(account)}, ensure_ascii=False),
        source=told if isinstance(told, str) else None,
        source_name=name if isinstance(name, str) else None,
        key_check=Hiding(key).key_check,
    )


def _of_account(account: Account) -> dict[str, Any]:
    return {
        "language_code": account.language_code,
        "mark": account.mark,
        "terminal": account.terminal,
        "wire_names": dict(account.wire_names),
    }
