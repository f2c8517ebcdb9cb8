"""Looks into a journal without running it, and settles by hand what nobody else can."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import attrs

from ...errors import ConfigurationError, JournalError, JournalRefused
from ...masking import mask_iccid, one_line
from .opening import connected, locked, resolved
from .schema import APPLICATION, CODES, FORMAT, INTENT, NAMES

_SHOWN_INTENTS = 20


@attrs.frozen
class OpenIntent:
    """Something that was about to be sent, and of which nothing is known after that."""

    position: int
    key: str
    """Masked ICCID, or the digest of the operation."""
    sent_ms: int | None


@attrs.frozen
class Kind:
    """How often an error stands in the journal."""

    verdict: str
    error: str
    message: str
    count: int


@attrs.frozen
class Session:
    """One stretch of a run, from its start to its end or crash."""

    started_ms: int
    ended_ms: int | None
    ended: str
    host: str
    pid: int


@attrs.frozen(kw_only=True)
class RunSummary:
    """What a journal tells of its run."""

    path: str
    format: int
    kind: str
    operation: str
    partner: str
    endpoints: dict[str, str]
    options: dict[str, Any]
    source: str | None
    source_name: str | None
    hides_iccids: bool
    created_ms: int
    taken: int
    """Items that were read from the input."""
    total: int | None
    """Items in all, once the input was read to its end."""
    verdicts: dict[str, int]
    todo: int
    """Read and not decided, open intents included; the rest of the input too, where known."""
    delivered: int
    """Outcomes that the caller has taken."""
    duplicates: int
    intents: int
    open_intents: tuple[OpenIntent, ...]
    """The first of them."""
    errors: tuple[Kind, ...]
    sessions: tuple[Session, ...]

    @property
    def is_finished(self) -> bool:
        """Whether a further session would have nothing to do."""
        undecided = self.verdicts["failed"] + self.verdicts["unknown"]
        return self.total is not None and self.todo == 0 and undecided == 0


def look_into(path: str | os.PathLike[str], *, check: bool = False) -> RunSummary:
    """Read what a journal tells, also while its run goes on; `check` reads every page of it."""
    with _reading(path) as connection:
        if check:
            (told,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if told != "ok":
                raise JournalError(f"the journal {os.fspath(path)!r} is damaged: {one_line(told)}")
        return _summary(connection, os.fspath(path))


@contextmanager
def _reading(path: str | os.PathLike[str]) -> Iterator[sqlite3.Connection]:
    name = repr(os.fspath(path))
    if not os.path.isfile(path):
        raise ConfigurationError(f"there is no file {name}")
    try:
        uri = f"{Path(path).absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
            (found,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if found != APPLICATION:
                raise JournalRefused(f"{name} is no journal of this program")
            if version != FORMAT:
                raise JournalRefused(f"{name} has format {version}, this release reads {FORMAT}")
            yield connection
    except sqlite3.Error as error:
        raise JournalError(f"the journal {name} cannot be read: {one_line(str(error))}") from error


def _summary(connection: sqlite3.Connection, path: str) -> RunSummary:
    connection.execute("BEGIN")  # one view of it all, whatever is written meanwhile
    connection.row_factory = sqlite3.Row
    run = connection.execute("SELECT * FROM run").fetchone()
    if run is None:
        raise JournalRefused(f"the journal {path!r} knows no run yet")
    counts = connection.execute(
        "SELECT verdict, count(*), sum(delivered), sum(duplicate_of IS NOT NULL)"
        " FROM item GROUP BY verdict"
    ).fetchall()
    by_code = {code: count for code, count, *_ in counts}
    intents = by_code.pop(INTENT, 0)
    verdicts = {verdict: by_code.get(code, 0) for verdict, code in CODES.items()}
    known = max(run["taken"], run["total"] or 0)
    return RunSummary(
        path=path,
        format=FORMAT,
        kind=run["kind"],
        operation=run["operation"],
        partner=run["partner"],
        endpoints=json.loads(run["endpoints"]),
        options=json.loads(run["options"]),
        source=run["source"],
        source_name=run["source_name"],
        hides_iccids=run["key_check"] is not None,
        created_ms=run["created_ms"],
        taken=run["taken"],
        total=run["total"],
        verdicts=verdicts,
        todo=known - sum(verdicts.values()),
        delivered=sum(delivered for _, _, delivered, _ in counts),
        duplicates=sum(doubled for *_, doubled in counts),
        intents=intents,
        open_intents=tuple(_intents(connection)),
        errors=tuple(_kinds(connection)),
        sessions=tuple(_sessions(connection)),
    )


def _intents(connection: sqlite3.Connection) -> Iterator[OpenIntent]:
    found = connection.execute(
        "SELECT position, key, at_ms FROM item WHERE verdict = ? ORDER BY position LIMIT ?",
        (INTENT, _SHOWN_INTENTS),
    )
    for position, key, at_ms in found:
        shown = key.hex() if isinstance(key, bytes) else mask_iccid(key)
        yield OpenIntent(position, shown, at_ms)


def _kinds(connection: sqlite3.Connection) -> Iterator[Kind]:
    found = connection.execute(
        "SELECT verdict, error ->> 'error' AS kind, error ->> 'message', count(*) FROM item"
        " WHERE kind IS NOT NULL GROUP BY verdict, kind ORDER BY count(*) DESC, verdict, kind"
    )
    for verdict, kind, message, count in found:
        yield Kind(NAMES[verdict], kind, message, count)


def _sessions(connection: sqlite3.Connection) -> Iterator[Session]:
    for row in connection.execute("SELECT * FROM session ORDER BY number"):
        ended = row["ended"] or "not ended: it goes on, or it crashed"
        yield Session(row["started_ms"], row["ended_ms"], ended, row["host"], row["pid"])


def settle_by_hand(
    path: str | os.PathLike[str], positions: Sequence[int], *, carried_out: bool
) -> None:
    """Tell a journal what became of items whose answer was lost, all of them or none.

    Those that were carried out are done, the others are sent when the run goes on.
    """
    name = repr(os.fspath(path))
    with _reading(path):
        pass
    real = resolved(os.fspath(path))
    told = (
        {"settled": "by hand: it was carried out"}
        if carried_out
        else {"error": "NotSent", "message": "settled by hand: not carried out"}
        | {"carried_out": False}
    )
    verdict = CODES["valid" if carried_out else "failed"]
    with closing(locked(real, name)), closing(connected(real, name)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for position in positions:
            changed = connection.execute(
                "UPDATE item SET verdict = ?, error = ?, delivered = 0"
                " WHERE position = ? AND verdict IN (?, ?)",
                (verdict, json.dumps(told), position, INTENT, CODES["unknown"]),
            )
            if changed.rowcount != 1:
                connection.execute("ROLLBACK")
                raise ConfigurationError(
                    f"item {position} is not unknown in the journal {name}; nothing was changed"
                )
        connection.execute("COMMIT")
