"""How far a job is, as data."""

from __future__ import annotations

import attrs

from .report import Change


@attrs.frozen(kw_only=True)
class JobStatus:
    """How far a job is, as far as is known here; nothing is asked for it."""

    group_id: str
    change: Change
    cards: int
    requests: int
    open: int
    """Requests whose result is asked for."""
    in_doubt: int
    """Requests of which nobody knows whether they were accepted."""
    refused: int
    """Requests that were refused as a whole."""
    words: tuple[str, ...]
    """The different status words seen last."""
    decided: int
    """Cards with a verdict."""
    is_over: bool
