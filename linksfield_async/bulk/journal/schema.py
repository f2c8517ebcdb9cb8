"""The tables of a journal, what they are about, and whether a journal belongs to a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ...errors import JournalRefused
from ...masking import one_line
from ..outcome import Verdict
from ..progress import VERDICTS

if TYPE_CHECKING:
    import sqlite3

APPLICATION = 0x4C4B4A31
"""Marks an SQLite file as a journal."""
FORMAT = 1
"""Of the tables; a journal with another one is migrated or refused."""
BLOCK = 1024
"""Positions that share one digest; a power of two."""

INTENT = 0
"""The code of a row that was about to be sent when it was written."""
CODES: Mapping[str, int] = {verdict: code for code, verdict in enumerate(VERDICTS, 1)}
NAMES: Mapping[int, Verdict] = dict(enumerate(VERDICTS, 1))

SETTLED: tuple[str, ...] = ("valid", "refused", "invalid_input")
"""Verdicts that count for a block once they are handed over, in the order of its columns."""

TABLES = """
CREATE TABLE run (
    kind TEXT NOT NULL,            -- verify_many, send_many
    operation TEXT NOT NULL,
    partner TEXT NOT NULL,
    endpoints TEXT NOT NULL,       -- JSON
    options TEXT NOT NULL,         -- JSON: what else decides what is sent
    source TEXT,                   -- fingerprint of the input, where it has one
    source_name TEXT,
    key_check BLOB,                -- of the key that hides ICCIDs
    created_ms INTEGER NOT NULL,
    taken INTEGER NOT NULL DEFAULT 0,   -- positions below were read; without a row: under way
    total INTEGER,                 -- once the input was read to its end
    wall_ms INTEGER NOT NULL,      -- the latest wall time seen; never shrinks
    boot_id TEXT, boot_ms INTEGER, -- the same moment on a clock that nobody sets
    once_ms INTEGER NOT NULL DEFAULT 0  -- the latest at which something could leave that must
                                   -- not be carried out twice
);
CREATE TABLE item (
    position INTEGER PRIMARY KEY,
    verdict INTEGER NOT NULL,      -- 0 intent, then as in the outcome
    delivered INTEGER NOT NULL,    -- the caller came back for more after it
    attempts INTEGER NOT NULL,
    row INTEGER,
    duplicate_of INTEGER,
    at_ms INTEGER,                 -- of the intent, for what must not be carried out twice
    status INTEGER,
    key,                           -- ICCID, keyed hash of it, or digest of the operation
    error TEXT,                    -- JSON, masked
    answer TEXT
);
CREATE INDEX item_key ON item (key) WHERE key IS NOT NULL AND duplicate_of IS NULL;
CREATE TABLE block (
    number INTEGER PRIMARY KEY,
    digest BLOB,                   -- of its items, once all were read
    valid INTEGER NOT NULL DEFAULT 0,
    refused INTEGER NOT NULL DEFAULT 0,
    invalid_input INTEGER NOT NULL DEFAULT 0  -- decided and delivered, by verdict
);
CREATE TABLE session (
    number INTEGER PRIMARY KEY,
    started_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    ended TEXT,                    -- finished, stopped, failed; none after a crash
    host TEXT NOT NULL,
    pid INTEGER NOT NULL
);
"""
ITEM_COLUMNS = 11

_MIGRATIONS: Mapping[int, str] = {}
"""From each older format, the statements that lead to the next one."""


@attrs.frozen(kw_only=True)
class Identity:
    """What a journal is about; a run with another identity must not go on with it."""

    kind: str
    operation: str
    partner: str
    endpoints: str
    options: str
    source: str | None
    source_name: str | None
    key_check: bytes | None


_DIFFERS = {
    "kind": "made by {there}, not by {here}",
    "operation": "about the operation {there}, not {here}",
    "partner": "of partner {there}, not {here}",
    "endpoints": "about the endpoints {there}, not {here}",
    "options": "made with the options {there}, not {here}",
    "source": "about another input: what was read then is not what is there now",
    "key_check": "made with another key for hiding ICCIDs",
}


def check_identity(name: str, stored: Identity, wanted: Identity) -> None:
    """Refuse a journal of another run, with the first thing that differs."""
    for field, text in _DIFFERS.items():
        there, here = getattr(stored, field), getattr(wanted, field)
        if there == here or (field == "source" and None in (there, here)):
            continue
        told = text.format(there=_shown(there, here), here=_shown(here, there))
        if field == "key_check" and None in (there, here):
            told = "with plain ICCIDs" if there is None else "with hidden ICCIDs: the key is needed"
        raise JournalRefused(f"the journal {name} is {told}; use another file for this run")


def _shown(value: Any, other: Any) -> str:
    """Show a value, or of several only those that differ from the other's."""
    try:
        read, beside = json.loads(value), json.loads(other)
    except (TypeError, ValueError):
        return one_line(str(value), 80)
    if isinstance(read, dict) and isinstance(beside, dict):
        differ = [name for name in {**read, **beside} if read.get(name) != beside.get(name)]
        read = ", ".join(f"{name}={read.get(name)}" for name in differ)
    return one_line(str(read), 80)


def prepare(connection: sqlite3.Connection, name: str) -> None:
    """Make the tables, or check those that are there."""
    (found,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if found != APPLICATION:
        if tables or found or version:
            raise JournalRefused(f"{name} is a database, but no journal of this program")
        connection.executescript(
            f"BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION};"
            f"PRAGMA user_version = {FORMAT}; COMMIT"
        )
        return
    migrate(connection, name, version)


def migrate(
    connection: sqlite3.Connection,
    name: str,
    version: int,
    *,
    to: int = FORMAT,
    steps: Mapping[int, str] = _MIGRATIONS,
) -> None:
    """Bring an older journal up to date, all at once or not at all; refuse any other."""
    if version > to:
        raise JournalRefused(
            f"the journal {name} has format {version}, this release knows {to}: use a newer one"
        )
    path = range(version, to)
    if any(step not in steps for step in path):
        raise JournalRefused(f"the journal {name} has the old format {version}: start anew")
    if path:
        script = "".join(steps[step] + ";" for step in path)
        connection.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {to}; COMMIT")


def read_identity(connection: sqlite3.Connection) -> Identity:
    """Read what a journal is about."""
    names = [field.name for field in attrs.fields(Identity)]
    found = connection.execute(f"SELECT {', '.join(names)} FROM run").fetchone()  # noqa: S608
    return Identity(**dict(zip(names, found, strict=True)))
