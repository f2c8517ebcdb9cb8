"""Group membership in bulk: changes that run in the background, waited for and read back."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .job import GroupJob
    from .report import CardChange, GroupReport, SyncReport, Verdict
    from .settings import GroupSettings
    from .status import JobStatus
    from .words import StatusWords

# Imported at first use, as all that is heavy.
_WHERE = {
    "CardChange": "report",
    "GroupJob": "job",
    "GroupReport": "report",
    "GroupSettings": "settings",
    "JobStatus": "status",
    "StatusWords": "words",
    "SyncReport": "report",
    "Verdict": "report",
}

__all__ = [
    "CardChange",
    "GroupJob",
    "GroupReport",
    "GroupSettings",
    "JobStatus",
    "StatusWords",
    "SyncReport",
    "Verdict",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(f".{_WHERE[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
