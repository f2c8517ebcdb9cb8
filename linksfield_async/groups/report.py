"""What became of each card of a change, and how it is written down."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, TypeAlias

import attrs

from ..bulk.files.sinks import formula_safe
from ..errors import ConfigurationError
from ..masking import mask_iccid

Verdict: TypeAlias = Literal["done", "refused", "unknown", "not_sent", "extra"]
Change: TypeAlias = Literal["add", "remove"]

VERDICTS: tuple[Verdict, ...] = ("done", "refused", "unknown", "not_sent", "extra")


@attrs.frozen
class CardChange:
    """What became of one card.

    done: it is as it should be · refused: the service said no · unknown: nobody can tell ·
    not_sent: certainly not asked for · extra: in the result, and not asked for.
    """

    iccid: str = attrs.field(repr=mask_iccid)
    change: Change
    verdict: Verdict
    reason: str = ""
    request_id: str = ""
    is_member: bool | None = None
    """Whether the group showed it when that was read last; None: it was not read."""


COLUMNS = tuple(field.name for field in attrs.fields(CardChange))


def _counts(changes: Iterable[CardChange]) -> dict[str, int]:
    counts = Counter(one.verdict for one in changes)
    return {verdict: counts[verdict] for verdict in VERDICTS}


@attrs.frozen(kw_only=True)
class GroupReport:
    """What became of a change."""

    group_id: str
    change: Change
    changes: tuple[CardChange, ...] = attrs.field(repr=False)
    extra: tuple[CardChange, ...] = attrs.field(default=(), repr=False)
    """Cards that a result names and nobody asked for."""
    doubles: int = 0
    """Cards that were given more than once, and sent once."""
    unaccounted: int = 0
    """Cards of which only the number is known: resumed without the ICCIDs."""
    contradictions: tuple[str, ...] = ()
    """Where the service contradicted itself, by request id."""

    @property
    def counts(self) -> dict[str, int]:
        """How many cards have each verdict."""
        return _counts((*self.changes, *self.extra))

    @property
    def is_done(self) -> bool:
        """Whether every card is as it should be."""
        return not self.unaccounted and all(one.verdict == "done" for one in self.changes)

    @property
    def failed(self) -> tuple[str, ...]:
        """The ICCIDs that are not done."""
        return tuple(one.iccid for one in self.changes if one.verdict != "done")

    def write(
        self, path: str | os.PathLike[str], *, only_failed: bool = False, force: bool = False
    ) -> None:
        """Write a row for each card, as .csv or .jsonl; an existing file only with `force`."""
        write_changes(path, (*self.changes, *self.extra), only_failed=only_failed, force=force)


@attrs.frozen(kw_only=True)
class SyncReport:
    """What a sync found and did."""

    group_id: str
    dry_run: bool
    wanted: int
    """Different cards that the group should have."""
    members: int
    """Cards that it had."""
    to_add: tuple[str, ...] = attrs.field(repr=mask_iccid)
    to_remove: tuple[str, ...] = attrs.field(repr=mask_iccid)
    changes: tuple[CardChange, ...] = attrs.field(default=(), repr=False)
    """What became of the cards of this run, and of its earlier sessions where it has a journal."""
    extra: tuple[CardChange, ...] = attrs.field(default=(), repr=False)
    doubles: int = 0
    hidden: int = 0
    """Cards that earlier sessions removed and the group does not show: their journal has a key, and
    holds hashes only. They are not in `changes`."""
    contradictions: tuple[str, ...] = ()
    missing: int = 0
    """Wanted cards that are no members at the end."""
    surplus: int = 0
    """Members at the end that are not wanted."""

    @property
    def counts(self) -> dict[str, int]:
        """How many changes have each verdict."""
        return _counts((*self.changes, *self.extra))

    @property
    def is_done(self) -> bool:
        """Whether the group was read at the end, and has the wanted cards and no others."""
        return not self.dry_run and not self.missing and not self.surplus

    @property
    def failed(self) -> tuple[str, ...]:
        """The ICCIDs that are not done."""
        return tuple(one.iccid for one in self.changes if one.verdict != "done")

    def write(
        self, path: str | os.PathLike[str], *, only_failed: bool = False, force: bool = False
    ) -> None:
        """Write a row for each card, as .csv or .jsonl; an existing file only with `force`."""
        write_changes(path, (*self.changes, *self.extra), only_failed=only_failed, force=force)


def check_report_name(path: str | os.PathLike[str]) -> None:
    """Refuse a name that does not end in .csv or .jsonl."""
    if Path(path).suffix.lower() not in (".csv", ".jsonl"):
        raise ConfigurationError(f"{os.fspath(path)!r} must end in .csv or .jsonl")


def write_changes(
    path: str | os.PathLike[str],
    changes: Iterable[CardChange],
    *,
    only_failed: bool = False,
    force: bool = False,
) -> None:
    """Write a row for each card; ConfigurationError where that cannot be."""
    check_report_name(path)
    rows = (one for one in changes if not only_failed or one.verdict != "done")
    try:
        with open(path, "w" if force else "x", encoding="utf-8", newline="") as stream:
            if Path(path).suffix.lower() == ".jsonl":
                stream.writelines(
                    json.dumps(attrs.asdict(one), ensure_ascii=False) + "\n" for one in rows
                )
                return
            table = csv.writer(stream)
            table.writerow(COLUMNS)
            for one in rows:
                table.writerow(map(_cell, attrs.astuple(one)))
    except FileExistsError as error:
        raise ConfigurationError(f"{os.fspath(path)!r} is there already") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigurationError(f"cannot write {os.fspath(path)!r}: {reason}") from error


def _cell(value: str | bool | None) -> str:
    if value is None:
        return ""
    return formula_safe(value) if isinstance(value, str) else str(value).lower()
