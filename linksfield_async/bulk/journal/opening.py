"""Opens the file of a journal: for one process at a time, and readable by its owner only."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ...errors import ConfigurationError, JournalError, JournalRefused
from ...masking import one_line
from .schema import TABLES, prepare

_OLDEST_SQLITE = (3, 38)


def resolved(path: str) -> str:
    """Give the one name of a file, so that a lock counts for all its names."""
    return os.path.realpath(path)


def _check_sqlite() -> None:
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        needed = ".".join(map(str, _OLDEST_SQLITE))
        raise ConfigurationError(
            f"bulk runs need SQLite {needed}; this Python has {sqlite3.sqlite_version}"
        )


def locked(path: str, name: str) -> sqlite3.Connection:
    """Hold a lock that the system lets go when the process ends, however it ends."""
    _check_sqlite()
    connection: sqlite3.Connection | None = None
    try:
        # A file of its own: a lock on the journal would keep those who only look from reading.
        connection = sqlite3.connect(
            f"{path}.lock", timeout=0, isolation_level=None, check_same_thread=False
        )
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        if "locked" in str(error):
            raise JournalRefused(f"the journal {name} is in use{_user_of(path)}") from error
        told = one_line(str(error))
        raise JournalError(f"the journal {name} cannot be opened: {told}") from error
    return connection


def _user_of(path: str) -> str:
    with suppress(sqlite3.Error):
        connection = sqlite3.connect(f"{Path(path).as_uri()}?mode=ro", uri=True)
        try:
            host, pid = connection.execute(
                "SELECT host, pid FROM session ORDER BY number DESC LIMIT 1"
            ).fetchone() or (None, None)
        finally:
            connection.close()
        if host is not None:
            return f" by process {pid} on {host}"
    return " by another run"


def connected(
    path: str, name: str, tables: Callable[[sqlite3.Connection, str], None] = prepare
) -> sqlite3.Connection:
    """Open a journal with its tables, made or checked; every commit is safe on the disk."""
    try:
        if not os.path.exists(path):  # the journal holds ICCIDs: nobody else may read it
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        connection = sqlite3.connect(path, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        told = getattr(error, "strerror", None) or str(error)
        raise JournalError(f"the journal {name} cannot be opened: {one_line(told)}") from error
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -8000")
        tables(connection, name)
        # Only now that it is a journal: this stays in the file.
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.DatabaseError as error:
        connection.close()
        if "not a database" in str(error):
            raise JournalRefused(f"{name} is no journal: not a database") from error
        raise
    except JournalRefused:
        connection.close()
        raise
    return connection


def scratch(tables: str = TABLES) -> sqlite3.Connection:
    """Open a database in a temporary file that has no name and is gone when it is closed."""
    _check_sqlite()
    connection = sqlite3.connect("", isolation_level=None)
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.executescript(tables)
    return connection
