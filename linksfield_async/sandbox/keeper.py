"""Keeps a running sandbox's state in a file: at the start, now and then, and at the end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from ..errors import ConfigurationError
from .state import export_state, import_state
from .state_file import StateFile
from .world import World

INTERVAL = 2.0
"""Seconds between two looks whether something has changed."""
_SHARE = 0.05
"""The most of its time that a running sandbox spends on looking."""

_log = logging.getLogger(__name__)


class Keeper:
    """Puts the saved state into the world when it is made, and saves what becomes of it."""

    def __init__(self, file: StateFile, world: World) -> None:
        self._file = file
        self._world = world
        self._task: asyncio.Task[None] | None = None
        state = file.read()
        if state is not None:
            try:
                import_state(world, state)
            except ConfigurationError as error:
                raise ConfigurationError(f"{file.path}: {error}") from error

    def start(self) -> None:
        """Save now and then from now on; refused where another sandbox uses the file."""
        self._file.hold()
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def close(self) -> None:
        """Save a last time, where it was started."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        try:
            try:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                self._world.clock.run_due()
            finally:
                self._file.write(export_state(self._world))
        finally:
            self._file.let_go()

    async def _keep(self) -> None:
        wait = INTERVAL
        while True:
            await asyncio.sleep(wait)
            started = time.perf_counter()
            state = export_state(self._world)
            if self._file.is_new(state):
                try:
                    self._file.write(state)
                except ConfigurationError as error:
                    # The disk may have room again later; what fails at the end is raised.
                    _log.error("%s", error)
            wait = max(INTERVAL, (time.perf_counter() - started) / _SHARE)
