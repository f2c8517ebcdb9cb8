"""A file that keeps a sandbox's state over restarts; written whole or not at all."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import ConfigurationError
from ..masking import one_line

_Version: TypeAlias = tuple[int, int, int] | None
"""What changes with each writing: the file's number, time and size; None where there is none."""


def _version_of(found: os.stat_result) -> _Version:
    return found.st_ino, found.st_mtime_ns, found.st_size


class StateFile:
    """Reads and writes one file; whoever writes it holds its lock."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._written: Mapping[str, Any] | None = None
        self._known: _Version = None
        self._lock: sqlite3.Connection | None = None

    def hold(self) -> None:
        """Take the lock; refused while another has it, or has written since the state was read.

        The system lets it go when the process ends, however it ends.
        """
        # All names of a file have one lock. It is a file of its own, as the state is replaced.
        place = Path(f"{self.path.resolve()}.lock")
        lock: sqlite3.Connection | None = None
        try:
            lock = sqlite3.connect(place, timeout=0, isolation_level=None, check_same_thread=False)
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            if lock is not None:
                lock.close()
            if "locked" in str(error):
                why = "another sandbox uses it: give each a file of its own"
            else:
                why = f"its lock {place.name} cannot be made: {error}"
            raise ConfigurationError(f"{self.path}: {one_line(why)}") from error
        if self._version() != self._known:
            lock.close()
            raise ConfigurationError(
                f"{self.path}: another sandbox has written it since it was read: start anew"
            )
        self._lock = lock

    def let_go(self) -> None:
        """Give the lock back."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()

    def _version(self) -> _Version:
        try:
            return _version_of(self.path.stat())
        except FileNotFoundError:
            return None

    def read(self) -> dict[str, Any] | None:
        """Read the state; None where there is no file yet."""
        try:
            with self.path.open(encoding="utf-8") as file:
                self._known = _version_of(os.fstat(file.fileno()))
                text = file.read()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{self.path} cannot be read as a state: {error}") from error
        try:
            state = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(
                f"{self.path} is no saved state, or broken; move it away to start anew"
            ) from error
        if not isinstance(state, dict):
            raise ConfigurationError(f"{self.path} is no saved state; move it away to start anew")
        return state

    def is_new(self, state: Mapping[str, Any]) -> bool:
        """Tell whether more than the time has changed since it was written."""
        return self._written is None or {**state, "now": 0} != {**self._written, "now": 0}

    def write(self, state: Mapping[str, Any]) -> None:
        """Replace the file in one step; an old one stays whole where that fails."""
        # Where the name is a link, the file that it points to is replaced.
        path = self.path.resolve()
        try:
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(state, file, separators=(",", ":"))
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise ConfigurationError(
                f"the state cannot be written to {self.path}: {error.strerror or error}"
            ) from error
        self._written, self._known = state, self._version()
