"""The progress bar of a long run, on a terminal; the only module that needs rich's progress."""

from __future__ import annotations

from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from ..bulk.progress import Progress as Told
from .tally import line


class Bar:
    """A bar over the bytes of the input, with the counts beside it."""

    def __init__(self, size: int | None) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(),
            TextColumn("{task.description}", markup=False),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task("starting", total=size)

    def update(self, told: Told, done: int) -> None:
        """Show it anew; rich redraws ten times a second at most."""
        self._progress.update(self._task, completed=done, description=line(told))

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
