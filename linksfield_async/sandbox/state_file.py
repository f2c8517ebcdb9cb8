"""A file that keeps a sandbox's state over restarts; written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError


class StateFile:
    """Reads and writes one file; of two sandboxes on one file the later writer wins."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._written: Mapping[str, Any] | None = None

    def read(self) -> dict[str, Any] | None:
        """Read the state; None where there is no file yet."""
        try:
            text = self.path.read_text(encoding="utf-8")
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
        folder = self.path.absolute().parent
        try:
            handle, name = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=folder)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(state, file, separators=(",", ":"))
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(self.path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise ConfigurationError(
                f"the state cannot be written to {self.path}: {error.strerror or error}"
            ) from error
        self._written = state
