"""Many operations at once: sources, the crew that sends, the journal, and what comes out."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .concurrency import AdaptiveConcurrency
    from .engine import Outcomes
    from .files.sinks import Record, open_sink
    from .files.sources import Row, read_iccids
    from .journal.inspection import RunSummary, look_into, settle_by_hand
    from .journal.settings import Journal, Settlement
    from .outcome import Outcome, Verdict
    from .progress import Progress
    from .report.page import write_report
    from .report.statistics import Statistics
    from .settings import BulkSettings
    from .stopping import StopRules

# Imported at first use: SQLite, tables and pages are not everybody's.
_WHERE = {
    "AdaptiveConcurrency": "concurrency",
    "BulkSettings": "settings",
    "Journal": "journal.settings",
    "Outcome": "outcome",
    "Outcomes": "engine",
    "Progress": "progress",
    "Record": "files.sinks",
    "Row": "files.sources",
    "RunSummary": "journal.inspection",
    "Settlement": "journal.settings",
    "Statistics": "report.statistics",
    "StopRules": "stopping",
    "Verdict": "outcome",
    "look_into": "journal.inspection",
    "open_sink": "files.sinks",
    "read_iccids": "files.sources",
    "settle_by_hand": "journal.inspection",
    "write_report": "report.page",
}

__all__ = [
    "AdaptiveConcurrency",
    "BulkSettings",
    "Journal",
    "Outcome",
    "Outcomes",
    "Progress",
    "Record",
    "Row",
    "RunSummary",
    "Settlement",
    "Statistics",
    "StopRules",
    "Verdict",
    "look_into",
    "open_sink",
    "read_iccids",
    "settle_by_hand",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(f".{_WHERE[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
